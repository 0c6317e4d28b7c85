// Package named finds the permissions that a call may need by what the output of
// a tool says of it: an operation's name, a request's URL, a Terraform resource
// and the verb. They are candidates, the likeliest first, for a refusal that
// names no permission; nothing is granted on them.
//
// The package is for text, where the request itself is not at hand. For a request
// on the wire catalog.Candidates knows more.
package named

// Call is a call as a tool names it; what is not named is empty.
type Call struct {
	// Service and Operation are as the client library has them: "S3",
	// "PutBucketPolicy".
	Service, Operation string
	Method, URL        string
	// Type is a Terraform type, Verb what was done to it, Noun the tool's own
	// words for it: "aws_s3_bucket_policy", "create", "S3 Bucket Policy".
	Type, Verb, Noun string
}

// most bounds a list of candidates: one longer says nothing.
const most = 6

// Candidates gives the permissions of a cloud ("aws", "gcp", "azure") that a call
// may need, at most six, none for a call that names too little.
func Candidates(cloud string, c Call) []string {
	var found []string
	switch cloud {
	case "aws":
		found = awsCall(c)
	case "gcp":
		found = gcpCall(c)
	case "azure":
		found = azureCall(c)
	}
	var out []string
	seen := map[string]bool{}
	for _, p := range found {
		if p != "" && !seen[p] && len(out) < most {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}
