package attempt

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// withholder withholds what is asked for at /withheld and marks what the cloud
// refuses.
type withholder struct {
	mu    sync.Mutex
	given int
}

func (w *withholder) token() string {
	w.given++
	return fmt.Sprintf("%s%016x", harness.TokenPrefix, w.given)
}

func (w *withholder) Withheld(x refusal.Exchange) (refusal.Exchange, string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.URL.Path != "/withheld" {
		return refusal.Exchange{}, "", false
	}
	return refusal.Exchange{Status: 403, Reply: http.Header{"Content-Type": {"text/plain"}}, ReplyBody: []byte("withheld")}, w.token(), true
}

func (w *withholder) Marked(refusal.Exchange) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.token(), true
}

// The tokens of what was withheld and of what was marked are found in all that a
// command prints, however much it prints after them, and none that nobody gave.
func TestTokensAreFound(t *testing.T) {
	t.Parallel()
	const host = "sqs.us-east-1.amazonaws.com"
	var mu sync.Mutex
	var asked []string
	dial, roots := cloudHost(t, host, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "refused")
	})
	script := fmt.Sprintf(`echo %sffffffffffffffff; %s get https://%s/withheld >&2; %s get https://%s/refused 2>&1; seq 30000; seq 30000 >&2; exit 4`,
		harness.TokenPrefix, self(t), host, self(t), host)
	step := lifecycle.Step{Name: "push", Command: []string{"sh", "-c", script}, Env: quick()}
	e := executor(t, Config{
		Lifecycle: lifecycle.Lifecycle{Dir: files(t, nil), Steps: []lifecycle.Step{step}},
		Dial:      dial, RootCAs: roots,
	})
	out := attempt(t, e, harness.Attempt{Step: step, Withhold: &withholder{}})
	one, two := harness.TokenPrefix+"0000000000000001", harness.TokenPrefix+"0000000000000002"
	if diff := cmp.Diff([]harness.Token{{Text: one, Stream: "stderr"}, {Text: two, Stream: "stdout"}}, out.Tokens); out.OK || diff != "" {
		t.Errorf("%+v: %s", out.Diagnostics, diff)
	}
	if strings.Contains(out.Output+out.Diagnostics[0].Detail, one) {
		t.Error("the test does not show that more is searched than is kept")
	}
	if len(asked) != 1 || asked[0] != "/refused" {
		t.Errorf("the cloud was asked for %q", asked)
	}
	if out := attempt(t, e, harness.Attempt{Step: step}); out.Tokens != nil || strings.Contains(out.Output, one) {
		t.Errorf("%+v", out.Tokens)
	}
}
