package aws

import (
	"strings"
	"unicode/utf8"

	"github.com/whittle-iam/whittle/parsers/aws/wire"
	"github.com/whittle-iam/whittle/parsers/aws/words"
)

// maxEvidence bounds, in bytes, what a denial keeps of the message it was read
// from.
const maxEvidence = 2 << 10

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
	return clip(ev)
}

// clip cuts s at maxEvidence, between two characters.
func clip(s string) string {
	if len(s) <= maxEvidence {
		return s
	}
	s = s[:maxEvidence]
	for len(s) > 0 && !utf8.ValidString(s[len(s)-1:]) && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if r, n := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && n == 1 {
		s = s[:len(s)-1]
	}
	return s
}
