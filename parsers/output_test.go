package parsers

import (
	"errors"
	"fmt"
	"html"
	"io"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	azurewords "github.com/whittle-iam/whittle/parsers/azure/words"
	gcpwords "github.com/whittle-iam/whittle/parsers/gcp/words"
	"github.com/whittle-iam/whittle/parsers/plain"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// message is one file of testdata/output: what a tool printed, and what it says,
// as a person reads it: a reason with the permissions that are missing, or
// "nothing" where nobody was refused by a cloud.
type message struct {
	name, text string
	reason     refusal.Reason
	missing    []string
}

func messages(t testing.TB) []message {
	t.Helper()
	files, err := filepath.Glob("testdata/output/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages: %v", err)
	}
	var all []message
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Files) != 2 || a.Files[0].Name != "output" || a.Files[1].Name != "want" {
			t.Fatalf("%s: want the files output and want", file)
		}
		words := strings.Fields(string(a.Files[1].Data))
		m := message{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), text: string(a.Files[0].Data), reason: refusal.Reason(words[0]), missing: words[1:]}
		slices.Sort(m.missing)
		all = append(all, m)
	}
	return all
}

// What a message says is read from it; what is no refusal of a cloud's gives no
// denial, and above all no missing permission.
func TestMessages(t *testing.T) {
	for _, m := range messages(t) {
		t.Run(m.name, func(t *testing.T) {
			got := FromOutput(m.text)
			var missing []string
			for _, d := range got {
				if d.Reason == refusal.MissingPermission {
					missing = append(missing, d.Permission)
				}
				if d.Reason != m.reason && !(m.reason == "nothing" && d.Reason == refusal.NotAuthorization) {
					t.Errorf("want %s, got %+v", m.reason, d)
				}
			}
			if len(got) == 0 && m.reason != "nothing" {
				t.Errorf("want %s, got nothing", m.reason)
			}
			slices.Sort(missing)
			if missing = slices.Compact(missing); !slices.Equal(missing, m.missing) {
				t.Errorf("missing %v, want %v", missing, m.missing)
			}
			checkOutput(t, m.text)
		})
	}
}

// The same message is read in every dress that a tool or a log puts on it.
func TestDresses(t *testing.T) {
	box := func(margin, edge string, width int) func(string) string {
		return func(s string) string {
			var b strings.Builder
			b.WriteString(margin + "╷\n")
			for _, line := range wrap(s, width) {
				b.WriteString(margin + edge + " " + line + "\n")
			}
			b.WriteString(margin + "╵\n")
			return b.String()
		}
	}
	each := func(prefix string) func(string) string {
		return func(s string) string {
			return prefix + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n"+prefix) + "\n"
		}
	}
	quoted := func(s string) string {
		return `{"@level":"error","@message":` + fmt.Sprintf("%q", s) + `,"@module":"terraform.ui","type":"diagnostic"}`
	}
	then := func(fs ...func(string) string) func(string) string {
		return func(s string) string {
			for _, f := range fs {
				s = f(s)
			}
			return s
		}
	}
	dresses := map[string]func(string) string{
		"as it is":                  func(s string) string { return s },
		"CRLF":                      then(box("", "│", 72), func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }),
		"JSON line":                 quoted,
		"JSON in JSON":              then(quoted, quoted),
		"JSON in JSON in JSON":      then(quoted, quoted, quoted),
		"packer -machine-readable":  func(s string) string { return "1700000000,,ui,error," + strings.ReplaceAll(s, ",", "%!(PACKER_COMMA)") },
		"GitHub Actions":            then(box("", "│", 72), each("2026-05-14T13:05:17.1234567Z ")),
		"CloudWatch":                then(box("", "│", 72), each("2026-05-14T13:05:17.123Z\t6f1b2c3d-aaaa-bbbb-cccc-0123456789ab\t")),
		"GitLab's collapsed colour": then(box("", "\x1b[31m│\x1b[0m\x1b[0m", 72), func(s string) string { return "\x1b[0K\x1b[0;m" + s }),
		"colour without its escape": box("", "[31m│[0m [0m", 72),
		"Azure Pipelines":           func(s string) string { return "##[error]" + s },
		"docker compose":            then(box("", "│", 72), each("deployer-1  | ")),
		"NUL bytes":                 func(s string) string { return "\x00\x00" + strings.ReplaceAll(s, "not", "n\x00ot") + "\x00" },
		"invalid UTF-8":             func(s string) string { return "\xc0\xff\xfe " + s + "\xe2\x94\n" },
		"UTF-16":                    utf16le,
		"HTML":                      func(s string) string { return "<pre>" + html.EscapeString(s) + "</pre>\n" },
		"behind much else":          func(s string) string { return strings.Repeat("module.x: Refreshing state...\n", 40_000) + s },
		"a long line":               func(s string) string { return strings.Repeat("x", 1<<20) + " " + s + strings.Repeat(" y", 1<<19) },
	}
	for _, width := range []int{77, 80, 96, 100, 118, 120, 132, 139, 160} {
		dresses[fmt.Sprintf("a terminal of %d", width)] = func(s string) string { return hardWrap(s, width) }
	}
	for _, width := range []int{30, 41, 57, 78, 79, 80, 100, 120, 140} {
		for _, margin := range []string{"", "  ", "    │ "} {
			dresses[fmt.Sprintf("a box of %d behind %q", width, margin)] = box(margin, "│", width)
		}
	}
	for _, c := range []struct{ name, text, permission, resource string }{
		{
			"aws", "Error: creating Queue: operation error SQS: CreateQueue, https response error StatusCode: 403, RequestID: 1, api error AccessDenied: User: arn:aws:sts::111122223333:assumed-role/ci/s is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:us-east-1:111122223333:jobs because no identity-based policy allows the sqs:createqueue action",
			"sqs:CreateQueue", "arn:aws:sqs:us-east-1:111122223333:jobs",
		},
		{
			"gcp", "Error: Error creating Topic: googleapi: Error 403: Permission 'pubsub.topics.create' denied on resource 'projects/example/topics/jobs' (or it may not exist).",
			"pubsub.topics.create", "projects/example/topics/jobs",
		},
		{
			"azure", "Error: creating Resource Group: unexpected status 403 with error: AuthorizationFailed: The client 'ci' with object id '11111111-2222-3333-4444-555555555555' does not have authorization to perform action 'Microsoft.Network/virtualNetworks/write' over scope '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/demo' or the scope is invalid.",
			"Microsoft.Network/virtualNetworks/write", "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/demo",
		},
	} {
		for name, dress := range dresses {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				text := dress(c.text)
				got := FromOutput(text)
				if len(got) != 1 || got[0].Permission != c.permission || got[0].Resource != c.resource || got[0].Reason != refusal.MissingPermission {
					t.Errorf("of\n%.600s\ngot %+v", text, got)
				}
			})
		}
	}
}

// wrap breaks a text at spaces, as Terraform does; a word that is longer than
// the width stays whole.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// hardWrap breaks a text at a terminal's edge, in words too.
func hardWrap(s string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		for len(line) > width {
			b.WriteString(line[:width] + "\n")
			line = line[width:]
		}
		b.WriteString(line)
	}
	return b.String()
}

func utf16le(s string) string {
	b := []byte{0xff, 0xfe}
	for _, r := range s {
		b = append(b, byte(r), byte(r>>8))
	}
	return string(b)
}

// Many refusals give one denial each; the same one many times gives one.
func TestMerged(t *testing.T) {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "line %d of something else\n", i)
		fmt.Fprintf(&b, "Error: User: arn:aws:iam::111122223333:user/a is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/%d\n", i%7)
	}
	got := FromOutput(b.String())
	if len(got) != 7 {
		t.Errorf("got %d denials: %+v", len(got), got)
	}
}

func TestTooMany(t *testing.T) {
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, "Error: User: arn:aws:iam::111122223333:user/a is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/%d\n", i)
	}
	got, err := scan(strings.NewReader(b.String()), 25, nil)
	if !errors.Is(err, ErrTooMany) || len(got) != 25 {
		t.Errorf("%d denials, %v", len(got), err)
	}
}

// What was found before a reader failed is given with its error.
func TestScanError(t *testing.T) {
	broken := errors.New("the pipe broke")
	text := "Error: User: a is not authorized to perform: s3:GetObject on resource: *\n" + strings.Repeat("x\n", 1<<20)
	got, err := Scan(io.MultiReader(strings.NewReader(text), failing{broken}))
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// The clouds that are asked for are the only ones that are looked for.
func TestOnly(t *testing.T) {
	const text = "User: a is not authorized to perform: s3:GetObject on resource: *\n\nError: googleapi: Error 403: Permission 'pubsub.topics.create' denied on resource 'projects/p' (or it may not exist).\n"
	for _, c := range []struct {
		only []refusal.Cloud
		want int
	}{{nil, 2}, {[]refusal.Cloud{refusal.AWS}, 1}, {[]refusal.Cloud{refusal.GCP}, 1}, {[]refusal.Cloud{refusal.Azure}, 0}} {
		got, err := Scan(strings.NewReader(text), c.only...)
		if err != nil || len(got) != c.want {
			t.Errorf("%v: %+v, %v", c.only, got, err)
		}
	}
}

// A line without an end, of letters, of NUL bytes, of bytes that are no UTF-8, of
// nothing but hits or escapes, is read in memory that does not grow with it, and
// the refusal behind it is found.
func TestOneLine(t *testing.T) {
	const size = 4 << 20 // fifty times what is kept
	for name, fill := range map[string]string{
		"letters": "abcdefghijklmnopqrstuvwxyz ", "NUL": "\x00", "no UTF-8": "\xff\xc3\x28\xe2\x94", "backslashes": `\\\\`, "escapes": "\x1b[31m", "a cut escape": "\x1b[", "boxes": "│",
	} {
		t.Run(name, func(t *testing.T) { oneLine(t, fill, size) })
	}
	// What is looked at closely costs more.
	for name, fill := range map[string]string{
		"hits": "denied ", "the start of a sentence": "User: a is not authorized to perform: ", "quotes": "permission denied '\"", "a reply's body": `{"error":{"code":403,"message":"denied","errors":[{"reason":"forbidden"`,
	} {
		t.Run(name, func(t *testing.T) { oneLine(t, fill, 256<<10) })
	}
}

// A line of many times the memory that is allowed; the benchmark reads one of a
// gibibyte.
func TestOneVeryLongLine(t *testing.T) {
	oneLine(t, "no line breaks here, ", 256<<20)
}

func oneLine(t *testing.T, fill string, size int64) {
	t.Helper()
	const last = "\n\nUser: a is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k"
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got, err := Scan(io.MultiReader(io.LimitReader(&endless{fill: fill}, size), strings.NewReader(last)))
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(got, func(d refusal.Denial) bool { return d.Permission == "s3:GetObject" && d.Resource == "arn:aws:s3:::b/k" }) {
		t.Errorf("got %+v", got)
	}
	for _, d := range got {
		if d.Permission != "" && d.Permission != "s3:GetObject" {
			t.Errorf("got %+v", d)
		}
	}
	if grown := int64(after.Sys) - int64(before.Sys); grown > 48<<20 {
		t.Errorf("took %d MiB from the system", grown>>20)
	}
}

// endless gives the same text over and over.
type endless struct {
	fill string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := 0; i < len(p); {
		n := copy(p[i:], e.fill[e.at:])
		i += n
		if e.at += n; e.at == len(e.fill) {
			e.at = 0
		}
	}
	return len(p), nil
}

var awsPermission = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z0-9]+$`)

// checkOutput holds the laws of FromOutput for a text: each evidence is of the
// text, each permission is one of its cloud's, an opaque denial names none, and
// neither asking again nor taking colour and boxes away beforehand makes a
// difference.
func checkOutput(t *testing.T, text string) {
	t.Helper()
	got := FromOutput(text)
	clean := plain.Clean(text)
	for _, d := range got {
		if d.Evidence == "" || !strings.Contains(clean, d.Evidence) {
			t.Errorf("evidence %q is not of the text %q", d.Evidence, clean)
		}
		if (d.Permission == "") != (d.Reason != refusal.MissingPermission) && d.Reason != refusal.ExplicitDeny {
			t.Errorf("%s with the permission %q", d.Reason, d.Permission)
		}
		for _, p := range append([]string{d.Permission}, d.Candidates...) {
			if p != "" && !isPermission(d.Cloud, p) {
				t.Errorf("%q is no permission of %s", p, d.Cloud)
			}
		}
	}
	if diff := cmp.Diff(got, FromOutput(text)); diff != "" {
		t.Errorf("asked again:\n%s", diff)
	}
	if diff := cmp.Diff(got, FromOutput(plain.Strip(text))); diff != "" {
		t.Errorf("stripped %q of %q:\n%s", plain.Strip(text), text, diff)
	}
}

func isPermission(c refusal.Cloud, p string) bool {
	switch c {
	case refusal.AWS:
		return awsPermission.MatchString(p)
	case refusal.GCP:
		return gcpwords.IsPermission(p)
	case refusal.Azure:
		return azurewords.IsAction(p)
	}
	return false
}

// FuzzOutput holds the laws of checkOutput for any text that is looked at as a
// whole.
func FuzzOutput(f *testing.F) {
	for _, m := range messages(f) {
		f.Add(m.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8<<10 || strings.Count(text, "\n") > 10 || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
			return
		}
		checkOutput(t, text)
	})
}
