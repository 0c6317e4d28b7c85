package catalog

import "strings"

// otherCandidates reads a request of a query or JSON service. The permission is
// called like the operation, as it is in all but a few services (Service
// Authorization Reference).
func otherCandidates(r request) []Candidate {
	if r.service == "s3-control" {
		return s3ControlCandidates(r)
	}
	permission := r.service + ":" + r.operation
	if other, ok := renamed[permission]; ok {
		permission = other
	}
	list := []Candidate{{Permission: permission, Resource: resourceOf(r)}}
	if tagOnCreate[r.service] != "" && strings.HasPrefix(r.operation, "Create") && (r.has("Tags") || r.has("tags") || r.has("Tag")) {
		list = append(list, Candidate{Permission: tagPermission(r.service, r.operation), Resource: list[0].Resource})
	}
	switch permission {
	case "iam:AddRoleToInstanceProfile":
		if role := r.param("RoleName"); role != "" {
			list = append(list, Candidate{Permission: "iam:PassRole", Resource: "arn:" + r.partition + ":iam::" + r.account + ":role/" + role})
		}
	case "sts:AssumeRole":
		if r.has("Tags") {
			list = append(list, Candidate{Permission: "sts:TagSession", Resource: list[0].Resource})
		}
	case "kms:CreateKey":
		if r.has("Policy") {
			list = append(list, Candidate{Permission: "kms:PutKeyPolicy", Resource: r.arn("kms", "key/*")})
		}
	case "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias":
		// Both the alias and the key are checked (KMS Developer Guide,
		// "Controlling access to aliases").
		if key := kmsKey(r, "TargetKeyId"); key != "" {
			list = append(list, Candidate{Permission: permission, Resource: key})
		} else {
			list = append(list, Candidate{Permission: permission, Resource: r.arn("kms", "key/*")})
		}
	}
	return list
}

// renamed holds the operations that are checked under another name (Service
// Authorization Reference of each service).
var renamed = map[string]string{
	"sqs:SendMessageBatch":             "sqs:SendMessage",
	"sqs:DeleteMessageBatch":           "sqs:DeleteMessage",
	"sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
	"sns:PublishBatch":                 "sns:Publish",
	"kms:ReEncrypt":                    "kms:ReEncryptFrom",
	"dynamodb:TransactGetItems":        "dynamodb:GetItem",
	"dynamodb:TransactWriteItems":      "dynamodb:PutItem",
}

// tagOnCreate holds the services that check a second permission when a
// resource is made with tags (their user guides, "Tagging on creation").
var tagOnCreate = map[string]string{
	"dynamodb": "TagResource", "ecr": "TagResource", "ecs": "TagResource", "iam": "Tag", "kms": "TagResource",
	"logs": "TagResource", "secretsmanager": "TagResource", "sns": "TagResource", "sqs": "TagQueue",
	"states": "TagResource", "elasticloadbalancing": "AddTags", "rds": "AddTagsToResource", "elasticache": "AddTagsToResource",
}

// tagPermission is what tagging on creation is checked as. iam:CreateRole with
// tags is checked as iam:TagRole.
func tagPermission(service, operation string) string {
	if service == "iam" {
		return "iam:Tag" + strings.TrimPrefix(operation, "Create")
	}
	return service + ":" + tagOnCreate[service]
}

// resourceOf names the resource of the request, "*" if its parameters do not.
func resourceOf(r request) string {
	switch r.service {
	case "sqs":
		if u := r.param("QueueUrl"); u != "" {
			return queueARN(r, u)
		}
		if name := r.param("QueueName"); name != "" {
			return r.arn("sqs", name)
		}
	case "kms":
		if r.operation == "CreateKey" || strings.HasPrefix(r.operation, "List") && !r.has("KeyId") {
			return "*"
		}
		if alias := r.param("AliasName"); alias != "" {
			return r.arn("kms", alias)
		}
		if key := kmsKey(r, "KeyId"); key != "" {
			return key
		}
	case "iam":
		return iamResource(r)
	case "sts":
		if role := r.param("RoleArn"); role != "" {
			return role
		}
	}
	for _, name := range arnParams {
		if v := r.param(name); strings.HasPrefix(v, "arn:") {
			return v
		}
	}
	return "*"
}

// arnParams are parameters that hold the ARN of what the request is about, in
// the services that have such.
var arnParams = []string{"ResourceArn", "ResourceARN", "resourceArn", "TopicArn", "SecretId", "TargetGroupArn", "LoadBalancerArn", "ListenerArn", "CertificateArn", "stateMachineArn", "QueueArn"}

// queueARN reads a queue's URL: https://sqs.REGION.amazonaws.com/ACCOUNT/NAME
// (SQS Developer Guide, "Queue name and URL").
func queueARN(r request, queueURL string) string {
	_, rest, _ := strings.Cut(queueURL, "://")
	_, path, _ := strings.Cut(rest, "/")
	account, name, ok := strings.Cut(path, "/")
	if !ok || !accountID.MatchString(account) || name == "" || strings.Contains(name, "/") {
		return "*"
	}
	r.account = account
	return r.arn("sqs", name)
}

// kmsKey gives the ARN of a KMS key parameter; an alias stands for a key that
// the request does not name.
func kmsKey(r request, param string) string {
	switch id := r.param(param); {
	case id == "":
		return ""
	case strings.Contains(id, "alias/"):
		return r.arn("kms", "key/*")
	case strings.HasPrefix(id, "arn:"):
		return id
	default:
		return r.arn("kms", "key/"+id)
	}
}

// iamKinds are IAM's resources: parameter, and resource type of its ARN. The
// first that a request holds is what the request is about.
var iamKinds = []struct{ param, kind string }{
	{"PolicyArn", ""}, {"OpenIDConnectProviderArn", ""}, {"SAMLProviderArn", ""},
	{"RoleName", "role"}, {"UserName", "user"}, {"GroupName", "group"}, {"InstanceProfileName", "instance-profile"},
	{"PolicyName", "policy"}, {"ServerCertificateName", "server-certificate"},
}

// iamResource names an IAM resource. Attaching a policy is checked on the role,
// user or group, adding a role on the instance profile (Service Authorization
// Reference, "Resource types defined by IAM").
func iamResource(r request) string {
	kinds := iamKinds
	if strings.HasPrefix(r.operation, "Attach") || strings.HasPrefix(r.operation, "Detach") {
		kinds = kinds[3:6]
	}
	if strings.HasSuffix(r.operation, "InstanceProfile") {
		kinds = iamKinds[6:7]
	}
	iam := "arn:" + r.partition + ":iam::" + r.account + ":"
	switch r.operation {
	case "AddUserToGroup", "RemoveUserFromGroup":
		kinds = iamKinds[5:6]
	case "CreateOpenIDConnectProvider": // called by its URL without the scheme
		if _, host, ok := strings.Cut(r.param("Url"), "://"); ok {
			return iam + "oidc-provider/" + strings.TrimSuffix(host, "/")
		}
	case "CreateSAMLProvider":
		if name := r.param("Name"); name != "" {
			return iam + "saml-provider/" + name
		}
	case "CreateServiceLinkedRole": // IAM chooses the name below the service's path
		if service := r.param("AWSServiceName"); service != "" {
			return iam + "role/aws-service-role/" + service + "/*"
		}
	}
	for _, k := range kinds {
		v := r.param(k.param)
		if v == "" || k.kind == "policy" && r.operation != "CreatePolicy" {
			continue
		}
		if k.kind == "" {
			return v
		}
		path := r.param("Path")
		if path == "" {
			path = "/"
		}
		return iam + k.kind + path + v
	}
	return "*"
}
