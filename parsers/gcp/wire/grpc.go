package wire

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

// grpcError reads the status of a gRPC reply, which stands in its trailers, or
// in its header when there is nothing else (gRPC over HTTP/2, "Responses").
func grpcError(h http.Header) (Error, bool) {
	get := func(name string) string {
		if v := h.Get(name); v != "" {
			return v
		}
		return h.Get(http.TrailerPrefix + name)
	}
	code, err := strconv.Atoi(get("Grpc-Status"))
	if err != nil || code <= 0 || code >= len(names) {
		return Error{}, false
	}
	e := Error{Code: httpOf[code], Status: names[code], Raw: get("Grpc-Message")}
	if e.Text, err = url.PathUnescape(e.Raw); err != nil {
		e.Text = e.Raw
	}
	raw := strings.TrimRight(get("Grpc-Status-Details-Bin"), "=")
	data, err := base64.RawStdEncoding.DecodeString(raw)
	if err != nil || len(data) == 0 {
		return e, true
	}
	var s status.Status
	if proto.Unmarshal(data, &s) != nil {
		return e, true
	}
	for _, a := range s.GetDetails() {
		m, err := a.UnmarshalNew()
		if err != nil {
			continue
		}
		switch d := m.(type) {
		case *errdetails.ErrorInfo:
			if e.Info.Reason == "" {
				e.Info = Info{Reason: d.GetReason(), Domain: d.GetDomain(), Metadata: d.GetMetadata()}
			}
		case *errdetails.PreconditionFailure:
			for _, v := range d.GetViolations() {
				e.Violations = append(e.Violations, v.GetType())
			}
		}
	}
	return e, true
}
