package page

import (
	"bytes"
	"flag"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

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

// The golden file has no styles: they are in the template, and are looked at.
func TestGolden(t *testing.T) {
	got := written(t, reporttest.Small(), "Permissions")
	head, rest, _ := strings.Cut(got, "<style>")
	_, tail, _ := strings.Cut(rest, "</style>")
	got = head + "<style></style>" + tail
	goldentest.File(t, filepath.Join("testdata", "small.html"), got, *update)
}

func walk(n *html.Node, f func(*html.Node)) {
	f(n)
	for c := range n.ChildNodes() {
		walk(c, f)
	}
}

func parsed(t *testing.T, source string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// elements counts what a page is made of, by element and names of its attributes.
func elements(root *html.Node) map[string]int {
	all := make(map[string]int)
	walk(root, func(n *html.Node) {
		if n.Type == html.ElementNode {
			name := n.Data
			for _, a := range n.Attr {
				name += " " + a.Key
			}
			all[name]++
		}
	})
	return all
}

// A page of hostile texts is made of the same elements as a page of harmless ones,
// and shows the texts as they are.
func TestHostileTextIsText(t *testing.T) {
	root := parsed(t, written(t, reporttest.Hostile(), reporttest.Nasty()[3]))
	ours := elements(parsed(t, written(t, reporttest.Small(), "Permissions")))
	for _, name := range slices.Sorted(maps.Keys(elements(root))) {
		if _, ok := ours[name]; !ok && name != "br" && !strings.HasPrefix(name, "text") {
			t.Errorf("an element that no other page has: <%s>", name)
		}
	}
	var shown strings.Builder
	walk(root, func(n *html.Node) {
		switch n.Type {
		case html.TextNode:
			shown.WriteString(n.Data)
		case html.CommentNode:
			t.Errorf("a comment: %s", n.Data)
		}
	})
	for _, n := range reporttest.Nasty() {
		if want := strings.TrimSpace(report.Visible(n)); !strings.Contains(shown.String(), want) {
			t.Errorf("the page has lost %q", want)
		}
	}
}

// Nothing is loaded from anywhere, and every link leads to a place in the page.
func TestSelfContained(t *testing.T) {
	for name, r := range map[string]report.Report{"small": reporttest.Small(), "hostile": reporttest.Hostile()} {
		root := parsed(t, written(t, r, "Permissions"))
		ids, links := map[string]int{}, map[string]bool{}
		policy := ""
		walk(root, func(n *html.Node) {
			for _, a := range n.Attr {
				switch a.Key {
				case "id":
					ids["#"+a.Val]++
				case "href":
					links[a.Val] = true
				case "src", "srcset", "action", "formaction", "data", "poster", "background", "xlink:href", "style":
					if n.Data != "col" {
						t.Errorf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
					}
				case "content":
					if strings.Contains(a.Val, "default-src") {
						policy = a.Val
					}
				}
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: <%s %s>", name, n.Data, a.Key)
				}
			}
			switch n.Data {
			case "script", "link", "img", "iframe", "object", "embed", "base", "form", "video", "audio", "use", "image":
				t.Errorf("%s: <%s>", name, n.Data)
			}
			if n.Data == "style" && n.FirstChild != nil && (strings.Contains(n.FirstChild.Data, "url(") || strings.Contains(n.FirstChild.Data, "@import")) {
				t.Errorf("%s: a style that loads something", name)
			}
		})
		if policy != "default-src 'none'; style-src 'unsafe-inline'" {
			t.Errorf("%s: the policy is %q", name, policy)
		}
		for link := range links {
			if ids[link] != 1 {
				t.Errorf("%s: the link %q has %d places", name, link, ids[link])
			}
		}
		// Each permission has its evidence, and the matrix leads to it.
		for i := range r.Permissions {
			if id := viewOf(r, "").Items[i].ID; ids["#"+id] != 1 || !links["#"+id] {
				t.Errorf("%s: %s has no evidence, or nothing leads to it", name, r.Permissions[i].Name)
			}
		}
	}
}

func TestNoCurve(t *testing.T) {
	r := reporttest.Small()
	r.Growth, r.Run = nil, ""
	page := written(t, r, "Permissions")
	if strings.Contains(page, "<svg") || !strings.Contains(page, "there is no curve") || !strings.Contains(page, "was not at hand") {
		t.Error("without a run, the page must say that it has no curve and no refusals")
	}
}

func TestDraw(t *testing.T) {
	c := draw(&report.Growth{
		Points: []report.Point{{At: time.Second, Granted: 1}, {At: 2 * time.Second, Granted: 4}},
		Spans:  []report.Span{{Step: "a", To: time.Second, Granted: 1}, {Step: "a-name-that-is-far-too-long-for-its-place-because-it-lasts-one-tenth", From: time.Second, To: 1100 * time.Millisecond, Granted: 3}},
		Took:   2 * time.Second, Total: 4,
	})
	if want := "M46.0 254.0H466.0V193.5H886.0V12.0H886.0"; c.Path != want {
		t.Errorf("%s, want %s", c.Path, want)
	}
	if c.Bands[0].Label != "a" || c.Bands[1].Label != "" {
		t.Errorf("%+v", c.Bands)
	}
	if len(c.Ys) != 5 || c.Ys[4].Label != "4" || len(c.Xs) != 3 || c.Xs[2].Label != "0:02" {
		t.Errorf("%+v %+v", c.Ys, c.Xs)
	}
	if draw(nil) != nil {
		t.Error("a curve of nothing")
	}
}

func TestNice(t *testing.T) {
	for most, want := range map[int]int{0: 1, 1: 1, 5: 1, 6: 2, 10: 2, 11: 5, 519: 200, 100: 20} {
		if got := nice(most, 5); got != want {
			t.Errorf("nice(%d) = %d, want %d", most, got, want)
		}
	}
}
