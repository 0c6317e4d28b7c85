package harness

import (
	"context"
	"errors"
	"fmt"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/place"
)

// DecoyError: a final role let through a request for what is not the lifecycle's.
type DecoyError struct{ Trial Trial }

func (e *DecoyError) Error() string {
	by := "no statement that Whittle wrote allows it"
	if e.Trial.Grant != (grant.Grant{}) {
		by = "allowed by the statement " + e.Trial.Grant.String()
	}
	return fmt.Sprintf("step %s: its final role was let through with %s on %s, which is not the lifecycle's (a decoy: %s); %s",
		e.Trial.Step, e.Trial.Permission, e.Trial.Resource, e.Trial.Decoy, by)
}

// plant makes the decoys of a verification.
func (l *loop) plant(ctx context.Context, final map[string]grant.Set) error {
	if l.Decoys == nil {
		return nil
	}
	var sets []grant.Set
	for _, r := range l.result.Steps {
		sets = append(sets, final[r.Step.Name])
	}
	return l.Decoys.Plant(ctx, sets)
}

// tryDecoys asks for the decoys under the final roles, and takes them away where that can
// be done.
func (l *loop) tryDecoys(ctx context.Context) (err error) {
	l.result.Trials = nil
	if l.Decoys == nil {
		return nil
	}
	if d, ok := l.Decoys.(Uprooter); ok {
		defer func() { err = errors.Join(err, d.Uproot(ctx)) }()
	}
	for _, r := range l.result.Steps {
		trials, err := l.Decoys.Try(ctx, l.identities[r.Step.Name], r.Set())
		if err != nil {
			return fmt.Errorf("step %s: %w", r.Step.Name, err)
		}
		for _, t := range trials {
			t.Step = r.Step.Name
			if t.Allowed {
				d := place.Decoy{Permission: t.Permission, Resource: t.Resource, Held: r.Set(), Kept: func(g grant.Grant) bool { return l.kept(r.Step.Name, g) }}
				t.Grant, t.Why = l.place.Excuse(l.Lifecycle, d)
			}
			l.result.Trials = append(l.result.Trials, t)
			if t.Allowed && t.Why == "" {
				return &DecoyError{t}
			}
		}
	}
	refused := 0
	for _, t := range l.result.Trials {
		if !t.Allowed {
			refused++
		}
	}
	note := fmt.Sprintf("%d requests for decoys, %d refused", len(l.result.Trials), refused)
	return l.Journal.Append(journal.Event{Kind: journal.KindNote, Pass: passVerify, Text: note})
}
