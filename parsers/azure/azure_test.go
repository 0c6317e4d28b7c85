package azure

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/whittle-iam/whittle/parsers/azure/request"
	"github.com/whittle-iam/whittle/parsers/azure/words"
	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/refusal"
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
	var g golden
	g.Class = Class(x)
	g.Actions = request.Actions(x)
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

// The corpus: testdata/*.txtar, one exchange or one piece of text each. -update writes what is read
// from it; look at the difference before you keep it.
func TestCorpus(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	if len(files) < 90 {
		t.Fatalf("only %d files in the corpus", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if text := section(archive, "text"); text != nil {
				checkText(t, string(text))
				g.Denials = Text(string(text))
			} else {
				x, err := exchangeOf(archive)
				if err != nil {
					t.Fatal(err)
				}
				checkLaws(t, x)
				g = readGolden(x)
			}
			got, err := encode(g)
			if err != nil {
				t.Fatal(err)
			}
			want := section(archive, "want.json")
			if *update {
				for i := range archive.Files {
					if archive.Files[i].Name == "want.json" {
						archive.Files[i].Data = got
					}
				}
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func encode(g golden) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(g)
	return b.Bytes(), err
}

func section(a *txtar.Archive, name string) []byte {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// exchangeOf reads a corpus file: a request and a reply, each a first line,
// headers, an empty line and a body.
func exchangeOf(a *txtar.Archive) (refusal.Exchange, error) {
	var x refusal.Exchange
	first, header, body, err := message(section(a, "request"))
	if err != nil {
		return x, fmt.Errorf("request: %w", err)
	}
	method, address, _ := strings.Cut(first, " ")
	x.Method, x.Header, x.Body = method, header, bytes.TrimSuffix(body, []byte("\n"))
	if x.URL, err = url.Parse(address); err != nil {
		return x, err
	}
	first, x.Reply, x.ReplyBody, err = message(section(a, "reply"))
	if err != nil {
		return x, fmt.Errorf("reply: %w", err)
	}
	x.Status, err = strconv.Atoi(first)
	return x, err
}

func message(data []byte) (first string, header http.Header, body []byte, err error) {
	r := bufio.NewReader(bytes.NewReader(data))
	if first, err = r.ReadString('\n'); err != nil {
		return "", nil, nil, err
	}
	h, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		return "", nil, nil, err
	}
	var rest bytes.Buffer
	_, err = r.WriteTo(&rest)
	return strings.TrimSpace(first), http.Header(h), rest.Bytes(), err
}

// checkLaws holds for every exchange, whatever it is.
func checkLaws(t testing.TB, x refusal.Exchange) {
	t.Helper()
	denials, err := Read(x)
	if err != nil && len(denials) > 0 {
		t.Fatalf("an error and %d denials", len(denials))
	}
	if err != nil && !errors.Is(err, ErrUnread) {
		t.Fatalf("unknown error %v", err)
	}
	again, _ := Read(x)
	if diff := cmp.Diff(denials, again); diff != "" {
		t.Fatalf("two answers to one exchange:\n%s", diff)
	}
	input := string(x.ReplyBody) + "\n" + fmt.Sprint(x.Reply)
	for _, d := range denials {
		checkDenial(t, d, input)
		if d.Permission != "" && !Fits(x, d.Permission) {
			t.Fatalf("%q does not fit the request", d.Permission)
		}
		if d.Reason == refusal.MissingPermission && d.Permission == "" {
			t.Fatalf("a missing permission without a name: %+v", d)
		}
	}
	if first, second := Class(x), Class(x); first != second {
		t.Fatalf("two classes for one exchange, %q and %q", first, second)
	}
}

// checkText holds for every piece of text, whatever it is.
func checkText(t testing.TB, text string) {
	t.Helper()
	denials := Text(text)
	if diff := cmp.Diff(denials, Text(text)); diff != "" {
		t.Fatalf("two answers to one text:\n%s", diff)
	}
	for _, d := range denials {
		checkDenial(t, d, text)
		if d.Reason == refusal.MissingPermission && d.Permission == "" {
			t.Fatalf("a missing permission without a name: %+v", d)
		}
		if d.Evidence == "" {
			t.Fatalf("no evidence: %+v", d)
		}
	}
}

func checkDenial(t testing.TB, d refusal.Denial, input string) {
	t.Helper()
	if d.Permission != "" && !words.IsAction(d.Permission) {
		t.Fatalf("permission %q", d.Permission)
	}
	for _, c := range d.Candidates {
		if !words.IsAction(c) {
			t.Fatalf("candidate %q", c)
		}
	}
	if len(d.Candidates) > 0 && d.Permission != "" {
		t.Fatalf("a permission and candidates: %+v", d)
	}
	if !strings.Contains(input, d.Evidence) {
		t.Fatalf("evidence %q is no part of the input", d.Evidence)
	}
	if len(d.Evidence) > excerpt.Max {
		t.Fatalf("evidence of %d bytes", len(d.Evidence))
	}
	if d.Cloud != refusal.Azure || d.Reason == "" || d.Reason == refusal.TransientPropagation {
		t.Fatalf("cloud %q, reason %q", d.Cloud, d.Reason)
	}
}
