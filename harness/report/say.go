package report

import (
	"fmt"
	"strings"
	"time"
)

// How says how it is known that a use is needed, or not, in words that can stand
// alone.
func (u Use) How() string {
	var s string
	switch u.Necessity {
	case "certified":
		s = "certified: the step fails without it"
		if u.Shown != nil && u.Shown.How == "withheld" {
			s += ", shown by refusing the request on purpose"
		} else if u.Shown != nil && u.Shown.How == "removed" {
			s += ", shown by really taking it away"
		}
	case "observed":
		s = "observed: the request was refused without it and let through with it"
		if u.Difference != "" {
			return s + "; without it the step does not fail, but its outcome is another: " + u.Difference
		}
		s += "; whether the step fails without it was not asked"
	case "assumed":
		return "assumed: granted without a refusal of its own, and not shown to be needed"
	case "optional":
		return "optional: refused, and the step does as well without it; not granted"
	default:
		return u.Necessity
	}
	return s
}

// When says when a use was certified, and what failed without it; it is empty where
// no journal tells.
func (u Use) When() string {
	if u.Shown == nil {
		return ""
	}
	s := u.Shown.Time.Format(time.DateTime) + " UTC"
	if u.Shown.Address != "" {
		s += ", shown by " + u.Shown.Address
	}
	return s
}

// Say says in a sentence what a note on tags means for a permission of it.
func (n TagNote) Say() string {
	s := fmt.Sprintf("a condition on the tags of %s would not bind role %s in %s: it may put any tag there by %s on %s",
		n.Resource, n.Role, n.Permission, n.By, n.ByResource)
	if len(n.OnCreation) > 0 {
		s += fmt.Sprintf("; it was refused that only while something was made (%s), so the condition ec2:CreateAction on %s closes this",
			strings.Join(n.OnCreation, ", "), n.By)
	}
	return s
}
