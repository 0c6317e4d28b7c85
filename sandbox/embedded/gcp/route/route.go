// Package route tells which API method of Google Cloud a request calls, from
// tables that go generate makes from Google's discovery documents.
package route

//go:generate go run ./gen

import (
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
)

//go:embed tables/*.tsv
var tables embed.FS

// Service is one version of one API.
type Service struct {
	Name    string // "compute"
	Version string // "v1"
	Host    string // "compute.googleapis.com"
	Prefix  string // "compute/v1/", or empty where the methods' paths have it
	schemas map[string]*Schema
}

// Method is one method of an API.
type Method struct {
	ID       string // "compute.firewalls.insert"
	HTTP     string
	Service  *Service
	Template string
	Request  string // the schema of the body; empty for none
	Response string
	Query    []string // the names of query parameters
	upload   []segment
	segments []segment
}

// Verb is the last part of the method's id: "insert".
func (m *Method) Verb() string { return m.ID[strings.LastIndexByte(m.ID, '.')+1:] }

// Collection is the part before the verb: "firewalls".
func (m *Method) Collection() string {
	parts := strings.Split(m.ID, ".")
	return parts[len(parts)-2]
}

// segment is one part of a path between slashes: a literal, or a variable with
// what must follow it.
type segment struct {
	literal, variable, suffix string
	rest                      bool // takes all that is left, slashes too
}

// Match is a request's method with its path parameters.
type Match struct {
	*Method
	Params map[string]string
	// Path names what the request is about, relative to the service: a
	// resource, or for list and create its collection. A verb at its end, and
	// the API's version before it, are taken off.
	Path string
	// Upload tells that the body has the content besides, or instead of, the
	// metadata.
	Upload bool
	// Beta tells that compute's beta version was asked for.
	Beta bool
}

type index struct {
	services []*Service
	methods  map[string]map[int][]*Method // by host and number of segments
	rest     map[string][]*Method         // by host: with a variable that takes slashes
	byID     map[string]*Method
}

var load = sync.OnceValue(func() *index {
	x := &index{methods: map[string]map[int][]*Method{}, rest: map[string][]*Method{}, byID: map[string]*Method{}}
	names, err := fs.Glob(tables, "tables/*.tsv")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		text, err := tables.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		x.read(string(text))
	}
	// The more is fixed, the sooner it is tried.
	for _, byLength := range x.methods {
		for _, list := range byLength {
			slices.SortStableFunc(list, func(a, b *Method) int { return b.fixed() - a.fixed() })
		}
	}
	return x
})

// fixed counts what a path must have: literals, and suffixes of variables.
func (m *Method) fixed() (n int) {
	for _, s := range m.segments {
		if s.variable == "" {
			n += 2
		} else if s.suffix != "" {
			n++
		}
	}
	return n
}

func (x *index) read(text string) {
	var s *Service
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch f[0] {
		case "service":
			s = &Service{Name: f[1], Version: f[2], Host: f[3], Prefix: f[4], schemas: map[string]*Schema{}}
			x.services = append(x.services, s)
		case "method":
			m := &Method{ID: f[1], HTTP: f[2], Service: s, Template: f[3], Request: dash(f[4]), Response: dash(f[5])}
			m.segments = parse(s.Prefix + f[3])
			if f[6] != "-" {
				m.upload = parse(strings.TrimPrefix(f[6], "/"))
			}
			if f[7] != "-" {
				m.Query = strings.Split(f[7], ",")
			}
			x.byID[m.ID] = m
			if m.segments[len(m.segments)-1].rest {
				x.rest[s.Host] = append(x.rest[s.Host], m)
				continue
			}
			if x.methods[s.Host] == nil {
				x.methods[s.Host] = map[int][]*Method{}
			}
			x.methods[s.Host][len(m.segments)] = append(x.methods[s.Host][len(m.segments)], m)
		case "schema":
			s.schemas[f[1]] = parseSchema(f[1], f[2])
		}
	}
}

func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

func parse(path string) (list []segment) {
	for _, part := range strings.Split(path, "/") {
		open, closed := strings.IndexByte(part, '{'), strings.IndexByte(part, '}')
		if open != 0 {
			list = append(list, segment{literal: part})
			continue
		}
		name, rest := strings.CutSuffix(part[1:closed], "**")
		list = append(list, segment{variable: name, suffix: part[closed+1:], rest: rest})
	}
	return list
}

// Methods lists all that the tables have, by id. A method that has several
// paths is there once.
func Methods() []*Method {
	var list []*Method
	for _, m := range load().byID {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *Method) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// ByID finds a method, nil when there is none.
func ByID(id string) *Method { return load().byID[id] }

// Hosts lists the hosts that have methods.
func Hosts() []string {
	var list []string
	for _, s := range load().services {
		if !slices.Contains(list, s.Host) {
			list = append(list, s.Host)
		}
	}
	slices.Sort(list)
	return list
}

// shared is the host that older clients send several services' requests to.
const shared = "www.googleapis.com"

// old are the services that are also at the shared host, and how their paths
// begin there.
var old = map[string]string{
	"compute/": "compute.googleapis.com", "storage/": "storage.googleapis.com", "upload/storage/": "storage.googleapis.com",
	"download/storage/": "storage.googleapis.com", "dns/": "dns.googleapis.com",
}

// Find gives the method that a request calls, false when the tables have none.
func Find(host, httpMethod string, u *url.URL) (Match, bool) {
	var parts []string
	for _, p := range strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/") {
		plain, err := url.PathUnescape(p)
		if err != nil {
			return Match{}, false
		}
		parts = append(parts, plain)
	}
	if host == shared {
		for prefix, h := range old {
			if strings.HasPrefix(strings.TrimPrefix(u.EscapedPath(), "/"), prefix) {
				host = h
			}
		}
	}
	beta := len(parts) > 1 && parts[0] == "compute" && parts[1] == "beta"
	if beta {
		parts[1] = "v1"
	}
	upload := parts[0] == "upload" || len(parts) > 1 && parts[0] == "resumable" && parts[1] == "upload"
	if parts[0] == "resumable" {
		parts = parts[1:]
	}
	if parts[0] == "download" {
		parts = parts[1:]
	}
	x := load()
	var candidates []*Method
	if upload {
		for _, m := range x.byID {
			if m.upload != nil && m.Service.Host == host {
				candidates = append(candidates, m)
			}
		}
		if httpMethod == "PUT" { // a part of a resumable upload
			httpMethod = "POST"
		}
	} else {
		candidates = append(slices.Clone(x.methods[host][len(parts)]), x.rest[host]...)
	}
	for _, m := range candidates {
		segments := m.segments
		if upload {
			segments = m.upload
		}
		if m.HTTP != httpMethod {
			continue
		}
		if params, ok := match(segments, parts); ok {
			return Match{Method: m, Params: params, Path: m.about(parts, upload), Upload: upload, Beta: beta}, true
		}
	}
	return Match{}, false
}

func match(segments []segment, parts []string) (map[string]string, bool) {
	if len(parts) < len(segments) || len(parts) > len(segments) && !segments[len(segments)-1].rest {
		return nil, false
	}
	params := map[string]string{}
	for i, s := range segments {
		part := parts[i]
		if s.rest {
			part = strings.Join(parts[i:], "/")
		}
		if s.variable == "" {
			if part != s.literal {
				return nil, false
			}
			continue
		}
		value, ok := strings.CutSuffix(part, s.suffix)
		if !ok || value == "" {
			return nil, false
		}
		params[s.variable] = value
	}
	return params, true
}

// about takes version and verb off a path.
func (m *Method) about(parts []string, upload bool) string {
	skip := len(parse(m.Service.Prefix)) - 1
	if m.Service.Prefix == "" {
		skip = 1
		if parts[0] == "dns" {
			skip = 2
		}
	}
	if upload {
		skip = 3 // upload/storage/v1
	}
	parts = slices.Clone(parts[skip:])
	if m.Service.Name != "storage" { // a slash within a name stays escaped
		for i, p := range parts {
			parts[i] = strings.ReplaceAll(p, "/", "%2F")
		}
	}
	last := m.segments[len(m.segments)-1]
	n := len(parts) - 1
	switch {
	case last.suffix != "":
		parts[n] = strings.TrimSuffix(parts[n], last.suffix)
	case last.variable == "" && last.literal == m.Verb() && n > 0:
		parts = parts[:n]
	case last.variable == "" && strings.Contains(last.literal, ":"):
		parts[n], _, _ = strings.Cut(parts[n], ":")
	}
	return strings.Join(parts, "/")
}

// Item tells whether the method is about one resource, not a collection: its
// path ends in a variable.
func (m *Method) Item() bool {
	n := len(m.segments) - 1
	if n >= 0 && m.segments[n].variable == "" && m.segments[n].literal == m.Verb() {
		n--
	}
	return n >= 0 && m.segments[n].variable != ""
}

// ItemName is the name of the path's last variable: "firewall".
func (m *Method) ItemName() string {
	for _, s := range slices.Backward(m.segments) {
		if s.variable != "" {
			return s.variable
		}
	}
	return ""
}

func (m *Method) String() string { return fmt.Sprintf("%s (%s %s)", m.ID, m.HTTP, m.Template) }
