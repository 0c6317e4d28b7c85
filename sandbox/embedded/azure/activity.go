package azure

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

// Sources of this file: Azure Monitor, "Azure Activity Log" (control plane, no reads)
// and "Azure Activity Log event schema"; "Activity Logs - List".

// log writes a request into the Activity Log, which has what is written, deleted and
// asked for through Resource Manager, and no reads.
func (g *Gate) log(r *request, t trace.Trace) {
	if r.plane != wire.Manager || len(t.Needs) == 0 || strings.HasSuffix(strings.ToLower(r.action), "/read") {
		return
	}
	t.Principal, t.Client, t.Binding = r.who.ObjectID, r.who.AppID, r.binding
	g.audit.Add(t, g.c.Now(), "a11a5e4d-0000-4000-8000-000000000001") // a service's application
}

// eventTimes is what a filter must have.
var eventTimes = regexp.MustCompile(`eventTimestamp (ge|le) '([^']+)'`)

// page is how many events come at once.
const page = 200

// activity answers for the log.
func (g *Gate) activity(query url.Values, now time.Time) (*arm.Reply, error) {
	from, to := time.Time{}, now
	for _, m := range eventTimes.FindAllStringSubmatch(query.Get("$filter"), -1) {
		at, err := time.Parse(time.RFC3339Nano, m[2])
		if err != nil {
			return nil, wire.New(http.StatusBadRequest, "BadRequest", "The filter's time '%s' is not valid.", m[2])
		}
		if m[1] == "ge" {
			from = at
		} else {
			to = at
		}
	}
	if from.IsZero() {
		return nil, wire.New(http.StatusBadRequest, "BadRequest", "The $filter query parameter with eventTimestamp ge is required.")
	}
	var all []any
	for _, e := range g.audit.Visible(now) {
		if !e.Time.Before(from) && !e.Time.After(to) {
			all = append(all, g.event(e))
		}
	}
	skip, _ := strconv.Atoi(query.Get("$skiptoken")) // none is 0
	skip = min(max(skip, 0), len(all))
	reply := store.Object{"value": append([]any{}, all[skip:min(skip+page, len(all))]...)}
	if skip+page < len(all) {
		next := url.Values{"api-version": query["api-version"], "$filter": query["$filter"], "$skiptoken": {strconv.Itoa(skip + page)}}
		reply["nextLink"] = "https://" + managerHost + "/subscriptions/" + g.c.Subscription + "/providers/Microsoft.Insights/eventtypes/management/values?" + next.Encode()
	}
	return arm.OK(reply), nil
}

func (g *Gate) event(e auditlog.Event) store.Object {
	client := e.Client
	if e.By != "" {
		client = e.By
	}
	status, sub := "Succeeded", "OK"
	switch {
	case e.Refused:
		status, sub = "Failed", "Forbidden"
	case e.Status >= 400:
		status, sub = "Failed", http.StatusText(e.Status)
	}
	text := func(s string) store.Object { return store.Object{"value": s, "localizedValue": s} }
	need := e.Needs[0]
	allowed := store.Object{"action": need.Action, "scope": need.Resource}
	if e.Binding[1] != "" && e.By == "" {
		allowed["evidence"] = store.Object{"role": e.Binding[0], "roleAssignmentScope": e.Binding[2], "roleAssignmentId": e.Binding[1], "principalId": e.Principal, "principalType": "ServicePrincipal"}
	}
	return store.Object{
		"eventDataId": e.ID, "correlationId": e.ID, "operationId": e.ID, "level": "Informational", "channels": "Operation", "category": text("Administrative"), "eventName": text("EndRequest"),
		"caller": e.Principal, "authorization": allowed, "operationName": text(e.Operation), "status": text(status), "subStatus": text(sub), "resourceId": need.Resource,
		"subscriptionId": g.c.Subscription, "tenantId": g.c.Tenant, "eventTimestamp": e.Time.UTC().Format(time.RFC3339Nano), "submissionTimestamp": e.Seen.UTC().Format(time.RFC3339Nano),
		"claims": store.Object{"appid": client, "idtyp": "app", "http://schemas.microsoft.com/identity/claims/objectidentifier": e.Principal},
	}
}
