package place

import (
	"regexp"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Paths remembers the paths of IAM's entities. IAM refuses most calls with
// the entity's name alone ("iam:GetRole on resource: role NAME"), and a policy
// that names it without its path does not match. Where the entity is made, or
// handed on, the refusal names its ARN.
//
// That cannot widen a grant: a name is an entity's own within the account,
// whatever its path ("Names are not distinguished by case … must be unique",
// IAM User Guide, "IAM and STS quotas"). The zero Paths is ready.
type Paths struct {
	mu    sync.Mutex
	known map[string]string // ARN without a path → ARN
}

var (
	iamEntity = regexp.MustCompile(`^(arn:aws[a-z-]*:iam::\d{12}:(?:role|user|group|instance-profile)/)([^*?$]*/)?([^/*?$]+)$`)
	iamMakes  = regexp.MustCompile(`^iam:Create(?:Role|User|Group|InstanceProfile)$`)
)

// Learn takes in the resource of a grant or a denial.
func (p *Paths) Learn(permission, resource string) {
	m := iamEntity.FindStringSubmatch(resource)
	if m == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	bare := m[1] + strings.ToLower(m[3])
	switch {
	case m[2] != "":
		if p.known == nil {
			p.known = map[string]string{}
		}
		p.known[bare] = resource
	case iamMakes.MatchString(permission):
		delete(p.known, bare) // it is made anew, without a path
	}
}

// Complete puts the path into the resource of a denial that names none.
func (p *Paths) Complete(d refusal.Denial) refusal.Denial {
	p.Learn(d.Permission, d.Resource)
	if m := iamEntity.FindStringSubmatch(d.Resource); m != nil && m[2] == "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		if whole, ok := p.known[m[1]+strings.ToLower(m[3])]; ok {
			d.Resource = whole
		}
	}
	return d
}
