// Package parsers is the way in to the refusals of all clouds: it picks the
// parser by the host that answered, and finds refusals in what tools print.
package parsers

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/whittle-iam/whittle/parsers/aws"
	"github.com/whittle-iam/whittle/parsers/azure"
	"github.com/whittle-iam/whittle/parsers/gcp"
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
// Its only error is an [UnreadError], and it comes without denials. Of a body it
// reads [refusal.MaxBody] bytes, however long it is.
func FromExchange(x refusal.Exchange) ([]refusal.Denial, error) {
	x = unmarked(bounded(x))
	host := ""
	if x.URL != nil {
		host = x.URL.Host
	}
	err := errNoParser
	if c, known := cloudOf(host); known {
		var denials []refusal.Denial
		if denials, err = c.read(x); err == nil {
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
func Class(x refusal.Exchange) string {
	x = bounded(x)
	if x.URL != nil {
		if c, known := cloudOf(x.URL.Host); known {
			return c.class(x)
		}
	}
	return aws.Class(x)
}

// Fits tells whether a request may have been refused for the permission: it is
// of the request's own service, or of one that the service is known to ask.
func Fits(x refusal.Exchange, permission string) bool {
	x = bounded(x)
	if x.URL == nil {
		return false
	}
	c, known := cloudOf(x.URL.Host)
	return known && c.fits(x, permission)
}

// bounded cuts the bodies to what an exchange holds at most.
func bounded(x refusal.Exchange) refusal.Exchange {
	x.Body, x.ReplyBody = x.Body[:min(len(x.Body), refusal.MaxBody)], x.ReplyBody[:min(len(x.ReplyBody), refusal.MaxBody)]
	return x
}

// unmarked takes the proxy's own mark out of a reply's messages: what the cloud
// said ends before it, and the readers look for that end. In CBOR, where a
// message's length stands before it, only the reader can.
func unmarked(x refusal.Exchange) refusal.Exchange {
	if x.Token == "" {
		return x
	}
	mark := refusal.Mark(x.Token)
	if kind, _, _ := strings.Cut(x.Reply.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/cbor" {
		x.ReplyBody = bytes.ReplaceAll(x.ReplyBody, []byte(mark), nil)
	}
	if text, marked := strings.CutSuffix(x.Reply.Get("Grpc-Message"), strings.TrimSpace(mark)); marked {
		x.Reply = x.Reply.Clone()
		x.Reply.Set("Grpc-Message", strings.TrimSpace(text))
	}
	return x
}

// cloud is what the parser of one cloud offers.
type cloud struct {
	name  refusal.Cloud
	host  func(host string) bool
	read  func(refusal.Exchange) ([]refusal.Denial, error)
	class func(refusal.Exchange) string
	fits  func(x refusal.Exchange, permission string) bool
	text  func(s string) []refusal.Denial
}

// clouds are the parsers, in the order in which they are asked.
var clouds = []cloud{
	{refusal.AWS, aws.Host, aws.Read, aws.Class, aws.Fits, aws.Text},
	{refusal.GCP, gcp.Host, gcp.Read, gcp.Class, gcp.Fits, gcp.Text},
	{refusal.Azure, azure.Host, azure.Read, azure.Class, azure.Fits, azure.Text},
}

// cloudOf gives the cloud whose API endpoint a host is.
func cloudOf(host string) (cloud, bool) {
	for _, c := range clouds {
		if c.host(host) {
			return c, true
		}
	}
	return cloud{}, false
}
