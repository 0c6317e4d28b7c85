// Package rows holds the gate's tables as data, one .tsv file for each service,
// and the notation that they are written in. docs/embedded.md explains it with
// an example.
//
// It knows what the rows say; filling them from a request is the work of
// package rules.
package rows

import (
	"bufio"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/wire"
)

//go:generate python3 routes.py apigateway=apigateway apigatewayv2=apigatewayv2 cloudfront=cloudfront eks=eks elasticfilesystem=efs lambda=lambda route53=route53 scheduler=scheduler

//go:embed *.tsv *.routes
var files embed.FS

// Load gives the tables of all services by their names.
var Load = sync.OnceValues(func() (map[string]*Table, error) { return parseTables(files) })

// Table is what is known of one service.
type Table struct {
	wire.Service
	Prefix     string            // of the service's actions
	API        string            // botocore's name of the API; the tests send its requests
	Sources    map[string]string // what a row's source stands for
	Context    []Setting         // the condition keys of every row
	TagSpec    string            // source of EC2's tag-on-create; empty without
	Operations map[string]*Operation
	Order      []string // the operations' names, in the file's order

	types map[string]string // resource type → ARN template; "*" for all others
	ids   [][2]string       // id prefix → resource type
}

// Operation is what a call of it needs.
type Operation struct {
	Rows []Row
	// Each is the list whose elements are allowed or refused one by one.
	Each params.Path
	// Hides is the permission without which a missing object is hidden.
	Hides *Row
	// Free: no policy can forbid it. Unsigned: it carries no signature.
	Free, Unsigned bool
	// ReadsBody: a row asks for a field of a REST request's body.
	ReadsBody bool
}

// Row is one permission.
type Row struct {
	Line     int
	Action   string
	Resource Resource
	When     []Condition
	Context  []Setting
	Shown    Template
	Sources  []string // keys of Table.Sources
}

// Cites joins the sources of the operation's rows, each once.
func (t *Table) Cites(o *Operation) string {
	var texts []string
	for _, r := range o.Rows {
		for _, key := range r.Sources {
			if text := t.Sources[key]; !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	return strings.Join(texts, "; ")
}

// KindOf tells the resource type behind an id by its prefix; "*" when unknown.
func (t *Table) KindOf(id string) string {
	for _, p := range t.ids {
		if strings.HasPrefix(id, p[0]) {
			return p[1]
		}
	}
	return "*"
}

// parseTables reads every row file of the tree.
func parseTables(files fs.FS) (map[string]*Table, error) {
	all := map[string]*Table{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		base, isTable := strings.CutSuffix(name, ".tsv")
		if err != nil || d.IsDir() || !isTable {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		routes, err := fs.ReadFile(files, base+".routes")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		t, err := parseTable(string(text), string(routes))
		if err != nil {
			return fmt.Errorf("%s:%w", name, err)
		}
		if all[t.Name] != nil {
			return fmt.Errorf("%s: a second table of service %s", name, t.Name)
		}
		all[t.Name] = t
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the gate's tables: %w", err)
	}
	return all, nil
}

// parseTable reads one row file, and the routes that were generated for it.
// Its errors start with the line's number.
func parseTable(text, generated string) (*Table, error) {
	t := &Table{Service: wire.Service{Harmless: map[string]bool{}}, Sources: map[string]string{}, types: map[string]string{}, Operations: map[string]*Operation{}}
	var (
		lines   = bufio.NewScanner(strings.NewReader(text))
		n       int
		current string
		routes  = map[string]int{}
	)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		n++
		line := strings.TrimRight(lines.Text(), " \t")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '!':
			if err := t.directive(line[1:], n, routes); err != nil {
				return nil, fmt.Errorf("%d: %w", n, err)
			}
		default:
			cells := strings.Split(line, "\t")
			if len(cells) < 6 || len(cells) > 7 {
				return nil, fmt.Errorf("%d: %d columns, want operation, action, resource, when, context, source and perhaps shown", n, len(cells))
			}
			if cells[0] != "+" {
				current = cells[0]
				if o := t.Operations[current]; o != nil && len(o.Rows) > 0 {
					return nil, fmt.Errorf("%d: a second block of rows for %s", n, current)
				}
				t.Order = append(t.Order, current)
			}
			if current == "" {
				return nil, fmt.Errorf("%d: a further row without a first one", n)
			}
			o := t.op(current)
			r, err := t.row(current, cells[1:], n)
			if err != nil {
				return nil, fmt.Errorf("%d: %w", n, err)
			}
			o.Free = cells[1] == "-"
			o.ReadsBody = o.ReadsBody || strings.Contains(line, "body.")
			o.Rows = append(o.Rows, r)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%d: %w", n, err)
	}
	if err := t.check(routes); err != nil {
		return nil, err
	}
	for line := range strings.Lines(generated) {
		rest, isRoute := strings.CutPrefix(strings.TrimSpace(line), "!route ")
		if !isRoute {
			continue
		}
		if err := t.route(rest); err != nil {
			return nil, fmt.Errorf("0: generated routes: %w", err)
		}
		operation, _, _ := strings.Cut(rest, " ")
		routes[operation] = n
	}
	for name := range t.Operations {
		if len(t.Routes) > 0 && routes[name] == 0 {
			return nil, fmt.Errorf("0: %s has no route", name)
		}
	}
	return t, nil
}

// route adds the route that follows an operation's name.
func (t *Table) route(line string) error {
	operation, form, _ := strings.Cut(line, " ")
	r, err := wire.ParseRoute(operation, form)
	if err != nil {
		return err
	}
	t.Routes = append(t.Routes, r)
	return nil
}

// op gives the operation called name, made when it is first spoken of.
func (t *Table) op(name string) *Operation {
	if t.Operations[name] == nil {
		t.Operations[name] = &Operation{}
	}
	return t.Operations[name]
}

// directive reads one line that starts with "!".
func (t *Table) directive(line string, n int, routes map[string]int) error {
	word, rest, _ := strings.Cut(line, " ")
	name, value, _ := strings.Cut(rest, " ")
	value = strings.TrimSpace(value)
	switch word {
	case "service":
		t.Name, t.Prefix, t.Signing = name, name, name
		if value != "" {
			t.Prefix = value
		}
	case "api":
		t.API = name
	case "signing":
		t.Signing = name
	case "version":
		t.Version = name
	case "under":
		t.Under = strings.Fields(rest)
	case "protocol":
		for _, p := range strings.Fields(rest) {
			if target, ok := strings.CutPrefix(p, "target="); ok {
				t.Target = target
				continue
			}
			switch wire.Protocol(p) {
			case wire.Query, wire.EC2, wire.JSON10, wire.JSON11, wire.RESTXML, wire.RESTJSON, wire.CBOR:
				t.Protocols = append(t.Protocols, wire.Protocol(p))
			default:
				return fmt.Errorf("unknown protocol %q", p)
			}
		}
	case "source":
		if value == "" {
			return fmt.Errorf("source %s cites nothing", name)
		}
		t.Sources[name] = value
	case "resource":
		t.types[name] = value
	case "id":
		t.ids = append(t.ids, [2]string{name, value})
	case "context":
		settings, err := parseSettings(rest)
		if err != nil {
			return err
		}
		t.Context = append(t.Context, settings...)
	case "harmless":
		for _, q := range strings.Fields(rest) {
			t.Harmless[q] = true
		}
	case "route":
		if err := t.route(rest); err != nil {
			return err
		}
		routes[name] = n
	case "tag-on-create":
		t.TagSpec = name
	case "each":
		o := t.op(name)
		o.Each = params.ParsePath(value)
		o.ReadsBody = o.ReadsBody || o.Each[0].Name == "body"
	case "unsigned":
		t.op(name).Unsigned = true
	case "hides":
		// Operations whose missing object is told only to who has the row's
		// permission: "!hides ListBucket bucket(bucket) HeadObject GetObject".
		cells := strings.Fields(rest)
		if len(cells) < 3 {
			return fmt.Errorf("hides wants an action, a resource and operations")
		}
		res, err := parseResource(cells[1])
		if err != nil {
			return err
		}
		for _, op := range cells[2:] {
			t.op(op).Hides = &Row{Line: n, Action: t.Prefix + ":" + cells[0], Resource: res}
		}
	default:
		return fmt.Errorf("unknown directive %q", word)
	}
	return nil
}

// row reads the cells after the operation's name.
func (t *Table) row(op string, cells []string, n int) (Row, error) {
	r := Row{Line: n, Sources: strings.Split(cells[4], ",")}
	for _, s := range r.Sources {
		if t.Sources[s] == "" {
			return Row{}, fmt.Errorf("%s cites %q, which no source line explains", op, s)
		}
	}
	if cells[0] == "-" {
		return r, nil
	}
	r.Action = cells[0]
	if r.Action == "=" {
		r.Action = op
	}
	if !strings.Contains(r.Action, ":") {
		r.Action = t.Prefix + ":" + r.Action
	}
	var err error
	if r.Resource, err = parseResource(cells[1]); err != nil {
		return Row{}, err
	}
	if r.When, err = parseConditions(cells[2]); err != nil {
		return Row{}, err
	}
	if r.Context, err = parseSettings(cells[3]); err != nil {
		return Row{}, err
	}
	if len(cells) > 5 {
		if r.Shown, err = parseTemplate(cells[5]); err != nil {
			return Row{}, err
		}
	}
	return r, nil
}

// check finds what no single line shows.
func (t *Table) check(routes map[string]int) error {
	if t.Name == "" || len(t.Protocols) == 0 {
		return fmt.Errorf("1: the table names no service or no protocol")
	}
	for name, o := range t.Operations {
		if len(o.Rows) == 0 {
			return fmt.Errorf("0: %s is spoken of but has no row", name)
		}
		for _, r := range o.Rows {
			if name := r.Resource.Kind; name != "" && t.Template(name) == "" {
				return fmt.Errorf("%d: unknown resource type %q", r.Line, name)
			}
		}
	}
	for name, n := range routes {
		if t.Operations[name] == nil {
			return fmt.Errorf("%d: a route to %s, which has no row", n, name)
		}
	}
	if t.TagSpec != "" && t.Sources[t.TagSpec] == "" {
		return fmt.Errorf("0: tag-on-create cites nothing")
	}
	return nil
}

// Template gives the ARN template of a resource type, "" when there is none.
func (t *Table) Template(kind string) string {
	if kind == "arn" || kind == "id" {
		return "{}"
	}
	if s := t.types[kind]; s != "" && kind != "*" {
		return s
	}
	return strings.ReplaceAll(t.types["*"], "{type}", kind)
}
