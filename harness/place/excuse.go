package place

import (
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/attribute"
	"github.com/whittle-iam/whittle/harness/catalog/condition"
	"github.com/whittle-iam/whittle/harness/catalog/scope"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// Decoy is a request for what is not the lifecycle's, which a role let through.
type Decoy struct {
	Permission, Resource string
	// Held is what the role holds, Kept tells of what is in it that the run was not to
	// ask about.
	Held grant.Set
	Kept func(grant.Grant) bool
}

// Excuse gives the grant that lets the request through, and why it could not be
// narrower. Where there is no reason, it should have been refused.
func (g *Ground) Excuse(lc lifecycle.Lifecycle, d Decoy) (by grant.Grant, why string) {
	switch lc.Cloud {
	case "aws":
		return onAWS(lc, d)
	case "azure":
		return g.onAzure(lc, d)
	default:
		return g.onGoogle(lc, d)
	}
}

func onAWS(lc lifecycle.Lifecycle, d Decoy) (by grant.Grant, why string) {
	for h := range d.Held.All() {
		if h.Permission != d.Permission || h.Resource != "*" && !catalog.Match(h.Resource, d.Resource) {
			continue
		}
		by = h
		switch {
		case condition.Hopeful(h.Condition):
		case lc.ScopeOrDefault() != lifecycle.ScopeResource && catalog.Risk(h.Permission) == "":
			return h, "scope: " + string(lc.ScopeOrDefault())
		case h.Resource == "*":
			return h, "AWS checks the action on no resource"
		case strings.Contains(h.Permission, ":Describe") && catalog.Level(h.Permission) == catalog.List && catalog.OfType(d.Resource) == h.Resource:
			return h, "the step lists, and names none of them"
		case catalog.Widen(d.Resource) != h.Resource:
		case len(lc.OwnedByTag) == 0:
			return h, "AWS makes up the id, and owned_by_tag names no tag"
		case condition.Tells(d.Resource):
			return h, "the step needs it on something without the tags of owned_by_tag"
		default:
			return h, "AWS makes up the id, and no tag is known to be checked"
		}
	}
	return by, ""
}

func (g *Ground) onGoogle(lc lifecycle.Lifecycle, d Decoy) (by grant.Grant, why string) {
	for h := range d.Held.All() {
		if h.Permission != d.Permission || h.Resource != "*" {
			continue
		}
		by = h
		switch {
		case g == nil, g.byType && catalog.Risk(h.Permission) == "":
			return h, "scope: " + string(lc.ScopeOrDefault())
		case strings.Contains(h.Condition, `"resource.type"`):
			return h, "no request has the name, which the cloud makes up"
		case h.Condition == "" && (g.unbounded(h.Permission) || d.Kept(h)):
			return h, attribute.Why(h.Permission)
		}
	}
	return by, ""
}

// onAzure is about a decoy that lies in another resource group.
func (g *Ground) onAzure(lc lifecycle.Lifecycle, d Decoy) (by grant.Grant, why string) {
	for h := range d.Held.All() {
		if !strings.EqualFold(h.Permission, d.Permission) || !scope.Holds(h.Resource, d.Resource) {
			continue
		}
		by = h
		switch {
		case lc.ScopeOrDefault() == lifecycle.ScopeAction:
			return h, "scope: action"
		case h.Resource != scope.Everywhere || g == nil:
		case g.azure.reasons(h.Permission) != "":
			return h, g.azure.reasons(h.Permission)
		case d.Kept(h):
			return h, begun
		}
	}
	return by, ""
}
