package intercept

import (
	"flag"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

var everyWay = flag.Bool("every-way", false, "fail each repeat in every way, and not in two or three of them")

// Each repeat of a held request fails, one by one, in these ways: the run ends with
// the same record. What was carried out and not answered is carried out
// again only because the client asks again, as it would without a proxy.
func TestEachRepeatFails(t *testing.T) {
	var want string
	repeats := 0
	run := func(t *testing.T, f func(c *sick)) *sick {
		var c *sick
		synctest.Test(t, func(t *testing.T) {
			c = &sick{ca: newCA(t), lag: 300 * time.Millisecond}
			if f != nil {
				f(c)
			}
			got, err := c.run(t)
			switch {
			case err != nil || !got.Verified:
				t.Errorf("verified %t, %v", got.Verified, err)
			case want == "":
				want, repeats = found(got), c.repeats
			case found(got) != want:
				t.Errorf("another record:\n%s\nwant\n%s", found(got), want)
			}
			if !c.released {
				t.Error("the roles were not emptied")
			}
		})
		return c
	}
	run(t, nil)
	if repeats < 10 {
		t.Fatalf("only %d repeats", repeats)
	}
	reset := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	tried, survived := 0, 0
	for w, way := range []struct {
		name string
		fail http.HandlerFunc
		// done tells that it counts as carried out all the same.
		done bool
	}{
		{"reset", reset, false},
		{"reset when it was done", reset, true},
		{"truncated when it was done", cut(200, "<o"), true},
		{"429", says(429, ec2Error("RequestLimitExceeded", "Request limit exceeded.")), false},
		{"500", says(500, ec2Error("InternalError", "no")), false},
		{"503", says(503, ec2Error("Unavailable", "no")), false},
		{"no reply", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false},
	} {
		t.Run(way.name, func(t *testing.T) {
			for i := 1; i <= repeats; i++ {
				if !*everyWay && (i+w)%3 != 0 {
					continue
				}
				tried++
				hits := 0
				c := run(t, func(c *sick) {
					c.repeat = func(n int, w http.ResponseWriter, r *http.Request) bool {
						if n != i {
							return false
						}
						hits++
						if way.done {
							c.mu.Lock()
							c.done++
							c.mu.Unlock()
						}
						way.fail(w, r)
						return true
					}
				})
				extra := 0
				if way.done {
					extra = hits
				}
				if c.repeats < i {
					tried-- // which requests share a change of the role is chance: there was no such repeat
					continue
				}
				if hits != 1 || c.done > c.asked+extra {
					t.Errorf("repeat %d: %d failed; %d requests were carried out, of which clients saw %d", i, hits, c.done, c.asked)
				}
				if t.Failed() {
					t.Fatalf("repeat %d of %d", i, repeats)
				}
				survived++
			}
		})
	}
	if tried < repeats/2 {
		t.Errorf("only %d repeats failed, of %d a run", tried, repeats)
	}
	t.Logf("SOAK failures of each repeat of a held request: tried %d, survived %d, wrong %d, lost 0, leftovers 0", tried, survived, tried-survived)
}
