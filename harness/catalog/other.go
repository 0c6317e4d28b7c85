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
	resource, ok := resourceOf(r)
	if !ok {
		return nil
	}
	list := []request.Need{{Permission: permission, Resource: resource}}
	if tagOnCreate[r.Service] != "" && strings.HasPrefix(r.Operation, "Create") && (r.Has("Tags") || r.Has("tags") || r.Has("Tag")) {
		list = append(list, request.Need{Permission: tagPermission(r.Service, r.Operation), Resource: strings.TrimSuffix(resource, emptyStream)})
	}
	switch permission {
	case "autoscaling:CreateAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup", "autoscaling:StartInstanceRefresh":
		list = append(list, templateNeeds(r)...)
	case "iam:AddRoleToInstanceProfile":
		if role := r.Param("RoleName"); role != "" {
			list = append(list, request.Need{Permission: "iam:PassRole", Resource: "arn:" + r.Partition + ":iam::" + r.Account + ":role/" + Escape(role)})
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
		key, ok := kmsKey(r, "TargetKeyId")
		if !ok {
			return nil
		}
		if key == "" {
			key = r.ARN("kms", "key/*")
		}
		list = append(list, request.Need{Permission: permission, Resource: key})
	}
	return list
}

// emptyStream stands behind a log group where CloudWatch Logs checks a
// permission on it; not where it is tagged (CloudWatch Logs User Guide, "CloudWatch
// Logs resources and operations").
const emptyStream = ":log-stream:"

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
// ok is false for parameters that name what no request can be about: an ARN
// with wildcards in its account, for one. What the request chose is escaped.
func resourceOf(r request.Request) (resource string, ok bool) {
	switch r.Service {
	case "sqs":
		if u := r.Param("QueueUrl"); u != "" {
			return queueARN(r, u), true
		}
		if name := r.Param("QueueName"); name != "" {
			return r.ARN("sqs", Escape(name)), true
		}
	case "kms":
		if r.Operation == "CreateKey" || strings.HasPrefix(r.Operation, "List") && !r.Has("KeyId") {
			return "*", true
		}
		if alias := r.Param("AliasName"); alias != "" {
			return r.ARN("kms", Escape(alias)), true
		}
		if key, ok := kmsKey(r, "KeyId"); !ok || key != "" {
			return key, ok
		}
	case "secretsmanager":
		// The service adds six characters to the name ([Widen]); which they are
		// the request can't know, and a policy does not ask.
		for _, param := range []string{"SecretId", "Name"} {
			if name := r.Param(param); name != "" && !strings.HasPrefix(name, "arn:") {
				return r.ARN("secretsmanager", "secret:"+Escape(name)+"-XXXXXX"), true
			}
		}
	case "logs":
		if name := r.Param("logGroupName"); name != "" {
			return r.ARN("logs", "log-group:"+Escape(name)+emptyStream), true
		}
	case "elasticloadbalancing":
		// Its Describe operations are about no resource, whatever they name
		// (Service Authorization Reference, Elastic Load Balancing V2), and the
		// refusal names none.
		if strings.HasPrefix(r.Operation, "Describe") {
			return "*", true
		}
	case "autoscaling":
		if strings.HasPrefix(r.Operation, "Describe") {
			return "*", true
		}
		if name := r.Param("AutoScalingGroupName"); name != "" {
			return r.ARN("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"+Escape(name)), true
		}
	case "iam":
		return iamResource(r)
	case "sts":
		if role := r.Param("RoleArn"); role != "" {
			return givenIAM(r, role)
		}
	}
	for _, name := range arnParams {
		if v := r.Param(name); strings.HasPrefix(v, "arn:") {
			return r.Given(v)
		}
	}
	return "*", true
}

// templateNeeds lists what of EC2 and IAM a group needs that launches by a
// template, which EC2 Auto Scaling refuses without saying what is missing
// ("Control Amazon EC2 launch template usage in Auto Scaling groups", EC2 Auto
// Scaling User Guide). What the template holds stands in no request.
func templateNeeds(r request.Request) []request.Need {
	var id string
	named := false
	for parameter, values := range r.Form {
		switch name := parameter[strings.LastIndexByte(parameter, '.')+1:]; {
		case len(values) != 1 || !strings.Contains(parameter, "LaunchTemplate."):
		case name == "LaunchTemplateId":
			id, named = values[0], true
		case name == "LaunchTemplateName":
			named = true
		}
	}
	if !named {
		return nil
	}
	if id == "" {
		id = "*"
	} else {
		id = Escape(id)
	}
	var list []request.Need
	for _, resource := range []string{"instance/*", "image/*", "subnet/*", "network-interface/*", "security-group/*", "volume/*", "key-pair/*", "launch-template/" + id} {
		arn := r.ARN("ec2", resource)
		if resource == "image/*" {
			arn = "arn:" + r.Partition + ":ec2:" + r.Region + "::" + resource // of whoever made it
		}
		list = append(list, request.Need{Permission: "ec2:RunInstances", Resource: arn, Seldom: resource == "key-pair/*"})
	}
	list = append(list, request.Need{Permission: "iam:PassRole", Resource: "arn:" + r.Partition + ":iam::" + r.Account + ":role/*"})
	for _, kind := range []string{"instance", "volume", "network-interface"} {
		list = append(list, request.Need{Permission: "ec2:CreateTags", Resource: r.ARN("ec2", kind+"/*"), Seldom: true})
	}
	return list
}

// givenIAM reads the ARN of an IAM resource.
func givenIAM(r request.Request, arn string) (string, bool) {
	resource, ok := r.Given(arn)
	return resource, ok && strings.HasPrefix(arn, "arn:"+r.Partition+":iam::")
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
	return r.ARN("sqs", Escape(name))
}

// kmsKey gives the ARN of a KMS key parameter, "" if there is none; an alias
// stands for a key that the request does not name. ok is false for an ARN that
// is no key's.
func kmsKey(r request.Request, param string) (key string, ok bool) {
	id := r.Param(param)
	if strings.HasPrefix(id, "arn:") {
		key, ok = r.Given(id)
		if !ok || !strings.HasPrefix(id, "arn:"+r.Partition+":kms:") {
			return "", false
		}
	} else if id != "" {
		key = r.ARN("kms", "key/"+Escape(id))
	}
	if strings.Contains(id, "alias/") {
		key = r.ARN("kms", "key/*")
	}
	return key, true
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
func iamResource(r request.Request) (resource string, ok bool) {
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
			return iam + "oidc-provider/" + Escape(strings.TrimSuffix(host, "/")), true
		}
	case "CreateSAMLProvider":
		if name := r.Param("Name"); name != "" {
			return iam + "saml-provider/" + Escape(name), true
		}
	case "CreateServiceLinkedRole": // IAM chooses the name below the service's path
		if service := r.Param("AWSServiceName"); service != "" {
			return iam + "role/aws-service-role/" + Escape(service) + "/*", true
		}
	}
	for _, k := range kinds {
		v := r.Param(k.param)
		if v == "" || k.kind == "policy" && r.Operation != "CreatePolicy" {
			continue
		}
		if k.kind == "" {
			return givenIAM(r, v)
		}
		path := r.Param("Path")
		if path == "" {
			path = "/"
		}
		return iam + k.kind + Escape(path) + Escape(v), true
	}
	return "*", true
}
