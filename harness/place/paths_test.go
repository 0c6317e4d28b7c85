package place

import (
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestPaths(t *testing.T) {
	const account = "arn:aws:iam::111122223333:"
	var p Paths
	for _, c := range []struct{ permission, named, want string }{
		{"iam:GetRole", account + "role/f", account + "role/f"}, // nothing is known yet
		{"iam:CreateRole", account + "role/team/a/f", account + "role/team/a/f"},
		{"iam:GetRole", account + "role/f", account + "role/team/a/f"},
		{"iam:GetRole", account + "role/F", account + "role/team/a/f"}, // names have no case
		{"iam:GetRole", account + "role/g", account + "role/g"},
		{"iam:GetUser", account + "user/f", account + "user/f"},
		{"iam:GetRole", "arn:aws:iam::444455556666:role/f", "arn:aws:iam::444455556666:role/f"},
		{"iam:ListRoles", account + "role/*", account + "role/*"},
		{"iam:ListRoles", account + "role/team/*", account + "role/team/*"},
		{"iam:GetPolicy", account + "policy/f", account + "policy/f"},
		{"iam:TagRole", account + "role/f", account + "role/team/a/f"},
		{"iam:CreateRole", account + "role/f", account + "role/f"}, // made anew, at the root
		{"iam:GetRole", account + "role/f", account + "role/f"},
		{"iam:PassRole", account + "role/b/f", account + "role/b/f"},
		{"iam:DeleteRole", account + "role/f", account + "role/b/f"},
	} {
		got := p.Complete(refusal.Denial{Permission: c.permission, Resource: c.named})
		if got.Resource != c.want {
			t.Errorf("%s on %s: got %s, want %s", c.permission, c.named, got.Resource, c.want)
		}
	}
	var resumed Paths
	resumed.Learn("iam:CreateRole", account+"role/team/f")
	if got := resumed.Complete(refusal.Denial{Permission: "iam:GetRole", Resource: account + "role/f"}); got.Resource != account+"role/team/f" {
		t.Errorf("after a resumption: %s", got.Resource)
	}
}
