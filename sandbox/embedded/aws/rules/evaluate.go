package rules

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

// evaluation fills the rows of one operation from one request.
type evaluation struct {
	ctx       context.Context
	table     *rows.Table
	operation string
	scope     Scope
	params    params.Params
	lookup    Lookup
	malformed string // the first thing found that no ARN can hold
}

// value is what a term gives; whole tells that it is an ARN already.
type value struct {
	text  string
	whole bool
}

func (e *evaluation) fault() error {
	if e.malformed != "" {
		return &MalformedError{Service: e.table.Name, Detail: e.malformed}
	}
	return nil
}

// needs gives what the operation's rows ask for, each permission on a resource
// once, in the rows' order.
func (e *evaluation) needs(o *rows.Operation) []Need {
	var all []Need
	for _, r := range o.Rows {
		for _, n := range e.need(r) {
			if !slices.ContainsFunc(all, func(m Need) bool { return m.Action == n.Action && m.Resource == n.Resource }) {
				all = append(all, n)
			}
		}
	}
	return all
}

// items gives the needs of each element of a call that is refused one by one.
func (e *evaluation) items(o *rows.Operation, c *Call) error {
	elements := e.params.Elements(o.Each)
	if len(elements) == 0 {
		return &MalformedError{Service: e.table.Name, Detail: e.operation + " names no item"}
	}
	own := e.params.Fields
	own = slices.DeleteFunc(slices.Clone(own), func(f params.Field) bool { return f.At[0].Name == "body" })
	for _, fields := range elements {
		one := *e
		one.params.Fields = append(slices.Clone(fields), own...)
		item := Item{Key: one.params.At(params.Named("item", "Key")), Version: one.params.At(params.Named("item", "VersionId"))}
		if item.Key == "" {
			return &MalformedError{Service: e.table.Name, Detail: e.operation + " has an item without a key"}
		}
		for _, n := range one.needs(o) {
			c.Needs = append(c.Needs, n)
			c.Items = append(c.Items, item)
		}
		if one.malformed != "" {
			e.malformed = one.malformed
		}
	}
	return nil
}

// need fills one row: none when it does not apply, several when its resource
// is a list.
func (e *evaluation) need(r rows.Row) []Need {
	for _, c := range r.When {
		if !e.holds(c) {
			return nil
		}
	}
	resources := e.resources(r.Resource)
	if len(resources) == 0 {
		return nil
	}
	shown := e.text(r.Shown)
	needs := make([]Need, len(resources))
	for i, arn := range resources {
		needs[i] = Need{Action: r.Action, Resource: arn, Shown: shown, Context: e.settings(r.Context)}
	}
	return needs
}

// text fills a template, "" when one of its parts is missing.
func (e *evaluation) text(t rows.Template) string {
	var b strings.Builder
	for _, part := range t {
		v := e.expr(part)
		if len(v) == 0 {
			return ""
		}
		b.WriteString(v[0].text)
	}
	return b.String()
}

func (e *evaluation) holds(c rows.Condition) bool {
	values := e.expr(c.Left)
	is := func(v value) bool { return v.text == c.Text }
	switch c.Op {
	case "has":
		return len(values) > 0
	case "hasn't":
		return len(values) == 0
	case "=":
		return slices.ContainsFunc(values, is)
	default: // "!=": there, and not that
		return len(values) > 0 && !slices.ContainsFunc(values, is)
	}
}

// resources gives the ARNs of a resource cell: the whole type when a parameter
// it needs is missing, since AWS then checks (or rejects) without a name.
func (e *evaluation) resources(r rows.Resource) []string {
	if r.Kind == "" {
		return []string{"*"}
	}
	lists := make([][]value, len(r.Args))
	for i, arg := range r.Args {
		lists[i] = e.expr(arg)
		if len(lists[i]) == 0 {
			if r.Optional {
				return nil
			}
			lists[i] = []value{{text: "*"}}
		}
	}
	// One of the parameters may be a list; the others have one value.
	long := max(0, slices.IndexFunc(lists, func(l []value) bool { return len(l) > 1 }))
	var all []string
	for _, v := range lists[long] {
		first := lists[0][0]
		if long == 0 {
			first = v
		}
		arn := first.text
		if !first.whole {
			kind := r.Kind
			if kind == "id" {
				kind = e.table.KindOf(first.text)
			}
			arn = e.fill(e.table.Template(kind))
			for i, l := range lists {
				part := l[0]
				if i == long {
					part = v
				}
				arn = strings.Replace(arn, "{}", part.text, 1)
			}
		}
		if r.Kind == "arn" && !wellFormed(arn) {
			arn = "*"
		}
		if !printable(arn) {
			e.malformed = "a control character in a resource's name"
			return nil
		}
		if !slices.Contains(all, arn) {
			all = append(all, arn)
		}
	}
	return all
}

// fill puts the scope into a template.
func (e *evaluation) fill(s string) string {
	return strings.NewReplacer("{partition}", e.scope.Partition, "{region}", e.scope.Region, "{account}", e.scope.Account).Replace(s)
}

// wellFormed tells whether s has the parts of an ARN.
func wellFormed(s string) bool {
	parts := strings.SplitN(s, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && strings.HasPrefix(parts[1], "aws") && parts[2] != "" && parts[5] != ""
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// settings gives the condition keys of the service and of the row.
func (e *evaluation) settings(own []rows.Setting) map[string][]string {
	keys := map[string][]string{}
	for _, s := range append(slices.Clone(e.table.Context), own...) {
		var pairs []params.Pair
		switch s.Kind {
		case "=":
			for _, v := range e.expr(s.Is) {
				keys[s.Key] = append(keys[s.Key], v.text)
			}
			continue
		case "keys":
			for _, k := range e.params.Values(s.At) {
				pairs = append(pairs, params.Pair{Key: k})
			}
		case "entries":
			pairs = e.params.Entries(s.At)
		case "tags":
			pairs = e.params.Pairs(s.At, s.Name, s.Value)
		}
		for _, p := range pairs {
			if p.Key == "" {
				continue
			}
			keys[s.Keys] = append(keys[s.Keys], p.Key)
			if s.Kind != "keys" {
				keys[s.Key+p.Key] = append(keys[s.Key+p.Key], p.Value)
			}
		}
	}
	return keys
}

// expr gives the values of the first alternative that has one.
func (e *evaluation) expr(x rows.Expr) []value {
	for _, a := range x {
		if v := e.alternative(a); len(v) > 0 {
			return v
		}
	}
	return nil
}

// alternative joins its terms. A single term may have many values; of several
// terms each gives its first, and a missing one makes the whole missing, but
// for "rel", whose absence is the root.
func (e *evaluation) alternative(a rows.Alternative) []value {
	if len(a) == 1 {
		return e.term(a[0])
	}
	var b strings.Builder
	for _, t := range a {
		v := e.term(t)
		switch {
		case len(v) > 0:
			b.WriteString(v[0].text)
		case len(t.Calls) == 1 && t.Calls[0].Name == "rel":
		default:
			return nil
		}
	}
	return []value{{text: b.String()}}
}

func (e *evaluation) term(t rows.Term) []value {
	var values []value
	switch t.Kind {
	case '*':
		return []value{{text: "*"}}
	case '\'':
		values = []value{{text: e.fill(t.Text)}}
	case '@':
		if s := e.name(t.Text); s != "" {
			values = []value{{text: s}}
		}
	case 'n':
		for _, s := range e.params.Names(t.At) {
			values = append(values, value{text: s})
		}
	default:
		for _, s := range e.params.Values(t.At) {
			values = append(values, value{text: s})
		}
	}
	for _, f := range t.Calls {
		var next []value
		for _, v := range values {
			next = append(next, e.apply(f, v)...)
		}
		values = next
	}
	return values
}

// name gives what an @name stands for.
func (e *evaluation) name(s string) string {
	switch s {
	case "account":
		return e.scope.Account
	case "region":
		return e.scope.Region
	case "partition":
		return e.scope.Partition
	case "user":
		return e.scope.User
	case "operation":
		return e.operation
	case "object":
		return e.params.At(params.Named("bucket")) + "/" + e.params.At(params.Named("key"))
	}
	return e.params.At(params.Named("@" + s))
}

// apply passes a value through a function of the notation.
func (e *evaluation) apply(f rows.Call, v value) []value {
	switch f.Name {
	case "last": // what follows the last slash or colon
		return []value{{text: v.text[strings.LastIndexAny(v.text, "/:")+1:]}}
	case "after": // what follows the first of what the argument says
		if _, rest, ok := strings.Cut(v.text, f.Arg); ok && rest != "" {
			return []value{{text: rest}}
		}
		return nil
	case "rel": // an IAM path as it stands in an ARN
		if s := strings.TrimPrefix(v.text, "/"); s != "" {
			return []value{{text: s}}
		}
		return nil
	case "arn": // only if it is one
		if wellFormed(v.text) {
			return []value{{v.text, true}}
		}
		return nil
	case "role": // only if it is the ARN of a role, as iam:PassRole is checked for
		if wellFormed(v.text) && strings.Contains(v.text, ":role/") {
			return []value{{v.text, true}}
		}
		return nil
	case "of": // only if it is an ARN of the service
		if wellFormed(v.text) && strings.SplitN(v.text, ":", 4)[2] == f.Arg {
			return []value{{v.text, true}}
		}
		return nil
	case "escaped": // as API Gateway writes an ARN in the path of its tags
		return []value{{text: strings.ReplaceAll(url.QueryEscape(v.text), "+", "%20")}}
	case "bucket": // a bucket's name in its host name
		name, _, _ := strings.Cut(v.text, ".s3.")
		return []value{{text: name}}
	case "image": // the repository in an image's address, HOST/NAME:TAG or HOST/NAME@DIGEST
		_, name, _ := strings.Cut(v.text, "/")
		if i := strings.IndexAny(name, ":@"); i > 0 {
			name = name[:i]
		}
		return []value{{text: name}}
	case "revision": // a task definition; without a revision it can be any
		if !strings.Contains(v.text, ":") {
			return []value{{text: v.text + ":*"}}
		}
		return []value{v}
	case "fact":
		return e.find(rows.Fact(f.Arg), v.text)
	case "named": // the name of an existing IAM entity, with its path
		name := v.text
		if path := e.find(rows.Fact(f.Arg), v.text); len(path) > 0 {
			name = strings.TrimPrefix(path[0].text, "/") + name
		}
		return []value{{text: name}}
	case "task": // a deletion task, task/ROLE-WITH-PATH/ID
		s := strings.TrimPrefix(v.text, "task/")
		if i := strings.LastIndex(s, "/"); i > 0 {
			return []value{{text: s[:i]}}
		}
		return nil
	case "queue":
		return []value{{e.queue(v.text), true}}
	case "key":
		return e.kmsKey(v.text)
	case "alias":
		if i := strings.Index(v.text, "alias/"); i == 0 || i > 0 && v.text[i-1] == ':' {
			return []value{{text: v.text[i:]}}
		}
		return nil
	case "copy":
		return e.copySource(f.Arg, v.text)
	case "kind": // only an ARN of this type of resource
		if kind := resourcePart(v.text); kind == f.Arg || strings.HasPrefix(kind, f.Arg+":") || strings.HasPrefix(kind, f.Arg+"/") {
			return []value{{v.text, true}}
		}
		return nil
	case "cmk": // a key of the account's own: see [evaluation.customerKey]
		return e.customerKey(v.text)
	case "topic", "group", "bus", "machine", "parameter", "document", "setting":
		return e.named(f.Name, v.text)
	case "host": // an OIDC provider's name in its ARN: the URL without scheme
		_, s, ok := strings.Cut(v.text, "://")
		if !ok {
			s = v.text
		}
		return []value{{text: s}}
	}
	return nil
}

func (e *evaluation) find(f Fact, id string) []value {
	if e.lookup == nil {
		return nil
	}
	var values []value
	for _, s := range e.lookup.Find(e.ctx, f, id) {
		if s != "" {
			values = append(values, value{s, wellFormed(s)})
		}
	}
	return values
}

// queue turns a queue's URL (https://HOST/ACCOUNT/NAME) or name into its ARN.
func (e *evaluation) queue(s string) string {
	account, name := e.scope.Account, s
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		name = strings.TrimPrefix(u.Path, "/")
	}
	if owner, rest, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/"); ok {
		account, name = owner, rest
	}
	t := strings.ReplaceAll(e.table.Template("queue"), "{account}", account)
	return strings.Replace(e.fill(t), "{}", name, 1)
}

// kmsKey turns any form of a key's identifier into the key's ARN; none when it
// is an alias that points to nothing known. Aliases are resolved before the
// permission is checked, and the check is for the key.
func (e *evaluation) kmsKey(id string) []value {
	switch {
	case strings.HasPrefix(id, "alias/"), wellFormed(id) && strings.Contains(id, ":alias/"):
		return e.find(rows.KMSAlias, id)
	case wellFormed(id):
		return []value{{id, true}}
	}
	return []value{{e.fill("arn:{partition}:kms:{region}:{account}:key/" + id), true}}
}

// copySource takes one part of "bucket/key?versionId=v", x-amz-copy-source's
// form, which may be URL-encoded and may start with a slash, or of an access
// point's object ARN.
func (e *evaluation) copySource(part, s string) []value {
	s, query, _ := strings.Cut(s, "?")
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(s, "/"), "/")
	version := strings.TrimPrefix(query, "versionId=")
	switch {
	case strings.HasPrefix(s, "arn:"):
		e.malformed = "a copy source that is an access point is not supported"
		return nil
	case part == "bucket" && bucket != "":
		return []value{{text: bucket}}
	case part == "key" && key != "":
		return []value{{text: key}}
	case part == "object" && key != "":
		return []value{{text: bucket + "/" + key}}
	case part == "version" && version != "" && query != version:
		return []value{{text: version}}
	}
	return nil
}
