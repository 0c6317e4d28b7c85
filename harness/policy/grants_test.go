package policy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
)

// grants draws sets from few permissions and resources, so that they meet. The
// resources are canonical: every "${" in them is an escape's.
func grants() *rapid.Generator[grant.Set] {
	one := rapid.Custom(func(t *rapid.T) grant.Grant {
		return grant.Grant{
			Permission: rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject", "s3:Get*", "ec2:CreateVpc", "kms:*", "*"}).Draw(t, "permission"),
			Resource: rapid.SampledFrom([]string{"*", "arn:aws:s3:::a/*", "arn:aws:s3:::a/x", "arn:aws:s3:::b/${$}{aws:username}", "arn:aws:s3:::b/${$}{x}",
				"arn:aws:s3:::a/${*}", "arn:aws:s3:::a/?", "arn:aws:s3:::a/${?}", "arn:aws:s3:::a/$${$}${*}{",
				"arn:aws:ec2:us-east-1:123456789012:vpc/*", "arn:aws:s3:::a<b>&c", "arn:aws:s3:::\x00"}).Draw(t, "resource"),
			Condition: rapid.SampledFrom([]string{"", "", `{"StringEquals":{"a":"b"}}`, `{"StringEquals":{"a":["${$}{aws:username}","${*}"]}}`}).Draw(t, "condition"),
		}
	})
	return rapid.Map(rapid.SliceOfN(one, 0, 12), func(g []grant.Grant) grant.Set { return grant.Of(g...) })
}

func TestFromSetIsLossless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := grants().Draw(t, "set")
		d := policy.FromSet(s)
		back, err := d.Set()
		if err != nil || !back.Equal(s) {
			t.Fatalf("%v came back as %v, %v", s.Slice(), back.Slice(), err)
		}
		parsed, err := policy.Parse(d.Print())
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parsed.Set(); err != nil || !back.Equal(s) {
			t.Fatalf("printed, %v came back as %v, %v", s.Slice(), back.Slice(), err)
		}
		seen := map[string]bool{}
		for _, st := range d.Statements {
			if !slices.IsSorted(st.Action) || !slices.IsSorted(st.Resource) {
				t.Fatalf("not sorted: %v", st)
			}
			if key := strings.Join(st.Resource, " ") + grant.Condition(st.Condition).String(); seen[key] {
				t.Fatalf("two statements for %v", st.Resource)
			} else {
				seen[key] = true
			}
		}
	})
}

func TestFromSetAllowsExactlyTheSet(t *testing.T) {
	actions := []string{"s3:GetObject", "s3:GetBucketAcl", "s3:PutObject", "ec2:CreateVpc", "kms:Decrypt", "iam:PassRole"}
	resources := []string{"*", "arn:aws:s3:::a/x", "arn:aws:s3:::a/*", "arn:aws:s3:::a/?", "arn:aws:s3:::a/xx", "arn:aws:s3:::a/$$*{", "arn:aws:s3:::a/y", "arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/bob", "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1"}
	rapid.Check(t, func(t *rapid.T) {
		s := grants().Draw(t, "set")
		r := evaluate.Request{Action: rapid.SampledFrom(actions).Draw(t, "action"), Resource: rapid.SampledFrom(resources).Draw(t, "resource"),
			Context: map[string][]string{"aws:username": {"bob"}}}
		if rapid.Bool().Draw(t, "holds") {
			r.Context["a"] = []string{"b"}
		}
		want := evaluate.ImplicitDeny
		for g := range s.All() {
			if glob(g.Permission, r.Action) && glob(g.Resource, r.Resource) && (g.Condition == "" || g.Condition == `{"StringEquals":{"a":"b"}}` && r.Context["a"] != nil) {
				want = evaluate.Allow
			}
		}
		got, err := evaluate.Documents([]policy.Document{policy.FromSet(s)}, r)
		if err != nil || got != want {
			t.Fatalf("%v on %v: got %v, %v; want %v", s.Slice(), r, got, err, want)
		}
	})
}

// glob is the plainest reading of a grant's notation, to hold the evaluator
// against.
func glob(pattern, s string) bool {
	p := regexp.QuoteMeta(pattern)
	for _, c := range []string{"*", "?", "$"} {
		p = strings.ReplaceAll(p, regexp.QuoteMeta("${"+c+"}"), "["+c+"]")
	}
	p = strings.ReplaceAll(strings.ReplaceAll(p, `\*`, `(?s:.*)`), `\?`, `(?s:.)`)
	return regexp.MustCompile("^(?:" + p + ")$").MatchString(s)
}

// An escaped name is that name alone, from the grant to the answer.
func TestFromSetKeepsEscapes(t *testing.T) {
	const b = "arn:aws:s3:::b/"
	for _, c := range []struct {
		resource   string
		allows     []string
		allowsNone []string
	}{
		{"a${*}b", []string{"a*b"}, []string{"axb", "ab", "a${*}b", "a$b", "a${xx}b"}},
		{"a*b", []string{"a*b", "axb", "ab"}, []string{"ax"}},
		{"a${?}b", []string{"a?b"}, []string{"axb"}},
		{"a${$}{*}b", []string{"a${*}b", "a${x}b"}, []string{"a*b"}},
		{"a${$}{${*}}b", []string{"a${*}b"}, []string{"a*b", "a${x}b"}},
		{"a${aws:username}b", []string{"a${aws:username}b"}, []string{"abobb"}},
		{"a${${*}}b", []string{"a${*}b"}, []string{"a${x}b"}},
		{"a${", []string{"a${"}, []string{"a"}},
	} {
		d := policy.FromSet(grant.Of(grant.Grant{Permission: "s3:GetObject", Resource: b + c.resource}))
		ask := func(name string, want evaluate.Decision) {
			got, err := evaluate.Documents([]policy.Document{d}, evaluate.Request{Action: "s3:GetObject", Resource: b + name,
				Context: map[string][]string{"aws:username": {"bob"}}})
			if err != nil || got != want {
				t.Errorf("%s: %s is %v, %v", c.resource, name, got, err)
			}
		}
		for _, name := range c.allows {
			ask(name, evaluate.Allow)
		}
		for _, name := range c.allowsNone {
			ask(name, evaluate.ImplicitDeny)
		}
	}
}

// What is not canonical comes back in canonical form, and then stays. A document
// that knows no variables knows no escapes either.
func TestSetIsCanonical(t *testing.T) {
	const r = "arn:aws:s3:::b/"
	for in, want := range map[string]string{"${aws:username}": "${$}{aws:username}", "${*}": "${*}", "${": "${$}{", "${${?}": "${$}{${?}"} {
		got, err := policy.FromSet(grant.Of(grant.Grant{Permission: "s3:GetObject", Resource: r + in})).Set()
		if want := grant.Of(grant.Grant{Permission: "s3:GetObject", Resource: r + want}); err != nil || !got.Equal(want) {
			t.Errorf("%s came back as %v, %v", in, got.Slice(), err)
		}
	}
	old, err := policy.Parse([]byte(`{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${*}"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := old.Set()
	if want := grant.Of(grant.Grant{Permission: "s3:GetObject", Resource: r + "${$}{*}"}); err != nil || !got.Equal(want) {
		t.Errorf("an old document came back as %v, %v", got.Slice(), err)
	}
}

func TestFromSetGolden(t *testing.T) {
	s := grant.Of(
		grant.Grant{Permission: "sqs:DeleteQueue", Resource: "arn:aws:sqs:us-east-1:123456789012:q"},
		grant.Grant{Permission: "ec2:DescribeVpcs", Resource: "*"},
		grant.Grant{Permission: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:123456789012:q"},
		grant.Grant{Permission: "ec2:DescribeSubnets", Resource: "*"},
	)
	const want = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs"
      ],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": [
        "sqs:CreateQueue",
        "sqs:DeleteQueue"
      ],
      "Resource": "arn:aws:sqs:us-east-1:123456789012:q"
    }
  ]
}
`
	if got := string(policy.FromSet(s).Print()); got != want {
		t.Errorf("got %s", got)
	}
	if got, err := policy.FromSet(grant.Set{}).MarshalJSON(); err != nil || string(got) != `{"Version":"2012-10-17","Statement":[]}` {
		t.Errorf("the empty set is written as %s", got)
	}
}

func TestSetRefusesWhatGrantsCannotSay(t *testing.T) {
	for _, in := range []string{
		`{"Effect":"Deny","Action":"*","Resource":"*"}`,
		`{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}`,
		`{"Effect":"Allow","Action":"s3:*","NotResource":"*"}`,
		`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"a:b":"${aws:username}"}}}`,
		`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`,
		`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}"}`,
	} {
		d, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + in + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if s, err := d.Set(); err == nil || s.Len() != 0 {
			t.Errorf("%s: gave %v, %v", in, s.Slice(), err)
		}
	}
}

func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := grants().Draw(t, "set")
		limit := rapid.IntRange(250, 500).Draw(t, "limit")
		docs, err := policy.Split(policy.FromSet(s), limit)
		if err != nil {
			t.Fatal(err)
		}
		var back grant.Set
		for _, d := range docs {
			part, err := d.Set()
			if err != nil {
				t.Fatal(err)
			}
			back = back.Union(part)
			if d.Size() > limit {
				t.Fatalf("%d characters, limit %d", d.Size(), limit)
			}
		}
		if !back.Equal(s) {
			t.Fatalf("%v was split into %v", s.Slice(), back.Slice())
		}
	})
	whole := policy.Document{Version: policy.Version2012, Statements: []policy.Statement{{Sid: "big", Effect: policy.EffectAllow,
		NotAction: []string{"s3:" + strings.Repeat("a", 60), "s3:" + strings.Repeat("b", 60)}, Resource: []string{"*"}}}}
	if _, err := policy.Split(whole, 150); err == nil || !strings.Contains(err.Error(), "statement 1 (big)") {
		t.Errorf("a NotAction was divided: %v", err)
	}
}

func TestSize(t *testing.T) {
	d := policy.Document{Version: policy.Version2012, Statements: []policy.Statement{{Sid: "é", Effect: policy.EffectAllow, Action: []string{"s3:*"}, Resource: []string{"arn:aws:s3:::a b<"}}}}
	// Counted by hand: whitespace is free, é is one character, < is one.
	if want := len(`{"Version":"2012-10-17","Statement":[{"Sid":"e","Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::ab<"}]}`); d.Size() != want {
		t.Errorf("got %d, want %d", d.Size(), want)
	}
}
