// Package parsers is the way in to the refusals of all clouds: it picks the
// parser by the host that answered, and finds refusals in what tools print.
package parsers

import (
	"errors"
	"fmt"

	"github.com/whittle-iam/whittle/parsers/aws"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// maxRaw bounds the raw reply that an [UnreadError] keeps, in bytes.
const maxRaw = 4 << 10

// UnreadError is a reply with status 401 or 403 that no parser could read. The
// run cannot go on from it, but nothing is lost: it holds the reply's start.
type UnreadError struct {
	Method, Host string
	// Class is the request class, as [Class] gives it.
	Class  string
	Status int
	// Raw is the reply's body, at most 4 KiB of it.
	Raw []byte
	Err error
}

// Error says what was refused; it does not print the body.
func (e *UnreadError) Error() string {
	return fmt.Sprintf("%s: status %d: %v", e.Class, e.Status, e.Err)
}

// Unwrap gives the parser's own error.
func (e *UnreadError) Unwrap() error { return e.Err }

var errNoParser = errors.New("the host is no cloud API that is known")

// FromExchange reads the refusal that an exchange ended in, with the parser of
// the cloud whose endpoint answered. It gives nothing for what is no refusal.
// Its only error is an [UnreadError], and it comes without denials.
func FromExchange(x refusal.Exchange) ([]refusal.Denial, error) {
	host := ""
	if x.URL != nil {
		host = x.URL.Host
	}
	err := errNoParser
	if aws.Host(host) {
		var denials []refusal.Denial
		if denials, err = aws.Read(x); err == nil {
			return denials, nil
		}
	} else if x.Status != 401 && x.Status != 403 {
		return nil, nil
	}
	return nil, &UnreadError{
		Method: x.Method, Host: host, Class: Class(x), Status: x.Status,
		Raw: append([]byte(nil), x.ReplyBody[:min(len(x.ReplyBody), maxRaw)]...), Err: err,
	}
}

// Class gives the request class of an exchange: what stays the same when the
// same request is made again, by another run, in another account.
func Class(x refusal.Exchange) string { return aws.Class(x) }

// Fits tells whether a request may have been refused for the permission: it is
// of the request's own service, or of one that the service is known to ask.
func Fits(x refusal.Exchange, permission string) bool { return aws.Fits(x, permission) }

// FromOutput finds refusals in what a tool printed. They are hints for people:
// anything can print the words of a refusal.
func FromOutput(text string) []refusal.Denial { return aws.Output(text) }
