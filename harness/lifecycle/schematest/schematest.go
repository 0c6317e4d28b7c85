// Package schematest holds whittle.yaml against its JSON Schema, for tests: the
// program itself carries no validator.
package schematest

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is that of whittle.yaml, compiled: a schema that is none is an error.
func Schema() (*jsonschema.Schema, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return nil, fmt.Errorf("where the schema is cannot be told")
	}
	file := filepath.Join(filepath.Dir(here), "..", "..", "..", "docs", "schema", "whittle.schema.json")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	return c.Compile(file)
}

// Check tells what the schema has against the text of a whittle.yaml.
func Check(s *jsonschema.Schema, text []byte) error {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // a mark of the encoding, and no part of the text
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return err
	}
	return s.Validate(v)
}
