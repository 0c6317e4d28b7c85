package catalog

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/whittle-iam/whittle/harness/catalog/ec2"
	"github.com/whittle-iam/whittle/harness/catalog/gcp"
	"github.com/whittle-iam/whittle/harness/catalog/request"
	"github.com/whittle-iam/whittle/harness/catalog/s3"
)

// Candidate is a grant that an opaque refusal may have been about.
type Candidate struct {
	Permission, Resource string
	// Escalates marks a permission that could raise the identity's own rights
	// (see [Risk]).
	Escalates bool
	// Seldom marks what most such requests do without: it hangs on something
	// that the request does not show.
	Seldom bool
}

// Candidates lists what a request needs, for a refusal that names no permission:
// on Google Cloud see [gcp.Needs]; on AWS S3's bare "Access Denied", EC2's UnauthorizedOperation without
// its sentence, a reply to HEAD. It reads method, URL, header and body of the
// request alone. The operation's own permission comes first, on the resource
// that the request names, then what its parameters add (tags, ACLs, a source
// to copy from, a retention). account is the caller's account ID.
//
// Resources are as exact as the request is: ids are not widened (see [Widen]),
// and a resource that the request can't name, since it is to be made, is "*"
// below its type. There are none for a request whose operation can't be told.
func Candidates(method string, u *url.URL, header http.Header, body []byte, account string) []Candidate {
	if u == nil {
		return nil
	}
	var needs []request.Need
	r, ok := request.Read(method, u, header, body, account)
	if ok {
		needs = awsNeeds(r)
	} else {
		needs = gcp.Needs(method, u, body)
	}
	var out []Candidate
	for _, n := range needs {
		c := Candidate{Permission: n.Permission, Resource: n.Resource, Escalates: Risk(n.Permission) != "", Seldom: n.Seldom}
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

func awsNeeds(r request.Request) (needs []request.Need) {
	switch r.Service {
	case "s3":
		needs = s3.Needs(r)
	case "s3-control":
		needs = s3.AccountNeeds(r)
	case "ec2":
		needs = ec2.Needs(r)
	default:
		needs = otherNeeds(r)
	}
	return needs
}
