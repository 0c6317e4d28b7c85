package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// readXML reads an XML body; the fields' places start with "body" in the place
// of the root element.
func readXML(service string, body []byte) ([]Field, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var (
		d      = xml.NewDecoder(bytes.NewReader(body))
		fields []Field
		at     []Step
		counts = []map[string]int{}
		text   strings.Builder
		leaf   bool
		ended  bool
	)
	bad := func(why string) ([]Field, error) { return nil, &MalformedError{service, "body: " + why} }
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
				at = Named("body")
			} else {
				c := counts[len(counts)-1]
				c[v.Name.Local]++
				at = append(at, Step{Name: v.Name.Local}, Step{strconv.Itoa(c[v.Name.Local]), true})
			}
			counts = append(counts, map[string]int{})
			text.Reset()
			leaf = true
		case xml.CharData:
			text.Write(v)
		case xml.EndElement:
			if leaf {
				fields = append(fields, Field{slices.Clone(at), text.String()})
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
