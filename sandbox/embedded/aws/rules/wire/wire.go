// Package wire reads AWS API requests: which operation of a service a request
// is, and its parameters, in one notation whatever the protocol. It knows the
// protocols' forms (query, JSON, CBOR, REST) and S3's hosts, but no operation and no
// permission; what a service speaks is given to it as a [Service].
//
// What two readers could read differently (a parameter given twice, an unknown
// query parameter of a REST request) is an error, so that the gate never checks
// another request than the one that is then carried out.
package wire

import "fmt"

// Protocol is the wire form of a service.
type Protocol string

// The wire forms.
const (
	Query    Protocol = "query"    // form-encoded, Action=…
	EC2      Protocol = "ec2"      // the same with EC2's own lists and errors
	JSON10   Protocol = "json10"   // X-Amz-Target, application/x-amz-json-1.0
	JSON11   Protocol = "json11"   // X-Amz-Target, application/x-amz-json-1.1
	RESTXML  Protocol = "restxml"  // S3
	RESTJSON Protocol = "restjson" // path and method decide, JSON bodies
	CBOR     Protocol = "cbor"     // Smithy RPC v2: the path says the operation, a CBOR body
)

// Service is how one service's requests look.
type Service struct {
	Name string
	// Signing is the name in the signature's scope. Where several APIs are
	// signed for the same name, Version (of the query protocol) or Under (what
	// a REST path starts with) tells them apart; the one without either is for
	// the rest.
	Signing   string
	Version   string
	Under     []string
	Protocols []Protocol
	Target    string          // what X-Amz-Target starts with, without the dot; in CBOR's paths the service
	Routes    []Route         // of the REST protocols
	Harmless  map[string]bool // query parameters that never decide the operation
}

// UnknownError is a request that is not known: the gate can't tell what AWS
// would check, so it must not let it through.
type UnknownError struct {
	Service   string
	Operation string // empty when not even the operation could be read
	Detail    string
}

func (e *UnknownError) Error() string {
	name := e.Service
	if e.Operation != "" {
		name += ":" + e.Operation
	}
	return fmt.Sprintf("the gate does not know the request %s: %s; it needs a row in sandbox/embedded/aws/rules/rows", name, e.Detail)
}

// MalformedError is a request that AWS itself would not accept or that two
// readers could read differently; the gate answers it with status 400.
type MalformedError struct {
	Service string
	Detail  string
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed %s request: %s", e.Service, e.Detail)
}
