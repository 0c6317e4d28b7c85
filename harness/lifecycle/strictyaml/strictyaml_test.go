package strictyaml

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"tagret", "target", 1}, {"target", "target", 0}, {"", "abc", 3}, {"varfile", "var_file", 1}, {"abc", "", 3}, {"kitten", "sitting", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%s, %s: %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if distance(tt.a, tt.b) != distance(tt.b, tt.a) {
			t.Errorf("%s, %s: not the same both ways", tt.a, tt.b)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"cloud", "phase", "target", "var_file"}
	for word, want := range map[string]string{
		"clod": "cloud", "colour": "", "tagret": "target", "Target": "target", "varfile": "var_file", "x": "", "": "", "fase": "",
		strings.Repeat("a", 1000): "",
	} {
		if got := Nearest(word, keys); got != want {
			t.Errorf("%q is near %q, want %q", word, got, want)
		}
	}
}

// A long line is shown around the caret, and the caret stays where it was.
func TestWindow(t *testing.T) {
	line := strings.Repeat("a", 300) + "X" + strings.Repeat("b", 300)
	for _, at := range []int{0, 10, 89, 90, 91, 300, 590, 600, 601, 1000, -1} {
		shown, caret := window([]rune(line), at)
		at = min(max(at, 0), len(line))
		if len(shown) > maxWidth || caret < 0 || caret > len(shown) {
			t.Fatalf("at %d: %d shown, caret %d", at, len(shown), caret)
		}
		if at == 300 && shown[caret] != 'X' {
			t.Errorf("the caret is at %c", shown[caret])
		}
	}
}

// Values that are masked are never in an error of their line, and the caret
// stays on what it was on.
func TestMask(t *testing.T) {
	const text = "a: {KEY: hunter2, OTHER: 'hunter3', z: 1}\nb: 1\n"
	r := New("f", []byte(text), nil)
	r.Variables(mapIn(t, r, "a"), Place{1, 1}, "a")
	for col, under := range map[int]string{1: "a", 5: "K", 10: "…", 14: "…", 19: "O", 37: "z"} {
		e := r.at(1, col, "x")
		if strings.Contains(e.Error(), "hunter") {
			t.Fatalf("shown: %v", e)
		}
		if got := string([]rune(e.Source)[e.caret-1]); got != under {
			t.Errorf("column %d: the caret is on %q, want %q: %v", col, got, under, e)
		}
	}
}

// mapIn is the value of a key of the file's map.
func mapIn(t *testing.T, r *Reader, key string) Node {
	t.Helper()
	var value Node
	take := func(n Node, _ Place) { value = n }
	r.Fields(r.Open(), Place{1, 1}, "the file", "keys", []string{key, "b"}, map[string]func(Node, Place){key: take, "b": func(Node, Place) {}})
	if value == nil || r.Err() != nil {
		t.Fatalf("no %s: %v", key, r.Err())
	}
	return value
}
