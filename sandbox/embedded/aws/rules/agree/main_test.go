package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// page is of the form of AWS's: an action's cells span the rows of its types.
const page = `<html><body><p>AWS Key Management Service (service prefix: <code>kms</code>) provides</p>
<table><tr><th>Other</th></tr><tr><td>kms:CreateKey</td></tr></table>
<table><thead><tr><th>Actions</th><th>Description</th><th>Access level</th><th>Resource types (*required)</th><th>Keys</th><th>Dependent</th></tr></thead>
<tr><td rowspan="2"><a>CreateAlias</a></td><td rowspan="2">makes one</td><td rowspan="2">Write</td><td>alias*</td><td></td><td></td></tr>
<tr><td>key*</td><td></td><td></td></tr>
<tr><td>CreateKey</td><td>makes one</td><td>Write</td><td></td><td>aws:RequestTag</td><td></td></tr>
<tr><td>ListAliases</td><td>lists</td><td>List</td><td>key*</td><td></td><td></td></tr>
<tr><td>DescribeKey</td><td>reads</td><td>Read</td><td></td><td></td><td></td></tr>
<tr><td>TagResource [permission only]</td><td>tags</td><td>Tagging</td><td>key</td><td></td><td></td></tr>
</table></body></html>`

const written = `{
  "version": 1,
  "cloud": "aws",
  "sandbox": "embedded",
  "verified": true,
  "inputs": {"digest": "sha256:2e7d810846da96a51e08b126519a84f24b5ff3272475ad7e9771d7be282d6bb0", "tools": {}},
  "steps": [
    {"name": "apply", "phase": "init", "role": "apply", "digest": "sha256:2e7d810846da96a51e08b126519a84f24b5ff3272475ad7e9771d7be282d6bb0", "runs": 1, "grants": [
      {"permission": "kms:CreateKey", "resource": "*", "necessity": "observed", "request": "x", "purpose": "y"},
      {"permission": "kms:ListAliases", "resource": "*", "necessity": "observed", "request": "x", "purpose": "y"},
      {"permission": "kms:Own", "resource": "*", "necessity": "observed", "request": "x", "purpose": "y"}
    ]}
  ]
}
`

func TestRun(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	kms, empty, rec := write("kms.html", page), write("empty.html", "<p>nothing</p>"), write("whittle.lock.json", written)
	var out bytes.Buffer
	if err := run(&out, []string{kms, empty}, []string{rec}, true); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(out.String(), dir+"/", "")
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if lines[0] != "empty.html: it has no service prefix, or no table of actions" || lines[1] != "2 pages, 5 actions" {
		t.Errorf("%q", lines[:2])
	}
	for _, want := range []string{
		"\tkms:ListAliases\tours *\tAWS's key*\n",
		"\tkms:DescribeKey\tours key\tAWS's *\n",
		"whittle.lock.json: 3 actions granted on *; AWS checks 1 of them on a resource\n\tkms:ListAliases on key*; on no page: kms:Own\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, not := range []string{"\tkms:CreateKey\t", "\tkms:CreateAlias\t"} {
		if strings.Contains(got, not) {
			t.Errorf("%q does not differ:\n%s", not, got)
		}
	}
	if err := run(&out, []string{filepath.Join(dir, "none.html")}, nil, false); err == nil {
		t.Error("a page that is not there was read")
	}
	if err := run(&out, []string{kms}, []string{filepath.Join(dir, "none.json")}, false); err == nil {
		t.Error("a record that is not there was read")
	}
}

func TestPage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kms.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	got := map[string]action{}
	if err := readPage(file, got); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"kms:createalias": {"alias*", "key*"}, "kms:createkey": nil, "kms:listaliases": {"key*"}, "kms:describekey": nil, "kms:tagresource": {"key"}}
	have := map[string][]string{}
	for name, a := range got {
		have[name] = a.types
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if !got["kms:createalias"].must() || got["kms:tagresource"].must() || got["kms:createkey"].must() {
		t.Error("what an action needs is not told from what it may have")
	}
}
