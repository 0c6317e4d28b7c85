package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/whittle-iam/whittle/harness/record"
)

// Two stacks are probed at once in one account or project: both find what each of
// them needs, what is cleaned away of one is not the other's, and others' bindings
// are as they were.
func TestTwoStacksShareAPool(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs moto")
	}
	for cloud, stack := range map[string]struct{ sandbox, named, calls, queue, before, after string }{
		"aws": {`{account: "123456789012", region: us-east-1}`, "123456789012", "calls", "create-queue", "create-user somebody\nattach-user-policy somebody\ncreate-role theirs\ndetails before\n", "details after\n"},
		"gcp": {`{project: whittle-sandbox}`, "whittle-sandbox", "google-calls", "create-topic", "bind roles/viewer user:somebody@example.com\npolicy before\n", "policy after\n"},
	} {
		t.Run(cloud, func(t *testing.T) {
			t.Parallel()
			c := startCloud(t, cloud)
			others := stackIn(t, map[string]string{"before.txt": stack.before, "after.txt": stack.after})
			if got := c.run(t, others, nil, stack.calls, "before.txt"); got.code != 0 {
				t.Fatal(got.errors)
			}
			same := func() {
				t.Helper()
				if got := c.run(t, others, nil, stack.calls, "after.txt"); got.code != 0 {
					t.Fatal(got.errors)
				}
				before, err1 := os.ReadFile(filepath.Join(others, "before"))
				after, err2 := os.ReadFile(filepath.Join(others, "after"))
				if err1 != nil || err2 != nil || string(before) != string(after) {
					t.Errorf("what others have was\n%s\nand is\n%s\n%v %v", before, after, err1, err2)
				}
			}
			var stacks [2]string
			var both sync.WaitGroup
			for i := range stacks {
				stacks[i] = stackIn(t, map[string]string{
					"whittle.yaml": fmt.Sprintf("cloud: %s\nsandbox: %s\nlifecycle:\n  - {name: make, phase: init, command: [%s, calls.txt]}\n  - {name: more, phase: ongoing, command: [%[3]s, more.txt]}\n", cloud, stack.sandbox, stack.calls),
					"calls.txt":    fmt.Sprintf("%s q%d\n", stack.queue, i), "more.txt": strings.Repeat(fmt.Sprintf("%s m%d\n", stack.queue, i), i),
				})
				both.Go(func() {
					got := c.run(t, stacks[i], nil, "whittle", "probe", "--no-verify", "--no-reference", "--yes", "--target-is-sandbox", stack.named)
					if got.code != exitDone {
						t.Errorf("exit %d: %s%s", got.code, got.out, got.errors)
					}
				})
			}
			both.Wait()
			for i, dir := range stacks {
				rec, err := record.Read(filepath.Join(dir, "whittle.lock.json"))
				if err != nil {
					t.Fatal(err)
				}
				if n, m := len(rec.Steps[0].Grants), len(rec.Steps[1].Grants); n != 1 || m != i {
					t.Errorf("stack %d: %d and %d grants", i, n, m)
				}
				if text, _ := os.ReadFile(filepath.Join(dir, "whittle.lock.json")); strings.Contains(string(text), fmt.Sprintf("q%d", 1-i)) {
					t.Errorf("stack %d needs what the other makes", i)
				}
			}
			if cloud == "gcp" {
				same()
			}
			first := c.run(t, stacks[0], nil, "whittle", "clean", "--purge")
			second := c.run(t, stacks[1], nil, "whittle", "clean", "--purge")
			if n, m := strings.Count(first.out, "deleted "), strings.Count(second.out, "deleted "); n != m || n < 2 {
				t.Errorf("of the first %d are deleted, of the second %d:\n%s%s", n, m, first.out, second.out)
			}
			same()
		})
	}
}
