// Package request takes an AWS request apart, as far as the request itself says
// what it is: service, operation, parameters, bucket and key.
package request

import (
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Need is a permission, on a resource, that a request needs.
type Need struct {
	Permission, Resource string
	// Seldom marks what most such requests do without: it hangs on something
	// that the request does not show.
	Seldom bool
}

// Request is an AWS request taken apart.
type Request struct {
	Method             string
	Path               string
	Header             http.Header
	Query              url.Values                 // of the URL
	Form               url.Values                 // of a query request, wherever its parameters stand
	JSON               map[string]json.RawMessage // of a JSON request
	Body               []byte
	Service, Operation string // the service's prefix in IAM; S3's requests have no operation here
	Partition, Region  string
	Account            string // the caller's
	Bucket, Key        string // S3
}

var (
	regionName    = regexp.MustCompile(`^[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}$`)
	operationName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
	accountID     = regexp.MustCompile(`^\d{12}$`)
)

// serviceOf holds the endpoints that are not called like the service's prefix
// in IAM (Service Authorization Reference, "service prefix").
var serviceOf = map[string]string{
	"monitoring": "cloudwatch", "email": "ses", "tagging": "tag", "queue": "sqs", "api.ecr": "ecr",
	"api.ecr-public": "ecr-public", "api.sagemaker": "sagemaker", "streams.dynamodb": "dynamodb", "ddb": "dynamodb",
	"control-kinesis": "kinesis", "data-kinesis": "kinesis",
	"memory-db": "memorydb", "cloudhsmv2": "cloudhsm", "cloudcontrolapi": "cloudformation", "s3-control": "s3-control",
	"s3-accelerate": "s3", "s3-external-1": "s3", "git-codecommit": "codecommit", "appstream2": "appstream",
	"sync-states": "states", "streaming-logs": "logs", "stream-logs": "logs",
}

// Read takes a request to an AWS endpoint apart. ok is false for another host,
// and for a query or JSON request that names no operation.
func Read(method string, u *url.URL, header http.Header, body []byte, account string) (r Request, ok bool) {
	r = Request{Method: method, Header: header, Query: u.Query(), Body: body, Partition: "aws", Account: account, Path: u.Path}
	host := u.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(host)
	name, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		if name, ok = strings.CutSuffix(host, ".amazonaws.com.cn"); ok {
			r.Partition = "aws-cn"
		} else if name, ok = strings.CutSuffix(host, ".api.aws"); !ok {
			return r, false
		}
	}
	labels := slices.DeleteFunc(strings.Split(name, "."), func(l string) bool { return l == "dualstack" })
	if len(labels) == 0 {
		return r, false
	}
	if last := labels[len(labels)-1]; len(labels) > 1 && regionName.MatchString(last) {
		r.Region, labels = last, labels[:len(labels)-1]
	}
	last := labels[len(labels)-1]
	before := labels[:len(labels)-1]
	if s, region, _ := strings.Cut(last, "-"); s == "s3" && regionName.MatchString(region) {
		last, r.Region = s, region
	}
	last = strings.TrimSuffix(strings.TrimPrefix(last, "fips-"), "-fips")
	if strings.HasPrefix(r.Region, "us-gov-") {
		r.Partition = "aws-us-gov"
	}
	two := strings.Join(labels, ".")
	switch {
	case last == "s3" || serviceOf[last] == "s3":
		r.Service = "s3"
		r.Bucket = strings.Join(before, ".")
		r.Key = strings.TrimPrefix(u.Path, "/")
		if r.Bucket == "" {
			r.Bucket, r.Key, _ = strings.Cut(r.Key, "/")
		}
		return r, true
	case last == "queue" && len(before) == 1 && regionName.MatchString(before[0]):
		r.Service, r.Region = "sqs", before[0]
	case len(before) == 0, len(before) == 1 && accountID.MatchString(before[0]):
		r.Service = last
		if s, ok := serviceOf[last]; ok {
			r.Service = s
		}
	case serviceOf[two] != "":
		r.Service = serviceOf[two]
	default:
		return r, false // a customer's host, or one that is not known
	}
	if t := header.Get("X-Amz-Target"); t != "" && isJSON(header) {
		if len(header.Values("X-Amz-Target")) > 1 || r.Query.Has("Action") {
			return r, false // two operations: the service knows which, we do not
		}
		r.Operation = t[strings.LastIndexByte(t, '.')+1:]
		_ = json.Unmarshal(body, &r.JSON) // cut or broken: no parameters
	} else {
		r.Form = r.Query
		if strings.HasPrefix(header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			r.Form, _ = url.ParseQuery(string(body))
		}
		r.Operation = r.Form.Get("Action")
	}
	if r.Service == "s3-control" {
		return r, true
	}
	return r, operationName.MatchString(r.Operation)
}

// isJSON tells the requests of the JSON protocols, the only ones whose
// operation X-Amz-Target says (Smithy, "AWS JSON 1.0 protocol" and "1.1").
func isJSON(header http.Header) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return strings.HasPrefix(kind, "application/x-amz-json")
}

// Escape writes what a request chose, a name or an id, so that it stands for
// itself in a policy's resource: "*", "?" and "${" are ${*}, ${?} and ${$}{
// there (IAM User Guide, "Policy elements: variables and tags", special
// characters).
func Escape(name string) string {
	return escaper.Replace(name)
}

var escaper = strings.NewReplacer("*", "${*}", "?", "${?}", "${", "${$}{")

// Given makes a need's resource of an ARN that the request holds. ok is false
// for what is none of the request's partition, and for one with wildcards
// before its last field, which could mean other services, regions or accounts.
func (r Request) Given(arn string) (resource string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] != r.Partition || parts[2] == "" || parts[5] == "" {
		return "", false
	}
	if strings.ContainsAny(strings.Join(parts[:5], ":"), "*?$") {
		return "", false
	}
	parts[5] = Escape(parts[5])
	return strings.Join(parts, ":"), true
}

// ARN makes a resource of the request's own account and region. What the
// request chose of it is escaped already ([Escape]).
func (r Request) ARN(service, resource string) string {
	return strings.Join([]string{"arn", r.Partition, service, r.Region, r.Account, resource}, ":")
}

// Param gives a parameter of a query or JSON request, "" if there is none or
// it is no string.
func (r Request) Param(name string) string {
	if r.JSON != nil {
		var s string
		if json.Unmarshal(r.JSON[name], &s) != nil {
			return ""
		}
		return s
	}
	return r.Form.Get(name)
}

// Has tells whether a query or JSON request holds the parameter, or a list or
// structure of that name, with something in it.
func (r Request) Has(name string) bool {
	if v, ok := r.JSON[name]; ok {
		s := strings.TrimSpace(string(v))
		return s != "" && s != "null" && s != "{}" && s != "[]" && s != `""`
	}
	for key, values := range r.Form {
		if (key == name || strings.HasPrefix(key, name+".")) && strings.Join(values, "") != "" {
			return true
		}
	}
	return false
}

// IsAccount tells whether s is an account ID.
func IsAccount(s string) bool { return accountID.MatchString(s) }

// Words splits an operation's camel-case name; a run of capitals is one word up to the one
// that starts the next: "GetBucketCORS", "ListSAMLProviders".
func Words(name string) []string {
	var out []string
	start := 0
	upper := func(i int) bool { return i < len(name) && name[i] >= 'A' && name[i] <= 'Z' }
	lower := func(i int) bool { return i < len(name) && name[i] >= 'a' && name[i] <= 'z' }
	for i := 1; i < len(name); i++ {
		if upper(i) && (!upper(i-1) || lower(i+1)) {
			out = append(out, name[start:i])
			start = i
		}
	}
	if start < len(name) {
		out = append(out, name[start:])
	}
	return out
}
