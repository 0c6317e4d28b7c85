package stamp

import (
	"github.com/fxamacker/cbor/v2"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// cborMap puts the token into the message at the top of a CBOR map, which is
// where the protocol has it (Smithy, "Smithy RPC v2 CBOR protocol", operation
// error serialization). A map without one gets one.
func cborMap(body []byte, token string) ([]byte, bool) {
	read, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 32}.DecMode()
	if err != nil {
		return body, false
	}
	var top map[string]cbor.RawMessage
	if read.Unmarshal(body, &top) != nil || top == nil {
		return body, false
	}
	said := false
	for _, name := range []string{"message", "Message"} {
		var text string
		if raw, there := top[name]; !there || read.Unmarshal(raw, &text) != nil {
			continue
		}
		if top[name], err = cbor.Marshal(text + refusal.Mark(token)); err != nil {
			return body, false
		}
		said = true
	}
	if !said {
		if top["message"], err = cbor.Marshal(refusal.Mark(token)); err != nil {
			return body, false
		}
	}
	write, err := cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.EncMode()
	if err != nil {
		return body, false
	}
	out, err := write.Marshal(top)
	if err != nil {
		return body, false
	}
	return out, true
}
