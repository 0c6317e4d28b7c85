package rows

import (
	"strings"
	"testing"
)

// TestParseTableErrors keeps a bad row from being half understood.
func TestParseTableErrors(t *testing.T) {
	const head = "!service x\n!protocol query\n!source s a page\n!resource thing arn:{partition}:x:::{}\n"
	for _, c := range []struct{ name, text, want string }{
		{"columns", "A\t=\t*\t-\t-\n", "5 columns"},
		{"source", "A\t=\t*\t-\t-\tnone\n", `cites "none"`},
		{"twice", "A\t=\t*\t-\t-\ts\nA\t=\t*\t-\t-\ts\n", "second block"},
		{"type", "A\t=\tother(P)\t-\t-\ts\n", "unknown resource type"},
		{"form", "A\t=\tthing\t-\t-\ts\n", "not of the form"},
		{"function", "A\t=\tthing(P:magic)\t-\t-\ts\n", "unknown function"},
		{"fact", "A\t=\tthing(P:fact(x))\t-\t-\ts\n", "unknown fact"},
		{"name", "A\t=\tthing(@who)\t-\t-\ts\n", "unknown name"},
		{"setting", "A\t=\t*\t-\tkey\ts\n", "key=expression"},
		{"directive", "!magic\n", "unknown directive"},
		{"plus", "+\t=\t*\t-\t-\ts\n", "without a first"},
		{"route", "!route B GET /\nA\t=\t*\t-\t-\ts\n", "which has no row"},
		{"flag", "!unsigned B\n", "has no row"},
		{"protocol", "!protocol soap\n", "unknown protocol"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parseTable(head+c.text, ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
