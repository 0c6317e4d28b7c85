package harness

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog"
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
	if differ := l.differs(r, out); differ != "" {
		return differ
	}
	return l.undone(r.Step.Name, lost)
}

// change says what a refused request of the class would have changed, if one of the
// grants that it lacks is to change something; else it is empty.
func change(class string, grants ...grant.Grant) string {
	if !slices.ContainsFunc(grants, func(g grant.Grant) bool { return !catalog.Level(g.Permission).Reads() }) {
		return ""
	}
	return "never done: " + class
}

// differs compares what the step left.
func (l *loop) differs(r *StepResult, out Outcome) string {
	grown, reference := l.grown[r.Step.Name].facts, l.referred[r.Step.Name].facts
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(grown)) {
		value, there := out.Facts[key]
		old, known := reference[key]
		switch {
		case !there && (known || reference == nil):
			differ = append(differ, "lacks "+key)
		case there && known && old == grown[key] && value != old:
			differ = append(differ, key+" differs")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(out.Facts)) {
		_, grew := grown[key]
		if _, known := reference[key]; !grew && !known {
			differ = append(differ, "has "+key+" besides")
		}
	}
	if len(differ) > 3 {
		differ = append(differ[:3], fmt.Sprintf("and %d more", len(differ)-3))
	}
	return strings.Join(differ, ", ")
}

// undone tells of something that the step changed when it had grown and did not
// change in the last trial: a tool that may not see a thing leaves it alone. Lost is
// left out.
func (l *loop) undone(step string, lost map[string]bool) string {
	did := func(statuses map[int]int) bool {
		for status := range statuses {
			if status >= 200 && status < 300 {
				return true
			}
		}
		return false
	}
	writes := map[string]bool{}
	for _, w := range l.wanted[step] {
		for g := range w.Grants.All() {
			writes[w.Class] = writes[w.Class] || !catalog.Level(g.Permission).Reads()
		}
	}
	for _, class := range slices.Sorted(maps.Keys(writes)) {
		if writes[class] && !lost[class] && did(l.grown[step].calls[class]) && !did(l.tried[class]) {
			return "never done: " + class
		}
	}
	return ""
}
