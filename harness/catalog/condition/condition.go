// Package condition says under which condition a permission is granted that an AWS
// request was refused: the narrowest that the request itself fulfils and that the
// service is documented to check.
//
// All of it follows from the request and from what the lifecycle says is its own;
// nothing from what a tool prints. It holds facts with their source and pure
// functions over them, and does no I/O. What is in no table gets no condition.
package condition

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/request"
	"github.com/whittle-iam/whittle/harness/grant"
)

// Refused is a permission that a request was refused.
type Refused struct {
	Method string
	URL    *url.URL
	Header http.Header
	Body   []byte
	// Permission and Resource are as the refusal names them.
	Permission, Resource string
}

// Of gives the condition, none where nothing is known. Owned are the tags that all
// resources of the lifecycle's own carry; it may be nil.
func Of(x Refused, owned map[string]string) grant.Condition {
	if x.URL == nil {
		return nil
	}
	r, _ := request.Read(x.Method, x.URL, x.Header, x.Body, "") // one without an operation has a service all the same
	c := grant.Condition{}
	is := func(key string, values ...string) {
		if len(values) == 0 {
			return
		}
		if c["StringEquals"] == nil {
			c["StringEquals"] = map[string][]string{}
		}
		for _, v := range values {
			c["StringEquals"][key] = append(c["StringEquals"][key], strings.ReplaceAll(v, "${", "${$}{"))
		}
	}
	service, action, _ := strings.Cut(x.Permission, ":")
	switch {
	case x.Permission == "iam:PassRole":
		is("iam:PassedToService", passedTo(r, x.Resource)...)
	case x.Permission == "iam:CreateServiceLinkedRole":
		if m := linkedRole.FindStringSubmatch(x.Resource); m != nil {
			is("iam:AWSServiceName", m[1])
		}
	case service == "kms" && r.Service != "kms" && throughService[r.Service] && region(r, x) != "" && r.Partition == "aws":
		is("kms:ViaService", r.Service+"."+region(r, x)+".amazonaws.com")
	case tagsOnCreate[x.Permission] && service == r.Service && r.Operation != action && r.Operation != "":
		is(service+":CreateAction", r.Operation)
	}
	for key, value := range owned {
		switch {
		case isTagged(r, x, key, value):
			is("aws:RequestTag/"+key, value)
		case existing(x.Permission, x.Resource):
			is("aws:ResourceTag/"+key, value)
		}
	}
	return c
}

// Hopeful tells whether a condition is on the tags of what a request is about: that
// it has them the request does not show, and where it has not the grant has to do
// without.
func Hopeful(condition string) bool { return strings.Contains(condition, `"aws:ResourceTag/`) }

// Without is the condition without what it says of the tags of what a request is
// about.
func Without(condition string) string {
	c, err := grant.ParseCondition(condition)
	if err != nil || !Hopeful(condition) {
		return condition
	}
	for _, keys := range c {
		for key := range keys {
			if strings.HasPrefix(key, "aws:ResourceTag/") {
				delete(keys, key)
			}
		}
	}
	return c.String()
}

// Always tells whether a permission is hardly ever needed without a condition.
func Always(permission string) bool {
	return permission == "iam:PassRole" || permission == "iam:CreateServiceLinkedRole"
}

// linkedRole is a service-linked role, whose path is the service's name. Source:
// IAM User Guide, "Create a service-linked role", and "Available keys for AWS IAM",
// iam:AWSServiceName.
var linkedRole = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/aws-service-role/([a-z0-9.-]+\.amazonaws\.com)/`)

// passes is which service a role is passed to: the service that is asked, and the
// parameter in which the role stands; "-" is a role that does not stand in the
// request, since it is the one of an instance profile or of a launch template.
// Source: each service's page in the Service Authorization Reference (iam:PassRole
// among the dependent actions) and the page of its user guide that is named.
var passes = map[string]map[string]string{
	"ec2": {
		"-":                        "ec2.amazonaws.com",           // EC2 User Guide, IAM roles for Amazon EC2
		"DeliverLogsPermissionArn": "vpc-flow-logs.amazonaws.com", // VPC User Guide, IAM role for publishing flow logs
		"DeliverCrossAccountRole":  "vpc-flow-logs.amazonaws.com",
	},
	"autoscaling": {
		"-":                    "ec2.amazonaws.com",         // EC2 Auto Scaling User Guide, IAM role for applications
		"ServiceLinkedRoleARN": "autoscaling.amazonaws.com", // the same, service-linked roles
		"RoleARN":              "autoscaling.amazonaws.com", // the same, lifecycle hooks
	},
	"iam": {"RoleName": "ec2.amazonaws.com"}, // AddRoleToInstanceProfile: EC2 User Guide, IAM roles for Amazon EC2
	"ecs": { // ECS Developer Guide, task IAM role and task execution role
		"taskRoleArn": "ecs-tasks.amazonaws.com", "executionRoleArn": "ecs-tasks.amazonaws.com",
	},
	"lambda": {"Role": "lambda.amazonaws.com"}, // Lambda Developer Guide, execution role
	"eks": { // EKS User Guide, cluster, node, pod execution role
		"nodeRole": "eks.amazonaws.com", "serviceAccountRoleArn": "eks.amazonaws.com", "podExecutionRoleArn": "eks-fargate-pods.amazonaws.com",
	},
	"events":                  {"RoleArn": "events.amazonaws.com"},                   // EventBridge User Guide, permissions
	"scheduler":               {"RoleArn": "scheduler.amazonaws.com"},                // EventBridge Scheduler User Guide, execution role
	"states":                  {"roleArn": "states.amazonaws.com"},                   // Step Functions Developer Guide, creating an IAM role
	"rds":                     {"MonitoringRoleArn": "monitoring.rds.amazonaws.com"}, // RDS User Guide, Enhanced Monitoring
	"firehose":                {"RoleARN": "firehose.amazonaws.com"},                 // Firehose Developer Guide, controlling access
	"logs":                    {"roleArn": "logs.amazonaws.com"},                     // CloudWatch Logs API Reference, PutSubscriptionFilter
	"cloudtrail":              {"CloudWatchLogsRoleArn": "cloudtrail.amazonaws.com"}, // CloudTrail User Guide, role policy document
	"application-autoscaling": {"RoleARN": "application-autoscaling.amazonaws.com"},  // Application Auto Scaling API Reference, RegisterScalableTarget
}

// passedTo names the services that a request may pass a role to: one, unless the
// role stands in it twice.
func passedTo(r request.Request, role string) []string {
	rows := passes[r.Service]
	var services []string
	found := false
	visit(r, func(name, value string) {
		// IAM's requests have the name alone, and a profile can be called like its role.
		if value != role && !(r.Service == "iam" && name == "RoleName" && strings.HasSuffix(role, "/"+value)) {
			return
		}
		found = true
		to := rows[name]
		if r.Service == "eks" && name == "roleArn" {
			to = eksRole(r.Path)
		}
		services = append(services, to)
	})
	if !found {
		services = append(services, rows["-"])
	}
	if slices.Contains(services, "") {
		return nil // in a place of which nothing is known
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// eksRole is what "roleArn" means in a request to EKS (EKS User Guide, cluster role
// and Pod Identity associations).
func eksRole(path string) string {
	switch {
	case path == "/clusters":
		return "eks.amazonaws.com"
	case strings.Contains(path, "/pod-identity-associations"):
		return "pods.eks.amazonaws.com"
	}
	return ""
}

// region is that of the service that uses a key. The host of a bucket may have none
// (Amazon S3 User Guide, "Legacy endpoints"); the key is then in the bucket's region
// (the same, "Using server-side encryption with AWS KMS keys").
func region(r request.Request, x Refused) string {
	if part := strings.SplitN(x.Resource, ":", 5); r.Region == "" && len(part) == 5 {
		return part[3]
	}
	return r.Region
}

// throughService are the services that use a KMS key on behalf of the caller and
// are named by kms:ViaService. Source: KMS Developer Guide, kms:ViaService,
// "Services that support the kms:ViaService condition key".
var throughService = map[string]bool{
	"dynamodb": true, "ec2": true, "ecr": true, "elasticache": true, "elasticfilesystem": true, "kinesis": true, "lambda": true,
	"rds": true, "s3": true, "secretsmanager": true, "sns": true, "sqs": true, "ssm": true,
}

// tagsOnCreate are the permissions to tag that are checked with the operation that
// makes what is tagged. Source: Service Authorization Reference, ec2:CreateAction
// and elasticloadbalancing:CreateAction.
var tagsOnCreate = map[string]bool{"ec2:CreateTags": true, "elasticloadbalancing:AddTags": true}

// taggable are the permissions that are checked with the tags that the request
// gives what it makes. Source: Service Authorization Reference of each service, the
// actions with aws:RequestTag among their condition keys. Of EC2 see [isTagged].
var taggable = map[string]bool{
	"iam:CreateRole": true, "iam:TagRole": true, "iam:CreatePolicy": true, "iam:TagPolicy": true, "iam:CreateInstanceProfile": true,
	"iam:TagInstanceProfile": true, "iam:CreateOpenIDConnectProvider": true, "iam:TagOpenIDConnectProvider": true,
	"kms:CreateKey": true, "kms:TagResource": true,
	"sqs:CreateQueue": true, "sns:CreateTopic": true, "sns:TagResource": true,
}

// isTagged tells whether a request gives what it makes the tag, as a condition key
// of the permission.
func isTagged(r request.Request, x Refused, key, value string) bool {
	service, _, _ := strings.Cut(x.Permission, ":")
	if service != r.Service {
		return false
	}
	if service == "ec2" {
		// The tags of a TagSpecification are keys of what is made of its type (EC2 User
		// Guide, "Grant permission to tag Amazon EC2 resources during creation"), those
		// of CreateTags of all that it tags.
		if r.Operation == "CreateTags" {
			return pair(r.Form, "Tag.", key, value)
		}
		kind, name, _ := strings.Cut(x.Resource[strings.LastIndexByte(x.Resource, ':')+1:], "/")
		for at, values := range r.Form {
			if of, ok := strings.CutSuffix(at, ".ResourceType"); ok && strings.HasPrefix(at, "TagSpecification.") && values[0] == kind && name == "*" {
				return pair(r.Form, of+".Tag.", key, value)
			}
		}
		return false
	}
	if !taggable[x.Permission] {
		return false
	}
	if pair(r.Form, "Tags.member.", key, value) {
		return true
	}
	tags := r.JSON["Tags"]
	if tags == nil {
		tags = r.JSON["tags"]
	}
	var list []map[string]string
	var byName map[string]string
	if json.Unmarshal(tags, &list) == nil {
		return slices.ContainsFunc(list, func(t map[string]string) bool {
			return t["Key"] == key && t["Value"] == value || t["TagKey"] == key && t["TagValue"] == value
		})
	}
	return json.Unmarshal(tags, &byName) == nil && byName[key] == value && value != ""
}

// pair tells whether a list of a query request has the tag: PREFIX1.Key, PREFIX1.Value.
func pair(form url.Values, prefix, key, value string) bool {
	for name := range form {
		if of, ok := strings.CutSuffix(name, ".Key"); ok && strings.HasPrefix(name, prefix) && form.Get(name) == key && form.Get(of+".Value") == value {
			return true
		}
	}
	return false
}

// tagged are the types of resource that are called by an id which AWS makes up, so
// that only a tag tells the lifecycle's own from others, and whose tags are
// condition keys. Source: Service Authorization Reference of Amazon EC2 (resource
// types with aws:ResourceTag) and of AWS KMS (key, aws:ResourceTag).
var tagged = map[string]*regexp.Regexp{
	"ec2": regexp.MustCompile(`^arn:[a-z-]+:ec2:[a-z0-9-]+:(\d{12})?:[a-z-]+/[a-z]+-[0-9a-f]+$`),
	"kms": regexp.MustCompile(`^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[0-9a-f-]+$`),
}

// existing tells whether a permission is refused on what is there and can be told
// by its tags. The resource decides by its type; its form only tells an id from a
// wildcard.
func existing(permission, resource string) bool {
	service, _, _ := strings.Cut(permission, ":")
	return tagged[service] != nil && tagged[service].MatchString(resource)
}

// Tells tells whether a resource that AWS calls by an id of its own can be told by
// its tags.
func Tells(resource string) bool {
	part := strings.SplitN(resource, ":", 4)
	return len(part) == 4 && tagged[part[2]] != nil && tagged[part[2]].MatchString(resource)
}

// visit calls see with the parameters of a request: each text with the name that
// it has where it stands.
func visit(r request.Request, see func(name, value string)) {
	for name, values := range r.Form {
		last := name
		for parts := strings.Split(name, "."); len(parts) > 0; parts = parts[:len(parts)-1] {
			if last = parts[len(parts)-1]; strings.Trim(last, "0123456789") != "" && last != "member" {
				break
			}
		}
		for _, v := range values {
			see(last, v)
		}
	}
	var body any
	if json.Unmarshal(r.Body, &body) == nil {
		walk("", body, see)
	}
}

func walk(name string, v any, see func(name, value string)) {
	switch v := v.(type) {
	case string:
		see(name, v)
	case []any:
		for _, e := range v {
			walk(name, e, see)
		}
	case map[string]any:
		for k, e := range v {
			walk(k, e, see)
		}
	}
}
