package terraform

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGeneratedNames(t *testing.T) {
	t.Parallel()
	const state = `{"version":4,"resources":[
 {"mode":"managed","type":"aws_iam_role","instances":[{"attributes":{"name":"app-20260101120000000100000001","name_prefix":"app-"}},
   {"attributes":{"name":"fixed-name-of-a-role","name_prefix":""}}]},
 {"mode":"managed","type":"aws_s3_bucket","instances":[{"attributes":{"bucket":"logs20260101120000000100000002","bucket_prefix":"logs"}}]},
 {"mode":"managed","type":"aws_s3_bucket_logging","instances":[{"attributes":{"bucket":"b","target_prefix":"log/","id":"log/something-else"}}]},
 {"mode":"managed","type":"x","instances":[{"attributes":{"name":"app-short","name_prefix":"app-"}},{"attributes":{"name":7,"name_prefix":"a"}},{"attributes":{"name":"other-long-name","name_prefix":"app-"}}]},
 {"mode":"managed","type":"aws_vpc","instances":[{"attributes":{"id":"vpc-0123456789abcdef0","arn":"arn:aws:ec2:us-east-1:111122223333:vpc/vpc-0123456789abcdef0"}},
   {"attributes":{"id":"vpc-chosen","arn":"arn:aws:x:::vpc/vpc-chosen"}},{"attributes":{"id":"app-0123456789abcdef1","name":"app-0123456789abcdef1","arn":"arn:aws:x:::thing/app-0123456789abcdef1"}},
   {"attributes":{"id":"app-0123456789abcdef2"}}]},
 {"mode":"managed","type":"aws_api_gateway_rest_api","instances":[{"attributes":{"id":"a1b2c3d4e5"}},{"attributes":{"id":"short"}}]},
 {"mode":"managed","type":"aws_sqs_queue","instances":[{"attributes":{"id":"f1b2c3d4e5"}}]},
 {"mode":"data","type":"y","instances":[{"attributes":{"name":"data-20260101120000000100000001","name_prefix":"data-"}}]}]}`
	want := map[string]string{"app-20260101120000000100000001": "app-", "logs20260101120000000100000002": "logs", "vpc-0123456789abcdef0": "vpc-", "a1b2c3d4e5": ""}
	if diff := cmp.Diff(want, generatedNames(state)); diff != "" {
		t.Error(diff)
	}
	for _, none := range []string{"", "{", "[]", `{"resources":[{"mode":"managed","instances":[{}]}]}`} {
		if got := generatedNames(none); len(got) > 0 {
			t.Errorf("%q: %v", none, got)
		}
	}
}
