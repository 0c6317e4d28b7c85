package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// maxLine is the longest line of the protocol that is read, in bytes.
const maxLine = 4096

// scp is the remote side of the older protocol of scp, which Packer speaks:
// `scp -t` takes files, `scp -f` gives one. Source: Jan Pechanec, "How the SCP
// protocol works"; OpenSSH's scp.c.
func scp(_ context.Context, p *process, args []string) int {
	set, operands, err := options(args[1:], "vrtfpd")
	if err == nil && (len(operands) != 1 || set.has("t") == set.has("f")) {
		err = errors.New("want -t or -f, and one path")
	}
	s := scpSide{p: p, in: bufio.NewReaderSize(p.In, maxLine)}
	if err == nil {
		name := at(p.dir, operands[0])
		if set.has("t") {
			err = s.take(name, set.has("d"))
		} else {
			err = s.give(name, set.has("r"))
		}
	}
	if err != nil {
		fmt.Fprintf(p.Out, "\x01scp: %v\n", reason(err))
		return 1
	}
	return 0
}

type scpSide struct {
	p  *process
	in *bufio.Reader
}

func (s scpSide) ok() error {
	_, err := s.p.Out.Write([]byte{0})
	return err
}

// answered waits for the other side's leave to go on.
func (s scpSide) answered() error {
	b, err := s.in.ReadByte()
	if err != nil || b == 0 {
		return err
	}
	line, _ := s.line()
	return fmt.Errorf("the other side: %s", line)
}

func (s scpSide) line() (string, error) {
	line, err := s.in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return string(line[:len(line)-1]), nil
}

// take takes what is sent, into the folder or the file that target names.
func (s scpSide) take(target string, folder bool) error {
	if folder && !s.p.disk.isDir(target) {
		return fmt.Errorf("%s: not a directory", target)
	}
	if err := s.ok(); err != nil {
		return err
	}
	dirs := []string{target}
	for {
		line, err := s.line()
		if errors.Is(err, io.EOF) && line == "" {
			return nil
		}
		if err != nil {
			return err
		}
		here := dirs[len(dirs)-1]
		switch {
		case line == "E" && len(dirs) > 1:
			dirs = dirs[:len(dirs)-1]
		case strings.HasPrefix(line, "T"): // times, of which the disk keeps its own
		case strings.HasPrefix(line, "C"), strings.HasPrefix(line, "D"):
			mode, size, name, err := header(line)
			if err != nil {
				return err
			}
			to := here
			if s.p.disk.isDir(here) {
				to = path.Join(here, name)
			}
			if line[0] == 'D' {
				if err := s.p.disk.root.MkdirAll(inside(to), mode|0o700); err != nil {
					return err
				}
				dirs = append(dirs, to)
				break
			}
			if err := s.ok(); err != nil {
				return err
			}
			if err := s.p.disk.write(to, io.LimitReader(s.in, size), mode); err != nil {
				return fmt.Errorf("%s: %w", to, reason(err))
			}
			if err := s.answered(); err != nil {
				return err
			}
		default:
			return fmt.Errorf("unexpected %q", line)
		}
		if err := s.ok(); err != nil {
			return err
		}
	}
}

// header reads "C0644 12 name".
func header(line string) (mode fs.FileMode, size int64, name string, err error) {
	f := strings.SplitN(line[1:], " ", 3)
	if len(f) != 3 {
		return 0, 0, "", fmt.Errorf("unexpected %q", line)
	}
	bits, err := strconv.ParseUint(f[0], 8, 16)
	if err == nil {
		size, err = strconv.ParseInt(f[1], 10, 64)
	}
	if err != nil || size < 0 || f[2] == "" || f[2] == "." || f[2] == ".." || strings.Contains(f[2], "/") {
		return 0, 0, "", fmt.Errorf("unexpected %q", line)
	}
	return fs.FileMode(bits) & fs.ModePerm, size, f[2], nil
}

// give sends a file, or a folder with all that is in it.
func (s scpSide) give(name string, deep bool) error {
	if err := s.answered(); err != nil {
		return err
	}
	return s.send(name, deep)
}

func (s scpSide) send(name string, deep bool) error {
	info, err := s.p.disk.stat(name, true)
	if err != nil {
		return fmt.Errorf("%s: %w", name, reason(err))
	}
	if info.IsDir() {
		if !deep {
			return fmt.Errorf("%s: not a regular file", name)
		}
		entries, err := s.p.disk.list(name)
		if err != nil {
			return err
		}
		if err := s.tell("D%04o 0 %s\n", info.Mode().Perm(), path.Base(name)); err != nil {
			return err
		}
		for _, e := range entries {
			if err := s.send(path.Join(name, e.Name()), true); err != nil {
				return err
			}
		}
		return s.tell("E\n")
	}
	f, err := s.p.disk.open(name, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", name, reason(err))
	}
	defer f.Close()
	if err := s.tell("C%04o %d %s\n", info.Mode().Perm(), info.Size(), path.Base(name)); err != nil {
		return err
	}
	if _, err := io.CopyN(s.p.Out, f, info.Size()); err != nil {
		return err
	}
	if err := s.ok(); err != nil {
		return err
	}
	return s.answered()
}

// tell says something and waits for the other side's leave.
func (s scpSide) tell(format string, args ...any) error {
	if _, err := fmt.Fprintf(s.p.Out, format, args...); err != nil {
		return err
	}
	return s.answered()
}
