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

	"github.com/whittle-iam/whittle/harness/grant"
)

// Intended is every grant that growth of the step ever meant to make, whether
// or not the cloud came to know of it: what a resumed run puts into the role
// before it goes on.
func Intended(events []Event, step string) grant.Set {
	return union(events, step, KindIntent, KindGranted, KindPutBack)
}

// Granted is every grant of the step that the cloud is known to have taken.
func Granted(events []Event, step string) grant.Set {
	return union(events, step, KindGranted)
}

func union(events []Event, step string, of ...Kind) grant.Set {
	var all []grant.Grant
	for _, e := range events {
		if e.Step == step && slices.Contains(of, e.Kind) {
			all = append(all, e.Grants...)
		}
	}
	return grant.Of(all...)
}

// Done lists the steps that the pass is through with and that ended well, in
// the order in which they last did so. A step that was begun again since is
// not among them.
func Done(events []Event, pass string) []string {
	var done []string
	for _, e := range events {
		if e.Pass != pass || e.Step == "" || (e.Kind != KindStepEnd && e.Kind != KindAttempt) {
			continue
		}
		done = slices.DeleteFunc(done, func(s string) bool { return s == e.Step })
		if e.Kind == KindStepEnd && e.OK {
			done = append(done, e.Step)
		}
	}
	return done
}

// Attempts is how many times the step was begun in the pass.
func Attempts(events []Event, pass, step string) int {
	n := 0
	for _, e := range events {
		if e.Kind == KindAttempt && e.Pass == pass && e.Step == step {
			n++
		}
	}
	return n
}

// Objects lists what may exist in the cloud because of this run, each once, in
// the order in which it was first meant to be made. The last of them are the
// first to take away.
func Objects(events []Event) []Object {
	var objects []Object
	for _, e := range events {
		if e.Object == nil {
			continue
		}
		switch {
		case e.Kind == KindObject && !slices.Contains(objects, *e.Object):
			objects = append(objects, *e.Object)
		case e.Kind == KindReleased:
			objects = slices.DeleteFunc(objects, func(o Object) bool { return o == *e.Object })
		}
	}
	return objects
}

// Ended tells whether the run came to its end, well or not. A run that did not
// can be resumed.
func Ended(events []Event) bool {
	ended := false
	for _, e := range events {
		switch e.Kind {
		case KindEnd:
			ended = true
		case KindRun:
			ended = false
		}
	}
	return ended
}

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
