package azure

import (
	"flag"
	"testing"

	"github.com/whittle-iam/whittle/parsers/azure/request"
	"github.com/whittle-iam/whittle/parsers/azure/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/parsers/refusaltest"
)

var update = flag.Bool("update", false, "write the golden sections of testdata")

// golden is what want.json of a corpus file holds.
type golden struct {
	Class   string           `json:"class,omitempty"`
	Actions []string         `json:"actions,omitempty"` // that the request itself asks for
	Error   string           `json:"error,omitempty"`
	Denials []refusal.Denial `json:"denials"`
	Partial bool             `json:"partial,omitempty"`
}

func readGolden(x refusal.Exchange) golden {
	g := golden{Class: Class(x), Actions: request.Actions(x)}
	denials, err := Read(x)
	if err != nil {
		g.Error = err.Error()
	}
	g.Denials = denials
	for _, d := range denials {
		g.Partial = g.Partial || d.Partial
	}
	return g
}

func laws() refusaltest.Parser {
	return refusaltest.Parser{Cloud: refusal.Azure, Read: Read, Unread: ErrUnread, Class: Class, Fits: Fits, Text: Text, Named: words.IsAction}
}

// The corpus: testdata/*.txtar, one exchange or one piece of text each. -update
// writes what is read from it; look at the difference before you keep it.
func TestCorpus(t *testing.T) {
	refusaltest.Corpus(t, 90, *update, func(t testing.TB, f refusaltest.File) any {
		if text, ok := f.Text(); ok {
			laws().Words(t, text)
			return golden{Denials: Text(text)}
		}
		x := f.Exchange(t)
		laws().Exchange(t, x)
		return readGolden(x)
	})
}
