package aws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/policy/evaluate"
	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

// Sources of this file: CloudTrail User Guide, "CloudTrail record contents",
// "userIdentity element", "Logging data events"; CloudTrail API Reference,
// LookupEvents; IAM API Reference, SimulatePrincipalPolicy.

// own are the operations that the gate answers itself: it alone knows what it
// decided, and would decide.
func (g *Gate) own(r *request) func(context.Context, http.ResponseWriter, *request) error {
	switch r.name() {
	case "cloudtrail:LookupEvents":
		return g.lookup
	case "iam:SimulatePrincipalPolicy":
		return g.simulate
	}
	return g.trailed(r)
}

// dataEvents are the operations that the event history does not have, and a trail has
// where it is told to.
var dataEvents = regexp.MustCompile(`^(s3:(Get|Put|Head|Delete|Copy|Restore|Select)Objects?(Acl|Tagging|Attributes|Torrent|Content|Retention|LegalHold)?$|s3:(List(Objects|ObjectsV2|ObjectVersions|Parts|MultipartUploads)|(Create|Abort|Complete)MultipartUpload|UploadPart(Copy)?|HeadBucket)$` +
	`|lambda:Invoke|dynamodb:(GetItem|PutItem|UpdateItem|DeleteItem|Query|Scan|Batch|Transact|Execute)|sqs:(SendMessage|ReceiveMessage|DeleteMessage|ChangeMessageVisibility)|sns:Publish|kinesis:(PutRecord|GetRecords|GetShardIterator)|logs:PutLogEvents|monitoring:(PutMetricData|GetMetric))`)

// global are the services whose events are in us-east-1 whatever the region.
var global = []string{"iam", "sts", "cloudfront", "route53"}

// record writes a request into the event history, and what a trail alone has for that.
func (g *Gate) record(r *request, t trace.Trace) {
	if dataEvents.MatchString(t.Operation) && g.o.Trail.Bucket == "" {
		return
	}
	if r.who.Role != "" {
		if e := r.view.Roles[r.who.Role]; e != nil {
			t.Binding[0] = e.ARN
		}
	}
	t.Client, t.Key = r.claim.Region, r.claim.AccessKeyID
	if slices.Contains(global, r.call.Service) {
		t.Client = "us-east-1"
	}
	g.audit.Add(t, time.Now(), "ec2-frontend-api.amazonaws.com")
}

// said is the error of a refusal, as an event has it.
func (r *request) said(no refusal) [2]string {
	if r.call.Service == "s3" {
		return [2]string{"AccessDenied", "Access Denied"}
	}
	text := sentence(r.who.ARN, no.need.Action, no.need.Resource, no.reason)
	if r.call.Service == "ec2" {
		return [2]string{"Client.UnauthorizedOperation", "You are not authorized to perform this operation. " + text}
	}
	return [2]string{"AccessDenied", text}
}

func sentence(who, action, resource string, reason account.Reason) string {
	text := "User: " + who + " is not authorized to perform: " + action + " on resource: " + resource
	if reason.Explicit() {
		return text + " with an explicit deny in " + reason.Policy()
	}
	return text + " because no " + reason.Policy() + " allows the " + action + " action"
}

// event is a request as CloudTrail records it.
func (g *Gate) event(e auditlog.Event) map[string]any {
	service, name, _ := strings.Cut(e.Operation, ":")
	from, code, message := "198.51.100.7", e.Error[0], e.Error[1]
	who := map[string]any{"type": "IAMUser", "arn": e.Principal, "accountId": g.o.Account}
	if strings.Contains(e.Principal, ":assumed-role/") {
		who["type"] = "AssumedRole"
		who["sessionContext"] = map[string]any{"sessionIssuer": map[string]any{"type": "Role", "arn": e.Binding[0], "accountId": g.o.Account}}
	}
	if e.By == "" {
		who["accessKeyId"] = e.Key
	}
	if e.By != "" {
		who["invokedBy"], from = e.By, e.By
		if code, message = "", ""; e.Refused {
			code, message = "AccessDenied", sentence(e.Principal, e.Operation, "*", account.NoIdentityPolicy)
		}
	} else if !e.Refused && e.Status >= 400 {
		code, message = "ValidationException", http.StatusText(e.Status)
	}
	record := map[string]any{
		"eventVersion": "1.09", "eventID": e.ID, "eventTime": e.Time.UTC().Truncate(time.Second).Format(time.RFC3339), "eventSource": service + ".amazonaws.com", "eventName": name,
		"eventType": "AwsApiCall", "eventCategory": "Management", "managementEvent": true, "awsRegion": e.Client, "sourceIPAddress": from, "userAgent": e.Agent,
		"userIdentity": who, "recipientAccountId": g.o.Account,
	}
	if dataEvents.MatchString(e.Operation) && e.By == "" {
		record["eventCategory"], record["managementEvent"] = "Data", false
		var about []any
		for _, n := range e.Needs {
			about = append(about, map[string]any{"ARN": n.Resource})
		}
		record["resources"] = about
	}
	if code != "" {
		record["errorCode"], record["errorMessage"] = code, message
	}
	return record
}

// lookup answers LookupEvents.
func (g *Gate) lookup(_ context.Context, w http.ResponseWriter, r *request) error {
	var q struct {
		StartTime, EndTime float64
		MaxResults         int
		NextToken          string
		LookupAttributes   []struct{ AttributeKey, AttributeValue string }
	}
	if err := json.Unmarshal(r.body, &q); err != nil || len(q.LookupAttributes) > 0 || q.MaxResults < 0 || q.MaxResults > 50 {
		return fmt.Errorf("LookupEvents with attributes, or with what cannot be read (%v), is not simulated", err)
	}
	if q.MaxResults == 0 {
		q.MaxResults = 50
	}
	var all []any
	for _, e := range g.audit.Visible(time.Now()) {
		at := float64(e.Time.UnixNano()) / 1e9
		if dataEvents.MatchString(e.Operation) && e.By == "" || e.Client != r.claim.Region || q.StartTime > 0 && at < q.StartTime || q.EndTime > 0 && at > q.EndTime {
			continue
		}
		record := g.event(e)
		text, err := json.Marshal(record)
		if err != nil {
			return err
		}
		all = append(all, map[string]any{"EventId": e.ID, "EventName": record["eventName"], "EventSource": record["eventSource"], "EventTime": float64(e.Time.Unix()), "CloudTrailEvent": string(text)})
	}
	slices.Reverse(all) // the newest first
	skip := 0
	if q.NextToken != "" {
		text, err := base64.StdEncoding.DecodeString(q.NextToken)
		if err == nil {
			skip, err = strconv.Atoi(string(text))
		}
		if err != nil || skip < 0 || skip > len(all) {
			skip = len(all)
		}
	}
	end := min(skip+q.MaxResults, len(all))
	reply := map[string]any{"Events": append([]any{}, all[skip:end]...)}
	if end < len(all) {
		reply["NextToken"] = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(end)))
	}
	text, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	g.answer(w, r, "application/x-amz-json-1.1", text)
	return nil
}

// simulated is one answer of SimulatePrincipalPolicy.
type simulated struct {
	Action   string `xml:"EvalActionName"`
	Resource string `xml:"EvalResourceName"`
	Decision string `xml:"EvalDecision"`
}

// simulate answers SimulatePrincipalPolicy for who asks about himself, without keys of
// conditions.
func (g *Gate) simulate(_ context.Context, w http.ResponseWriter, r *request) error {
	self := r.who.ARN
	if r.who.Role != "" {
		if e := r.view.Roles[r.who.Role]; e != nil {
			self = e.ARN
		}
	}
	if source := r.params.Get("PolicySourceArn"); source != self && !r.who.Operator {
		return fmt.Errorf("SimulatePrincipalPolicy of %s by %s is not simulated: of himself alone", source, self)
	}
	list := func(name string) (all []string) {
		for i := 1; ; i++ {
			v := r.params.Get(name + ".member." + strconv.Itoa(i))
			if v == "" {
				return all
			}
			all = append(all, v)
		}
	}
	resources := list("ResourceArns")
	if resources == nil {
		resources = []string{"*"}
	}
	var reply struct {
		XMLName xml.Name    `xml:"SimulatePrincipalPolicyResponse"`
		Space   string      `xml:"xmlns,attr"`
		Results []simulated `xml:"SimulatePrincipalPolicyResult>EvaluationResults>member"`
		More    bool        `xml:"SimulatePrincipalPolicyResult>IsTruncated"`
		ID      string      `xml:"ResponseMetadata>RequestId"`
	}
	reply.Space, reply.ID = "https://iam.amazonaws.com/doc/2010-05-08/", "whittle-simulation"
	for _, action := range list("ActionNames") {
		for _, resource := range resources {
			reason, err := g.decided(r, evaluate.Request{Action: action, Resource: resource, Context: r.facts})
			if err != nil {
				return err
			}
			decision := "implicitDeny"
			switch {
			case reason == account.Granted:
				decision = "allowed"
			case reason.Explicit():
				decision = "explicitDeny"
			}
			reply.Results = append(reply.Results, simulated{action, resource, decision})
		}
	}
	text, err := xml.Marshal(reply)
	if err != nil {
		return err
	}
	g.answer(w, r, "text/xml", text)
	return nil
}

func (g *Gate) decided(r *request, q evaluate.Request) (account.Reason, error) {
	if r.who.Operator {
		return account.Granted, nil
	}
	return r.view.Decide(r.who, q, nil)
}
