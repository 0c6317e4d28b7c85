// Package facts answers, for the gate, what only the cloud's state knows: which
// key an alias stands for, which policy is attached to a bucket, how a resource
// is tagged. It asks moto with requests of its own, past the gate.
//
// What cannot be found out is no error here: the answer is empty, and the gate
// then checks the widest resource (the rows say which).
package facts

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

// State is asked for what it holds.
type State interface {
	Query(ctx context.Context, service, region string, params url.Values) (status int, body []byte, err error)
	JSON(ctx context.Context, service, region, target string, question, answer any) (status int, err error)
	S3(ctx context.Context, method, path string) (status int, header http.Header, body []byte, err error)
}

// Book answers questions about the state. Resource policies are remembered
// until Forget.
type Book struct {
	State State

	mu       sync.Mutex
	policies map[string]attached
}

type attached struct {
	resource *account.Resource
	err      error
}

// Forget drops what may have changed.
func (b *Book) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.policies = nil
}

// Policy is the policy attached to a resource, nil when it has none or its kind
// has none here (S3 buckets, SQS queues and KMS keys do). The error is that one
// is there and cannot be read.
func (b *Book) Policy(ctx context.Context, arn string) (*account.Resource, error) {
	part := strings.SplitN(arn, ":", 6)
	if len(part) < 6 || strings.Contains(part[5], "*") {
		return nil, nil
	}
	service, region, name := part[2], part[3], part[5]
	if service == "s3" {
		name, _, _ = strings.Cut(name, "/") // an object has its bucket's
	}
	key := service + " " + region + " " + name
	b.mu.Lock()
	known, ok := b.policies[key]
	b.mu.Unlock()
	if ok {
		return known.resource, known.err
	}
	var text string
	switch service {
	case "s3":
		if status, _, body, err := b.State.S3(ctx, http.MethodGet, "/"+url.PathEscape(name)+"?policy"); err == nil && status == http.StatusOK {
			text = string(body)
		}
	case "sqs":
		text = b.queue(ctx, part, "Policy")
	case "kms":
		if id, ok := strings.CutPrefix(name, "key/"); ok {
			var answer struct{ Policy string }
			if status, err := b.State.JSON(ctx, "kms", region, "TrentService.GetKeyPolicy", map[string]string{"KeyId": id, "PolicyName": "default"}, &answer); err == nil && status == http.StatusOK {
				text = answer.Policy
			}
		}
	default:
		return nil, nil
	}
	var found attached
	if text != "" {
		d, err := policy.Parse([]byte(text))
		found = attached{&account.Resource{Document: d, Rules: service == "kms"}, err}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.policies == nil {
		b.policies = map[string]attached{}
	}
	b.policies[key] = found
	return found.resource, found.err
}

// queue is an attribute of the queue with the ARN's parts.
func (b *Book) queue(ctx context.Context, part []string, attribute string) string {
	var answer struct{ Attributes map[string]string }
	b.State.JSON(ctx, "sqs", part[3], "AmazonSQS.GetQueueAttributes", map[string]any{ //nolint:errcheck // no answer: no attribute
		"QueueUrl": queueURL(part), "AttributeNames": []string{attribute}}, &answer)
	return answer.Attributes[attribute]
}

func queueURL(part []string) string {
	return "https://sqs." + part[3] + ".amazonaws.com/" + part[4] + "/" + part[5]
}

// Tags are the tags of an existing resource, as the condition keys
// aws:ResourceTag/KEY see them.
func (b *Book) Tags(ctx context.Context, arn string) map[string]string {
	part := strings.SplitN(arn, ":", 6)
	if len(part) < 6 || strings.Contains(part[5], "*") {
		return nil
	}
	kind, name, _ := strings.Cut(part[5], "/")
	last := name[strings.LastIndexByte(name, '/')+1:]
	tags := map[string]string{}
	switch part[2] {
	case "ec2":
		var answer struct {
			Tags []struct {
				Key   string `xml:"key"`
				Value string `xml:"value"`
			} `xml:"tagSet>item"`
		}
		b.query(ctx, "ec2", part[3], "2016-11-15", url.Values{"Action": {"DescribeTags"}, "Filter.1.Name": {"resource-id"}, "Filter.1.Value.1": {name}}, &answer)
		for _, t := range answer.Tags {
			tags[t.Key] = t.Value
		}
	case "iam":
		operation := map[string][2]string{"role": {"ListRoleTags", "RoleName"}, "user": {"ListUserTags", "UserName"}}[kind]
		if operation[0] == "" {
			return nil
		}
		type list []struct{ Key, Value string }
		var answer struct {
			Role list `xml:"ListRoleTagsResult>Tags>member"`
			User list `xml:"ListUserTagsResult>Tags>member"`
		}
		b.query(ctx, "iam", "us-east-1", "2010-05-08", url.Values{"Action": {operation[0]}, operation[1]: {last}}, &answer)
		for _, t := range append(answer.Role, answer.User...) {
			tags[t.Key] = t.Value
		}
	case "kms":
		var answer struct {
			Tags []struct{ TagKey, TagValue string }
		}
		b.State.JSON(ctx, "kms", part[3], "TrentService.ListResourceTags", map[string]string{"KeyId": name}, &answer) //nolint:errcheck // no answer: no tags
		for _, t := range answer.Tags {
			tags[t.TagKey] = t.TagValue
		}
	case "sqs":
		var answer struct{ Tags map[string]string }
		b.State.JSON(ctx, "sqs", part[3], "AmazonSQS.ListQueueTags", map[string]string{"QueueUrl": queueURL(part)}, &answer) //nolint:errcheck // no answer: no tags
		tags = answer.Tags
	}
	return tags
}

// query reads a reply of the query protocol; a refusal leaves answer empty.
func (b *Book) query(ctx context.Context, service, region, version string, params url.Values, answer any) {
	params.Set("Version", version)
	if status, body, err := b.State.Query(ctx, service, region, params); err == nil && status == http.StatusOK {
		xml.Unmarshal(body, answer) //nolint:errcheck // no answer: nothing is known
	}
}

// Lookup answers what the rules ask, within a region.
type Lookup struct {
	Book   *Book
	Region string
	// View is the account's IAM as it is.
	View *account.View
	// Owner tells whose an access key is: the user's name, empty when unknown.
	Owner func(accessKeyID string) string
}

var _ rules.Lookup = Lookup{}

// Find implements [rules.Lookup].
func (l Lookup) Find(ctx context.Context, fact rows.Fact, id string) []string {
	var found string
	switch fact {
	case rows.KMSAlias:
		found = l.key(ctx, id)
	case rows.IAMRole:
		found = path(l.View.Roles, id)
	case rows.IAMUser:
		found = path(l.View.Users, id)
	case rows.IAMGroup:
		found = path(l.View.Groups, id)
	case rows.IAMAccessID:
		if name := l.Owner(id); name != "" {
			found = strings.TrimPrefix(path(l.View.Users, name)+name, "/")
		}
	case rows.IAMProfile:
		found = l.iam(ctx, "GetInstanceProfile", "InstanceProfileName", id)
	case rows.IAMCert:
		found = l.iam(ctx, "GetServerCertificate", "ServerCertificateName", id)
	case rows.IAMProfileRole:
		found = l.profileRole(ctx, id)
	case rows.EC2TemplateGroup:
		return texts(within(l.template(ctx, id), "securityGroupIdSet"), "item")
	case rows.EC2TemplateTags:
		return texts(within(l.template(ctx, id), "tagSpecificationSet"), "resourceType")
	case rows.EC2TemplateRole:
		profile := within(l.template(ctx, id), "iamInstanceProfile")
		if name := text(profile, "arn") + text(profile, "name"); name != "" {
			found = l.profileRole(ctx, name)
		}
	case rows.AutoScalingGroup:
		arn := text(l.autoscaling(ctx, "DescribeAutoScalingGroups", "AutoScalingGroupNames.member.1", id), "AutoScalingGroupARN")
		_, rest, _ := strings.Cut(arn, ":autoScalingGroup:")
		found, _, _ = strings.Cut(rest, ":")
	case rows.AutoScalingInstance:
		found = text(l.autoscaling(ctx, "DescribeAutoScalingInstances", "InstanceIds.member.1", id), "AutoScalingGroupName")
	case rows.IAMServiceRole:
		for name, e := range l.View.Roles {
			if e.Path == "/aws-service-role/"+id+"/" {
				found = name
			}
		}
	case rows.S3ObjectTagged:
		bucket, object, _ := strings.Cut(id, "/")
		_, _, body, _ := l.Book.State.S3(ctx, http.MethodGet, "/"+url.PathEscape(bucket)+"/"+escapeKey(object)+"?tagging")
		found = text(parse(body), "Key")
	case rows.S3BucketKey:
		_, _, body, _ := l.Book.State.S3(ctx, http.MethodGet, "/"+url.PathEscape(id)+"?encryption")
		found = l.key(ctx, text(parse(body), "KMSMasterKeyID"))
	case rows.S3ObjectKey:
		bucket, object, _ := strings.Cut(id, "/")
		_, header, _, _ := l.Book.State.S3(ctx, http.MethodHead, "/"+url.PathEscape(bucket)+"/"+escapeKey(object))
		found = l.key(ctx, header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"))
	case rows.SQSKey:
		if part := strings.SplitN(id, ":", 6); len(part) == 6 {
			found = l.Book.queue(ctx, part, "KmsMasterKeyId")
		}
	case rows.SNSKey, rows.SecretKey, rows.SecretARN, rows.TableKey, rows.ParamKey, rows.KinesisKey:
		found = l.encrypted(ctx, fact, id)
	default:
		found = l.ec2(ctx, fact, id)
	}
	if found == "" {
		return nil
	}
	return []string{found}
}

// escapeKey escapes an object's key and keeps its slashes.
func escapeKey(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func path(entities map[string]*account.Entity, name string) string {
	if e := entities[name]; e != nil {
		return e.Path
	}
	return ""
}

// key is the ARN of the key that a key's id, ARN or alias stands for.
func (l Lookup) key(ctx context.Context, id string) string {
	if id == "" {
		return ""
	}
	var answer struct {
		KeyMetadata struct{ Arn string }
	}
	l.Book.State.JSON(ctx, "kms", l.Region, "TrentService.DescribeKey", map[string]string{"KeyId": id}, &answer) //nolint:errcheck // no answer: no key
	return answer.KeyMetadata.Arn
}

func (l Lookup) iam(ctx context.Context, action, parameter, name string) string {
	_, body, _ := l.Book.State.Query(ctx, "iam", "us-east-1", url.Values{"Version": {"2010-05-08"}, "Action": {action}, parameter: {name}})
	return text(parse(body), "Path")
}

// profileRole is the ARN of the role in an instance profile, which is called by
// its name or its ARN.
func (l Lookup) profileRole(ctx context.Context, profile string) string {
	name := profile[strings.LastIndexByte(profile, '/')+1:]
	_, body, _ := l.Book.State.Query(ctx, "iam", "us-east-1", url.Values{"Version": {"2010-05-08"}, "Action": {"GetInstanceProfile"}, "InstanceProfileName": {name}})
	return text(within(parse(body), "Roles"), "Arn")
}

func (l Lookup) autoscaling(ctx context.Context, action, parameter, name string) *element {
	_, body, _ := l.Book.State.Query(ctx, "autoscaling", l.Region, url.Values{"Version": {"2011-01-01"}, "Action": {action}, parameter: {name}})
	return parse(body)
}

// template is what the latest version of a launch template holds; id may be its
// name. nil when there is none.
func (l Lookup) template(ctx context.Context, id string) *element {
	parameter := "LaunchTemplateName"
	if strings.HasPrefix(id, "lt-") {
		parameter = "LaunchTemplateId"
	}
	return within(l.describe(ctx, "DescribeLaunchTemplateVersions", url.Values{parameter: {id}, "LaunchTemplateVersion.1": {"$Latest"}}), "launchTemplateData")
}

// describe asks EC2; nil when it does not know.
func (l Lookup) describe(ctx context.Context, action string, params url.Values) *element {
	params.Set("Version", "2016-11-15")
	params.Set("Action", action)
	status, body, err := l.Book.State.Query(ctx, "ec2", l.Region, params)
	if err != nil || status != http.StatusOK {
		return nil
	}
	return parse(body)
}

// ec2 asks for a list and takes a field of the entry that the id is in.
func (l Lookup) ec2(ctx context.Context, fact rows.Fact, id string) string {
	describe := func(action string, filters ...string) *element {
		params := url.Values{}
		for i, f := range filters {
			name, value, _ := strings.Cut(f, "=")
			n := "Filter." + string(rune('1'+i))
			params.Set(n+".Name", name)
			params.Set(n+".Value.1", value)
		}
		return l.describe(ctx, action, params)
	}
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	switch fact {
	case rows.EC2Address:
		return entry(describe("DescribeAddresses"), id, "allocationId")
	case rows.EC2Interface:
		return first(entry(describe("DescribeAddresses"), id, "networkInterfaceId"), entry(describe("DescribeNetworkInterfaces"), id, "networkInterfaceId"))
	case rows.EC2Instance:
		switch {
		case strings.HasPrefix(id, "vol-"):
			return text(describe("DescribeVolumes", "volume-id="+id), "instanceId")
		case strings.HasPrefix(id, "iip-assoc-"):
			return entry(describe("DescribeIamInstanceProfileAssociations"), id, "instanceId")
		}
		return entry(describe("DescribeNetworkInterfaces"), id, "instanceId")
	case rows.EC2Subnet:
		return first(entry(describe("DescribeNetworkAcls"), id, "subnetId"), entry(describe("DescribeSubnets"), id, "subnetId"))
	case rows.EC2VPC:
		if strings.HasPrefix(id, "pcx-") {
			return text(within(describe("DescribeVpcPeeringConnections", "vpc-peering-connection-id="+id), "accepterVpcInfo"), "vpcId")
		}
		if strings.HasPrefix(id, "subnet-") {
			return text(describe("DescribeSubnets", "subnet-id="+id), "vpcId")
		}
		return entry(describe("DescribeVpcs"), id, "vpcId")
	case rows.EC2Key:
		return entry(describe("DescribeKeyPairs"), id, "keyName")
	case rows.EC2Template:
		return text(l.describe(ctx, "DescribeLaunchTemplates", url.Values{"LaunchTemplateName.1": {id}}), "launchTemplateId")
	case rows.EC2TemplateImage:
		return text(l.template(ctx, id), "imageId")
	case rows.EC2TemplateSubnet:
		return text(within(l.template(ctx, id), "networkInterfaceSet"), "subnetId")
	case rows.EC2TemplateKey:
		return text(l.template(ctx, id), "keyName")
	case rows.EC2Group:
		vpc := text(describe("DescribeVpcs", "isDefault=true"), "vpcId")
		return text(describe("DescribeSecurityGroups", "group-name="+id, "vpc-id="+vpc), "groupId")
	}
	return ""
}
