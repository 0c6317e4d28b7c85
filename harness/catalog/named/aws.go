package named

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed operations.tsv
var operationsTSV string

// service is one of AWS's services with its operations.
type service struct {
	prefix, id string
	operations []string
}

// services reads the table; the order is that of likelihood.
var services = sync.OnceValue(func() []service {
	var all []service
	for line := range strings.Lines(operationsTSV) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) == 3 {
			all = append(all, service{fields[0], fields[1], strings.Fields(fields[2])})
		}
	}
	return all
})

func awsCall(c Call) []string {
	if c.Operation != "" {
		return byOperation(c.Service, c.Operation)
	}
	return byWords(c)
}

// byOperation gives what an operation needs. Where the client does not name its
// service, every service that has it is a candidate.
func byOperation(client, operation string) []string {
	var out []string
	if client != "" {
		for _, s := range services() {
			if of(s, client) && has(s, operation) {
				out = append(out, needs(s.prefix, operation)...)
			}
		}
		if out != nil {
			return out
		}
	}
	for _, s := range services() {
		if has(s, operation) {
			out = append(out, needs(s.prefix, operation)...)
		}
	}
	return out
}

// of tells whether a client library's name for a service means this one.
func of(s service, client string) bool {
	squash := func(s string) string {
		return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(s))
	}
	c := strings.TrimPrefix(strings.TrimPrefix(squash(client), "amazon"), "aws")
	return c == squash(s.id) || c == squash(s.prefix) || c == "s3api" && s.prefix == "s3"
}

func has(s service, operation string) bool {
	for _, o := range s.operations {
		if strings.EqualFold(o, operation) {
			return true
		}
	}
	return false
}

// canonical gives an operation's own case.
func canonical(prefix, operation string) string {
	for _, s := range services() {
		if s.prefix == prefix {
			for _, o := range s.operations {
				if strings.EqualFold(o, operation) {
					return o
				}
			}
		}
	}
	return operation
}

// needs lists what an operation needs, by the Service Authorization Reference:
// itself, but for those that are checked under another name or with others.
func needs(prefix, operation string) []string {
	op := canonical(prefix, operation)
	if list, ok := checked[prefix+":"+op]; ok {
		return strings.Fields(list)
	}
	if prefix == "s3" {
		for _, suffix := range []string{"Configuration", ""} {
			if p, ok := s3Renamed[strings.TrimSuffix(op, suffix)]; ok {
				return []string{"s3:" + p}
			}
		}
	}
	if prefix == "apigateway" {
		return []string{"apigateway:" + apiMethod(op)}
	}
	return []string{prefix + ":" + op}
}

func apiMethod(op string) string {
	switch {
	case strings.HasPrefix(op, "Get"):
		return "GET"
	case strings.HasPrefix(op, "Create"), strings.HasPrefix(op, "Import"):
		return "POST"
	case strings.HasPrefix(op, "Update"):
		return "PATCH"
	case strings.HasPrefix(op, "Delete"):
		return "DELETE"
	}
	return "PUT"
}

// checked holds the operations that are not checked as themselves alone (S3 User
// Guide, "Required permissions for Amazon S3 API operations"; the guides of the
// other services).
var checked = map[string]string{
	"s3:HeadBucket": "s3:ListBucket", "s3:ListObjects": "s3:ListBucket", "s3:ListObjectsV2": "s3:ListBucket",
	"s3:ListObjectVersions": "s3:ListBucketVersions", "s3:ListBuckets": "s3:ListAllMyBuckets",
	"s3:HeadObject": "s3:GetObject s3:ListBucket s3:GetObjectVersion", "s3:GetObject": "s3:GetObject s3:ListBucket kms:Decrypt s3:GetObjectVersion",
	"s3:GetObjectAttributes": "s3:GetObjectAttributes s3:GetObject",
	"s3:PutObject":           "s3:PutObject s3:PutObjectAcl kms:GenerateDataKey s3:PutObjectTagging", "s3:UploadPart": "s3:PutObject kms:GenerateDataKey",
	"s3:CreateMultipartUpload": "s3:PutObject kms:GenerateDataKey s3:PutObjectAcl", "s3:CompleteMultipartUpload": "s3:PutObject kms:Decrypt",
	"s3:UploadPartCopy": "s3:PutObject s3:GetObject", "s3:CopyObject": "s3:PutObject s3:GetObject s3:PutObjectTagging s3:GetObjectTagging",
	"s3:DeleteObject": "s3:DeleteObject s3:DeleteObjectVersion", "s3:DeleteObjects": "s3:DeleteObject s3:DeleteObjectVersion",
	"s3:ListMultipartUploads": "s3:ListBucketMultipartUploads", "s3:ListParts": "s3:ListMultipartUploadParts",
	"s3:CreateBucket": "s3:CreateBucket s3:PutBucketAcl s3:PutBucketOwnershipControls", "s3:SelectObjectContent": "s3:GetObject",
	"ec2:RunInstances":                      "ec2:RunInstances iam:PassRole ec2:CreateTags",
	"ec2:AssociateIamInstanceProfile":       "ec2:AssociateIamInstanceProfile iam:PassRole",
	"iam:AddRoleToInstanceProfile":          "iam:PassRole iam:AddRoleToInstanceProfile",
	"lambda:Invoke":                         "lambda:InvokeFunction",
	"lambda:CreateFunction":                 "lambda:CreateFunction iam:PassRole",
	"ecs:RegisterTaskDefinition":            "ecs:RegisterTaskDefinition iam:PassRole",
	"eks:CreateCluster":                     "eks:CreateCluster iam:PassRole",
	"sqs:SendMessageBatch":                  "sqs:SendMessage",
	"sqs:DeleteMessageBatch":                "sqs:DeleteMessage",
	"sqs:ChangeMessageVisibilityBatch":      "sqs:ChangeMessageVisibility",
	"sns:PublishBatch":                      "sns:Publish",
	"kms:ReEncrypt":                         "kms:ReEncryptFrom kms:ReEncryptTo",
	"dynamodb:TransactGetItems":             "dynamodb:GetItem",
	"dynamodb:TransactWriteItems":           "dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem",
	"cloudfront:CreateDistributionWithTags": "cloudfront:CreateDistribution cloudfront:TagResource",
	"bedrock:Converse":                      "bedrock:InvokeModel", "bedrock:ConverseStream": "bedrock:InvokeModelWithResponseStream",
}

// s3Renamed holds S3's operations, without "Configuration" at their end, whose
// permission has another name.
var s3Renamed = map[string]string{
	"GetBucketAccelerate": "GetAccelerateConfiguration", "PutBucketAccelerate": "PutAccelerateConfiguration",
	"GetBucketAnalytics": "GetAnalyticsConfiguration", "PutBucketAnalytics": "PutAnalyticsConfiguration", "DeleteBucketAnalytics": "PutAnalyticsConfiguration",
	"GetBucketCors": "GetBucketCORS", "PutBucketCors": "PutBucketCORS", "DeleteBucketCors": "PutBucketCORS",
	"GetBucketEncryption": "GetEncryptionConfiguration", "PutBucketEncryption": "PutEncryptionConfiguration", "DeleteBucketEncryption": "PutEncryptionConfiguration",
	"GetBucketInventory": "GetInventoryConfiguration", "PutBucketInventory": "PutInventoryConfiguration", "DeleteBucketInventory": "PutInventoryConfiguration",
	"GetBucketIntelligentTiering": "GetIntelligentTieringConfiguration", "PutBucketIntelligentTiering": "PutIntelligentTieringConfiguration",
	"GetBucketLifecycle": "GetLifecycleConfiguration", "PutBucketLifecycle": "PutLifecycleConfiguration", "DeleteBucketLifecycle": "PutLifecycleConfiguration",
	"GetBucketMetrics": "GetMetricsConfiguration", "PutBucketMetrics": "PutMetricsConfiguration", "DeleteBucketMetrics": "PutMetricsConfiguration",
	"GetBucketNotification": "GetBucketNotification", "PutBucketNotification": "PutBucketNotification",
	"GetObjectLock": "GetBucketObjectLockConfiguration", "PutObjectLock": "PutBucketObjectLockConfiguration",
	"DeleteBucketOwnershipControls": "PutBucketOwnershipControls", "DeleteBucketTagging": "PutBucketTagging",
	"GetPublicAccessBlock": "GetBucketPublicAccessBlock", "PutPublicAccessBlock": "PutBucketPublicAccessBlock", "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
	"GetBucketReplication": "GetReplicationConfiguration", "PutBucketReplication": "PutReplicationConfiguration", "DeleteBucketReplication": "PutReplicationConfiguration",
}

// lead gives the words that an operation can begin with for a verb, the
// likeliest first.
var lead = map[string][]string{
	"create": {"Create", "Run", "Put", "Allocate", "Register", "Request", "Add", "Authorize", "Attach", "Import", "Start"},
	"read":   {"Describe", "Get", "List", "Head"},
	"list":   {"List", "Describe", "Get"},
	"update": {"Update", "Modify", "Put", "Set", "Change"},
	"put":    {"Put", "Set", "Update", "Modify"},
	"delete": {"Delete", "Terminate", "Remove", "Release", "Deregister", "Detach"},
	"tag":    {"Tag", "Create", "AddTagsTo", "Add"}, "attach": {"Attach", "Associate", "Register"}, "detach": {"Detach", "Disassociate"},
	"enable": {"Enable", "Put", "Update"}, "authorize": {"Authorize"},
}

// called holds what tools call a resource, squashed, where it is not the name that
// is in the operations.
var called = map[string]string{
	"ec2:ami": "image", "ec2:instance": "instance", "ec2:sourceinstance": "instance", "ec2:securitygroup": "securitygroup", "ec2:eip": "address",
	"ec2:keypair": "keypair", "ec2:ec2instance": "instance", "s3:object": "object", "s3:s3bucket": "bucket", "s3:bucket": "bucket",
	"ec2:launchconfiguration": "launchconfiguration", "elasticloadbalancing:lb": "loadbalancer", "elasticloadbalancing:alb": "loadbalancer",
	"logs:group": "loggroup", "logs:cloudwatchloggroup": "loggroup",
}

// special holds what tools say whole, in lower case.
var special = map[string]string{
	"refreshing state": "s3:GetObject s3:ListBucket", "loading state": "s3:GetObject s3:ListBucket", "read state": "s3:GetObject s3:ListBucket",
}

// typed gives the service of a Terraform type's first words, where it is not
// called like its prefix in IAM. What stands in no row and is no service's prefix
// is EC2's.
var typed = map[string]string{
	"db": "rds", "rds": "rds", "lb": "elasticloadbalancing", "alb": "elasticloadbalancing", "elb": "elasticloadbalancing",
	"cloudwatch_log": "logs", "cloudwatch_event": "events", "cloudwatch": "cloudwatch", "launch_configuration": "autoscaling", "autoscaling": "autoscaling",
	"sfn": "states", "efs": "elasticfilesystem", "elasticsearch": "es", "opensearch": "es", "api_gateway": "apigateway", "apigatewayv2": "apigateway",
	"appautoscaling": "application-autoscaling", "emr": "elasticmapreduce", "msk": "kafka", "cognito_user": "cognito-idp", "service_discovery": "servicediscovery",
	"kinesis_firehose": "firehose", "networkfirewall": "network-firewall", "ssoadmin": "sso", "prometheus": "aps", "caller_identity": "sts",
	"vpc": "ec2", "instance": "ec2", "ami": "ec2", "subnet": "ec2",
}

// byWords finds the operations that a verb and a noun, or a Terraform type, mean.
func byWords(c Call) []string {
	if list, ok := special[strings.ToLower(c.Verb+" "+c.Noun)]; ok {
		return strings.Fields(list)
	}
	if c.Noun != "" {
		switch strings.ToLower(strings.TrimSpace(c.Noun)) {
		case "state":
			return []string{"s3:GetObject", "s3:ListBucket"}
		}
	}
	if c.Service == "s3" {
		switch c.Verb {
		case "cp", "sync", "mv":
			return []string{"s3:PutObject", "s3:GetObject", "s3:ListBucket"}
		case "ls":
			return []string{"s3:ListBucket", "s3:ListAllMyBuckets"}
		case "rm":
			return []string{"s3:DeleteObject", "s3:ListBucket"}
		case "mb":
			return []string{"s3:CreateBucket"}
		case "rb":
			return []string{"s3:DeleteBucket"}
		}
	}
	verb := c.Verb
	prefix, noun := ofType(c.Type)
	for _, s := range services() {
		if prefix == "" && c.Service != "" && of(s, c.Service) {
			prefix = s.prefix
		}
	}
	if verb == "" && noun != "" && c.Noun == "" {
		// A resource without a verb is mostly one that could not be made.
		made := find(prefix, "create", noun)
		return append(made[:min(len(made), 3)], find(prefix, "read", noun)...)
	}
	var out []string
	// The tool's words say more than the type: "reading S3 Bucket (b) Public
	// Access Block" of aws_s3_bucket.
	for _, words := range nouns(c.Noun) {
		if out = find(prefix, verb, words); len(out) > 0 {
			return out
		}
	}
	if noun != "" {
		return find(prefix, verb, noun)
	}
	return nil
}

// nouns gives the ways to read a tool's noun phrase, squashed: whole, and with
// words left off at its end, then at its start.
func nouns(phrase string) []string {
	words := strings.Fields(strings.ToLower(strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '/' {
			return ' '
		}
		return r
	}, phrase)))
	for len(words) > 0 && (words[0] == "aws" || words[0] == "amazon" || words[0] == "the" || words[0] == "a" || words[0] == "new" || words[0] == "existing" || words[0] == "source") {
		words = words[1:]
	}
	var out []string
	for start := 0; start < len(words) && start < 3; start++ {
		for end := len(words); end > start; end-- {
			out = append(out, strings.Join(words[start:end], ""))
		}
	}
	return out
}

// ofType takes a Terraform type apart: the service and the rest of the name.
func ofType(t string) (prefix, noun string) {
	name, ok := strings.CutPrefix(t, "aws_")
	if !ok {
		return "", ""
	}
	parts := strings.Split(name, "_")
	for n := min(2, len(parts)); n > 0; n-- {
		head, rest := strings.Join(parts[:n], "_"), strings.Join(parts[n:], "")
		if p, ok := typed[head]; ok {
			if p == "ec2" || rest == "" || head == "launch_configuration" {
				rest = strings.Join(parts, "")
			}
			if head == "cloudwatch_log" {
				rest = "log" + rest
			}
			return p, rest
		}
		for _, s := range services() {
			if strings.ReplaceAll(s.prefix, "-", "") == strings.ReplaceAll(head, "_", "") {
				return s.prefix, rest
			}
		}
	}
	return "ec2", strings.Join(parts, "")
}

// find gives the permissions of the operations that a verb and a squashed noun
// make, exact ones first, then those that the noun begins.
func find(prefix, verb, noun string) []string {
	leads := lead[verb]
	if leads == nil {
		leads = lead["read"]
	}
	var exact, near, lists []string
	for _, s := range services() {
		// A noun can begin with the service's name: "EC2 VPC", "SQS Queue".
		bare := noun
		for _, id := range []string{squashed(s.id), squashed(s.prefix)} {
			if rest, ok := strings.CutPrefix(bare, id); ok && rest != "" {
				bare = rest
				break
			}
		}
		named := bare != noun
		if prefix != "" && s.prefix != prefix && !named {
			continue
		}
		want := map[string]bool{}
		for _, n := range []string{bare, called[s.prefix+":"+bare]} {
			if n != "" {
				want[n], want[strings.TrimSuffix(n, "s")], want[n+"s"] = true, true, true
				want[strings.TrimSuffix(n, "y")+"ies"] = true
				if s.prefix == "s3" {
					want["bucket"+n] = true
					want[strings.TrimPrefix(n, "bucket")] = n != "bucket"
				}
			}
		}
		for _, l := range leads {
			for _, o := range s.operations {
				rest, ok := strings.CutPrefix(o, l)
				if !ok {
					continue
				}
				rest = strings.ToLower(rest)
				switch {
				case want[rest] && l == "List" && verb != "list":
					lists = append(lists, needs(s.prefix, o)...)
				case want[rest]:
					exact = append(exact, needs(s.prefix, o)...)
				case len(bare) > 2 && (named || prefix != "") && (strings.HasPrefix(rest, bare) || called[s.prefix+":"+bare] != "" && strings.HasPrefix(rest, called[s.prefix+":"+bare])):
					near = append(near, needs(s.prefix, o)...)
				}
			}
		}
		if named && len(exact)+len(near) > 0 {
			break
		}
	}
	if s3Read := prefix == "s3" || strings.HasPrefix(noun, "s3"); s3Read && strings.HasSuffix(noun, "bucket") && (verb == "read" || verb == "") {
		return []string{"s3:ListBucket", "s3:GetBucketLocation"} // HeadBucket, which waits for and reads a bucket
	}
	// What is read alone is rarely listed for it.
	if len(exact) > 0 {
		return append(exact, lists...)
	}
	return append(near, lists...)
}

func squashed(s string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(s))
}
