package wire

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
)

// Bounds of what is read of one request; AWS's own are lower.
const (
	maxFields = 10_000
	maxDepth  = 32
)

// Identify tells the operation of a request and reads its parameters.
func (t *Service) Identify(r *http.Request, body []byte) (string, params.Params, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(t.Routes) > 0:
		return t.identifyREST(r)
	case SpeaksCBOR(r):
		return t.identifyCBOR(r, body)
	case strings.HasPrefix(kind, "application/x-amz-json-"):
		return t.identifyJSON(r, kind, body)
	}
	return t.identifyQuery(r, kind, body)
}

// identifyQuery reads the protocols awsQuery and ec2Query: the operation is
// the parameter Action, lists are NAME.1 or NAME.member.1.
func (t *Service) identifyQuery(r *http.Request, kind string, body []byte) (string, params.Params, error) {
	var p params.Params
	if !slices.Contains(t.Protocols, Query) && !slices.Contains(t.Protocols, EC2) {
		return "", p, &UnknownError{Service: t.Name, Detail: "the service is not known to speak the query protocol"}
	}
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return "", p, &UnknownError{Service: t.Name, Detail: "method " + r.Method}
	}
	if len(body) > 0 && kind != "application/x-www-form-urlencoded" {
		return "", p, &UnknownError{Service: t.Name, Detail: fmt.Sprintf("a body of type %q", kind)}
	}
	values := url.Values{}
	for _, text := range []string{r.URL.RawQuery, string(body)} {
		more, err := url.ParseQuery(text)
		if err != nil {
			return "", p, &MalformedError{t.Name, "the form cannot be decoded"}
		}
		for k, v := range more {
			values[k] = append(values[k], v...)
		}
	}
	if len(values) > maxFields {
		return "", p, &MalformedError{t.Name, "too many parameters"}
	}
	for _, k := range sortedKeys(values) {
		// Two values of one Name: we and the service could read different ones.
		if len(values[k]) != 1 {
			return "", p, &MalformedError{t.Name, fmt.Sprintf("parameter %q is given twice", k)}
		}
		p.Fields = append(p.Fields, params.Field{At: splitKey(k), Value: values[k][0]})
	}
	// Queue URLs are endpoints too: POST /ACCOUNT/QUEUE without a QueueUrl.
	if t.Name == "sqs" && len(values["QueueUrl"]) == 0 && strings.Count(strings.Trim(r.URL.Path, "/"), "/") == 1 {
		p.Add("https://"+r.Host+r.URL.Path, "QueueUrl")
	}
	op := p.At(params.Named("Action"))
	if op == "" {
		return "", p, &UnknownError{Service: t.Name, Detail: "no Action parameter"}
	}
	return op, p, nil
}

// sortedKeys orders names so that list elements keep their order.
func sortedKeys(values url.Values) []string {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// compareKeys orders parameters by their names' parts, indexes as numbers; it
// is 0 for equal names only.
func compareKeys(a, b string) int {
	x, restA, moreA := strings.Cut(a, ".")
	y, restB, moreB := strings.Cut(b, ".")
	switch c := compareNames(x, y); {
	case c != 0:
		return c
	case moreA && moreB:
		return compareKeys(restA, restB)
	case moreA:
		return 1
	case moreB:
		return -1
	}
	return 0
}

func compareNames(a, b string) int {
	x, errA := strconv.ParseUint(a, 10, 32)
	y, errB := strconv.ParseUint(b, 10, 32)
	if errA == nil && errB == nil {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		// "1" and "01" are two names.
	}
	return strings.Compare(a, b)
}

// splitKey splits a query parameter's name into its place. "member" and
// "entry" are the protocol's words for a list's and a map's elements.
func splitKey(k string) []params.Step {
	names := strings.Split(k, ".")
	var at []params.Step
	for i, n := range names {
		_, err := strconv.ParseUint(n, 10, 32)
		index := err == nil && i > 0
		if (n == "member" || n == "entry") && i > 0 && i+1 < len(names) {
			if _, err := strconv.ParseUint(names[i+1], 10, 32); err == nil {
				continue
			}
		}
		at = append(at, params.Step{Name: n, Index: index})
	}
	return at
}
