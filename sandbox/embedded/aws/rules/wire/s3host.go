package wire

import (
	"net"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/host"
)

// s3Host takes an S3 host name apart: the bucket is what stands before the
// endpoint. Access points, Object Lambda, S3 Express and websites are other
// endpoints and not known.
// https://docs.aws.amazon.com/general/latest/gr/s3.html
var s3Host = regexp.MustCompile(`^(?:(.+)\.)?(?:s3(?:-fips)?(?:\.dualstack)?(?:\.[a-z]{2}(?:-[a-z]+)+-\d)?|s3-[a-z]{2}(?:-[a-z]+)+-\d|s3-external-1|s3-accelerate(?:\.dualstack)?)\.amazonaws\.com(?:\.cn)?$`)

// bucketOfHost gives the bucket that the host names, "" for path style.
func bucketOfHost(address string) (string, error) {
	name := host.Name(address)
	if name == "localhost" || net.ParseIP(strings.Trim(name, "[]")) != nil {
		return "", nil
	}
	m := s3Host.FindStringSubmatch(name)
	if m == nil || strings.HasSuffix(m[1], ".s3") || strings.HasPrefix(m[1], "s3.") {
		return "", &UnknownError{Service: "s3", Detail: "the host is not an endpoint of general purpose buckets"}
	}
	return m[1], nil
}

// s3Control is the endpoint of the account's own operations. The account
// stands before it: 123456789012.s3-control.us-east-1.amazonaws.com.
var s3Control = regexp.MustCompile(`^(?:[0-9]{12}\.)?s3-control(?:-fips)?(?:\.dualstack)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?(?::\d+)?$`)

func IsS3Control(host string) bool { return s3Control.MatchString(strings.ToLower(host)) }
