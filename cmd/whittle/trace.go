package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/whittle-iam/whittle/sandbox/embedded"
)

// tracer writes what the embedded gate made of each request.
type tracer struct {
	mu   sync.Mutex
	file *os.File // nil: nothing is written
	err  error
}

func openTrace(path string) (*tracer, error) {
	if path == "" {
		return &tracer{}, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return &tracer{file: f}, nil
}

func (t *tracer) add(e embedded.Trace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil || t.err != nil {
		return
	}
	t.err = json.NewEncoder(t.file).Encode(e)
}

func (t *tracer) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return nil
	}
	if err := errors.Join(t.err, t.file.Close()); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}
