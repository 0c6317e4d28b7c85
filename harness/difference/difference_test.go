package difference

import "testing"

func TestFacts(t *testing.T) {
	type facts = map[string]string
	for _, tt := range []struct {
		name                  string
		now, grown, reference facts
		want                  string
	}{
		{"the same", facts{"a": "1"}, facts{"a": "1"}, facts{"a": "1"}, ""},
		{"lacks what both had", facts{}, facts{"a": "1"}, facts{"a": "1"}, "lacks a"},
		{"lacks what growth had by chance", facts{}, facts{"a": "1"}, facts{"b": "1"}, ""},
		{"lacks, without a reference", facts{}, facts{"a": "1"}, nil, "lacks a"},
		{"another value", facts{"a": "2"}, facts{"a": "1"}, facts{"a": "1"}, "a differs"},
		{"another value of chance", facts{"a": "3"}, facts{"a": "1"}, facts{"a": "2"}, ""},
		{"another value, without a reference", facts{"a": "2"}, facts{"a": "1"}, nil, ""},
		{"more than before", facts{"a": "1", "b": "1"}, facts{"a": "1"}, facts{"a": "1"}, "has b besides"},
		{"more, as the reference", facts{"a": "1", "b": "1"}, facts{"a": "1"}, facts{"a": "1", "b": "1"}, ""},
		{"many", facts{"e": "1"}, facts{"a": "1", "b": "1", "c": "1", "d": "1"}, nil, "lacks a, lacks b, lacks c, and 2 more"},
	} {
		if got := Facts(tt.now, tt.grown, tt.reference); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestUndone(t *testing.T) {
	type calls = map[string]map[int]int
	ok, no := map[int]int{200: 2, 403: 1}, map[int]int{403: 1, 500: 1}
	for _, tt := range []struct {
		name        string
		changes     []string
		before, now calls
		want        string
	}{
		{"done", []string{"a"}, calls{"a": ok}, calls{"a": ok}, ""},
		{"not asked for", []string{"a"}, calls{"a": ok}, calls{"b": ok}, "a"},
		{"refused", []string{"a"}, calls{"a": ok}, calls{"a": no}, "a"},
		{"never done before", []string{"a"}, calls{"a": no}, calls{}, ""},
		{"changes nothing", nil, calls{"a": ok}, calls{}, ""},
		{"the first", []string{"b", "a", "c"}, calls{"a": ok, "b": ok, "c": ok}, calls{"a": ok}, "b"},
	} {
		got, found := Undone(tt.changes, tt.before, tt.now)
		if got != tt.want || found != (tt.want != "") {
			t.Errorf("%s: %q, %t, want %q", tt.name, got, found, tt.want)
		}
	}
}
