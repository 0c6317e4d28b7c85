package evaluate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/policy"
)

func document(t testing.TB, statements ...string) policy.Document {
	t.Helper()
	d, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const allowAll = `{"Effect":"Allow","Action":"*","Resource":"*"}`

func TestEvaluate(t *testing.T) {
	const bucket = "arn:aws:s3:::photos/2024/a.jpg"
	get := Request{Action: "s3:GetObject", Resource: bucket, Context: map[string][]string{"aws:username": {"bob"}, "aws:PrincipalTag/Team": {"a*"}}}
	allow := func(action, resource string) string {
		return fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":%q}`, action, resource)
	}
	on := func(resource string) Request { r := get; r.Resource = resource; return r }
	for _, tt := range []struct {
		name       string
		statements []string
		request    Request
		want       Decision
	}{
		{"nothing", nil, get, ImplicitDeny},
		{"everything", []string{allowAll}, get, Allow},
		{"deny wins", []string{allowAll, `{"Effect":"Deny","Action":"s3:*","Resource":"*"}`}, get, ExplicitDeny},
		{"deny of another", []string{allowAll, `{"Effect":"Deny","Action":"ec2:*","Resource":"*"}`}, get, Allow},
		{"action in any case", []string{allow("S3:getobject", "*")}, get, Allow},
		{"action wildcard", []string{allow("s3:Get*", "*")}, get, Allow},
		{"action one character", []string{allow("s3:?etObject", "*")}, get, Allow},
		{"action must match whole", []string{allow("s3:GetObjec", "*")}, get, ImplicitDeny},
		{"action question mark is one", []string{allow("s3:GetObject?", "*")}, get, ImplicitDeny},
		{"not action", []string{`{"Effect":"Allow","NotAction":["iam:*","s3:Put*"],"Resource":"*"}`}, get, Allow},
		{"not action listed", []string{`{"Effect":"Allow","NotAction":["iam:*","s3:Get*"],"Resource":"*"}`}, get, ImplicitDeny},
		{"resource itself", []string{allow("s3:*", bucket)}, get, Allow},
		{"resource case", []string{allow("s3:*", "arn:aws:s3:::Photos/*")}, get, ImplicitDeny},
		{"resource slash", []string{allow("s3:*", "arn:aws:s3:::photos/*")}, get, Allow},
		{"resource inner", []string{allow("s3:*", "arn:aws:s3:::*/a.jp?")}, get, Allow},
		{"no resource is not an ARN", []string{allow("s3:*", "arn:aws:s3:::*")}, on("*"), ImplicitDeny},
		{"last in segment goes on", []string{allow("*", "arn:aws:s3*")}, get, Allow},
		{"region wildcard", []string{allow("*", "arn:aws:ec2:*:123456789012:vpc/*")}, on("arn:aws:ec2:us-east-1:123456789012:vpc/v"), Allow},
		{"inside a segment stays", []string{allow("*", "arn:aws:ec2:us-*1:123456789012:vpc/v")}, on("arn:aws:ec2:us-east-1:123456789012:vpc/v"), Allow},
		{"inside a segment does not cross", []string{allow("*", "arn:aws:ec2:u*2:vpc/v")}, on("arn:aws:ec2:us-east-1:123456789012:vpc/v"), ImplicitDeny},
		{"question mark is no colon", []string{allow("*", "arn:aws:ec2?us-east-1:123456789012:vpc/v")}, on("arn:aws:ec2:us-east-1:123456789012:vpc/v"), ImplicitDeny},
		{"colons in the resource", []string{allow("*", "arn:aws:logs:us-east-1:123456789012:log-group:*stream")}, on("arn:aws:logs:us-east-1:123456789012:log-group:a:log-stream"), Allow},
		{"not resource", []string{`{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::other/*"}`}, get, Allow},
		{"not resource listed", []string{`{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::photos/*"}`}, get, ImplicitDeny},
		{"variable", []string{allow("*", "arn:aws:s3:::${aws:UserName}/*")}, on("arn:aws:s3:::bob/x"), Allow},
		{"variable of another", []string{allow("*", "arn:aws:s3:::${aws:username}/*")}, on("arn:aws:s3:::eve/x"), ImplicitDeny},
		{"variable's value is no pattern", []string{allow("*", "arn:aws:s3:::${aws:PrincipalTag/Team}")}, on("arn:aws:s3:::abc"), ImplicitDeny},
		{"variable's value", []string{allow("*", "arn:aws:s3:::${aws:PrincipalTag/Team}")}, on("arn:aws:s3:::a*"), Allow},
		{"variable without value", []string{allow("*", "arn:aws:s3:::${aws:nothing}")}, on("arn:aws:s3:::"), ImplicitDeny},
		{"variable with default", []string{allow("*", "arn:aws:s3:::${aws:nothing, 'd}f'}")}, on("arn:aws:s3:::d}f"), Allow},
		{"default unused", []string{allow("*", "arn:aws:s3:::${aws:username, 'x'}")}, on("arn:aws:s3:::x"), ImplicitDeny},
		{"plain star", []string{allow("*", "arn:aws:s3:::${*}")}, on("arn:aws:s3:::x"), ImplicitDeny},
		{"plain dollar", []string{allow("*", "arn:aws:s3:::${$}{aws:username}")}, on("arn:aws:s3:::${aws:username}"), Allow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Documents([]policy.Document{document(t, tt.statements...)}, tt.request)
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
	t.Run("no variables in the old version", func(t *testing.T) {
		d := document(t, allow("*", "arn:aws:s3:::${aws:username}"))
		d.Version = policy.Version2008
		if got, err := Documents([]policy.Document{d}, on("arn:aws:s3:::bob")); err != nil || got != ImplicitDeny {
			t.Errorf("replaced: %v, %v", got, err)
		}
		if got, err := Documents([]policy.Document{d}, on("arn:aws:s3:::${aws:username}")); err != nil || got != Allow {
			t.Errorf("as text: %v, %v", got, err)
		}
	})
}

// Every condition operator: which values of the key make it hold, which not,
// and which are errors. "-" is a key that is not there.
func TestConditions(t *testing.T) {
	for _, tt := range []struct {
		operator, want         string // want is JSON
		holds, fails, isErrors []string
	}{
		{"StringEquals", `["a","b*"]`, []string{"a", "b*"}, []string{"A", "bc", "-"}, nil},
		{"StringEquals", `"${aws:username}"`, []string{"bob"}, []string{"${aws:username}", "-"}, nil},
		{"StringEquals", `"${x:none}"`, nil, []string{"", "${x:none}", "-"}, nil},
		{"StringNotEquals", `["a","b"]`, []string{"c", "-"}, []string{"a", "b"}, nil},
		{"StringNotEquals", `"${x:none}"`, []string{"", "a", "-"}, nil, nil},
		{"StringEqualsIgnoreCase", `"AbC"`, []string{"aBc"}, []string{"ab", "-"}, nil},
		{"StringNotEqualsIgnoreCase", `"AbC"`, []string{"ab", "-"}, []string{"aBc"}, nil},
		{"StringLike", `["a*c","x?"]`, []string{"ac", "abbc", "xy"}, []string{"Ac", "x", "acd", "-"}, nil},
		{"StringLike", `"${aws:username}-*"`, []string{"bob-1"}, []string{"eve-1"}, nil},
		{"StringNotLike", `["a*c","x?"]`, []string{"x", "-"}, []string{"abc", "xy"}, nil},
		{"StringEqualsIfExists", `"a"`, []string{"a", "-"}, []string{"b"}, nil},
		{"NumericEquals", `[10, "2.50"]`, []string{"10", "10.0", "2.5"}, []string{"11", "-"}, []string{"ten", "", "1e9", "0x10", "1/2"}},
		{"NumericNotEquals", `10`, []string{"11", "-"}, []string{"10"}, []string{"x"}},
		{"NumericLessThan", `"10"`, []string{"9.99", "-5"}, []string{"10", "-"}, nil},
		{"NumericLessThanEquals", `10`, []string{"10"}, []string{"11"}, nil},
		{"NumericGreaterThan", `10`, []string{"11"}, []string{"10"}, nil},
		{"NumericGreaterThanEquals", `10`, []string{"10"}, []string{"9"}, nil},
		{"NumericEquals", `"x"`, nil, []string{"-"}, []string{"10"}},
		{"DateEquals", `"2024-06-01T00:00:00Z"`, []string{"2024-06-01T02:00:00+02:00", "2024-06-01", "1717200000", "2024-06", "2024-06-01T00:00Z"}, []string{"2024", "-"}, []string{"June", ""}},
		{"DateNotEquals", `"2024-06-01"`, []string{"2024", "-"}, []string{"2024-06-01"}, nil},
		{"DateLessThan", `"2024-06-01"`, []string{"2024-05-31T23:59:59.5Z"}, []string{"2024-06-01"}, nil},
		{"DateLessThanEquals", `1717200000`, []string{"2024-06-01"}, []string{"2024-06-02"}, nil},
		{"DateGreaterThan", `"2024-06-01"`, []string{"2024-06-02"}, []string{"2024-06-01"}, nil},
		{"DateGreaterThanEquals", `"2024-06-01"`, []string{"2024-06-01"}, []string{"2024-05-31"}, nil},
		{"Bool", `true`, []string{"true", "True"}, []string{"false", "-"}, []string{"yes", "1"}},
		{"BoolIfExists", `"true"`, []string{"true", "-"}, []string{"false"}, nil},
		{"BinaryEquals", `"QUI="`, []string{"QUI="}, []string{"QUM=", "-"}, []string{"AB"}},
		{"IpAddress", `["10.0.0.0/8","2001:db8::1"]`, []string{"10.9.8.7", "2001:db8::1", "::ffff:10.0.0.1"}, []string{"11.0.0.1", "2001:db8::2", "-"}, []string{"host"}},
		{"NotIpAddress", `"10.0.0.0/8"`, []string{"11.0.0.1", "-"}, []string{"10.0.0.1"}, nil},
		{"IpAddress", `"10.0.0.0/99"`, nil, []string{"-"}, []string{"10.0.0.1"}},
		{"ArnEquals", `"arn:aws:sns:*:123456789012:t*"`, []string{"arn:aws:sns:us-east-1:123456789012:topic"}, []string{"arn:aws:sns:us-east-1:1:topic", "-"}, []string{"topic"}},
		{"ArnLike", `"arn:aws:sns:*:x"`, nil, []string{"-"}, []string{"arn:aws:sns:a:b:x"}},
		{"ArnLike", `"arn:aws:sns:*:*:x"`, []string{"arn:aws:sns:a:b:x"}, []string{"arn:aws:sns:a:b:c:x"}, nil},
		{"ArnLike", `"${aws:SourceArn}"`, []string{"arn:aws:s3:::src"}, []string{"arn:aws:s3:::other"}, nil},
		{"ArnNotEquals", `"arn:aws:sns:*:*:x"`, []string{"arn:aws:sns:a:b:y", "-"}, []string{"arn:aws:sns:a:b:x"}, nil},
		{"ArnNotLike", `"arn:aws:sns:*:*:x"`, []string{"arn:aws:sns:a:b:y", "-"}, []string{"arn:aws:sns:a:b:x"}, nil},
		{"Null", `"true"`, []string{"-"}, []string{"a", ""}, nil},
		{"Null", `false`, []string{"a"}, []string{"-"}, nil},
		{"Null", `"maybe"`, nil, nil, []string{"a", "-"}},
		{"ForAllValues:StringEquals", `["a","b"]`, []string{"a", "a|b", "-", ""}, []string{"a|c", "c"}, nil},
		{"ForAllValues:StringNotEquals", `["a","b"]`, []string{"c|d", "-"}, []string{"c|a"}, nil},
		{"ForAllValues:StringLikeIfExists", `"a*"`, []string{"a|ab", "-"}, []string{"a|b"}, nil},
		{"ForAnyValue:StringEquals", `["a","b"]`, []string{"c|a"}, []string{"c", "-"}, nil},
		{"ForAnyValue:StringNotEquals", `["a","b"]`, []string{"a|c"}, []string{"a|b", "-"}, nil},
		{"ForAnyValue:NumericEquals", `1`, []string{"1|2"}, []string{"2"}, []string{"1|x", "x|1"}},
		{"ForAnyValue:StringEqualsIfExists", `"a"`, []string{"-"}, []string{"b"}, nil},
		// One value is compared; for more there are the set operators.
		{"StringEquals", `"a"`, nil, nil, []string{"a|b"}},
		{"StringNotEquals", `"a"`, nil, nil, []string{"b|c"}},
		// Unknown operators, also those that look like one.
		{"StringMatches", `"a"`, nil, nil, []string{"a", "-"}},
		{"stringequals", `"a"`, nil, nil, []string{"a"}},
		{"NullIfExists", `"true"`, nil, nil, []string{"-"}},
		{"ForAllValues:Null", `"true"`, nil, nil, []string{"-"}},
		{"ForSomeValues:StringEquals", `"a"`, nil, nil, []string{"a"}},
		{"NumericNotLessThan", `1`, nil, nil, []string{"1"}},
		{"StringEquals", `"${aws:username"`, nil, []string{"-"}, []string{"bob"}},
		{"StringEquals", `"${aws:username, bob}"`, nil, []string{"-"}, []string{"bob"}},
	} {
		st := func(effect string) string {
			return fmt.Sprintf(`{"Effect":%q,"Action":"*","Resource":"*","Condition":{%q:{"X:Key":%s}}}`, effect, tt.operator, tt.want)
		}
		allow, deny := document(t, st("Allow")), document(t, allowAll, st("Deny"))
		ask := func(value string) Request {
			r := Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::a/b", Context: map[string][]string{"aws:username": {"bob"}, "aws:SourceArn": {"arn:aws:s3:::src"}}}
			if value != "-" {
				r.Context["x:kEY"] = strings.Split(value, "|")
			}
			return r
		}
		check := func(values []string, wantAllow, wantDeny Decision, wantErr bool) {
			for _, v := range values {
				for _, c := range []struct {
					doc  policy.Document
					want Decision
				}{{allow, wantAllow}, {deny, wantDeny}} {
					got, err := Documents([]policy.Document{c.doc}, ask(v))
					if got != c.want || (err != nil) != wantErr {
						t.Errorf("%s %s of %q: got %v, %v; want %v", tt.operator, tt.want, v, got, err, c.want)
					}
				}
			}
		}
		check(tt.holds, Allow, ExplicitDeny, false)
		check(tt.fails, ImplicitDeny, Allow, false)
		check(tt.isErrors, ImplicitDeny, ImplicitDeny, true)
	}
}

// What cannot be decided matters only in a statement that would match.
func TestUndecided(t *testing.T) {
	r := Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::a", Context: map[string][]string{"a:b": {"x"}}}
	const bad = `"Condition":{"Nonsense":{"a:b":"x"}`
	for _, tt := range []struct {
		name, statement string
		want            Decision
		err             bool
	}{
		{"other action", `{"Effect":"Allow","Action":"ec2:*","Resource":"*",` + bad + `}}`, Allow, false},
		{"other resource", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b",` + bad + `}}`, Allow, false},
		{"other condition fails", `{"Effect":"Deny","Action":"*","Resource":"*",` + bad + `,"StringEquals":{"a:b":"y"}}}`, Allow, false},
		{"would match", `{"Effect":"Deny","Action":"*","Resource":"*",` + bad + `,"StringEquals":{"a:b":"x"}}}`, ImplicitDeny, true},
		{"allow would match", `{"Effect":"Allow","Action":"*","Resource":"*",` + bad + `}}`, ImplicitDeny, true},
		{"early variable", `{"Effect":"Deny","Action":"*","Resource":"arn:aws:${a:b}:::a"}`, ImplicitDeny, true},
		{"no resource", `{"Effect":"Deny","Action":"*"}`, ImplicitDeny, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Documents([]policy.Document{document(t, allowAll, tt.statement)}, r)
			if got != tt.want || (err != nil) != tt.err {
				t.Errorf("got %v, %v", got, err)
			}
			// A deny that is certain stays one.
			got, err = Documents([]policy.Document{document(t, tt.statement, `{"Effect":"Deny","Action":"*","Resource":"*"}`)}, r)
			if got != ExplicitDeny || err != nil {
				t.Errorf("with a deny: got %v, %v", got, err)
			}
		})
	}
}

func TestPrincipals(t *testing.T) {
	const (
		user    = "arn:aws:iam::123456789012:user/team/bob"
		session = "arn:aws:sts::123456789012:assumed-role/deploy/run1"
		role    = "arn:aws:iam::123456789012:role/team/deploy"
		root    = "arn:aws:iam::123456789012:root"
		foreign = "arn:aws:iam::210987654321:root"
	)
	for _, tt := range []struct {
		principal string // JSON
		matches   []string
		not       []string
		err       []string
	}{
		{`"*"`, []string{user, session, root, "ec2.amazonaws.com", ""}, nil, nil},
		{`{"AWS":"*"}`, []string{user, session, ""}, nil, nil},
		{`{"AWS":"` + user + `"}`, []string{user}, []string{session, root, "arn:aws:iam::123456789012:user/bob", ""}, nil},
		{`{"AWS":"` + role + `"}`, []string{role, session}, []string{user, "arn:aws:sts::123456789012:assumed-role/deploy2/run1", "arn:aws:sts::210987654321:assumed-role/deploy/run1", "arn:aws:sts::123456789012:federated-user/deploy"}, nil},
		{`{"AWS":"` + session + `"}`, []string{session}, []string{role, "arn:aws:sts::123456789012:assumed-role/deploy/run2"}, nil},
		{`{"AWS":["` + foreign + `","` + root + `"]}`, []string{root, user, session, role}, []string{"ec2.amazonaws.com", "", "arn:aws:iam::999999999999:user/x"}, nil},
		{`{"AWS":"123456789012"}`, []string{root, user, session}, []string{"arn:aws:iam::210987654321:user/bob"}, nil},
		{`{"Service":"ec2.amazonaws.com"}`, []string{"ec2.amazonaws.com"}, []string{user, "lambda.amazonaws.com"}, nil},
		{`{"AWS":"arn:aws:iam::123456789012:user/*"}`, nil, nil, []string{user, root}},
		{`{"AWS":["arn:aws:iam::123456789012:user/*","` + user + `"]}`, []string{user}, nil, nil},
	} {
		d := document(t, `{"Effect":"Allow","Principal":`+tt.principal+`,"Action":"sts:AssumeRole"}`)
		for _, c := range []struct {
			who  []string
			want Decision
			err  bool
		}{{tt.matches, Allow, false}, {tt.not, ImplicitDeny, false}, {tt.err, ImplicitDeny, true}} {
			for _, w := range c.who {
				got, err := Trust(d, w, "sts:AssumeRole", nil)
				if got != c.want || (err != nil) != c.err {
					t.Errorf("%s for %q: got %v, %v; want %v", tt.principal, w, got, err, c.want)
				}
			}
		}
		if got, _ := Trust(d, user, "sts:TagSession", nil); got != ImplicitDeny {
			t.Errorf("%s allows an action it does not name", tt.principal)
		}
	}
	for _, tt := range []struct {
		not  string
		who  string
		want Decision
	}{
		{`["` + user + `","` + root + `"]`, user, ImplicitDeny},
		{`["` + user + `"]`, user, ExplicitDeny}, // its account is not spared
		{`["` + root + `"]`, user, ExplicitDeny},
		{`["` + root + `"]`, root, ImplicitDeny},
		{`["` + role + `","123456789012"]`, session, ImplicitDeny},
		{`["` + role + `","123456789012"]`, user, ExplicitDeny},
		{`"*"`, user, ImplicitDeny},
	} {
		d := document(t, `{"Effect":"Deny","NotPrincipal":{"AWS":`+tt.not+`},"Action":"*","Resource":"*"}`)
		if got, err := Documents([]policy.Document{d}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::a", Principal: tt.who}); err != nil || got != tt.want {
			t.Errorf("NotPrincipal %s for %s: got %v, %v; want %v", tt.not, tt.who, got, err, tt.want)
		}
	}
}

func TestTrustConditions(t *testing.T) {
	d := document(t, `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}}`)
	const who = "arn:aws:iam::123456789012:user/bob"
	if got, err := Trust(d, who, "sts:AssumeRole", map[string][]string{"sts:ExternalId": {"x"}}); err != nil || got != Allow {
		t.Errorf("with the id: %v, %v", got, err)
	}
	if got, err := Trust(d, who, "sts:AssumeRole", nil); err != nil || got != ImplicitDeny {
		t.Errorf("without: %v, %v", got, err)
	}
	for _, bad := range []string{
		`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}`,
		`{"Effect":"Allow","Action":"sts:AssumeRole"}`,
	} {
		if got, err := Trust(document(t, bad), who, "sts:AssumeRole", nil); err == nil || got != ImplicitDeny {
			t.Errorf("%s: %v, %v", bad, got, err)
		}
	}
}

// statements draws statements whose parts meet each other and the requests.
func statements(effects ...string) *rapid.Generator[policy.Statement] {
	return rapid.Custom(func(t *rapid.T) policy.Statement {
		s := policy.Statement{Effect: rapid.SampledFrom(effects).Draw(t, "effect")}
		actions := rapid.SliceOfN(rapid.SampledFrom([]string{"*", "s3:*", "s3:GetObject", "s3:Put?bject", "ec2:CreateVpc"}), 1, 3).Draw(t, "actions")
		resources := rapid.SliceOfN(rapid.SampledFrom([]string{"*", "arn:aws:s3:::a/*", "arn:aws:s3:::${aws:username}", "arn:aws:s3:::b"}), 1, 3).Draw(t, "resources")
		if rapid.Bool().Draw(t, "not action") {
			s.NotAction = actions
		} else {
			s.Action = actions
		}
		if rapid.Bool().Draw(t, "not resource") {
			s.NotResource = resources
		} else {
			s.Resource = resources
		}
		if rapid.Bool().Draw(t, "conditional") {
			op := rapid.SampledFrom([]string{"StringLike", "StringNotEquals", "ForAllValues:StringEquals", "ForAnyValue:StringNotLikeIfExists", "Null", "Nonsense"}).Draw(t, "operator")
			value := rapid.SampledFrom([]string{"true", "${aws:username}", "b*"}).Draw(t, "value")
			if op == "Null" {
				value = "true"
			}
			s.Condition = map[string]map[string][]string{op: {"aws:username": {value}}}
		}
		return s
	})
}

func requests() *rapid.Generator[Request] {
	return rapid.Custom(func(t *rapid.T) Request {
		r := Request{
			Action:   rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject", "ec2:CreateVpc", "S3:GETOBJECT"}).Draw(t, "action"),
			Resource: rapid.SampledFrom([]string{"*", "arn:aws:s3:::a/b", "arn:aws:s3:::b", "arn:aws:s3:::bob"}).Draw(t, "resource"),
		}
		if rapid.Bool().Draw(t, "named") {
			r.Context = map[string][]string{"aws:username": {"bob"}}
		}
		return r
	})
}

func TestEvaluateProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(statements(policy.EffectAllow, policy.EffectDeny), 0, 5).Draw(t, "statements")
		r := requests().Draw(t, "request")
		ask := func(list []policy.Statement) (Decision, bool) {
			d, err := Documents([]policy.Document{{Version: policy.Version2012, Statements: list}}, r)
			return d, err != nil
		}
		got, failed := ask(list)
		if failed && got != ImplicitDeny {
			t.Fatalf("%v with an error", got)
		}

		shuffled := rapid.Permutation(list).Draw(t, "order")
		if d, f := ask(shuffled); d != got || f != failed {
			t.Fatalf("order: %v %v, then %v %v", got, failed, d, f)
		}
		var apart []policy.Document
		for _, s := range shuffled {
			apart = append(apart, policy.Document{Version: policy.Version2012, Statements: []policy.Statement{s}})
		}
		if d, err := Documents(apart, r); d != got || (err != nil) != failed {
			t.Fatalf("in documents of their own: %v %v, then %v %v", got, failed, d, err)
		}

		more := append(slices.Clone(list), statements(policy.EffectAllow).Draw(t, "allow"))
		if d, f := ask(more); got == Allow && d != Allow && !f || got == ExplicitDeny && d != ExplicitDeny {
			t.Fatalf("one Allow more: %v became %v", got, d)
		}
		less := append(slices.Clone(list), statements(policy.EffectDeny).Draw(t, "deny"))
		if d, f := ask(less); got != Allow && !failed && d == Allow || !f && got == ExplicitDeny && d != ExplicitDeny {
			t.Fatalf("one Deny more: %v became %v", got, d)
		}
		denied := append(slices.Clone(list), policy.Statement{Effect: policy.EffectDeny, Action: []string{"*"}, Resource: []string{"*"}})
		if d, f := ask(denied); d != ExplicitDeny || f {
			t.Fatalf("deny of everything: %v", d)
		}
	})
}

// Whatever a document that was read is asked, there is an answer or an error.
func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"a","Effect":"Allow","Action":["ec2:*","s3:Get?bject"],"Resource":"arn:aws:s3:::${aws:username}/*"}]}`))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::123456789012:role/r"]},"NotAction":"*","NotResource":"*"}}`))
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["${aws:PrincipalTag/a, 'b}'}","x*"]},"Bool":{"x:y":true},"NumericEquals":{"x:z":-1.5e3},"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"ArnLike":{"aws:SourceArn":"arn:*:s3:::*"},"Null":{"a:b":"true"},"BinaryEquals":{"a:c":"QUJD"}}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := policy.Parse(data)
		if err != nil {
			return
		}
		// Never an allow with an error.
		for _, r := range []Request{
			{Action: "s3:GetObject", Resource: "arn:aws:s3:::bob/x", Principal: "arn:aws:sts::123456789012:assumed-role/r/s", Context: map[string][]string{
				"aws:username": {"bob"}, "aws:TagKeys": {"a", "b"}, "x:y": {"true"}, "x:z": {"5"}, "aws:SourceIp": {"10.1.2.3"},
				"aws:CurrentTime": {"2019-01-01T00:00:00Z"}, "aws:SourceArn": {"arn:aws:s3:::x"}, "a:c": {"QUJD"}}},
			{Action: "x", Resource: "*"},
		} {
			if got, err := Documents([]policy.Document{d}, r); err != nil && got != ImplicitDeny {
				t.Fatalf("%v with error %v", got, err)
			}
			if got, err := Trust(d, r.Principal, r.Action, r.Context); err != nil && got != ImplicitDeny {
				t.Fatalf("trust: %v with error %v", got, err)
			}
		}
	})
}

// A pattern of many wildcards must not take exponential time; with
// backtracking this one would outlast the test's deadline.
func TestPatternIsLinear(t *testing.T) {
	d := document(t, `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::`+strings.Repeat("a*", 40)+`b"}`)
	if got, err := Documents([]policy.Document{d}, Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::" + strings.Repeat("a", 2000)}); err != nil || got != ImplicitDeny {
		t.Errorf("got %v, %v", got, err)
	}
}
