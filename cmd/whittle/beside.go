package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/attempt"
	"github.com/whittle-iam/whittle/sandbox/embedded"
)

// besideIn makes an embedded sandbox of the reference's own, for a lifecycle
// that asks for one; nil where none is asked for. What it makes is gone when
// close is called: nothing of it need be cleaned up later.
func besideIn(ctx context.Context, rd *rundir, lc lifecycle.Lifecycle, o probeOptions, c embedded.Config, log *slog.Logger) (beside *harness.Beside, closed func() error, err error) {
	if !lc.Beside || !lc.Reference {
		return nil, func() error { return nil }, nil
	}
	p, err := openOwn(ctx, lc.Cloud, lc.Sandbox, c)
	if err != nil {
		return nil, nil, fmt.Errorf("the reference's own sandbox: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("the reference's own sandbox: %w", err), p.close())
		}
	}()
	work := filepath.Join(rd.dir, "reference")
	pool, err := p.pool(ctx, poolConfig{
		stack: stackName(lc), run: filepath.Base(rd.dir), files: filepath.Join(work, "credentials"), wait: p.wait(o.patience), log: log,
		announce: func(string, string) error { return nil },
	})
	if err != nil {
		return nil, nil, err
	}
	steps, err := attempt.New(ctx, attempt.Config{
		Lifecycle: lc, Work: work, Skip: rd.dir, Dial: p.dial, RootCAs: p.roots, UpstreamProxy: p.upstream, Cloud: p.state(), Simulated: p.simulated(), Log: log,
	})
	if err != nil {
		return nil, nil, err
	}
	return &harness.Beside{Executor: guarded{steps, p}, Pool: pool}, p.close, nil
}
