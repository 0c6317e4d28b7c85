package terraform

import (
	"encoding/json"
	"strings"
)

// leastGenerated is how much of a name must be generated for it to count, in
// bytes: what is shorter could stand in another name by accident. The provider
// SDK's own suffix has 26 (terraform-plugin-sdk, id.PrefixedUniqueId).
const leastGenerated = 8

// generatedNames reads from a state, as `terraform state pull` prints it, which
// names the providers made up: the value of an attribute "x" where the resource
// has an attribute "x_prefix" that it begins with. It gives the prefix of each.
// Text that is no state gives nothing.
func generatedNames(state string) map[string]string {
	var s struct {
		Resources []struct {
			Mode      string `json:"mode"`
			Instances []struct {
				Attributes map[string]any `json:"attributes"`
			} `json:"instances"`
		} `json:"resources"`
	}
	if json.Unmarshal([]byte(state), &s) != nil {
		return nil
	}
	names := map[string]string{}
	for _, r := range s.Resources {
		if r.Mode != "managed" {
			continue
		}
		for _, i := range r.Instances {
			for key, v := range i.Attributes {
				of, ok := strings.CutSuffix(key, "_prefix")
				prefix, _ := v.(string)
				name, _ := i.Attributes[of].(string)
				if ok && prefix != "" && strings.HasPrefix(name, prefix) && len(name) >= len(prefix)+leastGenerated {
					names[name] = prefix
				}
			}
		}
	}
	return names
}
