package catalog

import (
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/azure"
	"github.com/whittle-iam/whittle/harness/catalog/danger"
	"github.com/whittle-iam/whittle/harness/catalog/tags"
)

// Fact is one thing that is known of a permission, with its source.
type Fact = danger.Fact

// Raises is [Risk] with its source in full; ok is false where none is known.
func Raises(permission string) (Fact, bool) {
	why := Risk(permission)
	if why == "" {
		return Fact{}, false
	}
	text, key, ok := strings.Cut(strings.TrimSuffix(why, ")"), " (")
	if azure.Is(permission) {
		return Fact{Why: why, Source: "Microsoft, \"Azure permissions\" of the provider; \"Best practices for Azure RBAC\", limit privileged administrator role assignments"}, true
	}
	if !ok {
		return Fact{Why: why}, true
	}
	var sources []string
	for k := range strings.SplitSeq(key, ", ") {
		sources = append(sources, riskSource(k, permission))
	}
	return Fact{Why: text, Source: strings.Join(sources, "; ")}, true
}

// riskSource writes out what a row of the risks is marked with.
func riskSource(key, permission string) string {
	aws := strings.Contains(permission, ":")
	switch {
	case key == "rhino" && aws:
		return "Rhino Security Labs, \"AWS IAM Privilege Escalation: Methods and Mitigation\""
	case key == "rhino":
		return "Rhino Security Labs, \"Privilege Escalation in Google Cloud Platform\""
	case key == "pike":
		return "the escalation list of JamesWoolfenden/pike"
	case key == "sar":
		return "Service Authorization Reference, access level and description of the action"
	case key == "api":
		return "the reference page of the method in the service's API"
	}
	return key
}

// Secrets says what secrets the holder of a permission can read, also by a pattern;
// ok is false where none are known.
func Secrets(permission string) (Fact, bool) {
	return fact(permission, danger.Secrets, danger.SecretNames, "it takes in permissions that read secrets")
}

// Destroys says what data the holder of a permission can destroy, also by a
// pattern; ok is false where none is known.
func Destroys(permission string) (Fact, bool) {
	return fact(permission, danger.Destroys, danger.DestroyNames, "it takes in permissions that destroy data")
}

func fact(permission string, of func(string) (Fact, bool), names func() []string, takesIn string) (Fact, bool) {
	if !strings.ContainsAny(permission, "*?") {
		return of(permission)
	}
	pattern := strings.ToLower(permission)
	for _, name := range names() {
		if glob(pattern, strings.ToLower(name), true) {
			return Fact{Why: takesIn + ", " + name + " for one", Source: must(of(name)).Source}, true
		}
	}
	return Fact{}, false
}

func must(f Fact, _ bool) Fact { return f }

// GetsRoundTags tells whether a permission to tag, on the resources that the
// pattern byResource names, gets round a condition on tags that another permission
// of the same holder may be tied to: see [tags.GetsRound]. What only reads counts
// where it reads secrets.
func GetsRoundTags(by, byResource, permission, resource string) bool {
	_, secret := Secrets(permission)
	return (secret || !Level(permission).Reads()) && tags.GetsRound(by, byResource, permission, resource)
}
