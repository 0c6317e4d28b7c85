// Package scp is the remote side of the older protocol of scp, which Packer
// speaks: `scp -t` takes files, `scp -f` gives them. Source: Jan Pechanec, "How
// the SCP protocol works"; OpenSSH's scp.c.
package scp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/guest/disk"
)

// maxLine is the longest line of the protocol that is read, in bytes.
const maxLine = 4096

// Command is what a command line of scp says.
type Command struct {
	// Take takes what is sent to Path; else Path is given.
	Take bool
	Path string
	// Deep gives folders, too; Folder takes into a folder alone.
	Deep, Folder bool
}

// Run serves one command. What goes wrong the other side is told, and whoever
// called.
func Run(d disk.Disk, c Command, in io.Reader, out io.Writer) error {
	s := side{disk: d, in: bufio.NewReaderSize(in, maxLine), out: out}
	var err error
	if c.Take {
		err = s.take(c.Path, c.Folder)
	} else {
		err = s.give(c.Path, c.Deep)
	}
	if err != nil {
		Fail(out, err)
	}
	return err
}

// Fail tells the other side what went wrong.
func Fail(out io.Writer, err error) { fmt.Fprintf(out, "\x01scp: %v\n", disk.Reason(err)) }

type side struct {
	disk disk.Disk
	in   *bufio.Reader
	out  io.Writer
}

func (s side) ok() error {
	_, err := s.out.Write([]byte{0})
	return err
}

// answered waits for the other side's leave to go on.
func (s side) answered() error {
	b, err := s.in.ReadByte()
	if err != nil || b == 0 {
		return err
	}
	line, _ := s.line()
	return fmt.Errorf("the other side: %s", line)
}

func (s side) line() (string, error) {
	line, err := s.in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return string(line[:len(line)-1]), nil
}

// take takes what is sent, into the folder or the file that target names.
func (s side) take(target string, folder bool) error {
	if folder && !s.disk.IsDir(target) {
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
			if s.disk.IsDir(here) {
				to = path.Join(here, name)
			}
			if line[0] == 'D' {
				if err := s.disk.Root.MkdirAll(disk.Inside(to), mode|0o700); err != nil {
					return err
				}
				dirs = append(dirs, to)
				break
			}
			if err := s.ok(); err != nil {
				return err
			}
			if err := s.disk.Write(to, io.LimitReader(s.in, size), mode); err != nil {
				return fmt.Errorf("%s: %w", to, disk.Reason(err))
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
func (s side) give(name string, deep bool) error {
	if err := s.answered(); err != nil {
		return err
	}
	return s.send(name, deep)
}

func (s side) send(name string, deep bool) error {
	info, err := s.disk.Stat(name, true)
	if err != nil {
		return fmt.Errorf("%s: %w", name, disk.Reason(err))
	}
	if info.IsDir() {
		if !deep {
			return fmt.Errorf("%s: not a regular file", name)
		}
		entries, err := s.disk.List(name)
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
	f, err := s.disk.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", name, disk.Reason(err))
	}
	defer f.Close()
	if err := s.tell("C%04o %d %s\n", info.Mode().Perm(), info.Size(), path.Base(name)); err != nil {
		return err
	}
	if _, err := io.CopyN(s.out, f, info.Size()); err != nil {
		return err
	}
	if err := s.ok(); err != nil {
		return err
	}
	return s.answered()
}

// tell says something and waits for the other side's leave.
func (s side) tell(format string, args ...any) error {
	if _, err := fmt.Fprintf(s.out, format, args...); err != nil {
		return err
	}
	return s.answered()
}
