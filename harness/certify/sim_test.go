package certify_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/certify"
)

// A life is a simulated step: nodes in the order of their dependencies, each
// with requests one after another.
type life struct {
	nodes []node
	// flaky is how often, of a thousand runs, the tool fails by itself.
	flaky int
	rand  *rand.Rand
	// mute: no error shows a token. lone: all errors are one.
	mute, lone bool
	// alike: the same request comes from different nodes. warns: the tool tells of
	// what it swallows in the same place as of its errors.
	alike, warns bool
}

type node struct {
	after []int // nodes before this one in the list
	calls []call
}

type call struct {
	class   string
	swallow bool   // the tool does without
	lost    bool   // fatal, and the error does not show the token
	instead string // the class that is tried when this one is refused
	both    bool   // the error about instead shows both tokens
	alters  bool   // swallowed, and the outcome differs
	changes bool   // of what alters: by what the request itself would have changed
	waits   bool   // sent again and again, in vain
}

// run runs the step without the classes in out.
func (l *life) run(out []string) certify.Run[string] {
	r := certify.Run[string]{OK: true}
	failed := map[int]bool{}
	fails := func(n int, tokens ...int) {
		r.OK, failed[n] = false, true
		for _, t := range tokens {
			if l.mute {
				continue
			}
			r.Replies[t].Error = fmt.Sprint("node ", n)
			if l.lone {
				r.Replies[t].Error = "the tool's"
			}
		}
	}
	refused := func(class string, n int) (token int, yes bool) {
		if !slices.Contains(out, class) {
			return 0, false
		}
		p := certify.Reply[string]{Of: class, Request: fmt.Sprint(class, " of ", n), Weak: l.warns}
		if l.alike {
			p.Request = class
		}
		r.Replies = append(r.Replies, p)
		return len(r.Replies) - 1, true
	}
	flake := -1
	if l.rand != nil && l.rand.IntN(1000) < l.flaky {
		flake = l.rand.IntN(len(l.nodes))
	}
	for n, one := range l.nodes {
		if slices.ContainsFunc(one.after, func(a int) bool { return failed[a] }) || l.lone && len(failed) > 0 {
			failed[n] = true
			continue
		}
		if n == flake {
			fails(n)
			continue
		}
		for _, c := range one.calls {
			t, no := refused(c.class, n)
			for range 5 {
				if no && c.waits {
					t, _ = refused(c.class, n)
				}
			}
			switch {
			case !no || c.swallow && !c.alters:
			case c.changes:
				r.Replies[t].Lost = "without " + c.class
			case c.swallow:
				r.Difference = "without " + c.class
			case c.instead != "":
				if u, no := refused(c.instead, n); no {
					if c.both {
						fails(n, t, u)
					} else {
						fails(n, u)
					}
				}
			case c.lost:
				fails(n)
			default:
				fails(n, t)
			}
			if failed[n] {
				break
			}
		}
	}
	if !r.OK {
		r.Difference = ""
	}
	if l.warns && !l.mute {
		for i := range r.Replies {
			r.Replies[i].Error = "the tool's"
		}
	}
	return r
}

// does tells whether the step does as well without the classes, when it does
// not fail by itself.
func (l *life) does(out []string) bool {
	calm := *l
	calm.rand = nil
	r := calm.run(out)
	return r.OK && r.Difference == "" && !slices.ContainsFunc(r.Replies, func(p certify.Reply[string]) bool { return p.Lost != "" })
}

// swallows tells whether a refusal of the class is swallowed somewhere.
func (l *life) swallows(class string) bool {
	return slices.ContainsFunc(l.nodes, func(n node) bool {
		return slices.ContainsFunc(n.calls, func(c call) bool { return c.class == class && c.swallow })
	})
}

func (l *life) classes() []string {
	all := map[string]bool{}
	for _, n := range l.nodes {
		for _, c := range n.calls {
			all[c.class] = true
			if c.instead != "" {
				all[c.instead] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// chain is how many classes there are at most one after another.
func (l *life) chain() int {
	longest := 0
	var walk func(n int, seen map[string]bool)
	walk = func(n int, seen map[string]bool) {
		seen = maps.Clone(seen)
		for _, c := range l.nodes[n].calls {
			seen[c.class] = true
			if c.instead != "" {
				seen[c.instead] = true
			}
		}
		longest = max(longest, len(seen))
		for next := n + 1; next < len(l.nodes); next++ {
			if slices.Contains(l.nodes[next].after, n) {
				walk(next, seen)
			}
		}
	}
	for n := range l.nodes {
		if len(l.nodes[n].after) == 0 {
			walk(n, map[string]bool{})
		}
	}
	return longest
}

type planted struct{ swallow, lost, instead, alters bool }

func draw(t *rapid.T, p planted) *life {
	l := &life{}
	names := rapid.IntRange(1, 9).Draw(t, "classes")
	class := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint("c", rapid.IntRange(1, names).Draw(t, "class")) })
	for n := range rapid.IntRange(1, 7).Draw(t, "nodes") {
		one := node{}
		for a := range n {
			if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
				one.after = append(one.after, a)
			}
		}
		for range rapid.IntRange(1, 4).Draw(t, "calls") {
			c := call{class: class.Draw(t, "class")}
			switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
			case kind < 2 && p.swallow:
				c.swallow = true
			case kind == 2 && p.alters:
				c.swallow, c.alters = true, true
				c.changes = rapid.Bool().Draw(t, "changes")
			case kind == 3 && p.lost:
				c.lost = true
				c.waits = rapid.Bool().Draw(t, "waits")
			case kind < 6 && p.instead:
				c.instead, c.both = class.Draw(t, "instead"), rapid.Bool().Draw(t, "both")
				if c.instead == c.class {
					c.instead = ""
				}
			}
			one.calls = append(one.calls, c)
		}
		l.nodes = append(l.nodes, one)
	}
	return l
}

// whole asks everything there is to ask, as the loop does.
func whole(l *life) (final map[string]certify.Finding[string], asked, removed int) {
	q := certify.Ask(l.classes())
	for {
		out, more := q.Next()
		if !more {
			break
		}
		q.Answer(l.run(out))
	}
	final = q.Findings()
	swallowed := map[string]bool{} // and needed, in one run
	note := func(found map[string]certify.Finding[string]) {
		for c, f := range found {
			swallowed[c] = swallowed[c] || f.Swallowed
		}
	}
	note(final)
	var suspects []string
	for _, c := range l.classes() {
		if final[c].Verdict != certify.Needed {
			suspects = append(suspects, c)
		}
	}
	apart := map[[2]string]bool{} // not to be asked about together
	open := l.classes()
	for range 100 {
		var spare []string
		for _, c := range l.classes() {
			if final[c].Verdict == certify.Spare && !slices.Contains(suspects, c) {
				spare = append(spare, c)
			}
		}
		rm := certify.Remove(suspects)
		for {
			out, more := rm.Next()
			if !more {
				break
			}
			rm.Answer(l.run(append(out, spare...)))
		}
		removed += rm.Runs()
		for c, f := range rm.Findings() {
			final[c] = f
		}
		suspects = nil
		for {
			doubt := doubtful(final)
			if len(doubt) == 0 {
				return final, asked + q.Runs(), removed
			}
			for _, c := range doubt {
				for _, b := range final[c].Beside {
					apart[[2]string{c, b}], apart[[2]string{b, c}] = true, true
				}
			}
			var again []string
			for _, alone := range []bool{false, true} {
				for _, c := range slices.Sorted(slices.Values(doubt)) {
					with := func(a string) bool { return alone || apart[[2]string{a, c}] }
					if swallowed[c] == alone && slices.Contains(open, c) && !slices.ContainsFunc(again, with) {
						again = append(again, c)
					}
				}
			}
			if len(again) == 0 {
				suspects = []string{slices.Min(doubt)}
				break
			}
			q := certify.Ask(again)
			for {
				out, more := q.Next()
				if !more {
					break
				}
				q.Answer(l.without(out, final))
			}
			asked += q.Runs()
			note(q.Findings())
			for c, f := range q.Findings() {
				if f.Verdict == certify.Needed {
					final[c] = f
				} else {
					open = slices.DeleteFunc(open, func(o string) bool { return o == c })
				}
			}
		}
	}
	panic("no end")
}

// without runs the step while the classes in out are withheld and what is spare is
// taken away: whose refusals carry no token.
func (l *life) without(out []string, final map[string]certify.Finding[string]) certify.Run[string] {
	gone := slices.Clone(out)
	for c, f := range final {
		if f.Verdict == certify.Spare {
			gone = append(gone, c)
		}
	}
	r := l.run(gone)
	r.Replies = slices.DeleteFunc(r.Replies, func(p certify.Reply[string]) bool { return !slices.Contains(out, p.Of) })
	return r
}

// TestShapes: whatever depends on whatever, each class ends with the verdict
// that is true, in at most two runs more than the longest chain has classes.
func TestShapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := draw(t, planted{swallow: true})
		q := certify.Ask(l.classes())
		for {
			out, more := q.Next()
			if !more {
				break
			}
			q.Answer(l.run(out))
		}
		if q.Runs() > l.chain()+2 {
			t.Fatalf("%d runs for a chain of %d", q.Runs(), l.chain())
		}
		for c, f := range q.Findings() {
			switch does := l.does([]string{c}); {
			case f.Verdict == certify.Needed && does, f.Verdict == certify.Spare && !does, f.Verdict == certify.Open:
				t.Fatalf("%s is %s, and without it the step does well: %t", c, f.Verdict, does)
			case f.Verdict == certify.Unsure && !l.swallows(c):
				t.Fatalf("%s is unsure: %s", c, f.Why)
			}
		}
	})
}

// least fails if the classes that are kept are not the least that do.
func least(t *rapid.T, l *life, final map[string]certify.Finding[string]) {
	var spare []string
	for c, f := range final {
		if f.Verdict == certify.Spare {
			spare = append(spare, c)
		}
	}
	if !l.does(spare) {
		t.Fatalf("the step does not do without %v, which was found spare", spare)
	}
	for c, f := range final {
		if f.Verdict == certify.Needed && l.does(append(slices.Clone(spare), c)) {
			t.Fatalf("%s was found needed (beside %v), and the step does as well without it and %v", c, f.Beside, spare)
		}
	}
}

// TestPlanted: refusals that are swallowed, that show in no error, that have an
// alternative, or that only change the outcome, in any mixture: what is kept is
// the least that does, and nothing is unsure.
func TestPlanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := draw(t, planted{swallow: true, lost: true, instead: true, alters: true})
		l.mute = rapid.IntRange(0, 4).Draw(t, "mute") == 0
		l.lone = rapid.IntRange(0, 4).Draw(t, "lone") == 0
		l.alike = rapid.Bool().Draw(t, "alike")
		l.warns = rapid.IntRange(0, 4).Draw(t, "warns") == 0
		final, _, _ := whole(l)
		least(t, l, final)
		for c, f := range final {
			if f.Verdict == certify.Unsure || f.Verdict == certify.Open {
				t.Fatalf("%s is %q: %s", c, f.Verdict, f.Why)
			}
		}
	})
}

// TestFlaky: a tool that fails by itself in one run of twenty makes nothing
// needed that is not, and nothing spare that is needed. Three failures in a row
// that mean nothing would: these hundred lives have none.
func TestFlaky(t *testing.T) {
	lives := rapid.Custom(func(t *rapid.T) *life {
		return draw(t, planted{swallow: true, lost: true, instead: true, alters: true})
	})
	wrong, classes := 0, 0
	for seed := range 100 {
		l := lives.Example(seed)
		l.flaky, l.rand = 50, rand.New(rand.NewPCG(uint64(seed), 1))
		l.alike, l.warns = seed%2 == 0, seed%5 == 0
		final, _, _ := whole(l)
		var spare []string
		for c, f := range final {
			if f.Verdict == certify.Spare {
				spare = append(spare, c)
			}
		}
		if !l.does(spare) {
			t.Errorf("seed %d: the step does not do without %v", seed, spare)
		}
		for c, f := range final {
			classes++
			does := l.does(append(slices.Clone(spare), c))
			if f.Verdict == certify.Needed && does || f.Verdict == certify.Unsure {
				wrong++
				t.Errorf("seed %d: %s is %s: %s", seed, c, f.Verdict, f.Why)
			}
		}
	}
	t.Logf("%d classes, %d wrong", classes, wrong)
}

// TestBroad: from a role of 3000 permissions, with a tool that says nothing,
// what is needed is found in far fewer runs than there are permissions, and in
// hardly any when its refusals are seen.
func TestBroad(t *testing.T) {
	for _, blind := range []bool{true, false} {
		l := &life{mute: true}
		var suspects []string
		for i := range 3000 {
			suspects = append(suspects, fmt.Sprintf("p%04d", i))
		}
		for i := range 20 {
			l.nodes = append(l.nodes, node{calls: []call{{class: suspects[(i*997+131)%3000]}}})
		}
		rm := certify.Remove(suspects)
		for {
			out, more := rm.Next()
			if !more {
				break
			}
			r := l.run(out)
			if blind {
				r.Replies = nil
			}
			rm.Answer(r)
		}
		kept := 0
		for p, f := range rm.Findings() {
			want := certify.Spare
			if !l.does([]string{p}) {
				kept++
				if want = certify.Needed; blind {
					want = certify.Unsure // kept, and nobody has seen it refused
				}
			}
			if f.Verdict != want {
				t.Errorf("blind %t: %s is %s, want %s", blind, p, f.Verdict, want)
			}
		}
		t.Logf("blind %t: %d of 3000 kept after %d runs", blind, kept, rm.Runs())
		if most := map[bool]int{true: 350, false: 110}[blind]; kept != 20 || rm.Runs() > most {
			t.Errorf("blind %t: kept %d in %d runs, want 20 in %d at most", blind, kept, rm.Runs(), most)
		}
	}
}

// doubtful gives what was shown to be needed beside something that is needed
// too, or may be.
func doubtful(all map[string]certify.Finding[string]) (ks []string) {
	for k, f := range all {
		if f.Verdict == certify.Needed && slices.ContainsFunc(f.Beside, func(b string) bool { return all[b].Verdict != certify.Spare }) {
			ks = append(ks, k)
		}
	}
	return ks
}
