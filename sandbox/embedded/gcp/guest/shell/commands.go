package shell

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/interp"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/guest/disk"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/guest/scp"
)

// command runs a command, args[0] being its name, and gives its exit status.
type command func(ctx context.Context, p *process, args []string) int

// commands are those that a simulated machine has beside the shell's own. Each
// does what it is called for to the machine's disk, and takes no options but
// those that it names: an option that were ignored would be a lie.
func commands() map[string]command {
	return map[string]command{
		"sh": runShell, "bash": runShell, "dash": runShell, "sudo": sudo, "env": environment, "which": which, "scp": copyRemote,
		"cat": files("", cat), "sha256sum": files("", sha256Sum), "touch": files("", touch), "mkdir": files("pmv", makeDir), "rm": files("rfRv", remove),
		"ls": files("la1R", ls), "tee": files("a", tee), "chmod": chmod,
		"cp": files("aprRfv", toTarget(false)), "mv": files("fv", toTarget(true)),
		"whoami": say(func(p *process) string { return p.user }), "hostname": say(func(p *process) string { return p.name }),
		"uname": say(func(*process) string { return "Linux" }), "sync": func(context.Context, *process, []string) int { return 0 },
		"sleep": sleep,
	}
}

// flags are single letters that an option can be made of.
type flags string

func (f flags) has(letter string) bool { return strings.Contains(string(f), letter) }

// options parts options from operands. An option that is not among the allowed
// letters is an error.
func options(args []string, allowed string) (flags, []string, error) {
	var set flags
	for i, a := range args {
		switch {
		case a == "--":
			return set, args[i+1:], nil
		case len(a) < 2 || a[0] != '-':
			return set, args[i:], nil
		case strings.Trim(a[1:], allowed) != "":
			return "", nil, fmt.Errorf("the simulated command has no option %s", a)
		}
		set += flags(a[1:])
	}
	return set, nil, nil
}

// files makes a command of a function of options and paths.
func files(allowed string, f func(p *process, set flags, paths []string) error) command {
	return func(_ context.Context, p *process, args []string) int {
		set, operands, err := options(args[1:], allowed)
		if err != nil {
			p.errf("%s: %v", args[0], err)
			return 2
		}
		if err := f(p, set, operands); err != nil {
			p.errf("%s: %v", args[0], err)
			return 1
		}
		return 0
	}
}

func say(f func(*process) string) command {
	return files("", func(p *process, _ flags, operands []string) error {
		if len(operands) > 0 {
			return fmt.Errorf("%s: unexpected", operands[0])
		}
		_, err := fmt.Fprintln(p.Out, f(p))
		return err
	})
}

// each calls f with the path of each operand, and names those that fail.
func each(p *process, operands []string, f func(name string) error) error {
	if len(operands) == 0 {
		return errors.New("missing operand")
	}
	var all error
	for _, o := range operands {
		if err := f(disk.At(p.dir, o)); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", o, disk.Reason(err)))
		}
	}
	return all
}

// readers calls f with the content of each file, or with the input if there are
// none or one is called "-".
func readers(p *process, operands []string, f func(name string, r io.Reader) error) error {
	if len(operands) == 0 {
		operands = []string{"-"}
	}
	for _, o := range operands {
		if o == "-" {
			if err := f(o, p.In); err != nil {
				return err
			}
			continue
		}
		file, err := p.disk.Open(disk.At(p.dir, o), os.O_RDONLY, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", o, disk.Reason(err))
		}
		err = f(o, file)
		file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", o, disk.Reason(err))
		}
	}
	return nil
}

func cat(p *process, _ flags, operands []string) error {
	return readers(p, operands, func(_ string, r io.Reader) error {
		_, err := io.Copy(p.Out, r)
		return err
	})
}

func sha256Sum(p *process, _ flags, operands []string) error {
	return readers(p, operands, func(name string, r io.Reader) error {
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Out, "%x  %s\n", h.Sum(nil), name)
		return err
	})
}

func touch(p *process, _ flags, operands []string) error {
	return each(p, operands, func(name string) error {
		f, err := p.disk.Open(name, os.O_WRONLY|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		f.Close()
		now := time.Now()
		return p.disk.Root.Chtimes(disk.Inside(name), now, now)
	})
}

func makeDir(p *process, set flags, operands []string) error {
	mode := fs.FileMode(0o755)
	if set.has("m") {
		if len(operands) == 0 {
			return errors.New("missing mode")
		}
		bits, err := strconv.ParseUint(operands[0], 8, 9)
		if err != nil {
			return fmt.Errorf("%s: not an octal mode", operands[0])
		}
		mode, operands = fs.FileMode(bits), operands[1:]
	}
	return each(p, operands, func(name string) error {
		if set.has("p") {
			return p.disk.Root.MkdirAll(disk.Inside(name), mode)
		}
		return p.disk.Root.Mkdir(disk.Inside(name), mode)
	})
}

func remove(p *process, set flags, operands []string) error {
	if set.has("f") && len(operands) == 0 {
		return nil // Packer's shell provisioner calls it so
	}
	return each(p, operands, func(name string) error {
		info, err := p.disk.Stat(name, false)
		switch {
		case errors.Is(err, fs.ErrNotExist) && set.has("f"):
			return nil
		case err != nil:
			return err
		case disk.Inside(name) == ".":
			return errors.New("it is dangerous to operate on /")
		case !info.IsDir():
			return p.disk.Root.Remove(disk.Inside(name))
		case set.has("r") || set.has("R"):
			return p.disk.Root.RemoveAll(disk.Inside(name))
		}
		return errors.New("is a directory")
	})
}

func ls(p *process, set flags, operands []string) error {
	if set.has("R") {
		return errors.New("the simulated command has no option -R")
	}
	if len(operands) == 0 {
		operands = []string{p.dir}
	}
	line := func(name string, info fs.FileInfo) {
		if set.has("l") {
			fmt.Fprintf(p.Out, "%s %8d %s %s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format("2006-01-02 15:04"), name)
			return
		}
		fmt.Fprintln(p.Out, name)
	}
	for _, o := range operands {
		name := disk.At(p.dir, o)
		info, err := p.disk.Stat(name, true)
		if err != nil {
			return fmt.Errorf("%s: %w", o, disk.Reason(err))
		}
		if !info.IsDir() {
			line(o, info)
			continue
		}
		entries, err := p.disk.List(name)
		if err != nil {
			return fmt.Errorf("%s: %w", o, disk.Reason(err))
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && (set.has("a") || e.Name()[0] != '.') {
				line(e.Name(), info)
			}
		}
	}
	return nil
}

func tee(p *process, set flags, operands []string) error {
	how := os.O_TRUNC
	if set.has("a") {
		how = os.O_APPEND
	}
	to := []io.Writer{p.Out}
	for _, o := range operands {
		f, err := p.disk.Open(disk.At(p.dir, o), os.O_WRONLY|os.O_CREATE|how, 0o644)
		if err != nil {
			return fmt.Errorf("%s: %w", o, disk.Reason(err))
		}
		defer f.Close()
		to = append(to, f)
	}
	_, err := io.Copy(io.MultiWriter(to...), p.In)
	return err
}

// toTarget copies or moves into a folder, or to a name.
func toTarget(move bool) func(p *process, set flags, operands []string) error {
	return func(p *process, set flags, operands []string) error {
		if len(operands) < 2 {
			return errors.New("missing operand")
		}
		sources, target := operands[:len(operands)-1], disk.At(p.dir, operands[len(operands)-1])
		folder := p.disk.IsDir(target)
		if len(sources) > 1 && !folder {
			return fmt.Errorf("%s: not a directory", operands[len(operands)-1])
		}
		return each(p, sources, func(from string) error {
			to := target
			if folder {
				to = path.Join(target, path.Base(from))
			}
			if move {
				return p.disk.Root.Rename(disk.Inside(from), disk.Inside(to))
			}
			if p.disk.IsDir(from) && !set.has("r") && !set.has("R") && !set.has("a") {
				return errors.New("is a directory: use -r")
			}
			return p.disk.Copy(from, to)
		})
	}
}

// chmod takes octal modes, and those with letters that change one set of bits.
func chmod(_ context.Context, p *process, args []string) int {
	if len(args) < 3 {
		p.errf("chmod: missing operand")
		return 1
	}
	err := each(p, args[2:], func(name string) error {
		info, err := p.disk.Stat(name, true)
		if err != nil {
			return err
		}
		mode, err := newMode(info.Mode().Perm(), args[1])
		if err != nil {
			return err
		}
		return p.disk.Root.Chmod(disk.Inside(name), mode)
	})
	if err != nil {
		p.errf("chmod: %v", err)
		return 1
	}
	return 0
}

func newMode(now fs.FileMode, text string) (fs.FileMode, error) {
	if bits, err := strconv.ParseUint(text, 8, 16); err == nil && bits <= 0o7777 {
		return fs.FileMode(bits) & fs.ModePerm, nil
	}
	for _, clause := range strings.Split(text, ",") {
		i := strings.IndexAny(clause, "+-=")
		if i < 0 || strings.Trim(clause[:i], "ugoa") != "" || strings.Trim(clause[i+1:], "rwx") != "" {
			return 0, fmt.Errorf("invalid mode %s", text)
		}
		var bits, all fs.FileMode
		for _, who := range "ugo" {
			if i > 0 && !strings.ContainsRune(clause[:i], 'a') && !strings.ContainsRune(clause[:i], who) {
				continue
			}
			shift := map[rune]int{'u': 6, 'g': 3, 'o': 0}[who]
			all |= 7 << shift
			for _, what := range clause[i+1:] {
				bits |= fs.FileMode(map[rune]int{'r': 4, 'w': 2, 'x': 1}[what]) << shift
			}
		}
		switch clause[i] {
		case '+':
			now |= bits
		case '-':
			now &^= bits
		default:
			now = now&^all | bits
		}
	}
	return now, nil
}

func sleep(ctx context.Context, p *process, args []string) int {
	if len(args) != 2 {
		p.errf("sleep: how long?")
		return 1
	}
	text := args[1]
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		p.errf("sleep: %s: not a time", args[1])
		return 1
	}
	select {
	case <-time.After(d):
		return 0
	case <-ctx.Done():
		return 143
	}
}

// runShell is sh: a script on the disk, one that is given by -c, or one that is
// read.
func runShell(ctx context.Context, p *process, args []string) int {
	set, rest, err := options(args[1:], "ceuxl")
	if err != nil {
		p.errf("%s: %v", args[0], err)
		return 2
	}
	prefix := ""
	for _, letter := range []string{"e", "u", "x"} {
		if set.has(letter) {
			prefix += "set -" + letter + "; "
		}
	}
	switch {
	case set.has("c") && len(rest) == 0:
		p.errf("%s: -c: option requires an argument", args[0])
		return 2
	case set.has("c"):
		var params []string
		if len(rest) > 2 {
			params = rest[2:]
		}
		return p.script(ctx, args[0], prefix+rest[0], params)
	case len(rest) == 0:
		text, err := io.ReadAll(p.In)
		if err != nil {
			return 1
		}
		return p.script(ctx, args[0], prefix+string(text), nil)
	}
	text, err := p.disk.Read(disk.At(p.dir, rest[0]))
	if err != nil {
		p.errf("%s: %s: %v", args[0], rest[0], disk.Reason(err))
		return 127
	}
	return p.script(ctx, rest[0], prefix+string(text), rest[1:])
}

// sudo runs a command as root; everybody may, as on the public images.
func sudo(ctx context.Context, p *process, args []string) int {
	keep, user, rest := false, "root", args[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		switch rest[0] {
		case "-E", "--preserve-env":
			keep = true
		case "-n", "-H", "-S":
		case "-u":
			if len(rest) < 2 {
				p.errf("sudo: -u: option requires an argument")
				return 1
			}
			user, rest = rest[1], rest[1:]
		case "--":
			return p.as(ctx, user, keep, rest[1:])
		default:
			p.errf("sudo: the simulated command has no option %s", rest[0])
			return 1
		}
		rest = rest[1:]
	}
	return p.as(ctx, user, keep, rest)
}

func (p *process) as(ctx context.Context, user string, keep bool, args []string) int {
	env := []string{"PATH=" + searchPath, "HOME=/root", "USER=" + user, "LOGNAME=" + user, "SUDO_USER=" + p.user, "SHELL=/bin/sh"}
	if keep {
		env = slices.Concat(p.env, env)
	}
	child := &process{Machine: p.Machine, Streams: p.Streams, user: user, dir: p.dir, env: env}
	return environment(ctx, child, append([]string{"env"}, args...))
}

// environment is env: it runs a command with more variables, or prints them.
func environment(ctx context.Context, p *process, args []string) int {
	rest := args[1:]
	for len(rest) > 0 && strings.Contains(rest[0], "=") && !strings.HasPrefix(rest[0], "-") {
		p.env, rest = append(slices.Clone(p.env), rest[0]), rest[1:]
	}
	if len(rest) > 0 {
		return p.run(ctx, rest)
	}
	for _, kv := range p.env {
		fmt.Fprintln(p.Out, kv)
	}
	return 0
}

func which(_ context.Context, p *process, args []string) int {
	for _, name := range args[1:] {
		file, ok := p.find(name)
		switch {
		case commands()[commandName(name)] != nil:
			file = "/usr/bin/" + commandName(name)
		case interp.IsBuiltin(name):
			file = name
		case !ok:
			return 1
		}
		fmt.Fprintln(p.Out, file)
	}
	return 0
}

// copyRemote is the remote side of scp.
func copyRemote(_ context.Context, p *process, args []string) int {
	set, operands, err := options(args[1:], "vrtfpd")
	if err == nil && (len(operands) != 1 || set.has("t") == set.has("f")) {
		err = errors.New("want -t or -f, and one path")
	}
	if err != nil {
		scp.Fail(p.Out, err)
		return 1
	}
	c := scp.Command{Take: set.has("t"), Path: disk.At(p.dir, operands[0]), Deep: set.has("r"), Folder: set.has("d")}
	if err := scp.Run(p.disk, c, p.In, p.Out); err != nil {
		return 1
	}
	return 0
}
