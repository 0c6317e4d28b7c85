package azure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
)

// mark is what the notes of an application and the description of a role that
// Whittle makes begin with, before the JSON of whose it is.
const mark = "whittle "

// owner says whose an application or a role is.
type owner struct {
	Stack    string `json:"stack"`
	Identity string `json:"identity"`
	Run      string `json:"run,omitempty"`
	Scope    string `json:"scope,omitempty"` // of a role
}

func (p *Pool) describe(identity, scope string) string {
	text, err := json.Marshal(owner{p.cfg.Stack, identity, p.cfg.RunID, scope})
	if err != nil {
		panic(err) // a struct of texts
	}
	return mark + string(text)
}

// owned reads a mark: whose is it, and is it this stack's.
func (p *Pool) owned(text string) (owner, bool) {
	var o owner
	rest, ok := strings.CutPrefix(text, mark)
	if !ok || json.Unmarshal([]byte(rest), &o) != nil {
		return owner{}, false
	}
	return o, o.Stack == p.cfg.Stack
}

var notName = regexp.MustCompile(`[^A-Za-z0-9]+`)

// name is what an identity is called, which no other stack's is.
func (p *Pool) name(identity string) string {
	sum := sha256.Sum256([]byte(p.cfg.Subscription + "\x00" + p.cfg.Stack + "\x00" + identity))
	text := notName.ReplaceAllString(p.cfg.Stack+"-"+identity, "-")
	return "whittle-" + text[:min(len(text), 60)] + "-" + hex.EncodeToString(sum[:4])
}

// id makes a GUID that is the same whenever it is made of the same texts (RFC
// 9562, version 8).
func id(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(texts, "\x00"))))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// role is the GUID of an identity's role for a scope.
func (p *Pool) role(identity, scope string) string {
	return id("role", p.cfg.Subscription, p.cfg.Stack, identity, scope)
}

// assignment is the GUID of the assignment of a role to a principal.
func assignment(principal, scope, role string) string {
	return id("assignment", principal, scope, role)
}
