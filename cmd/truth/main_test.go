package main

import (
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/record"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	r := record.Record{Steps: []record.Step{
		{Name: "init", Phase: "init", Grants: []record.Entry{{Permission: "a.b.create", Request: "POST a/b"}, {Permission: "a.b.get", Request: "GET a/b/{}"}}},
		{Name: "plan", Phase: "ongoing", Grants: []record.Entry{{Permission: "a.b.get", Request: "GET a/b/{}"}, {Permission: "x.y.get", Request: "GET x/y/{}"}}},
	}}
	table := [][]string{{"init", "A", "a.b.get", "p"}, {"ongoing", "A", "a.b.create", "p"}, {"ongoing", "A", "c.d.list", "p"}, {"init", "A", "e.f.set", "p"}}
	why := [][]string{{"c.d.list", "elsewhere", "nobody lists"}, {"e.f.set", "seed", "there is none"}}
	c, err := compare(r, table, why)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.found) != 1 || len(c.otherHalf) != 1 || len(c.elsewhere) != 1 || len(c.seed) != 1 || len(c.extras) != 1 {
		t.Errorf("%+v", c)
	}
	var out strings.Builder
	if err := c.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| all | 4 |", "| `a.b.get` | init | ongoing |", "| `a.b.create` | ongoing | init (init) |", "nobody lists", "there is none", "| `x.y.get` | ongoing | plan: GET x/y/{} |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for want, why := range map[string][][]string{
		"c.d.list (ongoing): not found and not explained": why[1:],
		"a.b.get: explained as not found":                 append([][]string{{"a.b.get", "seed", "w"}}, why...),
		"there is no group":                               {{"c.d.list", "other", "w"}},
	} {
		if _, err := compare(r, table, why); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
