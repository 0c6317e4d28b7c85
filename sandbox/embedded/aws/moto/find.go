package moto

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const install = "install it with: pip install 'moto[server]' (or run make, which puts it into .venv)"

// ErrMissing is that no interpreter was found that can import moto.
var ErrMissing = errors.New("moto is not installed: the embedded AWS sandbox keeps its state in it; " + install)

// Find looks for a Python interpreter that has moto: WHITTLE_MOTO_PYTHON, which
// must have it when it is set; then the interpreter of the moto_server on PATH;
// then python3 and python on PATH.
func Find(ctx context.Context, getenv func(string) string) (string, error) {
	if named := getenv("WHITTLE_MOTO_PYTHON"); named != "" {
		if err := has(ctx, named); err != nil {
			return "", fmt.Errorf("WHITTLE_MOTO_PYTHON=%s cannot import moto (%w): %s", named, err, install)
		}
		return named, nil
	}
	var candidates []string
	if script, err := exec.LookPath("moto_server"); err == nil {
		if python := interpreter(script); python != "" {
			candidates = append(candidates, python)
		}
	}
	for _, name := range []string{"python3", "python"} {
		if python, err := exec.LookPath(name); err == nil {
			candidates = append(candidates, python)
		}
	}
	for _, python := range candidates {
		if has(ctx, python) == nil {
			return python, nil
		}
	}
	return "", ErrMissing
}

// has tells whether the interpreter finds moto and what its server needs. It
// does not import them, which would take as long as starting moto does.
func has(ctx context.Context, python string) error {
	const question = "import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in ('moto', 'flask', 'flask_cors')))"
	cmd := exec.CommandContext(ctx, python, "-c", question)
	cmd.Dir = string(filepath.Separator) // not where a stray moto.py may lie
	return cmd.Run()
}

// interpreter reads a script's first line. It gives nothing when that is not a
// Python by its full path: a version manager puts a shell script in its place.
func interpreter(script string) string {
	f, err := os.Open(script)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, _ := bufio.NewReader(f).ReadString('\n')
	path, ok := strings.CutPrefix(strings.TrimSpace(line), "#!")
	if !ok || !filepath.IsAbs(path) || !strings.Contains(filepath.Base(path), "python") {
		return ""
	}
	return path
}
