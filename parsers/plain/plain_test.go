package plain

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing to do", "Apply complete!", "Apply complete!"},
		{"empty", "", ""},
		{"colour", "\x1b[1m\x1b[31mError: \x1b[0mno", "Error: no"},
		{"a link", "\x1b]8;;https://example.com\x07text\x1b]8;;\x1b\\", "text"},
		{"colour without its escape", "[31mError[0m: no", "Error: no"},
		{"brackets that are no colour", "list[3] and [1;2]", "list[3] and [1;2]"},
		{"a colour that is cut", "no\x1b[3", "no[3"},
		{"CRLF", "one\r\n\r\ntwo\r\n", "one\n\ntwo\n"},
		{"a carriage return alone", "10%\r20%", "10% 20%"},
		{"NUL", "a\x00b", "ab"},
		{"a box", "╷\n│ Error: a\n│ b\n╵\n", "\nError: a b\n\n"},
		{"a box in a box", "│ │ Error: a\n│ │ b\n", "Error: a b\n"},
		{"a box with both edges", "│ a       │\n│ b       │\n", "a b\n"},
		{"a box behind a time", "2026-05-14T13:05:17.123Z │ a\n2026-05-14T13:05:17.123Z │ b\n", "a b\n"},
		{"a box behind tabs", "2026-05-14T13:05:17.123Z\t1-2\t│ a\n2026-05-14T13:05:17.123Z\t1-2\t│ b\n", "a b\n"},
		{"a box behind a service", "web-1    | │ a\nweb-1    | │ b\n", "a b\n"},
		{"a box in code page 437", "Γöé a\nΓöé b\n", "a b\n"},
		{"bars of ASCII", "  - | a\n    | b\n", "a b\n"},
		{"a pipe within a line", "a | b\n", "a | b\n"},
		{"JSON's escapes", `{"m":"a\n\"b\""}`, "{\"m\":\"a \"b\"\"}"},
		{"JSON in JSON", `\\\"a\\\"\\tb\\u0027`, "\"a\"\tb'"},
		{"a path of Windows", `C:\Users`, `C:\Users`},
		{"packer", "a%!(PACKER_COMMA) b", "a, b"},
		{"a list", "a\n- b\n- c\n", "a\n- b\n- c\n"},
		{"the next error", "a\nError: b\n", "a\nError: b\n"},
		{"a paragraph", "a\n\nb\n", "a\n\nb\n"},
		{"broken within an ARN", "arn:aws:iam::111122223333:role/my-\nrole is\n", "arn:aws:iam::111122223333:role/my-role is\n"},
		{"broken by a terminal", strings.Repeat(strings.Repeat("x", 70)+"\n", 3) + "end\n", strings.Repeat("x", 210) + "end\n"},
		{"of one width by chance", strings.Repeat("x", 70) + "\n" + strings.Repeat("y", 70) + "\nend\n", strings.Repeat("x", 70) + " " + strings.Repeat("y", 70) + " end\n"},
		{"invalid UTF-8", "a\xffb\xe2\x94", "a\xffb\xe2\x94"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Clean(c.in); got != c.want {
				t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

// dressed draws text that is full of what Clean is about.
var dressed = rapid.Custom(func(t *rapid.T) string {
	part := rapid.OneOf(rapid.StringN(0, 20, 40), rapid.SampledFrom([]string{
		"│ ", "│", "╷\n", "╵\n", "\n", "\r\n", "\x1b[31m", "\x1b[0m", "\x1b", "[1m", `\n`, `\\n`, `\"`, `\`, "\x00", "Error: ", "denied", " | ", "- | ", "arn:aws:iam::1:role/a-", "\xff", "2026-05-14T13:05:17Z ", "%!(PACKER_COMMA)",
	}))
	return strings.Join(rapid.SliceOfN(part, 0, 30).Draw(t, "parts"), "")
})

// Every byte of the clean text comes from where its mark says, in order, unless
// it was put there.
func TestMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := dressed.Draw(t, "text")
		text, marks := clean(raw)
		for i, m := range marks {
			if m.raw < 0 || m.raw > len(raw) || m.clean < 0 || m.clean > len(text) {
				t.Fatalf("mark %+v of %d and %d bytes", m, len(text), len(raw))
			}
			if i > 0 && (m.clean <= marks[i-1].clean || m.raw < marks[i-1].raw) {
				t.Fatalf("mark %+v behind %+v", m, marks[i-1])
			}
		}
	})
}

// Scan gives every place of a word once, in order, however it is read.
func TestScanFindsAll(t *testing.T) {
	words := NewWords("denied", "code403")
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"denied", "DENIED", "code403", "403", "x", "\n", strings.Repeat("y", 9000), strings.Repeat("z\n", 5000), "den", "ied"}), 0, 40).Draw(t, "parts")
		raw := strings.Join(parts, "")
		want := count(strings.ToLower(raw))
		got := 0
		if err := Scan(strings.NewReader(raw), words, func(p Piece) error {
			low := strings.ToLower(p.Text)
			for i := range low {
				if (strings.HasPrefix(low[i:], "denied") || strings.HasPrefix(low[i:], "code403")) && p.Own(i) {
					got++
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%d of %d words", got, want)
		}
	})
}

func count(s string) int { return strings.Count(s, "denied") + strings.Count(s, "code403") }

// What yield says ends the scan.
func TestScanStops(t *testing.T) {
	enough := errors.New("enough")
	n := 0
	err := Scan(strings.NewReader(strings.Repeat("denied"+strings.Repeat("\n", 60), 1000)), NewWords("denied"), func(Piece) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("%v after %d pieces", err, n)
	}
}

func TestWords(t *testing.T) {
	w := NewWords("denied", "forbidden", "code403")
	for s, want := range map[string]bool{"": false, "denie": false, "Access Denied": true, "FORBIDDEN": true, "xcode403": true, "(403": false, "d3nied": false} {
		if got := w.Has(s); got != want {
			t.Errorf("Has(%q) = %t", s, got)
		}
	}
	if (Words{}).Has("denied") {
		t.Error("no words find something")
	}
}
