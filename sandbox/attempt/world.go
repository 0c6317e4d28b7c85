package attempt

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/whittle-iam/whittle/harness"
)

// savesName is the folder of saves in the run's folder.
const savesName = "saves"

// World is the cloud and the working copy, Terraform's state with it, as
// harness.World; nil where the cloud cannot be saved.
func (e *Executor) World() harness.World {
	if e.c.Cloud == nil {
		return nil
	}
	return world{e}
}

// world keeps each save in a folder: the working copy, and the name of the
// cloud's snapshot.
type world struct{ e *Executor }

func (w world) dir(name string) (string, error) {
	safe := url.PathEscape(name)
	if name == "" || name[0] == '.' {
		return "", fmt.Errorf("save %q: cannot be the name of a save", name)
	}
	return filepath.Join(w.e.c.Work, savesName, safe), nil
}

// Save keeps the world under name, in place of what was kept under it.
func (w world) Save(ctx context.Context, name string) error {
	dir, err := w.dir(name)
	if err != nil {
		return err
	}
	w.e.busy.Lock()
	defer w.e.busy.Unlock()
	if err := w.save(ctx, dir); err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return nil
}

func (w world) save(ctx context.Context, dir string) error {
	part := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".part")
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.MkdirAll(part, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(part)
	if err := clone(ctx, w.e.copy, filepath.Join(part, "copy")); err != nil {
		return fmt.Errorf("working copy: %w", err)
	}
	id, err := w.e.c.Cloud.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("cloud: %w", err)
	}
	if err := os.WriteFile(filepath.Join(part, "cloud"), []byte(id), 0o600); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(part, dir)
}

// Again brings back what an interrupted run saved under name, if it came as far as
// that.
func (e *Executor) Again(ctx context.Context, name string) error {
	w := world{e}
	dir, err := w.dir(name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return w.Restore(ctx, name)
}

// Restore brings back what Save kept under name. Everything that can fail on
// its own is done before the cloud changes; what fails after it leaves a world
// of two halves, and the error says so.
func (w world) Restore(ctx context.Context, name string) error {
	dir, err := w.dir(name)
	if err != nil {
		return err
	}
	w.e.busy.Lock()
	defer w.e.busy.Unlock()
	if err := w.restore(ctx, dir); err != nil {
		return fmt.Errorf("restore %s: %w", name, err)
	}
	return nil
}

func (w world) restore(ctx context.Context, dir string) error {
	id, err := os.ReadFile(filepath.Join(dir, "cloud"))
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("nothing was saved under that name")
	}
	if err != nil {
		return err
	}
	fresh, old := w.e.copy+".new", w.e.copy+oldSuffix
	if err := errors.Join(os.RemoveAll(fresh), os.RemoveAll(old)); err != nil {
		return fmt.Errorf("working copy: %w", err)
	}
	defer os.RemoveAll(fresh)
	if err := clone(ctx, filepath.Join(dir, "copy"), fresh); err != nil {
		return fmt.Errorf("working copy: %w; nothing was changed", err)
	}
	if err := w.e.c.Cloud.Restore(ctx, string(id)); err != nil {
		return fmt.Errorf("cloud: %w; the working copy was not changed, the cloud may have been: restore again before anything runs", err)
	}
	half := func(err error) error {
		return fmt.Errorf("working copy: %w; the cloud was restored and the working copy was not: restore again before anything runs", err)
	}
	if err := os.Rename(w.e.copy, old); err != nil {
		return half(err)
	}
	if err := os.Rename(fresh, w.e.copy); err != nil {
		return half(errors.Join(err, os.Rename(old, w.e.copy)))
	}
	if err := os.RemoveAll(old); err != nil {
		w.e.c.Log.Warn("remove the former working copy", "error", err)
	}
	return nil
}
