package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
)

// The main job: the real terraform with the real hashicorp/aws provider, the
// examples as they stand in docs, and only the cloud simulated; see also
// stack_test.go.
const (
	smallStack = "../../docs/examples/aws-small/whittle.yaml"
	// tinyStack is two resources, with 3 s of propagation.
	tinyStack = "testdata/tiny/whittle.yaml"
)

// probed is what one `whittle probe` left behind.
type probed struct {
	rec    record.Record
	bytes  []byte
	sum    probeSummary
	events []journal.Event
	told   string // what it printed for people
}

// probeStack probes a stack. It fails where terraform or moto is missing:
// nothing here is skipped but with -short.
func probeStack(t *testing.T, stack string, flags ...string) (probed, error) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs terraform, the aws provider and moto")
	}
	dir := t.TempDir()
	file, work := filepath.Join(dir, "whittle.lock.json"), filepath.Join(dir, "work")
	var stdout, stderr strings.Builder
	// Growth and verification alone, unless a flag after it says otherwise.
	args := append([]string{"probe", "--json", "--certify", "none", "--file", stack, "--record", file, "--work", work}, flags...)
	code := run(t.Context(), args, streams{in: strings.NewReader(""), out: &stdout, err: io.MultiWriter(&stderr, testWriter{t})})
	if code != exitDone {
		return probed{}, fmt.Errorf("whittle %s: exit %d\n%s", strings.Join(args, " "), code, stderr.String())
	}
	p := probed{told: stderr.String()}
	var err error
	if p.rec, err = record.Read(file); err != nil {
		return p, err
	}
	if p.bytes, err = os.ReadFile(file); err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(stdout.String()), &p.sum); err != nil {
		return p, err
	}
	runs, err := journal.Runs(work)
	if err != nil || len(runs) != 1 {
		return p, fmt.Errorf("runs %v: %w", runs, err)
	}
	f, err := os.Open(filepath.Join(runs[0], journal.FileName))
	if err != nil {
		return p, err
	}
	defer f.Close()
	p.events, err = journal.Read(f)
	return p, err
}

// testWriter shows progress in the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

var generated = regexp.MustCompile(`\b(vpc|subnet|rtb|sg|acl)-[0-9a-f]{8,}|[0-9a-f]{8}-[0-9a-f]{4}-|\b\d{12}\b`)

// checkSmall says what is wrong with a record of the example.
func checkSmall(p probed) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	must := map[string][]string{
		"apply": {"ec2:CreateVpc", "ec2:CreateSubnet", "ec2:CreateTags", "ec2:ModifyVpcAttribute", "s3:CreateBucket",
			"s3:PutBucketVersioning", "sqs:CreateQueue", "kms:CreateKey", "iam:CreateRole"},
		"replan":  {"ec2:DescribeVpcs", "s3:ListBucket", "sqs:GetQueueAttributes", "kms:DescribeKey", "iam:GetRole"},
		"update":  {"sqs:SetQueueAttributes", "s3:PutBucketVersioning"},
		"destroy": {"ec2:DeleteVpc", "ec2:DeleteSubnet", "s3:DeleteBucket", "sqs:DeleteQueue", "kms:ScheduleKeyDeletion", "iam:DeleteRole"},
	}
	for _, s := range p.rec.Steps {
		if s.Runs != 1 {
			wrong("step %s took %d runs of growth, want 1", s.Name, s.Runs)
		}
		have := s.Set().Permissions()
		for _, want := range must[s.Name] {
			if !slices.Contains(have, want) {
				wrong("step %s lacks %s", s.Name, want)
			}
		}
		for _, e := range s.Grants {
			_, verb, _ := strings.Cut(e.Permission, ":")
			if s.Name != "destroy" && (strings.HasPrefix(verb, "Delete") || strings.HasPrefix(verb, "ScheduleKeyDeletion")) {
				wrong("step %s holds %s: clean-up that it does not need", s.Name, e.Permission)
			}
			if strings.HasSuffix(s.Name, "plan") && !catalog.Level(e.Permission).Reads() {
				wrong("step %s holds %s, which does not only read", s.Name, e.Permission)
			}
			if strings.Contains(e.Permission, "*") || e.Necessity != "observed" {
				wrong("step %s: %s is %s", s.Name, e.Permission, e.Necessity)
			}
		}
	}
	if len(p.rec.Steps) != 5 {
		wrong("%d steps, want 5", len(p.rec.Steps))
	}
	if id := generated.Find(p.bytes); id != nil {
		wrong("the record holds the generated id %s", id)
	}
	return errors.Join(append(errs, unseen(p))...)
}

// unseen says which refusals the client saw while a role grew.
func unseen(p probed) error {
	var errs []error
	for _, e := range p.events {
		if e.Pass == journal.PassGrow && e.Kind == journal.KindDelivered {
			errs = append(errs, fmt.Errorf("step %s: the client saw a refusal of %s", e.Step, e.Class))
		}
	}
	return errors.Join(errs...)
}

func TestProbeSmallStack(t *testing.T) {
	t.Parallel()
	p, err := probeStack(t, smallStack, "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	if err := checkSmall(p); err != nil {
		t.Error(err)
	}
	if !p.rec.Verified {
		t.Error("not verified")
	}
}

// Grants that take 3 s to come into force still take one run of each step, and
// no client sees a refusal.
func TestProbeWithPropagation(t *testing.T) {
	t.Parallel()
	p, err := probeStack(t, tinyStack, "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	for _, s := range p.sum.Steps {
		if s.Runs != 1 || s.Refusals == 0 && s.Name != "plan" {
			t.Errorf("step %s: %d runs, %d refusals held; want 1 run and some", s.Name, s.Runs, s.Refusals)
		}
	}
	if !p.rec.Verified {
		t.Error("not verified")
	}
	if !strings.Contains(string(p.bytes), `role/tiny-worker-*"`) || regexp.MustCompile(`tiny-worker-\d`).Match(p.bytes) {
		t.Errorf("a name that the provider makes up is not written as its prefix:\n%s", p.bytes)
	}
}

// Ctrl-C while terraform applies, and then --resume: terraform and its provider
// end, and what they had made does not show in what the steps need.
func TestResumeTerraform(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs terraform, the aws provider and moto")
	}
	t.Parallel()
	dir := t.TempDir()
	file, work := filepath.Join(dir, "whittle.lock.json"), filepath.Join(dir, "work")
	args := []string{"probe", "--file", tinyStack, "--record", file, "--work", work, "--no-reference", "--no-verify", "--certify", "none"}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	made := make(chan struct{})
	go func() {
		defer close(made)
		for ctx.Err() == nil {
			data, _ := os.ReadFile(filepath.Join(work, "run-0001", journal.FileName))
			for line := range strings.Lines(string(data)) {
				if strings.Contains(line, `"let_through"`) && strings.Contains(line, "CreateRole") {
					interrupt()
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	code := run(ctx, args, streams{out: io.Discard, err: testWriter{t}})
	interrupt()
	<-made
	if code != exitInterrupted {
		t.Fatalf("interrupted: exit %d, want %d", code, exitInterrupted)
	}
	if code := run(t.Context(), append(args, "--resume"), streams{out: io.Discard, err: testWriter{t}}); code != exitDone {
		t.Fatalf("resumed: exit %d", code)
	}
	rec, err := record.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rec.Steps {
		has := slices.Contains(s.Set().Permissions(), "iam:GetRole")
		if want := s.Name != "plan"; has != want {
			t.Errorf("step %s needs iam:GetRole: %t, want %t", s.Name, has, want)
		}
		if s.Runs != 1 {
			t.Errorf("step %s took %d runs", s.Name, s.Runs)
		}
	}
}

// TestCertifyTerraform: the real Terraform and its provider quote every refusal
// that is made on purpose, all grants are certified, and no step takes more runs
// than its chain has links, and two.
func TestCertifyTerraform(t *testing.T) {
	t.Parallel()
	p, err := probeStack(t, tinyStack, "--certify", "fast")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.rec.Steps {
		for _, e := range s.Grants {
			if e.Necessity != "certified" {
				t.Errorf("step %s: %s is %s", s.Name, e.Permission, e.Necessity)
			}
		}
	}
	asked := 0
	for _, s := range p.sum.Steps {
		asked += s.Questions
		if s.Withheld > s.Chain+2 || s.PutBack > 0 {
			t.Errorf("step %s: %d runs withheld requests, in a chain of %d; %d grants were put back", s.Name, s.Withheld, s.Chain, s.PutBack)
		}
	}
	if asked == 0 || !p.rec.Verified {
		t.Errorf("%d questions were asked; verified %t", asked, p.rec.Verified)
	}
}

// With the gate open nothing is refused, and every test of this file must fail.
// The canary is the first to notice: no role is believed to be in force.
func TestProbeFailsWithTheGateOpen(t *testing.T) {
	for _, stack := range []string{smallStack, tinyStack, stack, googleStack} {
		t.Run(filepath.Base(filepath.Dir(stack)), func(t *testing.T) {
			t.Parallel()
			_, err := probeStack(t, stack, "--gate=open", "--no-reference", "--no-verify")
			if !noticed(err) {
				t.Errorf("got %v; want the canary's error", err)
			}
		})
	}
}
