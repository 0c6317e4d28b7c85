package place

import (
	"slices"
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A key that the role may use through one service may be what another one refuses
// without a word.
func TestThroughOthers(t *testing.T) {
	const key, via = "arn:aws:kms:us-east-1:123456789012:key/*", `{"StringEquals":{"kms:ViaService":"sqs.us-east-1.amazonaws.com"}}`
	put := catalog.Candidate{Permission: "s3:PutObject", Resource: "arn:aws:s3:::a/b"}
	opaque := refusal.Denial{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial}
	held := grant.Of(
		grant.Grant{Permission: "kms:GenerateDataKey", Resource: key, Condition: via},
		grant.Grant{Permission: "kms:Decrypt", Resource: key},
		grant.Grant{Permission: "kms:CreateGrant", Resource: key, Condition: via},
	)
	got := ThroughOthers([]catalog.Candidate{put}, held, opaque)
	if want := []catalog.Candidate{put, {Permission: "kms:GenerateDataKey", Resource: key, Seldom: true}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if again := ThroughOthers(got, held, opaque); len(again) != len(got) {
		t.Errorf("twice: %v", again)
	}
	if got := ThroughOthers([]catalog.Candidate{put}, held, refusal.Denial{Cloud: refusal.AWS, Reason: refusal.MissingPermission}); len(got) != 1 {
		t.Errorf("a refusal that names its permission: %v", got)
	}
}

// What is granted under a condition on tags and without it is granted without; so is what
// is granted under any condition and without one.
func TestUndoubledTags(t *testing.T) {
	plain := grant.Grant{Permission: "ec2:DeleteVpc", Resource: "arn:aws:ec2:us-east-1:123456789012:vpc/*"}
	tagged, via := plain, plain
	tagged.Condition = `{"StringEquals":{"aws:ResourceTag/team":"blue"}}`
	via.Condition = `{"StringEquals":{"kms:ViaService":"sqs.us-east-1.amazonaws.com"}}`
	for _, tt := range []struct{ set, want []grant.Grant }{
		{[]grant.Grant{plain, tagged}, []grant.Grant{plain}},
		{[]grant.Grant{tagged}, []grant.Grant{tagged}},
		{[]grant.Grant{plain, via}, []grant.Grant{plain}},
		{[]grant.Grant{plain, tagged, via}, []grant.Grant{plain}},
	} {
		if got := Undoubled(grant.Of(tt.set...)); !got.Equal(grant.Of(tt.want...)) {
			t.Errorf("of %v: %v", tt.set, got.Slice())
		}
	}
}
