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
		if got := MapCondition(s, strings.ToUpper); len(c) > 0 && got != back.Map(strings.ToUpper).String() {
			t.Fatalf("%s in capitals is %s", s, got)
		}
		with := Grant{Permission: "a:B", Resource: "*", Condition: s}
		without := Grant{Permission: "a:B", Resource: "*"}
		if set := Of(with, without); (set.Len() == 2) != (s != "") || !set.Has(with) || !set.Has(without) {
			t.Fatalf("%v", set.Slice())
		}
	})
}
