package stamp

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const (
	// maxNested is how many documents within strings of documents are read: a
	// deployment of Azure's quotes a reply that quotes a reply.
	maxNested = 4
	// maxDepth is how deep a document may be nested.
	maxDepth = 64
)

// Members of JSON that hold a message or a request id, wherever they stand.
var (
	messageNames = map[string]bool{
		"message": true, "Message": true, "errorMessage": true, "error_description": true, "errorDescription": true,
	}
	idNames = map[string]bool{
		"requestId": true, "RequestId": true, "requestID": true, "RequestID": true, "request_id": true, "request-id": true, "HostId": true,
	}
)

// place is an object or a list that is open.
type place struct {
	name   string // of the member that it is, "" in a list
	object bool
	key    string // of the member whose value comes next
	inKey  bool   // a key comes next
	facts  bool   // it is or stands in what a machine reads, not a person
}

// members puts the token into a JSON document, at the end of its messages. An
// error without any gets one.
func members(cloud refusal.Cloud, body []byte, token string, nested int) ([]byte, bool) {
	start := len(body) - len(bytes.TrimPrefix(body, bom))
	if !json.Valid(body[start:]) {
		return body, false
	}
	var edits, soft []edit      // soft: errors in a string, used where there is no message
	said, taken := false, false // a message has the token; there is a member of that name
	first, inError := -1, -1    // where the document's object begins, and its error's
	d := json.NewDecoder(bytes.NewReader(body[start:]))
	d.UseNumber()
	var open []place
	before := 0
	for {
		t, err := d.Token()
		if err != nil {
			break // the end
		}
		end := start + int(d.InputOffset())
		from := start + before
		before = int(d.InputOffset())
		var in *place
		if len(open) > 0 {
			in = &open[len(open)-1]
		}
		if in != nil && in.inKey {
			if key, isKey := t.(string); isKey {
				in.key, in.inKey = key, false
				continue
			}
		}
		name, facts := "", false
		if in != nil {
			name, facts = in.key, in.facts
		}
		taken = taken || messageNames[name] && !facts
		switch v := t.(type) {
		case json.Delim:
			switch v {
			case '{', '[':
				if len(open) == maxDepth {
					return body, false
				}
				if v == '{' && first < 0 && len(open) == 0 {
					first = end
				}
				if v == '{' && inError < 0 && len(open) == 1 && (name == "error" || name == "Error") {
					inError = end
				}
				open = append(open, place{name: name, object: v == '{', inKey: v == '{', facts: facts || name == "metadata"})
				continue
			default:
				open = open[:len(open)-1]
				if len(open) > 0 {
					in = &open[len(open)-1]
				} else {
					in = nil
				}
			}
		case string:
			switch {
			case facts:
			case messageNames[name], name == "value" && messageNames[in.name]: // OData: {"lang": …, "value": …}
				edits = append(edits, message(cloud, body, from, end, v, token, nested))
				said = true
			case idNames[name]:
				edits = append(edits, edit{from + bytes.IndexByte(body[from:end], '"') + 1, end - 1, token})
			case name == "error" && strings.Contains(v, " "): // a code has no spaces
				soft = append(soft, edit{end - 1, end - 1, refusal.Mark(token)})
			}
		case nil:
			if messageNames[name] && !facts {
				edits = append(edits, edit{end - len("null"), end, `"` + refusal.Mark(token) + `"`})
				said = true
			}
		}
		if in != nil && in.object {
			in.inKey = true
		}
	}
	at := inError
	if at < 0 && cloud != refusal.Azure { // whose errors are known by their message
		at = first
	}
	switch {
	case said:
	case len(soft) > 0:
		edits = append(edits, soft...)
	case at >= 0 && nested == 0 && !taken:
		text := `"message":"` + refusal.Mark(token) + `"`
		if rest := bytes.TrimLeft(body[at:], " \t\r\n"); rest[0] != '}' {
			text += ","
		}
		edits = append(edits, edit{at, at, text})
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.from - b.from })
	if len(edits) == 0 {
		return body, false
	}
	return splice(body, edits), true
}

// message is the edit of one message, whose token ends at end. One that is a
// document itself gets the token inside.
func message(cloud refusal.Cloud, body []byte, from, end int, text, token string, nested int) edit {
	if t := strings.TrimSpace(text); strings.HasPrefix(t, "{") && nested < maxNested {
		if inner, ok := members(cloud, []byte(text), token, nested+1); ok {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if e.Encode(string(inner)) == nil {
				return edit{from + bytes.IndexByte(body[from:end], '"'), end, strings.TrimSuffix(b.String(), "\n")}
			}
		}
	}
	return edit{end - 1, end - 1, refusal.Mark(token)}
}
