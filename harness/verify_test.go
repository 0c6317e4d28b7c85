package harness

import (
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A denial of another principal says nothing about this role, and an opaque
// refusal in verification of what is held in part is no proof.
func TestPutBackTrustsNoLateRefusal(t *testing.T) {
	put := catalog.Candidate{Permission: "s3:PutObject", Resource: "arn:aws:s3:::artifacts/app.zip"}
	acl := catalog.Candidate{Permission: "s3:PutObjectAcl", Resource: "arn:aws:s3:::artifacts/app.zip"}
	opaque := refusal.Denial{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial}
	rules := decide.Rules{Rehearsal: true}
	both := decide.Of(setOf(nil), opaque, []catalog.Candidate{put, acl}, false, rules)
	held := setOf([]Entry{{Grant: both.Grants[0]}})

	back, late, _ := putBack(held, []refused{{"PUT", opaque, decide.Of(held, opaque, []catalog.Candidate{put, acl}, false, rules), false}}, nil)
	if len(back) != 0 || late == nil {
		t.Errorf("held in part: put back %v, late %v", back, late)
	}
	// Refused again it is not late: the other is missing.
	back, late, _ = putBack(held, []refused{{"PUT", opaque, decide.Of(held, opaque, []catalog.Candidate{put, acl}, false, rules), false}}, map[string]bool{"PUT": true})
	if len(back) != 1 || back[0].Grant != both.Grants[1] || back[0].Necessity != Assumed || late != nil {
		t.Errorf("held in part, and refused again: put back %v, late %v", back, late)
	}
	back, _, _ = putBack(setOf(nil), []refused{{"PUT", opaque, both, false}}, nil)
	if len(back) != 2 || back[0].Necessity != Assumed {
		t.Errorf("held not at all: put back %v; want both, assumed", back)
	}
}

// Of one failed run it is not known which of its refusals it failed of, or whether
// of any: what is put back is not certified by it.
func TestPutBackProvesNothing(t *testing.T) {
	rules := decide.Rules{Rehearsal: true}
	var delivered []refused
	for _, p := range []string{"ec2:DescribeVpcs", "ec2:DescribeHosts"} {
		d := refusal.Denial{Cloud: refusal.AWS, Reason: refusal.MissingPermission, Permission: p, Resource: "*"}
		delivered = append(delivered, refused{p, d, decide.Of(setOf(nil), d, nil, false, rules), false})
	}
	for n := range delivered {
		back, late, stopped := putBack(setOf(nil), delivered[:n+1], nil)
		if len(back) != n+1 || back[n].Necessity != Observed || late != nil || stopped != nil {
			t.Errorf("put back %v, %v, %v", back, late, stopped)
		}
	}
}
