package wire

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

//go:embed words.tsv
var wordsTable string

type words struct {
	service, method, permission, sentence, detail string
	code                                          int
}

var sentences = sync.OnceValue(func() (list []words) {
	for line := range strings.Lines(wordsTable) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if f[0][0] == '#' || len(f) != 7 {
			continue
		}
		code, err := strconv.Atoi(f[3])
		if err != nil {
			panic(err) // the table is ours
		}
		list = append(list, words{f[0], f[1], f[2], f[4], f[5], code})
	}
	return list
})

// Refusal is what the gate knows of a request that it refuses.
type Refusal struct {
	Service    string // "compute"
	Method     string // "compute.firewalls.insert"
	Permission string
	Resource   string // as the service shows it
	Principal  string // an e-mail address
	Number     string // the project's
	Services   string // that are to be enabled
	// Kind says what a Cloud Storage resource is: "project", "bucket",
	// "object".
	Kind string
}

// FormOf is the form that a service's errors have.
func FormOf(service string) Form {
	switch service {
	case "compute", "dns":
		return Errors
	case "storage":
		return Storage
	case "storage.xml":
		return XML
	case "docker":
		return Docker
	case "oauth2.token":
		return OAuth
	}
	return RPC
}

// kinds are Cloud Storage's words for kinds of resources.
var kinds = map[string]string{"project": "the Google Cloud project", "bucket": "the Google Cloud Storage bucket", "object": "the Google Cloud Storage object"}

func fits(pattern, s string) bool {
	begin, any := strings.CutSuffix(pattern, "*")
	return pattern == s || any && strings.HasPrefix(s, begin)
}

// Error words a refusal as the service does.
func (r Refusal) Error() *Error {
	service := strings.TrimSuffix(r.Service, ".xml")
	for _, w := range sentences() {
		if !fits(w.service, service) || !fits(w.method, r.Method) || !fits(w.permission, r.Permission) {
			continue
		}
		fill := strings.NewReplacer("{permission}", r.Permission, "{resource}", r.Resource, "{principal}", r.Principal, "{number}", r.Number,
			"{account}", r.Resource[strings.LastIndexByte(r.Resource, '/')+1:], "{what}", kinds[r.Kind], "{service}", service, "{services}", r.Services)
		e := &Error{Code: w.code, Message: fill.Replace(w.sentence)}
		if service == "docker" {
			e.Reason = "DENIED"
		}
		kind, domain, _ := strings.Cut(fill.Replace(w.detail), ":")
		switch kind {
		case "info":
			e.Details = []any{ErrorInfo("IAM_PERMISSION_DENIED", domain, map[string]string{"permission": r.Permission, "resource": r.Resource})}
		case "permission":
			e.Details = []any{ErrorInfo("IAM_PERMISSION_DENIED", domain, map[string]string{"permission": r.Permission})}
		case "code":
			reason, domain, _ := strings.Cut(domain, ":")
			e.Details = []any{ErrorInfo(reason, domain, nil)}
		}
		return e
	}
	return New(403, "The caller does not have permission")
}

// Disabled is the error for an API that is not enabled. Source: Service Usage,
// "Enabled services"; recorded in issues of hashicorp/terraform-provider-google.
func Disabled(title, host, number string) *Error {
	url := "https://console.developers.google.com/apis/api/" + host + "/overview?project=" + number
	e := New(403, "%s has not been used in project %s before or it is disabled. Enable it by visiting %s then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.", title, number, url)
	e.Domain, e.Reason = "usageLimits", "accessNotConfigured"
	e.Details = []any{
		map[string]any{"@type": "type.googleapis.com/google.rpc.Help", "links": []any{map[string]any{"description": "Google developers console API activation", "url": url}}},
		ErrorInfo("SERVICE_DISABLED", "googleapis.com", map[string]string{"consumer": "projects/" + number, "service": host, "containerInfo": number, "serviceTitle": title}),
	}
	return e
}
