package gcp

import (
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/iam"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

// Sources of this file: Cloud Logging, "Understand audit logs" and "LogEntry"; Cloud
// Audit Logs, "AuditLog"; "Enable Data Access audit logs" (admin writes are always
// logged, all else where the policy's auditConfigs say so).

// The types of permissions.
const (
	adminWrite = "ADMIN_WRITE"
	adminRead  = "ADMIN_READ"
	dataWrite  = "DATA_WRITE"
	dataRead   = "DATA_READ"
)

// dataPermissions are those that gate what users keep, and not its configuration.
var dataPermissions = []string{"storage.objects.", "secretmanager.versions.access", "cloudkms.cryptoKeyVersions.useTo", "pubsub.topics.publish", "pubsub.subscriptions.consume", "pubsub.snapshots.seek",
	"logging.logEntries.", "artifactregistry.repositories.downloadArtifacts", "artifactregistry.repositories.uploadArtifacts", "dns.responsePolicies.query",
	"iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken", "iam.serviceAccounts.signBlob", "iam.serviceAccounts.signJwt"}

// permissionType is the type of a permission, by its verb and by whose data it is.
func permissionType(permission string) string {
	verb := permission[strings.LastIndexByte(permission, '.')+1:]
	reads := slices.ContainsFunc([]string{"get", "list", "access", "consume", "download", "search", "query", "sign", "use"}, func(v string) bool { return strings.HasPrefix(verb, v) })
	data := slices.ContainsFunc(dataPermissions, func(p string) bool { return strings.HasPrefix(permission, p) })
	switch {
	case data && reads:
		return dataRead
	case data:
		return dataWrite
	case reads && !strings.HasPrefix(verb, "use"): // use is checked by what writes
		return adminRead
	}
	return adminWrite
}

// typeOf is the type of a request: that of the first permission that it needs.
func typeOf(needs []trace.Needed) string { return permissionType(needs[0].Action) }

// log writes a request into the audit log, if the project has it logged.
func (g *Gate) log(t trace.Trace, service string, now time.Time) {
	if len(t.Needs) == 0 {
		return
	}
	if kind := typeOf(t.Needs); kind != adminWrite && !g.logs(service, kind, t.Principal) {
		return
	}
	g.audit.Add(t, now, "service-"+g.project.Number+"@compute-system.iam.gserviceaccount.com")
}

// logs tells whether the project's policy has a type of Data Access logs turned on.
func (g *Gate) logs(service, kind, member string) (on bool) {
	_ = g.state.Do(func(tx *store.Tx) error { // reading does not fail
		policy, _ := tx.Get(iam.PolicyKey(iam.ProjectKey(g.project.ID)))
		for _, c := range api.List(policy, "auditConfigs") {
			if s := api.String(c, "service"); s != "allServices" && s != service+".googleapis.com" {
				continue
			}
			for _, l := range api.List(c, "auditLogConfigs") {
				exempt, _ := l["exemptedMembers"].([]any)
				on = on || api.String(l, "logType") == kind && !slices.Contains(exempt, any(member))
			}
		}
		return nil
	})
	return on
}

// entries are what Cloud Logging shows of the audit logs now.
func (g *Gate) entries(now time.Time) []store.Object {
	events := g.audit.Visible(now)
	all := make([]store.Object, 0, len(events))
	for _, e := range events {
		all = append(all, g.entry(e))
	}
	return all
}

func (g *Gate) entry(e auditlog.Event) store.Object {
	service, _, _ := strings.Cut(e.Operation, ".")
	method := e.Operation
	if service == "compute" {
		method = "v1." + method
	}
	who := strings.TrimPrefix(strings.TrimPrefix(e.Principal, "serviceAccount:"), "user:")
	auth := store.Object{"principalEmail": who, "principalSubject": e.Principal}
	if e.By != "" {
		auth = store.Object{"principalEmail": e.By, "principalSubject": "serviceAccount:" + e.By,
			"serviceAccountDelegationInfo": []any{store.Object{"principalSubject": e.Principal, "firstPartyPrincipal": store.Object{"principalEmail": who}}}}
		service, _, _ = strings.Cut(e.Needs[0].Action, ".")
	}
	var checked []any
	for _, n := range e.Needs {
		info := store.Object{"permission": n.Action, "resource": n.Resource, "permissionType": permissionType(n.Action)}
		if !n.Refused { // proto leaves out what is false
			info["granted"] = true
		}
		checked = append(checked, info)
	}
	log := "activity"
	if typeOf(e.Needs) != adminWrite {
		log = "data_access"
	}
	payload := store.Object{"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": service + ".googleapis.com", "methodName": method,
		"resourceName": e.Needs[0].Resource, "authenticationInfo": auth, "authorizationInfo": checked,
		"requestMetadata": store.Object{"callerIp": "private", "callerSuppliedUserAgent": e.Agent}, "status": store.Object{}}
	severity := "NOTICE"
	switch {
	case e.Refused:
		payload["status"], severity = store.Object{"code": 7.0, "message": "PERMISSION_DENIED"}, "ERROR"
	case e.Status == 404:
		payload["status"], severity = store.Object{"code": 5.0, "message": "NOT_FOUND"}, "ERROR"
	case e.Status >= 400:
		payload["status"], severity = store.Object{"code": 3.0, "message": "INVALID_ARGUMENT"}, "ERROR"
	}
	return store.Object{"protoPayload": payload, "insertId": e.ID, "timestamp": api.Time(e.Time), "receiveTimestamp": api.Time(e.Seen), "severity": severity,
		"logName":  "projects/" + g.project.ID + "/logs/cloudaudit.googleapis.com%2F" + log,
		"resource": store.Object{"type": "audited_resource", "labels": store.Object{"project_id": g.project.ID, "service": service + ".googleapis.com", "method": method}}}
}
