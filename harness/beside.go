package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// Beside is a sandbox of the reference's own, like the one in which roles grow.
type Beside struct {
	Executor Executor
	Pool     Pool
}

// beside is a reference that runs in a sandbox of its own.
type beside struct {
	loop *loop // shares the configuration and none of the findings
	done chan struct{}
	err  error // set before done is closed
}

// growBeside grows the roles while the reference runs in its own sandbox. The
// first of the two that fails ends the other.
func (l *loop) growBeside(ctx context.Context) error {
	both, end := context.WithCancelCause(ctx)
	defer end(nil)
	l.beside = l.startBeside(both, end)
	err := l.growAll(both)
	if err != nil {
		end(err) // what needs the reference's findings has waited for them
	}
	<-l.beside.done
	switch cause := context.Cause(both); {
	case ctx.Err() != nil:
		return errors.Join(err, l.beside.err)
	case cause != nil:
		return cause
	}
	ref := l.beside.loop
	for i, r := range ref.result.Steps {
		l.result.Steps[i].Reference = r.Reference
	}
	maps.Copy(l.result.Tools, ref.result.Tools)
	l.calls, l.referred, l.beside = ref.calls, ref.referred, nil
	return nil
}

// startBeside starts the reference, which calls failed if it fails. Who starts
// it waits for it to be done.
func (l *loop) startBeside(ctx context.Context, failed func(error)) *beside {
	r := newLoop(l.Config)
	r.Executor, r.Pool, r.World = l.Beside.Executor, l.Beside.Pool, nil
	b := &beside{loop: r, done: make(chan struct{})}
	go func() {
		defer close(b.done)
		if b.err = r.referenceAlone(ctx); b.err != nil {
			failed(b.err)
		}
	}()
	return b
}

// referenceAlone is the reference pass and nothing else.
func (l *loop) referenceAlone(ctx context.Context) (err error) {
	id, err := l.Pool.Acquire(ctx, referenceIdentity)
	if err != nil {
		return fmt.Errorf("probe identity of the reference: %w", err)
	}
	l.identities[referenceIdentity] = id
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if rerr := l.Pool.Release(ctx); rerr != nil {
			err = errors.Join(err, fmt.Errorf("%w: %w", ErrNotReleased, rerr))
		}
	}()
	return l.reference(ctx)
}

// callsOf are the calls that the reference made in a step, where they are
// known. It waits for a reference that runs beside.
func (l *loop) callsOf(step string) (calls, bool) {
	known := l.calls
	if l.beside != nil {
		if <-l.beside.done; l.beside.err != nil {
			return nil, false
		}
		known = l.beside.loop.calls
	}
	c, ok := known[step]
	return c, ok
}
