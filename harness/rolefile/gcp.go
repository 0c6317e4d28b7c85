package rolefile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
)

// conditionExt ends the name of the file with a role's condition.
const conditionExt = ".condition.yaml"

// serviceAccount begins the full name of a service account of a project.
const serviceAccount = "//iam.googleapis.com/projects/"

// spot is where permissions are granted: a custom role says what and not on what, so
// that is for the binding to say.
type spot struct {
	resource    string
	condition   grant.Condition
	permissions []string
}

// spots are the places of a set, in order. Places with the same permissions whose
// conditions differ in values alone are one, as far as an expression may be long.
func spots(s grant.Set) ([]spot, error) {
	type place struct{ resource, condition string }
	held := map[place][]string{}
	for g := range s.All() {
		whole := grant.Grant{Permission: g.Permission, Resource: "*"}
		if whole != g && s.Has(whole) && (g.Condition != "" || strings.HasPrefix(g.Resource, serviceAccount)) {
			continue // another step of the role needs it everywhere
		}
		held[place{g.Resource, g.Condition}] = append(held[place{g.Resource, g.Condition}], g.Permission)
	}
	order := slices.SortedFunc(maps.Keys(held), func(a, b place) int {
		return grant.Compare(grant.Grant{Resource: a.resource, Condition: a.condition}, grant.Grant{Resource: b.resource, Condition: b.condition})
	})
	var all []spot
	last := map[string]int{} // of what can be joined, where the last is
	for _, p := range order {
		c, err := grant.ParseCondition(p.condition)
		if err != nil {
			return nil, err
		}
		one := spot{p.resource, c, held[p]}
		kind := ""
		if len(c) == 1 {
			for operator, keys := range c {
				if len(keys) == 1 {
					kind = strings.Join(append([]string{p.resource, operator, slices.Collect(maps.Keys(keys))[0]}, one.permissions...), " ")
				}
			}
		}
		if at, ok := last[kind]; ok && kind != "" {
			joined := grant.Condition{}
			for operator, keys := range c {
				for key, values := range keys {
					joined[operator] = map[string][]string{key: append(slices.Clone(all[at].condition[operator][key]), values...)}
				}
			}
			if _, err := gcp.Expression(joined.String()); err == nil {
				all[at].condition = joined
				continue
			}
		}
		last[kind] = len(all)
		all = append(all, one)
	}
	return all, nil
}

// divideGCP makes a role for each place where permissions are granted.
func divideGCP(g Group) ([]part, error) {
	places, err := spots(g.Set)
	if err != nil {
		return nil, fmt.Errorf("role %s: %w", g.Name, err)
	}
	var parts []part
	narrow := false // whether Terraform writes who is bound where
	for _, s := range places {
		expression, err := gcp.Expression(s.condition.String())
		if err != nil {
			return nil, fmt.Errorf("role %s: %w", g.Name, err)
		}
		role := gcp.Role{Title: g.Name, Description: cut(g.Description, gcp.DescriptionLimit), Stage: "GA", Permissions: s.permissions}
		p := part{ext: ".yaml", limit: gcp.SizeLimit, condition: expression, comment: "bind it on the project"}
		switch {
		case s.resource != "*":
			p.on, p.comment = s.resource, "bind it on "+s.resource
		case expression != "":
			p.comment = "bind it on the project, under a condition"
		}
		narrow = narrow || expression != "" || strings.HasPrefix(p.on, serviceAccount)
		split, err := gcp.Split(role)
		if err != nil {
			return nil, fmt.Errorf("role %s: %w", g.Name, err)
		}
		for _, r := range split {
			p.size, p.gcp = r.Size(), &r
			parts = append(parts, p)
		}
	}
	for i := range parts {
		p := &parts[i]
		p.name = numbered(g.Name, i, len(parts))
		if narrow {
			p.member = "member_" + strings.ToLower(notID.ReplaceAllString(g.Name, "_"))
		}
		id := RoleID(p.name)
		text := fmt.Sprintf("# gcloud iam roles create %s --project PROJECT --file %s%s\n# %s\n", id, p.name, p.ext, p.comment)
		switch {
		case p.condition != "":
			text += fmt.Sprintf("# gcloud projects add-iam-policy-binding PROJECT --member MEMBER --role projects/PROJECT/roles/%s --condition-from-file %s%s\n", id, p.name, conditionExt)
		case strings.HasPrefix(p.on, serviceAccount):
			text += fmt.Sprintf("# gcloud iam service-accounts add-iam-policy-binding %s --member MEMBER --role projects/PROJECT/roles/%s\n", p.on[strings.LastIndexByte(p.on, '/')+1:], id)
		}
		p.content = append([]byte(text), p.gcp.Print()...)
	}
	return parts, nil
}
