package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// runPrefix begins the name of every run's folder.
const runPrefix = "run-"

// NewRun makes the folder of the next run inside the folder work: run-0001,
// run-0002, … Two processes never get the same.
func NewRun(work string) (string, error) {
	if err := os.MkdirAll(work, 0o700); err != nil {
		return "", fmt.Errorf("journal: make the folder for runs: %w", err)
	}
	runs, err := Runs(work)
	if err != nil {
		return "", err
	}
	n := 1
	if len(runs) > 0 {
		n = runNumber(filepath.Base(runs[len(runs)-1])) + 1
	}
	for ; ; n++ {
		dir := filepath.Join(work, fmt.Sprintf("%s%04d", runPrefix, n))
		err := os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("journal: make the run's folder: %w", err)
		}
		return dir, nil
	}
}

// Runs lists the folders of the runs in work, the oldest first. No such folder
// means no runs.
func Runs(work string) ([]string, error) {
	entries, err := os.ReadDir(work)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("journal: list runs: %w", err)
	}
	var runs []string
	for _, e := range entries {
		if e.IsDir() && runNumber(e.Name()) > 0 {
			runs = append(runs, filepath.Join(work, e.Name()))
		}
	}
	slices.SortFunc(runs, func(a, b string) int {
		return runNumber(filepath.Base(a)) - runNumber(filepath.Base(b))
	})
	return runs, nil
}

// runNumber is the number in the name of a run's folder, 0 if it is not one.
func runNumber(name string) int {
	digits, ok := strings.CutPrefix(name, runPrefix)
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 {
		return 0
	}
	return n
}
