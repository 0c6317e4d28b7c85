package intercept

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

var (
	soakRate = flag.Int("soak-rate", 200, "requests a second of the soak")
	soakTime = flag.Duration("soak-time", 3*time.Second, "how long the soak takes")
)

// soakWorkers is how many requests there are at once, and so how many connections:
// each has four ends and some six goroutines in this process, which is all of
// client, proxy and cloud.
const (
	soakWorkers    = 64
	soakEnds       = 4 * soakWorkers
	soakGoroutines = 6 * soakWorkers
)

// soaked is what a soak came to.
type soaked struct {
	sent, lost, twice int
	took              []time.Duration // sorted
	whole             time.Duration
}

// load sends requests at the rate for the time, each with an id of its own, and
// says how each ended.
func load(t *testing.T, c *http.Client, prefix string, halfway func()) soaked {
	t.Helper()
	n := int(float64(*soakRate) * soakTime.Seconds())
	ids := make(chan string)
	var mu sync.Mutex
	var s soaked
	var workers sync.WaitGroup
	for range soakWorkers {
		workers.Go(func() {
			for id := range ids {
				began := time.Now()
				body, err := ask(c, id)
				took := time.Since(began)
				mu.Lock()
				s.sent++
				s.took = append(s.took, took)
				if err != nil || body != "done "+id {
					s.lost++
					if s.lost < 4 {
						t.Errorf("%s: %q, %v", id, body, err)
					}
				}
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	for i := range n {
		if wait := time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(*soakRate))); wait > 0 {
			time.Sleep(wait)
		}
		if i == n/3 && halfway != nil {
			halfway()
		}
		ids <- fmt.Sprintf("%s-%d", prefix, i)
	}
	close(ids)
	workers.Wait()
	s.whole = time.Since(began)
	slices.Sort(s.took)
	return s
}

func ask(c *http.Client, id string) (string, error) {
	r, err := http.NewRequest(http.MethodPost, "https://"+sqsHost+"/", strings.NewReader(`{"id":"`+id+`"}`))
	if err != nil {
		return "", err
	}
	r.Header.Set("X-Id", id)
	resp, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// soakCloud is the cloud of a soak: one request in twenty it refuses once.
type soakCloud struct {
	mu      sync.Mutex
	refused map[string]bool
	done    map[string]int
}

func (l *soakCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	id := r.Header.Get("X-Id")
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // it never fails
	l.mu.Lock()
	if h.Sum32()%20 == 0 && !l.refused[id] && strings.HasPrefix(id, "intercept") {
		l.refused[id] = true
		l.mu.Unlock()
		refuse(w)
		return
	}
	l.done[id]++
	l.mu.Unlock()
	_, _ = io.WriteString(w, "done "+id)
}

// state is what a process has that could grow.
type state struct {
	heap             uint64
	goroutines, open int
}

func stateNow() state {
	runtime.GC()
	runtime.GC() // what finalizers held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd") // elsewhere than on Linux: none
	return state{m.HeapAlloc, runtime.NumGoroutine(), len(files)}
}

// Requests at a rate, one in twenty of them refused, held and repeated: each is
// carried out once and has its own reply, and nothing grows from the first third
// to the end. Beside it the same through a bare TLS proxy, without refusals.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: takes seconds")
	}
	l := &soakCloud{refused: map[string]bool{}, done: map[string]int{}}
	c := startCloud(t, l)
	var counted soakArbiter
	p := start(t, c, Config{Arbiter: &counted, Held: true})
	hc := client(t, p, false)
	var third state
	s := load(t, hc, "intercept", func() { third = stateNow() })
	end := stateNow()
	hc.CloseIdleConnections()

	l.mu.Lock()
	refused := len(l.refused)
	for id, n := range l.done {
		if n != 1 {
			s.twice++
			t.Errorf("%s was carried out %d times", id, n)
		}
	}
	for id := range l.refused {
		if l.done[id] == 0 {
			s.lost++
		}
	}
	l.mu.Unlock()
	if s.lost > 0 || refused < s.sent/40 || counted.repeats() != refused {
		t.Errorf("of %d requests %d were lost; %d were refused, %d repeated", s.sent, s.lost, refused, counted.repeats())
	}
	// The cloud itself keeps a line for each request.
	if grown := int64(end.heap) - int64(third.heap) - int64(s.sent)*400; grown > 16<<20 {
		t.Errorf("the heap grew by %d KiB in the last two thirds", grown>>10)
	}
	// At a third of the time not every worker has had a connection yet.
	if end.goroutines > third.goroutines+soakGoroutines || end.open > third.open+soakEnds {
		t.Errorf("goroutines %d and then %d, descriptors %d and then %d", third.goroutines, end.goroutines, third.open, end.open)
	}

	bare := soaked{}
	t.Run("bare", func(t *testing.T) {
		bare = load(t, bareClient(t, c, false), "bare", nil)
	})
	if bare.lost > 0 {
		t.Errorf("the bare proxy lost %d", bare.lost)
	}
	t.Logf("%d requests in %s, %.0f a second, p99 %s; bare: %.0f a second, p99 %s; goroutines %d → %d, descriptors %d → %d, heap %d → %d KiB",
		s.sent, s.whole.Round(time.Millisecond), float64(s.sent)/s.whole.Seconds(), s.took[len(s.took)*99/100].Round(10*time.Microsecond),
		float64(bare.sent)/bare.whole.Seconds(), bare.took[len(bare.took)*99/100].Round(10*time.Microsecond),
		third.goroutines, end.goroutines, third.open, end.open, third.heap>>10, end.heap>>10)
	t.Logf("SOAK proxy: tried %d, survived %d, wrong %d, lost %d, leftovers %d", s.sent, s.sent-s.lost-s.twice, s.twice, s.lost, max(0, end.goroutines-third.goroutines-soakGoroutines)+max(0, end.open-third.open-soakEnds))
}

// soakArbiter has all that is refused repeated, and counts.
type soakArbiter struct {
	mu sync.Mutex
	n  int
}

func (c *soakArbiter) Refused(context.Context, refusal.Exchange) refusal.Verdict {
	return refusal.Repeat
}

func (c *soakArbiter) Observed(_ refusal.Exchange, repeats int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += repeats
}

func (c *soakArbiter) repeats() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}
