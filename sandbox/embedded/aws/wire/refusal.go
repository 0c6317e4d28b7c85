package wire

import "strings"

// Refusal is a request that was authenticated and is not allowed.
type Refusal struct {
	Service   string // signing name
	Operation string
	Principal string
	Action    string
	Resource  string // an ARN or "*"
	// Shown is how the service names the resource where it does not print it.
	Shown string
	// Policy names the kind of policy that decided: "identity-based policy", or
	// with its article "an identity-based policy" when Explicit.
	Policy   string
	Explicit bool
	// Encoded is the encoded authorization message, for EC2.
	Encoded string
}

// Forms chooses between forms that a service has had at different times.
type Forms struct {
	// EncodedOnly is EC2's form until 2024: nothing but the encoded message.
	EncodedOnly bool
	// DetailedS3 is S3's form, since 2024, for requests within one account: the
	// sentence of the other services instead of "Access Denied".
	DetailedS3 bool
}

// Sentence is what all services say, each in its own way:
// "User: ARN is not authorized to perform: ACTION on resource: RESOURCE because
// no identity-based policy allows the ACTION action".
//
// Source: "Troubleshoot access denied error messages", IAM User Guide, and
// replies quoted in public issue reports for each service's peculiarities.
func (f Refusal) Sentence() string {
	action := f.Action
	switch f.Service {
	case "sqs":
		action = strings.ToLower(action) // sqs:createqueue
	case "sns":
		if name, own := strings.CutPrefix(action, "sns:"); own {
			action = "SNS:" + name // in public issue reports ever since 2016
		}
	}
	var b strings.Builder
	b.WriteString("User: " + f.Principal + " is not authorized to perform: " + action)
	switch resource := f.resource(); {
	case resource == "":
	case f.Service == "s3":
		b.WriteString(` on resource: "` + resource + `"`) // S3 alone quotes it
	default:
		b.WriteString(" on resource: " + resource)
	}
	switch {
	case f.Service == "sts" && f.Action != "sts:DecodeAuthorizationMessage":
		// AssumeRole does not say whose policy it was.
	case f.Explicit:
		b.WriteString(" with an explicit deny in " + f.Policy)
	default:
		b.WriteString(" because no " + f.Policy + " allows the " + action + " action")
	}
	return b.String()
}

// resource is how the sentence names the resource, empty where it does not.
func (f Refusal) resource() string {
	switch {
	case f.Shown != "":
		return f.Shown
	case f.Resource != "*":
		return f.Resource
	case f.Service == "ec2", f.Service == "s3", f.Service == "sts", f.Service == "secretsmanager":
		return "" // Describe*, ListAllMyBuckets, ListSecrets
	case f.Service == "cloudfront", f.Service == "route53":
		// "is not authorized to perform: cloudfront:ListDistributions because no
		// identity-based policy …" (aws/aws-cdk#33249), and Route 53 likewise.
		return ""
	case strings.HasPrefix(f.Action, "ec2:"), strings.HasPrefix(f.Action, "autoscaling:"), strings.HasPrefix(f.Action, "elasticloadbalancing:"):
		return "" // Describe*, and EC2's of them that a load balancer needs
	case f.Action == "kms:TagResource":
		return "" // of a key that is not there yet
	}
	return f.Resource
}

// Error is the refusal in the form of its service.
func (f Refusal) Error(s Style, forms Forms) Error {
	switch s {
	case EC2:
		message := "You are not authorized to perform this operation."
		if !forms.EncodedOnly {
			message += " " + f.Sentence()
		}
		// Describe*, which has no resource, comes without the encoded message.
		if f.Encoded != "" && (f.Resource != "*" || forms.EncodedOnly) {
			if !forms.EncodedOnly {
				message += "."
			}
			message += " Encoded authorization failure message: " + f.Encoded
		}
		return Error{Status: 403, Code: "UnauthorizedOperation", Message: message}
	case S3:
		if forms.DetailedS3 {
			return Error{Status: 403, Code: "AccessDenied", Message: f.Sentence()}
		}
		return Error{Status: 403, Code: "AccessDenied", Message: "Access Denied"}
	case SQS:
		return Error{Status: 403, Code: "AccessDeniedException", QueryCode: "AccessDenied", Message: f.Sentence()}
	case CBOR:
		return Error{Status: 403, Code: "AccessDeniedException", QueryCode: "AccessDenied", Message: f.Sentence()}
	case JSON:
		if f.Service == "logs" && f.Operation == "CreateLogGroup" && f.Action == "logs:TagResource" {
			// Seen so in public issue reports since 2022 (DataDog/cloudformation-template#61).
			part := append(strings.Split(f.Principal, ":"), "", "", "", "", "") // arn:aws:sts::ACCOUNT:…
			return Error{Status: 400, Code: "AccessDeniedException", Message: "User with accountId: " + part[4] +
				" is not authorized to perform CreateLogGroup with Tags. An additional permission \"logs:TagResource\" is required."}
		}
		return Error{Status: 400, Code: "AccessDeniedException", Message: f.Sentence()}
	case REST:
		return Error{Status: 403, Code: "AccessDeniedException", Message: f.Sentence()}
	}
	if f.Service == "sns" {
		return Error{Status: 403, Code: "AuthorizationError", Message: f.Sentence()}
	}
	if f.Service == "autoscaling" && strings.HasPrefix(f.Shown, "launch template") {
		// Whatever of ec2:RunInstances, iam:PassRole and ec2:CreateTags is
		// missing, and on whichever resource: seen in issue reports of eksctl,
		// ansible and the AWS samples.
		return Error{Status: 403, Code: "AccessDenied", Message: "You are not authorized to use " + f.Shown}
	}
	return Error{Status: 403, Code: "AccessDenied", Message: f.Sentence()}
}
