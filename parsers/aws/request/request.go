// Package request tells what an AWS request is, from the request alone: where it
// went ([Locate]), which operation it calls ([Operation]), and what stays the
// same when it is made again ([Class]).
package request

import (
	"net"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Place is where a request went, as its host says it.
type Place struct {
	Partition string // "aws", "aws-cn", "aws-us-gov"
	Label     string // the endpoint's own name for the service: "monitoring", "api.ecr"
	Service   string // the service's prefix in IAM: "cloudwatch", "ecr"
	Region    string // "" for global endpoints
	Bucket    string // S3: the bucket, from the host or the path
	Key       string // S3: the object's key, as it stands in the path
	Virtual   bool   // S3: the bucket stands in the host
}

// suffixes are the DNS suffixes of AWS's own API endpoints (AWS General
// Reference, "Service endpoints").
var suffixes = []struct{ name, partition string }{
	{".amazonaws.com.cn", "aws-cn"},
	{".api.amazonwebservices.com.cn", "aws-cn"},
	{".amazonaws.eu", "aws-eusc"},
	{".amazonaws.com", "aws"},
	{".api.aws", "aws"},
}

var (
	regionShape  = expr.New(`^[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}$`)
	serviceShape = expr.New(`^[a-z0-9][a-z0-9-]*$`)
	accountShape = expr.New(`^\d{12}$`)
)

// twoPart lists the endpoints whose service takes two labels. Any other name
// of three labels is a customer's (a load balancer, a database, an API) and is
// not read.
var twoPart = []string{
	"api.ecr", "api.ecr-public", "api.sagemaker", "runtime.sagemaker", "streams.dynamodb", "api.pricing",
	"entitlement.marketplace", "metering.marketplace", "catalog.marketplace", "portal.sso", "models.lex",
	"runtime.lex", "api.detective", "api.iotwireless", "api.fleethub.iot", "api.tunneling.iot", "api.mediatailor",
	"controlplane.payment-cryptography", "dataplane.payment-cryptography", "featurestore-runtime.sagemaker",
	"metrics.sagemaker", "a2i-runtime.sagemaker",
}

// perAccount holds the hosts that have the account's number before them.
var perAccount = []string{"s3-control", "ddb", "control-kinesis", "data-kinesis"}

// prefixes holds the services whose endpoint is not called like their prefix
// in IAM (Service Authorization Reference, "service prefix").
var prefixes = map[string]string{
	"api.ecr": "ecr", "dkr.ecr": "ecr", "api.ecr-public": "ecr-public", "api.sagemaker": "sagemaker",
	"runtime.sagemaker": "sagemaker", "streams.dynamodb": "dynamodb", "ddb": "dynamodb", "api.pricing": "pricing",
	"control-kinesis": "kinesis", "data-kinesis": "kinesis",
	"entitlement.marketplace": "aws-marketplace", "metering.marketplace": "aws-marketplace",
	"catalog.marketplace": "aws-marketplace", "portal.sso": "sso", "models.lex": "lex", "runtime.lex": "lex",
	"models-v2-lex": "lex", "runtime-v2-lex": "lex", "api.detective": "detective", "api.iotwireless": "iotwireless",
	"api.fleethub.iot": "iotfleethub", "api.tunneling.iot": "iot", "api.mediatailor": "mediatailor",
	"monitoring": "cloudwatch", "email": "ses", "tagging": "tag", "queue": "sqs", "cloudhsmv2": "cloudhsm",
	"mturk-requester": "mechanicalturk", "bedrock-runtime": "bedrock", "bedrock-agent": "bedrock",
	"bedrock-agent-runtime": "bedrock", "cloudcontrolapi": "cloudformation", "memory-db": "memorydb",
	"data-servicediscovery": "servicediscovery", "s3-control": "s3", "s3-accesspoint": "s3", "git-codecommit": "codecommit",
	"appconfigdata": "appconfig", "appstream2": "appstream", "bedrock-agentcore-control": "bedrock-agentcore",
	"bedrock-data-automation": "bedrock", "bedrock-data-automation-runtime": "bedrock", "identity-chime": "chime",
	"media-pipelines-chime": "chime", "meetings-chime": "chime", "messaging-chime": "chime", "voice-chime": "chime",
	"cassandra-streams": "cassandra", "contact-lens": "connect", "data-signer": "signer", "forecastquery": "forecast",
	"ivsrealtime": "ivs", "mail-manager": "ses", "migrationhub-config": "mgh", "personalize-events": "personalize",
	"personalize-runtime": "personalize", "servicecatalog-appregistry": "servicecatalog", "agreement-marketplace": "aws-marketplace",
	"deployment-marketplace": "aws-marketplace", "discovery-marketplace": "aws-marketplace", "reporting-marketplace": "aws-marketplace",
	"controlplane.payment-cryptography": "payment-cryptography", "dataplane.payment-cryptography": "payment-cryptography",
	"featurestore-runtime.sagemaker": "sagemaker", "metrics.sagemaker": "sagemaker", "a2i-runtime.sagemaker": "sagemaker",
	"data.iot": "iot", "data-ats.iot": "iot",
	"pinpoint": "mobiletargeting", "ingest.timestream": "timestream", "query.timestream": "timestream",
	"opensearch": "es", "sync-states": "states", "streaming-logs": "logs", "stream-logs": "logs",
}

// Host tells whether a host is one of AWS's own API endpoints, whose replies
// are AWS's own words. Hosts below the same domains that answer for customers
// (load balancers, databases, API Gateway's execute-api, S3 websites) are not.
func Host(host string) bool {
	_, ok := placeOf(host)
	return ok
}

// Locate reads the exchange's host, and for S3 its path. It knows no place for
// S3 Object Lambda, whose replies are a customer's.
func Locate(x refusal.Exchange) (Place, bool) {
	if x.URL == nil {
		return Place{}, false
	}
	at, ok := placeOf(x.URL.Host)
	if !ok || (at.Label != "s3" && at.Label != "s3express") {
		return at, ok
	}
	path := strings.TrimPrefix(x.URL.Path, "/")
	if !at.Virtual {
		at.Bucket, path, _ = strings.Cut(path, "/")
	}
	if objectLambda(at.Bucket) {
		return Place{}, false
	}
	at.Key = path
	return at, true
}

// objectLambda tells whether what stands in a bucket's place is an Object
// Lambda access point, by its alias or ARN (S3 User Guide, "How to use a
// bucket-style alias for your S3 bucket Object Lambda access point"). The
// customer's function behind it chooses the reply's status, error code and
// message (S3 API Reference, WriteGetObjectResponse).
func objectLambda(bucket string) bool {
	bucket = strings.ToLower(bucket)
	return strings.HasSuffix(bucket, "--ol-s3") || strings.Contains(bucket, ":s3-object-lambda:")
}

func placeOf(host string) (Place, bool) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	var at Place
	for _, s := range suffixes {
		if name, ok := strings.CutSuffix(host, s.name); ok {
			at.Partition = s.partition
			host = name
			break
		}
	}
	if at.Partition == "" || host == "" {
		return Place{}, false
	}
	labels := strings.Split(host, ".")
	// The region is the last label; global endpoints have none.
	if last := labels[len(labels)-1]; len(labels) > 1 && regionShape.MatchString(last) {
		at.Region, labels = last, labels[:len(labels)-1]
	}
	if n := len(labels); n > 1 && labels[n-1] == "dualstack" {
		labels = labels[:n-1]
	}
	last := labels[len(labels)-1]
	before := labels[:len(labels)-1]
	if last == "queue" && len(before) == 1 && regionShape.MatchString(before[0]) { // the old endpoints of SQS
		at.Region, before = before[0], nil
	}
	// Old endpoints join the region to the service with a hyphen: s3-us-west-2.
	if name, region, ok := strings.Cut(last, "-"); ok && name == "s3" && at.Region == "" && regionShape.MatchString(region) {
		last, at.Region = "s3", region
	}
	last = strings.TrimSuffix(strings.TrimPrefix(last, "fips-"), "-fips")
	if strings.HasPrefix(at.Region, "us-gov-") {
		at.Partition = "aws-us-gov"
	}
	switch {
	case last == "execute-api", last == "s3-object-lambda": // in front of a customer's own code
		return Place{}, false
	case last == "s3", last == "s3-accelerate", last == "s3-external-1", last == "s3-global", strings.HasPrefix(last, "s3express-"):
		at.Label, at.Service = "s3", "s3"
		if strings.HasPrefix(last, "s3express-") {
			at.Label, at.Service = "s3express", "s3express"
		}
		if len(before) > 0 {
			at.Bucket, at.Virtual = strings.Join(before, "."), true
		}
		if objectLambda(at.Bucket) {
			return Place{}, false
		}
		return at, true
	case len(before) == 0:
		at.Label = last
	case len(before) == 1 && slices.Contains(perAccount, last) && accountShape.MatchString(before[0]),
		len(before) == 1 && last == "s3-accesspoint":
		at.Label = last
	case len(before) == 2 && last == "ecr" && before[1] == "dkr" && accountShape.MatchString(before[0]):
		at.Label = "dkr.ecr"
	case slices.Contains(twoPart, strings.Join(labels, ".")):
		at.Label = strings.Join(labels, ".")
	default:
		return Place{}, false
	}
	if at.Label != strings.Join(labels, ".") && !serviceShape.MatchString(last) || !serviceShape.MatchString(strings.ReplaceAll(at.Label, ".", "-")) {
		return Place{}, false
	}
	at.Service = at.Label
	if p, ok := prefixes[at.Label]; ok {
		at.Service = p
	}
	return at, true
}
