// Package audit holds what a cloud's own audit log says of a run beside what the
// run itself saw: the second witness. The wire shows what the proxy carried; the
// log shows what the cloud decided, also of calls that went past the proxy, that a
// client swallowed, or that a service made later in the caller's name.
//
// It is pure: package form reads the logs of each cloud, sandbox/audit fetches
// them. Nothing that it finds changes a record or grants anything.
package audit

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
)

// Entry is one decision of the cloud about one permission, as its audit log has it.
type Entry struct {
	// ID is the log's own of the event. An event that checked several permissions
	// has an entry for each.
	ID   string    `json:"id"`
	Time time.Time `json:"time"` // when it happened, UTC
	// Principal is who was authorized, as a pool names its identities: a member of
	// an allow policy on Google Cloud, the role's ARN on AWS, an object id on Azure.
	Principal string `json:"principal"`
	// Via is the service or agent that made the call in the principal's name; empty
	// where the principal made it.
	Via string `json:"via,omitempty"`
	// Operation is the request as the log names it: "v1.compute.networks.insert",
	// "RunInstances".
	Operation  string `json:"operation,omitempty"`
	Permission string `json:"permission"`
	Resource   string `json:"resource,omitempty"`
	Refused    bool   `json:"refused,omitempty"`
	// Derived tells that the permission follows from the event's name, and is not
	// in the log: all of AWS, and refusals that name none.
	Derived bool `json:"derived,omitempty"`
	// Binding is what granted it, where the log says so: Azure's does.
	Binding string `json:"binding,omitempty"`
	// Failed tells that the request was authorized and failed all the same.
	Failed bool `json:"failed,omitempty"`
	// Key is the id of the access key that the request was signed with, where the log
	// has it: AWS's does. It is no secret.
	Key string `json:"key,omitempty"`
}

// CanaryKey is the kind of the journal's object whose id is that of an access key with
// which Whittle looks whether a role is in force. No step is ever given such a key.
const CanaryKey = "aws:sts:canary-key"

// canaryCalls is all that Whittle does with such a key; a test holds it against what the
// canaries are.
var canaryCalls = []string{"iam:GetAccountSummary", "iam:ListAccountAliases", "kms:ListAliases", "sqs:ListQueues"}

// CanaryCalls are the permissions of what Whittle itself does as a probe identity.
func CanaryCalls() []string { return slices.Clone(canaryCalls) }

// canary tells whether an entry is of Whittle's own calls, by what no step can claim: the
// key that they were signed with. What a caller says of itself, such as its User-Agent,
// counts for nothing.
func (e Entry) canary(keys map[string]bool) bool {
	return e.Key != "" && keys[e.Key] && e.Via == "" && slices.Contains(canaryCalls, e.Permission)
}

// Compare orders entries by time, and what happened at once by all the rest, so
// that any order of the same entries sorts to one.
func Compare(a, b Entry) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Permission, b.Permission),
		cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Via, b.Via), cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.Key, b.Key),
		boolean(a.Refused, b.Refused), boolean(a.Derived, b.Derived), boolean(a.Failed, b.Failed))
}

func boolean(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Once sorts entries and leaves each in once: logs are delivered at least once,
// and in no order. Doubled is how many were left out.
func Once(entries []Entry) (once []Entry, doubled int) {
	once = slices.Clone(entries)
	slices.SortFunc(once, Compare)
	n := len(once)
	once = slices.CompactFunc(once, func(a, b Entry) bool { return Compare(a, b) == 0 })
	return once, n - len(once)
}

// Application begins a Via that is an application of Azure's.
const Application = "application "

// Own takes Via from what a principal's own application did. Azure's log names the
// application of every call, and not whose it is: a service principal's own is the
// one that made most of its calls, of two that made as many the one that came first.
func Own(entries []Entry) []Entry {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, Compare)
	calls := map[string]map[string]int{}
	own := map[string]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Via, Application) {
			if calls[e.Principal] == nil {
				calls[e.Principal] = map[string]int{}
			}
			calls[e.Principal][e.Via]++
		}
	}
	for _, e := range entries {
		if n := calls[e.Principal]; n[e.Via] > n[own[e.Principal]] {
			own[e.Principal] = e.Via
		}
	}
	for i, e := range entries {
		if e.Via != "" && e.Via == own[e.Principal] {
			entries[i].Via = ""
		}
	}
	return entries
}

// same tells whether two permissions are one. Azure's log writes its actions in
// several cases.
func same(a, b string) bool { return strings.EqualFold(a, b) }

// Used is what a principal was granted and did itself, each permission on everything:
// an entry's resource is one, and the next run's is another. Derived counts the
// permissions that are only derived. A permission that is not the plain name of one, of
// which a log can hold any text, is an error that names the event: a pattern would grant
// more than was done.
func Used(entries []Entry, principal string) (set grant.Set, derived int, err error) {
	sure := map[string]bool{}
	var grants []grant.Grant
	for _, e := range Own(entries) {
		if !same(e.Principal, principal) || e.Via != "" || e.Refused || free(e.Permission) {
			continue
		}
		if !plain.MatchString(e.Permission) {
			return grant.Set{}, 0, fmt.Errorf("event %.80q of %s: %.80q is no permission's name", e.ID, e.Time.Format(time.RFC3339), e.Permission)
		}
		sure[e.Permission] = sure[e.Permission] || !e.Derived
		grants = append(grants, grant.Grant{Permission: e.Permission, Resource: "*"})
	}
	set = grant.Of(grants...)
	for g := range set.All() {
		if !sure[g.Permission] {
			derived++
		}
	}
	return set, derived, nil
}

// plain is the name of a single permission, in any cloud's notation.
var plain = regexp.MustCompile(`^[A-Za-z0-9-]+[:./][A-Za-z0-9./_-]+$`)
