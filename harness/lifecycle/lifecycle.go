// Package lifecycle reads whittle.yaml: the ordered steps of one stack, and
// the rules under which Whittle may grow a role for them.
//
// It knows what the file says, not how a step is run or what a permission is.
package lifecycle

import "time"

// Phase is when in a stack's life a step is run.
type Phase string

// The phases.
const (
	Init     Phase = "init"
	Ongoing  Phase = "ongoing"
	Teardown Phase = "teardown"
)

// Lifecycle is one whittle.yaml.
type Lifecycle struct {
	// File is the path it was read from, Dir the folder that holds it: every
	// relative path of the file is relative to Dir.
	File string
	Dir  string

	Cloud   string // "aws", "gcp" or "azure"
	Sandbox Sandbox
	// Approve lists the grants that could raise the identity's own rights and
	// may be made all the same (permission names, "*" matches any run).
	Approve []string
	// Ceiling bounds growth (permission patterns); empty means no bound.
	Ceiling []string
	// Scope says on what a permission is granted; empty is the cloud's default, see
	// [Lifecycle.ScopeOrDefault].
	Scope Scope `json:",omitempty"`
	// Conditions grants what a service checks by a condition key under the condition
	// that the refused request fulfils. Set where OwnedByTag is.
	Conditions bool `json:",omitempty"`
	// OwnedByTag are tags that all resources of the lifecycle's own carry.
	OwnedByTag map[string]string `json:",omitempty"`
	// Start is "empty", "record", a role file to shrink, or [StartAudit].
	Start string
	// Used says whose real use the roles begin with; only with StartAudit.
	Used *Used `json:",omitempty"`
	// Reference tells whether the lifecycle runs once as administrator first.
	Reference bool
	// Beside lets the reference run in an embedded sandbox of its own while the
	// roles grow. Only with Reference and Sandbox.Embedded.
	Beside bool `json:",omitempty"`
	// TrustOutput lets the text that a tool prints add grants ("trust: output").
	TrustOutput bool
	// Audit holds the cloud's own audit log against each run.
	Audit bool `json:",omitempty"`
	// Trail is where the log's files are read beside the log itself; its zero value is
	// nowhere. Only with Audit, on AWS.
	Trail Trail `json:",omitzero"`
	// Names are what the names of the lifecycle's resources are built from, by
	// the key that stands for them: see [Lifecycle.Named].
	Names map[string]string
	// Terraform holds what all terraform steps share.
	Terraform Tool
	Steps     []Step
	// Variants are the lifecycle with options, each of which can be probed: see
	// [Lifecycle.Vary].
	Variants []Variant `json:",omitempty"`
}

// Scope is on what a permission is granted that was refused on a resource.
type Scope string

// The scopes.
const (
	// ScopeAction: on all that the action can be about.
	ScopeAction Scope = "action"
	// ScopeType: on all resources of the refused one's type.
	ScopeType Scope = "type"
	// ScopeResource: on the resource, of whose name only what the cloud made up is
	// a wildcard.
	ScopeResource Scope = "resource"
)

// scopes are those that a cloud has, its default first. A custom role of Azure holds
// where it is assigned: on the subscription, or what of it was there before; one of
// Google Cloud on the project, but for what a condition on its binding leaves out.
var scopes = map[string][]Scope{
	"aws":   {ScopeResource, ScopeType, ScopeAction},
	"gcp":   {ScopeAction, ScopeType, ScopeResource},
	"azure": {ScopeAction, ScopeResource},
}

// ScopeOrDefault is the scope, or what the cloud's is where none is said. On Google
// Cloud all that a condition can say is on what a grant holds: conditions are the
// scope of resources.
func (l Lifecycle) ScopeOrDefault() Scope {
	if l.Cloud == "gcp" && l.Conditions {
		return ScopeResource
	}
	if l.Scope == "" && len(scopes[l.Cloud]) > 0 {
		return scopes[l.Cloud][0]
	}
	return l.Scope
}

// Sandbox is the place where the lifecycle may be run.
type Sandbox struct {
	// Embedded is the simulated cloud inside Whittle.
	Embedded bool
	// Propagation is how long the embedded sandbox takes to let a change of a
	// policy take effect. Only with Embedded.
	Propagation time.Duration
	// APIs are the hosts of the APIs that the embedded sandbox's project has
	// enabled at the start (gcp); nil means all. Only with Embedded.
	APIs []string

	Account string // AWS account ID, 12 digits
	Region  string // AWS region
	Project string // GCP project ID
	// Subscription is the Azure subscription ID.
	Subscription string
}

// Tool says which binary of Terraform or OpenTofu runs the steps, and where
// its providers come from.
type Tool struct {
	// Path is the binary; empty means: found on PATH.
	Path string
	// Version is an exact version or constraint that the binary must fulfil.
	Version string
	// ProviderMirror is a folder laid out as a Terraform filesystem mirror.
	ProviderMirror string
	// Parallelism is how many resources the tool works on at once; 0 means as
	// many as it does by itself (10).
	Parallelism int `json:",omitempty"`
}

// Step is one command of a lifecycle. Exactly one of Terraform, Packer and
// Command is set.
type Step struct {
	Name  string
	Phase Phase
	// Role is the name of the role that the step shares with others; empty
	// means a role of its own, called like the step.
	Role string
	// ReadOnly ("access: read") makes the step fail if it needs more than reads.
	ReadOnly bool
	// Env is added to the step's environment.
	Env map[string]string

	Terraform *Terraform
	Packer    *Packer
	Command   []string
	// SucceedsWhen says when a command has done well; nil means exit code 0.
	SucceedsWhen *SucceedsWhen `json:",omitempty"`
	// Timeout ends the step, which has then failed; 0 means no bound.
	Timeout time.Duration `json:",omitempty"`
	// Reset is a command that takes back what the step has done, so that it can
	// be run again from where it started; nil means that none is known. It is
	// needed only where the cloud has no snapshots.
	Reset []string `json:",omitempty"`
	// Uses are the files and folders that decide what the step does, relative to
	// Lifecycle.Dir; nil means those that [StepDigests] finds.
	Uses []string `json:",omitempty"`

	// Line is where in the file the step starts, from 1.
	Line int
}

// Terraform is a step that runs terraform or tofu.
type Terraform struct {
	Dir     string // the root module, relative to Lifecycle.Dir
	Command string // "plan", "apply" or "destroy"
	Target  []string
	VarFile []string // relative to Dir
	Var     map[string]string
	// Unlocked makes a plan without the state's lock, which is a write.
	Unlocked bool `json:",omitempty"`
}

// Packer is a step that runs packer build.
type Packer struct {
	Template string
	Var      map[string]string
	VarFile  []string
}

// SucceedsWhen is what a command must show to have done well. It decides the
// step's outcome and nothing else.
type SucceedsWhen struct {
	// Exit lists the exit codes that are good; nil means 0 alone.
	Exit []int
	// Output is a regular expression that a line of the output must match;
	// empty means that no line must.
	Output string
	// Stop ends the command as soon as a line matches, in place of Exit: the
	// command has then done what the step is for.
	Stop bool
}

// RoleName is the role that the step belongs to in role files and reports.
func (s Step) RoleName() string {
	if s.Role != "" {
		return s.Role
	}
	return s.Name
}
