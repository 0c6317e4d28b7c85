package gcp

import (
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/grant"
)

func TestExpression(t *testing.T) {
	for in, want := range map[string]string{
		``: ``,
		`{"==":{"resource.name":"projects/p/zones/z/disks/d"}}`:                   `resource.name == "projects/p/zones/z/disks/d"`,
		`{"==":{"resource.name":["a","b"]}}`:                                      `resource.name == "a" || resource.name == "b"`,
		`{"within":{"resource.name":"projects/1/secrets/s"}}`:                     `resource.name == "projects/1/secrets/s" || resource.name.startsWith("projects/1/secrets/s/")`,
		`{"startsWith":{"resource.name":"a-"},"==":{"resource.type":"t"}}`:        `resource.type == "t" && resource.name.startsWith("a-")`,
		`{"within":{"resource.name":"a"},"==":{"resource.type":"t"}}`:             `resource.type == "t" && (resource.name == "a" || resource.name.startsWith("a/"))`,
		`{"within":{"resource.name":"projects/{project_number}/secrets/{name}"}}`: `resource.name == "projects/{project_number}/secrets/{name}" || resource.name.startsWith("projects/{project_number}/secrets/{name}/")`,
	} {
		if got, err := Expression(in); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
	many := grant.Condition{"==": {"resource.name": {}}}
	for i := range 14 {
		many["=="]["resource.name"] = append(many["=="]["resource.name"], strings.Repeat("a", i+1))
	}
	for _, in := range []string{
		`{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`, `{"startsWith":{"resource.type":"a"}}`, `{"==":{"resource.service":"a"}}`,
		`{"==":{"resource.name":"a\" || true || \""}}`, `{"==":{"resource.name":"a\\"}}`, `{"==":{"resource.name":""}}`, `{`, many.String(),
	} {
		if got, err := Expression(in); err == nil {
			t.Errorf("%s: read as %s", in, got)
		}
	}
}
