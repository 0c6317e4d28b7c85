package rules

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

var update = flag.Bool("update", false, "rewrite the tables in docs/embedded.md")

const page = "../../../../docs/embedded.md"

// TestSDKOperations sends every operation of the real clients, all parameters
// filled, and reads the wire: each is identified as what it is, with needs that
// are well-formed, or it is unknown. The two lists stand in docs/embedded.md.
func TestSDKOperations(t *testing.T) {
	known, err := rows.Load()
	if err != nil {
		t.Fatal(err)
	}
	c := newClients()
	var text strings.Builder
	text.WriteString("| service | operations known | of the API's |\n|---|---|---|\n")
	var missing strings.Builder
	for _, service := range []string{"ec2", "iam", "kms", "s3", "sqs", "sts"} {
		client := c.all()[service]
		all := operations(client)
		if len(all) < 10 {
			t.Fatalf("%s: found %d operations only", service, len(all))
		}
		var unknown []string
		for _, op := range all {
			c.line.request = nil
			if err := send(t.Context(), client, op); !errors.Is(err, errCaptured) {
				if known[service].Operations[op] != nil {
					t.Errorf("%s %s: %v", service, op, err)
				}
				unknown = append(unknown, op) // it wants what fillValue cannot make
				continue
			}
			call, err := c.line.read(t, nil)
			var u *UnknownError
			switch {
			case errors.As(err, &u):
				unknown = append(unknown, op)
				if known[service].Operations[op] != nil {
					t.Errorf("%s %s has rows, but its request is not recognised: %v", service, op, err)
				}
			case err != nil:
				t.Errorf("%s %s: %v", service, op, err)
			case call.Operation != op:
				t.Errorf("%s %s is read as %s", service, op, call.Operation)
			default:
				checkCall(t, call)
			}
		}
		for op := range known[service].Operations {
			if !slices.Contains(all, op) {
				t.Errorf("%s: a row for %s, which the API does not have", service, op)
			}
		}
		fmt.Fprintf(&text, "| %s | %d | %d |\n", service, len(known[service].Operations), len(all))
		if len(unknown) > 0 {
			missing.WriteString(wrap("- "+service+": "+strings.Join(unknown, ", "), "  "))
		}
	}
	fmt.Fprintf(&text, "| s3-control | %d | the account's public access block, tags, access points |\n", len(known["s3-control"].Operations))
	text.WriteString("\nNot known, answered with 501:\n\n" + missing.String())
	golden(t, "operations", text.String())
}

// wrap breaks a line of words at 100 columns; what follows is indented.
func wrap(line, indent string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(line) {
		switch {
		case i == 0:
		case column+1+len(word) > 100:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String() + "\n"
}

// golden compares a part of the page between two comments.
func golden(t *testing.T, part, want string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	start, end := "<!-- "+part+": written by go test -update -->\n", "<!-- /"+part+" -->"
	before, rest, ok := bytes.Cut(text, []byte(start))
	got, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		t.Fatalf("%s has no part %q", page, part)
	}
	if *update {
		err := os.WriteFile(page, slices.Concat(before, []byte(start+want+end), after), 0o644)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s, part %s: run go test -update (-want +got)\n%s", page, part, diff)
	}
}

var (
	actionForm = regexp.MustCompile(`^[a-z0-9-]+:[A-Z][A-Za-z0-9]+$`)
	arnForm    = regexp.MustCompile(`^arn:aws[a-z-]*:[a-z0-9-]+:[^:]*:[^:]*:.`)
)

func checkCall(t *testing.T, c Call) {
	t.Helper()
	name := c.Service + " " + c.Operation
	if c.Source == "" {
		t.Errorf("%s cites nothing", name)
	}
	if (len(c.Needs) == 0) != c.Free {
		t.Errorf("%s: %d needs, free is %v", name, len(c.Needs), c.Free)
	}
	if c.Partial && len(c.Items) != len(c.Needs) {
		t.Errorf("%s: %d items for %d needs", name, len(c.Items), len(c.Needs))
	}
	for _, n := range c.Needs {
		if !actionForm.MatchString(n.Action) {
			t.Errorf("%s: action %q", name, n.Action)
		}
		if n.Resource != "*" && !arnForm.MatchString(n.Resource) || strings.ContainsAny(n.Resource, "{}") && !strings.HasPrefix(n.Resource, "arn:aws:s3:::") {
			t.Errorf("%s: resource %q", name, n.Resource)
		}
		for k, v := range n.Context {
			if k == "" || len(v) == 0 {
				t.Errorf("%s: condition key %q has no value", name, k)
			}
		}
	}
}

// TestRows reads the tables as data.
func TestRows(t *testing.T) {
	known, err := rows.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, table := range known {
		for key, source := range table.Sources {
			if !strings.Contains(source, "https://docs.aws.amazon.com/") && !strings.Contains(source, "recorded refusal") {
				t.Errorf("%s: source %s is neither a page nor a recorded refusal", name, key)
			}
			used := key == table.TagSpec
			for _, o := range table.Operations {
				for _, r := range o.Rows {
					used = used || slices.Contains(r.Sources, key)
				}
			}
			if !used {
				t.Errorf("%s: no row cites %s", name, key)
			}
		}
		for op, o := range table.Operations {
			for _, r := range o.Rows {
				if len(r.Sources) == 0 {
					t.Errorf("%s %s: a row without a source", name, op)
				}
				if o.Free {
					continue
				}
				if !actionForm.MatchString(r.Action) {
					t.Errorf("%s %s: action %q", name, op, r.Action)
				}
				template := table.Template(r.Resource.Kind)
				if r.Resource.Kind == "" {
					continue
				}
				if template != "{}" && !strings.HasPrefix(template, "arn:{partition}:") {
					t.Errorf("%s %s: template %q", name, op, template)
				}
				if n := strings.Count(template, "{}"); n != len(r.Resource.Args) && r.Resource.Kind != "any" {
					t.Errorf("%s %s: %d parameters for template %q", name, op, len(r.Resource.Args), template)
				}
			}
		}
	}
}
