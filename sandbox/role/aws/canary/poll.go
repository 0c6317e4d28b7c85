package canary

import (
	"time"

	"github.com/whittle-iam/whittle/sandbox/role/settle"
)

// Poll says how to wait until a change has reached every place.
type Poll = settle.Poll

// Usual is how it is waited where nothing is said. IAM names no upper bound: seconds
// are usual, minutes have been reported. Its answers come from many places, and each
// learns of a change in its own time.
func Usual() Poll {
	return Poll{Initial: 200 * time.Millisecond, Max: 5 * time.Second, Limit: 3 * time.Minute, InARow: 3}
}
