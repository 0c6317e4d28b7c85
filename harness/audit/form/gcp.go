package form

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/audit"
)

// Sources of this file: Cloud Logging, "LogEntry" and "Understand audit logs";
// Cloud Audit Logs, "AuditLog" (AuthenticationInfo, AuthorizationInfo,
// ServiceAccountDelegationInfo); IAM, "Service agents".

// auditLog is the type of an AuditLog in a LogEntry.
const auditLog = "type.googleapis.com/google.cloud.audit.AuditLog"

type gcpEntry struct {
	InsertID  string    `json:"insertId"`
	Timestamp time.Time `json:"timestamp"`
	LogName   string    `json:"logName"`
	Payload   *struct {
		Type   string `json:"@type"`
		Status struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"status"`
		Authentication struct {
			Email      string `json:"principalEmail"`
			Subject    string `json:"principalSubject"`
			Delegation []struct {
				Subject    string `json:"principalSubject"`
				FirstParty struct {
					Email string `json:"principalEmail"`
				} `json:"firstPartyPrincipal"`
			} `json:"serviceAccountDelegationInfo"`
		} `json:"authenticationInfo"`
		Method        string `json:"methodName"`
		Resource      string `json:"resourceName"`
		Authorization []struct {
			Permission string `json:"permission"`
			Resource   string `json:"resource"`
			Granted    bool   `json:"granted"` // false is left out
		} `json:"authorizationInfo"`
	} `json:"protoPayload"`
}

// permissionDenied is google.rpc.Code's.
const permissionDenied = 7

// GCP reads one LogEntry of Google Cloud's audit logs. One that is no AuditLog, or
// tells of no permission (the end of a long operation), gives no entries.
func GCP(data []byte) ([]audit.Entry, error) {
	var e gcpEntry
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	p := e.Payload
	if p == nil || p.Type != auditLog {
		return nil, nil
	}
	if e.Timestamp.IsZero() {
		return nil, errors.New("an audit log entry without a timestamp")
	}
	principal, via := gcpPrincipal(p.Authentication.Email, p.Authentication.Subject), ""
	chain := make([]string, 0, len(p.Authentication.Delegation))
	for _, d := range p.Authentication.Delegation {
		chain = append(chain, gcpPrincipal(d.FirstParty.Email, d.Subject))
	}
	agent := func(who string) bool { return serviceAgent.MatchString(who) && !own(e.LogName, who) }
	switch {
	case agent(principal) && len(chain) > 0:
		// The agent worked for whoever stands last in its history.
		principal, via = chain[len(chain)-1], principal
	case len(chain) > 0 && agent(chain[len(chain)-1]):
		via = chain[len(chain)-1]
	}
	if principal == "" {
		return nil, nil // nobody who was known
	}
	var all []audit.Entry
	for _, a := range p.Authorization {
		if a.Permission == "" {
			continue
		}
		resource := a.Resource
		if resource == "" {
			resource = p.Resource
		}
		all = append(all, audit.Entry{
			ID: gcpID(e), Time: e.Timestamp.UTC(), Principal: principal, Via: via, Operation: p.Method, Permission: a.Permission,
			Resource: resource, Refused: !a.Granted, Failed: a.Granted && p.Status.Code != 0 && p.Status.Code != permissionDenied,
		})
	}
	return all, nil
}

// gcpID tells one event from another: an insert id is unique within its log, at its
// time ("LogEntry", insertId).
func gcpID(e gcpEntry) string {
	_, log, _ := strings.Cut(e.LogName, "/logs/")
	return fmt.Sprintf("%s/%s", log, e.InsertID)
}

// gcpPrincipal is a principal as an allow policy names it.
func gcpPrincipal(email, subject string) string {
	switch {
	case strings.HasSuffix(email, "gserviceaccount.com"):
		return "serviceAccount:" + email
	case email != "":
		return "user:" + email
	}
	return subject
}

// serviceAgent is the account of a service of Google's that acts in a project.
var serviceAgent = regexp.MustCompile(`^serviceAccount:(?:service-[0-9]+@[a-z0-9.-]*gserviceaccount\.com|[0-9]+@cloud(?:services|build)\.gserviceaccount\.com|[a-z0-9-]+@system\.gserviceaccount\.com)$`)

// own tells whether an account is of the project whose log it is in. Who may make accounts
// there can call one like an agent, service-1, and what it did is no service's doing.
func own(logName, who string) bool {
	project, _, ok := strings.Cut(strings.TrimPrefix(logName, "projects/"), "/")
	return ok && strings.HasSuffix(who, "@"+project+".iam.gserviceaccount.com")
}
