package plain

import (
	"slices"
	"strings"
	"testing"
)

// FuzzClean holds the laws of plain text for any input: taking colour and boxes
// away beforehand makes no difference, neither to Clean nor to what Scan gives to
// read, and each mark is of both texts.
func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"", "Error: denied", "╷\n│ Error: denied\n│ to you\n╵\n", "\x1b[31m│\x1b[0m denied\r\n", "2026-05-14T13:05:17.123Z │ denied\n", `{"m":"\u001b[31m│ denied\\n\"b\""}`,
		"[31mdenied[0m", "a%!(PACKER_COMMA) denied", "â”‚ denied", "  - | denied\n", "denied \x1b]8;;https://example.com\x07text\x1b]8;;\x1b\\", "de\x00nied", "\xff\xfe", strings.Repeat(strings.Repeat("x", 70)+"\n", 4) + "denied",
	} {
		f.Add(s)
	}
	words := NewWords("denied")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > before || strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") {
			return
		}
		text, marks := clean(s)
		stripped := Strip(s)
		if got := Clean(stripped); got != text {
			t.Fatalf("Clean(%q) = %q, but %q of %q, which is stripped", s, text, got, stripped)
		}
		for i, m := range marks {
			if m.raw < 0 || m.raw > len(s) || m.clean < 0 || m.clean > len(text) || i > 0 && (m.clean <= marks[i-1].clean || m.raw < marks[i-1].raw) {
				t.Fatalf("the marks %v of %q and %q", marks, s, text)
			}
		}
		if strings.Count(s, "\n")+strings.Count(s, "\r") > linesBefore {
			return // the rest of the text is not looked at
		}
		if got, want := scanned(t, stripped, words), scanned(t, s, words); !slices.Equal(got, want) {
			t.Fatalf("Scan gives %q of %q, but %q of it as %q, which is stripped", want, s, got, stripped)
		}
	})
}

func scanned(t *testing.T, s string, words Words) []string {
	var all []string
	if err := Scan(strings.NewReader(s), words, func(p Piece) error {
		all = append(all, p.Text)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}
