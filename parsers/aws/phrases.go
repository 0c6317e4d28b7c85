package aws

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// phrase is a refusal, or something that looks like one, in words of a service's
// or a tool's own, without IAM's sentence.
type phrase struct {
	form       *expr.Regexp // its first group is the resource
	reason     refusal.Reason
	blocker    string
	candidates []string
	needs      *expr.Regexp // what must stand nearby
}

// registry is the host of a private registry (Amazon ECR User Guide, "Private
// registry authentication"), without a group.
const registry = `\d{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)`

// phrases, by the documents and tools that print them. None names a permission
// in IAM's notation, so what they are about is a candidate.
var phrases = []phrase{
	// The services that make their own role on first use (IAM User Guide, "Create a service-linked role").
	{form: expr.New(`(?i)(?:not have|n't have|verify that you have|lack)\s+(?:the\s+)?(?:required\s+)?permissions?\s+to\s+create\s+(?:a\s+|the\s+|an?\s+[\w-]+\s+)?service[- ]linked\s+role`), reason: refusal.OpaqueDenial, candidates: []string{"iam:CreateServiceLinkedRole"}},
	{form: expr.New(`[Uu]nable\s+to\s+assume\s+the\s+service[- ]linked\s+role`), reason: refusal.OpaqueDenial, candidates: []string{"iam:CreateServiceLinkedRole"}},
	// EC2 Auto Scaling User Guide, "Troubleshoot: launch templates": what RunInstances needs with the template.
	{form: expr.New(`not authorized to use launch template:?\s+([\w().-]+)`), reason: refusal.OpaqueDenial, candidates: []string{"ec2:RunInstances", "iam:PassRole", "ec2:CreateTags"}},
	// CloudWatch Logs, CreateLogGroup with tags.
	{form: expr.New(`not\s+authorized\s+to\s+perform\s+CreateLogGroup\s+with\s+Tags`), reason: refusal.OpaqueDenial, candidates: []string{"logs:TagResource", "logs:TagLogGroup", "logs:CreateLogGroup"}},
	// Lambda, of the object that holds the code.
	{form: expr.New(`access has been denied by S3, please make sure your request credentials have permission to GetObject for ([^\s]+?)\.? `), reason: refusal.OpaqueDenial, candidates: []string{"s3:GetObject", "s3:GetObjectVersion"}},
	{form: expr.New(`access has been denied by (?:ECR|Amazon ECR)|(?:Lambda )?does not have permission to access the ECR image`), reason: refusal.OpaqueDenial, candidates: []string{"ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "ecr:SetRepositoryPolicy"}},
	{form: expr.New(`(?:because )?KMS access was denied`), reason: refusal.OpaqueDenial, candidates: []string{"kms:Decrypt"}},
	{form: expr.New(`[Tt]he ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access`), reason: refusal.OpaqueDenial, candidates: []string{"kms:Decrypt"}},
	// What a role that is handed over must be able to do itself.
	{form: expr.New(`execution role does not have permissions to call CreateNetworkInterface on EC2`), reason: refusal.OpaqueDenial, candidates: []string{"ec2:CreateNetworkInterface"}},
	{form: expr.New(`[Pp]ermission denied on S3 path: (s3://\S+)`), reason: refusal.OpaqueDenial, candidates: []string{"s3:GetObject", "s3:ListBucket"}},
	// Roles.
	{form: expr.New(`Access denied when attempting to assume role (arn:\S+?)[.,]?(?:\s|"|$)`), reason: refusal.OpaqueDenial, candidates: []string{"sts:AssumeRole"}},
	{form: expr.New(`role \(?"?(arn:aws[a-z-]*:iam::[^\s"]+?)"?\)? cannot be assumed`), reason: refusal.OpaqueDenial, candidates: []string{"sts:AssumeRole"}},
	{form: expr.New(`(?i)(?:cannot|can't|unable to|could not|failed to) assume (?:the )?(?:IAM )?role:? \(?["']?(arn:aws[a-z-]*:iam::[^\s"')]+)`), reason: refusal.OpaqueDenial, candidates: []string{"sts:AssumeRole"}},
	// Lake Formation has permissions of its own (Lake Formation Developer Guide, "Overview of Lake Formation permissions").
	{form: expr.New(`Insufficient Lake Formation permission\(?s?\)?:? ?[A-Za-z: ]*`), reason: refusal.ExplicitDeny, blocker: "Lake Formation"},
	{form: expr.New(`Insufficient permissions to execute the query[^\n"]{0,120}`), reason: refusal.OpaqueDenial},
	// SQS.
	{form: expr.New(`Access to the resource (https?://\S+?) is denied`), reason: refusal.OpaqueDenial},
	// API Gateway's authorizers.
	{form: expr.New(`(?:is )?not authorized to access this resource with an explicit deny`), reason: refusal.ExplicitDeny, blocker: "a policy that the refusal does not name"},
	{form: expr.New(`(?:User|You) (?:is|are) not authorized to access this resource`), reason: refusal.OpaqueDenial, needs: ours},
	// Registries, as containerd, BuildKit and Docker print a reply without a body:
	// what the request was tells the action (Amazon ECR User Guide, "IAM
	// permissions for pushing an image").
	{form: expr.New(`unexpected\s+status(?:\s+code)?(?:\s+from\s+(?:HEAD|GET)\s+request\s+to)?\s+"?https://` + registry + `/v2/\S*/blobs/(?:sha256:\S*)?:?\s+403`), reason: refusal.OpaqueDenial,
		candidates: []string{"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"}},
	{form: expr.New(`unexpected\s+status(?:\s+code)?(?:\s+from\s+(?:POST|PATCH|PUT)\s+request\s+to)?\s+"?https://` + registry + `/v2/\S*/blobs/uploads/\S*:?\s+403`), reason: refusal.OpaqueDenial,
		candidates: []string{"ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"}},
	{form: expr.New(`unexpected\s+status(?:\s+code)?\s+from\s+PUT\s+request\s+to\s+"?https://` + registry + `/v2/\S*/manifests/\S*:\s+403`), reason: refusal.OpaqueDenial, candidates: []string{"ecr:PutImage"}},
	{form: expr.New(`(?:unexpected\s+status(?:\s+code)?(?:\s+from\s+(?:HEAD|GET)\s+request\s+to)?\s+"?https://` + registry + `/v2/\S*/manifests/\S*:?|pulling\s+from\s+host\s+` + registry + `\s+failed\s+with\s+status\s+code\s+\[manifests\s+[^\]\s]+\]:)\s+403`), reason: refusal.OpaqueDenial,
		candidates: []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}},
	{form: expr.New(`pulling\s+from\s+host\s+` + registry + `\s+failed\s+with\s+status\s+code\s+\[manifests\s+[^\]\s]+\]:\s+401`), reason: refusal.BadCredentials},
	// Registries: what is refused before a repository is asked.
	{form: expr.New(`(?:status\s+code\s+40[13];\s+body:\s+Not\s+Authorized|denied: Not Authorized)`), reason: refusal.OpaqueDenial, needs: expr.New(`\.dkr\.ecr\.|public\.ecr\.aws`),
		candidates: []string{"ecr:InitiateLayerUpload", "ecr:BatchCheckLayerAvailability", "ecr:PutImage"}},
	{form: expr.New(`no basic auth credentials`), reason: refusal.BadCredentials, needs: expr.New(`\.dkr\.ecr\.|public\.ecr\.aws`)},
	{form: expr.New(`[Yy]our authorization token has expired`), reason: refusal.BadCredentials},
	// EC2 without its code, and in tools' words.
	{form: expr.New(`You are not authorized to perform this operation\b`), reason: refusal.OpaqueDenial},
	{form: expr.New(`(?i)AWS returned an error: unauthorized operation`), reason: refusal.OpaqueDenial},
	{form: expr.New(`You (?:do not|don't) have permissions? to access (?:this|the requested) resource`), reason: refusal.OpaqueDenial},
	{form: expr.New(`(?:S3Exception|S3ResponseError|S3::Errors::AccessDenied|S3_ERROR|Amazon\.S3\.\w+|s3:// ?\S*|upload failed: \S+ to s3://\S+|download failed: s3://\S+)[^\n]{0,160}?Access Denied`), reason: refusal.OpaqueDenial},
	// The SDK for Java, of a HEAD: its reply has neither code nor message.
	{form: expr.New(`Exception: (?:null|Forbidden) \(Service: [A-Za-z0-9 ]{1,60}[;,] Status Code: 403\b`), reason: refusal.OpaqueDenial},
	// Credentials, as SDKs and tools say it.
	{form: expr.New(`The security token included in the request is (?:invalid|expired)`), reason: refusal.BadCredentials},
	{form: expr.New(`(?i)The (?:provided )?token has expired|Token has expired and refresh failed|The SSO session (?:associated with this profile )?has expired(?: or is otherwise invalid)?|The SSO session token associated with profile=\S+ was not found`), reason: refusal.BadCredentials},
	{form: expr.New(`Signature expired: `), reason: refusal.BadCredentials},
	{form: expr.New(`Signature not yet current: `), reason: refusal.BadCredentials},
	{form: expr.New(`AWS was not able to validate the provided access credentials`), reason: refusal.BadCredentials},
	{form: expr.New(`The AWS Access Key Id you provided does not exist in our records|The request signature we calculated does not match the signature you provided`), reason: refusal.BadCredentials},
	{form: expr.New(`Unable to locate credentials|NoCredentialProviders|NoCredentialsError|CredentialsProviderError|[Nn]o valid credential sources(?: found)?|Missing credentials in config|failed to refresh cached credentials|get credentials: |Could not load credentials from any providers`), reason: refusal.BadCredentials, needs: ours},
	{form: expr.New(`The difference between the request time and the current time is too large`), reason: refusal.BadCredentials},
	// What no grant helps against.
	{form: expr.New(`Your account must be verified before you can add new [A-Za-z]+ resources|This AWS account currently does not support creating load balancers`), reason: refusal.NotAuthorization},
	{form: expr.New(`Not authorized for images: \[?[\w, -]+\]?`), reason: refusal.NotAuthorization},
	{form: expr.New(`The authorization header is malformed; the region '[a-z0-9-]+' is wrong`), reason: refusal.NotAuthorization},
	{form: expr.New(`[Yy]ou are attempting to operate on a bucket in a region that requires Signature Version 4|must be addressed using the specified endpoint`), reason: refusal.NotAuthorization},
	{form: expr.New(`You are not subscribed to this service|needs a subscription for the service|In order to use this AWS Marketplace product you need to accept terms and subscribe`), reason: refusal.APIDisabled},
	{form: expr.New(`You have requested more (?:vCPU capacity|instances) than your current (?:vCPU|instance) limit`), reason: refusal.QuotaOrRate},
	{form: expr.New(`Rate exceeded\b`), reason: refusal.QuotaOrRate, needs: ours},
}

// Sources gives the expressions of all that is looked for in text, for whoever
// must know by which words it is found. The error codes are not among them.
func Sources() []string {
	all := []string{core.String(), headCode.String()}
	for _, p := range phrases {
		all = append(all, p.form.String())
	}
	return all
}

// phrases finds them where no sentence was read.
func (r *reader) phrases() {
	for _, p := range phrases {
		for _, m := range p.form.FindAllStringSubmatchIndex(r.s, -1) {
			if r.read(m[0], m[1]) || p.reason == refusal.OpaqueDenial && r.beside(m[0], m[1]) {
				continue
			}
			if p.needs != nil && !p.needs.MatchString(r.s[max(0, m[0]-400):min(len(r.s), m[1]+400)]) {
				continue
			}
			d := r.denial(p.reason, m[0], m[1])
			d.Blocker, d.Candidates = p.blocker, p.candidates
			if len(m) > 2 && m[2] >= 0 {
				d.Resource = r.s[m[2]:m[3]]
			}
			to := m[1]
			if p.reason == refusal.OpaqueDenial && p.candidates == nil {
				d.Call = callAround(r.s, m[0], m[1])
				if strings.HasPrefix(r.s[m[0]:m[1]], "You are not authorized to perform this operation") { // which only EC2 says
					d.Call = ofCode(d.Call, "UnauthorizedOperation", "")
				}
				if i := strings.Index(r.s[m[1]:min(len(r.s), m[1]+80)], "Encoded authorization failure message:"); i >= 0 && i < 4 {
					if e := encodedText.FindStringSubmatch(r.s[m[1]+i+len("Encoded authorization failure message:"):]); e != nil {
						d.Encoded = e[1]
					}
				}
			}
			// The code that introduces it is part of it.
			from := m[0]
			if c := introduced.FindString(r.s[max(0, from-120):from]); c != "" {
				from -= len(c)
				d.Evidence = excerpt.Clip(r.s[from:to])
			}
			r.add(from, to, d)
		}
	}
}

// introduced is a code that stands right before a message.
var introduced = expr.New(`\b[A-Z][A-Za-z0-9]*(?:\.[A-Z][A-Za-z0-9]*)?(?:: |</Code>\s*<Message>)$`)
