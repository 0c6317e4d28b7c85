package attempt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// oldSuffix marks the working copy that a restore has put aside.
const oldSuffix = ".old"

// workingCopy copies the user's tree to dst, unless dst is there already: it
// then holds the state of what an interrupted run has made, and is taken up.
//
// Not copied are .git, .terraform, .whittle and the folders of runs, and
// Terraform state with its backups and locks: a probe starts from nothing. A
// symbolic link that leads out of the tree is an error: see [copyLink].
func workingCopy(ctx context.Context, root, dst string, runs ...string) error {
	if _, err := os.Stat(dst); err == nil {
		return nil
	}
	// A run that ended in the very middle of a restore.
	if os.Rename(dst+oldSuffix, dst) == nil {
		return nil
	}
	// Made beside its place, so that half a copy is never taken up.
	part := dst + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("working copy: %w", err)
	}
	for i, run := range runs {
		if resolved, err := filepath.EvalSymlinks(run); err == nil {
			run = resolved // root is resolved as well
		}
		if abs, err := filepath.Abs(run); run != "" && err == nil {
			runs[i] = abs
		}
	}
	skip := func(path string) bool { return leftOut(filepath.Base(path)) || slices.Contains(runs, path) }
	err := copyTree(ctx, root, part, skip, func(path, to string) error { return copyLink(root, path, to) })
	if err != nil {
		return errors.Join(fmt.Errorf("working copy: %w", err), os.RemoveAll(part))
	}
	if err := os.Rename(part, dst); err != nil {
		return fmt.Errorf("working copy: %w", err)
	}
	return nil
}

// forget removes what an earlier run has left in its folder: the working copy,
// and what was saved of it along with snapshots that nobody has any more.
func forget(work, dst string) error {
	if err := errors.Join(os.RemoveAll(dst), os.RemoveAll(dst+oldSuffix), os.RemoveAll(filepath.Join(work, savesName))); err != nil {
		return fmt.Errorf("remove the working copy of the interrupted run: %w", err)
	}
	return nil
}

// leftOut tells by its name whether something stays out of the working copy.
func leftOut(name string) bool {
	switch name {
	case ".git", ".terraform", ".whittle":
		return true
	}
	// terraform.tfstate, terraform.tfstate.backup, .terraform.tfstate.lock.info
	// and the folder terraform.tfstate.d of workspaces.
	return strings.HasSuffix(name, ".tfstate") || strings.Contains(name, ".tfstate.")
}

// copyLink copies a symbolic link of the user's tree, as a link always: what it
// leads to may be the operator's own secret (a file of credentials, the
// environment of this very process), and nobody vouches for a link. One that
// stays within the tree becomes a relative one, so that what is written through
// it is written in the copy. One that leads out (an interpreter of a virtual
// environment, a store of packages) leads there still.
func copyLink(root, path, to string) error {
	target, err := os.Readlink(path)
	if err != nil {
		return err
	}
	// Names alone, which do not tell where the link leads: "d/.." is another
	// folder than this one if d is a link.
	named := target
	if !filepath.IsAbs(named) {
		named = filepath.Join(filepath.Dir(path), named)
	}
	if filepath.Clean(target) != target {
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			named = resolved
		}
	}
	if !inside(root, named) {
		return os.Symlink(named, to)
	}
	// The names are the way: ".." stands at their beginning only. Links that are
	// on it are copied themselves, and stay on it.
	rel, err := filepath.Rel(filepath.Dir(path), named)
	if err != nil {
		return err
	}
	return os.Symlink(rel, to)
}

// inside tells whether path is root or below it. Both are absolute.
func inside(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

// clone copies a working copy as it is. Providers, hundreds of megabytes each,
// are links into the plugin cache or a mirror as a rule; where they are files,
// they are never written to, and are shared.
func clone(ctx context.Context, src, dst string) error {
	return copyTree(ctx, src, dst, func(string) bool { return false }, func(path, to string) error {
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	})
}

// copyTree copies the folder src to dst, which is not there. Links are made by
// link; sockets, pipes and devices are left out.
func copyTree(ctx context.Context, src, dst string, skip func(path string) bool, link func(path, to string) error) error {
	providers := string(filepath.Separator) + filepath.Join(".terraform", "providers") + string(filepath.Separator)
	return filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if path != src && skip(path) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		if d.Type()&fs.ModeSymlink != 0 {
			return link(path, to)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(to, info.Mode().Perm()|0o700)
		case !info.Mode().IsRegular():
			return nil
		case strings.Contains(path, providers) && os.Link(path, to) == nil:
			return nil
		default:
			return copyFile(path, to, info)
		}
	})
}

// copyFile copies a file with its mode and its time (make looks at it), and
// nothing through a link that has taken the file's place. The copy can be
// written to by its owner.
func copyFile(path, to string, info fs.FileInfo) (err error) {
	from, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, from); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}
