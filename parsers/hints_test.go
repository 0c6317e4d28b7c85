package parsers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/parsers/aws"
	azurewords "github.com/whittle-iam/whittle/parsers/azure/words"
	gcpwords "github.com/whittle-iam/whittle/parsers/gcp/words"
	"github.com/whittle-iam/whittle/parsers/plain"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// slowly reads a text as a whole, without asking for hints.
func slowly(text string) []refusal.Denial {
	var all []refusal.Denial
	seen := map[string]bool{}
	for _, d := range readPiece(plain.Whole(text), nil) {
		if key := identity(d); !seen[key] {
			seen[key] = true
			all = append(all, d)
		}
	}
	return withoutEcho(all)
}

// texts gives every text of the test data, of this package and of each cloud's.
func texts(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range messages(t) {
		all[m.name] = m.text
	}
	files, err := filepath.Glob("*/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if f.Name == "text" || f.Name == "reply" {
				all[file] = string(f.Data)
			}
		}
	}
	return all
}

// The search for hints hides nothing: a text that is read as a whole gives what
// it gives where only the surroundings of hints are read.
func TestHintsHideNothing(t *testing.T) {
	n := 0
	for name, text := range texts(t) {
		want := slowly(text)
		n += len(want)
		if diff := cmp.Diff(want, FromOutput(text)); diff != "" {
			t.Errorf("%s: read slowly -, with hints +:\n%s", name, diff)
		}
	}
	if n < 400 {
		t.Errorf("only %d denials", n)
	}
}

// Every code that AWS's parser knows is found, alone in a log.
func TestHintsOfCodes(t *testing.T) {
	source, err := os.ReadFile("aws/words/words.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`"([A-Za-z.]+)":\s+refusal\.`).FindAllSubmatch(source, -1)
	if len(codes) < 60 {
		t.Fatalf("%d codes", len(codes))
	}
	for _, code := range codes {
		if !hints.Has(string(code[1])) {
			t.Errorf("no hint of %s", code[1])
		}
	}
}

// Every way to write every sentence is found: of each expression, what each of its
// alternatives matches at least.
func TestHintsOfSentences(t *testing.T) {
	n := 0
	for _, source := range slices.Concat(aws.Sources(), gcpwords.Sources(), azurewords.Sources()) {
		re, err := syntax.Parse(source, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		for _, least := range shortest(re) {
			n++
			if !hints.Has(least) {
				t.Errorf("no hint of %q", least)
			}
		}
	}
	if n < 600 {
		t.Errorf("only %d ways", n)
	}
}

// shortest gives texts that an expression matches: one for each way through its
// alternatives, at most some hundred, without what may be left out.
func shortest(re *syntax.Regexp) []string {
	const most = 500
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		for _, c := range "aA0'\" .-" {
			for i := 0; i < len(re.Rune); i += 2 {
				if c >= re.Rune[i] && c <= re.Rune[i+1] {
					return []string{string(c)}
				}
			}
		}
		return []string{string(re.Rune[0])}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{"x"}
	case syntax.OpCapture, syntax.OpPlus:
		return shortest(re.Sub[0])
	case syntax.OpRepeat:
		var all []string
		for _, s := range shortest(re.Sub[0]) {
			all = append(all, strings.Repeat(s, re.Min))
		}
		return all
	case syntax.OpConcat:
		all := []string{""}
		for _, sub := range re.Sub {
			var next []string
			for _, end := range shortest(sub) {
				for _, begin := range all {
					next = append(next, begin+end)
				}
			}
			all = next[:min(len(next), most)]
		}
		return all
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			all = append(all, shortest(sub)...)
		}
		return all
	}
	return []string{""} // what may be left out, or is no character
}

// Nor does anything around it: between lines of other output, wherever in the
// input it stands, a message gives the same.
func TestNoiseHidesNothing(t *testing.T) {
	all := messages(t)
	rapid.Check(t, func(t *rapid.T) {
		noise := func(label string) string {
			line := rapid.SampledFrom([]string{
				"2026-05-14T13:00:00.000Z [TRACE] dag/walk: vertex is waiting\n", "module.x: Refreshing state... [id=0a1b]\n", "Still working... [10s elapsed]\n", strings.Repeat("x", 400) + "\n", "\n", "\x1b[32mok\x1b[0m\n",
			}).Draw(t, label)
			return strings.Repeat(line, rapid.IntRange(41, 60).Draw(t, label+" lines"))
		}
		var text strings.Builder
		var want []refusal.Denial
		seen := map[string]bool{}
		for i := range rapid.IntRange(1, 3).Draw(t, "messages") {
			m := rapid.SampledFrom(all).Draw(t, "message")
			if strings.HasPrefix(m.text, "\xff\xfe") {
				continue
			}
			text.WriteString(noise(fmt.Sprint("before ", i)) + "\n\n" + m.text + "\n\n")
			for _, d := range FromOutput(m.text) {
				if key := identity(d); !seen[key] {
					seen[key] = true
					want = append(want, d)
				}
			}
		}
		text.WriteString("\n\n" + noise("behind"))
		want = withoutEcho(want)
		if got := FromOutput(text.String()); !slices.EqualFunc(got, want, func(a, b refusal.Denial) bool { return cmp.Equal(a, b) }) {
			t.Fatalf("alone -, with noise +:\n%s", cmp.Diff(want, got))
		}
	})
}
