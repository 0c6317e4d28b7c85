package drift

import (
	"bytes"
	"encoding/json"
	"flag"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/goldentest"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/record"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func step(name, phase string, permissions ...string) record.Step {
	s := record.Step{Name: name, Phase: phase}
	for _, p := range permissions {
		s.Grants = append(s.Grants, record.Entry{Permission: p, Resource: "*", Necessity: "observed"})
	}
	return s
}

func of(steps ...record.Step) record.Record { return record.Record{Cloud: "aws", Steps: steps} }

func nowhere(string, grant.Grant) []string { return nil }

func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after record.Record
		fresh         []string // step permission
		gone          []string
		moved         []string // permission from to
	}{
		{"nothing", of(step("a", "init", "x:A")), of(step("a", "init", "x:A")), nil, nil, nil},
		{"a grant more", of(step("a", "init", "x:A")), of(step("a", "init", "x:A", "x:B")), []string{"a x:B"}, nil, nil},
		{"a grant less", of(step("a", "init", "x:A", "x:B")), of(step("a", "init", "x:A")), nil, []string{"a x:B"}, nil},
		{"a step more", of(step("a", "init", "x:A")), of(step("a", "init", "x:A"), step("b", "teardown", "x:B")), []string{"b x:B"}, nil, nil},
		{"a step less", of(step("a", "init", "x:A"), step("b", "init", "x:A")), of(step("a", "init", "x:A")), nil, []string{"b x:A"}, nil},
		{"init only, and now ongoing too", of(step("a", "init", "x:A"), step("b", "ongoing")), of(step("a", "init", "x:A"), step("b", "ongoing", "x:A")),
			[]string{"b x:A"}, nil, []string{"x:A init only → ongoing"}},
		{"ongoing, and now in the teardown only", of(step("a", "ongoing", "x:A"), step("b", "teardown", "x:A")), of(step("a", "ongoing"), step("b", "teardown", "x:A")),
			nil, []string{"a x:A"}, []string{"x:A ongoing → teardown only"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Report
			r.Changes(c.before, c.after, nowhere)
			var fresh, gone, moved []string
			for _, n := range r.New {
				fresh = append(fresh, n.Step+" "+n.Permission)
			}
			for _, g := range r.Gone {
				gone = append(gone, g.Step+" "+g.Permission)
			}
			for _, m := range r.Moved {
				moved = append(moved, m.Permission+" "+m.From+" → "+m.To)
			}
			if !slices.Equal(fresh, c.fresh) || !slices.Equal(gone, c.gone) || !slices.Equal(moved, c.moved) {
				t.Errorf("new %q, gone %q, moved %q; want %q, %q, %q", fresh, gone, moved, c.fresh, c.gone, c.moved)
			}
			if want := len(c.fresh)+len(c.gone)+len(c.moved) > 0; r.Drift != want {
				t.Errorf("drift is %t, want %t", r.Drift, want)
			}
		})
	}
}

// What is new one way is gone the other way, and a record has not drifted from
// itself.
func TestChangesBothWays(t *testing.T) {
	records := rapid.Custom(func(t *rapid.T) record.Record {
		var steps []record.Step
		for i, name := range []string{"a", "b", "c"} {
			if rapid.Bool().Draw(t, "there") {
				steps = append(steps, step(name, []string{"init", "ongoing", "teardown"}[i], rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x:A", "x:B", "x:C"}), 0, 3, rapid.ID[string]).Draw(t, "permissions")...))
			}
		}
		return of(steps...)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := records.Draw(t, "a"), records.Draw(t, "b")
		var there, back, same Report
		there.Changes(a, b, nowhere)
		back.Changes(b, a, nowhere)
		same.Changes(a, a, nowhere)
		if len(there.New) != len(back.Gone) || len(there.Gone) != len(back.New) || len(there.Moved) != len(back.Moved) || there.Drift != back.Drift {
			t.Fatalf("there: %+v\nback: %+v", there, back)
		}
		if same.Drift {
			t.Fatalf("it has drifted from itself: %+v", same)
		}
	})
}

func TestRender(t *testing.T) {
	drifted := Report{
		Record: "whittle.lock.json", Changed: true, Proved: true,
		Tools: []Tool{{Name: "terraform", Was: "1.11.3", Is: "1.11.4"}, {Name: "hashicorp/aws", Is: "5.100.0"}},
		Steps: []Step{{Name: "plan", Phase: "ongoing", Did: Replayed, Runs: 1, Seconds: 2.5}, {Name: "apply", Phase: "init", Did: Checked, Why: "what it uses has changed", Runs: 2, Seconds: 10}, {Name: "destroy", Did: NotRun}, {Name: "old", Did: Removed}},
		New: []New{
			{Step: "apply", Phase: "init", Permission: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:{account}:late", Necessity: "observed", Request: "POST sqs.us-east-1.amazonaws.com CreateQueue", Addresses: []string{"module.q.aws_sqs_queue.late"}},
			{Step: "apply", Phase: "init", Permission: "iam:PassRole", Resource: "*", Request: "POST iam.amazonaws.com", Addresses: []string{"a.b", "c.d", "e.f", "g.h", "i.j"}, Risk: "passes a role"},
		},
		Gone:  []Gone{{Step: "old", Permission: "sqs:DeleteQueue", Resource: "*", Why: "the step is no longer in the lifecycle"}},
		Moved: []Moved{{Permission: "sqs:ListQueues", Resource: "*", From: "init only", To: "ongoing"}},
		Drift: true,
	}
	hostile := Report{Record: "r", Changed: true, Drift: true, New: []New{{
		Step: "a|b", Permission: "x:`A`", Resource: "</td><script>|\n# title", Request: "``", Addresses: []string{`a.b["x|` + "`" + `"]`}, Risk: "<b>*bold*</b>",
	}}}
	for name, r := range map[string]Report{
		"drifted": drifted, "hostile": hostile,
		"unchanged": {Record: "whittle.lock.json"}, "no-drift": {Record: "whittle.lock.json", Changed: true}, "updated": {Record: "whittle.lock.json", Changed: true, Updated: true},
	} {
		t.Run(name, func(t *testing.T) {
			var text, md bytes.Buffer
			if err := r.Text(&text); err != nil {
				t.Fatal(err)
			}
			if err := r.Markdown(&md); err != nil {
				t.Fatal(err)
			}
			js, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			for ext, got := range map[string][]byte{".txt": text.Bytes(), ".md": md.Bytes(), ".json": append(js, '\n')} {
				goldentest.File(t, filepath.Join("testdata", name+ext), string(got), *update)
			}
		})
	}
}
