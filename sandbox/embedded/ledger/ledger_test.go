package ledger

import (
	"fmt"
	"sync"
	"testing"
)

// A run that goes wrong a thousand times is told so, and fills no memory.
func TestLedger(t *testing.T) {
	var l Ledger
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for i := range keep {
				l.Add("ec2:CreateVpc", i%4 == 0)
				l.AddUnknown(Unknown{Operation: "InventVpc"})
				l.AddProblem(fmt.Errorf("broken %d", i))
			}
		})
	}
	busy.Wait()
	if got, want := l.Stats()["ec2:CreateVpc"], (Count{Allowed: 3 * keep, Refused: keep}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if u, p := len(l.Unknown()), len(l.Problems()); u != keep || p != keep {
		t.Errorf("%d unknown requests and %d problems are kept, want %d of each", u, p, keep)
	}
	// What was given out is the caller's.
	l.Unknown()[0].Operation, l.Stats()["x"] = "changed", Count{1, 1}
	if l.Unknown()[0].Operation != "InventVpc" || len(l.Stats()) != 1 {
		t.Error("a copy is not one")
	}
}
