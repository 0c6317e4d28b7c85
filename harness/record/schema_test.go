package record

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// object is what the test reads of a schema of an object.
type object struct {
	AdditionalProperties any      `json:"additionalProperties"`
	Required             []string `json:"required"`
	Properties           map[string]struct {
		Enum []string `json:"enum"`
	} `json:"properties"`
}

// The schema knows the keys that are written when everything is there, and
// requires those that are written when as little as can be is.
func TestSchema(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", "record.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Required   []string                   `json:"required"`
		Properties map[string]json.RawMessage `json:"properties"`
		Defs       map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	def := func(data json.RawMessage) object {
		var o object
		if err := json.Unmarshal(data, &o); err != nil {
			t.Fatal(err)
		}
		if o.AdditionalProperties != false {
			t.Error("an object of the schema takes unknown keys")
		}
		return o
	}
	top, step, entry, opt := def(data), def(schema.Defs["step"]), def(schema.Defs["grant"]), def(schema.Defs["optional"])
	inputs := def(schema.Properties["inputs"])

	// written is what the file holds for an entry of each list.
	type written struct {
		record, inputs, step, grant, optional map[string]any
	}
	read := func(e Entry) written {
		r := Record{Version: Version, Cloud: "aws", Sandbox: "x", Steps: []Step{{Name: "a", Phase: "init", Role: e.Flag, Digest: e.Flag, Grants: []Entry{e}, Optional: []Entry{e}}}}
		var w written
		if err := json.Unmarshal(r.Bytes(), &w.record); err != nil {
			t.Fatal(err)
		}
		w.inputs = w.record["inputs"].(map[string]any)
		w.step = w.record["steps"].([]any)[0].(map[string]any)
		w.grant = w.step["grants"].([]any)[0].(map[string]any)
		w.optional = w.step["optional"].([]any)[0].(map[string]any)
		return w
	}
	most := read(Entry{Permission: "p", Resource: "r", Condition: `{"StringEquals":{"k":"v"}}`, Necessity: "observed", Request: "q", Purpose: "u", Flag: "f", Difference: "d"})
	most.optional["necessity"] = "optional" // may be read, is not written
	for _, tt := range []struct {
		name string
		o    object
		got  map[string]any
	}{
		{"the record", top, most.record}, {"inputs", inputs, most.inputs}, {"step", step, most.step},
		{"grant", entry, most.grant}, {"optional", opt, most.optional},
	} {
		if got, want := slices.Sorted(maps.Keys(tt.o.Properties)), slices.Sorted(maps.Keys(tt.got)); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the file %v", tt.name, got, want)
		}
	}
	least := read(Entry{Permission: "p", Resource: "r", Necessity: "observed"})
	delete(least.step, "optional")
	delete(least.optional, "resource")
	for _, tt := range []struct {
		name string
		o    object
		got  map[string]any
	}{
		{"the record", top, least.record}, {"inputs", inputs, least.inputs}, {"step", step, least.step},
		{"grant", entry, least.grant}, {"optional", opt, least.optional},
	} {
		if got, want := slices.Sorted(slices.Values(tt.o.Required)), slices.Sorted(maps.Keys(tt.got)); !slices.Equal(got, want) {
			t.Errorf("%s: the schema requires %v, the file has %v at least", tt.name, got, want)
		}
	}
	if got := top.Properties["cloud"].Enum; !slices.Equal(got, clouds) {
		t.Errorf("clouds %v, want %v", got, clouds)
	}
	if got := step.Properties["phase"].Enum; !slices.Equal(got, phases) {
		t.Errorf("phases %v, want %v", got, phases)
	}
	if got := entry.Properties["necessity"].Enum; !slices.Equal(got, necessities) {
		t.Errorf("necessities %v, want %v", got, necessities)
	}
}

// The records of the examples, and whatever is written, are what the schema says.
func TestSchemaValidates(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "schema", "record.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	valid := func(data []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "examples", "*", "whittle.lock.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d records, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		// And as it is written again.
		r, err := Parse(file, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(r.Bytes()); err != nil {
			t.Errorf("%s, written: %v", file, err)
		}
	}
	for _, wrong := range []string{`{}`, `{"version": 1, "cloud": "moon", "sandbox": "embedded", "verified": true, "inputs": {"digest": "", "tools": {}}, "steps": []}`} {
		if valid([]byte(wrong)) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
}
