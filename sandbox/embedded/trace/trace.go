// Package trace is what the gate of an embedded cloud tells of the requests that
// it answered, for tests and for people who look into one.
package trace

import "time"

// Trace is what a gate made of one request.
type Trace struct {
	Time      time.Time `json:"time"` // when it came
	Principal string    `json:"principal"`
	Agent     string    `json:"agent"`     // what the client calls itself
	Operation string    `json:"operation"` // "ec2:CreateVpc", "compute.networks.insert"
	Status    int       `json:"status"`
	Refused   bool      `json:"refused"`
	// Needs are the permissions that the request was checked for, by the gate's
	// tables.
	Needs []Needed `json:"needs"`
	// Error is the code and the message of a reply that is no success; Binding is what
	// granted it; Client is the application that asked, Key what it signed with. They are for the cloud's own
	// audit log, as far as that has them.
	Error   [2]string `json:"-"`
	Binding [3]string `json:"-"` // the role, the assignment's id, its scope
	Client  string    `json:"-"`
	Key     string    `json:"-"` // the id of the access key that signed it
}

// Needed is one permission on one resource.
type Needed struct {
	Action   string `json:"action"`
	Resource string `json:"resource"`
	// Refused tells that it was found missing.
	Refused bool `json:"refused,omitempty"`
}
