package terraform

import (
	"encoding/json"
	"regexp"
	"strings"
)

// leastGenerated is how much of a name must be generated for it to count, in
// bytes: what is shorter could stand in another name by accident. The provider
// SDK's own suffix has 26 (terraform-plugin-sdk, id.PrefixedUniqueId).
const leastGenerated = 8

// generatedNames reads from a state, as `terraform state pull` prints it, which
// names the providers made up: the value of an attribute "x" where the resource
// has an attribute "x_prefix" that it begins with. It gives the prefix of each.
// So it does of ids that the cloud made up: names that a module chooses hold
// them ("/aws/vpc-flow-log/vpc-…"). Text that is no state gives nothing.
func generatedNames(state string) map[string]string {
	var s struct {
		Resources []struct {
			Mode      string `json:"mode"`
			Type      string `json:"type"`
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
			if id, prefix, ok := generatedID(i.Attributes); ok {
				names[id] = prefix
			}
			if id, _ := i.Attributes["id"].(string); madeWhole[r.Type] != nil && madeWhole[r.Type].MatchString(id) {
				names[id] = ""
			}
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

// madeID is the form of EC2's ids (Amazon EC2 User Guide, "Resource IDs"), and
// of those of services that follow it: "vpc-" and 17 hexadecimal digits.
var madeID = regexp.MustCompile(`^([a-z]+-)[0-9a-f]{17}$`)

// generatedID tells the id that the cloud made up for a resource: it has the
// form, the resource's ARN ends with it, and it is no other attribute's value,
// as a name is that somebody chose.
func generatedID(attributes map[string]any) (id, prefix string, ok bool) {
	id, _ = attributes["id"].(string)
	arn, _ := attributes["arn"].(string)
	form := madeID.FindStringSubmatch(id)
	if form == nil || !strings.HasSuffix(arn, "/"+id) {
		return "", "", false
	}
	for key, v := range attributes {
		if key != "id" && v == id {
			return "", "", false
		}
	}
	return id, form[1], true
}

// madeWhole holds the forms of ids that the cloud makes up without a prefix and
// that it puts into other names, or modules do: an API's into that of its log
// group (Amazon API Gateway Developer Guide, "Set up CloudWatch logging").
var madeWhole = map[string]*regexp.Regexp{
	"aws_api_gateway_rest_api": regexp.MustCompile(`^[a-z0-9]{8,10}$`),
	"aws_apigatewayv2_api":     regexp.MustCompile(`^[a-z0-9]{8,10}$`),
}
