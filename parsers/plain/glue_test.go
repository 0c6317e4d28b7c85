package plain

import "testing"

func TestHalved(t *testing.T) {
	for _, c := range []struct {
		line, next string
		want       bool
	}{
		{"is not au", "thorized to perform", true},
		{"when calling t", "he CreateQueue operation", true},
		{"is not authorized to", "perform: s3:GetObject", false},
		{"is not authorized", "to perform: s3:GetObject", false},
		{"User: arn:aws:iam::111122223333:user/a is not authorized to perform: ssm:GetPara", "meter on resource: x", true},
		{"to perform: ssm:GetParameter", "on resource: x", false},
		{"to perform: ssm:GetParameter", "because no session policy allows it", false},
		{"User: arn:aws:iam::111122223333:user/a is not authorized to perform: cloudformation:DescribeStack", "s with an explicit deny", true},
		{"Error: Error creating Network: googleapi: Error 403: Required compute.networks.cr", "eate permission for x", true},
		{"Error reading service account after creation: Error 403: Permission iam.serviceA", "ccounts.get is required", true},
		{"Permission iam.serviceAccounts.get", "is required", false},
		{"see the docs at example.", "Then try again", false},
		{"is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::buc", "ket-1/key because", true},
		{"is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::bucket", "because no", false},
		{"on resource: arn:aws:s3:::jo", "bs-1/key because", false}, // too narrow for a terminal
		{"is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::bucket", "arn:aws:s3:::other", false},
		{"is not authorized to perform: s3:GetObject on resource", ": arn:aws:s3:::bucket", true},
		{"User: arn:aws:iam::111122223333:user/a is not authorized to perform: ssm:GetParameter", "retrying in 5 s", false},
		{"is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::bucket/0", "line 5 of something", false},
		{"is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::bucket/0", "5 left", false},
		{"is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::buck", "et because no", true},
		{"plain words of a", "paragraph", false},
		{"", "x", false},
		{"x", "", false},
	} {
		if got := halved(c.line, c.next); got != c.want {
			t.Errorf("halved(%q, %q) = %t", c.line, c.next, got)
		}
	}
}
