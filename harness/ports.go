package harness

import (
	"context"
	"errors"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Executor runs one step once.
type Executor interface {
	// Attempt runs the step as the identity, with every request to the cloud
	// passing the arbiter. A step that fails is an Outcome; an error means that
	// no attempt could be made (no terraform, a proxy that cannot listen), or
	// that ctx ended.
	Attempt(ctx context.Context, a Attempt) (Outcome, error)
}

// Attempt is what an [Executor] needs to run a step once.
type Attempt struct {
	Step     lifecycle.Step
	Identity Identity
	Arbiter  Arbiter
	// Held tells whether refused replies may be held and repeated. Without it
	// every reply is delivered, and the arbiter is told of it all the same.
	Held bool
	// Stop ends the step when it is closed; it has then failed, as when its time is
	// over. It may be nil.
	Stop <-chan struct{}
	// Disposable says that what the step makes is thrown away with the world: it
	// need not be given time for its own clean-up.
	Disposable bool
	// Withhold, if not nil, is asked before a request is sent, and about what is
	// refused without its doing.
	Withhold Withholder
}

// Withholder answers requests in the cloud's place, and marks the cloud's own
// refusals, to learn which of them a step can do without. The proxy calls it
// from many goroutines.
type Withholder interface {
	// Withheld is called once for every request, before it is sent to the cloud;
	// x has no reply yet. If ok, the request is not sent: the client gets reply,
	// a refusal that a request of the same class got before, with token put into
	// its request id and its message. The arbiter's Observed shows the token in
	// the exchange; without it there the request was sent after all, for want of
	// a place for the token or of a whole reply.
	Withheld(x refusal.Exchange) (reply refusal.Exchange, token string, ok bool)
	// Marked is called for every refused reply of the cloud that is about to be
	// delivered. If ok, token is put into it in the same way.
	Marked(x refusal.Exchange) (token string, ok bool)
}

// Arbiter decides what becomes of a refused reply. The proxy calls it from
// many goroutines.
type Arbiter interface {
	// Refused is called for every reply with a status from 400 to 499. It may
	// take as long as a change of the role takes.
	Refused(ctx context.Context, x refusal.Exchange) refusal.Verdict
	// Observed is called once for every request, after its last reply went to
	// the client. Repeats is how many times the request was sent again.
	Observed(x refusal.Exchange, repeats int)
}

// Outcome is how an attempt ended.
type Outcome struct {
	OK bool
	// Stopped is set where the step did not come to its own end: its time was over,
	// or Attempt.Stop was closed.
	Stopped bool
	// Excused is set where OK is the lifecycle's word and not the tool's: its
	// exit code says that it failed, or it was stopped.
	Excused bool
	// Diagnostics are the tool's own errors, in its order.
	Diagnostics []Diagnostic
	// Tokens are those of [Attempt.Withhold] that the tool printed, in their
	// order, each once for a stream. All that it printed was searched, more than
	// Diagnostics and Output hold: of a command and of Packer. What Terraform says
	// is in Diagnostics, whole.
	Tokens []Token
	// Output is the end of what the tool printed, for people to read.
	Output string
	// Duration is the attempt's wall time.
	Duration time.Duration
	// Tools holds the versions of the tools that ran: "terraform" → "1.11.4",
	// "hashicorp/aws" → "5.100.0".
	Tools map[string]string
	// Facts is what the step left behind, as far as two runs of it can be
	// compared: "aws_vpc.main.cidr_block" → the value in Terraform's state,
	// "output.url" → an output, "plan.aws_vpc.main" → what a plan would do,
	// "artifact.amazon-ebs.a.0.id" → what Packer made. What may be a secret and
	// what is long is there as a digest. A step that leaves nothing to compare (a
	// command, a destroy) has none.
	Facts map[string]string
	// Generated are names that the tool made up for what it made, with the
	// prefix that each was given. Another run makes others.
	Generated map[string]string
	// Spans tell when the tool says that it was at work on which resource.
	Spans []Span
}

// Span is when a tool was at work on a resource, by its own clock, which is the
// machine's.
type Span struct {
	Address  string    // "module.net.aws_vpc.main[0]"
	From, To time.Time // To is zero where the tool never said that it was through
}

// Token is where a token of a [Withholder] was printed.
type Token struct {
	Text   string
	Stream string // "stdout" or "stderr"
}

// Diagnostic is one error of a tool.
type Diagnostic struct {
	Summary string
	Detail  string
	Address string // the resource it is about, empty when the tool names none
}

// Role is the custom role of one identity.
type Role interface {
	// Put makes s the role's whole content, whatever it was before. It returns
	// when the cloud has taken the change, which is before it is in force
	// everywhere. Repeating it is harmless.
	Put(ctx context.Context, s grant.Set) error
	// Settle is Put, and then waits until a canary has shown that nothing but
	// s is in force, and that s is.
	Settle(ctx context.Context, s grant.Set) error
}

// Swapper is a [Role] whose content can be replaced under who works with it.
type Swapper interface {
	// Swap is Put, and then waits until a canary has shown that s is in force.
	// The role is never emptied on the way.
	Swap(ctx context.Context, s grant.Set) error
}

// Credentials give a child process the right to act as an identity.
type Credentials interface {
	// Env is the environment with which the cloud's SDKs find the credentials.
	Env(ctx context.Context) (map[string]string, error)
	// Issued tells whether credential (see [refusal.Exchange]) is one of this
	// identity's.
	Issued(credential string) bool
	// Is tells whether a refusal's principal, as the cloud names it, is this
	// identity.
	Is(principal string) bool
}

// Identity is a probe identity: what a step runs as.
type Identity struct {
	// Name is unique in the pool.
	Name string
	// Principal is the identity in the cloud's own notation, an ARN on AWS.
	Principal   string
	Role        Role
	Credentials Credentials
}

// Pool hands out probe identities.
type Pool interface {
	// Acquire gives the identity called name, making it if it is not there. It
	// holds nothing when it was just made, else whatever it last held.
	Acquire(ctx context.Context, name string) (Identity, error)
	// Release empties the roles of all identities acquired.
	Release(ctx context.Context) error
}

// Grounder is a [Pool] of Google Cloud that says what its roles can be bound on.
type Grounder interface {
	// Ground gives the project's number and the addresses of the service accounts that
	// are in it, but for those of the pool's own.
	Ground(ctx context.Context) (number string, accounts []string, err error)
}

// Scoper is a [Pool] of Azure that says on what its roles can be assigned.
type Scoper interface {
	// Scopes gives the ids of the resource groups that are in the subscription, and of
	// the resources in them.
	Scopes(ctx context.Context) ([]string, error)
}

// World is everything a step can change: the cloud, the working copy of the
// code, Terraform's state. A cloud without snapshots has no World.
type World interface {
	Save(ctx context.Context, name string) error
	// Restore brings back what Save kept under name; it can be repeated.
	Restore(ctx context.Context, name string) error
}

// Resetter takes back what a step has done, where the cloud has no snapshots.
type Resetter interface {
	// Reset runs the step's own reset, or destroys what a step of Terraform has
	// applied, as the operator and not as a probe identity.
	Reset(ctx context.Context, s lifecycle.Step) error
}

// ErrExplicitDeny is wrapped by a [Decoder]'s error when the message says that
// a policy denies the request explicitly.
var ErrExplicitDeny = errors.New("explicitly denied by a policy")

// Decoder decodes an authorization message that only the cloud can read. A
// [Pool] may also be one.
type Decoder interface {
	// Decode gives what the message says is missing.
	Decode(ctx context.Context, encoded string) (grant.Grant, error)
}

// Decoys are resources in the sandbox that are not the lifecycle's.
type Decoys interface {
	// Plant makes decoys of the types that the sets hold something on, as the
	// operator.
	Plant(ctx context.Context, sets []grant.Set) error
	// Try asks for the decoys as an identity whose role holds s, by actions that s
	// holds on resources of their types.
	Try(ctx context.Context, id Identity, s grant.Set) ([]Trial, error)
}

// Uprooter are [Decoys] that can be taken away again, after they were tried.
type Uprooter interface {
	// Uproot takes away what was planted last.
	Uproot(ctx context.Context) error
}

// Trial is what became of a request for a decoy.
type Trial struct {
	Step                 string
	Permission, Resource string // of the request
	Decoy                string // for people: what it is
	Allowed              bool
	// Grant is the one that allows it, and Why says why it could not be narrower;
	// empty where it was refused.
	Grant grant.Grant
	Why   string
}
