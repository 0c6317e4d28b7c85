package catalog

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Candidate is a grant that an opaque refusal may have been about.
type Candidate struct {
	Permission, Resource string
	// Escalates marks a permission that could raise the identity's own rights
	// (see [Risk]).
	Escalates bool
}

// Candidates lists what an AWS request needs, for a refusal that names no
// permission: S3's bare "Access Denied", EC2's UnauthorizedOperation without
// its sentence, a reply to HEAD. It reads method, URL, header and body of the
// request alone. The operation's own permission comes first, on the resource
// that the request names, then what its parameters add (tags, ACLs, a source
// to copy from, a retention). account is the caller's account ID.
//
// Resources are as exact as the request is: ids are not widened (see [Widen]),
// and a resource that the request can't name, since it is to be made, is "*"
// below its type. There are none for a request whose operation can't be told.
func Candidates(method string, u *url.URL, header http.Header, body []byte, account string) []Candidate {
	if u == nil {
		return nil
	}
	r, ok := target(method, u, header, body, account)
	if !ok {
		return nil
	}
	var list []Candidate
	switch r.service {
	case "s3":
		list = s3Candidates(r)
	case "ec2":
		list = ec2Candidates(r)
	default:
		list = otherCandidates(r)
	}
	var out []Candidate
	for _, c := range list {
		c.Escalates = Risk(c.Permission) != ""
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// request is an AWS request taken apart.
type request struct {
	method             string
	header             http.Header
	query              url.Values // of the URL
	form               url.Values // of the body, for query services
	json               map[string]json.RawMessage
	body               []byte
	service, operation string
	partition, region  string
	account            string
	bucket, key        string // S3
	path               string
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
	"memory-db": "memorydb", "cloudhsmv2": "cloudhsm", "cloudcontrolapi": "cloudformation", "s3-control": "s3-control",
	"s3-accelerate": "s3", "s3-external-1": "s3", "git-codecommit": "codecommit", "appstream2": "appstream",
}

// target takes a request to an AWS endpoint apart.
func target(method string, u *url.URL, header http.Header, body []byte, account string) (request, bool) {
	r := request{method: method, header: header, query: u.Query(), body: body, partition: "aws", account: account, path: u.Path}
	host := u.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(host)
	name, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		if name, ok = strings.CutSuffix(host, ".amazonaws.com.cn"); ok {
			r.partition = "aws-cn"
		} else if name, ok = strings.CutSuffix(host, ".api.aws"); !ok {
			return r, false
		}
	}
	labels := slices.DeleteFunc(strings.Split(name, "."), func(l string) bool { return l == "dualstack" })
	if len(labels) == 0 {
		return r, false
	}
	if last := labels[len(labels)-1]; len(labels) > 1 && regionName.MatchString(last) {
		r.region, labels = last, labels[:len(labels)-1]
	}
	last := labels[len(labels)-1]
	before := labels[:len(labels)-1]
	if s, region, _ := strings.Cut(last, "-"); s == "s3" && regionName.MatchString(region) {
		last, r.region = s, region
	}
	last = strings.TrimSuffix(strings.TrimPrefix(last, "fips-"), "-fips")
	if strings.HasPrefix(r.region, "us-gov-") {
		r.partition = "aws-us-gov"
	}
	two := strings.Join(labels, ".")
	switch {
	case last == "s3" || serviceOf[last] == "s3":
		r.service = "s3"
		r.bucket = strings.Join(before, ".")
		r.key = strings.TrimPrefix(u.Path, "/")
		if r.bucket == "" {
			r.bucket, r.key, _ = strings.Cut(r.key, "/")
		}
		return r, true
	case last == "queue" && len(before) == 1 && regionName.MatchString(before[0]):
		r.service, r.region = "sqs", before[0]
	case len(before) == 0, len(before) == 1 && accountID.MatchString(before[0]):
		r.service = last
		if s, ok := serviceOf[last]; ok {
			r.service = s
		}
	case serviceOf[two] != "":
		r.service = serviceOf[two]
	default:
		return r, false // a customer's host, or one that is not known
	}
	if t := header.Get("X-Amz-Target"); t != "" {
		r.operation = t[strings.LastIndexByte(t, '.')+1:]
		_ = json.Unmarshal(body, &r.json) // cut or broken: no parameters
	} else {
		r.form = r.query
		if strings.HasPrefix(header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			r.form, _ = url.ParseQuery(string(body))
		}
		r.operation = r.form.Get("Action")
	}
	if r.service == "s3-control" {
		return r, true
	}
	return r, operationName.MatchString(r.operation)
}

// arn makes a resource of the request's own account and region.
func (r request) arn(service, resource string) string {
	return strings.Join([]string{"arn", r.partition, service, r.region, r.account, resource}, ":")
}

// param gives a parameter of a query or JSON request, "" if there is none or
// it is no string.
func (r request) param(name string) string {
	if r.json != nil {
		var s string
		if json.Unmarshal(r.json[name], &s) != nil {
			return ""
		}
		return s
	}
	return r.form.Get(name)
}

// has tells whether a query or JSON request holds the parameter, or a list or
// structure of that name, with something in it.
func (r request) has(name string) bool {
	if v, ok := r.json[name]; ok {
		s := strings.TrimSpace(string(v))
		return s != "" && s != "null" && s != "{}" && s != "[]" && s != `""`
	}
	for key, values := range r.form {
		if (key == name || strings.HasPrefix(key, name+".")) && strings.Join(values, "") != "" {
			return true
		}
	}
	return false
}
