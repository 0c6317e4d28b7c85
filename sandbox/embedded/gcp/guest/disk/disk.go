// Package disk is a folder that stands for the whole file system of a simulated
// machine. No path leads out of it, through a link either: os.Root sees to that.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Disk is the folder. Paths are absolute, as the machine sees them.
type Disk struct{ Root *os.Root }

// At is the path of name as seen from dir.
func At(dir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", dir, name)
}

// Reason is what went wrong with a file, without the path on the real disk.
func Reason(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// Inside is a path as [os.Root] takes it.
func Inside(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}

// Stat tells of a file; of a link itself where follow is false.
func (d Disk) Stat(name string, follow bool) (fs.FileInfo, error) {
	if follow {
		return d.Root.Stat(Inside(name))
	}
	return d.Root.Lstat(Inside(name))
}

// IsDir tells whether there is a folder of that name.
func (d Disk) IsDir(name string) bool {
	info, err := d.Stat(name, true)
	return err == nil && info.IsDir()
}

// Open opens a file, with the flags of os.OpenFile.
func (d Disk) Open(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return d.Root.OpenFile(Inside(name), flag, perm.Perm())
}

// Read gives the content of a file.
func (d Disk) Read(name string) ([]byte, error) { return d.Root.ReadFile(Inside(name)) }

// List gives what is in a folder, by name.
func (d Disk) List(name string) ([]fs.DirEntry, error) {
	f, err := d.Root.Open(Inside(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// Write makes a file, or replaces its content.
func (d Disk) Write(name string, from io.Reader, perm fs.FileMode) error {
	f, err := d.Open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = d.Root.Chmod(Inside(name), perm.Perm())
	}
	return err
}

// Copy copies a file, or a folder with all that is in it.
func (d Disk) Copy(from, to string) error {
	info, err := d.Stat(from, true)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		f, err := d.Open(from, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return d.Write(to, f, info.Mode())
	}
	if to == from || strings.HasPrefix(to, strings.TrimSuffix(from, "/")+"/") {
		return &fs.PathError{Op: "copy", Path: from, Err: fs.ErrInvalid} // into itself
	}
	if err := d.Root.MkdirAll(Inside(to), 0o755); err != nil {
		return err
	}
	entries, err := d.List(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := d.Copy(path.Join(from, e.Name()), path.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
