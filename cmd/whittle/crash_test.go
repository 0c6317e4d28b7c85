package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
)

// How long the tests that kill are: `make soak` says more. A seed that failed is
// run again alone with -crash-seed.
var (
	crashSeeds = flag.Int("crash-seeds", 4, "how many seeded kills of a probe with a fast terraform")
	crashReal  = flag.Int("crash-real", 0, "how many seeded kills of a probe with the real terraform")
	crashSeed  = flag.Int("crash-seed", -1, "only this seed")
	crashTime  = flag.Duration("crash-time", 0, "take no further seed when this long is over; 0 is no bound")
)

const crashStack = `cloud: gcp
sandbox: embedded
terraform: {path: fake-terraform}
lifecycle:
  - {name: apply,   phase: init,     role: applier, terraform: {dir: infra, command: apply}}
  - {name: smoke,   phase: ongoing,  command: [google-calls, calls.txt]}
  - {name: replan,  phase: ongoing,  role: planner, terraform: {dir: infra, command: plan}, access: read}
  - {name: destroy, phase: teardown, terraform: {dir: infra, command: destroy}}
`

// outcome counts what kills came to.
type outcome struct{ tried, wrong, lost, left int }

func (o outcome) String() string {
	return fmt.Sprintf("tried %d, survived %d, wrong %d, lost %d, leftovers %d", o.tried, o.tried-o.wrong-o.lost-o.left, o.wrong, o.lost, o.left)
}

// crashed is a stack that is probed, killed and resumed on a cloud that lives on.
type crashed struct {
	cloud cloudProcess
	at    *lasting
	dir   string
	bad   outcome
	fresh string // the snapshot of the cloud before anything was done
	want  []byte // the record of a run that was left alone
	lines int    // of its journal
	took  time.Duration
	flags []string
}

func newCrashed(t *testing.T, cloud string, files map[string]string, flags ...string) *crashed {
	t.Helper()
	c := &crashed{cloud: startCloud(t, cloud), dir: stackIn(t, files), flags: append([]string{"probe", "--certify", "none"}, flags...)}
	var err error
	if c.at, err = lastingAt(t.Context(), c.cloud.env[lastingVariable], cloud); err == nil {
		c.fresh, err = c.at.Snapshot(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	got := c.cloud.run(t, c.dir, nil, "whittle", c.flags...)
	if got.code != exitDone {
		t.Fatalf("a run that is left alone: exit %d: %s", got.code, got.errors)
	}
	c.took = time.Since(began)
	if c.want, err = os.ReadFile(filepath.Join(c.dir, "whittle.lock.json")); err != nil {
		t.Fatal(err)
	}
	c.lines = len(c.journal(t))
	return c
}

// journal is that of the newest run, whatever its state.
func (c *crashed) journal(t *testing.T) []journal.Event {
	t.Helper()
	runs, err := journal.Runs(filepath.Join(c.dir, ".whittle"))
	if err != nil || len(runs) == 0 {
		return nil
	}
	f, err := os.Open(filepath.Join(runs[len(runs)-1], journal.FileName))
	if err != nil {
		return nil // killed before it was there
	}
	defer f.Close()
	events, err := journal.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// kill starts a run and kills it with SIGKILL when its journal has the given
// number of lines, and a moment later. Killed tells whether it came to that.
func (c *crashed) kill(t *testing.T, flags []string, lines int, later time.Duration, more ...string) (killed bool) {
	t.Helper()
	cmd := c.cloud.command(t.Context(), c.dir, nil, "whittle", append(slices.Clone(flags), more...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	before := len(c.journalFiles())
	if len(more) > 0 {
		before-- // it goes on with the newest
	}
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("ended before it was killed: %v\n%s", err, said.String())
			}
			return false
		case <-time.After(2 * time.Millisecond):
		}
		files := c.journalFiles()
		if len(files) <= before {
			continue
		}
		if text, err := os.ReadFile(files[len(files)-1]); err != nil || bytes.Count(text, []byte("\n")) < lines {
			continue
		}
		time.Sleep(later)
		_ = cmd.Process.Signal(syscall.SIGKILL) // it may have ended
		<-ended
		return true
	}
}

func (c *crashed) journalFiles() []string {
	files, _ := filepath.Glob(filepath.Join(c.dir, ".whittle", "run-*", journal.FileName)) // the pattern is good
	return files
}

// intended are the grants that a journal says were intended, by step.
func intended(events []journal.Event) map[string][]grant.Grant {
	all := map[string][]grant.Grant{}
	for _, e := range events {
		if e.Kind == journal.KindIntent && e.Pass == journal.PassGrow {
			all[e.Step] = append(all[e.Step], e.Grants...)
		}
	}
	return all
}

// seed kills one run at a point that the seed chooses, once or twice, and either
// resumes it or cleans up.
func (c *crashed) seed(t *testing.T, seed int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(seed), 9))
	if err := c.at.Restore(t.Context(), c.fresh); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(c.dir, ".whittle")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.dir, "whittle.lock.json")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	flags := slices.Clone(c.flags)
	if seed%2 == 1 && !slices.Contains(flags, "--no-reference") { // more of the kills fall into the growth, and the record is the same
		flags = append(flags, "--no-reference")
	}
	at := 1 + rnd.IntN(c.lines)
	later := time.Duration(rnd.IntN(40)) * time.Millisecond
	killed := c.kill(t, flags, at, later)
	if killed {
		c.bad.tried++
	}
	journalled := intended(c.journal(t))
	attempted := slices.ContainsFunc(c.journal(t), func(e journal.Event) bool { return e.Kind == journal.KindAttempt })
	ended := slices.ContainsFunc(c.journal(t), func(e journal.Event) bool { return e.Kind == journal.KindEnd })
	seen := len(c.journal(t))
	if killed && attempted && !ended && seed%3 == 0 { // and once more, on the way back
		c.bad.tried++
		killed = c.kill(t, flags, seen+1+rnd.IntN(c.lines), later, "--resume")
		journalled = intended(c.journal(t))
		ended = slices.ContainsFunc(c.journal(t), func(e journal.Event) bool { return e.Kind == journal.KindEnd })
		seen = len(c.journal(t))
	}
	if seed%5 != 4 {
		if killed && attempted && !ended {
			flags = append(flags, "--resume")
		}
		got := c.cloud.run(t, c.dir, nil, "whittle", flags...)
		if got.code != exitDone {
			c.bad.lost++
			t.Fatalf("killed at line %d and %v later, then %v: exit %d: %s", at, later, flags, got.code, got.errors)
		}
		record, err := os.ReadFile(filepath.Join(c.dir, "whittle.lock.json"))
		if err != nil || !bytes.Equal(record, c.want) {
			c.bad.wrong++
			t.Errorf("killed at line %d and %v later, another record, %v:\n%s\nwant\n%s", at, later, err, record, c.want)
		}
		if flags[len(flags)-1] == "--resume" {
			for _, e := range c.journal(t)[seen:] {
				if e.Kind == journal.KindIntent && e.Pass == journal.PassGrow && slices.ContainsFunc(e.Grants, func(g grant.Grant) bool { return slices.Contains(journalled[e.Step], g) }) {
					c.bad.lost++
					t.Errorf("killed at line %d and %v later: step %s was asked again for %v", at, later, e.Step, e.Grants)
				}
			}
		}
	}
	// All that is left is known to clean.
	if got := c.cloud.run(t, c.dir, nil, "whittle", "clean", "--purge"); got.code != exitDone {
		t.Errorf("clean: exit %d: %s", got.code, got.errors)
	}
	if runs, err := journal.Runs(filepath.Join(c.dir, ".whittle")); err != nil || len(runs) > 0 {
		t.Errorf("runs are left: %v, %v", runs, err)
	}
}

// left is what a Google project has of identities and bindings.
func (c *crashed) left(t *testing.T) string {
	t.Helper()
	dir := stackIn(t, map[string]string{"list.txt": "identities identities\npolicy policy\n"})
	if got := c.cloud.run(t, dir, nil, "google-calls", "list.txt"); got.code != 0 {
		t.Fatal(got.errors)
	}
	identities, err1 := os.ReadFile(filepath.Join(dir, "identities"))
	policy, err2 := os.ReadFile(filepath.Join(dir, "policy"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return string(identities) + string(policy)
}

// A probe that is killed at any moment, with the cloud alive, is gone on with to
// the same bytes: the start is restored, so that what was made and never reached
// the tool's state is gone; nothing that the journal has is asked for again; and
// no identity, role or binding is left that clean does not know.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: runs whittle many times")
	}
	t.Parallel()
	c := newCrashed(t, "gcp", map[string]string{
		"whittle.yaml": crashStack, "calls.txt": "list-topics\n",
		"infra/main.tf": "# topic alpha\n# topic beta\n# zone corp\n# bucket whittle-crash-bucket\n",
	})
	if !bytes.Contains(c.want, []byte(`"verified": true`)) || !bytes.Contains(c.want, []byte("dns.managedZones.create")) {
		t.Fatalf("the record of a run that is left alone:\n%s", c.want)
	}
	if err := c.at.Restore(t.Context(), c.fresh); err != nil {
		t.Fatal(err)
	}
	before := c.left(t)
	seeds := make([]int, *crashSeeds)
	for i := range seeds {
		seeds[i] = i
	}
	if *crashSeed >= 0 {
		seeds = []int{*crashSeed}
	}
	began := time.Now()
	for i, seed := range seeds {
		if *crashTime > 0 && time.Since(began) > *crashTime {
			t.Logf("after %s only %d of %d seeds are through", *crashTime, i, len(seeds))
			seeds = seeds[:i]
			break
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			c.seed(t, seed)
			if after := c.left(t); after != before {
				c.bad.left++
				t.Errorf("left after clean:\n%s\nbefore:\n%s", after, before)
			}
			if t.Failed() {
				t.Logf("again: go test -run TestKilled -crash-seed %d ./cmd/whittle", seed)
			}
		})
	}
	t.Logf("SOAK kills: %v", c.bad)
	t.Logf("a run that was left alone took %v and %d lines of journal; %d were killed", c.took.Round(time.Millisecond), c.lines, len(seeds))
}

// The same with the real terraform and its provider.
func TestKilledTerraform(t *testing.T) {
	if testing.Short() || *crashReal == 0 {
		t.Skip("SKIPPED without -crash-real: takes minutes, and needs terraform and moto")
	}
	files := map[string]string{}
	source := filepath.Dir(tinyStack)
	entries, err := os.ReadDir(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if text, err := os.ReadFile(filepath.Join(source, e.Name())); err == nil && !strings.HasPrefix(e.Name(), ".") {
			files[e.Name()] = string(text)
		}
	}
	c := newCrashed(t, "aws", files, "--no-reference", "--no-verify")
	for seed := range *crashReal {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { c.seed(t, seed) })
	}
	t.Logf("SOAK kills with the real terraform: %v", c.bad)
}

// A whittle that is killed outright leaves nothing running of a command's step,
// wherever that has gone: it would run on with a proxy that is gone.
func TestKilledTakesItsStep(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("SKIPPED with -short, and elsewhere than on Linux: nothing tells a shim of its parent's end there")
	}
	t.Parallel()
	dir := stackIn(t, map[string]string{
		"whittle.yaml": "cloud: gcp\nsandbox: embedded\nlifecycle:\n  - {name: stay, phase: init, command: [sh, stay.sh], env: {PIDS: ../../../pids}}\n",
		"stay.sh":      "sleep 1000 & echo $! >> $PIDS\nsetsid sleep 1000 & echo $! >> $PIDS\necho $$ >> $PIDS\nsleep 1000\n",
	})
	cmd := cloudProcess{}.command(t.Context(), dir, nil, "whittle", "probe", "--no-reference", "--certify", "none")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var pids []string
	for len(pids) < 3 {
		select {
		case err := <-ended:
			t.Fatalf("ended before it was killed: %v\n%s", err, said.String())
		case <-time.After(10 * time.Millisecond):
		}
		text, _ := os.ReadFile(filepath.Join(dir, "pids")) // until it is there
		pids = strings.Fields(string(text))
	}
	_ = cmd.Process.Kill()
	<-ended
	for _, pid := range pids {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil || bytes.Contains(stat, []byte(") Z ")) {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s", stat)
				break
			}
		}
	}
}
