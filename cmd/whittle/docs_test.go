package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/record"
)

// A table of a record in a document stands between these two; the first names the
// example, and a role where it is of that alone.
var recordTable = regexp.MustCompile(`(?s)(<!-- record ([a-z0-9-]+)(?: role ([a-z0-9-]+))?: written by go test -update -->\n).*?(<!-- /record -->)`)

// What documents say of an example's record is what the record says.
func TestRecordTables(t *testing.T) {
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, doc := range docs {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		want := recordTable.ReplaceAllFunc(text, func(table []byte) []byte {
			tables++
			part := recordTable.FindSubmatch(table)
			r, err := record.Read(filepath.Join("../../docs/examples", string(part[2]), "whittle.lock.json"))
			if err != nil {
				t.Fatalf("%s: %v", doc, err)
			}
			return slices.Concat(part[1], []byte(tableOf(r, string(part[3]))), part[4])
		})
		if *update && string(want) != string(text) {
			if err := os.WriteFile(doc, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(string(text), string(want)); diff != "" {
			t.Errorf("%s is not what the record says; go test -run TestRecordTables ./cmd/whittle -update writes it (-there +record):\n%s", doc, diff)
		}
	}
	if tables == 0 {
		t.Error("no document has a table of a record")
	}
}

// tableOf is a record's permissions: of a role with the requests that decided
// them, of all roles by service with what they are for.
func tableOf(r record.Record, role string) string {
	var b strings.Builder
	if role != "" {
		type need struct{ steps, requests []string }
		needs := map[string]*need{}
		for _, s := range r.Steps {
			if s.Role != role {
				continue
			}
			for _, e := range s.Grants {
				n := needs[e.Permission]
				if n == nil {
					n = &need{}
					needs[e.Permission] = n
				}
				n.steps = addNew(n.steps, s.Name)
				n.requests = addNew(n.requests, "`"+e.Request+"`")
			}
		}
		fmt.Fprintf(&b, "| permission | steps | request |\n|---|---|---|\n")
		for _, p := range slices.Sorted(maps.Keys(needs)) {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p, strings.Join(needs[p].steps, ", "), strings.Join(needs[p].requests, ", "))
		}
		return b.String()
	}
	type need struct {
		purpose       string
		phases, steps []string
	}
	services := map[string]map[string]*need{}
	for _, s := range r.Steps {
		for _, e := range s.Grants {
			service := e.Permission[:strings.IndexAny(e.Permission, ":./")]
			if services[service] == nil {
				services[service] = map[string]*need{}
			}
			n := services[service][e.Permission]
			if n == nil {
				n = &need{purpose: e.Purpose}
				services[service][e.Permission] = n
			}
			n.phases, n.steps = addNew(n.phases, s.Phase), addNew(n.steps, s.Name)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(services)) {
		of := services[service]
		fmt.Fprintf(&b, "\n**%s**: %d\n\n| permission | purpose | needed in | steps |\n|---|---|---|---|\n", service, len(of))
		for _, p := range slices.Sorted(maps.Keys(of)) {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p, of[p].purpose, strings.Join(of[p].phases, ", "), strings.Join(of[p].steps, ", "))
		}
	}
	return b.String() + "\n"
}

func addNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
