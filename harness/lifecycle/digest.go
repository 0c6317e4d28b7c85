package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Digest is "sha256:…" over what decides what the lifecycle needs: its steps
// and rules, and every file in its folder, lock files among them. Files named
// from outside the folder count too. Comments and layout of the lifecycle file
// do not count, nor where it is run (sandbox, reference, the path of terraform,
// the mirror, the parallelism) and how a step is taken back.
//
// Left out are what a run makes and what differs from clone to clone: .git,
// .terraform, .whittle, Terraform's state, the records of it and its variants, out at the top,
// crash logs, editors' and systems' own files. Skip names more, files or
// folders: a record or a work folder that lies in the lifecycle's folder.
//
// Two machines with the same files get the same digest: names are relative and
// in order, times, owners and modes do not count.
func Digest(l Lifecycle, skip ...string) (string, error) {
	h := sha256.New()
	if err := addRules(h, l); err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	var skipped []string
	for _, s := range append(slices.Clone(skip), l.File) {
		abs, err := filepath.Abs(s)
		if err != nil {
			return "", fmt.Errorf("digest: %w", err)
		}
		skipped = append(skipped, abs)
	}
	root, err := filepath.Abs(l.Dir)
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	if err := addTree(h, ".", root, skipped, nil); err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	for _, named := range outside(l) {
		path := named
		if !filepath.IsAbs(path) {
			path = filepath.Join(root, path)
		}
		if err := addTree(h, filepath.ToSlash(named), path, skipped, nil); err != nil {
			return "", fmt.Errorf("digest: %w", err)
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// addRules adds what the lifecycle file says. Its JSON has the fields in their
// order and the maps sorted.
func addRules(h hash.Hash, l Lifecycle) error {
	steps := slices.Clone(l.Steps)
	for i := range steps {
		steps[i].Line, steps[i].Reset, steps[i].Uses = 0, nil, nil
	}
	var used *Used
	if l.Used != nil {
		without := *l.Used
		without.Line, used = 0, &without
	}
	rules, err := json.Marshal(struct {
		Cloud            string
		Approve, Ceiling []string
		Start            string
		TrustOutput      bool
		Version          string
		Steps            []Step
		Scope            Scope             `json:",omitempty"` // so that files without it keep their digest
		Conditions       bool              `json:",omitempty"`
		OwnedByTag       map[string]string `json:",omitempty"`
		Used             *Used             `json:",omitempty"`
	}{l.Cloud, l.Approve, l.Ceiling, l.Start, l.TrustOutput, l.Terraform.Version, steps, l.Scope, l.Conditions, l.OwnedByTag, used})
	if err != nil {
		return err
	}
	add(h, "rules", rules)
	return nil
}

// outside lists the files and folders that the lifecycle names and that are
// not in its folder, as it names them.
func outside(l Lifecycle) []string {
	var named []string
	switch {
	case l.Used != nil:
		named = append(named, l.Used.Files...)
	case l.Start != "empty" && l.Start != "record":
		named = append(named, l.Start)
	}
	for _, s := range l.Steps {
		if t := s.Terraform; t != nil {
			named = append(named, t.Dir)
			for _, f := range t.VarFile {
				named = append(named, within(t.Dir, f))
			}
		}
		if p := s.Packer; p != nil {
			named = append(append(named, p.Template), p.VarFile...)
		}
	}
	named = slices.DeleteFunc(named, func(p string) bool { return p == "" || filepath.IsLocal(p) })
	slices.Sort(named)
	return slices.Compact(named)
}

// addTree adds the file or folder at path under the given name, without what
// leaves, if not nil, tells of a path relative to it.
func addTree(h hash.Hash, name, path string, skipped []string, leaves func(rel string) bool) error {
	real, err := filepath.EvalSymlinks(path) // the folder itself may be a link
	if err != nil {
		return err
	}
	return filepath.WalkDir(real, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(real, p)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(rel)
		if slices.ContainsFunc(skipped, func(s string) bool { return isOrPart(s, filepath.Join(path, rel)) }) || rel != "." && (leftOut(slashed) || leaves != nil && leaves(slashed)) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		entry := name + "\x00" + slashed
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			// Where it leads, not what is there: that may be the whole disk.
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			add(h, "link "+entry, []byte(filepath.ToSlash(target)))
		case d.Type().IsRegular():
			sum, err := sumFile(p)
			if err != nil {
				return err
			}
			add(h, "file "+entry, sum)
		}
		return nil // folders count by what is in them; sockets and pipes do not
	})
}

// isOrPart tells whether path is file, or what a process that was killed while it
// wrote file has left of it: a hidden name beside it that begins alike.
func isOrPart(file, path string) bool {
	return path == file || filepath.Dir(path) == filepath.Dir(file) && strings.HasPrefix(filepath.Base(path), "."+filepath.Base(file))
}

// leftOut tells whether the file or folder, relative to the lifecycle's folder,
// is no part of the code.
func leftOut(rel string) bool {
	base := rel[strings.LastIndexByte(rel, '/')+1:]
	switch base {
	case ".git", ".terraform", ".whittle", ".venv", "__pycache__", ".DS_Store", "whittle.lock.json", "crash.log":
		return true
	}
	return rel == "out" || strings.HasPrefix(base, ".whittle-") || strings.HasPrefix(base, ".whittle.lock.") || strings.HasPrefix(base, "whittle.lock.") && strings.HasSuffix(base, ".json") ||
		strings.HasSuffix(base, ".tfstate") || strings.Contains(base, ".tfstate.") ||
		strings.HasSuffix(base, ".swp") || strings.HasSuffix(base, "~")
}

func sumFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// add adds one named thing to h, so that no two lists of things add the same.
func add(h hash.Hash, name string, data []byte) {
	fmt.Fprintf(h, "%d %d\n%s%s", len(name), len(data), name, data) // a hash's Write gives no error
}
