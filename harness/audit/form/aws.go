package form

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/catalog/named"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Sources of this file: CloudTrail User Guide, "CloudTrail record contents" and
// "CloudTrail userIdentity element".

type awsEvent struct {
	ID       string    `json:"eventID"`
	Time     time.Time `json:"eventTime"`
	Source   string    `json:"eventSource"`
	Name     string    `json:"eventName"`
	Type     string    `json:"eventType"`
	Code     string    `json:"errorCode"`
	Message  string    `json:"errorMessage"`
	From     string    `json:"sourceIPAddress"`
	Identity struct {
		Type      string `json:"type"`
		ARN       string `json:"arn"`
		InvokedBy string `json:"invokedBy"`
		Key       string `json:"accessKeyId"`
		Session   struct {
			Issuer struct {
				ARN string `json:"arn"`
			} `json:"sessionIssuer"`
		} `json:"sessionContext"`
	} `json:"userIdentity"`
	Resources []struct {
		ARN string `json:"ARN"`
	} `json:"resources"`
}

// AWS reads one CloudTrail record. The log names no permission: it follows from the
// event's name, or from the error where that names one. What a service did of its
// own, with no caller, gives no entries.
func AWS(data []byte) ([]audit.Entry, error) {
	var e awsEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	switch {
	case e.Type != "" && e.Type != "AwsApiCall":
		return nil, nil // insights, sign-ins
	case e.Name == "" || e.Source == "":
		return nil, errors.New("no CloudTrail record: it has no eventSource and eventName")
	case e.Time.IsZero():
		return nil, errors.New("a CloudTrail record without an eventTime")
	}
	principal := e.Identity.Session.Issuer.ARN
	if principal == "" {
		principal = e.Identity.ARN
	}
	if principal == "" {
		return nil, nil
	}
	one := audit.Entry{ID: e.ID, Time: e.Time.UTC(), Principal: principal, Via: awsVia(e), Operation: operation(e.Name), Derived: true, Key: e.Identity.Key}
	if len(e.Resources) == 1 {
		one.Resource = e.Resources[0].ARN
	}
	derived := derive(e.Source, one.Operation)
	if e.Code == "" {
		one.Permission = derived
		return []audit.Entry{one}, nil
	}
	denials := awsDenials(e)
	if len(denials) == 0 {
		one.Permission, one.Failed = derived, true
		return []audit.Entry{one}, nil
	}
	var all []audit.Entry
	for _, d := range denials {
		r := one
		r.Refused, r.Permission = true, derived
		if d.Permission != "" {
			r.Permission, r.Derived = d.Permission, false
		}
		if d.Resource != "" && d.Resource != "*" {
			r.Resource = d.Resource
		}
		all = append(all, r)
	}
	return all, nil
}

// awsVia is the service that made a call in its caller's name.
func awsVia(e awsEvent) string {
	if e.Identity.InvokedBy != "" {
		return e.Identity.InvokedBy
	}
	if strings.HasSuffix(e.From, ".amazonaws.com") {
		return e.From
	}
	return ""
}

// awsDenials reads an event's error as the parsers read one that a tool prints. An
// error that is about something else gives none.
func awsDenials(e awsEvent) []refusal.Denial {
	code := strings.TrimPrefix(e.Code, "Client.")
	text := "An error occurred (" + code + ") when calling the " + operation(e.Name) + " operation: " + e.Message
	return slices.DeleteFunc(parsers.FromOutput(text), func(d refusal.Denial) bool {
		return d.Cloud != refusal.AWS || d.Reason != refusal.MissingPermission && d.Reason != refusal.OpaqueDenial && d.Reason != refusal.ExplicitDeny
	})
}

// dated is the API's version at the end of an event's name: Lambda's
// "CreateFunction20150331", CloudFront's "CreateDistribution2020_05_31".
var dated = regexp.MustCompile(`_?20[0-9]{2}_?[01][0-9]_?[0-3][0-9](?:v[0-9]+)?$`)

func operation(event string) string { return dated.ReplaceAllString(event, "") }

// prefixes are the event sources that are not called like the service's prefix in
// IAM (Service Authorization Reference).
var prefixes = map[string]string{"monitoring": "cloudwatch", "email": "ses", "tagging": "tag"}

// derive gives the permission that an event's name stands for: the likeliest that
// the catalog has for the operation, else the operation's own name.
func derive(source, operation string) string {
	service, _, _ := strings.Cut(source, ".")
	if p, ok := prefixes[service]; ok {
		service = p
	}
	if found := named.Candidates("aws", named.Call{Service: service, Operation: operation}); len(found) > 0 && strings.HasPrefix(found[0], service+":") {
		return found[0]
	}
	return service + ":" + operation
}
