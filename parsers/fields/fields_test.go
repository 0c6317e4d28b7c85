package fields

import (
	"slices"
	"testing"
)

func TestFilled(t *testing.T) {
	decides := func(name string) bool { return name != "name" }
	for body, want := range map[string][]string{
		`{"tags": {"a": "b"}, "labels": [1], "name": "x", "key": "k", "on": false, "count": 0}`: {"count", "key", "labels", "on", "tags"},
		`{"tags": {}, "labels": [], "key": "", "policy": null, "name": "x"}`:                    nil,
		`[{"tags": 1}]`: nil,
		`{"tags": 1`:    nil,
		"":              nil,
	} {
		if got := Filled([]byte(body), decides); !slices.Equal(got, want) {
			t.Errorf("Filled(%s) = %q, want %q", body, got, want)
		}
	}
}
