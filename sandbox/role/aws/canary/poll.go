package canary

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Poll says how to wait until a change has reached every place.
type Poll struct {
	// Initial is the time between the first two looks, and between those that
	// confirm; 0 means 200 ms. Max is where growing waits end; 0 means 5 s.
	Initial, Max time.Duration
	// Limit ends a wait without success; 0 means 3 minutes. IAM names no upper
	// bound; seconds are usual, minutes have been reported.
	Limit time.Duration
	// InARow is how many looks in a row must agree; 0 means 3. IAM's answers
	// come from many places, and each learns of a change in its own time.
	InARow int
}

// OrDefault puts in what was left empty.
func (p Poll) OrDefault() Poll {
	if p.Initial <= 0 {
		p.Initial = 200 * time.Millisecond
	}
	if p.Max <= 0 {
		p.Max = 5 * time.Second
	}
	if p.Limit <= 0 {
		p.Limit = 3 * time.Minute
	}
	if p.InARow <= 0 {
		p.InARow = 3
	}
	return p
}

// Backoff gives the times between looks that do not show what is waited for.
func (p Poll) Backoff() *backoff.ExponentialBackOff {
	p = p.OrDefault()
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(p.Initial), backoff.WithMaxInterval(p.Max), backoff.WithMaxElapsedTime(p.Limit))
}
