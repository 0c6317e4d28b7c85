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
	// tags says how the request that makes it takes tags: the name of a form's list
	// elements, of a map in JSON, or of a list in JSON, its keys and its values; empty
	// where it takes none.
	tags  string
	make  func(name string, in decoy) request
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

func elb(action string, params ...string) request {
	q := query("elasticloadbalancing", "elasticloadbalancing.{region}", "2015-12-01", action, params...)
	return q
}

func rds(action string, params ...string) request {
	return query("rds", "rds.{region}", "2014-10-31", action, params...)
}

// rest is a request of the REST protocol in JSON.
func rest(service, method, path string, body map[string]any) request {
	return request{service: service, host: service + ".{region}", method: method, path: path, json: body,
		header: map[string]string{"Content-Type": "application/json"}, replies: "application/json"}
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

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","eks.amazonaws.com","lambda.amazonaws.com"]},"Action":"sts:AssumeRole"}]}`

// kinds are the types that decoys are made of, what others lie in first. Of the
// actions those that read come first, and what takes the decoy away last.
var kinds = []kind{
	{
		service: "ec2", name: "vpc", prefix: "vpc/", arn: "arn:aws:ec2:{region}:{account}:vpc/{}", byID: true, tags: "member",
		make: func(string, decoy) request { return ec2("CreateVpc", "CidrBlock", "10.254.0.0/16") },
		id:   regexp.MustCompile(`<vpcId>([^<]+)<`),
		tries: append(trying("ec2", byParam(ec2, "VpcId", "Attribute", "enableDnsSupport", "EnableDnsSupport.Value", "true", "CidrBlock", "10.254.9.0/24"),
			"DescribeVpcAttribute", "ModifyVpcAttribute", "CreateSubnet", "CreateRouteTable", "DeleteVpc"),
			attempt{"ec2:CreateTags", func(id, _ string) request {
				return ec2("CreateTags", "ResourceId.1", id, "Tag.1.Key", "whittle-tried", "Tag.1.Value", "x")
			}}),
	},
	{
		service: "ec2", name: "subnet", prefix: "subnet/", arn: "arn:aws:ec2:{region}:{account}:subnet/{}", byID: true, in: "ec2 vpc", tags: "member",
		make: func(_ string, vpc decoy) request {
			return ec2("CreateSubnet", "VpcId", vpc.id, "CidrBlock", "10.254.1.0/24")
		},
		id:    regexp.MustCompile(`<subnetId>([^<]+)<`),
		tries: trying("ec2", byParam(ec2, "SubnetId", "MapPublicIpOnLaunch.Value", "false"), "ModifySubnetAttribute", "DeleteSubnet"),
	},
	{
		service: "ec2", name: "security-group", prefix: "security-group/", arn: "arn:aws:ec2:{region}:{account}:security-group/{}", byID: true, in: "ec2 vpc", tags: "member",
		make: func(name string, vpc decoy) request {
			return ec2("CreateSecurityGroup", "VpcId", vpc.id, "GroupName", name, "GroupDescription", "decoy")
		},
		id: regexp.MustCompile(`<groupId>([^<]+)<`),
		tries: trying("ec2", byParam(ec2, "GroupId", "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "9", "IpPermissions.1.ToPort", "9", "IpPermissions.1.IpRanges.1.CidrIp", "10.254.0.0/16"),
			"AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress", "DeleteSecurityGroup"),
	},
	{
		service: "ec2", name: "internet-gateway", prefix: "internet-gateway/", arn: "arn:aws:ec2:{region}:{account}:internet-gateway/{}", byID: true, tags: "member",
		make:  func(string, decoy) request { return ec2("CreateInternetGateway") },
		id:    regexp.MustCompile(`<internetGatewayId>([^<]+)<`),
		tries: trying("ec2", byParam(ec2, "InternetGatewayId"), "DeleteInternetGateway"),
	},
	{
		service: "ec2", name: "route-table", prefix: "route-table/", arn: "arn:aws:ec2:{region}:{account}:route-table/{}", byID: true, in: "ec2 vpc", tags: "member",
		make:  func(_ string, vpc decoy) request { return ec2("CreateRouteTable", "VpcId", vpc.id) },
		id:    regexp.MustCompile(`<routeTableId>([^<]+)<`),
		tries: trying("ec2", byParam(ec2, "RouteTableId"), "DeleteRouteTable"),
	},
	{
		service: "ec2", name: "instance", prefix: "instance/", arn: "arn:aws:ec2:{region}:{account}:instance/{}", byID: true, in: "ec2 subnet", tags: "member",
		make: func(_ string, subnet decoy) request {
			return ec2("RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "SubnetId", subnet.id)
		},
		id: regexp.MustCompile(`<instanceId>([^<]+)<`),
		tries: append([]attempt{{"ec2:CreateTags", func(id, _ string) request {
			return ec2("CreateTags", "ResourceId.1", id, "Tag.1.Key", "whittle-tried", "Tag.1.Value", "x")
		}}}, trying("ec2", byParam(ec2, "InstanceId.1"), "StopInstances", "StartInstances", "RebootInstances", "TerminateInstances")...),
	},
	{
		service: "kms", name: "key", prefix: "key/", arn: "arn:aws:kms:{region}:{account}:key/{}", byID: true, tags: "Tags,TagKey,TagValue",
		make: func(string, decoy) request {
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
		make: func(name string, _ decoy) request { return bucket(http.MethodPut, name, "") },
		tries: []attempt{
			{"s3:GetBucketVersioning", func(id, _ string) request { return bucket(http.MethodGet, id, "versioning") }},
			{"s3:GetBucketPolicy", func(id, _ string) request { return bucket(http.MethodGet, id, "policy") }},
			{"s3:GetEncryptionConfiguration", func(id, _ string) request { return bucket(http.MethodGet, id, "encryption") }},
			{"s3:ListBucket", func(id, _ string) request { return bucket(http.MethodGet, id, "") }},
			{"s3:DeleteBucket", func(id, _ string) request { return bucket(http.MethodDelete, id, "") }},
		},
	},
	{
		service: "sqs", name: "queue", arn: "arn:aws:sqs:{region}:{account}:{}", tags: "tags",
		make: func(name string, _ decoy) request {
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
		service: "sns", name: "topic", arn: "arn:aws:sns:{region}:{account}:{}", tags: "member",
		make: func(name string, _ decoy) request {
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
		service: "iam", name: "role", prefix: "role/", arn: "arn:aws:iam::{account}:role/{}", tags: "member",
		make: func(name string, _ decoy) request {
			return iam("CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trust)
		},
		tries: trying("iam", byParam(iam, "RoleName"), "GetRole", "ListRolePolicies", "ListAttachedRolePolicies", "ListInstanceProfilesForRole", "DeleteRole"),
	},
	{
		service: "iam", name: "instance profile", prefix: "instance-profile/", arn: "arn:aws:iam::{account}:instance-profile/{}", tags: "member",
		make:  func(name string, _ decoy) request { return iam("CreateInstanceProfile", "InstanceProfileName", name) },
		tries: trying("iam", byParam(iam, "InstanceProfileName"), "GetInstanceProfile", "DeleteInstanceProfile"),
	},
	{
		service: "dynamodb", name: "table", prefix: "table/", arn: "arn:aws:dynamodb:{region}:{account}:table/{}", tags: "Tags,Key,Value",
		make: func(name string, _ decoy) request {
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
		make: func(name string, _ decoy) request {
			return target("secretsmanager", "secretsmanager", "1.1", "secretsmanager.CreateSecret", map[string]any{"Name": name, "SecretString": "decoy"})
		},
		id:    member("ARN"),
		tries: trying("secretsmanager", byField("secretsmanager", "secretsmanager", "1.1", "secretsmanager.", "SecretId"), "DescribeSecret", "GetSecretValue", "GetResourcePolicy", "DeleteSecret"),
	},
	{
		service: "ssm", name: "parameter", prefix: "parameter/", arn: "arn:aws:ssm:{region}:{account}:parameter/{}", tags: "Tags,Key,Value",
		make: func(name string, _ decoy) request {
			return target("ssm", "ssm", "1.1", "AmazonSSM.PutParameter", map[string]any{"Name": name, "Value": "decoy", "Type": "String"})
		},
		tries: trying("ssm", byField("ssm", "ssm", "1.1", "AmazonSSM.", "Name"), "GetParameter", "DeleteParameter"),
	},
	{
		service: "ecr", name: "repository", prefix: "repository/", arn: "arn:aws:ecr:{region}:{account}:repository/{}", tags: "tags,Key,Value",
		make: func(name string, _ decoy) request {
			return target("ecr", "api.ecr", "1.1", "AmazonEC2ContainerRegistry_V20150921.CreateRepository", map[string]any{"repositoryName": name})
		},
		tries: trying("ecr", byField("ecr", "api.ecr", "1.1", "AmazonEC2ContainerRegistry_V20150921.", "repositoryName"), "GetLifecyclePolicy", "GetRepositoryPolicy", "DeleteRepository"),
	},
	{
		service: "ec2", name: "launch-template", prefix: "launch-template/", arn: "arn:aws:ec2:{region}:{account}:launch-template/{}", byID: true, tags: "member",
		make: func(name string, _ decoy) request {
			return ec2("CreateLaunchTemplate", "LaunchTemplateName", name, "LaunchTemplateData.InstanceType", "t3.micro")
		},
		id: regexp.MustCompile(`<launchTemplateId>([^<]+)<`),
		tries: trying("ec2", byParam(ec2, "LaunchTemplateId", "LaunchTemplateData.InstanceType", "t3.nano"),
			"CreateLaunchTemplateVersion", "DeleteLaunchTemplate"),
	},
	{
		service: "iam", name: "policy", prefix: "policy/", arn: "arn:aws:iam::{account}:policy/{}", tags: "member",
		make: func(name string, _ decoy) request {
			return iam("CreatePolicy", "PolicyName", name, "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:ListQueues","Resource":"*"}]}`)
		},
		id:    regexp.MustCompile(`<Arn>([^<]+)<`),
		tries: trying("iam", byParam(iam, "PolicyArn", "VersionId", "v1"), "GetPolicy", "GetPolicyVersion", "ListPolicyVersions", "DeletePolicy"),
	},
	{
		service: "logs", name: "log-group", prefix: "log-group:", arn: "arn:aws:logs:{region}:{account}:log-group:{}", tags: "tags",
		make: func(name string, _ decoy) request {
			return target("logs", "logs", "1.1", "Logs_20140328.CreateLogGroup", map[string]any{"logGroupName": name})
		},
		tries: append([]attempt{
			{"logs:ListTagsForResource", func(_, arn string) request {
				return target("logs", "logs", "1.1", "Logs_20140328.ListTagsForResource", map[string]any{"resourceArn": arn})
			}},
			{"logs:PutRetentionPolicy", func(id, _ string) request {
				return target("logs", "logs", "1.1", "Logs_20140328.PutRetentionPolicy", map[string]any{"logGroupName": id, "retentionInDays": 7})
			}},
		}, trying("logs", byField("logs", "logs", "1.1", "Logs_20140328.", "logGroupName"), "DeleteLogGroup")...),
	},
	{
		service: "events", name: "rule", prefix: "rule/", arn: "arn:aws:events:{region}:{account}:rule/{}", tags: "Tags,Key,Value",
		make: func(name string, _ decoy) request {
			return target("events", "events", "1.1", "AWSEvents.PutRule", map[string]any{"Name": name, "ScheduleExpression": "rate(1 day)"})
		},
		tries: append(trying("events", byField("events", "events", "1.1", "AWSEvents.", "Name"), "DescribeRule"),
			append(trying("events", byField("events", "events", "1.1", "AWSEvents.", "Rule"), "ListTargetsByRule"),
				trying("events", byField("events", "events", "1.1", "AWSEvents.", "Name"), "DeleteRule")...)...),
	},
	{
		service: "lambda", name: "function", prefix: "function:", arn: "arn:aws:lambda:{region}:{account}:function:{}", tags: "Tags", in: "iam role",
		make: func(name string, role decoy) request {
			return rest("lambda", http.MethodPost, "/2015-03-31/functions", map[string]any{"FunctionName": name, "Runtime": "python3.12", "Handler": "index.handler",
				"Role": role.arn, "Code": map[string]string{"ZipFile": emptyZip}})
		},
		tries: []attempt{
			{"lambda:GetFunction", func(id, _ string) request { return rest("lambda", http.MethodGet, "/2015-03-31/functions/"+id, nil) }},
			{"lambda:GetPolicy", func(id, _ string) request {
				return rest("lambda", http.MethodGet, "/2015-03-31/functions/"+id+"/policy", nil)
			}},
			{"lambda:ListVersionsByFunction", func(id, _ string) request {
				return rest("lambda", http.MethodGet, "/2015-03-31/functions/"+id+"/versions", nil)
			}},
			{"lambda:UpdateFunctionConfiguration", func(id, _ string) request {
				return rest("lambda", http.MethodPut, "/2015-03-31/functions/"+id+"/configuration", map[string]any{"MemorySize": 128})
			}},
			{"lambda:DeleteFunction", func(id, _ string) request { return rest("lambda", http.MethodDelete, "/2015-03-31/functions/"+id, nil) }},
		},
	},
	{
		service: "eks", name: "cluster", prefix: "cluster/", arn: "arn:aws:eks:{region}:{account}:cluster/{}", tags: "tags", in: "iam role",
		make: func(name string, role decoy) request {
			return rest("eks", http.MethodPost, "/clusters", map[string]any{"name": name, "roleArn": role.arn,
				"resourcesVpcConfig": map[string]any{"subnetIds": []string{}}})
		},
		tries: []attempt{
			{"eks:DescribeCluster", func(id, _ string) request { return rest("eks", http.MethodGet, "/clusters/"+id, nil) }},
			{"eks:UpdateClusterConfig", func(id, _ string) request {
				return rest("eks", http.MethodPost, "/clusters/"+id+"/update-config", map[string]any{"logging": map[string]any{}})
			}},
			{"eks:DeleteCluster", func(id, _ string) request { return rest("eks", http.MethodDelete, "/clusters/"+id, nil) }},
		},
	},
	{
		service: "ecs", name: "cluster", prefix: "cluster/", arn: "arn:aws:ecs:{region}:{account}:cluster/{}", tags: "tags,key,value",
		make: func(name string, _ decoy) request {
			return target("ecs", "ecs", "1.1", "AmazonEC2ContainerServiceV20141113.CreateCluster", map[string]any{"clusterName": name})
		},
		tries: append([]attempt{{"ecs:DescribeClusters", func(id, _ string) request {
			return target("ecs", "ecs", "1.1", "AmazonEC2ContainerServiceV20141113.DescribeClusters", map[string]any{"clusters": []string{id}})
		}}}, trying("ecs", byField("ecs", "ecs", "1.1", "AmazonEC2ContainerServiceV20141113.", "cluster"), "DeleteCluster")...),
	},
	{
		service: "elasticloadbalancing", name: "load balancer", prefix: "loadbalancer/", arn: "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{}", in: "ec2 subnet", tags: "member",
		make: func(name string, subnet decoy) request {
			return elb("CreateLoadBalancer", "Name", name, "Scheme", "internal", "Subnets.member.1", subnet.id)
		},
		id: regexp.MustCompile(`<LoadBalancerArn>([^<]+)<`),
		tries: trying("elasticloadbalancing", byParam(elb, "LoadBalancerArn", "Attributes.member.1.Key", "deletion_protection.enabled", "Attributes.member.1.Value", "false"),
			"ModifyLoadBalancerAttributes", "DeleteLoadBalancer"),
	},
	{
		service: "elasticloadbalancing", name: "target group", prefix: "targetgroup/", arn: "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{}", in: "ec2 vpc", tags: "member",
		make: func(name string, vpc decoy) request {
			return elb("CreateTargetGroup", "Name", name, "Protocol", "TCP", "Port", "80", "VpcId", vpc.id)
		},
		id: regexp.MustCompile(`<TargetGroupArn>([^<]+)<`),
		tries: trying("elasticloadbalancing", byParam(elb, "TargetGroupArn", "Attributes.member.1.Key", "deregistration_delay.timeout_seconds", "Attributes.member.1.Value", "9"),
			"ModifyTargetGroupAttributes", "DeleteTargetGroup"),
	},
	{
		service: "rds", name: "database", prefix: "db:", arn: "arn:aws:rds:{region}:{account}:db:{}", tags: "Tag",
		make: func(name string, _ decoy) request {
			return rds("CreateDBInstance", "DBInstanceIdentifier", name, "Engine", "postgres", "DBInstanceClass", "db.t3.micro",
				"AllocatedStorage", "20", "MasterUsername", "owner", "MasterUserPassword", "not-a-real-password")
		},
		tries: append([]attempt{{"rds:ListTagsForResource", func(_, arn string) request { return rds("ListTagsForResource", "ResourceName", arn) }}},
			trying("rds", byParam(rds, "DBInstanceIdentifier", "SkipFinalSnapshot", "true"), "DescribeDBInstances", "ModifyDBInstance", "DeleteDBInstance")...),
	},
	{
		service: "route53", name: "zone", prefix: "hostedzone/", arn: "arn:aws:route53:::hostedzone/{}", byID: true,
		make: func(name string, _ decoy) request {
			return zone(http.MethodPost, "", `<CreateHostedZoneRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Name>`+name+`.example.com.</Name><CallerReference>`+name+`</CallerReference></CreateHostedZoneRequest>`)
		},
		id: regexp.MustCompile(`<Id>/hostedzone/([^<]+)<`),
		tries: []attempt{
			{"route53:GetHostedZone", func(id, _ string) request { return zone(http.MethodGet, "/"+id, "") }},
			{"route53:ListResourceRecordSets", func(id, _ string) request { return zone(http.MethodGet, "/"+id+"/rrset", "") }},
			{"route53:DeleteHostedZone", func(id, _ string) request { return zone(http.MethodDelete, "/"+id, "") }},
		},
	},
	{
		service: "cloudwatch", name: "alarm", prefix: "alarm:", arn: "arn:aws:cloudwatch:{region}:{account}:alarm:{}", tags: "member",
		make: func(name string, _ decoy) request {
			return alarm("PutMetricAlarm", "AlarmName", name, "Namespace", "AWS/SQS", "MetricName", "ApproximateNumberOfMessagesVisible", "Statistic", "Maximum",
				"ComparisonOperator", "GreaterThanThreshold", "Threshold", "1", "Period", "300", "EvaluationPeriods", "1")
		},
		tries: append([]attempt{{"cloudwatch:ListTagsForResource", func(_, arn string) request { return alarm("ListTagsForResource", "ResourceARN", arn) }}},
			trying("cloudwatch", byParam(alarm, "AlarmNames.member.1"), "DeleteAlarms")...),
	},
}

func alarm(action string, params ...string) request {
	q := query("cloudwatch", "monitoring.{region}", "2010-08-01", action, params...)
	q.signs = "monitoring"
	return q
}

func zone(method, path, body string) request {
	q := request{service: "route53", host: "route53", method: method, path: "/2013-04-01/hostedzone" + path, replies: "text/xml"}
	if body != "" {
		q.body, q.header = []byte(body), map[string]string{"Content-Type": "text/xml"}
	}
	return q
}

// image is one that the embedded sandbox has in every region (moto, ec2/resources):
// decoys are made there only.
const image = "ami-760aaa0f"

// emptyZip is an archive of no files, in base64.
const emptyZip = "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="

func queueURL(arn string) string {
	part := strings.Split(arn, ":")
	return "https://sqs." + part[3] + ".amazonaws.com/" + part[4] + "/" + part[5]
}
