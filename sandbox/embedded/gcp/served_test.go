package gcp

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/signing"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/token"
)

var update = flag.Bool("update", false, "rewrite the list in docs/embedded-gcp.md")

// The page lists how many of each API's methods are served.
func TestServedInDocs(t *testing.T) {
	s := newServices(token.NewRing("a@example.com"), signing.NewSigner())
	served, all := map[string]int{}, map[string]int{}
	var names []string
	for _, m := range route.Methods() {
		name := m.Service.Name
		if all[name] == 0 {
			names = append(names, name)
		}
		all[name]++
		if s.handler(route.Match{Method: m}) != nil {
			served[name]++
		}
	}
	var b strings.Builder
	b.WriteString("| API | methods served | in the tables |\n|---|---|---|\n")
	for _, name := range names {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", name, served[name], all[name])
	}
	const page = "../../../docs/embedded-gcp.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- served: written by go test -update -->\n", "<!-- /served -->"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the page has no place for the list")
	}
	want := before + begin + b.String() + end + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("the list is not current: run go test ./sandbox/embedded/gcp -run Served -update")
	}
}
