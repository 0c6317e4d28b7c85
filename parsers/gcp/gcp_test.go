package gcp

import (
	"flag"
	"testing"

	"github.com/whittle-iam/whittle/parsers/gcp/request"
	"github.com/whittle-iam/whittle/parsers/gcp/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/parsers/refusaltest"
)

var update = flag.Bool("update", false, "write the golden sections of testdata")

func laws() refusaltest.Parser {
	return refusaltest.Parser{Cloud: refusal.GCP, Read: Read, Unread: ErrUnread, Class: Class, Fits: Fits, Text: Text, Named: words.IsPermission}
}

// The corpus: testdata/*.txtar, one exchange or one piece of text each. -update
// writes what is read from it; look at the difference before you keep it.
func TestCorpus(t *testing.T) { laws().Corpus(t, 90, *update, request.Permissions) }
