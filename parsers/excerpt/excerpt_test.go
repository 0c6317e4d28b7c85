package excerpt

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestClip(t *testing.T) {
	if got := Clip(" a \n"); got != "a" {
		t.Errorf("Clip = %q", got)
	}
	long := "x" + strings.Repeat("é", Max)
	got := Clip(long)
	if len(got) > Max || !strings.HasPrefix(long, got) || !utf8.ValidString(got) {
		t.Errorf("Clip gave %d bytes", len(got))
	}
	if got := Clip(strings.Repeat("\x80", Max+9)); len(got) > Max {
		t.Errorf("Clip gave %d bytes of what is no text", len(got))
	}
}

func TestMerge(t *testing.T) {
	d := func(permission, resource, principal string) refusal.Denial {
		return refusal.Denial{Reason: refusal.MissingPermission, Permission: permission, Resource: resource, Principal: principal}
	}
	o := func(candidates ...string) refusal.Denial {
		return refusal.Denial{Reason: refusal.OpaqueDenial, Candidates: candidates}
	}
	for _, c := range []struct{ in, want []refusal.Denial }{
		{nil, nil},
		{[]refusal.Denial{d("a", "r", ""), d("a", "r", "")}, []refusal.Denial{d("a", "r", "")}},
		{[]refusal.Denial{d("a", "", ""), d("b", "", ""), d("a", "r", "w")}, []refusal.Denial{d("a", "r", "w"), d("b", "", "")}},
		{[]refusal.Denial{d("a", "r", ""), d("a", "s", "")}, []refusal.Denial{d("a", "r", ""), d("a", "s", "")}},
		{[]refusal.Denial{d("a", "r", ""), d("a", "s", ""), d("a", "", "")}, []refusal.Denial{d("a", "r", ""), d("a", "s", "")}},
		{[]refusal.Denial{o(), o("x"), o("y"), o("x")}, []refusal.Denial{o("x"), o("y")}},
	} {
		got := Merge(c.in)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("Merge(%v) -want +got:\n%s", c.in, diff)
		}
		if diff := cmp.Diff(got, Merge(got)); diff != "" {
			t.Errorf("Merge twice: %s", diff)
		}
	}
}
