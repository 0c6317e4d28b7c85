package stamp

import (
	"bytes"
	"encoding/xml"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Elements that hold a message or a request id. Details is where Cloud Storage
// says what was refused.
var (
	messageElements = map[string]bool{"Message": true, "message": true, "Details": true, "Detail": true}
	idElements      = map[string]bool{"RequestId": true, "RequestID": true, "requestId": true, "HostId": true}
)

// elements puts the token into an XML document, at the end of its messages. An
// error of S3's, EC2's or the query protocol without any gets one.
func elements(body []byte, token string) ([]byte, bool) {
	var edits []edit
	said, code := false, -1 // code: behind the first error's code, where a message can stand
	d := xml.NewDecoder(bytes.NewReader(body))
	var name string // of the innermost element, if it has no elements so far
	inner := 0      // where its content begins
	depth, leaf := 0, false
	for {
		before := int(d.InputOffset())
		t, err := d.RawToken()
		if err != nil {
			break
		}
		after := int(d.InputOffset())
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return body, false
			}
			name, inner, leaf = t.Name.Local, after, true
		case xml.EndElement:
			depth--
			closed := after > before // else it was one tag that opens and closes
			if leaf && closed && t.Name.Local == name {
				switch {
				case messageElements[name]:
					edits = append(edits, edit{before, before, refusal.Mark(token)})
					said = true
				case idElements[name]:
					edits = append(edits, edit{inner, before, token})
				case name == "Code" && code < 0:
					code = len(edits)
					edits = append(edits, edit{after, after, ""})
				}
			}
			leaf = false
		}
	}
	// A reader takes the document up to the end of its root, and so do we; what
	// is cut or not well-formed is not touched.
	if depth != 0 || xml.Unmarshal(body, new(struct{})) != nil {
		return body, false
	}
	if !said && code >= 0 {
		edits[code].text = "<Message>" + refusal.Mark(token) + "</Message>"
		said = true
	}
	if !said && len(edits) == 0 {
		return body, false
	}
	return splice(body, edits), true
}
