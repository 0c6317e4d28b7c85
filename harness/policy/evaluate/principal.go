package evaluate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/policy"
)

// principal: who asks is among those named, or, for NotPrincipal, is not
// (elements_principal, elements_notprincipal). A statement with neither is an
// identity's own and matches.
func (q request) principal(s policy.Statement) part {
	return func() (bool, error) {
		switch {
		case s.Principal != nil && s.NotPrincipal != nil:
			return false, fmt.Errorf("has both Principal and NotPrincipal")
		case s.Principal != nil:
			itself, account, err := named(s.Principal, q.Principal)
			if itself || account {
				return true, nil
			}
			return false, err
		case s.NotPrincipal != nil && s.Effect != policy.EffectDeny:
			return false, fmt.Errorf("has NotPrincipal with Allow, which IAM does not support")
		case s.NotPrincipal != nil:
			// IAM may check the account first, then the role, then the session:
			// to be spared, a principal must be named together with its account.
			itself, account, err := named(s.NotPrincipal, q.Principal)
			if itself && (account || accountOf(q.Principal) == "") {
				return false, nil
			}
			return true, err
		}
		return true, nil
	}
}

// named tells whether the map names who itself (or everyone), and whether it
// names who's account. A wildcard for a part of a principal is not one that
// IAM takes, and so an error.
func named(p map[string][]string, who string) (itself, account bool, err error) {
	for kind, names := range p {
		for _, name := range names {
			switch {
			case name == "*":
				itself, account = true, true
			case strings.ContainsAny(name, "*?") && kind == "AWS":
				err = fmt.Errorf("principal %q holds a wildcard, which stands for everyone or for nobody; use a condition on aws:PrincipalArn", name)
			case who == "":
			case name == who, kind == "AWS" && sameRole(name, who):
				itself = true
			case kind == "AWS" && accountOf(who) != "" && (name == accountOf(who) || isRoot(name) && accountOf(name) == accountOf(who)):
				account = true
			}
		}
	}
	if isRoot(who) && (itself || account) {
		itself, account = true, true
	}
	return itself, account, err
}

// accountOf is the account of a principal's ARN, empty if it is none.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" && parts[2] != "sts" {
		return ""
	}
	return parts[4]
}

func isRoot(arn string) bool { return strings.HasSuffix(arn, ":root") && accountOf(arn) != "" }

// roleOf is the ARN of the role behind a session's ARN, as far as the session
// tells: a role's path is not in it.
func roleOf(session string) string {
	parts := strings.SplitN(session, ":", 6)
	if len(parts) != 6 || parts[2] != "sts" {
		return ""
	}
	path := strings.Split(parts[5], "/")
	if len(path) < 3 || path[0] != "assumed-role" {
		return ""
	}
	return strings.Join([]string{"arn", parts[1], "iam", "", parts[4], "role/" + path[1]}, ":")
}

// sameRole tells whether session is one of the role's. Role names are unique
// in an account whatever their path (reference_iam-quotas, names), so the last
// part of the role's name decides.
func sameRole(role, session string) bool {
	parts := strings.SplitN(role, ":", 6)
	if len(parts) != 6 || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		return false
	}
	path := strings.Split(parts[5], "/")
	short := append(slices.Clone(parts[:5]), "role/"+path[len(path)-1])
	return strings.Join(short, ":") == roleOf(session)
}
