package facts

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// element is a piece of XML whose shape matters as little as EC2's lists let it.
type element struct {
	name     string
	text     string
	children []*element
}

// parse reads XML; nil when it is none.
func parse(body []byte) *element {
	root := &element{}
	stack := []*element{root}
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		top := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local}
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.CharData:
			top.text += strings.TrimSpace(string(t))
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
	if len(root.children) == 0 {
		return nil
	}
	return root.children[0]
}

// within is the first element of a name, in depth.
func within(e *element, name string) *element {
	if e == nil || e.name == name {
		return e
	}
	for _, c := range e.children {
		if found := within(c, name); found != nil {
			return found
		}
	}
	return nil
}

// text is the text of the first element of a name.
func text(e *element, name string) string {
	if found := within(e, name); found != nil {
		return found.text
	}
	return ""
}

// texts are the texts of all elements of a name, in depth.
func texts(e *element, name string) []string {
	if e == nil {
		return nil
	}
	var all []string
	if e.name == name && e.text != "" {
		all = append(all, e.text)
	}
	for _, c := range e.children {
		all = append(all, texts(c, name)...)
	}
	return all
}

// entry is the field of the list entry that holds the id: of nested lists the
// innermost entry that has such a field.
func entry(e *element, id, field string) string {
	if e == nil || !holds(e, id) {
		return ""
	}
	for _, c := range e.children {
		if found := entry(c, id, field); found != "" {
			return found
		}
	}
	if e.name != "item" {
		return ""
	}
	return text(e, field)
}

func holds(e *element, id string) bool {
	if e.text != "" && e.text == id {
		return true
	}
	for _, c := range e.children {
		if holds(c, id) {
			return true
		}
	}
	return false
}
