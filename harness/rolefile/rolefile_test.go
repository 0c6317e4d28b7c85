package rolefile

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/goldentest"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sets draws sets of a cloud's grants, with what a writer could stumble over.
func sets(cloud string, conditions bool) *rapid.Generator[grant.Set] {
	return rapid.Custom(func(t *rapid.T) grant.Set {
		resource := rapid.Just("*")
		var permission *rapid.Generator[string]
		switch cloud {
		case "aws":
			permission = rapid.StringMatching(`(s3|ec2|iam|sqs):(Get|Put|Describe|List)[A-Z][a-z]{1,3}`)
			resource = rapid.OneOf(
				rapid.SampledFrom([]string{"*", "arn:aws:s3:::b/*", "arn:aws:s3:::${*}x", "arn:aws:s3:::${$}{name}", "arn:aws:s3:::a\"b\\%{if}", "arn:aws:s3:::ü<&>", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", "arn:aws:sqs:us-east-1:{account}:{count}-{count_}"}),
				rapid.StringMatching(`arn:aws:(s3|sqs|ec2)::[0-9]{3}:[a-z{}$?*/]{1,12}`).Filter(func(s string) bool {
					_, err := policy.Document{Version: policy.Version2012, Statements: policy.FromSet(grant.Of(grant.Grant{Permission: "s3:Get", Resource: s})).Statements}.Set()
					return err == nil && !strings.Contains(s, "${")
				}),
			)
		case "gcp":
			permission = rapid.StringMatching(`(compute|storage|iam)\.[a-z]{1,4}\.(get|list|create)`)
			resource = rapid.SampledFrom([]string{"*"})
		case "azure":
			permission = rapid.StringMatching(`Microsoft\.(Compute|Storage)/[a-z]{1,4}/(read|write|delete|start/action)`)
			permission = rapid.OneOf(permission, rapid.Just("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"))
		}
		one := rapid.Custom(func(t *rapid.T) grant.Grant {
			g := grant.Grant{Permission: permission.Draw(t, "permission"), Resource: resource.Draw(t, "resource")}
			if conditions {
				g.Condition = rapid.SampledFrom([]string{"", `{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`,
					`{"ArnLike":{"k":"%{IF}"},"StringEquals":{"aws:ResourceTag/a/b":["<&>","x"]}}`}).Draw(t, "condition")
			}
			return g
		})
		return grant.Of(rapid.SliceOfN(one, 1, 30).Draw(t, "grants")...)
	})
}

// read(write(x)) = x, for every format of every cloud.
func TestReadOfWrite(t *testing.T) {
	for _, cloud := range []string{"aws", "gcp", "azure"} {
		for _, format := range Formats(cloud) {
			t.Run(cloud+" "+string(format), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					set := sets(cloud, cloud == "aws" && format != List).Draw(t, "set")
					o := Options{Cloud: cloud, Format: format, Inline: cloud == "aws" && rapid.Bool().Draw(t, "inline")}
					if format == Native || format == ARM {
						o.Values = map[string]string{"account": "123456789012", "name": "acme", "count": "one", "count_": "two", "subscription": "s"}
						for key := range keysIn(set) {
							o.Values[key] = "v"
						}
					}
					files, err := Write([]Group{{Name: "applier", Description: "x", Set: set}}, o)
					if err != nil {
						t.Fatal(err)
					}
					var back grant.Set
					for _, f := range files {
						role, err := Read(f.Name, f.Content)
						if err != nil {
							t.Fatalf("%v\n%s", err, f.Content)
						}
						got, err := role.Set()
						if err != nil || role.Cloud != cloud {
							t.Fatalf("%s: %v\n%s", role.Cloud, err, f.Content)
						}
						back = back.Union(got)
					}
					var want []grant.Grant
					for g := range set.All() {
						g.Resource = Fill(g.Resource, o.Values)
						want = append(want, g)
					}
					if diff := cmp.Diff(grant.Of(want...).Slice(), back.Slice()); diff != "" {
						t.Fatalf("%s\n%s", diff, files[0].Content)
					}
				})
			})
		}
	}
}

func keysIn(s grant.Set) map[string]bool {
	keys := map[string]bool{}
	for g := range s.All() {
		for _, k := range Keys(g.Resource) {
			keys[k] = true
		}
	}
	return keys
}

// expand(compact(x)) = x, within the quotas, in few documents or one.
func TestExpandOfCompact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := sets("aws", true).Draw(t, "set")
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			set = set.Union(sets("aws", true).Draw(t, "set"))
		}
		inline := rapid.Bool().Draw(t, "inline")
		docs, err := documents("r", set, inline, policy.AttachLimit)
		if err != nil {
			t.Fatal(err)
		}
		var back grant.Set
		for _, d := range docs {
			got, err := d.Set()
			if err != nil {
				t.Fatal(err)
			}
			back = back.Union(got)
			if limit := map[bool]int{true: policy.InlineLimit, false: policy.ManagedLimit}[inline]; d.Size() > limit {
				t.Fatalf("%d characters", d.Size())
			}
			sids := map[string]bool{}
			for _, s := range d.Statements {
				if s.Sid != "" && (sids[s.Sid] || strings.ContainsFunc(s.Sid, func(c rune) bool {
					return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", c)
				})) {
					t.Fatalf("Sid %q", s.Sid)
				}
				sids[s.Sid] = true
			}
		}
		if diff := cmp.Diff(set.Slice(), back.Slice()); diff != "" || len(docs) > policy.AttachLimit || inline && len(docs) > 1 {
			t.Fatalf("%d documents\n%s", len(docs), diff)
		}
	})
}

// queues are n grants on n queues that nothing can be merged of.
func queues(n int) grant.Set {
	var grants []grant.Grant
	for i := range n {
		grants = append(grants, grant.Grant{Permission: fmt.Sprintf("sqs:Action%d", i), Resource: fmt.Sprintf("arn:aws:sqs:us-east-1:123456789012:%s-%d", strings.Repeat("queue", 10), i)})
	}
	return grant.Of(grants...)
}

func TestQuotas(t *testing.T) {
	write := func(set grant.Set, o Options) ([]File, error) {
		o.Cloud, o.Format = "aws", Native
		return Write([]Group{{Name: "r", Set: set}}, o)
	}
	files, err := write(queues(100), Options{})
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for i, f := range files {
		if f.Name != fmt.Sprintf("r-%d.json", i+1) || f.Size > policy.ManagedLimit || f.Limit != policy.ManagedLimit {
			t.Errorf("%s: %d of %d", f.Name, f.Size, f.Limit)
		}
	}
	var large *TooLargeError
	if _, err := write(queues(100), Options{Inline: true}); !errors.As(err, &large) || large.Limit != policy.InlineLimit || large.Size <= large.Limit {
		t.Errorf("inline: %v", err)
	}
	if _, err := write(queues(800), Options{}); !errors.As(err, &large) || large.Limit != policy.AttachLimit || large.Policies <= large.Limit {
		t.Errorf("800 queues: %v", err)
	}
	if files, err := write(queues(800), Options{Attach: 20}); err != nil || len(files) <= policy.AttachLimit {
		t.Errorf("with a raised quota: %d files, %v", len(files), err)
	}
	// What is readable takes more than there is room for, what is dense does not.
	if files, err := write(queues(57), Options{Inline: true}); err != nil || strings.Contains(string(files[0].Content), "Sid") {
		t.Errorf("dense: %v", err)
	}

	var many []grant.Grant
	for i := range 3001 {
		many = append(many, grant.Grant{Permission: fmt.Sprintf("compute.x%04d.get", i), Resource: "*"})
	}
	files, err = Write([]Group{{Name: "r", Set: grant.Of(many...)}}, Options{Cloud: "gcp", Format: Native})
	if err != nil || len(files) != 2 {
		t.Fatalf("3,001 permissions: %d files, %v", len(files), err)
	}
	for i, f := range files {
		role, err := gcp.Parse(f.Content)
		if err != nil || len(role.Permissions) > gcp.PermissionLimit || role.Title != fmt.Sprintf("r (%d of 2)", i+1) {
			t.Errorf("%d permissions, %q, %v", len(role.Permissions), role.Title, err)
		}
	}
	var long []grant.Grant
	for i := range 1000 {
		long = append(long, grant.Grant{Permission: fmt.Sprintf("compute.%s%04d.get", strings.Repeat("x", 100), i), Resource: "*"})
	}
	files, err = Write([]Group{{Name: "r", Set: grant.Of(long...)}}, Options{Cloud: "gcp", Format: Native})
	if err != nil || len(files) != 2 || files[0].Size > gcp.SizeLimit {
		t.Errorf("112 KB: %d files, %v", len(files), err)
	}
}

// A record's texts stay what they are: no path, no further line, no permission of
// another form.
func TestWriteRefuses(t *testing.T) {
	ok := grant.Of(grant.Grant{Permission: "compute.networks.get", Resource: "*"})
	for name, g := range map[string]Group{
		"a path":         {Name: "../../etc/cron.d/x", Set: ok},
		"a hidden file":  {Name: ".bashrc", Set: ok},
		"a name's line":  {Name: "x\n- compute.networks.create", Set: ok},
		"a line":         {Name: "x", Description: "x\nincludedPermissions:\n- compute.networks.create", Set: ok},
		"a permission":   {Name: "x", Set: grant.Of(grant.Grant{Permission: "compute.networks.get\n- compute.networks.create", Resource: "*"})},
		"other clouds'":  {Name: "x", Set: grant.Of(grant.Grant{Permission: "sqs:SendMessage", Resource: "*"})},
		"a resource":     {Name: "x", Set: grant.Of(grant.Grant{Permission: "compute.networks.get", Resource: "x\nincludedPermissions:"})},
		"the empty role": {Name: "x"},
	} {
		for _, format := range Formats("gcp") {
			if files, err := Write([]Group{g}, Options{Cloud: "gcp", Format: format}); err == nil {
				t.Errorf("%s, %s: %s", name, format, files[0].Content)
			}
		}
	}
}

func TestPlacesOfGCP(t *testing.T) {
	files, err := Write([]Group{{Name: "r", Set: grant.Of(
		grant.Grant{Permission: "pubsub.topics.publish", Resource: "projects/{project}/topics/jobs"},
		grant.Grant{Permission: "pubsub.topics.list", Resource: "*"},
	)}}, Options{Cloud: "gcp", Format: Native, Values: map[string]string{"project": "acme-1"}})
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	if files[0].On != "" || files[1].On != "projects/acme-1/topics/jobs" || !strings.Contains(string(files[1].Content), "# bind it on projects/acme-1/topics/jobs") {
		t.Errorf("%q, %q\n%s", files[0].On, files[1].On, files[1].Content)
	}
}

func TestPlacesOfAzure(t *testing.T) {
	files, err := Write([]Group{{Name: "r", Set: grant.Of(
		grant.Grant{Permission: "Microsoft.Compute/disks/read", Resource: "*"},
		grant.Grant{Permission: "Microsoft.Compute/disks/list", Resource: "/subscriptions/s-1/"},
		grant.Grant{Permission: "Microsoft.Compute/disks/write", Resource: "/subscriptions/{subscription}/resourceGroups/{name}-rg/providers/Microsoft.Compute/disks/d"},
	)}}, Options{Cloud: "azure", Format: Native, Values: map[string]string{"subscription": "s-1", "name": "acme"}})
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	if files[0].On != "" || files[1].On != "/subscriptions/s-1/resourceGroups/acme-rg/providers/Microsoft.Compute/disks/d" ||
		!strings.Contains(string(files[0].Content), "disks/list") || !strings.Contains(string(files[1].Content), `"/subscriptions/s-1/resourceGroups/acme-rg"`) {
		t.Errorf("%q, %q\n%s", files[0].On, files[1].On, files[1].Content)
	}
	_, err = Write([]Group{{Name: "r", Set: grant.Of(grant.Grant{Permission: "a/b", Resource: "/subscriptions/{subscription}/resourceGroups/{name}-rg"})}}, Options{Cloud: "azure", Format: Native})
	if keys := (*KeysError)(nil); !errors.As(err, &keys) || !slices.Equal(keys.Keys, []string{"name", "subscription"}) {
		t.Errorf("%v", err)
	}
}

// small is a set that has something of everything in it.
var small = map[string]grant.Set{
	"aws": grant.Of(
		grant.Grant{Permission: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-jobs"},
		grant.Grant{Permission: "sqs:GetQueueAttributes", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-jobs"},
		grant.Grant{Permission: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-dead"},
		grant.Grant{Permission: "sqs:GetQueueAttributes", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-dead"},
		grant.Grant{Permission: "ec2:DescribeVpcs", Resource: "*"},
		grant.Grant{Permission: "ec2:DescribeSubnets", Resource: "*"},
		grant.Grant{Permission: "iam:PassRole", Resource: "arn:aws:iam::{account}:role/{name}-worker"},
		grant.Grant{Permission: "s3:GetObject", Resource: "arn:aws:s3:::{name}-files/${*}.json"},
	),
	"gcp": grant.Of(
		grant.Grant{Permission: "compute.networks.create", Resource: "*"},
		grant.Grant{Permission: "iam.serviceAccounts.actAs", Resource: "*"},
		grant.Grant{Permission: "pubsub.topics.publish", Resource: "projects/{project}/topics/jobs"},
	),
	"azure": grant.Of(
		grant.Grant{Permission: "Microsoft.Compute/virtualMachines/write", Resource: "*"},
		grant.Grant{Permission: "Microsoft.KeyVault/vaults/secrets/delete", Resource: "*"},
		grant.Grant{Permission: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", Resource: "*"},
	),
}

func TestGolden(t *testing.T) {
	values := map[string]string{"account": "123456789012", "name": "acme", "project": "acme-1", "subscription": "00000000-0000-0000-0000-000000000000"}
	for cloud, set := range small {
		for _, format := range Formats(cloud) {
			t.Run(cloud+" "+string(format), func(t *testing.T) {
				o := Options{Cloud: cloud, Format: format, Prefix: "acme-"}
				if format == Native || format == ARM {
					o.Values = values
				}
				groups := []Group{{Name: "applier", Description: "needed by apply, update (init, ongoing)", Set: set, Data: map[string]bool{"Microsoft.KeyVault/vaults/secrets/delete": true}}}
				files, err := Write(groups, o)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range files {
					goldentest.File(t, filepath.Join("testdata", cloud+"-"+string(format)+"-"+f.Name), string(f.Content), *update)
				}
			})
		}
	}
}

func TestKeysError(t *testing.T) {
	_, err := Write([]Group{{Name: "r", Set: small["aws"]}}, Options{Cloud: "aws", Format: Native, Values: map[string]string{"name": "acme"}})
	var keys *KeysError
	if !errors.As(err, &keys) || !slices.Equal(keys.Keys, []string{"account"}) || !strings.Contains(keys.Hints()[0], "--set account=") {
		t.Errorf("%v", err)
	}
	_, err = Write([]Group{{Name: "r", Set: grant.Of(grant.Grant{Permission: "s3:GetObject", Resource: "arn:aws:s3:::a&{b}"})}}, Options{Cloud: "aws", Format: Terraform})
	if err == nil || !strings.Contains(err.Error(), "cannot be said in Terraform") {
		t.Errorf("what Terraform would read as a variable: %v", err)
	}
}

func TestFold(t *testing.T) {
	set := grant.Of(
		grant.Grant{Permission: "ec2:DescribeVpcs", Resource: "*"}, grant.Grant{Permission: "ec2:DescribeSubnets", Resource: "*"},
		grant.Grant{Permission: "sqs:ListQueues", Resource: "*"}, grant.Grant{Permission: "sqs:ListQueueTags", Resource: "arn:aws:sqs:::q"},
		grant.Grant{Permission: "secretsmanager:GetSecretValue", Resource: "*"}, grant.Grant{Permission: "secretsmanager:GetResourcePolicy", Resource: "*"},
	)
	wider, folded := Fold(set)
	want := set.Without(grant.Grant{Permission: "ec2:DescribeVpcs", Resource: "*"}, grant.Grant{Permission: "ec2:DescribeSubnets", Resource: "*"}).With(grant.Grant{Permission: "ec2:Describe*", Resource: "*"})
	if diff := cmp.Diff(want.Slice(), wider.Slice()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string][]string{"ec2:Describe*": {"ec2:DescribeSubnets", "ec2:DescribeVpcs"}}, folded); diff != "" {
		t.Error(diff)
	}
}

// What is wrong is said with the line, and with what was expected.
func TestBadInput(t *testing.T) {
	for _, tt := range []struct {
		name, file, text string
		line             int
		want             string
	}{
		{"truncated JSON", "p.json", "{\n  \"Statement\": [\n    {\"Effect\": \"Allow\",\n", 3, "unexpected end"},
		{"syntax error", "p.json", "{\n  \"Statement\": [\n    {\"Effect\" \"Allow\"}\n]}", 3, "not JSON"},
		{"empty list", "p.json", "{\"Statement\": [\n {\"Effect\": \"Allow\", \"Resource\": \"*\",\n  \"Action\": []}]}", 3, "statement 1: Action: is an empty list"},
		{"no action", "p.json", "{\"Statement\": [\n {\"Effect\": \"Allow\", \"Resource\": \"*\",\n  \"Action\": [\"s3:GetObject\",\n \"everything\"]}]}", 4, `"everything" is no action: service:Name or *`},
		{"unknown element", "p.json", "{\"Statement\": [\n {\"Effect\": \"Allow\", \"Resource\": \"*\",\n  \"Actions\": \"*\"}]}", 3, "a statement has Sid, Effect"},
		{"both", "p.json", "{\"Statement\": [\n\n {\"Effect\": \"Allow\", \"Resource\": \"*\", \"NotResource\": \"*\", \"Action\": \"*\"}]}", 3, "keep one"},
		{"in a version", "p.json", "{\"PolicyVersion\": {\"Document\": {\n\"Statement\": [{\"Effect\": \"Allow\", \"Resource\": \"*\",\n \"Action\": 1}]}}}", 3, "1 is not a string"},
		{"trust policy", "p.json", `{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}`, 0, "has a Principal"},
		{"another JSON", "p.json", "\n{\"version\": 1}", 2, "Statement"},
		{"no permission", "r.yaml", "title: x\nincludedPermissions:\n- compute.networks.get\n- everything\n", 4, "one such as compute.networks.create is expected"},
		{"no list", "r.yaml", "title: x\nincludedPermissions: compute.networks.get\n", 2, "no list"},
		{"YAML", "r.yaml", "title: x\nincludedPermissions:\n- compute.networks.get\n  bad: [1\n", 3, "not YAML"},
		{"no role", "r.yaml", "title: x\nstage: GA\n", 1, "a permission is expected"},
		{"role in JSON", "r.json", "{\"title\": \"x\",\n\"includedPermissions\": [\n1]}", 3, `"1" is no permission`},
		{"azure", "a.json", "{\"Name\": \"x\",\n\"Actions\": [\n\"everything/\"]}", 3, "one such as Microsoft.Compute/virtualMachines/read is expected"},
		{"azure, nothing", "a.json", "{\"Name\": \"x\", \"Actions\": []}", 1, "allows nothing"},
		{"azure, many", "a.json", `[{"roleName": "a"}, {"roleName": "b"}]`, 1, "holds 2 roles"},
		{"Terraform", "r.tf", "data \"aws_iam_policy_document\" \"x\" {\n  statement {\n    actions = [\n", 4, ""},
		{"a function", "r.tf", "resource \"google_project_iam_custom_role\" \"x\" {\n  permissions = concat([], [])\n}", 2, "Function calls not allowed"},
		{"sources", "r.tf", "data \"aws_iam_policy_document\" \"x\" {\n  source_policy_documents = []\n}", 2, "terraform show -json"},
		{"other Terraform", "r.tf", "locals {\n}\n", 0, "azurerm_role_definition"},
		{"prose", "l.txt", "# roles\nplease give us all of it\n", 2, "a permission is expected"},
		{"two clouds", "l.txt", "sqs:SendMessage\ncompute.networks.get\n", 2, "of gcp, and those before it are of aws"},
		{"table", "t.tsv", "phase\tpermission\ninit\n", 2, "column 2"},
		{"nothing", "l.txt", "# no\n", 0, "no permission"},
		{"empty", "l.txt", " \n", 0, "is empty"},
		{"binary", "l.txt", "\xff\xfe", 0, "UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Read(tt.file, []byte(tt.text))
			var e *Error
			if !errors.As(err, &e) || e.File != tt.file || e.Line != tt.line || !strings.Contains(e.Msg, tt.want) {
				t.Errorf("%v, want line %d and %q", err, tt.line, tt.want)
			}
			if r.Rules != nil {
				t.Errorf("gave %v with an error", r)
			}
		})
	}
}

func TestReadKinds(t *testing.T) {
	for _, tt := range []struct {
		name, file, text, cloud string
		rules                   []Rule
	}{
		{"policy", "p.json", "\xef\xbb\xbf" + `{"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Deny", "NotAction": ["iam:*"], "NotResource": "arn:aws:s3:::a", "Condition": {"StringEquals": {"b:k": "1", "a:k": "2"}}}]}`, "aws",
			[]Rule{{Place: "statement 1 (A)", Deny: true, Permissions: []string{"*"}, Except: []string{"iam:*"}, Resources: []string{"*"}, ExceptResources: []string{"arn:aws:s3:::a"}, Variables: true, Conditions: []string{"a:k", "b:k"}, When: `{"StringEquals":{"a:k":"2","b:k":"1"}}`}}},
		{"policy's version", "p.json", `{"PolicyVersion": {"Document": {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}, "VersionId": "v1"}}`, "aws",
			[]Rule{{Place: "statement 1", Permissions: []string{"s3:*"}, Resources: []string{"*"}}}},
		{"role", "r.yaml", "title: |\n  two\nstage: GA\nincludedPermissions:\n  - compute.networks.get\n  - \"iam.googleapis.com/workforcePools.create\"\n", "gcp",
			[]Rule{{Place: "line 5", Permissions: []string{"compute.networks.get"}}, {Place: "line 6", Permissions: []string{"iam.googleapis.com/workforcePools.create"}}}},
		{"azure, of az role definition list", "a.json", `[{"roleName": "x", "name": "guid", "permissions": [{"actions": ["*"], "notActions": ["Microsoft.Authorization/*/write"], "dataActions": [], "condition": null}]}]`, "azure",
			[]Rule{{Place: "Actions", Plane: Control, Permissions: []string{"*"}, Except: []string{"Microsoft.Authorization/*/write"}}}},
		{"azure, of Resource Manager", "a.json", `{"name": "guid", "properties": {"roleName": "x", "permissions": [{"actions": ["Microsoft.Compute/*/read"], "dataActions": ["Microsoft.Storage/*"]}]}}`, "azure",
			[]Rule{{Place: "Actions", Plane: Control, Permissions: []string{"Microsoft.Compute/*/read"}}, {Place: "DataActions", Plane: Data, Permissions: []string{"Microsoft.Storage/*"}}}},
		{"table", "t.tsv", "Purpose\tPermission\nread\tiam:Get*\n", "aws", []Rule{{Place: "line 2", Permissions: []string{"iam:Get*"}}}},
		{"table of Markdown", "t.md", "| Permission | Why |\n|---|---|\n| `compute.networks.get` | x |\n", "gcp", []Rule{{Place: "line 3", Permissions: []string{"compute.networks.get"}}}},
		{"list", "l", "- compute.* # all\n", "gcp", []Rule{{Place: "line 1", Permissions: []string{"compute.*"}}}},
		{"Terraform", "m.tf", `
variable "source_" {}
data "aws_iam_policy_document" "x" {
  statement {
    actions   = ["s3:Get*"]
    resources = ["arn:aws:s3:::${var.source_}/&{aws:username}"]
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["true"]
    }
  }
}`, "aws", []Rule{{Place: "x: statement 1", Permissions: []string{"s3:Get*"}, Resources: []string{"arn:aws:s3:::{source}/${aws:username}"}, Variables: true, Conditions: []string{"aws:SecureTransport"}, When: `{"Bool":{"aws:SecureTransport":"true"}}`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Read(tt.file, []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.rules, r.Rules); diff != "" || r.Cloud != tt.cloud {
				t.Errorf("%s\n%s", r.Cloud, diff)
			}
		})
	}
}

// Whatever is read says where it is wrong, or what it says; and never panics.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"{}", "[{}]", `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`, "includedPermissions:\n- a.b.c\n", "a:B c\n", "includedPermissions: &a [*a]", `{"properties":{"permissions":[{"actions":["*"]}]}}`, "|permission|\n|--|\n|a:B|"} {
		f.Add("x", []byte(s))
		f.Add("x.tf", []byte(s))
	}
	f.Add("x.tf", []byte("data \"aws_iam_policy_document\" \"x\" {\n statement {\n actions = [\"a:B\"]\n resources = [\"*\"]\n }\n}"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		r, err := Read(name, data)
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || r.Rules != nil {
				t.Fatalf("%v, %v", r, err)
			}
			return
		}
		if r.Cloud == "" {
			t.Fatal("of no cloud")
		}
	})
}
