package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Kind says what an [Event] tells.
type Kind string

// The kinds of events. What of an Event each one fills in, besides Seq, Time
// and Kind, stands with it.
const (
	// KindRun: a run begins, or goes on after a crash. Text says of what.
	KindRun Kind = "run"
	// KindObject: an object is about to be made in the cloud. Object.
	KindObject Kind = "object"
	// KindAttempt: a step begins to run. Step, Pass, Attempt, and Object: the
	// identity that it runs as, of the kind "identity".
	KindAttempt Kind = "attempt"
	// KindRefused: the cloud said no. Step, Pass, Attempt, Denial, Class, Status.
	KindRefused Kind = "refused"
	// KindIntent: the role is about to get Grants besides what it has. Step,
	// Pass, Attempt, Class, Necessity.
	KindIntent Kind = "intent"
	// KindGranted: the cloud has taken that change. The fields of KindIntent.
	KindGranted Kind = "granted"
	// KindLetThrough: a request once refused was let through. Step, Pass,
	// Attempt, Class, Status, Repeats.
	KindLetThrough Kind = "let_through"
	// KindDelivered: a refusal was given to the client. Step, Pass, Attempt,
	// Class, Status, Repeats; Text says why.
	KindDelivered Kind = "delivered"
	// KindSeen: requests of a class were answered with a status in a run that is
	// over. Step, Pass, Attempt, Class, Status, Repeats: how many.
	KindSeen Kind = "seen"
	// KindNote: anything for people to read. Text.
	KindNote Kind = "note"
	// KindAttemptEnd: the step's process ended. Step, Pass, Attempt, OK, Text.
	KindAttemptEnd Kind = "attempt_end"
	// KindStepEnd: the pass is through with the step. Step, Pass, OK; Text says
	// how it ended.
	KindStepEnd Kind = "step_end"
	// KindVerify: verification. With OK, every step was verified with what its
	// role holds; without, Step is about to be, with exactly Grants in its role.
	KindVerify Kind = "verify"
	// KindPutBack: what had been removed is about to be put back. Step, Pass,
	// Grants, Class, Necessity.
	KindPutBack Kind = "put_back"
	// KindFound: what is known of Grants now. Step, Pass, Grants, Class,
	// Necessity; Text says why.
	KindFound Kind = "found"
	// KindReleased: with Object, that object is gone from the cloud; without,
	// the roles of all identities are empty.
	KindReleased Kind = "released"
	// KindEnd: the run is over. OK, Text.
	KindEnd Kind = "end"
)

// kinds is every kind there is.
var kinds = []Kind{
	KindRun, KindObject, KindAttempt, KindRefused, KindIntent, KindGranted, KindLetThrough, KindDelivered,
	KindSeen, KindNote, KindAttemptEnd, KindStepEnd, KindVerify, KindPutBack, KindFound, KindReleased, KindEnd,
}

// The passes over a lifecycle, for [Event].Pass.
const (
	PassReference = "reference" // as administrator
	PassGrow      = "grow"      // adding what is refused
	PassCertify   = "certify"   // requests refused on purpose
	PassRemove    = "remove"    // a step without what was not shown to be needed
	PassVerify    = "verify"    // nothing added, nothing held
)

// Object is something made in the cloud that must be taken away again.
type Object struct {
	Kind string `json:"kind"` // "role", "user", …, in the cloud's own words
	ID   string `json:"id"`   // what its deletion needs: a name or an ARN
}

// Event is one thing that happened.
type Event struct {
	// Seq counts the events of a journal from 1 without a gap.
	Seq  int
	Time time.Time // UTC
	Kind Kind
	// Step is the step's name, empty for what is not about one.
	Step string
	// Pass is one of PassReference, PassGrow, PassVerify, or empty.
	Pass string
	// Attempt counts the runs of a step in a pass from 1.
	Attempt int
	Grants  []grant.Grant
	// Denial is written without what only the cloud can decode.
	Denial *refusal.Denial
	// Class is the request's class.
	Class     string
	Necessity string
	Object    *Object
	// Status is the HTTP status of a reply.
	Status int
	// Repeats is how many times a request was sent again.
	Repeats int
	OK      bool
	Text    string
}

// wireGrant is a grant as it stands in a journal.
type wireGrant struct {
	Permission string `json:"permission"`
	Resource   string `json:"resource"`
	Condition  string `json:"condition,omitempty"`
}

// wireEvent is an Event as it stands in a journal.
type wireEvent struct {
	Seq       int             `json:"seq"`
	Time      time.Time       `json:"time"`
	Kind      Kind            `json:"kind"`
	Step      string          `json:"step,omitempty"`
	Pass      string          `json:"pass,omitempty"`
	Attempt   int             `json:"attempt,omitempty"`
	Grants    []wireGrant     `json:"grants,omitempty"`
	Denial    *refusal.Denial `json:"denial,omitempty"`
	Class     string          `json:"class,omitempty"`
	Necessity string          `json:"necessity,omitempty"`
	Object    *Object         `json:"object,omitempty"`
	Status    int             `json:"status,omitempty"`
	Repeats   int             `json:"repeats,omitempty"`
	OK        bool            `json:"ok,omitempty"`
	Text      string          `json:"text,omitempty"`
}

// encode gives the event's line, its end included.
func encode(e Event) ([]byte, error) {
	if !slices.Contains(kinds, e.Kind) {
		return nil, fmt.Errorf("event %d has the unknown kind %q", e.Seq, e.Kind)
	}
	w := wireEvent{
		Seq: e.Seq, Time: e.Time, Kind: e.Kind, Step: e.Step, Pass: e.Pass, Attempt: e.Attempt,
		Denial: withoutEncoded(e.Denial), Class: e.Class, Necessity: e.Necessity, Object: e.Object,
		Status: e.Status, Repeats: e.Repeats, OK: e.OK, Text: e.Text,
	}
	if e.Denial != nil && e.Denial.Encoded != "" {
		w.Text = strings.ReplaceAll(w.Text, e.Denial.Encoded, "…")
	}
	for _, g := range e.Grants {
		w.Grants = append(w.Grants, wireGrant(g))
	}
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false) // for people who read it with less
	if err := enc.Encode(w); err != nil {
		return nil, fmt.Errorf("encode event %d: %w", e.Seq, err)
	}
	return line.Bytes(), nil
}

// withoutEncoded is d without the message that only the cloud can decode: it
// tells of the account what nobody but its owner should read.
func withoutEncoded(d *refusal.Denial) *refusal.Denial {
	if d == nil || d.Encoded == "" {
		return d
	}
	c := *d
	c.Evidence = strings.ReplaceAll(c.Evidence, d.Encoded, "…")
	c.Encoded = ""
	return &c
}

// Read reads a journal that may still be being written. A torn last line is
// left out. A line in the middle that cannot be read, an unknown kind or field
// and a gap in the count are errors that name the line.
func Read(r io.Reader) ([]Event, error) {
	events, _, err := read(r)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return events, nil
}

// read is Read, which also gives the length in bytes of what it could use.
func read(r io.Reader) (events []Event, whole int64, err error) {
	br := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := br.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			// An event's line is written with its end, so what has no end was
			// torn, even where it could be read.
			return events, whole, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		if !json.Valid(line) {
			// A crash can also leave a last line that has its end and a hole.
			if _, err := br.Peek(1); errors.Is(err, io.EOF) {
				return events, whole, nil
			}
			return nil, 0, fmt.Errorf("line %d is damaged: it is not JSON", n)
		}
		e, err := decode(line)
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		if e.Seq != n {
			return nil, 0, fmt.Errorf("line %d holds event %d: lines were lost or put in", n, e.Seq)
		}
		events = append(events, e)
		whole += int64(len(line))
	}
}

// decode reads an event's line.
func decode(line []byte) (Event, error) {
	var w wireEvent
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return Event{}, fmt.Errorf("not an event of this version: %w", err)
	}
	if !slices.Contains(kinds, w.Kind) {
		return Event{}, fmt.Errorf("unknown kind %q: written by another version of whittle?", w.Kind)
	}
	e := Event{
		Seq: w.Seq, Time: w.Time, Kind: w.Kind, Step: w.Step, Pass: w.Pass, Attempt: w.Attempt,
		Denial: w.Denial, Class: w.Class, Necessity: w.Necessity, Object: w.Object,
		Status: w.Status, Repeats: w.Repeats, OK: w.OK, Text: w.Text,
	}
	for _, g := range w.Grants {
		e.Grants = append(e.Grants, grant.Grant(g))
	}
	return e, nil
}
