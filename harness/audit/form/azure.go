package form

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/audit"
)

// Sources of this file: Azure Monitor, "Azure Activity Log event schema"
// (Administrative category, and the schema of storage accounts and event hubs).

// localized is a text with its value for programs.
type localized struct {
	Value string `json:"value"`
}

// UnmarshalJSON takes a bare text too: files have it so.
func (l *localized) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &l.Value)
	}
	type plain localized
	return json.Unmarshal(data, (*plain)(l))
}

type azureAuthorization struct {
	Action   string `json:"action"`
	Scope    string `json:"scope"`
	Evidence struct {
		Role       string `json:"role"`
		Assignment string `json:"roleAssignmentId"`
		On         string `json:"roleAssignmentScope"`
		Definition string `json:"roleDefinitionId"`
	} `json:"evidence"`
}

type azureEvent struct {
	ID            string              `json:"eventDataId"`
	Time          time.Time           `json:"eventTimestamp"`
	Written       time.Time           `json:"time"` // of a file
	Category      localized           `json:"category"`
	Caller        string              `json:"caller"`
	Claims        map[string]string   `json:"claims"`
	Authorization *azureAuthorization `json:"authorization"`
	Operation     localized           `json:"operationName"`
	Status        localized           `json:"status"`
	SubStatus     localized           `json:"subStatus"`
	Result        string              `json:"resultSignature"`
	Correlation   string              `json:"correlationId"`
	Resource      string              `json:"resourceId"`
	Properties    struct {
		Message string `json:"statusMessage"`
	} `json:"properties"`
	Identity struct {
		Authorization *azureAuthorization `json:"authorization"`
		Claims        map[string]string   `json:"claims"`
	} `json:"identity"`
}

// objectID is the claim that has a principal's object id.
const objectID = "http://schemas.microsoft.com/identity/claims/objectidentifier"

// Azure reads one event of the Activity Log, as the API gives it or as a file holds
// it. Events of other categories than Administrative, and the beginning of an
// operation whose end is an event too, give no entries.
func Azure(data []byte) ([]audit.Entry, error) {
	var e azureEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	if e.Category.Value != "" && !strings.EqualFold(e.Category.Value, "Administrative") {
		return nil, nil
	}
	a, claims := e.Authorization, e.Claims
	if a == nil {
		a, claims = e.Identity.Authorization, e.Identity.Claims
	}
	if a == nil || a.Action == "" {
		return nil, nil
	}
	at := e.Time
	if at.IsZero() {
		at = e.Written
	}
	if at.IsZero() {
		return nil, errors.New("an Activity Log event without a time")
	}
	status := strings.ToLower(e.Status.Value)
	if status == "" {
		status, _, _ = strings.Cut(strings.ToLower(e.Result), ".")
	}
	if status == "started" || status == "accepted" {
		return nil, nil // who was let begin has an end as well
	}
	principal := e.Caller
	if id := claims[objectID]; id != "" {
		principal = id
	}
	if principal == "" {
		return nil, nil
	}
	one := audit.Entry{
		ID: e.ID, Time: at.UTC(), Principal: principal, Operation: e.Operation.Value, Permission: a.Action, Resource: a.Scope, Via: azureVia(claims),
	}
	if one.ID == "" {
		one.ID = e.Correlation + "/" + e.Operation.Value
	}
	if b := a.Evidence; b.Assignment != "" {
		one.Binding = "role assignment " + b.Assignment
		if b.Role != "" {
			one.Binding = b.Role + " by " + one.Binding
		}
		if b.On != "" {
			one.Binding += " on " + b.On
		}
	}
	switch {
	case status == "failed" && (strings.EqualFold(e.SubStatus.Value, "Forbidden") || strings.HasSuffix(e.Result, ".Forbidden") || strings.Contains(e.Properties.Message, "AuthorizationFailed")):
		one.Refused, one.Binding = true, ""
	case status == "failed":
		one.Failed = true
	}
	return []audit.Entry{one}, nil
}

// azureVia is the application that made the call. For which principal that is its
// own application the event does not say: see [audit.Own].
func azureVia(claims map[string]string) string {
	if id := claims["appid"]; id != "" {
		return audit.Application + id
	}
	return ""
}
