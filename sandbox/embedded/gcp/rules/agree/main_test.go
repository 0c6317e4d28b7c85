package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	list := func(s string) []string { return strings.Fields(s) }
	for _, tt := range []struct{ always, sometimes, theirs, maybe, want string }{
		{"a.b.get", "", "a.b.get", "", agrees},
		{"a.b.create", "a.c.use", "a.b.create", "", agrees},
		{"a.b.create", "a.c.use", "a.b.create a.c.use", "", agrees},
		{"a.b.create", "", "a.b.create", "a.c.use", agrees},
		{"a.b.create a.c.use", "", "a.b.create", "a.c.use", agrees},
		{"a.b.create", "", "a.b.create a.c.use", "", lacks},
		{"a.b.create a.c.use", "", "a.b.create", "", more},
		{"a.b.getHealth", "", "a.b.get", "", differs},
		{"a.b.get", "", "", "", silent},
		{"", "", "a.b.list", "", nothing},
		{"", "", "", "", agrees},
	} {
		got := compare(checks{list(tt.always), list(tt.sometimes)}, checks{list(tt.theirs), list(tt.maybe)})
		if got != tt.want {
			t.Errorf("%+v: got %q", tt, got)
		}
	}
}

func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "table.tsv")
	table := "# method\tpermissions\n" +
		"compute.firewalls.insert\tcompute.firewalls.create,compute.networks.updatePolicy\n" +
		"compute.instances.get\tcompute.instances.list\n" +
		"compute.instances.insert\tcompute.instances.create,iam.serviceAccounts.actAs?\n" +
		"aiplatform.models.get\taiplatform.models.get\n"
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(&out, file, true); err != nil {
		t.Fatal(err)
	}
	want := "other permissions\tcompute.instances.get\tours compute.instances.get []\ttheirs compute.instances.list []\n" +
		"| API | methods | agrees | the gate lacks | the gate has more | other permissions | the table says none | the gate checks none |\n" +
		"|---|---|---|---|---|---|---|---|\n" +
		"| compute | 3 | 2 | 0 | 0 | 1 | 0 | 0 |\n" +
		"| all | 3 | 2 | 0 | 0 | 1 | 0 | 0 |\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(file, []byte("no tab\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(&out, file, false); err == nil || !strings.Contains(err.Error(), "line 1: no tab") {
		t.Errorf("got %v", err)
	}
}
