// Package doing reads what a tool says it was about: the verb, what it calls the
// thing, the Terraform type of the resource. A refusal that names no permission
// has nothing else to find candidates by. It knows no cloud.
package doing

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Reach of the words around a refusal, in bytes.
const (
	reachBack  = 500
	reachAhead = 700
)

var (
	address = expr.New(`\b(data\.)?((?:aws|google|azurerm)_[a-z0-9_]+)\.[\w-]+`)
	words   = expr.New(`(?i)\b(creating|create|reading or editing|reading|read|updating|update|modifying|deleting|delete|describing|describe|listing|list|getting|get|fetching|querying|retrieving|finding|looking up|refreshing|loading|validating|launching|putting|put|applying|setting|tagging|attaching|detaching|waiting for|requesting|enabling|registering|authorizing|importing)\s+((?:[A-Za-z0-9/_-]+\s?){1,7})`)
)

// verbs gives the verb of a Call for a tool's word.
var verbs = map[string]string{
	"creating": "create", "create": "create", "launching": "create", "requesting": "create", "registering": "create", "importing": "create",
	"reading": "read", "read": "read", "describing": "read", "describe": "read", "getting": "read", "get": "read", "fetching": "read",
	"querying": "read", "retrieving": "read", "finding": "read", "looking up": "read", "refreshing": "read", "loading": "read",
	"validating": "read", "waiting for": "read", "reading or editing": "read",
	"listing": "list", "list": "list",
	"updating": "update", "update": "update", "modifying": "update", "putting": "put", "put": "put", "setting": "put", "applying": "put",
	"tagging": "tag", "attaching": "attach", "detaching": "detach", "enabling": "enable", "authorizing": "authorize",
	"deleting": "delete", "delete": "delete",
}

// Place is the text around a refusal.
type Place struct {
	// Before is what stands before it, Line the part of that on its own line.
	Before, Line string
	// After is what stands behind it, Rest the part of that on its own line,
	// Stack all of it up to the next error.
	After, Rest, Stack string
}

// Around gives the text around what stands in s from one offset to another.
func Around(s string, from, to int) Place {
	p := Place{Before: s[max(0, from-reachBack):from], After: s[to:min(len(s), to+reachAhead)]}
	p.Line = p.Before[strings.LastIndexByte(p.Before, '\n')+1:]
	p.Rest, _, _ = strings.Cut(p.After, "\n")
	p.Stack = p.After
	if i := strings.Index(p.Stack, "Error: "); i > 0 {
		p.Stack = p.Stack[:i]
	}
	return p
}

// Told gives what the tool says it was about: of several words for it the
// nearest, but the wait for what it did only where it says nothing else.
func (p Place) Told() refusal.Call {
	c := told(p.Line)
	if all := address.FindAllStringSubmatch(p.Line, -1); all != nil {
		c.typed(all[len(all)-1])
	} else if m := address.FindStringSubmatch(p.Stack); m != nil && strings.Contains(p.Stack, "with ") {
		c.typed(m)
	}
	return c.Call
}

// Earlier gives what the two lines before say, for a line that says nothing. How
// far along something else is ("Refreshing state...") does not count.
func (p Place) Earlier() refusal.Call {
	lines := lastLines(strings.TrimSuffix(p.Before, p.Line))
	if strings.Contains(lines, "...") {
		return refusal.Call{}
	}
	return told(lines).Call
}

type call struct{ refusal.Call }

func (c *call) typed(m []string) {
	c.Type = m[2]
	if m[1] != "" && c.Verb == "" {
		c.Verb = "read"
	}
}

func told(line string) call {
	var c call
	all := words.FindAllStringSubmatch(line, -1)
	for i := len(all) - 1; i >= 0; i-- {
		word := strings.ToLower(all[i][1])
		if word == "waiting for" && i > 0 {
			continue
		}
		// "Error in driver during machine creation: Error launching instance".
		c.Verb, c.Noun = verbs[word], strings.TrimSpace(all[i][2])
		break
	}
	return c
}

// lastLines gives the last two lines of text that hold something, if they are
// near its end.
func lastLines(text string) string {
	text = strings.TrimRight(text[max(0, len(text)-200):], " \t\n")
	first := strings.LastIndexByte(text, '\n')
	if first < 0 {
		return text
	}
	return text[strings.LastIndexByte(strings.TrimRight(text[:first], " \t\n"), '\n')+1:]
}
