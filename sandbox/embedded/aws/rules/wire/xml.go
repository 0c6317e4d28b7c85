package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
)

// readXML reads an XML body; the fields' places start with "body" in the place
// of the root element.
func readXML(service string, body []byte) ([]params.Field, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var (
		d      = xml.NewDecoder(bytes.NewReader(body))
		fields []params.Field
		at     []params.Step
		counts = []map[string]int{}
		text   strings.Builder
		leaf   bool
		ended  bool
	)
	bad := func(why string) ([]params.Field, error) { return nil, &MalformedError{service, "body: " + why} }
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bad("it is not well-formed XML")
		}
		switch v := tok.(type) {
		case xml.Directive:
			return bad("a document type")
		case xml.StartElement:
			if ended || len(counts) > maxDepth || len(fields) > maxFields {
				return bad("too deep, too long or more than one root")
			}
			if len(counts) == 0 {
				at = params.Named("body")
			} else {
				c := counts[len(counts)-1]
				c[v.Name.Local]++
				at = append(at, params.Step{Name: v.Name.Local}, params.Step{Name: strconv.Itoa(c[v.Name.Local]), Index: true})
			}
			counts = append(counts, map[string]int{})
			text.Reset()
			leaf = true
		case xml.CharData:
			text.Write(v)
		case xml.EndElement:
			if leaf {
				fields = append(fields, params.Field{At: slices.Clone(at), Value: text.String()})
			}
			leaf = false
			counts = counts[:len(counts)-1]
			if len(at) > 1 {
				at = at[:len(at)-2]
			}
			ended = len(counts) == 0
		}
	}
	if !ended {
		return bad("it is not complete")
	}
	return fields, nil
}
