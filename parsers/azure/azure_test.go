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

func laws() refusaltest.Parser {
	return refusaltest.Parser{Cloud: refusal.Azure, Read: Read, Unread: ErrUnread, Class: Class, Fits: Fits, Text: Text, Named: words.IsAction}
}

// The corpus: testdata/*.txtar, one exchange or one piece of text each. -update
// writes what is read from it; look at the difference before you keep it.
func TestCorpus(t *testing.T) { laws().Corpus(t, 90, *update, request.Actions) }
