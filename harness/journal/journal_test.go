package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

var (
	createVpc = grant.Grant{Permission: "ec2:CreateVpc", Resource: "arn:aws:ec2:us-east-1:123456789012:vpc/*"}
	listAll   = grant.Grant{Permission: "s3:ListAllMyBuckets", Resource: "*"}
)

// story is a small run that uses every field and every kind.
func story() []Event {
	at := time.Date(2026, 11, 22, 6, 0, 0, 123, time.UTC)
	events := []Event{
		{Kind: KindRun, Text: "whittle 0.1.0 <probe> & more"},
		{Kind: KindObject, Object: &Object{Kind: "role", ID: "whittle-apply"}},
		{Kind: KindAttempt, Step: "apply", Pass: PassGrow, Attempt: 1, Grants: []grant.Grant{listAll}},
		{Kind: KindRefused, Step: "apply", Pass: PassGrow, Attempt: 1, Class: "POST ec2 CreateVpc", Status: 403, Denial: &refusal.Denial{
			Cloud: refusal.AWS, Reason: refusal.MissingPermission, Permission: "ec2:CreateVpc", Resource: createVpc.Resource,
			Principal: "arn:aws:sts::123456789012:assumed-role/w/s", Evidence: "is not authorized to perform: ec2:CreateVpc",
		}},
		{Kind: KindIntent, Step: "apply", Pass: PassGrow, Attempt: 1, Grants: []grant.Grant{createVpc}, Necessity: "observed"},
		{Kind: KindGranted, Step: "apply", Pass: PassGrow, Attempt: 1, Grants: []grant.Grant{createVpc}},
		{Kind: KindLetThrough, Step: "apply", Pass: PassGrow, Attempt: 1, Class: "POST ec2 CreateVpc", Status: 200, Repeats: 3},
		{Kind: KindDelivered, Step: "apply", Pass: PassGrow, Attempt: 1, Class: "GET s3 /", Status: 403, Text: "partial"},
		{Kind: KindSeen, Step: "apply", Pass: PassVerify, Attempt: 1, Class: "GET s3 /", Status: 404, Repeats: 2},
		{Kind: KindNote, Text: "two\nlines"},
		{Kind: KindAttemptEnd, Step: "apply", Pass: PassGrow, Attempt: 1, OK: true},
		{Kind: KindStepEnd, Step: "apply", Pass: PassGrow, OK: true, Text: "done"},
		{Kind: KindVerify, Step: "apply", Pass: PassVerify, Grants: []grant.Grant{createVpc}},
		{Kind: KindFound, Step: "apply", Pass: PassCertify, Grants: []grant.Grant{listAll}, Class: "POST ec2", Necessity: "certified", Text: "aws_vpc.main"},
		{Kind: KindPutBack, Step: "apply", Pass: PassVerify, Grants: []grant.Grant{listAll}},
		{Kind: KindReleased},
		{Kind: KindEnd, OK: true},
	}
	for i := range events {
		events[i].Time = at.Add(time.Duration(i) * time.Second)
	}
	return events
}

// numbered is events as they come back: with their Seq.
func numbered(events []Event) []Event {
	events = slices.Clone(events)
	for i := range events {
		events[i].Seq = i + 1
	}
	return events
}

// written is the journal of events.
func written(t *testing.T, events []Event) []byte {
	t.Helper()
	j, err := Create(filepath.Join(t.TempDir(), "run-0001"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestStoryHasEveryKind(t *testing.T) {
	for _, k := range kinds {
		if !slices.ContainsFunc(story(), func(e Event) bool { return e.Kind == k }) {
			t.Errorf("no event of kind %q in the story", k)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	data := written(t, story())
	got, err := Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbered(story()), got); diff != "" {
		t.Errorf("events differ (-written +read):\n%s", diff)
	}
	if n := bytes.Count(data, []byte("\n")); n != len(story()) {
		t.Errorf("%d lines for %d events", n, len(story()))
	}
	for _, want := range []string{
		`{"seq":1,"time":"2026-11-22T06:00:00.000000123Z","kind":"run","text":"whittle 0.1.0 <probe> & more"}`,
		`"grants":[{"permission":"ec2:CreateVpc","resource":"arn:aws:ec2:us-east-1:123456789012:vpc/*"}]`,
		`"object":{"kind":"role","id":"whittle-apply"}`,
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the journal lacks %s:\n%s", want, data)
		}
	}
}

// A crash can cut the file anywhere. Whatever is left is a prefix of what
// happened, and the run goes on from there.
func TestCutAtEveryByte(t *testing.T) {
	events := story()[:6]
	data := written(t, events)
	want := numbered(events)
	path := filepath.Join(t.TempDir(), FileName)
	for cut := range len(data) + 1 {
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(data[:cut], []byte("\n"))

		read, err := Read(bytes.NewReader(data[:cut]))
		if err != nil {
			t.Fatalf("cut at %d: Read: %v", cut, err)
		}
		j, got, err := Open(path)
		if err != nil {
			t.Fatalf("cut at %d: Open: %v", cut, err)
		}
		for name, events := range map[string][]Event{"Read": read, "Open": got} {
			if len(events) != lines || (lines > 0 && !cmp.Equal(want[:lines], events)) {
				t.Fatalf("cut at %d: %s gave %v, want the first %d events", cut, name, events, lines)
			}
		}
		if err := j.Append(Event{Kind: KindNote, Text: "after"}); err != nil {
			t.Fatalf("cut at %d: Append: %v", cut, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err = Read(bytes.NewReader(after))
		if err != nil || len(got) != lines+1 || got[lines].Text != "after" || got[lines].Seq != lines+1 {
			t.Fatalf("cut at %d: after an append: %v, %v", cut, got, err)
		}
	}
}

func TestDamage(t *testing.T) {
	good := strings.SplitAfter(strings.TrimSuffix(string(written(t, story()[:4])), "\n"), "\n")
	good[3] += "\n"
	tests := []struct {
		name, data, want string
	}{
		{"hole in the middle", good[0] + strings.Repeat("\x00", 20) + "\n" + good[2], "line 2 is damaged"},
		{"half a line in the middle", good[0] + good[1][:10] + "\n" + good[2], "line 2 is damaged"},
		{"empty line", good[0] + "\n" + good[1], "line 2 is damaged"},
		{"line lost", good[0] + good[2], "line 2 holds event 3"},
		{"first line lost", good[1], "line 1 holds event 2"},
		{"line twice", good[0] + good[0], "line 2 holds event 1"},
		{"unknown kind, even at the end", good[0] + `{"seq":2,"time":"2026-01-01T00:00:00Z","kind":"party"}` + "\n", `line 2: unknown kind "party"`},
		{"unknown field", good[0] + `{"seq":2,"time":"2026-01-01T00:00:00Z","kind":"note","colour":1}` + "\n", "line 2: not an event"},
		{"wrong type", good[0] + `{"seq":"2"}` + "\n", "line 2: not an event"},
		{"not an object", good[0] + `[]` + "\n", "line 2: not an event"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := Read(strings.NewReader(tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.want) || events != nil {
				t.Errorf("Read = %v, %v; want an error with %q", events, err, tt.want)
			}
			path := filepath.Join(t.TempDir(), FileName)
			if err := os.WriteFile(path, []byte(tt.data), 0o600); err != nil {
				t.Fatal(err)
			}
			if j, _, err := Open(path); err == nil || j != nil {
				t.Errorf("Open = %v, %v; want an error", j, err)
			}
			if data, _ := os.ReadFile(path); string(data) != tt.data {
				t.Error("Open changed a journal that it could not read")
			}
		})
	}

	t.Run("a last line with its end and a hole is torn", func(t *testing.T) {
		events, err := Read(strings.NewReader(good[0] + "{\"seq\":2,\x00\x00\x00}\n"))
		if err != nil || len(events) != 1 {
			t.Errorf("Read = %v, %v; want the first event", events, err)
		}
	})
}

// failing is a file that fails its nth operation, a write after half of it.
type failing struct {
	*os.File
	left int
}

var errDisk = errors.New("disk on fire")

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left == 0 {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, errDisk
	}
	return f.File.Write(p)
}

func (f *failing) Sync() error {
	if f.left--; f.left == 0 {
		return errDisk
	}
	return f.File.Sync()
}

// Whatever operation fails, a run that reopens the journal and goes on with
// what it does not find there ends with the same journal.
func TestFailAtEveryOperation(t *testing.T) {
	events := story()
	for n := 1; n <= 2*len(events); n++ {
		path := filepath.Join(t.TempDir(), FileName)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		j := newJournal(path, &failing{File: f, left: n}, 0)
		kept, failed := 0, false
		for _, e := range events {
			err := j.Append(e)
			switch {
			case err == nil && failed:
				t.Fatalf("operation %d: an Append after a failed one gave no error", n)
			case err == nil:
				kept++
			case !errors.Is(err, errDisk):
				t.Fatalf("operation %d: %v, want the disk's error", n, err)
			default:
				failed = true
			}
		}
		if !failed {
			t.Fatalf("operation %d never failed", n)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}

		j, got, err := Open(path)
		if err != nil {
			t.Fatalf("operation %d: Open: %v", n, err)
		}
		if len(got) < kept {
			t.Fatalf("operation %d: %d events were acknowledged, %d are there", n, kept, len(got))
		}
		for _, e := range events[len(got):] {
			if err := j.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err = Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(numbered(events), got); diff != "" {
			t.Errorf("operation %d: (-want +got):\n%s", n, diff)
		}
	}
}

// counting counts syncs; the first waits until release is closed.
type counting struct {
	bytes.Buffer
	syncs   int
	release chan struct{}
}

func (c *counting) Sync() error {
	if c.syncs++; c.syncs == 1 && c.release != nil {
		<-c.release
	}
	return nil
}

func (c *counting) Close() error { return nil }

// What comes while a sync is under way shares the next one.
func TestConcurrentAppendsShareSyncs(t *testing.T) {
	f := &counting{release: make(chan struct{})}
	j := newJournal("journal", f, 0)
	const writers = 50
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			if err := j.Append(Event{Kind: KindNote}); err != nil {
				t.Error(err)
			}
		})
	}
	taken := func() int {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.seq
	}
	for taken() < writers {
		runtime.Gosched()
	}
	close(f.release)
	wg.Wait()
	events, err := Read(&f.Buffer)
	if err != nil || len(events) != writers {
		t.Fatalf("%d events, %v; want %d", len(events), err, writers)
	}
	if f.syncs != 2 {
		t.Errorf("%d syncs for %d events at once, want 2", f.syncs, writers)
	}
}

func TestConcurrentAppendsToDisk(t *testing.T) {
	j, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if err := j.Append(Event{Kind: KindNote, Text: strings.Repeat("x", 100)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, events, err := Open(j.Path())
	if err != nil || len(events) != 40 {
		t.Fatalf("Open gave %d events, %v; want 40", len(events), err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	j, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(j.Path()); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer got %v, want ErrLocked", err)
	}
	if _, err := Create(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a journal gave %v, want ErrExist", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if err := j.Append(Event{Kind: KindNote}); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close gave %v, want ErrClosed", err)
	}
	j, _, err = Open(j.Path())
	if err != nil {
		t.Fatalf("after the first writer closed: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(j.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestOpenWhatIsNotThere(t *testing.T) {
	if _, _, err := Open(filepath.Join(t.TempDir(), FileName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open = %v, want ErrNotExist", err)
	}
}

func TestUnknownKindIsNotWritten(t *testing.T) {
	j, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(Event{Kind: "party"}); err == nil || !strings.Contains(err.Error(), `"party"`) {
		t.Errorf("Append = %v, want an error that names the kind", err)
	}
	if err := j.Append(Event{Kind: KindNote}); err != nil {
		t.Errorf("the caller's mistake broke the journal: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(j.Path()); !strings.HasPrefix(string(data), `{"seq":1,`) || bytes.Count(data, []byte("\n")) != 1 {
		t.Errorf("journal: %s", data)
	}
}

func TestEncodedMessageIsNotWritten(t *testing.T) {
	const secret = "4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abcl"
	d := &refusal.Denial{
		Cloud: refusal.AWS, Reason: refusal.OpaqueDenial, Encoded: secret,
		Evidence: "You are not authorized. Encoded authorization failure message: " + secret,
	}
	data := written(t, []Event{{Kind: KindRefused, Denial: d, Text: "said " + secret}})
	if bytes.Contains(data, []byte(secret)) {
		t.Errorf("the encoded message is in the journal: %s", data)
	}
	if !bytes.Contains(data, []byte("You are not authorized")) {
		t.Errorf("the evidence is gone: %s", data)
	}
	if d.Encoded != secret || !strings.Contains(d.Evidence, secret) {
		t.Error("the caller's denial was changed")
	}
}

func TestNewRun(t *testing.T) {
	work := filepath.Join(t.TempDir(), ".whittle")
	if runs, err := Runs(work); err != nil || runs != nil {
		t.Errorf("Runs of nothing = %v, %v", runs, err)
	}
	for _, name := range []string{"run-0009", "run-x", "run-", "run-0", "other"} {
		if err := os.MkdirAll(filepath.Join(work, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"run-0010", "run-0011"} {
		dir, err := NewRun(work)
		if err != nil || filepath.Base(dir) != want {
			t.Errorf("NewRun = %s, %v; want %s", dir, err, want)
		}
	}
	runs, err := Runs(work)
	if err != nil || len(runs) != 3 || filepath.Base(runs[0]) != "run-0009" || filepath.Base(runs[2]) != "run-0011" {
		t.Errorf("Runs = %v, %v", runs, err)
	}
}

// FuzzRead holds that a journal that can be read is a prefix of one that was
// appended to, and comes back the same when it is written again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"seq":1,"time":"2026-11-22T06:00:00Z","kind":"note","text":"x"}` + "\n"))
	f.Add([]byte(`{"seq":1,"time":"2026-11-22T06:00:00+02:00","kind":"granted","grants":[{"permission":"a:B","resource":"*"}]}` + "\n{"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := Read(bytes.NewReader(data))
		if err != nil {
			if events != nil {
				t.Fatal("events beside an error")
			}
			return
		}
		c := new(counting)
		for i, e := range events {
			if e.Seq != i+1 {
				t.Fatalf("event %d has Seq %d", i+1, e.Seq)
			}
			line, err := encode(e)
			if err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			c.Write(line)
		}
		again, err := Read(bytes.NewReader(c.Bytes()))
		if err != nil || !cmp.Equal(events, again) {
			t.Fatalf("%v\nwritten and read again: %v, %v", events, again, err)
		}
	})
}
