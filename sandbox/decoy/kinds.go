package decoy

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// kind is a type of resource that decoys are made of.
type kind struct {
	service, name string
	// prefix is what begins the resource in an ARN; empty where ARNs of the service
	// say no type.
	prefix string
	arn    string // with {region}, {account}, and {} for the id
	byID   bool   // it is called by an id that AWS makes up
	in     string // the type of what it lies in: "ec2 vpc"
	// tags says how the request that makes it takes tags: "list" of a form, "map",
	// or the names of a list in JSON; empty where none of it takes any.
	tags  string
	make  func(name, in string) request
	id    *regexp.Regexp // finds the id in the reply; nil where it is the name
	tries []attempt
}

// attempt is a request for a decoy by an action.
type attempt struct {
	permission string
	request    func(id, arn string) request
}

// member finds a field of a JSON reply.
func member(name string) *regexp.Regexp { return regexp.MustCompile(`"` + name + `"\s*:\s*"([^"]+)"`) }

func query(service, host, version, action string, params ...string) request {
	form := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return request{service: service, host: host, form: form, replies: "text/xml"}
}

func ec2(action string, params ...string) request {
	return query("ec2", "ec2.{region}", "2016-11-15", action, params...)
}

func iam(action string, params ...string) request {
	return query("iam", "iam", "2010-05-08", action, params...)
}

// target is a request of the JSON protocols.
func target(service, host, version, operation string, body map[string]any) request {
	kind := "application/x-amz-json-" + version
	return request{service: service, host: host + ".{region}", header: map[string]string{"Content-Type": kind, "X-Amz-Target": operation}, json: body, replies: kind}
}

func bucket(method, name, sub string) request {
	q := request{service: "s3", host: name + ".s3.{region}", method: method, replies: "application/xml"}
	if sub != "" {
		q.query = url.Values{sub: {""}}
	}
	return q
}

// trying makes attempts of actions that name the decoy in one parameter.
func trying(service string, send func(action, id string) request, actions ...string) []attempt {
	var all []attempt
	for _, action := range actions {
		all = append(all, attempt{service + ":" + action, func(id, _ string) request { return send(action, id) }})
	}
	return all
}

func byParam(make func(string, ...string) request, param string, more ...string) func(action, id string) request {
	return func(action, id string) request { return make(action, append([]string{param, id}, more...)...) }
}

func byField(service, host, version, prefix, field string) func(action, id string) request {
	return func(action, id string) request {
		return target(service, host, version, prefix+action, map[string]any{field: id})
	}
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// kinds are the types that decoys are made of, what others lie in first. Of the
// actions those that read come first, and what takes the decoy away last.
var kinds = []kind{
	{
		service: "ec2", name: "vpc", prefix: "vpc/", arn: "arn:aws:ec2:{region}:{account}:vpc/{}", byID: true, tags: "list",
		make: func(string, string) request { return ec2("CreateVpc", "CidrBlock", "10.254.0.0/16") },
		id:   regexp.MustCompile(`<vpcId>([^<]+)<`),
		tries: append(trying("ec2", byParam(ec2, "VpcId", "Attribute", "enableDnsSupport", "EnableDnsSupport.Value", "true", "CidrBlock", "10.254.9.0/24"),
			"DescribeVpcAttribute", "ModifyVpcAttribute", "CreateSubnet", "CreateRouteTable", "DeleteVpc"),
			attempt{"ec2:CreateTags", func(id, _ string) request {
				return ec2("CreateTags", "ResourceId.1", id, "Tag.1.Key", "whittle-tried", "Tag.1.Value", "x")
			}}),
	},
	{
		service: "ec2", name: "subnet", prefix: "subnet/", arn: "arn:aws:ec2:{region}:{account}:subnet/{}", byID: true, in: "ec2 vpc", tags: "list",
		make:  func(_, vpc string) request { return ec2("CreateSubnet", "VpcId", vpc, "CidrBlock", "10.254.1.0/24") },
		id:    regexp.MustCompile(`<subnetId>([^<]+)<`),
		tries: trying("ec2", byParam(ec2, "SubnetId", "MapPublicIpOnLaunch.Value", "false"), "ModifySubnetAttribute", "DeleteSubnet"),
	},
	{
		service: "ec2", name: "security-group", prefix: "security-group/", arn: "arn:aws:ec2:{region}:{account}:security-group/{}", byID: true, in: "ec2 vpc", tags: "list",
		make: func(name, vpc string) request {
			return ec2("CreateSecurityGroup", "VpcId", vpc, "GroupName", name, "GroupDescription", "decoy")
		},
		id: regexp.MustCompile(`<groupId>([^<]+)<`),
		tries: trying("ec2", byParam(ec2, "GroupId", "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "9", "IpPermissions.1.ToPort", "9", "IpPermissions.1.IpRanges.1.CidrIp", "10.254.0.0/16"),
			"AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress", "DeleteSecurityGroup"),
	},
	{
		service: "ec2", name: "internet-gateway", prefix: "internet-gateway/", arn: "arn:aws:ec2:{region}:{account}:internet-gateway/{}", byID: true, tags: "list",
		make:  func(string, string) request { return ec2("CreateInternetGateway") },
		id:    regexp.MustCompile(`<internetGatewayId>([^<]+)<`),
		tries: trying("ec2", byParam(ec2, "InternetGatewayId"), "DeleteInternetGateway"),
	},
	{
		service: "ec2", name: "route-table", prefix: "route-table/", arn: "arn:aws:ec2:{region}:{account}:route-table/{}", byID: true, in: "ec2 vpc", tags: "list",
		make:  func(_, vpc string) request { return ec2("CreateRouteTable", "VpcId", vpc) },
		id:    regexp.MustCompile(`<routeTableId>([^<]+)<`),
		tries: trying("ec2", byParam(ec2, "RouteTableId"), "DeleteRouteTable"),
	},
	{
		service: "kms", name: "key", prefix: "key/", arn: "arn:aws:kms:{region}:{account}:key/{}", byID: true, tags: "Tags,TagKey,TagValue",
		make: func(string, string) request {
			return target("kms", "kms", "1.1", "TrentService.CreateKey", map[string]any{"Description": "decoy"})
		},
		id: member("KeyId"),
		tries: append(trying("kms", byField("kms", "kms", "1.1", "TrentService.", "KeyId"), "DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags", "EnableKeyRotation"),
			attempt{"kms:ScheduleKeyDeletion", func(id, _ string) request {
				return target("kms", "kms", "1.1", "TrentService.ScheduleKeyDeletion", map[string]any{"KeyId": id, "PendingWindowInDays": 30})
			}}),
	},
	{
		service: "s3", name: "bucket", arn: "arn:aws:s3:::{}",
		make: func(name, _ string) request { return bucket(http.MethodPut, name, "") },
		tries: []attempt{
			{"s3:GetBucketVersioning", func(id, _ string) request { return bucket(http.MethodGet, id, "versioning") }},
			{"s3:GetBucketPolicy", func(id, _ string) request { return bucket(http.MethodGet, id, "policy") }},
			{"s3:GetEncryptionConfiguration", func(id, _ string) request { return bucket(http.MethodGet, id, "encryption") }},
			{"s3:ListBucket", func(id, _ string) request { return bucket(http.MethodGet, id, "") }},
			{"s3:DeleteBucket", func(id, _ string) request { return bucket(http.MethodDelete, id, "") }},
		},
	},
	{
		service: "sqs", name: "queue", arn: "arn:aws:sqs:{region}:{account}:{}", tags: "map",
		make: func(name, _ string) request {
			return target("sqs", "sqs", "1.0", "AmazonSQS.CreateQueue", map[string]any{"QueueName": name})
		},
		tries: []attempt{
			{"sqs:GetQueueAttributes", func(_, arn string) request {
				return target("sqs", "sqs", "1.0", "AmazonSQS.GetQueueAttributes", map[string]any{"QueueUrl": queueURL(arn), "AttributeNames": []string{"All"}})
			}},
			{"sqs:ListQueueTags", func(_, arn string) request {
				return target("sqs", "sqs", "1.0", "AmazonSQS.ListQueueTags", map[string]any{"QueueUrl": queueURL(arn)})
			}},
			{"sqs:GetQueueUrl", func(id, _ string) request {
				return target("sqs", "sqs", "1.0", "AmazonSQS.GetQueueUrl", map[string]any{"QueueName": id})
			}},
			{"sqs:SendMessage", func(_, arn string) request {
				return target("sqs", "sqs", "1.0", "AmazonSQS.SendMessage", map[string]any{"QueueUrl": queueURL(arn), "MessageBody": "whittle tries"})
			}},
			{"sqs:SetQueueAttributes", func(_, arn string) request {
				return target("sqs", "sqs", "1.0", "AmazonSQS.SetQueueAttributes", map[string]any{"QueueUrl": queueURL(arn), "Attributes": map[string]string{"DelaySeconds": "0"}})
			}},
			{"sqs:DeleteQueue", func(_, arn string) request {
				return target("sqs", "sqs", "1.0", "AmazonSQS.DeleteQueue", map[string]any{"QueueUrl": queueURL(arn)})
			}},
		},
	},
	{
		service: "sns", name: "topic", arn: "arn:aws:sns:{region}:{account}:{}", tags: "list",
		make: func(name, _ string) request {
			return query("sns", "sns.{region}", "2010-03-31", "CreateTopic", "Name", name)
		},
		tries: []attempt{
			{"sns:GetTopicAttributes", func(_, arn string) request {
				return query("sns", "sns.{region}", "2010-03-31", "GetTopicAttributes", "TopicArn", arn)
			}},
			{"sns:ListTagsForResource", func(_, arn string) request {
				return query("sns", "sns.{region}", "2010-03-31", "ListTagsForResource", "ResourceArn", arn)
			}},
			{"sns:DeleteTopic", func(_, arn string) request {
				return query("sns", "sns.{region}", "2010-03-31", "DeleteTopic", "TopicArn", arn)
			}},
		},
	},
	{
		service: "iam", name: "role", prefix: "role/", arn: "arn:aws:iam::{account}:role/{}", tags: "list",
		make: func(name, _ string) request {
			return iam("CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trust)
		},
		tries: trying("iam", byParam(iam, "RoleName"), "GetRole", "ListRolePolicies", "ListAttachedRolePolicies", "ListInstanceProfilesForRole", "DeleteRole"),
	},
	{
		service: "iam", name: "instance profile", prefix: "instance-profile/", arn: "arn:aws:iam::{account}:instance-profile/{}", tags: "list",
		make:  func(name, _ string) request { return iam("CreateInstanceProfile", "InstanceProfileName", name) },
		tries: trying("iam", byParam(iam, "InstanceProfileName"), "GetInstanceProfile", "DeleteInstanceProfile"),
	},
	{
		service: "dynamodb", name: "table", prefix: "table/", arn: "arn:aws:dynamodb:{region}:{account}:table/{}", tags: "Tags,Key,Value",
		make: func(name, _ string) request {
			return target("dynamodb", "dynamodb", "1.0", "DynamoDB_20120810.CreateTable", map[string]any{
				"TableName": name, "BillingMode": "PAY_PER_REQUEST",
				"AttributeDefinitions": []map[string]string{{"AttributeName": "id", "AttributeType": "S"}},
				"KeySchema":            []map[string]string{{"AttributeName": "id", "KeyType": "HASH"}},
			})
		},
		tries: trying("dynamodb", byField("dynamodb", "dynamodb", "1.0", "DynamoDB_20120810.", "TableName"), "DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups", "DeleteTable"),
	},
	{
		service: "secretsmanager", name: "secret", prefix: "secret:", arn: "arn:aws:secretsmanager:{region}:{account}:secret:{}", tags: "Tags,Key,Value",
		make: func(name, _ string) request {
			return target("secretsmanager", "secretsmanager", "1.1", "secretsmanager.CreateSecret", map[string]any{"Name": name, "SecretString": "decoy"})
		},
		id:    member("ARN"),
		tries: trying("secretsmanager", byField("secretsmanager", "secretsmanager", "1.1", "secretsmanager.", "SecretId"), "DescribeSecret", "GetSecretValue", "GetResourcePolicy", "DeleteSecret"),
	},
	{
		service: "ssm", name: "parameter", prefix: "parameter/", arn: "arn:aws:ssm:{region}:{account}:parameter/{}", tags: "Tags,Key,Value",
		make: func(name, _ string) request {
			return target("ssm", "ssm", "1.1", "AmazonSSM.PutParameter", map[string]any{"Name": name, "Value": "decoy", "Type": "String"})
		},
		tries: trying("ssm", byField("ssm", "ssm", "1.1", "AmazonSSM.", "Name"), "GetParameter", "DeleteParameter"),
	},
	{
		service: "ecr", name: "repository", prefix: "repository/", arn: "arn:aws:ecr:{region}:{account}:repository/{}", tags: "tags,Key,Value",
		make: func(name, _ string) request {
			return target("ecr", "api.ecr", "1.1", "AmazonEC2ContainerRegistry_V20150921.CreateRepository", map[string]any{"repositoryName": name})
		},
		tries: trying("ecr", byField("ecr", "api.ecr", "1.1", "AmazonEC2ContainerRegistry_V20150921.", "repositoryName"), "GetLifecyclePolicy", "GetRepositoryPolicy", "DeleteRepository"),
	},
}

func queueURL(arn string) string {
	part := strings.Split(arn, ":")
	return "https://sqs." + part[3] + ".amazonaws.com/" + part[4] + "/" + part[5]
}
