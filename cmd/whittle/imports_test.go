package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/whittle-iam/whittle/"

// everything stands for any of our packages but the gate's tables; a path that
// ends in /... for any package below it.
const everything = "..."

// mayImport is who may import whom: for each of our packages, those of ours
// that it may. A package is in here or it fails the test; so does an import
// that is not. Files of tests may import more, but never the gate's tables.
var mayImport = map[string][]string{
	// The words that everybody speaks. They import nothing of ours.
	"parsers/refusal": {},
	"harness/grant":   {},

	// Reading refusals.
	"parsers/aws": {"parsers/refusal", "parsers/expr", "parsers/excerpt", "parsers/doing", "parsers/aws/..."},
	// A request, a reply's error elements, the words in them: apart, so that
	// only parsers/aws joins them to a denial.
	"parsers/aws/request": {"parsers/refusal", "parsers/expr", "parsers/fields"},
	"parsers/aws/wire":    {"parsers/refusal"},
	"parsers/aws/words":   {"parsers/refusal", "parsers/expr"},
	"parsers/gcp":         {"parsers/refusal", "parsers/expr", "parsers/excerpt", "parsers/doing", "parsers/sentence", "parsers/gcp/..."},
	"parsers/gcp/request": {"parsers/refusal", "parsers/expr", "parsers/fields"},
	"parsers/gcp/wire":    {"parsers/refusal"},
	"parsers/gcp/words":   {"parsers/refusal", "parsers/expr", "parsers/sentence"},
	// What is kept of an input, and what is said twice.
	"parsers/excerpt": {"parsers/refusal"},
	// Which fields of a body hold something, whatever the cloud.
	"parsers/fields": {},
	// What a tool says it was about when it was refused, whatever the cloud.
	"parsers/doing": {"parsers/refusal", "parsers/expr"},
	// Sentences looked for in a text, whatever the cloud.
	"parsers/sentence":      {"parsers/refusal", "parsers/expr", "parsers/excerpt"},
	"parsers/azure":         {"parsers/refusal", "parsers/expr", "parsers/excerpt", "parsers/doing", "parsers/sentence", "parsers/azure/..."},
	"parsers/azure/request": {"parsers/refusal", "parsers/expr", "parsers/fields", "parsers/azure/words"},
	"parsers/azure/wire":    {"parsers/refusal"},
	"parsers/azure/words":   {"parsers/refusal", "parsers/expr", "parsers/sentence"},
	// What a tool's output is before it is read: colour, boxes, escapes.
	"parsers/plain": {"parsers/expr"},
	// Regular expressions, compiled when they are used.
	"parsers/expr": {},
	// What the tests of the three share.
	"parsers/refusaltest": {"parsers/refusal", "parsers/excerpt"},
	"parsers":             {"parsers/aws", "parsers/gcp", "parsers/azure", "parsers/plain", "parsers/refusal"},

	// Deciding. Nothing here knows a process or a cloud's API: harness never
	// imports sandbox.
	"harness/policy": {"harness/grant", "harness/policy/jsontree"},
	// JSON with the place of each value; the documents of the other clouds.
	"harness/policy/jsontree": {},
	"harness/policy/gcp":      {"harness/grant", "harness/policy/jsontree"},
	"harness/policy/azure":    {"harness/policy/jsontree"},
	// What documents allow.
	"harness/policy/evaluate": {"harness/policy"},
	// Conditions on tags that their own holder gets round.
	"harness/policy/bypass": {"harness/policy", "harness/policy/evaluate", "harness/catalog/tags"},
	"harness/catalog":       {"harness/catalog/..."},
	// Its parts: a request taken apart, and what those of two services need.
	"harness/catalog/request": {},
	// A condition is a grant's.
	"harness/catalog/condition": {"harness/catalog/request", "harness/grant"},
	"harness/catalog/attribute": {"harness/grant"},
	"harness/catalog/scope":     {},
	"harness/catalog/ec2":       {"harness/catalog/request"},
	"harness/catalog/s3":        {"harness/catalog/request"},
	// What is known of Google Cloud's permissions.
	"harness/catalog/gcp": {"harness/catalog/request"},
	// What their holder can do: read secrets, destroy data, get round tags.
	"harness/catalog/danger": {},
	"harness/catalog/tags":   {"harness/catalog/request"},
	// And of Azure's.
	"harness/catalog/azure": {},
	// Candidates by what a tool's output names, without the request.
	"harness/catalog/named": {},
	"harness/lifecycle":     {"harness/grant", "harness/lifecycle/strictyaml"},
	// What a tree of infrastructure code holds, and a whittle.yaml drafted from it.
	"harness/lifecycle/survey":       {"harness/lifecycle"},
	"harness/lifecycle/survey/draft": {"harness/lifecycle/survey"},
	// Trees of code to look at, in tests.
	"harness/lifecycle/survey/surveytest": {},
	// What a test has made, held against its file.
	"harness/goldentest": {},
	// Tests hold whittle.yaml against its schema.
	"harness/lifecycle/schematest": {},
	// Keys, places and carets of a YAML file, whatever it is about.
	"harness/lifecycle/strictyaml": {},
	"harness/journal":              {"harness/grant", "parsers/refusal"},
	"harness/certify":              {"harness/grant", "parsers/refusal"},
	// A cloud's own audit log beside a run; its form reads each cloud's.
	"harness/audit":        {"harness/catalog", "harness/grant", "harness/journal", "harness/record"},
	"harness/audit/form":   {"harness/audit", "harness/catalog/named", "parsers", "parsers/refusal"},
	"harness/record":       {"harness/grant"},
	"harness/rolefile":     {"harness/grant", "harness/policy", "harness/policy/...", "harness/rolefile/hcl"},
	"harness/rolefile/hcl": {"harness/policy", "harness/policy/azure", "harness/policy/gcp"},
	// A role file beside the record.
	"harness/compare": {"harness/grant", "harness/policy/azure", "harness/record", "harness/rolefile"},
	"harness/report":  {"harness/grant", "harness/catalog", "harness/record", "harness/journal"},
	// How it is written down.
	"harness/report/markdown": {"harness/report", "harness/catalog"},
	"harness/report/page":     {"harness/report", "harness/catalog"},
	// What the tests of these write.
	"harness/report/reporttest": {"harness/grant", "harness/journal", "harness/record", "harness/report", "parsers/refusal"},
	// What a check found beside a record, rendered.
	// Which options of a lifecycle a permission hangs on.
	"harness/variants": {},
	"harness/drift":    {"harness/grant", "harness/record"},
	"harness": {
		"parsers", "parsers/refusal",
		"harness/grant", "harness/catalog", "harness/catalog/condition", "harness/lifecycle", "harness/journal", "harness/certify", "harness/place", "harness/question", "harness/address", "harness/decide", "harness/difference",
	},
	// What a run lacks beside earlier ones.
	"harness/difference": {},
	// What to do about a refusal.
	"harness/decide": {"parsers/refusal", "harness/grant", "harness/catalog", "harness/lifecycle", "harness/place"},
	// On what a refused permission is granted, and under which condition.
	"harness/place": {
		"parsers/refusal",
		"harness/grant", "harness/catalog", "harness/catalog/attribute", "harness/catalog/condition", "harness/catalog/scope", "harness/lifecycle",
	},
	// Which resource of the code a request is for.
	"harness/address": {"parsers", "parsers/refusal"},
	// What is asked by withholding, and which question a request is about.
	"harness/question": {"parsers", "parsers/refusal", "harness/grant", "harness/place"},
	// The suite that every cloud's roles must pass; only tests use it.
	"harness/roletest": {
		"harness", "harness/grant", "harness/policy", "harness/catalog", "harness/lifecycle", "harness/journal", "harness/certify",
	},

	// The world outside: processes, the wire, clouds.
	"sandbox/proc":      {},
	"sandbox/intercept": {"parsers/refusal", "sandbox/intercept/..."},
	// Its parts: none knows the proxy, or what a refusal means.
	"sandbox/intercept/authority": {},
	"sandbox/intercept/bearer":    {},
	"sandbox/intercept/conn":      {},
	"sandbox/intercept/endpoint":  {"parsers/refusal"},
	"sandbox/intercept/exchange":  {"parsers/refusal"},
	"sandbox/intercept/forward":   {},
	"sandbox/intercept/greeting":  {},
	"sandbox/intercept/hold":      {"parsers/refusal"},
	"sandbox/intercept/outside":   {"sandbox/intercept/conn", "sandbox/intercept/endpoint"},
	"sandbox/intercept/socks":     {"sandbox/intercept/conn"},
	"sandbox/intercept/spool":     {"parsers/refusal"},
	"sandbox/intercept/stamp":     {"parsers/refusal"},
	// Real tools, built from pinned modules.
	"sandbox/tools":          {"sandbox/proc"},
	"sandbox/step/terraform": {"harness/lifecycle", "sandbox/proc", "sandbox/tools"},
	"sandbox/step/packer":    {"harness/lifecycle", "sandbox/proc", "sandbox/tools"},
	"sandbox/step/command":   {"harness/lifecycle", "sandbox/proc"},
	"sandbox/attempt": {
		"harness", "harness/lifecycle", "parsers/refusal",
		"sandbox/intercept", "sandbox/proc", "sandbox/step/terraform", "sandbox/step/packer", "sandbox/step/command",
	},
	// What is not the lifecycle's, for a verification to be refused.
	"sandbox/decoy":        {"harness", "harness/grant", "parsers", "parsers/refusal", "sandbox/decoy/ask"},
	"sandbox/decoy/google": {"harness", "harness/grant", "parsers", "parsers/refusal", "sandbox/decoy/ask"},
	"sandbox/decoy/azure":  {"harness", "harness/grant", "parsers", "parsers/refusal", "sandbox/decoy/ask"},
	"sandbox/decoy/ask":    {"parsers/refusal"},
	// What decoys must show on every cloud; only tests use it.
	"sandbox/decoy/decoytest": {"harness"},
	// Whether a place may be probed: a decision about what a cloud says of it.
	"sandbox/role/guard": {},
	// What the pools of all clouds have alike: who is in them, what was announced.
	"sandbox/role/pool":         {},
	"sandbox/role/aws":          {"harness", "harness/grant", "harness/policy", "sandbox/role/aws/...", "sandbox/role/guard", "sandbox/role/pool"},
	"sandbox/role/aws/owned":    {"sandbox/role/pool"},
	"sandbox/role/aws/content":  {"harness/grant", "harness/policy", "sandbox/role/aws/owned"},
	"sandbox/role/aws/canary":   {"harness/grant", "harness/policy", "harness/policy/evaluate", "sandbox/role/aws/owned", "sandbox/role/settle"},
	"sandbox/role/aws/decode":   {},
	"sandbox/role/aws/endpoint": {},
	"sandbox/role/settle":       {"harness/grant"},
	"sandbox/role/gcp":          {"harness", "harness/grant", "harness/policy", "harness/policy/gcp", "sandbox/role/guard", "sandbox/role/pool", "sandbox/role/settle"},
	"sandbox/role/azure":        {"harness", "harness/grant", "harness/policy", "sandbox/role/guard", "sandbox/role/pool", "sandbox/role/settle"},

	// The clouds' audit logs, read as the operator.
	"sandbox/audit/gcp":   {"harness/audit", "harness/audit/form"},
	"sandbox/audit/azure": {"harness/audit", "harness/audit/form"},
	"sandbox/audit/aws":   {"harness/audit", "harness/audit/form", "harness/grant", "harness/policy"},

	// A program that an example's steps run: it is a user's, and knows nothing of
	// ours.
	"docs/examples/castai-aws/nodes": {},
	"docs/examples/castai-gke/nodes": {},
	"docs/examples/e2b/deploy":       {},

	// The simulated cloud. What its gate lets through comes from tables of its
	// own, which see nothing of what Whittle knows (harness/catalog, parsers),
	// and which nobody else sees: else the test would mark its own work.
	"sandbox/embedded": {"sandbox/embedded/..."},
	// What the tests against an embedded cloud share.
	"sandbox/embedded/embeddedtest": {"sandbox/embedded/ledger"},
	"sandbox/embedded/host":         {}, // which host a request names
	"sandbox/embedded/ledger":       {}, // what an operator is told at the end
	"sandbox/embedded/propagation":  {}, // which view is in force
	"sandbox/embedded/trace":        {}, // what a gate tells of each request
	"sandbox/embedded/auditlog":     {"sandbox/embedded/trace"},
	"sandbox/embedded/aws":          {"harness/policy/evaluate", "sandbox/embedded/aws/...", "sandbox/embedded/auditlog", "sandbox/embedded/ledger", "sandbox/embedded/propagation", "sandbox/embedded/trace"},
	"sandbox/embedded/aws/account":  {"harness/policy", "harness/policy/evaluate"},
	"sandbox/embedded/aws/facts":    {"harness/policy", "sandbox/embedded/aws/..."},
	"sandbox/embedded/aws/sts":      {"harness/policy", "sandbox/embedded/aws/..."},
	"sandbox/embedded/aws/moto":     {},
	"sandbox/embedded/aws/sigv4":    {},
	"sandbox/embedded/aws/wire":     {},
	// The tables themselves.
	"sandbox/embedded/aws/rules":        {"sandbox/embedded/aws/rules/..."},
	"sandbox/embedded/aws/rules/rows":   {"sandbox/embedded/aws/rules/..."},
	"sandbox/embedded/aws/rules/wire":   {"sandbox/embedded/aws/rules/params", "sandbox/embedded/host"},
	"sandbox/embedded/aws/rules/params": {},

	// GCP: the gate, and behind it the state in Go. Each service knows the calls
	// (api) and the store; none knows the gate.
	"sandbox/embedded/gcp":                 {"sandbox/embedded/gcp/...", "sandbox/embedded/auditlog", "sandbox/embedded/host", "sandbox/embedded/ledger", "sandbox/embedded/propagation", "sandbox/embedded/trace"},
	"sandbox/embedded/gcp/accounts":        {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/api":             {"sandbox/embedded/gcp/route", "sandbox/embedded/gcp/store"},
	"sandbox/embedded/gcp/apis":            {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/certificates":    {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/compute":         {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/compute/catalog": {"sandbox/embedded/gcp/api", "sandbox/embedded/gcp/store"},
	"sandbox/embedded/gcp/generic": {
		"sandbox/embedded/gcp/api", "sandbox/embedded/gcp/operation", "sandbox/embedded/gcp/route", "sandbox/embedded/gcp/store", "sandbox/embedded/gcp/wire",
	},
	// What answers on instances, and what runs there: a shell that knows no cloud.
	"sandbox/embedded/gcp/guest":           {"sandbox/embedded/gcp/guest/shell"},
	"sandbox/embedded/gcp/guest/shell":     {"sandbox/embedded/gcp/guest/disk", "sandbox/embedded/gcp/guest/scp"},
	"sandbox/embedded/gcp/guest/scp":       {"sandbox/embedded/gcp/guest/disk"},
	"sandbox/embedded/gcp/guest/disk":      {},
	"sandbox/embedded/gcp/iam":             {"sandbox/embedded/gcp/api", "sandbox/embedded/gcp/store", "sandbox/embedded/gcp/wire"},
	"sandbox/embedded/gcp/container":       {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/dns":             {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/logging":         {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/monitoring":      {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/pubsub":          {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/operation":       {"sandbox/embedded/gcp/api", "sandbox/embedded/gcp/store", "sandbox/embedded/gcp/wire"},
	"sandbox/embedded/gcp/route":           {},
	"sandbox/embedded/gcp/route/discovery": {},
	"sandbox/embedded/gcp/route/gen":       {"sandbox/embedded/gcp/route/discovery"},
	"sandbox/embedded/aws/rules/agree":     {"harness/record", "sandbox/embedded/aws/rules/rows"},
	"sandbox/embedded/gcp/rules/agree":     {"sandbox/embedded/gcp/route", "sandbox/embedded/gcp/rules"},
	"sandbox/embedded/gcp/rules":           {"sandbox/embedded/gcp/api", "sandbox/embedded/gcp/route", "sandbox/embedded/gcp/store"},
	"sandbox/embedded/gcp/registry":        {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/kms":             {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/secrets":         {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/signing":         {"sandbox/embedded/gcp/api", "sandbox/embedded/gcp/store", "sandbox/embedded/gcp/token", "sandbox/embedded/gcp/wire"},
	"sandbox/embedded/gcp/storage":         {"sandbox/embedded/gcp/..."},
	"sandbox/embedded/gcp/store":           {},
	"sandbox/embedded/gcp/token":           {"sandbox/embedded/gcp/api", "sandbox/embedded/gcp/store", "sandbox/embedded/gcp/wire"},
	"sandbox/embedded/gcp/tunnel":          {},
	"sandbox/embedded/gcp/wire":            {},

	"sandbox/embedded/azure":                   {"sandbox/embedded/azure/...", "sandbox/embedded/auditlog", "sandbox/embedded/host", "sandbox/embedded/ledger", "sandbox/embedded/propagation", "sandbox/embedded/trace"},
	"sandbox/embedded/azure/arm":               {"sandbox/embedded/azure/entra", "sandbox/embedded/azure/resource", "sandbox/embedded/azure/rules", "sandbox/embedded/azure/store", "sandbox/embedded/azure/wire"},
	"sandbox/embedded/azure/arm/authorization": {"sandbox/embedded/azure/arm", "sandbox/embedded/azure/entra", "sandbox/embedded/azure/rbac", "sandbox/embedded/azure/store", "sandbox/embedded/azure/wire"},
	"sandbox/embedded/azure/arm/kinds":         {"sandbox/embedded/azure/..."},
	"sandbox/embedded/azure/blob":              {"sandbox/embedded/azure/store", "sandbox/embedded/azure/wire"},
	"sandbox/embedded/azure/entra":             {"sandbox/embedded/azure/store", "sandbox/embedded/azure/wire"},
	"sandbox/embedded/azure/rbac":              {"sandbox/embedded/azure/store"},
	"sandbox/embedded/azure/resource":          {},
	"sandbox/embedded/azure/rules":             {"sandbox/embedded/azure/resource", "sandbox/embedded/azure/store"},
	"sandbox/embedded/azure/store":             {},
	"sandbox/embedded/azure/template":          {"sandbox/embedded/azure/resource", "sandbox/embedded/azure/store", "sandbox/embedded/azure/wire"},
	"sandbox/embedded/azure/vault":             {"sandbox/embedded/azure/entra", "sandbox/embedded/azure/store", "sandbox/embedded/azure/wire"},
	"sandbox/embedded/azure/wire":              {},

	// Wiring.
	"cmd/whittle": {everything},
	// Measures the parsers against a corpus.
	"cmd/score": {"harness/catalog/named", "parsers", "parsers/refusal"},
	"cmd/truth": {"harness/record"},
	"cmd/bench": {"harness/grant", "harness/record", "parsers", "parsers/refusal", "sandbox/intercept"},
}

// gateTables are the tables of the embedded sandbox's gate, with what is below
// them. They are for sandbox/embedded alone, in tests too.
var gateTables = []string{"sandbox/embedded/gcp/rules", "sandbox/embedded/azure/rules", "sandbox/embedded/aws/rules", "sandbox/embedded/aws/facts"}

// commandLine begins the paths of cobra and pflag, which are for cmd alone.
const commandLine = "github.com/spf13/"

// importLine is one import of one file.
type importLine struct {
	from string // the package, without the module's path
	file string // the file's name
	path string // what is imported
}

// below tells whether pkg is dir or a package below it.
func below(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// covers tells whether an entry of the table allows the import of pkg.
func covers(entry, pkg string) bool {
	if dir, ok := strings.CutSuffix(entry, "..."); ok {
		return strings.HasPrefix(pkg, dir)
	}
	return entry == pkg
}

// forbidden lists what is wrong with the imports.
func forbidden(imports []importLine) []string {
	var wrong []string
	fail := func(i importLine, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s/%s imports %s: %s", i.from, i.file, i.path, fmt.Sprintf(format, args...)))
	}
	unknown := make(map[string]bool)
	for _, i := range imports {
		test := strings.HasSuffix(i.file, "_test.go")
		allowed, listed := mayImport[i.from]
		if !listed && !test && !unknown[i.from] {
			unknown[i.from] = true
			wrong = append(wrong, i.from+" is not in the import table: give it a row in cmd/whittle/imports_test.go")
		}
		if strings.HasPrefix(i.path, commandLine) && !below(i.from, "cmd") {
			fail(i, "the command line is cmd's alone")
		}
		ours, ok := strings.CutPrefix(i.path, module)
		if !ok {
			if first, _, _ := strings.Cut(i.path, "/"); i.from == "parsers/refusal" && strings.Contains(first, ".") {
				fail(i, "parsers/refusal is on the standard library alone")
			}
			continue
		}
		table := slices.ContainsFunc(gateTables, func(t string) bool { return below(ours, t) })
		switch {
		case table && !below(i.from, "sandbox/embedded"):
			fail(i, "the gate's tables are for sandbox/embedded alone")
		case test || !listed:
		case slices.ContainsFunc(allowed, func(a string) bool { return covers(a, ours) }):
		default:
			fail(i, "the import table allows %q no more than [%s]", i.from, strings.Join(allowed, " "))
		}
	}
	return wrong
}

// moduleImports lists the imports of every Go file of the module, for every
// system and build tag. A package that imports nothing has a line without a
// path.
func moduleImports(root string) ([]importLine, error) {
	var imports []importLine
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			skip := name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil {
				skip = true // another module
			}
			if skip && p != root {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(p))
		if err != nil {
			return err
		}
		from := filepath.ToSlash(dir)
		imports = append(imports, importLine{from: from, file: name})
		for _, spec := range f.Imports {
			what, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, importLine{from, name, what})
		}
		return nil
	})
	return imports, err
}

func TestImports(t *testing.T) {
	imports, err := moduleImports(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(imports, func(i importLine) bool { return i.from == "cmd/whittle" && strings.HasPrefix(i.path, commandLine) }) {
		t.Fatal("the walk does not even find this command's own imports")
	}
	for _, wrong := range forbidden(imports) {
		t.Error(wrong)
	}
}

// The table holds only what is sound in itself.
func TestImportTable(t *testing.T) {
	for from, allowed := range mayImport {
		for _, to := range allowed {
			if _, ok := mayImport[to]; !ok && !strings.HasSuffix(to, "...") {
				t.Errorf("%s may import %s, which has no row", from, to)
			}
			if below(from, "harness") && below(to, "sandbox") {
				t.Errorf("%s may import %s: harness knows no sandbox", from, to)
			}
			if below(from, "sandbox/embedded") && (to == "harness" || below(to, "parsers") || to == "harness/catalog") {
				t.Errorf("%s may import %s: the gate must not learn from what it tests", from, to)
			}
			if to == everything && !below(from, "cmd") {
				t.Errorf("%s may import everything", from)
			}
		}
	}
}

func TestForbidden(t *testing.T) {
	tests := []struct {
		from, file, path string
		want             string // empty: allowed
	}{
		{"harness", "a.go", module + "harness/grant", ""},
		{"harness", "a.go", module + "sandbox/proc", "the import table allows"},
		{"harness", "a_test.go", module + "sandbox/proc", ""},
		{"harness/grant", "a.go", "github.com/google/go-cmp/cmp", ""},
		{"harness", "a.go", "github.com/spf13/cobra", "the command line is cmd's alone"},
		{"harness", "a_test.go", "github.com/spf13/pflag", "the command line is cmd's alone"},
		{"cmd/bench", "a.go", "github.com/spf13/cobra", ""},
		{"cmd/whittle", "a.go", module + "harness/policy", ""},
		{"cmd/whittle", "a.go", module + "sandbox/embedded/aws/rules", "the gate's tables"},
		{"cmd/whittle", "a_test.go", module + "sandbox/embedded/aws/rules/rows", "the gate's tables"},
		{"harness/catalog", "a_test.go", module + "sandbox/embedded/aws/facts", "the gate's tables"},
		{"sandbox/embedded", "a_test.go", module + "sandbox/embedded/aws/rules", ""},
		{"sandbox/embedded", "a.go", module + "sandbox/embedded/aws/rules", ""},
		{"sandbox/embedded", "a.go", module + "sandbox/embeddedness", "the import table allows"},
		{"sandbox/embedded/aws/facts", "a.go", module + "sandbox/embedded", "the import table allows"},
		{"sandbox/embedded/aws/rules", "a.go", module + "sandbox/embedded/aws/facts", "the import table allows"},
		{"sandbox/embedded/aws/rules", "a.go", module + "harness/catalog", "the import table allows"},
		{"parsers/refusal", "a.go", "net/http", ""},
		{"parsers/refusal", "a.go", "golang.org/x/net/http2", "standard library"},
		{"harness/new", "a.go", "", "not in the import table"},
		{"harness/new", "a_test.go", "", ""},
	}
	for _, tt := range tests {
		got := strings.Join(forbidden([]importLine{{tt.from, tt.file, tt.path}}), "\n")
		if got == "" && tt.want != "" || tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s/%s with %q gave %q, want %q", tt.from, tt.file, tt.path, got, tt.want)
		}
	}
}
