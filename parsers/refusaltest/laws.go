package refusaltest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Parser is one cloud's parser.
type Parser struct {
	Cloud refusal.Cloud
	// Read reads an exchange; its only error is Unread.
	Read   func(refusal.Exchange) ([]refusal.Denial, error)
	Unread error
	Class  func(refusal.Exchange) string
	// Fits tells whether a permission fits a request.
	Fits func(x refusal.Exchange, permission string) bool
	// Text reads what a tool prints.
	Text func(string) []refusal.Denial
	// Named tells whether a text is the name of one permission.
	Named func(string) bool
}

// Exchange holds the laws for any exchange: no denial beside an error, plain
// permissions that fit the request, evidence from the reply, one answer.
func (p Parser) Exchange(t testing.TB, x refusal.Exchange) {
	t.Helper()
	denials, err := p.Read(x)
	if err != nil && len(denials) > 0 {
		t.Fatalf("an error and %d denials", len(denials))
	}
	if err != nil && !errors.Is(err, p.Unread) {
		t.Fatalf("unknown error %v", err)
	}
	again, _ := p.Read(x)
	if diff := cmp.Diff(denials, again); diff != "" {
		t.Fatalf("two answers to one exchange:\n%s", diff)
	}
	input := string(x.ReplyBody) + "\n" + fmt.Sprint(x.Reply)
	for _, d := range denials {
		p.denial(t, d, input)
		if d.Permission != "" && !p.Fits(x, d.Permission) {
			t.Fatalf("%q does not fit the request", d.Permission)
		}
	}
	if first, second := p.Class(x), p.Class(x); first != second {
		t.Fatalf("two classes for one exchange, %q and %q", first, second)
	}
}

// Words holds the laws for any text: plain permissions, evidence from the text,
// one answer.
func (p Parser) Words(t testing.TB, text string) {
	t.Helper()
	denials := p.Text(text)
	if diff := cmp.Diff(denials, p.Text(text)); diff != "" {
		t.Fatalf("two answers to one text:\n%s", diff)
	}
	for _, d := range denials {
		p.denial(t, d, text)
		if d.Evidence == "" {
			t.Fatalf("no evidence: %+v", d)
		}
	}
}

// reading is what want.json of a corpus file holds.
type reading struct {
	Class       string           `json:"class,omitempty"`
	Permissions []string         `json:"permissions,omitempty"` // that the request itself asks for
	Error       string           `json:"error,omitempty"`
	Denials     []refusal.Denial `json:"denials"`
	Partial     bool             `json:"partial,omitempty"`
}

// Corpus holds the laws for each file of testdata, an exchange or a text, and compares
// what is read from it with its want.json, as the function [Corpus] does; asks gives
// the permissions that a request itself asks for.
func (p Parser) Corpus(t *testing.T, least int, update bool, asks func(refusal.Exchange) []string) {
	Corpus(t, least, update, func(t testing.TB, f File) any {
		if text, ok := f.Text(); ok {
			p.Words(t, text)
			return reading{Denials: p.Text(text)}
		}
		x := f.Exchange(t)
		p.Exchange(t, x)
		r := reading{Class: p.Class(x), Permissions: asks(x)}
		denials, err := p.Read(x)
		if err != nil {
			r.Error = err.Error()
		}
		r.Denials = denials
		for _, d := range denials {
			r.Partial = r.Partial || d.Partial
		}
		return r
	})
}

func (p Parser) denial(t testing.TB, d refusal.Denial, input string) {
	t.Helper()
	if d.Permission != "" && !p.Named(d.Permission) {
		t.Fatalf("permission %q", d.Permission)
	}
	for _, c := range d.Candidates {
		if !p.Named(c) {
			t.Fatalf("candidate %q", c)
		}
	}
	if len(d.Candidates) > 0 && d.Permission != "" {
		t.Fatalf("a permission and candidates: %+v", d)
	}
	if d.Reason == refusal.MissingPermission && d.Permission == "" {
		t.Fatalf("a missing permission without a name: %+v", d)
	}
	if !strings.Contains(input, d.Evidence) {
		t.Fatalf("evidence %q is no part of the input", d.Evidence)
	}
	if len(d.Evidence) > excerpt.Max {
		t.Fatalf("evidence of %d bytes", len(d.Evidence))
	}
	if d.Cloud != p.Cloud || d.Reason == "" || d.Reason == refusal.TransientPropagation {
		t.Fatalf("cloud %q, reason %q", d.Cloud, d.Reason)
	}
}
