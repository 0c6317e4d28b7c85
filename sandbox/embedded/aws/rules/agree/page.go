package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// action is what a page says of one action.
type action struct {
	types []string // of resources that it can be granted on; "*" after one that it needs
}

// must tells whether the action is always checked on a resource.
func (a action) must() bool {
	for _, t := range a.types {
		if strings.HasSuffix(t, "*") {
			return true
		}
	}
	return false
}

var errNoActions = errors.New("it has no service prefix, or no table of actions")

var servicePrefix = regexp.MustCompile(`service prefix:\s*([a-z0-9-]+)`)

// readPage adds a page's actions to known, in lower case.
func readPage(file string, known map[string]action) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	root, err := html.Parse(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	m := servicePrefix.FindStringSubmatch(textOf(root))
	if m == nil {
		return errNoActions
	}
	found := false
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "table" {
			found = table(n, m[1], known) || found
		}
	}
	if !found {
		return errNoActions
	}
	return nil
}

// table reads a table of actions, and tells whether it is one. An action's cells
// span the rows of its resource types, which have cells of their own from the
// second on.
func table(t *html.Node, prefix string, known map[string]action) bool {
	name, left, is := "", 0, false
	for tr := range t.Descendants() {
		if tr.Type != html.ElementNode || tr.Data != "tr" {
			continue
		}
		var cells []*html.Node
		for c := tr.FirstChild; c != nil; c = c.NextSibling {
			if c.Type == html.ElementNode && (c.Data == "td" || c.Data == "th") {
				cells = append(cells, c)
			}
		}
		if !is {
			if len(cells) == 0 || textOf(cells[0]) != "Actions" {
				return false
			}
			is = true
			continue
		}
		kind := ""
		if left == 0 {
			if len(cells) < 4 {
				continue
			}
			name = strings.ToLower(prefix + ":" + strings.Fields(textOf(cells[0]) + " -")[0])
			left, kind = span(cells[0]), textOf(cells[3])
		} else if len(cells) > 0 {
			kind = textOf(cells[0])
		}
		left--
		a := known[name]
		if fields := strings.Fields(kind); len(fields) > 0 && fields[0] != "-" {
			a.types = append(a.types, fields[0])
		}
		known[name] = a
	}
	return is
}

func span(n *html.Node) int {
	for _, a := range n.Attr {
		if a.Key == "rowspan" {
			if rows, err := strconv.Atoi(a.Val); err == nil && rows > 0 {
				return rows
			}
		}
	}
	return 1
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}
