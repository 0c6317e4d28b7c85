package compare

import "testing"

func TestFollows(t *testing.T) {
	const owned = `{"StringEquals":{"aws:ResourceTag/team":"blue"}}`
	for _, tt := range []struct {
		one, from string
		want      bool
	}{
		{owned, owned, true},
		{owned, "", false},
		{owned, `{"StringEquals":{"aws:ResourceTag/team":["blue","red"]}}`, false},
		{owned, `{"StringEquals":{"aws:ResourceTag/team":"blue","ec2:CreateAction":"RunInstances"}}`, true},
		{`{"StringEquals":{"ec2:ResourceTag/team":["blue","red"]}}`, owned, true},
		{`{"StringEquals":{"ec2:ResourceTag/team":"red"}}`, owned, false},
		{`{"StringEquals":{"aws:RequestTag/team":"blue"}}`, owned, false},
		{`{"StringEquals":{"aws:ResourceTag/team":"blue","aws:RequestTag/team":"blue"}}`, owned, false},
		{`{"StringEquals":{"aws:ResourceTag/team":"blue"},"Bool":{"aws:SecureTransport":"true"}}`, owned, false},
		{`{"StringNotEquals":{"aws:ResourceTag/team":["blue","red"]}}`, `{"StringNotEquals":{"aws:ResourceTag/team":"blue"}}`, false},
		{`{"StringLike":{"aws:ResourceTag/team":"*"}}`, owned, false},
		{`{`, owned, false},
		{owned, `{`, false},
	} {
		if got := follows(tt.one, tt.from); got != tt.want {
			t.Errorf("%s from %s: %t", tt.one, tt.from, got)
		}
	}
}
