package rules

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

// made is a request that a client of botocore makes.
type made struct {
	Service, Protocol, Operation, Method, URL, Body, Error string
	Header                                                 map[string]string
}

// botocoreRequests makes the requests of every operation of the APIs, all
// parameters filled.
func botocoreRequests(t *testing.T, services []string) map[string][]made {
	t.Helper()
	python := os.Getenv("WHITTLE_MOTO_PYTHON")
	if python == "" {
		python = "python3"
	}
	cmd := exec.CommandContext(t.Context(), python, append([]string{"testdata/requests.py"}, services...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v; botocore comes with moto: run make setup", cmd, err)
	}
	all := map[string][]made{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m made
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		all[m.Service] = append(all[m.Service], m)
	}
	return all
}

// read gives what the gate reads of the request.
func (m made) read(t *testing.T) (Call, error) {
	t.Helper()
	body, err := base64.StdEncoding.DecodeString(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), m.Method, m.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range m.Header {
		r.Header.Set(k, v)
	}
	w := line{request: r}
	return Read(t.Context(), r, body, w.scope(), nil)
}

// TestBotocoreOperations is [TestSDKOperations] for the tables that say "!api",
// with botocore's clients: what has rows is identified as what it is, whatever
// protocol the client speaks, and needs what is well-formed; what has none is
// unknown. How many are known stands in docs/embedded.md.
func TestBotocoreOperations(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs botocore, which comes with moto")
	}
	known, err := rows.Load()
	if err != nil {
		t.Fatal(err)
	}
	apis := map[string]string{} // botocore's names of them, by table
	for name, table := range known {
		if table.API != "" {
			apis[name] = table.API
		}
	}
	requests := botocoreRequests(t, slices.Sorted(maps.Values(apis)))
	var text strings.Builder
	text.WriteString("| service | operations known | of the API's |\n|---|---|---|\n")
	var missing strings.Builder
	for _, table := range slices.Sorted(maps.Keys(apis)) {
		have := known[table]
		operations := map[string]bool{}
		var unknown []string
		for _, m := range requests[apis[table]] {
			name := fmt.Sprintf("%s %s (%s)", table, m.Operation, m.Protocol)
			if m.Error != "" {
				t.Errorf("%s: botocore makes no request: %s", name, m.Error)
				continue
			}
			hasRows := have.Operations[m.Operation] != nil
			if !operations[m.Operation] && !hasRows {
				unknown = append(unknown, m.Operation)
			}
			operations[m.Operation] = true
			call, err := m.read(t)
			var u *UnknownError
			switch {
			case !hasRows:
				if !errors.As(err, &u) {
					t.Errorf("%s has no rows: %v %v; want an UnknownError", name, call, err)
				}
			case err != nil:
				t.Errorf("%s: %v", name, err)
			case call.Service != table || call.Operation != m.Operation:
				t.Errorf("%s is read as %s %s", name, call.Service, call.Operation)
			default:
				checkCall(t, call)
			}
		}
		if len(operations) < 5 {
			t.Errorf("%s: botocore has %d operations only", table, len(operations))
		}
		for op := range have.Operations {
			if !operations[op] {
				t.Errorf("%s: a row for %s, which the API does not have", table, op)
			}
		}
		fmt.Fprintf(&text, "| %s | %d | %d |\n", table, len(have.Operations), len(operations))
		if len(unknown) > 0 && len(unknown) <= len(have.Operations) {
			missing.WriteString(wrap("- "+table+": "+strings.Join(unknown, ", "), "  "))
		}
	}
	if missing.Len() > 0 {
		text.WriteString("\nNot known, answered with 501 (of APIs of which less than half is known, the list is not shown):\n\n" + missing.String())
	}
	golden(t, "more-operations", text.String())
}
