package aws

import (
	"bytes"
	"strings"

	"github.com/whittle-iam/whittle/parsers/aws/wire"
	"github.com/whittle-iam/whittle/parsers/aws/words"
	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// evidence is the part of the body that the error was read from, without the
// encoded message that EC2 puts behind it.
func evidence(e wire.Error) string {
	ev := e.Raw
	if i := strings.LastIndex(ev, words.EncodedIntro); i >= 0 {
		ev = ev[:i]
	}
	ev = strings.TrimSpace(ev)
	if ev == "" {
		return e.Code
	}
	return excerpt.Clip(ev)
}

// proseShape is a first sentence of nothing but words: no key, token, header
// or date has this form.
var proseShape = expr.New(`^ ?([A-Z][A-Za-z]{0,15}(?:,? [A-Za-z]{1,16})+)(?:\.?(?:\\n|[\n<]|$)|\. |[:;])`)

// prose gives the first sentence of a message that is about credentials, ""
// if anything but words stands in it. Behind it services echo what they were
// sent: the canonical request with its session token, the Authorization header
// (IAM User Guide, "Troubleshoot Signature Version 4 requests").
func prose(message string) string {
	if m := proseShape.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return ""
}

// withoutEcho is the evidence of an error that is about credentials: the
// message's first sentence or else the code.
func withoutEcho(x refusal.Exchange, e wire.Error) string {
	if p := prose(strings.TrimSpace(e.Raw)); p != "" {
		return p
	}
	if bytes.Contains(x.ReplyBody, []byte(e.Code)) {
		return e.Code
	}
	return ""
}
