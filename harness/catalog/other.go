package catalog

import (
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/request"
)

// otherNeeds lists what a request of a query or JSON service needs. The
// permission is called like the operation, as it is in all but a few services
// (Service Authorization Reference).
func otherNeeds(r request.Request) []request.Need {
	permission := r.Service + ":" + r.Operation
	if other, ok := renamed[permission]; ok {
		permission = other
	}
	list := []request.Need{{Permission: permission, Resource: resourceOf(r)}}
	if tagOnCreate[r.Service] != "" && strings.HasPrefix(r.Operation, "Create") && (r.Has("Tags") || r.Has("tags") || r.Has("Tag")) {
		list = append(list, request.Need{Permission: tagPermission(r.Service, r.Operation), Resource: list[0].Resource})
	}
	switch permission {
	case "iam:AddRoleToInstanceProfile":
		if role := r.Param("RoleName"); role != "" {
			list = append(list, request.Need{Permission: "iam:PassRole", Resource: "arn:" + r.Partition + ":iam::" + r.Account + ":role/" + role})
		}
	case "sts:AssumeRole":
		if r.Has("Tags") {
			list = append(list, request.Need{Permission: "sts:TagSession", Resource: list[0].Resource})
		}
	case "kms:CreateKey":
		if r.Has("Policy") {
			list = append(list, request.Need{Permission: "kms:PutKeyPolicy", Resource: r.ARN("kms", "key/*")})
		}
	case "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias":
		// Both the alias and the key are checked (KMS Developer Guide,
		// "Controlling access to aliases").
		if key := kmsKey(r, "TargetKeyId"); key != "" {
			list = append(list, request.Need{Permission: permission, Resource: key})
		} else {
			list = append(list, request.Need{Permission: permission, Resource: r.ARN("kms", "key/*")})
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
func resourceOf(r request.Request) string {
	switch r.Service {
	case "sqs":
		if u := r.Param("QueueUrl"); u != "" {
			return queueARN(r, u)
		}
		if name := r.Param("QueueName"); name != "" {
			return r.ARN("sqs", name)
		}
	case "kms":
		if r.Operation == "CreateKey" || strings.HasPrefix(r.Operation, "List") && !r.Has("KeyId") {
			return "*"
		}
		if alias := r.Param("AliasName"); alias != "" {
			return r.ARN("kms", alias)
		}
		if key := kmsKey(r, "KeyId"); key != "" {
			return key
		}
	case "iam":
		return iamResource(r)
	case "sts":
		if role := r.Param("RoleArn"); role != "" {
			return role
		}
	}
	for _, name := range arnParams {
		if v := r.Param(name); strings.HasPrefix(v, "arn:") {
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
func queueARN(r request.Request, queueURL string) string {
	_, rest, _ := strings.Cut(queueURL, "://")
	_, path, _ := strings.Cut(rest, "/")
	account, name, ok := strings.Cut(path, "/")
	if !ok || !request.IsAccount(account) || name == "" || strings.Contains(name, "/") {
		return "*"
	}
	r.Account = account
	return r.ARN("sqs", name)
}

// kmsKey gives the ARN of a KMS key parameter; an alias stands for a key that
// the request does not name.
func kmsKey(r request.Request, param string) string {
	switch id := r.Param(param); {
	case id == "":
		return ""
	case strings.Contains(id, "alias/"):
		return r.ARN("kms", "key/*")
	case strings.HasPrefix(id, "arn:"):
		return id
	default:
		return r.ARN("kms", "key/"+id)
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
func iamResource(r request.Request) string {
	kinds := iamKinds
	if strings.HasPrefix(r.Operation, "Attach") || strings.HasPrefix(r.Operation, "Detach") {
		kinds = kinds[3:6]
	}
	if strings.HasSuffix(r.Operation, "InstanceProfile") {
		kinds = iamKinds[6:7]
	}
	iam := "arn:" + r.Partition + ":iam::" + r.Account + ":"
	switch r.Operation {
	case "AddUserToGroup", "RemoveUserFromGroup":
		kinds = iamKinds[5:6]
	case "CreateOpenIDConnectProvider": // called by its URL without the scheme
		if _, host, ok := strings.Cut(r.Param("Url"), "://"); ok {
			return iam + "oidc-provider/" + strings.TrimSuffix(host, "/")
		}
	case "CreateSAMLProvider":
		if name := r.Param("Name"); name != "" {
			return iam + "saml-provider/" + name
		}
	case "CreateServiceLinkedRole": // IAM chooses the name below the service's path
		if service := r.Param("AWSServiceName"); service != "" {
			return iam + "role/aws-service-role/" + service + "/*"
		}
	}
	for _, k := range kinds {
		v := r.Param(k.param)
		if v == "" || k.kind == "policy" && r.Operation != "CreatePolicy" {
			continue
		}
		if k.kind == "" {
			return v
		}
		path := r.Param("Path")
		if path == "" {
			path = "/"
		}
		return iam + k.kind + path + v
	}
	return "*"
}
