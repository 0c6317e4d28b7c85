package tags

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestGetsRound(t *testing.T) {
	const instance, volume = "arn:aws:ec2:us-east-1:{account}:instance/*", "arn:aws:ec2:us-east-1:{account}:volume/*"
	for _, tt := range []struct {
		by, byResource, permission, resource string
		want                                 bool
	}{
		{"ec2:CreateTags", instance, "ec2:TerminateInstances", instance, true},
		{"ec2:CreateTags", "*", "ec2:DeleteVolume", volume, true},
		{"ec2:createtags", "*", "EC2:TerminateInstances", "*", true},
		{"ec2:CreateTags", volume, "ec2:TerminateInstances", instance, false},     // of another kind
		{"ec2:CreateTags", "*", "ec2:RunInstances", instance, false},              // nothing is there to be tagged
		{"ec2:CreateTags", "*", "rds:DeleteDBInstance", "*", false},               // another service
		{"ec2:CreateTags", "*", "ec2:CreateTags", instance, false},                // itself
		{"ec2:DeleteTags", "*", "ec2:TerminateInstances", instance, false},        // takes tags away
		{"sqs:TagQueue", "arn:aws:sqs:*:*:jobs", "sqs:DeleteQueue", "*", true},    // a service with a name of its own
		{"dynamodb:TagResource", "*", "dynamodb:DeleteTable", "*", true},          // a service with the usual one
		{"s3:PutObjectTagging", "arn:aws:s3:::b/*", "s3:DeleteObject", "*", true}, // objects
		{"s3:PutObjectTagging", "arn:aws:s3:::a/*", "s3:GetObject", "arn:aws:s3:::b/*", false},
		{"compute.instances.createTagBinding", "*", "compute.instances.delete", "*", true},
		{"compute.instances.createTagBinding", "*", "compute.instances.create", "*", false}, // nothing is there to be tagged
		{"compute.instances.createTagBinding", "*", "compute.disks.delete", "*", false},     // of another kind
		{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/write", "*", "microsoft.storage/storageAccounts/blobServices/containers/blobs/delete", "*", true},
		{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/write", "*", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/read", "*", false},
		{"Microsoft.Resources/tags/write", "*", "Microsoft.Compute/disks/delete", "*", false}, // no condition reads these
	} {
		if got := GetsRound(tt.by, tt.byResource, tt.permission, tt.resource); got != tt.want {
			t.Errorf("%s on %s, %s on %s: %t", tt.by, tt.byResource, tt.permission, tt.resource, got)
		}
	}
}

// What Overlap says of two patterns holds for every text over a small alphabet.
func TestOverlap(t *testing.T) {
	pattern := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?")), 0, 5, -1)
	var texts []string
	for all := []string{""}; len(all) > 0 && len(all[0]) <= 6; {
		texts = append(texts, all...)
		var next []string
		for _, s := range all {
			next = append(next, s+"a", s+"b")
		}
		all = next
	}
	matcher := func(p string) *regexp.Regexp {
		return regexp.MustCompile("^" + strings.NewReplacer("*", "[ab]*", "?", "[ab]").Replace(p) + "$")
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := pattern.Draw(t, "a"), pattern.Draw(t, "b")
		ra, rb := matcher(a), matcher(b)
		want := false
		for _, s := range texts {
			want = want || ra.MatchString(s) && rb.MatchString(s)
		}
		// A text that both match need be no longer than both patterns together; those
		// of up to five characters are decided by texts of up to six only without runs.
		if got := Overlap(a, b); got != want && (want || len(a)+len(b) <= 6) {
			t.Fatalf("Overlap(%q, %q) = %t", a, b, got)
		}
		if Overlap(a, b) != Overlap(b, a) {
			t.Fatalf("Overlap(%q, %q) depends on the order", a, b)
		}
	})
}
