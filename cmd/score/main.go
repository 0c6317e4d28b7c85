// Command score measures the parsers against a corpus of real messages:
//
//	go run ./cmd/score CORPUS.jsonl
//
// The corpus is JSON lines with id, cloud, text, class (a reason), optionally
// text_class (the reason that the text alone supports) and missing (permission,
// resource, principal). An entry whose note says that the permission is derived,
// which is not printed, counts apart: it is right where its candidates begin with
// the permission. No corpus is part of this repository.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/named"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

func main() {
	verbose := flag.Bool("v", false, "print each entry that is wrong")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: score [-v] CORPUS.jsonl")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	ok, err := run(os.Stdout, flag.Arg(0), *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "score:", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(3)
	}
}

type entry struct {
	ID        string
	Cloud     refusal.Cloud
	Text      string
	Class     refusal.Reason
	TextClass refusal.Reason `json:"text_class"`
	Missing   []struct{ Permission, Resource, Principal string }
	Note      string
}

// tally counts for one cloud, or for all.
type tally struct {
	entries, reasonRight             int
	missing, exact                   int
	resources, resourcesRight        int
	derived, derivedFirst, derivedIn int
	candidates                       int // opaque entries with at least one candidate
	opaque                           int
	falseGrants                      int
}

func run(w io.Writer, path string, verbose bool) (ok bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	totals := map[refusal.Cloud]*tally{"": {}}
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e entry
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		if totals[e.Cloud] == nil {
			totals[e.Cloud] = &tally{}
		}
		if e.Cloud == refusal.Azure {
			fold(&e)
		}
		denials := read(e.Text)
		var wrong []string
		for _, t := range []*tally{totals[e.Cloud], totals[""]} {
			wrong = t.count(e, denials)
		}
		if verbose && len(wrong) > 0 {
			fmt.Fprintf(w, "%s (%s): %s\n", e.ID, e.reason(), strings.Join(wrong, "; "))
			for _, d := range denials {
				fmt.Fprintf(w, "    %s %s %q on %q by %q blocker %q candidates %v call %+v\n        %q\n", d.Cloud, d.Reason, d.Permission, d.Resource, d.Principal, d.Blocker, d.Candidates, d.Call, d.Evidence)
			}
		}
	}
	if err := in.Err(); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	if totals[""].entries == 0 {
		return false, errors.New(path + ": holds no entries")
	}
	for _, c := range []refusal.Cloud{refusal.AWS, refusal.GCP, refusal.Azure, ""} {
		if t := totals[c]; t != nil {
			name := string(c)
			if c == "" {
				name = "all"
			}
			t.print(w, name)
		}
	}
	all := totals[""]
	return all.falseGrants == 0 && all.exact*100 >= all.missing*95 && all.reasonRight*100 >= all.entries*92, nil
}

// fold writes the actions that an entry wants as the parsers write those that they
// know: Azure compares actions without case, and messages print them in several.
func fold(e *entry) {
	for i, m := range e.Missing {
		for _, d := range read(e.Text) {
			for _, p := range append([]string{d.Permission}, d.Candidates...) {
				if strings.EqualFold(p, m.Permission) {
					e.Missing[i].Permission = p
				}
			}
		}
	}
}

// read is what whittle parse does with a text.
func read(text string) []refusal.Denial {
	denials := parsers.FromOutput(text)
	for i, d := range denials {
		if d.Reason == refusal.OpaqueDenial && len(d.Candidates) == 0 {
			denials[i].Candidates = named.Candidates(string(d.Cloud), named.Call(d.Call))
		}
	}
	return denials
}

// reason is what the text supports. What was refused only until a grant had
// spread is no parser's to know.
func (e entry) reason() refusal.Reason {
	if e.TextClass != "" {
		return e.TextClass
	}
	return e.Class
}

// printed tells whether the entry's permission stands in its text.
func (e entry) printed(permission string) bool {
	if !strings.Contains(e.Note, "derived") {
		return true
	}
	flat := strings.ToLower(strings.Join(strings.Fields(e.Text), " "))
	return strings.Contains(flat, strings.ToLower(permission))
}

// count adds one entry and says what was wrong with it.
func (t *tally) count(e entry, denials []refusal.Denial) (wrong []string) {
	t.entries++
	want := e.reason()
	got, first := map[string]bool{}, map[string]bool{}
	in := map[string]bool{}
	reasons := map[refusal.Reason]bool{}
	candidates := false
	for _, d := range denials {
		reasons[d.Reason] = true
		if d.Reason == refusal.MissingPermission {
			got[d.Permission] = true
		}
		if d.Reason == refusal.OpaqueDenial && len(d.Candidates) > 0 {
			candidates = true
			first[d.Candidates[0]] = true
			for _, c := range d.Candidates {
				in[c] = true
			}
		}
	}
	if want != refusal.MissingPermission && len(got) > 0 {
		t.falseGrants++
		wrong = append(wrong, "FALSE GRANT")
	}
	var named, derived []string
	if want == refusal.MissingPermission {
		for _, m := range e.Missing {
			if e.printed(m.Permission) {
				named = append(named, m.Permission)
			} else {
				derived = append(derived, m.Permission)
			}
		}
	}
	if want == refusal.OpaqueDenial {
		t.opaque++
		if candidates {
			t.candidates++
		}
	}
	derivedRight := true
	for _, p := range derived {
		t.derived++
		switch {
		case first[p] || got[p]:
			t.derivedFirst++
			t.derivedIn++
		case in[p]:
			t.derivedIn++
			derivedRight = false
		default:
			derivedRight = false
		}
	}
	if !derivedRight {
		wrong = append(wrong, fmt.Sprintf("derived %v not first", derived))
	}
	if want == refusal.MissingPermission && len(named) > 0 {
		t.missing++
		exact := len(got) == len(unique(named))
		for _, p := range named {
			exact = exact && got[p]
		}
		for p := range got {
			exact = exact && (slices.Contains(named, p) || slices.Contains(derived, p))
		}
		if exact {
			t.exact++
		} else {
			wrong = append(wrong, fmt.Sprintf("permissions: want %v", named))
		}
		for _, m := range e.Missing {
			if m.Resource == "" {
				continue
			}
			t.resources++
			if slices.ContainsFunc(denials, func(d refusal.Denial) bool { return d.Permission == m.Permission && d.Resource == m.Resource }) {
				t.resourcesRight++
			}
		}
	}
	if reasonRight(want, reasons, len(derived) > 0 && derivedRight) {
		t.reasonRight++
	} else {
		wrong = append(wrong, "reason")
	}
	return wrong
}

// reasonRight is strict: every denial that was read has the entry's reason. Where
// the permission is derived an opaque denial with the right candidate is right, and
// for what is no refusal nothing at all.
func reasonRight(want refusal.Reason, got map[refusal.Reason]bool, derived bool) bool {
	if want == refusal.NotAuthorization || want == refusal.TransientPropagation {
		return len(got) == 0 || len(got) == 1 && got[refusal.NotAuthorization]
	}
	for r := range got {
		if r != want && !(derived && r == refusal.OpaqueDenial) {
			return false
		}
	}
	return len(got) > 0
}

func unique(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}

func (t *tally) print(w io.Writer, name string) {
	percent := func(n, of int) string {
		if of == 0 {
			return "–"
		}
		return fmt.Sprintf("%d/%d (%.1f %%)", n, of, 100*float64(n)/float64(of))
	}
	fmt.Fprintf(w, "%-6s permissions exact %s, derived first %s (among %d), reason right %s, false grants %d; resource as printed %s, opaque with candidates %s\n",
		name, percent(t.exact, t.missing), percent(t.derivedFirst, t.derived), t.derivedIn, percent(t.reasonRight, t.entries), t.falseGrants,
		percent(t.resourcesRight, t.resources), percent(t.candidates, t.opaque))
}
