package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/goldentest"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// golden compares facts with a file.
func golden(t *testing.T, file string, got map[string]string) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(got); err != nil {
		t.Fatal(err)
	}
	goldentest.File(t, file, b.String(), *update)
}

func TestStateFacts(t *testing.T) {
	t.Parallel()
	state, err := os.ReadFile("testdata/facts.state.json")
	if err != nil {
		t.Fatal(err)
	}
	got := stateFacts(string(state))
	golden(t, "testdata/facts.want.json", got)
	for name, v := range got {
		if strings.Contains(v, "hunter2") {
			t.Errorf("%s shows a secret: %s", name, v)
		}
	}
	for _, none := range []string{"", "{", "[]"} {
		if got := stateFacts(none); len(got) > 0 {
			t.Errorf("%q: %v", none, got)
		}
	}
	// An order that nobody chose makes no difference, a value does.
	one := `{"resources":[{"mode":"managed","type":"t","name":"n","instances":[{"attributes":{"v":{"a":"x","b":1}}}]}]}`
	two := `{"resources":[{"mode":"managed","type":"t","name":"n","instances":[{"attributes":{"v":{ "b":1, "a":"x"}}}]}]}`
	if diff := cmp.Diff(stateFacts(one), stateFacts(two)); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(stateFacts(one), stateFacts(strings.ReplaceAll(one, `"x"`, `"y"`))) {
		t.Error("two digests are the same")
	}
}

// What is long is a digest, and a state of any size gives a bounded number.
func TestFactsAreBounded(t *testing.T) {
	t.Parallel()
	state := func(attributes string) string {
		return `{"resources":[{"mode":"managed","type":"t","name":"n","instances":[{"attributes":{` + attributes + `}}]}]}`
	}
	long := stateFacts(state(`"name":"` + strings.Repeat("x", maxValue) + `"`))
	if v := long["t.n.name"]; len(long) != 1 || !strings.HasPrefix(v, "sha256:") || len(v) != 71 {
		t.Errorf("%v", long)
	}
	list := stateFacts(state(`"list":[` + strings.Repeat("1,", maxValue) + `1]`))
	if v := list["t.n.list"]; len(list) != 1 || !strings.HasPrefix(v, "sha256:") {
		t.Errorf("%v", list)
	}
	var many strings.Builder
	for i := range maxFacts / 100 {
		fmt.Fprintf(&many, `"a%d":[%s1],`, i, strings.Repeat("1,", 199))
	}
	if got := len(stateFacts(state(many.String() + `"z":1`))); got > maxFacts+maxFacts/100+200 {
		t.Errorf("%d facts", got)
	}
}

// What a plan says it would do is told from what it prints.
func TestPlanFacts(t *testing.T) {
	t.Parallel()
	c, _ := fakeConfig(t, lifecycle.Terraform{Command: "plan"}, map[string]string{"stdout": strings.Join([]string{
		`{"@message":"m","type":"planned_change","change":{"resource":{"addr":"aws_vpc.main"},"action":"create"}}`,
		`{"@message":"m","type":"planned_change","change":{"resource":{"addr":"module.a.aws_vpc.b[0]"},"action":"replace"}}`,
		`{"@message":"m","type":"change_summary","changes":{"add":2,"change":0,"import":0,"remove":1,"operation":"plan"}}`,
		`{"@message":"m","type":"outputs","outputs":{"url":{"sensitive":false,"type":"string","value":"x"},"id":{"sensitive":false,"action":"create"},"key":{"sensitive":true,"value":"hunter2"}}}`,
	}, "\n")})
	res, err := Run(t.Context(), c)
	if err != nil || !res.OK {
		t.Fatalf("%+v, %v", res, err)
	}
	want := map[string]string{
		"plan": "2 to add, 0 to change, 1 to destroy, 0 to import", "plan.aws_vpc.main": "create", "plan.module.a.aws_vpc.b[0]": "replace",
		"output.url": `"x"`, "output.id": "create",
	}
	if !strings.HasPrefix(res.Facts["output.key"], "sha256:") {
		t.Errorf("%v", res.Facts)
	}
	want["output.key"] = res.Facts["output.key"]
	if diff := cmp.Diff(want, res.Facts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
