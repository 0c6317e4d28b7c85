package azure

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/parsers/azure/request"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// isBatch tells whether a request holds several calls: Resource Manager's
// /batch, and Graph's /$batch.
func isBatch(x refusal.Exchange, at request.Place) bool {
	if x.Method != http.MethodPost || len(at.Path) == 0 {
		return false
	}
	last := strings.ToLower(at.Path[len(at.Path)-1])
	return at.Plane == request.Manager && last == "batch" || at.Plane == request.Graph && last == "$batch"
}

// requests gives the calls of a batch, none if its body is cut.
func requests(x refusal.Exchange) []refusal.Exchange {
	var body struct {
		Requests []struct {
			Method     string          `json:"method"`
			HTTPMethod string          `json:"httpMethod"`
			URL        string          `json:"url"`
			Relative   string          `json:"relativeUrl"`
			Body       json.RawMessage `json:"body"`
			Content    json.RawMessage `json:"content"`
		} `json:"requests"`
	}
	if json.Unmarshal(x.Body, &body) != nil {
		return nil
	}
	var calls []refusal.Exchange
	for _, r := range body.Requests {
		c := refusal.Exchange{Method: r.Method + r.HTTPMethod, URL: relative(x, r.URL+r.Relative), Body: r.Body}
		if len(c.Body) == 0 {
			c.Body = r.Content
		}
		calls = append(calls, c)
	}
	return calls
}
