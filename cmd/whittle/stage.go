package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/sandbox/attempt"
	"github.com/whittle-iam/whittle/sandbox/embedded"
)

// stage is all that a lifecycle is run with: a cloud, identities in it, and what
// runs the steps.
type stage struct {
	place    *place
	cloud    embedded.Config // of another embedded sandbox like it
	pool     identities
	steps    *attempt.Executor
	executor harness.Executor
	show     *progress
	log      *slog.Logger
	trace    *tracer
	stop     func() bool
	lc       lifecycle.Lifecycle
	others   map[string][]audit.Binding // what gave the identities rights beside their roles
}

// openStage opens what o and lc name, for an open run folder. Whoever interrupts
// ctx is told what happens.
func openStage(ctx context.Context, rd *rundir, lc lifecycle.Lifecycle, o probeOptions, g *globals, show *progress, log *slog.Logger) (st *stage, err error) {
	show.now("starting the sandbox")
	trace, err := openTrace(o.trace)
	if err != nil {
		return nil, err
	}
	st = &stage{show: show, log: log, trace: trace, lc: lc}
	st.stop = context.AfterFunc(ctx, func() { show.line("stopping: the step ends, and the roles are emptied") })
	opened := st // what is returned with an error is nil
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	st.cloud = embedded.Config{Open: o.gate == "open", EncodedOnly: o.olderForms, Audit: o.auditFaults, DataAccess: lc.Audit, TrailBucket: lc.Trail.Bucket, TrailPrefix: lc.Trail.Prefix, Trace: st.trace.add, Log: log}
	if st.place, err = openPlace(ctx, lc.Cloud, lc.Sandbox, st.cloud); err != nil {
		return nil, err
	}
	p := st.place
	if _, ok := p.operator.(witness); lc.Audit && !ok {
		return nil, fmt.Errorf("%s: audit: whittle cannot read the audit log of cloud %s yet; take the line out", o.file, lc.Cloud)
	}
	st.pool, err = p.pool(ctx, poolConfig{
		stack: stackName(lc), run: filepath.Base(rd.dir), files: filepath.Join(rd.dir, "credentials"), wait: p.wait(o.patience), log: log,
		announce: func(kind, id string) error {
			return rd.journal.Append(journal.Event{Kind: journal.KindObject, Object: &journal.Object{Kind: kind, ID: id}})
		},
	})
	if err != nil {
		return nil, err
	}
	if err := rightAccount(o.file, lc.Sandbox, st.account()); err != nil {
		return nil, err
	}
	if p.real() {
		show.close() // what is typed belongs on a line of its own
		if err := o.consent.ask(ctx, st.pool, harness.IdentityNames(lc, false), g, show.line); err != nil {
			return nil, err
		}
		show.spin()
	}
	st.steps, err = attempt.New(ctx, attempt.Config{
		Lifecycle: lc, Work: rd.dir, Dial: p.dial, RootCAs: p.roots, UpstreamProxy: p.upstream, Cloud: p.state(), Lasting: p.lasting != nil, Simulated: p.simulated(), Log: log,
		Progress: func(_ string, e attempt.Progress) { show.now("%s %s", e.Action, e.Address) },
		Tell:     func(text string) { show.line("%s", text) },
	})
	if err != nil {
		return nil, err
	}
	st.executor = st.steps
	if !p.real() {
		st.executor = guarded{st.steps, p}
	}
	if lc.Audit && lc.Cloud == "aws" {
		st.executor = &spaced{Executor: st.executor}
	}
	if p.lasting != nil && o.resume {
		if err := st.steps.Again(ctx, harness.Start); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// account is the account or project that the identities live in.
func (st *stage) account() string { return st.pool.Account() }

// at is where the lifecycle is run, as a record leaves it open.
func (st *stage) at() record.Place {
	at := record.Place{Account: st.account()}
	if in, ok := st.pool.(interface{ Region() string }); ok {
		at.Region = in.Region()
	}
	if in, ok := st.pool.(interface{ Number() string }); ok {
		at.Number = in.Number()
	}
	return at
}

// config is what every run of the loop on this stage has.
func (st *stage) config(rd *rundir, lc lifecycle.Lifecycle, o probeOptions) harness.Config {
	var decoys harness.Decoys
	// Resources of a real account are the operator's money, and cleaning up is his.
	if in, ok := st.place.operator.(interface {
		decoys(lc lifecycle.Lifecycle, at record.Place) harness.Decoys
	}); ok && !st.place.real() && (lc.Scope != "" || lc.Conditions) {
		decoys = in.decoys(lc, st.at())
		// A sandbox that outlives the run is left without them.
		if _, goes := decoys.(harness.Uprooter); !goes && st.place.embedded == nil {
			decoys = nil
		}
	}
	pool := harness.Pool(st.pool)
	if lc.Audit {
		pool = watch(st.pool, func(ctx context.Context) { st.remember(ctx, rd) })
	}
	return harness.Config{
		Decoys: decoys, Lifecycle: lc, Executor: st.executor, Pool: pool, World: st.steps.World(), Resetter: st.steps,
		Journal: told{rd.journal, st.show.event}, Account: st.account(), Patience: o.patience, Seen: lc.Audit, Log: st.log,
	}
}

// close ends the sandbox.
func (st *stage) close() error {
	st.stop()
	var err error
	if st.place != nil {
		err = st.place.close()
	}
	return errors.Join(err, st.trace.close())
}
