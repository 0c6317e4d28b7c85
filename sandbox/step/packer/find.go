package packer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/proc"
	"github.com/whittle-iam/whittle/sandbox/tools"
)

// Binary is Packer as found on this machine.
type Binary struct {
	Path    string // absolute
	Version string // "1.15.4"
}

// Find gives the packer on PATH, or the one that whittle builds. tell is called
// with a line for people before something long.
func Find(ctx context.Context, tell func(string)) (Binary, error) {
	path, err := exec.LookPath("packer")
	if err == nil {
		if path, err = filepath.Abs(path); err != nil {
			return Binary{}, fmt.Errorf("packer: %w", err)
		}
		b, err := identify(ctx, path)
		if !errors.As(err, new(*notPacker)) {
			return b, err
		}
		// Some systems have another program of that name (cracklib's).
		tell(err.Error())
	}
	t, err := tools.Named("packer")
	if err != nil {
		return Binary{}, err
	}
	if path, err = t.Build(ctx, tools.Config{Tell: tell}); err != nil {
		return Binary{}, fmt.Errorf("no packer on PATH: %w", err)
	}
	return identify(ctx, path)
}

// notPacker is a program that is called packer and is another.
type notPacker struct {
	path string
	code int
	said string
}

func (e *notPacker) Error() string {
	return fmt.Sprintf("%s version: exit code %d, and it does not say that it is Packer: %s", e.path, e.code, e.said)
}

var banner = regexp.MustCompile(`(?m)^Packer v(\d+\.\d+\.\d+\S*)`)

// identify asks a binary what it is.
func identify(ctx context.Context, path string) (Binary, error) {
	env := proc.Environment(os.Environ())
	env["CHECKPOINT_DISABLE"] = "1"
	res, err := proc.Run(ctx, proc.Command{Path: path, Args: []string{"version"}, Env: env})
	if err != nil {
		return Binary{}, fmt.Errorf("%s version: %w", path, err)
	}
	m := banner.FindStringSubmatch(res.Output)
	if res.ExitCode != 0 || m == nil {
		said, _, _ := strings.Cut(strings.TrimSpace(res.Output), "\n")
		return Binary{}, &notPacker{path, res.ExitCode, said}
	}
	return Binary{Path: path, Version: m[1]}, nil
}
