package catalog

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWiden(t *testing.T) {
	const at = ":us-east-1:111122223333:"
	for _, c := range []struct{ in, want string }{
		{"*", "*"}, {"", ""}, {"role worker", "role worker"}, {"arn:aws:ec2", "arn:aws:ec2"},
		{"arn:aws:ec2" + at + "vpc/vpc-0a1b2c3d", "arn:aws:ec2" + at + "vpc/*"},
		{"arn:aws:ec2" + at + "vpc/*", "arn:aws:ec2" + at + "vpc/*"},
		{"arn:aws:ec2" + at + "elastic-ip/eipalloc-0a1b", "arn:aws:ec2" + at + "elastic-ip/*"},
		{"arn:aws:ec2" + at + "security-group-rule/sgr-01", "arn:aws:ec2" + at + "security-group-rule/*"},
		{"arn:aws:ec2:us-east-1::image/ami-0a1b", "arn:aws:ec2:us-east-1::image/*"},
		{"arn:aws:ec2" + at + "key-pair/deploy", "arn:aws:ec2" + at + "key-pair/deploy"},
		{"arn:aws:kms" + at + "key/0f0e0d0c-1111-2222-3333-444455556666", "arn:aws:kms" + at + "key/*"},
		{"arn:aws:kms" + at + "key/mrk-0f0e0d0c", "arn:aws:kms" + at + "key/*"},
		{"arn:aws:kms" + at + "alias/jobs", "arn:aws:kms" + at + "alias/jobs"},
		// A name that a user chose stays, whatever it looks like.
		{"arn:aws:sqs" + at + "0f0e0d0c-1111-2222-3333-444455556666", "arn:aws:sqs" + at + "0f0e0d0c-1111-2222-3333-444455556666"},
		{"arn:aws:iam::111122223333:role/vpc-0a1b2c3d", "arn:aws:iam::111122223333:role/vpc-0a1b2c3d"},
		{"arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABCDEF", "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/*"},
		{"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com", "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
		{"arn:aws:secretsmanager" + at + "secret:/app/db-AbCd12", "arn:aws:secretsmanager" + at + "secret:/app/db-??????"},
		{"arn:aws:secretsmanager" + at + "secret:/app/db-??????", "arn:aws:secretsmanager" + at + "secret:/app/db-??????"},
		{"arn:aws:secretsmanager" + at + "secret:db", "arn:aws:secretsmanager" + at + "secret:db"},
		{"arn:aws:acm" + at + "certificate/0f0e0d0c", "arn:aws:acm" + at + "certificate/*"},
		{"arn:aws:logs" + at + "log-group:/ecs/web:log-stream:web/1/0f0e", "arn:aws:logs" + at + "log-group:/ecs/web:log-stream:*"},
		{"arn:aws:logs" + at + "log-group:/ecs/web:log-stream:", "arn:aws:logs" + at + "log-group:/ecs/web:log-stream:*"},
		{"arn:aws:logs" + at + "log-group::log-stream:", "arn:aws:logs" + at + "log-group::log-stream:"},
		{"arn:aws:events" + at + "connection/crm/0f0e", "arn:aws:events" + at + "connection/crm/*"},
		{"arn:aws:events" + at + "connection/crm", "arn:aws:events" + at + "connection/crm"},
		{"arn:aws:kinesis" + at + "stream/s/consumer/c:1700000000", "arn:aws:kinesis" + at + "stream/s/consumer/c:*"},
		{"arn:aws:application-autoscaling" + at + "scalable-target/0f0e", "arn:aws:application-autoscaling" + at + "scalable-target/*"},
		{"arn:aws:ssm" + at + "parameter/app/0f0e", "arn:aws:ssm" + at + "parameter/app/0f0e"},
		{"arn:aws:logs" + at + "log-group:/ecs/web", "arn:aws:logs" + at + "log-group:/ecs/web"},
		{"arn:aws:elasticloadbalancing" + at + "loadbalancer/app/web/0f0e", "arn:aws:elasticloadbalancing" + at + "loadbalancer/app/web/*"},
		{"arn:aws:elasticloadbalancing" + at + "listener/app/web/0f0e/0d0c", "arn:aws:elasticloadbalancing" + at + "listener/app/web/*/*"},
		{"arn:aws:elasticloadbalancing" + at + "loadbalancer/web", "arn:aws:elasticloadbalancing" + at + "loadbalancer/web"},
		{"arn:aws:sns" + at + "jobs", "arn:aws:sns" + at + "jobs"},
		{"arn:aws:sns" + at + "jobs:0f0e0d0c", "arn:aws:sns" + at + "jobs:*"},
		{"arn:aws:ecs" + at + "task-definition/web:17", "arn:aws:ecs" + at + "task-definition/web:*"},
		{"arn:aws:ecs" + at + "cluster/web", "arn:aws:ecs" + at + "cluster/web"},
		{"arn:aws:apigateway:us-east-1::/restapis/a1b2c3/stages/prod", "arn:aws:apigateway:us-east-1::/restapis/*/stages/prod"},
		{"arn:aws:route53:::hostedzone/Z0123", "arn:aws:route53:::hostedzone/*"},
		{"arn:aws:s3:::artifacts", "arn:aws:s3:::artifacts"},
		{"arn:aws:s3:::artifacts/0f0e0d0c-1111/a.txt", "arn:aws:s3:::artifacts/0f0e0d0c-1111/a.txt"},
		// A key can't widen a grant.
		{"arn:aws:s3:::artifacts/*", "arn:aws:s3:::artifacts/${*}"},
		{"arn:aws:s3:::artifacts/a?${aws:username}", "arn:aws:s3:::artifacts/a${?}${$}{aws:username}"},
		{"arn:aws:unheardof" + at + "thing/0f0e0d0c", "arn:aws:unheardof" + at + "thing/0f0e0d0c"},
	} {
		if got := Widen(c.in); got != c.want {
			t.Errorf("Widen(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// asPattern is how IAM reads a resource in a policy.
func asPattern(resource string) *regexp.Regexp {
	r := regexp.QuoteMeta(resource)
	for _, v := range []string{"*", "?", "$"} {
		r = strings.ReplaceAll(r, regexp.QuoteMeta("${"+v+"}"), "\x00"+v)
	}
	r = strings.ReplaceAll(strings.ReplaceAll(r, `\*`, `(?s:.*)`), `\?`, `(?s:.)`)
	for _, v := range []string{"*", "?", "$"} {
		r = strings.ReplaceAll(r, "\x00"+v, regexp.QuoteMeta(v))
	}
	return regexp.MustCompile("^" + r + "$")
}

func checkWiden(t interface {
	Helper()
	Fatalf(string, ...any)
}, in string) {
	t.Helper()
	out := Widen(in)
	if again := Widen(out); again != out {
		t.Fatalf("Widen(%q) = %q, and widened again %q", in, out, again)
	}
	if !utf8.ValidString(in) || strings.ContainsAny(in, "\x00${?") {
		return // what is a policy variable already means something else
	}
	if !strings.Contains(in, "*") && !asPattern(out).MatchString(in) {
		t.Fatalf("Widen(%q) = %q does not match it", in, out)
	}
	if in, out := strings.SplitN(in, ":", 6), strings.SplitN(out, ":", 6); len(in) == 6 {
		for i := range 5 {
			if in[i] != out[i] {
				t.Fatalf("Widen changed field %d of %q", i, strings.Join(in, ":"))
			}
		}
	}
}

func TestWidenLaws(t *testing.T) {
	services := []string{"s3", "secretsmanager", "unheardof"}
	var shapes []string
	for service, list := range generated {
		for _, s := range list {
			shapes = append(shapes, service+" "+s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var service, rest string
		if rapid.Bool().Draw(t, "shaped") {
			service, rest, _ = strings.Cut(rapid.SampledFrom(shapes).Draw(t, "shape"), " ")
			for _, hole := range []string{"=", "+", "*", "…"} {
				for strings.Contains(rest, hole) {
					rest = strings.Replace(rest, hole, rapid.StringMatching(`[a-z0-9-]{1,9}`).Draw(t, "name"), 1)
				}
			}
		} else {
			service = rapid.SampledFrom(services).Draw(t, "service")
			rest = rapid.StringMatching(`[a-zA-Z0-9/:*?${}. -]{0,30}`).Draw(t, "rest")
		}
		region, account := "us-east-1", "111122223333"
		if service == "s3" {
			region, account = "", ""
		}
		checkWiden(t, "arn:aws:"+service+":"+region+":"+account+":"+rest)
	})
}

func FuzzWiden(f *testing.F) {
	f.Add("arn:aws:ec2:us-east-1:111122223333:vpc/vpc-1")
	f.Add("arn:aws:s3:::b/${*}")
	f.Add("arn:aws:secretsmanager:r:a:secret:x-AbCd12")
	f.Fuzz(func(t *testing.T, in string) { checkWiden(t, in) })
}

func TestOfType(t *testing.T) {
	const at = ":us-east-1:111122223333:"
	for in, want := range map[string]string{
		"*": "*", "role worker": "role worker",
		"arn:aws:iam::111122223333:role/team/worker":               "arn:aws:iam::111122223333:role/*",
		"arn:aws:s3:::logs":                                        "arn:aws:s3:::*",
		"arn:aws:s3:::logs/a/${*}":                                 "arn:aws:s3:::*/*",
		"arn:aws:sqs" + at + "jobs":                                "arn:aws:sqs" + at + "*",
		"arn:aws:sns" + at + "jobs:*":                              "arn:aws:sns" + at + "*",
		"arn:aws:ec2" + at + "vpc/*":                               "arn:aws:ec2" + at + "vpc/*",
		"arn:aws:ec2" + at + "key-pair/deploy":                     "arn:aws:ec2" + at + "key-pair/*",
		"arn:aws:ec2" + at + "*/*":                                 "arn:aws:ec2" + at + "*/*",
		"arn:aws:apigateway:us-east-1::/restapis/*/stages/a":       "arn:aws:apigateway:us-east-1::/restapis/*",
		"arn:aws:logs" + at + "log-group:/a/b:log-stream:*":        "arn:aws:logs" + at + "log-group:*",
		"arn:aws:elasticloadbalancing" + at + "loadbalancer/app/*": "arn:aws:elasticloadbalancing" + at + "loadbalancer/*",
		"arn:aws:unheardof" + at + "name":                          "arn:aws:unheardof" + at + "*",
	} {
		if got := OfType(in); got != want {
			t.Errorf("OfType(%q) = %q, want %q", in, got, want)
		}
	}
}

// A grant on a type covers what was refused, and stays within the region and
// account.
func TestOfTypeCovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		service := rapid.SampledFrom([]string{"ec2", "sqs", "sns", "iam", "logs", "apigateway", "unheardof"}).Draw(t, "service")
		head := "arn:aws:" + service + ":us-east-1:111122223333:"
		in := head + rapid.StringMatching(`/?[a-z0-9:/.-]{1,30}`).Draw(t, "rest")
		out := OfType(in)
		if !asPattern(out).MatchString(in) || !strings.HasPrefix(out, head) || OfType(out) != out {
			t.Fatalf("OfType(%q) = %q", in, out)
		}
	})
}
