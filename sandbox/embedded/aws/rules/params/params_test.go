package params

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a request with two tagged things, a single one, and a map.
func sample() Params {
	index := func(n string) Step { return Step{Name: n, Index: true} }
	name := func(n string) Step { return Step{Name: n} }
	var p Params
	p.Add("vpc-1", "VpcId")
	p.Fields = append(p.Fields, []Field{
		{[]Step{name("Spec"), index("1"), name("Type")}, "vpc"},
		{[]Step{name("Spec"), index("1"), name("Tag"), index("1"), name("Key")}, "a"},
		{[]Step{name("Spec"), index("1"), name("Tag"), index("1"), name("Value")}, "1"},
		{[]Step{name("Spec"), index("2"), name("Type")}, "subnet"},
		{[]Step{name("Spec"), index("2"), name("Tag"), index("1"), name("Key")}, "b"},
		{[]Step{name("Attributes"), name("Policy")}, "{}"},
	}...)
	return p
}

func TestValues(t *testing.T) {
	p := sample()
	for path, want := range map[string][]string{
		"VpcId": {"vpc-1"}, "Vpc*": {"vpc-1"}, "SubnetId": nil, "Spec.#.Type": {"vpc", "subnet"}, "Spec.Type": {"vpc", "subnet"},
		"Spec.#[Type=vpc].Tag.#.Key": {"a"}, "Spec.#[Type=subnet].Tag.#.Key": {"b"}, "Spec.#[Type=instance].Tag.#.Key": nil, "Spec.#.Tag": nil,
	} {
		if diff := cmp.Diff(want, p.Values(ParsePath(path))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
	if diff := cmp.Diff(map[string]string{"VpcId": "vpc-1"}, p.First()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Pair{{"Policy", "{}"}}, p.Entries(ParsePath("Attributes"))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Pair{{"a", "1"}, {"b", ""}}, p.Pairs(ParsePath("Spec.#.Tag.#"), "Key", "Value")); diff != "" {
		t.Error(diff)
	}
}

// Elements are told apart, and each is read as one item.
func TestElements(t *testing.T) {
	all := sample().Elements(ParsePath("Spec.#"))
	var got []string
	for _, fields := range all {
		got = append(got, Params{Fields: fields}.At(Named("item", "Type")))
	}
	if diff := cmp.Diff([]string{"vpc", "subnet"}, got); diff != "" {
		t.Error(diff)
	}
	if none := sample().Elements(ParsePath("Tag.#")); len(none) != 0 {
		t.Errorf("got %v", none)
	}
}
