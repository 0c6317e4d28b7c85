package wire

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
)

// SpeaksCBOR tells whether a request is of the protocol Smithy RPC v2 with
// CBOR: POST /service/NAME/operation/OPERATION, and a header that says so
// (smithy.io, "Smithy RPC v2 CBOR protocol").
func SpeaksCBOR(r *http.Request) bool { return r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" }

// decoder reads what no two readers could read differently: a name given twice
// is an error.
var decoder = sync.OnceValues(func() (cbor.DecMode, error) {
	return cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: maxDepth, MaxArrayElements: maxFields, MaxMapPairs: maxFields,
		DefaultMapType: reflect.TypeFor[map[string]any](), TimeTag: cbor.DecTagIgnored,
	}.DecMode()
})

// identifyCBOR reads the operation from the path and the parameters from the
// body.
func (t *Service) identifyCBOR(r *http.Request, body []byte) (string, params.Params, error) {
	var p params.Params
	if !slices.Contains(t.Protocols, CBOR) {
		return "", p, &UnknownError{Service: t.Name, Detail: "the service is not known to speak " + string(CBOR)}
	}
	part := strings.Split(r.URL.Path, "/")
	if r.Method != http.MethodPost || len(part) != 5 || part[0] != "" || part[1] != "service" || part[2] != t.Target || part[3] != "operation" {
		return "", p, &UnknownError{Service: t.Name, Detail: fmt.Sprintf("%s %q is of another service or version", r.Method, r.URL.Path)}
	}
	if r.Header.Get("X-Amz-Target") != "" || r.URL.RawQuery != "" {
		return "", p, &MalformedError{t.Name, "the operation is named twice"}
	}
	if len(body) > 0 {
		mode, err := decoder()
		if err != nil {
			return "", p, err
		}
		var top map[string]any
		if err := mode.Unmarshal(body, &top); err != nil {
			return "", p, &MalformedError{t.Name, "body: " + err.Error()}
		}
		if p.Fields = appendCBOR(nil, nil, top); len(p.Fields) > maxFields {
			return "", p, &MalformedError{t.Name, "too many parameters"}
		}
	}
	return part[4], p, nil
}

func appendCBOR(fields []params.Field, at []params.Step, v any) []params.Field {
	here := at[:len(at):len(at)]
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fields = appendCBOR(fields, append(here, params.Step{Name: name}), v[name])
		}
	case []any:
		for i, e := range v {
			fields = appendCBOR(fields, append(here, params.Step{Name: strconv.Itoa(i + 1), Index: true}), e)
		}
	case nil:
	case []byte:
		fields = append(fields, params.Field{At: at, Value: string(v)})
	default:
		fields = append(fields, params.Field{At: at, Value: fmt.Sprint(v)})
	}
	return fields
}
