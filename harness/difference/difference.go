// Package difference tells what a run of a step lacks beside earlier ones that were known
// to have done it all: in what it left, and in what it did.
package difference

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// most is how many differences are named.
const most = 3

// Facts tells in what a run that left now differs from the one that grew the step's role;
// empty where it does not. What that and the reference do not have alike is chance. The
// reference is nil where there was none.
func Facts(now, grown, reference map[string]string) string {
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(grown)) {
		value, there := now[key]
		old, known := reference[key]
		switch {
		case !there && (known || reference == nil):
			differ = append(differ, "lacks "+key)
		case there && known && old == grown[key] && value != old:
			differ = append(differ, key+" differs")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		_, grew := grown[key]
		if _, known := reference[key]; !grew && !known {
			differ = append(differ, "has "+key+" besides")
		}
	}
	if len(differ) > most {
		differ = append(differ[:most], fmt.Sprintf("and %d more", len(differ)-most))
	}
	return strings.Join(differ, ", ")
}

// Undone gives the first of the request classes, each of which changes something, that
// succeeded in the run before and not in this one: a tool that may not see a thing leaves
// it alone. Before and now count a run's replies by class and status.
func Undone(changes []string, before, now map[string]map[int]int) (class string, found bool) {
	for _, class := range slices.Sorted(slices.Values(changes)) {
		if succeeded(before[class]) && !succeeded(now[class]) {
			return class, true
		}
	}
	return "", false
}

func succeeded(replies map[int]int) bool {
	for status := range replies {
		if status >= 200 && status < 300 {
			return true
		}
	}
	return false
}
