package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/goldentest"
	"github.com/whittle-iam/whittle/harness/grant"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const account = "123456789012"

func example() Record {
	return Record{
		Version: Version, Cloud: "aws", Sandbox: "embedded", Verified: true,
		Inputs: Inputs{Digest: "sha256:" + strings.Repeat("ab", 32), Tools: map[string]string{"terraform": "1.11.4", "hashicorp/aws": "5.100.0"}},
		Steps: []Step{
			{Name: "apply", Phase: "init", Role: "applier", Runs: 1, Grants: []Entry{
				{Permission: "s3:CreateBucket", Resource: "arn:aws:s3:::artifacts", Necessity: "certified", Request: "PUT s3 /{bucket}", Purpose: "create bucket artifacts"},
				{Permission: "iam:CreateRole", Resource: "arn:aws:iam::" + account + ":role/worker", Necessity: "observed",
					Request: "POST iam CreateRole <a&b>", Purpose: "create role worker", Flag: "may raise its own rights", Difference: "lacks output.url"},
				{Permission: "ec2:DescribeVpcs", Resource: "*", Necessity: "observed", Request: "POST ec2 DescribeVpcs"},
			}, Optional: []Entry{{Permission: "s3:GetBucketWebsite", Resource: "arn:aws:s3:::artifacts", Request: "GET s3 /{bucket}?website"}}},
			{Name: "replan", Phase: "ongoing", Runs: 2, Grants: []Entry{
				{Permission: "ec2:DescribeVpcs", Resource: "*", Necessity: "assumed"},
			}},
			{Name: "update", Phase: "ongoing", Role: "applier"},
			{Name: "destroy", Phase: "teardown", Runs: 1, Grants: []Entry{
				{Permission: "iam:DeleteRole", Resource: "arn:aws:iam::" + account + ":role/worker", Necessity: "observed"},
				{Permission: "s3:CreateBucket", Resource: "arn:aws:s3:::artifacts", Necessity: "observed"},
				{Permission: "ec2:DescribeVpcs", Resource: "*", Necessity: "observed"},
			}},
		},
	}
}

func TestGolden(t *testing.T) {
	got := example().Generalize(Place{Account: account}, nil).Bytes()
	goldentest.File(t, filepath.Join("testdata", "example.lock.json"), string(got), *update)
	if bytes.Contains(got, []byte(account)) {
		t.Error("the account is in a generalized record")
	}
}

// one gives a record of one entry's file, with old replaced by new.
func one(t *testing.T, old, new string) []byte {
	t.Helper()
	r := Record{Version: Version, Cloud: "aws", Sandbox: "embedded", Inputs: Inputs{Tools: map[string]string{"a": "1"}}, Steps: []Step{
		{Name: "plan", Phase: "ongoing", Runs: 1, Grants: []Entry{{Permission: "a:B", Resource: "*", Necessity: "observed"}}},
	}}
	data := string(r.Bytes())
	if strings.Count(data, old) != 1 {
		t.Fatalf("%q is not once in %s", old, data)
	}
	return []byte(strings.Replace(data, old, new, 1))
}

func TestReadErrors(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"version", `"version": 1`, `"version": 2`, `f.json:2:14: version 2 of the record, and this whittle reads version 1`},
		{"no version", `"version": 1,`, ``, `f.json:1:1: the record has no "version"`},
		{"unknown key", `"phase"`, `"fase"`, `f.json:15:7: unknown key "fase"; a step has name, phase, runs, grants, role, digest, optional`},
		{"other case", `"phase"`, `"Phase"`, `f.json:15:7: unknown key "Phase"`},
		{"unknown phase", `"ongoing"`, `"later"`, `f.json:15:16: "phase" is init or ongoing or teardown, not "later"`},
		{"unknown cloud", `"aws"`, `"ibm"`, `"cloud" is aws or gcp or azure`},
		{"wrong type", `"runs": 1`, `"runs": "one"`, `f.json:16:15: "runs" is a whole number, not a text`},
		{"not whole", `"runs": 1`, `"runs": 1.5`, `"runs" is a whole number from 0, not 1.5`},
		{"text as list", `"a:B"`, `["a:B"]`, `"permission" is a text, not a list`},
		{"null", `"a:B"`, `null`, `"permission" is a text, not null`},
		{"empty", `"a:B"`, `""`, `f.json:18:24: "permission" is empty`},
		{"no resource", `"resource": "*", `, ``, `f.json:18:9: a grant has no "resource"`},
		{"necessity", `"observed"`, `"optional"`, `"necessity" is certified or observed or assumed, not "optional"`},
		{"key twice", `"verified": false`, `"verified": false, "verified": true`, `f.json:5:22: "verified" stands twice`},
		{"grant twice", `{"permission": "a:B"`, `{"permission": "a:B", "resource": "*", "necessity": "assumed"}, {"permission": "a:B"`, `f.json:18:73: a:B on * stands twice`},
		{"tool twice", `"a": "1"`, `"a": "1", "a": "2"`, `"a" stands twice`},
		{"syntax", `"cloud": `, `"cloud" `, `f.json:3:11: not JSON: invalid character '"' after object key`},
		{"after the end", "]\n}\n", "]\n}\n{}", `f.json:23:1: not JSON: invalid character '{' after top-level value`},
		{"torn", "]\n}\n", "]\n", `f.json:21:4: not JSON: unexpected end of JSON input`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Parse("f.json", one(t, tt.old, tt.new))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if diff := cmp.Diff(Record{}, r); diff != "" {
				t.Errorf("a record beside an error: %s", diff)
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%T, want *Error", err)
			}
		})
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Read of nothing = %v", err)
	}
	if _, err := Parse("f.json", nil); err == nil {
		t.Error("an empty file was read")
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "whittle.lock.json")
	if err := example().Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example().canonical(), got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}

	t.Run("unsound", func(t *testing.T) {
		r := example()
		r.Steps[1].Name = r.Steps[0].Name
		err := r.Write(path)
		if err == nil || !strings.Contains(err.Error(), `the step "apply" stands twice`) {
			t.Errorf("got %v", err)
		}
		unchanged(t, path)
	})
	t.Run("no folder", func(t *testing.T) {
		err := example().Write(filepath.Join(dir, "none", "r.json"))
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "none") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("read-only folder", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everywhere")
		}
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(dir, 0o755)
		r := example()
		r.Verified = false
		if err := r.Write(path); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "writable") {
			t.Errorf("got %v", err)
		}
		unchanged(t, path)
	})
	t.Run("a folder in its place", func(t *testing.T) {
		in := filepath.Join(dir, "d", "r.json")
		if err := os.MkdirAll(filepath.Join(in, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := example().Write(in); err == nil {
			t.Error("no error")
		}
		if entries, err := os.ReadDir(filepath.Dir(in)); err != nil || len(entries) != 1 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
	})
}

func unchanged(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(data, example().Bytes()) {
		t.Errorf("the old record is not as it was: %v\n%s", err, data)
	}
}

func TestReplaceNumber(t *testing.T) {
	tests := []struct{ in, want string }{
		{"arn:aws:iam::123456789012:role/x", "arn:aws:iam::{account}:role/x"},
		{"123456789012", "{account}"},
		{"1234567890123", "1234567890123"},
		{"0123456789012", "0123456789012"},
		{"123456789012/123456789012-123456789012", "{account}/{account}-{account}"},
		{"123456789012123456789012", "123456789012123456789012"},
		{"9123456789012 123456789012", "9123456789012 {account}"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := replaceWord(tt.in, account, "{account}", digit); got != tt.want {
			t.Errorf("%q gave %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := replaceWord("x", "", "{account}", digit); got != "x" {
		t.Errorf("no account gave %q", got)
	}
}

func TestGeneralizeLeavesTheReceiverAlone(t *testing.T) {
	r := example()
	r.Generalize(Place{Account: account}, nil).Specialize(Place{Account: "1"})
	if diff := cmp.Diff(example(), r); diff != "" {
		t.Errorf("changed: %s", diff)
	}
}

func TestSplit(t *testing.T) {
	p := Split(example())
	names := func(s grant.Set) []string { return s.Permissions() }
	if got, want := names(p.InitOnly), []string{"iam:CreateRole", "s3:CreateBucket"}; !slices.Equal(got, want) {
		t.Errorf("init only %v, want %v", got, want)
	}
	if got, want := names(p.Ongoing), []string{"ec2:DescribeVpcs"}; !slices.Equal(got, want) {
		t.Errorf("ongoing %v, want %v", got, want)
	}
	if got, want := names(p.TeardownOnly), []string{"iam:DeleteRole"}; !slices.Equal(got, want) {
		t.Errorf("teardown only %v, want %v", got, want)
	}
}

func TestShowJSON(t *testing.T) {
	data, err := json.Marshal(ShowJSON(Record{Steps: []Step{
		{Name: "a", Phase: "ongoing", Role: "r", Grants: []Entry{{Permission: "x:Y", Resource: "*"}}},
		{Name: "b", Phase: "ongoing", Role: "r", Grants: []Entry{{Permission: "x:A", Resource: "*"}}},
		{Name: "c", Phase: "teardown"},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"init_only":[],"ongoing":[{"permission":"x:A","resource":"*"},{"permission":"x:Y","resource":"*"}],"teardown_only":[],` +
		`"steps":{"a":[{"permission":"x:Y","resource":"*"}],"b":[{"permission":"x:A","resource":"*"}],"c":[]},` +
		`"roles":{"c":[],"r":[{"permission":"x:A","resource":"*"},{"permission":"x:Y","resource":"*"}]}}`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

func TestDiff(t *testing.T) {
	steps := func(s string) Record { // "plan=A,B apply=C"
		var r Record
		for _, f := range strings.Fields(s) {
			name, perms, _ := strings.Cut(f, "=")
			st := Step{Name: name, Phase: "ongoing"}
			for _, p := range strings.Split(perms, ",") {
				if p != "" {
					st.Grants = append(st.Grants, Entry{Permission: p, Resource: "*"})
				}
			}
			r.Steps = append(r.Steps, st)
		}
		return r
	}
	tests := []struct{ before, after, new, gone, moved string }{
		{"plan=A,B", "plan=B,A", "", "", ""},
		{"plan=A", "plan=A,B", "plan:B", "", ""},
		{"plan=A,B", "plan=B", "", "plan:A", ""},
		{"plan=A apply=B", "plan=B apply=A", "", "", "A:plan>apply B:apply>plan"},
		{"plan=A apply=A", "plan= apply= new=A", "", "apply:A", "A:plan>new"},
		{"plan=A", "plan= x=A y=A", "y:A", "", "A:plan>x"},
		{"old=A,B", "renamed=A,B", "", "", "A:old>renamed B:old>renamed"},
		{"plan=A", "", "", "plan:A", ""},
	}
	for _, tt := range tests {
		c := Diff(steps(tt.before), steps(tt.after))
		list := func(gs []StepGrant) string {
			var l []string
			for _, g := range gs {
				l = append(l, g.Step+":"+g.Grant.Permission)
			}
			return strings.Join(l, " ")
		}
		var moved []string
		for _, m := range c.Moved {
			moved = append(moved, fmt.Sprintf("%s:%s>%s", m.Grant.Permission, m.From, m.To))
		}
		if list(c.New) != tt.new || list(c.Gone) != tt.gone || strings.Join(moved, " ") != tt.moved {
			t.Errorf("%s -> %s: new %q, gone %q, moved %q; want %q, %q, %q", tt.before, tt.after,
				list(c.New), list(c.Gone), moved, tt.new, tt.gone, tt.moved)
		}
		if c.Empty() != (tt.new+tt.gone+tt.moved == "") {
			t.Errorf("%s -> %s: Empty is wrong", tt.before, tt.after)
		}
	}
}

// anyRecord draws a sound record from few names, so that they meet.
func anyRecord(t *rapid.T) Record {
	text := rapid.SampledFrom([]string{"a:B", "a:C", "b:<&>", "*", "arn:aws:iam::" + account + ":role/x", "é\"\\\u2028", "q r"})
	maybe := rapid.SampledFrom([]string{"", "POST x", "p " + account})
	entry := func(optional bool) *rapid.Generator[Entry] {
		return rapid.Custom(func(t *rapid.T) Entry {
			e := Entry{
				Permission: text.Draw(t, "permission"), Resource: text.Draw(t, "resource"),
				Condition: rapid.SampledFrom([]string{"", `{"StringEquals":{"a:B":["p ` + account + `","x"]}}`, `{"StringEquals":{"k":"<&>"}}`}).Draw(t, "condition"),
				Request:   maybe.Draw(t, "request"), Purpose: maybe.Draw(t, "purpose"), Flag: maybe.Draw(t, "flag"), Difference: maybe.Draw(t, "difference"),
				Necessity: rapid.SampledFrom(necessities).Draw(t, "necessity"),
			}
			if optional {
				e.Necessity = rapid.SampledFrom([]string{"", "optional", "observed"}).Draw(t, "necessity")
			}
			return e
		})
	}
	r := Record{
		Version: Version, Cloud: rapid.SampledFrom(clouds).Draw(t, "cloud"), Sandbox: text.Draw(t, "sandbox"),
		Verified: rapid.Bool().Draw(t, "verified"),
		Inputs: Inputs{
			Digest: maybe.Draw(t, "digest"),
			Tools:  rapid.MapOf(text, maybe).Draw(t, "tools"),
		},
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-d]`), 0, 4, rapid.ID).Draw(t, "names") {
		r.Steps = append(r.Steps, Step{
			Name: name, Phase: rapid.SampledFrom(phases).Draw(t, "phase"),
			Role: rapid.SampledFrom([]string{"", "a", "r"}).Draw(t, "role"), Digest: rapid.SampledFrom([]string{"", "sha256:0a"}).Draw(t, "digest"), Runs: rapid.IntRange(0, 9).Draw(t, "runs"),
			Grants:   rapid.SliceOf(entry(false)).Draw(t, "grants"),
			Optional: rapid.SliceOf(entry(true)).Draw(t, "optional"),
		})
	}
	return r
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord(t)
		data := r.Bytes()

		back, err := Parse("r", data)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, data)
		}
		if diff := cmp.Diff(r.canonical(), back); diff != "" {
			t.Fatalf("(-written +read):\n%s", diff)
		}

		mixed := r
		mixed.Steps = slices.Clone(r.Steps)
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for i := range mixed.Steps {
			for _, list := range []*[]Entry{&mixed.Steps[i].Grants, &mixed.Steps[i].Optional} {
				*list = slices.Clone(*list)
				rnd.Shuffle(len(*list), func(a, b int) { (*list)[a], (*list)[b] = (*list)[b], (*list)[a] })
			}
		}
		if diff := cmp.Diff(string(data), string(mixed.Bytes())); diff != "" {
			t.Fatalf("another order gave other bytes:\n%s", diff)
		}

		general := r.Generalize(Place{Account: account}, nil)
		if bytes.Contains([]byte(fmt.Sprint(general.Steps)), []byte(account)) && !strings.Contains(fmt.Sprint(permissionsAndFlags(r)), account) {
			t.Fatalf("the account is still there: %v", general.Steps)
		}
		if diff := cmp.Diff(r.canonical(), general.Specialize(Place{Account: account})); diff != "" {
			t.Fatalf("there and back again:\n%s", diff)
		}

		var all grant.Set
		byName := make(map[string]grant.Set)
		for _, s := range r.Steps {
			all = all.Union(s.Set())
			byName[s.RoleName()] = byName[s.RoleName()].Union(s.Set())
		}
		p := Split(r)
		if union := p.InitOnly.Union(p.Ongoing).Union(p.TeardownOnly); !union.Equal(all) || p.InitOnly.Len()+p.Ongoing.Len()+p.TeardownOnly.Len() != all.Len() {
			t.Fatalf("not a partition: %v of %v", p, all.Slice())
		}
		roles := ByRole(r)
		if !slices.Equal(slices.Sorted(maps.Keys(roles)), slices.Sorted(maps.Keys(byName))) {
			t.Fatalf("roles %v, want %v", roles, byName)
		}
		for _, s := range r.Steps {
			if !s.Set().SubsetOf(roles[s.RoleName()]) {
				t.Fatalf("role %s does not cover step %s", s.RoleName(), s.Name)
			}
			if !roles[s.RoleName()].SubsetOf(all) {
				t.Fatalf("role %s holds what no step needs", s.RoleName())
			}
		}
		if !Diff(r, back).Empty() {
			t.Fatal("a record differs from itself")
		}
	})
}

// permissionsAndFlags is what Generalize leaves alone.
func permissionsAndFlags(r Record) []string {
	var l []string
	for _, s := range r.Steps {
		for _, e := range slices.Concat(s.Grants, s.Optional) {
			l = append(l, e.Permission, e.Flag)
		}
	}
	return l
}

func TestDiffAppliesBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyRecord(t), anyRecord(t)
		c, back := Diff(a, b), Diff(b, a)
		if len(c.New) != len(back.Gone) || len(c.Gone) != len(back.New) || len(c.Moved) != len(back.Moved) {
			t.Fatalf("%v\nand back %v", c, back)
		}
		sets := make(map[string]grant.Set) // a with the changes made is b
		for _, s := range a.Steps {
			sets[s.Name] = s.Set()
		}
		for _, g := range c.Gone {
			sets[g.Step] = sets[g.Step].Without(g.Grant)
		}
		for _, m := range c.Moved {
			sets[m.From] = sets[m.From].Without(m.Grant)
			sets[m.To] = sets[m.To].With(m.Grant)
		}
		for _, g := range c.New {
			sets[g.Step] = sets[g.Step].With(g.Grant)
		}
		for _, s := range b.Steps {
			if !sets[s.Name].Equal(s.Set()) {
				t.Fatalf("step %s: %v, want %v", s.Name, sets[s.Name].Slice(), s.Set().Slice())
			}
		}
	})
}

// FuzzParse holds that an error is within the file and comes alone, and that
// what is read is the same when it is written and read again.
func FuzzParse(f *testing.F) {
	f.Add(example().Bytes())
	f.Add([]byte(`{"version": 1, "cloud": "gcp", "steps": [{"name": 5}]}`))
	f.Add([]byte("{\"version\"\n:\n[[[{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse("f", data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T is not *Error", err)
			}
			lines := bytes.Split(data, []byte("\n"))
			if e.Line < 1 || e.Line > len(lines) || e.Col < 1 || e.Col > len(lines[e.Line-1])+1 {
				t.Fatalf("%v is not within the file", err)
			}
			if !cmp.Equal(r, Record{}) {
				t.Fatal("a record beside an error")
			}
			return
		}
		again, err := Parse("f", r.Bytes())
		if err != nil || !cmp.Equal(r, again) {
			t.Fatalf("read %v\nwritten and read again: %v, %v", r, again, err)
		}
	})
}

// A project's id is replaced where it stands as a word of its own.
func TestGeneralizeProject(t *testing.T) {
	for text, want := range map[string]string{
		"GET x/projects/my-lab/zones": "GET x/projects/{project}/zones", "my-lab": "{project}", "projects/my-lab-2": "projects/my-lab-2",
		"w-a@my-lab.iam.gserviceaccount.com": "w-a@{project}.iam.gserviceaccount.com", "not-my-lab": "not-my-lab", "my-labs": "my-labs",
	} {
		r := Record{Cloud: "gcp", Steps: []Step{{Name: "s", Grants: []Entry{{Permission: "x.y.get", Resource: "*", Request: text}}}}}
		general := r.Generalize(Place{Account: "my-lab"}, nil)
		if got := general.Steps[0].Grants[0].Request; got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		if got := general.Specialize(Place{Account: "my-lab"}).Steps[0].Grants[0].Request; got != text {
			t.Errorf("%s comes back as %s", text, got)
		}
	}
}

func TestGeneralizeNames(t *testing.T) {
	for resource, want := range map[string]string{
		"arn:aws:sqs:us-east-1:111122223333:acme-jobs":          "arn:aws:sqs:us-east-1:{account}:{prefix}-jobs",
		"arn:aws:iam::111122223333:role/acme":                   "arn:aws:iam::{account}:role/{prefix}",
		"arn:aws:iam::111122223333:role/acmes":                  "arn:aws:iam::{account}:role/acmes",
		"arn:aws:s3:::acme.example.com/acme/x":                  "arn:aws:s3:::{prefix}.{zone}/{prefix}/x",
		"arn:aws:sqs:us-east-1:111122223333:acme-acme-logs-big": "arn:aws:sqs:us-east-1:{account}:{prefix}-{long}-big",
		"arn:aws:iam::111122223333:role/team/x-acme":            "arn:aws:iam::{account}:role/team/x-{prefix}",
		"*": "*",
		"arn:aws:sqs:us-east-1:111122223333:jobs":  "arn:aws:sqs:us-east-1:{account}:jobs",
		"arn:aws:acme:us-east-1:111122223333:acme": "arn:aws:acme:us-east-1:{account}:{prefix}",
	} {
		r := Record{Steps: []Step{{Name: "s", Grants: []Entry{{Permission: "x:Y", Resource: resource}}}}}
		got := r.Generalize(Place{Account: "111122223333"}, map[string]string{"prefix": "acme", "zone": "example.com", "long": "acme-logs"})
		if got := got.Steps[0].Grants[0].Resource; got != want {
			t.Errorf("%s: got %s, want %s", resource, got, want)
		}
	}
}

// A tag whose key holds a name is the same under other names.
func TestGeneralizeTags(t *testing.T) {
	const condition = `{"StringEquals":{"aws:RequestTag/kubernetes.io/cluster/%s":"owned","aws:ResourceTag/owner":"%[1]s"}}`
	r := Record{Cloud: "aws", Steps: []Step{{Name: "s", Grants: []Entry{{Permission: "x:Y", Resource: "*", Condition: fmt.Sprintf(condition, "acme")}}}}}
	got := r.Generalize(Place{Account: "111122223333", Region: "us-east-1"}, map[string]string{"cluster": "acme"}).Steps[0].Grants[0].Condition
	if want := fmt.Sprintf(condition, "{cluster}"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The region is a variable where an ARN or a host has it, and nowhere else.
func TestGeneralizeRegion(t *testing.T) {
	r := Record{Version: Version, Cloud: "aws", Steps: []Step{{Name: "a", Phase: "init", Grants: []Entry{
		{Permission: "s3:GetObject", Resource: "arn:aws:s3:::logs-us-east-1/x", Necessity: "observed", Request: "GET s3.us-east-1.amazonaws.com"},
		{Permission: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:111122223333:us-east-1", Necessity: "observed"},
		{Permission: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-2:111122223333:jobs", Necessity: "observed", Request: "POST sqs.us-east-2.amazonaws.com"},
	}}}}
	at := Place{Account: "111122223333", Region: "us-east-1"}
	got := r.Generalize(at, nil)
	want := []Entry{
		{Permission: "s3:GetObject", Resource: "arn:aws:s3:::logs-us-east-1/x", Necessity: "observed", Request: "GET s3.{region}.amazonaws.com"},
		{Permission: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-2:{account}:jobs", Necessity: "observed", Request: "POST sqs.us-east-2.amazonaws.com"},
		{Permission: "sqs:SendMessage", Resource: "arn:aws:sqs:{region}:{account}:us-east-1", Necessity: "observed"},
	}
	if diff := cmp.Diff(want, got.Steps[0].Grants); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(r.canonical(), got.Specialize(at)); diff != "" {
		t.Errorf("and back (-want +got):\n%s", diff)
	}
}
