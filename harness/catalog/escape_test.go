package catalog

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEscape(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "plain": "plain", "*": "${*}", "a?": "a${?}", "${x}": "${$}{x}", "${*}": "${$}{${*}}", "$": "$", "$$*": "$$${*}", "{*}": "{${*}}", "${": "${$}{",
	} {
		got := Escape(name)
		if got != want {
			t.Errorf("Escape(%q) = %q, want %q", name, got, want)
		}
		if !asPattern(got).MatchString(name) {
			t.Errorf("Escape(%q) = %q does not match it", name, got)
		}
	}
}

const (
	formType = "Content-Type: application/x-www-form-urlencoded"
	jsonType = "Content-Type: application/x-amz-json-1.1"
)

// ask gives the candidates of a request, "permission resource" each.
func ask(t interface {
	Helper()
	Fatal(...any)
}, method, address, headers, body string) []string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for line := range strings.SplitSeq(headers, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	var out []string
	for _, c := range Candidates(method, u, h, []byte(body), testAccount) {
		out = append(out, c.Permission+" "+c.Resource)
	}
	return out
}

// Whatever a request calls a thing, its candidates are those of a harmless
// name, with that one name in place of the other.
func TestNamesCannotWidenCandidates(t *testing.T) {
	const zz = "zzname"
	query := func(s string) string { return url.QueryEscape(s) }
	plain := func(s string) string { return s }
	for _, c := range []struct {
		name, method, url, headers, body string
		encode                           func(string) string
	}{
		{"queue", "POST", "https://sqs.us-east-1.amazonaws.com/", jsonType + "\nX-Amz-Target: AmazonSQS.CreateQueue", `{"QueueName":"zzname","tags":{"a":"b"}}`, plain},
		{"queue URL", "POST", "https://sqs.us-east-1.amazonaws.com/", jsonType + "\nX-Amz-Target: AmazonSQS.DeleteQueue", `{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/111122223333/zzname"}`, plain},
		{"key", "POST", "https://kms.us-east-1.amazonaws.com/", jsonType + "\nX-Amz-Target: TrentService.DescribeKey", `{"KeyId":"zzname"}`, plain},
		{"key's ARN", "POST", "https://kms.us-east-1.amazonaws.com/", jsonType + "\nX-Amz-Target: TrentService.DescribeKey", `{"KeyId":"arn:aws:kms:us-east-1:111122223333:key/zzname"}`, plain},
		{"alias", "POST", "https://kms.us-east-1.amazonaws.com/", jsonType + "\nX-Amz-Target: TrentService.CreateAlias", `{"AliasName":"alias/zzname","TargetKeyId":"zzname"}`, plain},
		{"secret", "POST", "https://secretsmanager.us-east-1.amazonaws.com/", jsonType + "\nX-Amz-Target: secretsmanager.GetSecretValue", `{"SecretId":"arn:aws:secretsmanager:us-east-1:111122223333:secret:zzname"}`, plain},
		{"role", "POST", "https://iam.amazonaws.com/", formType, "Action=CreateRole&Path=/a/&RoleName=zzname&Tags.member.1.Key=k", query},
		{"profile", "POST", "https://iam.amazonaws.com/", formType, "Action=AddRoleToInstanceProfile&InstanceProfileName=zzname&RoleName=zzname", query},
		{"policy's ARN", "POST", "https://iam.amazonaws.com/", formType, "Action=GetPolicy&PolicyArn=arn:aws:iam::111122223333:policy/zzname", query},
		{"OIDC", "POST", "https://iam.amazonaws.com/", formType, "Action=CreateOpenIDConnectProvider&Url=https://zzname", query},
		{"SAML", "POST", "https://iam.amazonaws.com/", formType, "Action=CreateSAMLProvider&Name=zzname", query},
		{"service-linked role", "POST", "https://iam.amazonaws.com/", formType, "Action=CreateServiceLinkedRole&AWSServiceName=zzname", query},
		{"role to assume", "POST", "https://sts.us-east-1.amazonaws.com/", formType, "Action=AssumeRole&RoleArn=arn:aws:iam::444455556666:role/zzname", query},
		{"key pair", "POST", "https://ec2.us-east-1.amazonaws.com/", formType, "Action=CreateKeyPair&KeyName=zzname", query},
		{"VPC", "POST", "https://ec2.us-east-1.amazonaws.com/", formType, "Action=DeleteVpc&VpcId=vpc-zzname", query},
		{"tags", "POST", "https://ec2.us-east-1.amazonaws.com/", formType, "Action=CreateTags&ResourceId.1=vpc-zzname&Tag.1.Key=k", query},
		{"object", "GET", "https://artifacts.s3.us-east-1.amazonaws.com/zzname", "A: b", "", url.PathEscape},
		{"object's ACL", "PUT", "https://s3.us-east-1.amazonaws.com/artifacts/zzname?acl", "A: b", "", url.PathEscape},
		{"copy", "PUT", "https://artifacts.s3.us-east-1.amazonaws.com/a", "X-Amz-Copy-Source: other/zzname", "", url.PathEscape},
		{"objects", "POST", "https://artifacts.s3.us-east-1.amazonaws.com/?delete", "A: b", "<Delete><Object><Key>zzname</Key></Object></Delete>", plain},
		{"object's key", "PUT", "https://artifacts.s3.us-east-1.amazonaws.com/a", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: zzname", "", plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			harmless := ask(t, c.method, c.url, c.headers, c.body)
			if len(harmless) == 0 || !strings.Contains(strings.Join(harmless, " "), zz) {
				t.Fatalf("the name is not in the candidates: %q", harmless)
			}
			rapid.Check(t, func(t *rapid.T) {
				name := rapid.StringMatching(`[ab*?${}]{1,8}`).Draw(t, "name")
				put := func(s string) string { return strings.ReplaceAll(s, zz, c.encode(name)) }
				got := ask(t, c.method, put(c.url), put(c.headers), put(c.body))
				if len(got) != len(harmless) {
					t.Fatalf("got %q, of a harmless name %q", got, harmless)
				}
				for i, h := range harmless {
					if want := strings.ReplaceAll(h, zz, Escape(name)); got[i] != want {
						t.Fatalf("got %q, want %q", got[i], want)
					}
				}
			})
		})
	}
}

// What no request can be about has no candidates.
func TestNoCandidates(t *testing.T) {
	const kms = jsonType + "\nX-Amz-Target: TrentService."
	for _, c := range []struct{ method, url, headers, body string }{
		// An ARN with a wildcard where it chooses whose things.
		{"POST", "https://kms.us-east-1.amazonaws.com/", kms + "Decrypt", `{"KeyId":"arn:aws:kms:*:111122223333:key/a"}`},
		{"POST", "https://kms.us-east-1.amazonaws.com/", kms + "Decrypt", `{"KeyId":"arn:aws:kms:us-east-1:????????????:key/a"}`},
		{"POST", "https://kms.us-east-1.amazonaws.com/", kms + "Decrypt", `{"KeyId":"arn:*:kms:us-east-1:111122223333:key/a"}`},
		{"POST", "https://kms.us-east-1.amazonaws.com/", kms + "Decrypt", `{"KeyId":"arn:aws:kms:us-east-1:${aws:PrincipalAccount}:key/a"}`},
		{"POST", "https://kms.us-east-1.amazonaws.com/", kms + "Decrypt", `{"KeyId":"arn:aws:kms:*:111122223333:alias/a"}`},
		{"POST", "https://kms.us-east-1.amazonaws.com/", kms + "Decrypt", `{"KeyId":"arn:aws:s3:::artifacts"}`},
		{"POST", "https://kms.us-east-1.amazonaws.com/", kms + "Decrypt", `{"KeyId":"arn:aws-cn:kms:cn-north-1:111122223333:key/a"}`},
		{"POST", "https://kms.us-east-1.amazonaws.com/", kms + "CreateAlias", `{"AliasName":"alias/a","TargetKeyId":"arn:aws:kms:*:111122223333:key/a"}`},
		{"POST", "https://sts.us-east-1.amazonaws.com/", formType, "Action=AssumeRole&RoleArn=arn:aws:iam::*:role/a"},
		{"POST", "https://iam.amazonaws.com/", formType, "Action=GetPolicy&PolicyArn=arn:aws:iam::*:policy/a"},
		{"POST", "https://secretsmanager.us-east-1.amazonaws.com/", jsonType + "\nX-Amz-Target: secretsmanager.GetSecretValue", `{"SecretId":"arn:aws:secretsmanager:*:111122223333:secret:a"}`},
		// No bucket is called so.
		{"GET", "https://s3.us-east-1.amazonaws.com/*/a", "A: b", ""},
		{"GET", "https://s3.us-east-1.amazonaws.com/arti*/a", "A: b", ""},
		{"GET", "https://s3.us-east-1.amazonaws.com/$%7Baws:username%7D/a", "A: b", ""},
		{"GET", "https://s3.us-east-1.amazonaws.com/Artifacts/a", "A: b", ""},
		{"GET", "https://s3.us-east-1.amazonaws.com/ab", "A: b", ""},
		{"GET", "https://s3.us-east-1.amazonaws.com/" + strings.Repeat("a", 64), "A: b", ""},
		{"GET", "https://arti_facts.s3.us-east-1.amazonaws.com/a", "A: b", ""},
		{"GET", "https://a1b2--ol-s3.s3.us-east-1.amazonaws.com/a", "A: b", ""},
		{"GET", "https://s3.us-east-1.amazonaws.com/a1b2--ol-s3/a", "A: b", ""},
		{"GET", "https://111122223333.s3-control.us-east-1.amazonaws.com/v20180820/tags/arn%3Aaws%3As3%3A%2A%3A111122223333%3Aaccesspoint%2Fa", "A: b", ""},
		// Two operations, or a target that the service does not read.
		{"POST", "https://kms.us-east-1.amazonaws.com/?Action=ListKeys", kms + "DescribeKey", `{"KeyId":"a"}`},
		{"POST", "https://kms.us-east-1.amazonaws.com/", "X-Amz-Target: TrentService.DescribeKey", `{"KeyId":"a"}`},
		{"POST", "https://kms.us-east-1.amazonaws.com/", "Content-Type: application/json\nX-Amz-Target: TrentService.DescribeKey", `{"KeyId":"a"}`},
	} {
		if got := ask(t, c.method, c.url, c.headers, c.body); len(got) > 0 {
			t.Errorf("%s %s %s %s: got %q", c.method, c.url, c.headers, c.body, got)
		}
	}
	// The rest of such a request is still known.
	for _, c := range []struct{ headers, want string }{
		{"X-Amz-Copy-Source: other*/a", "s3:PutObject arn:aws:s3:::artifacts/a"},
		{"X-Amz-Copy-Source: Other/a", "s3:PutObject arn:aws:s3:::artifacts/a"},
		{"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: arn:aws:kms:*:111122223333:key/a", "s3:PutObject arn:aws:s3:::artifacts/a"},
	} {
		if got := ask(t, "PUT", "https://artifacts.s3.us-east-1.amazonaws.com/a", c.headers, ""); strings.Join(got, ", ") != c.want {
			t.Errorf("%s: got %q, want %s", c.headers, got, c.want)
		}
	}
	if got := ask(t, "POST", "https://iam.amazonaws.com/", formType+"\nX-Amz-Target: X.CreateUser", "Action=ListRoles"); strings.Join(got, ", ") != "iam:ListRoles *" {
		t.Errorf("a form with a target: got %q", got)
	}
}
