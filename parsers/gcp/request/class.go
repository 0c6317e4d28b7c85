package request

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/fields"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Class gives the request class of an exchange: method, host and path with
// names and ids generalised, and the parameters whose presence decides what is
// checked.
//
//	POST compute.googleapis.com/compute/v1/projects/{}/zones/{}/instances labels serviceAccounts
//	GET storage.googleapis.com/storage/v1/b/{}/o/{}?alt=media
//	POST iam.googleapis.com/v1/projects/{}/serviceAccounts/{}:setIamPolicy
//	POST pubsub.googleapis.com/google.pubsub.v1.Publisher/CreateTopic
//
// It holds no project, name or id, and is the same for the same request at any
// time.
func Class(x refusal.Exchange) string {
	if x.URL == nil {
		return x.Method
	}
	at, ok := Locate(x)
	if !ok {
		return x.Method
	}
	host := hostClass(x.URL.Hostname(), at)
	if GRPC(x) {
		return x.Method + " " + host + grpcPath(x.URL.Path)
	}
	class := x.Method + " " + host + pathClass(x.URL.EscapedPath(), at)
	q := x.URL.Query()
	var params []string
	if q.Get("alt") == "media" {
		params = append(params, "alt=media")
	}
	for _, name := range selectors {
		if q.Has(name) {
			params = append(params, name)
		}
	}
	if len(params) > 0 {
		slices.Sort(params)
		class += "?" + strings.Join(params, "&")
	}
	if names := deciding(x); len(names) > 0 {
		class += " " + strings.Join(names, " ")
	}
	if x.Header.Get("X-Goog-User-Project") != "" {
		class += " x-goog-user-project"
	}
	return class
}

// selectors are query parameters whose presence asks for more (Cloud Storage's
// ACLs and XML sub-resources).
var selectors = []string{"acl", "cors", "generation", "lifecycle", "predefinedAcl", "predefinedDefaultObjectAcl", "uploadId", "uploads", "userProject", "versioning", "versions"}

// deciders are fields of a body that make a service check a second permission:
// an account to act as, labels, tags, addresses, a subnetwork, a key.
var deciders = []string{
	"accessConfigs", "disks", "deletionProtection", "encryption", "iamPolicy", "labels", "metadata", "networkInterfaces", "nodeConfig",
	"policy", "resourcePolicies", "serviceAccount", "serviceAccountEmail", "serviceAccounts", "sourceImage", "sourceSnapshot", "tags", "vpcConnector",
}

func deciding(x refusal.Exchange) []string {
	return fields.Filled(x.Body, func(name string) bool { return slices.Contains(deciders, name) })
}

func hostClass(host string, at Place) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, found := strings.CutSuffix(host, ".storage.googleapis.com"); found && at.Label == "storage" {
		return "{}.storage.googleapis.com"
	}
	return host
}

func grpcPath(path string) string {
	segments := split(path)
	if len(segments) != 2 || !grpcService.MatchString(segments[0]) || !wordAny.MatchString(segments[1]) {
		return "/{}"
	}
	return "/" + segments[0] + "/" + segments[1]
}

var (
	grpcService = expr.New(`^[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)+$`)
	wordAny     = expr.New(`^[A-Za-z]+$`)
	// collection is a word of an API's paths: never has it a digit or a hyphen.
	collection = expr.New(`^[a-z][A-Za-z]*$`)
)

// singles are path segments that stand for themselves, where the paths of the
// APIs otherwise alternate between a collection and a name.
var singles = set(`global aggregated apis upload download resumable family iam default batch`)

// slashed are collections whose names hold slashes: all that follows is one
// name (monitoring: metricDescriptors/custom.googleapis.com/app/queue).
var slashed = set(`metricDescriptors`)

// registryWords are the words of the registry protocol's paths.
var registryWords = set(`v2 blobs uploads manifests tags list token batch`)

// pathClass replaces the names and ids of a path. Google's paths alternate
// (projects/P/zones/Z), so behind the version every second segment is a name.
func pathClass(path string, at Place) string {
	segments := split(path)
	if len(segments) == 0 {
		return "/"
	}
	start := 0
	if at.Bare && at.Label == "storage" {
		return "/" + strings.Join([]string{"{}", "{}"}[:min(len(segments), 2)], "/")
	}
	if !at.Bare {
		start = len(segments) - len(at.Path)
		if at.Verb != "" && (len(at.Path) == 0 || !strings.HasPrefix(segments[len(segments)-1], at.Path[len(at.Path)-1]+":")) {
			start--
		}
	}
	start = max(0, min(start, len(segments)))
	place := 0
	for i := start; i < len(segments); i++ {
		head, verb, custom := strings.Cut(segments[i], ":")
		if custom && (i != len(segments)-1 || verb != at.Verb) {
			head, verb = segments[i], ""
		}
		switch {
		case at.Bare:
			if !registryWords[head] {
				head = "{}"
			}
		case place%2 == 0 && singles[head] && head != "default":
			place--
		case place%2 == 1 && slashed[segments[i-1]]:
			return "/" + strings.Join(append(segments[:i], "{}"), "/")
		case place%2 == 1 || !collection.MatchString(head):
			if head != "" {
				head = "{}"
			}
		}
		place++
		if verb != "" {
			head += ":" + verb
		}
		segments[i] = head
	}
	return "/" + strings.Join(segments, "/")
}
