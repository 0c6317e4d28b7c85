package store

import (
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The state does what a map does; a request that fails changes nothing, and a
// snapshot stays what it was.
func TestStore(t *testing.T) {
	errFailed := errors.New("failed")
	rapid.Check(t, func(t *rapid.T) {
		var s Store
		model := map[string]string{}
		type kept struct {
			snapshot Snapshot
			model    map[string]string
		}
		var snapshots []kept
		key := rapid.SampledFrom([]string{"a", "a/b", "a/c", "b"})
		t.Repeat(map[string]func(*rapid.T){
			"request": func(t *rapid.T) {
				next := maps.Clone(model)
				fails := rapid.Bool().Draw(t, "fails")
				err := s.Do(func(tx *Tx) error {
					for range rapid.IntRange(1, 4).Draw(t, "changes") {
						k := key.Draw(t, "key")
						if rapid.Bool().Draw(t, "delete") {
							tx.Delete(k)
							delete(next, k)
						} else {
							v := rapid.String().Draw(t, "value")
							tx.Put(k, Object{"v": v})
							next[k] = v
						}
					}
					if fails {
						return errFailed
					}
					return nil
				})
				if fails != errors.Is(err, errFailed) {
					t.Fatal(err)
				}
				if !fails {
					model = next
				}
			},
			"snapshot": func(*rapid.T) { snapshots = append(snapshots, kept{s.Snapshot(), maps.Clone(model)}) },
			"restore": func(t *rapid.T) {
				if len(snapshots) > 0 {
					k := snapshots[rapid.IntRange(0, len(snapshots)-1).Draw(t, "which")]
					s.Restore(k.snapshot)
					model = maps.Clone(k.model)
				}
			},
			"": func(t *rapid.T) {
				got := map[string]string{}
				below := 0
				s.Do(func(tx *Tx) error { //nolint:errcheck // it only reads
					for k, o := range tx.Scan("") {
						got[k] = o["v"].(string)
					}
					for range tx.Scan("a/") {
						below++
					}
					return nil
				})
				if d := cmp.Diff(model, got); d != "" {
					t.Fatal(d)
				}
			},
		})
	})
}

func TestIDs(t *testing.T) {
	var s Store
	seen := map[uint64]bool{}
	s.Do(func(tx *Tx) error { //nolint:errcheck // it never fails
		for range 10000 {
			id := tx.ID()
			if seen[id] || id < 1e18 {
				t.Fatalf("id %d", id)
			}
			seen[id] = true
		}
		return nil
	})
}
