package shell

import (
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// disk is a folder that stands for a whole file system; paths are absolute. No
// path leads out of it, through a link either: os.Root sees to that.
type disk struct{ root *os.Root }

func inside(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}

func (d disk) stat(name string, follow bool) (fs.FileInfo, error) {
	if follow {
		return d.root.Stat(inside(name))
	}
	return d.root.Lstat(inside(name))
}

func (d disk) isDir(name string) bool {
	info, err := d.stat(name, true)
	return err == nil && info.IsDir()
}

func (d disk) open(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return d.root.OpenFile(inside(name), flag, perm.Perm())
}

func (d disk) read(name string) ([]byte, error) { return d.root.ReadFile(inside(name)) }

// list gives what is in a folder, by name.
func (d disk) list(name string) ([]fs.DirEntry, error) {
	f, err := d.root.Open(inside(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// write makes a file, or replaces its content.
func (d disk) write(name string, from io.Reader, perm fs.FileMode) error {
	f, err := d.open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = d.root.Chmod(inside(name), perm.Perm())
	}
	return err
}

// copy copies a file, or a folder with all that is in it.
func (d disk) copy(from, to string) error {
	info, err := d.stat(from, true)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		f, err := d.open(from, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return d.write(to, f, info.Mode())
	}
	if to == from || strings.HasPrefix(to, strings.TrimSuffix(from, "/")+"/") {
		return &fs.PathError{Op: "copy", Path: from, Err: fs.ErrInvalid} // into itself
	}
	if err := d.root.MkdirAll(inside(to), 0o755); err != nil {
		return err
	}
	entries, err := d.list(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := d.copy(path.Join(from, e.Name()), path.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
