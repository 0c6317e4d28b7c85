package markdown

import (
	"bytes"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/goldentest"
	"github.com/whittle-iam/whittle/harness/report"
	"github.com/whittle-iam/whittle/harness/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func written(t *testing.T, r report.Report, title string) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, title); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	got := written(t, reporttest.Small(), "Permissions")
	goldentest.File(t, filepath.Join("testdata", "small.md"), got, *update)
}

// rendered is what a renderer of GitHub's Markdown makes of it, raw HTML let through.
func rendered(t testing.TB, source string) *nethtml.Node {
	t.Helper()
	var b bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := md.Convert([]byte(source), &b); err != nil {
		t.Fatal(err)
	}
	root, err := nethtml.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// walk calls f for each node.
func walk(n *nethtml.Node, f func(*nethtml.Node)) {
	f(n)
	for c := range n.ChildNodes() {
		walk(c, f)
	}
}

func contents(n *nethtml.Node) string {
	var b strings.Builder
	walk(n, func(n *nethtml.Node) {
		if n.Type == nethtml.TextNode {
			b.WriteString(n.Data)
		}
	})
	return b.String()
}

// Elements that a report is made of; those of the frame that the parser puts round it
// among them.
const ours = " html head body h1 h2 h3 p table thead tbody tr th td code blockquote strong details summary "

// Whatever the texts of a record are, they are in the rendered document as they are,
// and nothing but text.
func TestHostileTextIsText(t *testing.T) {
	root := rendered(t, written(t, reporttest.Hostile(), reporttest.Nasty()[3]))
	walk(root, func(n *nethtml.Node) {
		switch n.Type {
		case nethtml.ElementNode:
			if !strings.Contains(ours, " "+n.Data+" ") || len(n.Attr) > 0 {
				t.Errorf("an element that is not ours: <%s %v>", n.Data, n.Attr)
			}
			if n.Data == "tr" {
				cells, most := 0, 0
				for c := range n.ChildNodes() {
					if c.Type == nethtml.ElementNode {
						cells++
					}
				}
				for p := n.Parent; p != nil; p = p.Parent {
					if p.Data == "table" {
						walk(p, func(h *nethtml.Node) {
							if h.Data == "th" {
								most++
							}
						})
						break
					}
				}
				if cells != most {
					t.Errorf("a row of %d cells in a table of %d columns: %s", cells, most, contents(n))
				}
			}
		case nethtml.CommentNode:
			t.Errorf("a comment: %s", n.Data)
		}
	})
	text := strings.ReplaceAll(contents(root), "\u200b", "")
	for _, n := range reporttest.Nasty() {
		if want := strings.ReplaceAll(report.Visible(n), "\u200b", ""); !strings.Contains(text, strings.TrimSpace(want)) {
			t.Errorf("the document has lost %q", want)
		}
	}
}

// No text of a cell becomes anything else than that text.
func TestCellsAreText(t *testing.T) {
	characters := []rune("ab` |\\*_~<>&[]()!#$@:/.-+=\"'{}\n;1w")
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.SampledFrom(characters), 1, 12, -1).Draw(t, "s")
		for _, write := range []func(string) string{text, code} {
			var b bytes.Buffer
			md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
			if err := md.Convert([]byte("| a | b |\n| --- | --- |\n| x"+write(s)+"x | y |\n"), &b); err != nil {
				t.Fatal(err)
			}
			root, err := nethtml.Parse(&b)
			if err != nil {
				t.Fatal(err)
			}
			var cells []string
			walk(root, func(n *nethtml.Node) {
				if n.Data == "td" {
					cells = append(cells, strings.ReplaceAll(contents(n), "\u200b", ""))
				}
				if n.Type == nethtml.ElementNode && !strings.Contains(ours, " "+n.Data+" ") {
					t.Fatalf("%q became <%s>", s, n.Data)
				}
			})
			if want := "x" + report.Visible(s) + "x"; len(cells) != 2 || cells[0] != want || cells[1] != "y" {
				t.Fatalf("%q became %q", s, cells)
			}
		}
	})
}
