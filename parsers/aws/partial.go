package aws

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/parsers/aws/request"
	"github.com/whittle-iam/whittle/parsers/aws/wire"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// readPartial reads the refusals inside a reply with status 200: the keys of an
// S3 DeleteObjects, and the error that S3 puts into the body of a long
// CopyObject or CompleteMultipartUpload once its status is sent.
func readPartial(x refusal.Exchange, at request.Place) []refusal.Denial {
	if at.Service != "s3" || x.Method == http.MethodGet || x.Method == http.MethodHead {
		return nil // what GET returns is a customer's content
	}
	body := bytes.TrimSpace(x.ReplyBody)
	if len(body) == 0 || body[0] != '<' {
		return nil
	}
	_, op, _ := request.Operation(x)
	var denials []refusal.Denial
	for _, e := range wire.XML(body) {
		if e.Key != "" && op != "DeleteObjects" {
			continue
		}
		d, ok := judge(x, at, e)
		if !ok {
			continue
		}
		d.Partial = true
		if d.Reason == refusal.OpaqueDenial && op == "DeleteObjects" && strings.TrimSpace(e.Text) == "Access Denied" && at.Bucket != "" {
			// One key of one operation that checks one permission (S3 API
			// Reference, DeleteObjects, "Permissions").
			d.Reason, d.Permission = refusal.MissingPermission, "s3:DeleteObject"
			if e.Version != "" {
				d.Permission = "s3:DeleteObjectVersion"
			}
			d.Resource = "arn:" + at.Partition + ":s3:::" + at.Bucket + "/" + e.Key
		}
		denials = append(denials, d)
	}
	return denials
}
