package owned

import (
	"strings"
	"testing"
)

func TestSlug(t *testing.T) {
	if got := Slug("whittle-shop-apply", 64); got != "whittle-shop-apply" {
		t.Errorf("got %q", got)
	}
	seen := map[string]string{}
	long := strings.Repeat("x", 100)
	for _, s := range []string{"Apply", "apply", "APPLY", "a/b", "a-b", "a b", "é", "ü", long, long + "y", long[:64], "", "-"} {
		got := Slug(s, 64)
		if before, ok := seen[got]; ok {
			t.Errorf("%q and %q both become %q", before, s, got)
		}
		seen[got] = s
		if len(got) > 64 || strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			t.Errorf("%q becomes %q", s, got)
		}
	}
}
