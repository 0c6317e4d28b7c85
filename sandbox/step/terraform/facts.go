package terraform

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

const (
	// maxValue is the longest value that is given as it is, in bytes of JSON.
	maxValue = 4 << 10
	// maxFacts bounds how many facts one state gives.
	maxFacts = 50_000
)

// shown are the attributes whose text is given as it is. Of others there is a
// digest: a state holds secrets that nothing in it marks as such, since a
// provider's own marks are in its schema.
var shown = map[string]bool{
	"arn": true, "cidr_block": true, "ip_cidr_range": true, "location": true, "machine_type": true, "name": true, "name_prefix": true,
	"project": true, "region": true, "self_link": true, "zone": true, "availability_zone": true, "instance_type": true,
}

// stateFacts reads what a state (as `terraform state pull` prints it) says of
// resources, data sources and outputs: "ADDRESS.path.to.value" → its JSON, and
// "output.NAME" → its JSON. A text that may be a secret, and what is long, is
// there as a digest. Text that is no state gives nothing.
func stateFacts(state string) map[string]string {
	var s struct {
		Outputs map[string]struct {
			Value     json.RawMessage `json:"value"`
			Sensitive bool            `json:"sensitive"`
		} `json:"outputs"`
		Resources []struct {
			Module    string `json:"module"`
			Mode      string `json:"mode"`
			Type      string `json:"type"`
			Name      string `json:"name"`
			Instances []struct {
				Key        json.RawMessage            `json:"index_key"`
				Deposed    string                     `json:"deposed"`
				Attributes map[string]json.RawMessage `json:"attributes"`
				Sensitive  []json.RawMessage          `json:"sensitive_attributes"`
			} `json:"instances"`
		} `json:"resources"`
	}
	if json.Unmarshal([]byte(state), &s) != nil {
		return nil
	}
	f := facts{}
	for name, o := range s.Outputs {
		f.put("output."+name, o.Value, o.Sensitive)
	}
	for _, r := range s.Resources {
		address := r.Type + "." + r.Name
		if r.Mode == "data" {
			address = "data." + address
		}
		if r.Module != "" {
			address = r.Module + "." + address
		}
		for _, i := range r.Instances {
			if i.Deposed != "" {
				continue // about to be destroyed
			}
			at := address
			if len(i.Key) > 0 && string(i.Key) != "null" {
				at += "[" + string(compact(i.Key)) + "]"
			}
			secret := sensitive(i.Sensitive)
			for _, name := range slices.Sorted(maps.Keys(i.Attributes)) {
				f.flatten(at+"."+name, name, i.Attributes[name], secret[name])
			}
		}
	}
	return f
}

// sensitive gives the attributes that a state marks as sensitive, as a whole or
// in part.
func sensitive(paths []json.RawMessage) map[string]bool {
	marked := map[string]bool{}
	for _, p := range paths {
		var steps []struct {
			Type  string          `json:"type"`
			Value json.RawMessage `json:"value"`
		}
		var name string
		if json.Unmarshal(p, &steps) == nil && len(steps) > 0 && json.Unmarshal(steps[0].Value, &name) == nil {
			marked[name] = true
		}
	}
	return marked
}

// facts are what a run left behind, as [Result] has them.
type facts map[string]string

// flatten puts a value's parts, each under its own path; name is the attribute
// that the value stands in.
func (f facts) flatten(path, name string, v json.RawMessage, secret bool) {
	v = compact(v)
	if len(v) == 0 || len(v) > maxValue || len(f) >= maxFacts {
		f.put(path, v, true)
		return
	}
	var members map[string]json.RawMessage
	var items []json.RawMessage
	switch {
	case v[0] == '{' && json.Unmarshal(v, &members) == nil && len(members) > 0:
		for _, key := range slices.Sorted(maps.Keys(members)) {
			inner := path + "." + key
			if !plainKey.MatchString(key) {
				inner = path + "[" + strconv.Quote(key) + "]"
			}
			f.flatten(inner, key, members[key], secret)
		}
	case v[0] == '[' && json.Unmarshal(v, &items) == nil && len(items) > 0:
		for i, item := range items {
			f.flatten(path+"["+strconv.Itoa(i)+"]", name, item, secret)
		}
	default:
		f.put(path, v, secret || v[0] == '"' && !shown[name])
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// put puts one value, as a digest if it may be a secret or is long.
func (f facts) put(path string, v json.RawMessage, secret bool) {
	v = compact(v)
	if secret || len(v) > maxValue {
		sum := sha256.Sum256(v)
		f[path] = "sha256:" + hex.EncodeToString(sum[:])
		return
	}
	f[path] = string(v)
}

// compact is JSON without the spaces that nobody wrote on purpose, and with the
// members of objects in order.
func compact(v json.RawMessage) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber() // or a large number would lose its end
	var any any
	if d.Decode(&any) != nil {
		return v
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(any) != nil {
		return v
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// plan puts what a line of a plan's output says: "plan.ADDRESS" → the action,
// "output.NAME" → the planned value, or what becomes of it where the value is not
// known yet, and "plan" → how many of each there are.
func (f facts) plan(l uiLine) {
	switch {
	case l.Type == "planned_change" && l.Change != nil && l.Change.Resource.Addr != "":
		f["plan."+l.Change.Resource.Addr] = l.Change.Action
	case l.Type == "outputs":
		for name, o := range l.Outputs {
			if len(o.Value) == 0 {
				f["output."+name] = o.Action
				continue
			}
			f.put("output."+name, o.Value, o.Sensitive)
		}
	case l.Type == "change_summary" && l.Changes != nil:
		c := l.Changes
		f["plan"] = fmt.Sprintf("%d to add, %d to change, %d to destroy, %d to import", c.Add, c.Change, c.Remove, c.Import)
	}
}
