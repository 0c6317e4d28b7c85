package request

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/azure/words"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/fields"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Class gives the request class of an exchange: method, host and path with
// names and ids generalised, and the parameters whose presence decides what is
// checked.
//
//	PUT management.azure.com/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/virtualNetworks/{}
//	POST management.azure.com/…/providers/Microsoft.Storage/storageAccounts/{}/listKeys
//	GET {}.vault.azure.net/secrets/{}
//	PUT {}.blob.core.windows.net/{}?restype=container
//
// It holds no subscription, name or id, and is the same for the same request at
// any time.
func Class(x refusal.Exchange) string {
	if x.URL == nil {
		return x.Method
	}
	at, ok := Locate(x)
	if !ok {
		return x.Method
	}
	host := strings.TrimSuffix(strings.ToLower(x.URL.Hostname()), ".")
	if _, fixed := exact[host]; !fixed {
		_, rest, _ := strings.Cut(host, ".")
		host = "{}." + zone.ReplaceAllString(rest, "")
	}
	class := x.Method + " " + host + pathClass(x, at)
	var params []string
	q := x.URL.Query()
	for _, name := range []string{"comp", "restype"} {
		if v := q.Get(name); word.MatchString(v) {
			params = append(params, name+"="+v)
		}
	}
	if len(params) > 0 {
		class += "?" + strings.Join(params, "&")
	}
	if names := deciding(x, at); len(names) > 0 {
		class += " " + strings.Join(names, " ")
	}
	return class
}

var (
	zone = expr.New(`^z\d{1,2}\.`)
	word = expr.New(`^[A-Za-z][A-Za-z.]*$`)
)

// pathClass replaces the names and ids of a path.
func pathClass(x refusal.Exchange, at Place) string {
	p := slices.Clone(at.Path)
	if len(p) == 0 {
		return "/"
	}
	switch at.Plane {
	case Manager:
		place := 0
		for i := 0; i < len(p); i++ {
			if strings.EqualFold(p[i], "providers") && place%2 == 0 {
				p[i] = "providers"
				if i++; i < len(p) {
					p[i] = words.Namespace(p[i])
				}
				place = 0
				continue
			}
			switch {
			case place%2 == 1 || !word.MatchString(p[i]):
				p[i] = "{}"
			case strings.EqualFold(p[i], "resourcegroups"):
				p[i] = "resourceGroups"
			}
			place++
		}
	case Vault, HSM:
		for i := range p {
			if i%2 == 1 || !word.MatchString(p[i]) {
				if i != len(p)-1 || i < 2 || !word.MatchString(p[i]) {
					p[i] = "{}"
				}
			}
		}
	case Blob, File:
		p = []string{"{}", "{}"}[:min(len(p), 2)]
	case Queue:
		for i := range p {
			if p[i] != "messages" {
				p[i] = "{}"
			}
		}
	case Graph:
		for i := range p {
			if i%2 == 0 && i > 0 || !word.MatchString(p[i]) && p[i] != "v1.0" && !strings.HasPrefix(p[i], "$") {
				p[i] = "{}"
			}
		}
	default:
		for i := range p {
			if i%2 == 1 || !word.MatchString(p[i]) {
				p[i] = "{}"
			}
		}
	}
	return "/" + strings.Join(p, "/")
}

// deciders are fields of a body that make Resource Manager check more than the
// write itself: an identity to assign, somebody else's management.
var deciders = []string{"identity", "managedBy", "managementGroupId", "plan", "zones"}

// templateType is a resource of a template.
var templateType = expr.New(`"type"\s*:\s*"([A-Za-z]+\.[A-Za-z.]+(?:/[A-Za-z]+)+)"`)

// maxTypes bounds how many types of a template a class names.
const maxTypes = 20

func deciding(x refusal.Exchange, at Place) []string {
	if at.Plane != Manager || len(x.Body) == 0 {
		return nil
	}
	if !at.Deployment() {
		return fields.Filled(x.Body, func(name string) bool { return slices.Contains(deciders, name) })
	}
	var kinds []string
	for _, m := range templateType.FindAllSubmatch(x.Body, -1) {
		if kind := proper(string(m[1])); !slices.Contains(kinds, kind) && len(kinds) < maxTypes {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}
