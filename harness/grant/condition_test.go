package grant

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCondition(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		`{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`:       "",
		`{ "StringEquals": {"a": ["x"]} }`:                                   `{"StringEquals":{"a":"x"}}`,
		`{"StringEquals":{"b":["y","x","y"],"a":"<&>"},"ArnLike":{"c":"*"}}`: `{"ArnLike":{"c":"*"},"StringEquals":{"a":"<&>","b":["x","y"]}}`,
	} {
		if want == "" {
			want = in
		}
		c, err := ParseCondition(in)
		if err != nil || c.String() != want {
			t.Errorf("%s: %q, %v; want %q", in, c.String(), err, want)
		}
	}
	for _, in := range []string{
		`{`, `[]`, `{}`, `{"StringEquals":{}}`, `{"StringEquals":{"a":[]}}`, `{"StringEquals":{"a":1}}`, `{"StringEquals":"a"}`,
		`{"StringEquals":{"a":"x","a":"y"}}`, `{"StringEquals":{"a":"x"},"StringEquals":{"b":"y"}}`, `{"StringEquals":{"a":"x"}} {}`,
	} {
		if c, err := ParseCondition(in); err == nil {
			t.Errorf("%s: read as %s", in, c)
		}
	}
}

// What is written is read back, and conditions tell grants apart.
func TestConditionRoundTrip(t *testing.T) {
	texts := rapid.StringMatching(`[a-z:/*?$"\\<{}é]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		c := Condition(rapid.MapOfN(texts, rapid.MapOfN(texts, rapid.SliceOfN(texts, 1, 3), 1, 3), 0, 2).Draw(t, "condition"))
		s := c.String()
		back, err := ParseCondition(s)
		if err != nil || back.String() != s {
			t.Fatalf("%s came back as %s, %v", s, back, err)
		}
		if got := MapCondition(s, func(s string) string { return s }); got != s {
			t.Fatalf("%s as it is is %s", s, got)
		}
		// No key is lost, whatever they become: each has to hold.
		for _, f := range []func(string) string{strings.ToUpper, func(string) string { return "x" }} {
			mapped, err := ParseCondition(MapCondition(s, f))
			if err != nil || len(mapped) != len(back) {
				t.Fatalf("%s is %v, %v", s, mapped, err)
			}
			for operator, keys := range back {
				if len(mapped[operator]) != len(keys) {
					t.Fatalf("%s is %v", s, mapped)
				}
			}
		}
		with := Grant{Permission: "a:B", Resource: "*", Condition: s}
		without := Grant{Permission: "a:B", Resource: "*"}
		if set := Of(with, without); (set.Len() == 2) != (s != "") || !set.Has(with) || !set.Has(without) {
			t.Fatalf("%v", set.Slice())
		}
	})
}

// Values are mapped, and of keys the tag, which somebody chose; never the key itself.
func TestMapCondition(t *testing.T) {
	fill := strings.NewReplacer("{cluster}", "acme", "aws", "{partition}").Replace
	for in, want := range map[string]string{
		"":    "",
		"{no": "{no",
		`{"StringEquals":{"aws:RequestTag/k8s/{cluster}":"{cluster}"}}`:                           `{"StringEquals":{"aws:RequestTag/k8s/acme":"acme"}}`,
		`{"StringEquals":{"aws:{cluster}":"x"}}`:                                                  `{"StringEquals":{"aws:{cluster}":"x"}}`,
		`{"StringEquals":{"aws:ResourceTag/acme":"x","aws:ResourceTag/{cluster}":"y"}}`:           `{"StringEquals":{"aws:ResourceTag/acme":"x","aws:ResourceTag/{cluster}":"y"}}`,
		`{"StringEquals":{"aws:ResourceTag/{cluster}":"x"},"Null":{"aws:ResourceTag/acme":"no"}}`: `{"Null":{"aws:ResourceTag/acme":"no"},"StringEquals":{"aws:ResourceTag/acme":"x"}}`,
	} {
		if got := MapCondition(in, fill); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
