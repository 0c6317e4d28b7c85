package request

import (
	"net/http"
	"strconv"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const (
	signedAt = "20060102T150405Z"
	// maxSkew is how far the time of a signature may be from the service's
	// clock (S3 API Reference, "Error responses", RequestTimeTooSkewed).
	maxSkew = 15 * time.Minute
)

// Expired tells whether a request's signature was too old, or too young, when
// the service answered: by X-Amz-Date, X-Amz-Expires of a presigned URL, and
// the reply's own Date.
func Expired(x refusal.Exchange) bool {
	now, err := http.ParseTime(x.Reply.Get("Date"))
	if err != nil || x.URL == nil {
		return false
	}
	q := x.URL.Query()
	if q.Has("X-Amz-Date") {
		from, err := time.Parse(signedAt, q.Get("X-Amz-Date"))
		seconds, errSeconds := strconv.Atoi(q.Get("X-Amz-Expires"))
		return err == nil && errSeconds == nil &&
			(now.After(from.Add(time.Duration(seconds)*time.Second)) || from.After(now.Add(maxSkew)))
	}
	from, err := time.Parse(signedAt, x.Header.Get("X-Amz-Date"))
	return err == nil && now.Sub(from).Abs() > maxSkew
}
