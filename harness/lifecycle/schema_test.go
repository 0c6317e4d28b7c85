package lifecycle

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/whittle-iam/whittle/harness/lifecycle/schematest"
)

// object is what the tests read of a schema of an object.
type object struct {
	AdditionalProperties any                        `json:"additionalProperties"`
	Required             []string                   `json:"required"`
	Properties           map[string]json.RawMessage `json:"properties"`
}

// The schema and the reader know the same keys and the same values: an editor
// must not complain of what Whittle takes, nor the other way round.
func TestSchema(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", "whittle.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		object
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	def := func(name string) object {
		var o object
		if err := json.Unmarshal(schema.Defs[name], &o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return o
	}
	for _, tt := range []struct {
		name     string
		o        object
		keys     []string
		required []string
	}{
		{"the file", schema.object, fileKeys, []string{"cloud", "sandbox", "lifecycle"}},
		{"sandbox", def("sandbox"), sandboxKeys, nil},
		{"audit", def("audit"), auditKeys, []string{"trail"}},
		{"start", def("start"), startKeys, []string{"audit"}},
		{"start's audit", def("used"), usedKeys, []string{"principal"}},
		{"tool", def("tool"), toolKeys, nil},
		{"step", def("step"), stepKeys, []string{"name", "phase"}},
		{"terraform", def("terraform"), terraformKeys, []string{"command"}},
		{"packer", def("packer"), packerKeys, []string{"template"}},
		{"variant", def("variant"), variantKeys, []string{"name"}},
		{"a variant's step", def("change"), changeKeys, []string{"name"}},
		{"succeeds_when", def("succeeds_when"), succeedsKeys, nil},
	} {
		if got := slices.Sorted(maps.Keys(tt.o.Properties)); !slices.Equal(got, slices.Sorted(slices.Values(tt.keys))) {
			t.Errorf("%s: the schema has %v, the reader %v", tt.name, got, tt.keys)
		}
		if !slices.Equal(tt.o.Required, tt.required) {
			t.Errorf("%s: the schema requires %v, the reader %v", tt.name, tt.o.Required, tt.required)
		}
		if tt.o.AdditionalProperties != false {
			t.Errorf("%s: the schema takes unknown keys", tt.name)
		}
	}
	for _, tt := range []struct {
		of, key string
		o       object
		values  []string
	}{
		{"the file", "cloud", schema.object, cloudValues},
		{"the file", "trust", schema.object, trustValues},
		{"the file", "scope", schema.object, scopeValues},
		{"step", "phase", def("step"), phaseValues},
		{"step", "access", def("step"), accessValues},
		{"terraform", "command", def("terraform"), terraformValues},
	} {
		var p struct {
			Enum []string `json:"enum"`
		}
		if err := json.Unmarshal(tt.o.Properties[tt.key], &p); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.Enum, tt.values) {
			t.Errorf("%s of %s: the schema has %v, the reader %v", tt.key, tt.of, p.Enum, tt.values)
		}
	}
}

// An editor that goes by the schema takes what Whittle takes, and finds unknown keys.
func TestSchemaValidates(t *testing.T) {
	schema, err := schematest.Schema()
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob(filepath.Join("..", "..", "docs", "examples", "*", "whittle.yaml"))
	if err != nil || len(examples) < 4 {
		t.Fatalf("%d examples, %v", len(examples), err)
	}
	for _, file := range examples {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schematest.Check(schema, data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, group := range []string{"good", "errors"} {
		archive, err := txtar.ParseFile(filepath.Join("testdata", group+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		names, files := folders(archive)
		checked := 0
		for _, name := range names {
			err := schematest.Check(schema, files[name]["whittle.yaml"])
			switch {
			case group == "good":
				checked++
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case strings.Contains(string(files[name]["want"]), "unknown key"):
				checked++
				if err == nil {
					t.Errorf("%s: the schema takes an unknown key", name)
				}
			}
		}
		if checked == 0 {
			t.Errorf("%s: nothing was checked", group)
		}
	}
}
