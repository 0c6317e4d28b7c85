package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
)

// route tells an operation of a REST service from its method, path and query:
// "PUT /{bucket}/{key+}?partNumber&uploadId[x] x-amz-copy-source". An optional
// parameter "*" stands for any.
type Route struct {
	Operation, method string
	path              []string // "{name}" is any one part, "{name+}" all the rest
	query             [][2]string
	optional          []string
	header            string
}

func ParseRoute(operation, s string) (Route, error) {
	words := strings.Fields(s)
	if len(words) < 2 || len(words) > 3 || !strings.HasPrefix(words[1], "/") {
		return Route{}, fmt.Errorf("route %q is not of the form METHOD /path?query[optional] header", s)
	}
	r := Route{Operation: operation, method: words[0]}
	target := words[1]
	if i := strings.Index(target, "["); i >= 0 {
		r.optional = strings.Split(strings.TrimSuffix(target[i+1:], "]"), ",")
		target = target[:i]
	}
	path, query, _ := strings.Cut(target, "?")
	if path = strings.Trim(path, "/"); path != "" {
		r.path = strings.Split(path, "/")
	}
	if query != "" {
		for _, q := range strings.Split(query, "&") {
			k, v, _ := strings.Cut(q, "=")
			r.query = append(r.query, [2]string{k, v})
		}
	}
	if len(words) == 3 {
		r.header = words[2]
	}
	return r, nil
}

// fits tells whether the request is of the route, and what its path's names
// stand for. Every query parameter must be one that the route or the service
// knows: an unknown one could make it another operation.
func (r Route) fits(method string, path []string, query url.Values, known func(string) bool, header func(string) bool) (map[string]string, bool) {
	if r.method != method || r.header != "" && !header(r.header) {
		return nil, false
	}
	names := map[string]string{}
	for i, p := range r.path {
		if i >= len(path) || path[i] == "" {
			return nil, false
		}
		switch {
		case strings.HasSuffix(p, "+}"):
			names[p[1:len(p)-2]] = strings.Join(path[i:], "/")
			path = path[:i+1]
		case strings.HasPrefix(p, "{"):
			names[p[1:len(p)-1]] = path[i]
		case p != path[i]:
			return nil, false
		}
	}
	if len(path) != len(r.path) {
		return nil, false
	}
	for _, q := range r.query {
		if v, ok := query[q[0]]; !ok || len(v) != 1 || q[1] != "" && v[0] != q[1] {
			return nil, false
		}
	}
	for k := range query {
		marks := slices.ContainsFunc(r.query, func(q [2]string) bool { return q[0] == k })
		if !marks && !slices.Contains(r.optional, k) && !slices.Contains(r.optional, "*") && !known(k) {
			return nil, false
		}
	}
	return names, true
}

// identifyREST finds the route that says most of the request.
func (t *Service) identifyREST(r *http.Request) (string, params.Params, error) {
	var p params.Params
	path, err := t.restPath(r)
	if err != nil {
		return "", p, err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", p, &MalformedError{t.Name, "the query cannot be decoded"}
	}
	if t.Name == "s3" {
		// Elsewhere lists are written so, and what marks a route is given once
		// (Route.fits).
		for _, k := range sortedKeys(query) {
			if len(query[k]) != 1 {
				return "", p, &MalformedError{t.Name, fmt.Sprintf("query parameter %q is given twice", k)}
			}
		}
	}
	// Headers of a presigned request may stand in the query.
	for _, k := range sortedKeys(query) {
		if low := strings.ToLower(k); strings.HasPrefix(low, "x-amz-") {
			p.Add(query.Get(k), low)
		} else {
			for _, v := range query[k] {
				p.Add(v, k)
			}
		}
	}
	for _, k := range sortedKeys(url.Values(r.Header)) {
		if low := strings.ToLower(k); strings.HasPrefix(low, "x-amz-") {
			for _, v := range r.Header.Values(k) {
				p.Add(v, low)
			}
		}
	}
	if tags := p.At(params.Named("x-amz-tagging")); tags != "" {
		parsed, err := url.ParseQuery(tags)
		if err != nil {
			return "", p, &MalformedError{t.Name, "x-amz-tagging cannot be decoded"}
		}
		for i, k := range sortedKeys(parsed) {
			index := params.Step{Name: strconv.Itoa(i + 1), Index: true}
			p.Fields = append(p.Fields, params.Field{At: []params.Step{{Name: "tagging"}, index, {Name: "Key"}}, Value: k},
				params.Field{At: []params.Step{{Name: "tagging"}, index, {Name: "Value"}}, Value: parsed.Get(k)})
		}
	}
	auth := "REST-HEADER"
	if query.Has("X-Amz-Signature") {
		auth = "REST-QUERY-STRING"
	}
	p.Add(auth, "@auth")
	p.Add(r.Header.Get("X-Amz-Content-Sha256"), "@body-hash")

	known := func(k string) bool {
		return t.Harmless[k] || strings.HasPrefix(strings.ToLower(k), "x-amz-")
	}
	header := func(k string) bool { return len(p.Values(path1(k))) > 0 }
	var (
		best  *Route
		names map[string]string
		most  = -1
	)
	for i := range t.Routes {
		c := &t.Routes[i]
		n, ok := c.fits(r.Method, path, query, known, header)
		if !ok {
			continue
		}
		says := 2 * len(c.query)
		if c.header != "" {
			says++
		}
		for _, part := range c.path {
			if !strings.HasPrefix(part, "{") {
				says += 16
			}
		}
		if says > most {
			best, names, most = c, n, says
		}
	}
	if best == nil {
		return "", p, &UnknownError{Service: t.Name, Detail: fmt.Sprintf("no route for %s with %d path parts and query %q", r.Method, len(path), queryNames(query))}
	}
	for _, k := range sortedKeys(toValues(names)) {
		p.Add(names[k], k)
	}
	return best.Operation, p, nil
}

func path1(name string) params.Path { return params.Path{{Name: name}} }

func toValues(m map[string]string) url.Values {
	v := url.Values{}
	for k := range m {
		v[k] = nil
	}
	return v
}

// queryNames lists the parameters' names only: values can be secret.
func queryNames(query url.Values) string {
	var names []string
	for _, k := range sortedKeys(query) {
		if !strings.HasPrefix(strings.ToLower(k), "x-amz-") {
			names = append(names, k)
		}
	}
	return strings.Join(names, "&")
}

// restPath gives the decoded path's parts, for S3 with the bucket first
// whether it stood in the host or in the path.
func (t *Service) restPath(r *http.Request) ([]string, error) {
	// r.URL.Path is decoded: "%2F" inside a key becomes a slash of the key,
	// which is what S3 makes of it too.
	plain := strings.TrimPrefix(r.URL.Path, "/")
	if t.Name == "s3" {
		bucket, err := bucketOfHost(r.Host)
		if err != nil {
			return nil, err
		}
		if bucket != "" {
			plain = bucket + "/" + plain
		}
		bucket, key, _ := strings.Cut(plain, "/")
		switch {
		case bucket == "" && key == "":
			return nil, nil
		case key == "":
			return []string{bucket}, nil
		}
		return []string{bucket, key}, nil
	}
	// Elsewhere an ARN in the path is one part, its slashes written as "%2F".
	// A slash at the end says nothing: Lambda's model has it, clients do not.
	escaped := strings.TrimSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if escaped == "" {
		return nil, nil
	}
	parts := strings.Split(escaped, "/")
	for i := range parts {
		part, err := url.PathUnescape(parts[i])
		if err != nil {
			return nil, &MalformedError{t.Name, "the path cannot be decoded"}
		}
		parts[i] = part
	}
	return parts, nil
}
