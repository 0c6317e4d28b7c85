package aws

import (
	"flag"
	"testing"

	"github.com/whittle-iam/whittle/parsers/aws/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/parsers/refusaltest"
)

var update = flag.Bool("update", false, "write the golden sections of testdata")

// golden is what want.json of a corpus file holds.
type golden struct {
	Class     string           `json:"class"`
	Operation string           `json:"operation,omitempty"`
	Error     string           `json:"error,omitempty"`
	Denials   []refusal.Denial `json:"denials"`
	Encoded   string           `json:"encoded,omitempty"`
	Partial   bool             `json:"partial,omitempty"`
}

func readGolden(x refusal.Exchange) golden {
	var g golden
	g.Class = Class(x)
	if service, op, ok := Operation(x); ok {
		g.Operation = service + ":" + op
	}
	denials, err := Read(x)
	if err != nil {
		g.Error = err.Error()
	}
	g.Denials = denials
	for _, d := range denials {
		g.Encoded += d.Encoded
		g.Partial = g.Partial || d.Partial
	}
	return g
}

func laws() refusaltest.Parser {
	return refusaltest.Parser{Cloud: refusal.AWS, Read: Read, Unread: ErrUnread, Class: Class, Fits: Fits, Text: Text, Named: words.IsAction}
}

// The corpus: testdata/*.txtar, one exchange each. -update writes what is read
// from it; look at the difference before you keep it.
func TestCorpus(t *testing.T) {
	refusaltest.Corpus(t, 50, *update, func(t testing.TB, f refusaltest.File) any {
		x := f.Exchange(t)
		laws().Exchange(t, x)
		return readGolden(x)
	})
}
