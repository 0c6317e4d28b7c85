// Package shell is what runs on an instance of the embedded GCP sandbox: a
// shell in Go, over a folder that stands for the instance's whole disk.
//
// Nothing that it runs is a program of the machine that Whittle runs on. A
// template's provisioners are written for a machine that is thrown away: they
// install, overwrite and delete. Here they see no file outside the folder, start
// no process and reach no network. What the shell has not is not there: status
// 127, as on a machine without it.
package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/guest/disk"
)

// searchPath is where a login shell of the public images looks for programs.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Machine is one simulated machine. It is safe for use by many goroutines.
type Machine struct {
	disk disk.Disk
	name string
	dir  string
}

// New makes a machine with a new folder for its disk. Name is its host name.
func New(name string) (*Machine, error) {
	dir, err := os.MkdirTemp("", "whittle-guest-")
	if err != nil {
		return nil, fmt.Errorf("disk of the instance %s: %w", name, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("disk of the instance %s: %w", name, err), os.RemoveAll(dir))
	}
	m := &Machine{disk: disk.Disk{Root: root}, name: name, dir: dir}
	for _, d := range []string{"/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local/bin", "/usr/bin", "/var/lib", "/var/log", "/var/tmp"} {
		err = errors.Join(err, root.MkdirAll(d[1:], 0o755))
	}
	err = errors.Join(err, root.WriteFile("etc/hostname", []byte(name+"\n"), 0o644))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("disk of the instance %s: %w", name, err), m.Close())
	}
	return m, nil
}

// Close takes the machine and its disk away.
func (m *Machine) Close() error { return errors.Join(m.disk.Root.Close(), os.RemoveAll(m.dir)) }

// Streams are what a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run runs a command line as a user does who has logged in, with the given
// variables ("NAME=value") beside his own, and gives its exit status. An empty
// line is a shell that reads its commands from s.In.
func (m *Machine) Run(ctx context.Context, user, line string, env []string, s Streams) int {
	home := "/home/" + user
	if user == "root" {
		home = "/root"
	}
	if err := m.disk.Root.MkdirAll(home[1:], 0o755); err != nil {
		fmt.Fprintln(s.Err, err)
		return 1
	}
	own := []string{"HOME=" + home, "USER=" + user, "LOGNAME=" + user, "SHELL=/bin/sh", "PATH=" + searchPath}
	p := &process{Machine: m, user: user, env: slices.Concat(env, own), dir: home, Streams: s}
	if line == "" {
		text, err := io.ReadAll(s.In)
		if err != nil {
			return 1
		}
		p.In, line = strings.NewReader(""), string(text)
	}
	return p.script(ctx, "sh", line, nil)
}

// process is a shell, or a command that one has started.
type process struct {
	*Machine
	Streams
	user string
	env  []string
	dir  string
}

func (p *process) errf(format string, args ...any) { fmt.Fprintf(p.Err, format+"\n", args...) }

// script runs the text of a script in a shell of its own.
func (p *process) script(ctx context.Context, name, text string, params []string) (status int) {
	defer func() {
		if r := recover(); r != nil {
			p.errf("%s: the simulated shell cannot run this: %v", name, r)
			status = 2
		}
	}()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name)
	if err != nil {
		p.errf("%v", err)
		return 2
	}
	if substitutes(file) {
		// It would be a pipe on the real disk.
		p.errf("%s: the simulated shell has no process substitution", name)
		return 2
	}
	r, err := interp.New(
		interp.Dir("/"), // looked for on the real disk: the folder itself follows
		// The interpreter opens itself what is called like its own pipes in
		// TMPDIR, on the real disk: that must be ours, whatever a script says.
		interp.Env(expand.ListEnviron(append(slices.Clone(p.env), "TMPDIR="+filepath.Join(p.Machine.dir, "tmp"))...)),
		interp.StdIO(p.In, p.Out, p.Err),
		interp.Params(append([]string{"--"}, params...)...),
		interp.OpenHandler(p.open),
		interp.ReadDirHandler2(func(_ context.Context, path string) ([]fs.DirEntry, error) { return p.disk.List(path) }),
		interp.StatHandler(func(_ context.Context, name string, follow bool) (fs.FileInfo, error) {
			return p.disk.Stat(name, follow)
		}),
		interp.AccessHandler(p.access),
		interp.CallHandler(called),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return p.exec }),
	)
	if err != nil {
		p.errf("%s: %v", name, err)
		return 2
	}
	r.Dir = p.dir
	err = r.Run(ctx, file)
	var exit interp.ExitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	}
	p.errf("%s: %v", name, err)
	return 1
}

func substitutes(file *syntax.File) bool {
	found := false
	syntax.Walk(file, func(n syntax.Node) bool {
		_, is := n.(*syntax.ProcSubst)
		found = found || is
		return !found
	})
	return found
}

// called turns the builtins that look for programs on the real disk into a
// command of ours.
func called(_ context.Context, args []string) ([]string, error) {
	switch {
	case len(args) > 2 && args[0] == "command" && args[1] == "-v":
		return append([]string{"which"}, args[2:]...), nil
	case len(args) > 1 && (args[0] == "type" || args[0] == "hash") && !strings.HasPrefix(args[1], "-"):
		return append([]string{"which"}, args[1:]...), nil
	}
	return args, nil
}

// open opens a file for a redirection, or to be sourced.
func (p *process) open(ctx context.Context, name string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
	name = disk.At(interp.HandlerCtx(ctx).Dir, name)
	if name == "/dev/null" {
		return os.OpenFile(os.DevNull, flag&^os.O_TRUNC, perm)
	}
	return p.disk.Open(name, flag, perm)
}

func (p *process) access(_ context.Context, name string, mode interp.AccessMode) error {
	info, err := p.disk.Stat(name, true)
	if err == nil && mode&interp.AccessExec != 0 && !info.IsDir() && info.Mode()&0o111 == 0 {
		err = fs.ErrPermission
	}
	return err
}

// exec runs a command that is neither a builtin nor a function.
func (p *process) exec(ctx context.Context, args []string) error {
	h := interp.HandlerCtx(ctx)
	child := &process{Machine: p.Machine, user: p.user, dir: h.Dir, Streams: Streams{h.Stdin, h.Stdout, h.Stderr}}
	h.Env.Each(func(name string, v expand.Variable) bool {
		if v.Exported && v.IsSet() && v.Kind == expand.String {
			child.env = append(child.env, name+"="+v.Str)
		}
		return true
	})
	if status := child.run(ctx, args); status != 0 {
		return interp.ExitStatus(status)
	}
	return nil
}

// run runs one command: ours, or a script on the disk.
func (p *process) run(ctx context.Context, args []string) int {
	if ctx.Err() != nil {
		return 143
	}
	name := args[0]
	if command := commands()[commandName(name)]; command != nil {
		return command(ctx, p, args)
	}
	file, ok := p.find(name)
	if !ok {
		p.errf("%s: not found (the simulated instance has a shell, a few commands and no network)", name)
		return 127
	}
	text, err := p.disk.Read(file)
	if err == nil {
		err = p.access(ctx, file, interp.AccessExec)
	}
	if err != nil {
		p.errf("%s: %v", name, disk.Reason(err))
		return 126
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if by, ok := bytes.CutPrefix(line, []byte("#!")); ok {
		by := strings.Fields(string(by))
		if len(by) > 0 && path.Base(by[0]) == "env" {
			by = by[1:]
		}
		if len(by) == 0 || !isShell(commandName(by[0])) {
			p.errf("%s: %s: not found", name, strings.Join(by, " "))
			return 127
		}
		return p.run(ctx, slices.Concat(by, []string{file}, args[1:]))
	}
	if bytes.IndexByte(line, 0) >= 0 {
		p.errf("%s: cannot execute binary file", name)
		return 126
	}
	return p.script(ctx, name, string(text), args[1:])
}

// find gives where a script is that is called by a name or a path.
func (p *process) find(name string) (string, bool) {
	if strings.Contains(name, "/") {
		file := disk.At(p.dir, name)
		info, err := p.disk.Stat(file, true)
		return file, err == nil && !info.IsDir()
	}
	for _, dir := range strings.Split(p.variable("PATH"), ":") {
		file := path.Join("/", dir, name)
		if info, err := p.disk.Stat(file, true); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return file, true
		}
	}
	return "", false
}

// variable gives the value that was set last.
func (p *process) variable(name string) string {
	for _, kv := range slices.Backward(p.env) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// commandName is the command that a name or a path of the system's folders
// means.
func commandName(name string) string {
	if dir, base := path.Split(name); slices.Contains([]string{"/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"}, dir) {
		return base
	}
	return name
}

func isShell(name string) bool { return name == "sh" || name == "bash" || name == "dash" }
