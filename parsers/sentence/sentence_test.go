package sentence

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// What stands nearer to a place comes first, of what is equally near what stands first;
// what is out of reach does not come.
func TestAround(t *testing.T) {
	far := strings.Repeat(" ", reach)
	for _, c := range []struct {
		text string
		want []string
	}{
		{"GET a. NO. GET b", []string{"a", "b"}},
		{"GET a ... NO GET b", []string{"b", "a"}},
		{"GET a GET b NO GET c", []string{"b", "c", "a"}},
		{"x NO GET a", []string{"a"}},
		{"GET a" + far + "NO" + far + "GET b", nil},
		{"NO", nil},
	} {
		from := strings.Index(c.text, "NO")
		var got []string
		for _, m := range Around(expr.New(`GET ([a-z])`), c.text, from, from+2) {
			got = append(got, m.Sub(1))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("around NO in %.40q: %q, want %q", c.text, got, c.want)
		}
	}
}

// Denials come in the order of the text; only for an opaque sentence it is asked what it
// was about, and candidates of its own stay.
func TestDenials(t *testing.T) {
	const text = "lacks a:B. forbidden. not allowed."
	said := []Sentence{{Reason: refusal.MissingPermission, Permission: "a:B", From: 0, To: 10}}
	opaque := []Sentence{
		{Reason: refusal.OpaqueDenial, Candidates: []string{"own:C"}, From: 22, To: 34},
		{Reason: refusal.OpaqueDenial, From: 11, To: 21},
	}
	asked := 0
	got := Denials(refusal.AWS, text, said, opaque, func(Sentence) ([]string, refusal.Call) {
		asked++
		return []string{"about:D"}, refusal.Call{Operation: "op"}
	})
	want := []refusal.Denial{
		{Cloud: refusal.AWS, Reason: refusal.MissingPermission, Permission: "a:B", Evidence: "lacks a:B."},
		{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial, Candidates: []string{"about:D"}, Call: refusal.Call{Operation: "op"}, Evidence: "forbidden."},
		{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial, Candidates: []string{"own:C"}, Call: refusal.Call{Operation: "op"}, Evidence: "not allowed."},
	}
	if diff := cmp.Diff(want, got); diff != "" || asked != 2 {
		t.Errorf("asked %d times, -want +got:\n%s", asked, diff)
	}
}
