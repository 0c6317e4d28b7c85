package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
)

func TestRoleFile(t *testing.T) {
	create := grant.Grant{Permission: "compute.networks.create", Resource: "*"}
	get := grant.Grant{Permission: "compute.networks.get", Resource: "*"}
	queue := "arn:aws:sqs:us-east-1:123456789012:jobs"
	for _, tt := range []struct {
		name, text string
		want       grant.Set
		err        string
	}{
		{"a role of gcloud", "etag: abc\nincludedPermissions:\n- compute.networks.create\n- compute.networks.get\nname: projects/p/roles/x\n", grant.Of(create, get), ""},
		{"the same in JSON", `{"includedPermissions": ["compute.networks.create", "compute.networks.get"], "stage": "GA"}`, grant.Of(create, get), ""},
		{"a list", "# by hand\ncompute.networks.create\n\ncompute.networks.get # to read back\n", grant.Of(create, get), ""},
		{"a list with resources", "sqs:SendMessage " + queue + "\n", grant.Of(grant.Grant{Permission: "sqs:SendMessage", Resource: queue}), ""},
		{"a policy", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": "` + queue + `"}]}`,
			grant.Of(grant.Grant{Permission: "sqs:SendMessage", Resource: queue}), ""},
		{"a wildcard", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}`, grant.Set{}, "sqs:*: a wildcard cannot be taken apart"},
		{"a condition", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", "Condition": {"StringEquals": {"a": "b"}}}]}`,
			grant.Of(grant.Grant{Permission: "sqs:SendMessage", Resource: "*", Condition: `{"StringEquals":{"a":"b"}}`}), ""},
		{"a condition on a variable", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", "Condition": {"StringEquals": {"a": "${aws:username}"}}}]}`, grant.Set{}, "cannot be said as grants"},
		{"nothing", "# no\n", grant.Set{}, "no permission in it"},
		{"prose", "please give us all of it\n", grant.Set{}, ":1: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "role")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			lc := lifecycle.Lifecycle{Dir: dir, Start: "role", Steps: []lifecycle.Step{{Name: "a"}, {Name: "b"}}}
			got, err := startOf(lc, "", record.Place{})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), file) {
					t.Errorf("error %v, want one that names the file and says %q", err, tt.err)
				}
				return
			}
			if err != nil || !got["a"].Equal(tt.want) || !got["b"].Equal(tt.want) {
				t.Errorf("%v, %v; want %v for each step", got, err, tt.want)
			}
		})
	}
}

func TestStartOfRecord(t *testing.T) {
	lc := lifecycle.Lifecycle{Cloud: "aws", Start: "record", Names: map[string]string{"prefix": "beta"}}
	if _, err := startOf(lc, filepath.Join(t.TempDir(), "whittle.lock.json"), record.Place{Account: "1"}); err == nil || !strings.Contains(err.Error(), "start: empty first") {
		t.Errorf("no record: %v", err)
	}
	file := filepath.Join(t.TempDir(), "whittle.lock.json")
	if err := os.WriteFile(file, []byte(`{"version": 1, "cloud": "aws", "sandbox": "embedded", "verified": true, "inputs": {"digest": "sha256:1", "tools": {}},
  "steps": [{"name": "a", "phase": "init", "runs": 1, "grants": [
    {"permission": "sqs:SendMessage", "resource": "arn:aws:sqs:us-east-1:{account}:{prefix}-jobs", "necessity": "observed"}]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := startOf(lc, file, record.Place{Account: "123456789012"})
	want := grant.Of(grant.Grant{Permission: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:123456789012:beta-jobs"})
	if err != nil || !got["a"].Equal(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// A list as emit writes it has the record's placeholders.
func TestStartOfList(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "role.txt"), []byte("sqs:SendMessage arn:aws:sqs:us-east-1:{account}:{prefix}-jobs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lc := lifecycle.Lifecycle{Cloud: "aws", Dir: dir, Start: "role.txt", Names: map[string]string{"prefix": "beta"}, Steps: []lifecycle.Step{{Name: "a"}}}
	got, err := startOf(lc, "", record.Place{Account: "123456789012"})
	want := grant.Of(grant.Grant{Permission: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:123456789012:beta-jobs"})
	if err != nil || !got["a"].Equal(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// said is an operator whose audit log is one entry for each question, of another
// permission each time.
type said struct {
	operator
	asked *int
}

func (s said) witness(lifecycle.Trail) (auditLog, time.Duration, time.Duration) { return s, 0, 0 }

func (s said) Read(_ context.Context, principals []string, from, to time.Time) ([]audit.Entry, error) {
	*s.asked++
	return []audit.Entry{{Time: from, Principal: principals[0], Permission: fmt.Sprintf("pubsub.topics.get%d", *s.asked)},
		{Time: to, Principal: principals[0], Permission: "pubsub.topics.delete", Refused: true}}, nil
}

func (s said) Others(context.Context, []string) (map[string][]audit.Binding, error) { return nil, nil }

// A run that is resumed begins with what the log said at first.
func TestStartByAuditIsKept(t *testing.T) {
	lc := lifecycle.Lifecycle{File: "whittle.yaml", Cloud: "gcp", Start: lifecycle.StartAudit, Used: &lifecycle.Used{Principal: "ann@example.com"},
		Steps: []lifecycle.Step{{Name: "a"}, {Name: "b"}}}
	asked := 0
	st := &stage{lc: lc, show: newProgress(io.Discard, nil), place: &place{operator: said{asked: &asked}}}
	defer st.show.close()
	rd := &rundir{dir: t.TempDir()}
	want := grant.Of(grant.Grant{Permission: "pubsub.topics.get1", Resource: "*"})
	for range 2 {
		start, err := st.start(t.Context(), rd, "")
		if err != nil || !start["a"].Equal(want) || !start["b"].Equal(want) || asked != 1 {
			t.Fatalf("%v, %v, asked %d times", start, err, asked)
		}
	}
	if start, err := st.start(t.Context(), &rundir{dir: t.TempDir()}, ""); err != nil || start["a"].Equal(want) {
		t.Fatalf("another run: %v, %v", start, err)
	}
}
