package harness

import (
	"slices"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/difference"
	"github.com/whittle-iam/whittle/harness/grant"
)

// left is what a pass left of a step, to compare another with.
type left struct {
	facts map[string]string
	calls calls
}

// difference tells what a run that succeeded lacks beside the same step in the
// passes before. What the reference and growth do not have alike is chance. What
// the step leaves does not show all that it changes (an instance that Packer ends
// when its image is made): a change that was not asked for is one that was not
// made. Lost are the classes whose change is known to have been refused.
func (l *loop) difference(r *StepResult, out Outcome, lost map[string]bool) string {
	if !out.OK {
		return ""
	}
	step := r.Step.Name
	if differ := difference.Facts(out.Facts, l.grown[step].facts, l.referred[step].facts); differ != "" {
		return differ
	}
	var writes []string
	for _, w := range l.wanted[step] {
		if !lost[w.Class] && change(w.Class, w.Grants.Slice()...) != "" {
			writes = append(writes, w.Class)
		}
	}
	if class, found := difference.Undone(writes, l.grown[step].calls, l.tried); found {
		return undone(class)
	}
	return ""
}

// change says what a refused request of the class would have changed, if one of the
// grants that it lacks is to change something; else it is empty.
func change(class string, grants ...grant.Grant) string {
	if !slices.ContainsFunc(grants, func(g grant.Grant) bool { return !catalog.Level(g.Permission).Reads() }) {
		return ""
	}
	return undone(class)
}

func undone(class string) string { return "never done: " + class }
