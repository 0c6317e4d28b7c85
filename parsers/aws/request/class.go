package request

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/fields"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Class gives the request class of an exchange: method, host, path with names
// and ids generalised, operation, and the parameters whose presence decides
// what is checked.
//
//	POST ec2.us-east-1.amazonaws.com CreateVpc TagSpecification
//	PUT {bucket}.s3.us-east-1.amazonaws.com/?versioning
//	GET {bucket}.s3.us-east-1.amazonaws.com/{key}?versionId
//	POST lambda.us-east-1.amazonaws.com/2015-03-31/functions/{id}/policy
//
// It holds no account ID, bucket, key, generated id or token, and is the same
// for the same request at any time: a class can be written into a record and
// be asked for again.
func Class(x refusal.Exchange) string {
	if x.URL == nil {
		return x.Method
	}
	at, known := Locate(x)
	if !known {
		return x.Method + " " + general(x.URL.Hostname()) + generalPath(x.URL.Path)
	}
	if at.Label == "s3" || at.Label == "s3express" {
		return s3Class(x, at)
	}
	class := x.Method + " " + endpointHost(x, at)
	_, op, ok := Operation(x)
	if !ok {
		return class + generalPath(x.URL.Path)
	}
	return strings.Join(append([]string{class, op}, deciding(x)...), " ")
}

// endpointHost is the host without account or bucket.
func endpointHost(x refusal.Exchange, at Place) string {
	host := strings.ToLower(strings.TrimSuffix(x.URL.Hostname(), "."))
	if at.Virtual {
		return "{bucket}" + host[len(at.Bucket):]
	}
	if first, rest, ok := strings.Cut(host, "."); ok && accountShape.MatchString(first) {
		return "{account}." + rest
	}
	if at.Label == "s3-accesspoint" {
		_, rest, _ := strings.Cut(host, ".")
		return "{accesspoint}." + rest
	}
	return host
}

// deciders are parameters that make a service check a second permission beside
// the operation's own: tags on creation, a role that is passed on, a policy
// that comes along. In lower case.
var deciders = []string{"iaminstanceprofile", "permissionsboundary", "policy", "tag", "tags", "tagspecification", "tagspecifications"}

// deciding lists the names of the deciding parameters that a query or JSON
// request holds, in order, each once.
func deciding(x refusal.Exchange) []string {
	var names []string
	decides := func(name string) bool { return slices.Contains(deciders, strings.ToLower(name)) }
	if target, _ := jsonTarget(x); target != "" {
		return fields.Filled(x.Body, decides)
	}
	for name, values := range form(x) {
		name, _, _ = strings.Cut(name, ".")
		if strings.Join(values, "") != "" && decides(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// s3Deciders are the headers with which S3 checks more than the operation's
// own permission (S3 User Guide, "Required permissions for Amazon S3 API
// operations").
var s3Deciders = []string{
	"X-Amz-Acl", "X-Amz-Bucket-Object-Lock-Enabled", "X-Amz-Bypass-Governance-Retention", "X-Amz-Copy-Source",
	"X-Amz-Grant-Full-Control", "X-Amz-Grant-Read", "X-Amz-Grant-Read-Acp", "X-Amz-Grant-Write", "X-Amz-Grant-Write-Acp",
	"X-Amz-Object-Lock-Legal-Hold", "X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Retain-Until-Date",
	"X-Amz-Object-Ownership", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "X-Amz-Tagging",
}

// s3Selectors are the query parameters, beside the sub-resources, that choose
// the operation or the permission; their values do not.
var s3Selectors = []string{"delete", "partNumber", "restore", "select", "session", "uploadId", "uploads", "versionId", "versions"}

func s3Class(x refusal.Exchange, at Place) string {
	var b strings.Builder
	b.WriteString(x.Method + " " + endpointHost(x, at) + "/")
	if !at.Virtual && at.Bucket != "" {
		b.WriteString("{bucket}")
	}
	if at.Key != "" {
		if !at.Virtual {
			b.WriteByte('/')
		}
		b.WriteString("{key}")
	}
	q := x.URL.Query()
	var params []string
	for _, r := range s3Resources {
		if q.Has(r.name) {
			params = append(params, r.name)
		}
	}
	for _, name := range s3Selectors {
		if q.Has(name) {
			params = append(params, name)
		}
	}
	if len(params) > 0 {
		slices.Sort(params)
		b.WriteString("?" + strings.Join(params, "&"))
	}
	for _, name := range s3Deciders {
		if x.Header.Get(name) != "" {
			b.WriteString(" " + strings.ToLower(name))
		}
	}
	return b.String()
}

var (
	versionSegment = expr.New(`^v?\d{4}-?\d{2}-?\d{2}$|^v\d+$`)
	wordSegment    = expr.New(`^[A-Za-z][a-z]*(?:[A-Z][a-z]+)*(?:[-_.][a-z]+)*$`)
)

// generalPath replaces the names and ids of a REST path. Without the service's
// model nobody can tell a collection from a name for sure; the AWS paths
// alternate (/VERSION/functions/{id}/policy), so every second segment after
// the version is taken for a name, and so is whatever does not look like a
// word. A class may so be coarser than the operation, never finer.
func generalPath(path string) string {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if len(segments) == 1 && segments[0] == "" {
		return "/"
	}
	place := 0
	for i, s := range segments {
		if i == 0 && versionSegment.MatchString(s) {
			continue
		}
		if place%2 == 1 || !wordSegment.MatchString(s) {
			segments[i] = "{id}"
		}
		place++
	}
	return "/" + strings.Join(segments, "/")
}

// general replaces what names a customer's own host: all of it below AWS's
// domains, elsewhere the labels that hold digits.
func general(host string) string {
	host = strings.ToLower(host)
	for _, s := range suffixes {
		if strings.HasSuffix(host, s.name) {
			return "{host}" + s.name
		}
	}
	labels := strings.Split(host, ".")
	for i, l := range labels {
		if strings.ContainsAny(l, "0123456789") && !regionShape.MatchString(l) {
			labels[i] = "{id}"
		}
	}
	return strings.Join(labels, ".")
}
