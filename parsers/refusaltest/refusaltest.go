// Package refusaltest is what the tests of the clouds' parsers share: a corpus of
// exchanges and texts in files, and the laws that hold for any input.
package refusaltest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// File is a file of a corpus. It holds an exchange or a text, and in want.json
// what is read from it.
type File struct {
	Path    string
	archive *txtar.Archive
}

// Files reads testdata/*.txtar of the package under test.
func Files(t testing.TB) []File {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var files []File
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{path, a})
	}
	return files
}

// Corpus compares what is read from each file with its want.json; with update it
// writes that. There must be at least so many files.
func Corpus(t *testing.T, least int, update bool, read func(testing.TB, File) any) {
	files := Files(t)
	if len(files) < least {
		t.Fatalf("only %d files in the corpus", len(files))
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f.Path), ".txtar"), func(t *testing.T) {
			got := encode(t, read(t, f))
			if update {
				f.put(t, "want.json", got)
				return
			}
			if diff := cmp.Diff(string(f.section("want.json")), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func encode(t testing.TB, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (f File) section(name string) []byte {
	i := slices.IndexFunc(f.archive.Files, func(s txtar.File) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return f.archive.Files[i].Data
}

func (f File) put(t testing.TB, name, text string) {
	t.Helper()
	for i := range f.archive.Files {
		if f.archive.Files[i].Name == name {
			f.archive.Files[i].Data = []byte(text)
		}
	}
	if err := os.WriteFile(f.Path, txtar.Format(f.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Text gives the file's text; ok is false where it holds an exchange.
func (f File) Text() (text string, ok bool) {
	data := f.section("text")
	return string(data), data != nil
}

// Exchange gives the file's exchange: a request and a reply, each a first line,
// headers, an empty line and a body.
func (f File) Exchange(t testing.TB) refusal.Exchange {
	t.Helper()
	var x refusal.Exchange
	first, header, body, err := message(f.section("request"))
	if err != nil {
		t.Fatalf("%s: request: %v", f.Path, err)
	}
	method, address, _ := strings.Cut(first, " ")
	x.Method, x.Header, x.Body = method, header, bytes.TrimSuffix(body, []byte("\n"))
	if x.URL, err = url.Parse(address); err != nil {
		t.Fatalf("%s: request: %v", f.Path, err)
	}
	if first, x.Reply, x.ReplyBody, err = message(f.section("reply")); err != nil {
		t.Fatalf("%s: reply: %v", f.Path, err)
	}
	if x.Status, err = strconv.Atoi(first); err != nil {
		t.Fatalf("%s: reply: %v", f.Path, err)
	}
	return x
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
