package aws

import (
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// place is where a request went, as its host says it.
type place struct {
	partition string // "aws", "aws-cn", "aws-us-gov"
	label     string // the endpoint's own name for the service: "monitoring", "api.ecr"
	service   string // the service's prefix in IAM: "cloudwatch", "ecr"
	region    string // "" for global endpoints
	bucket    string // S3: the bucket, from the host or the path
	key       string // S3: the object's key, as it stands in the path
	virtual   bool   // S3: the bucket stands in the host
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
	regionShape  = regexp.MustCompile(`^[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}$`)
	serviceShape = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	accountShape = regexp.MustCompile(`^\d{12}$`)
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

// prefixes holds the services whose endpoint is not called like their prefix
// in IAM (Service Authorization Reference, "service prefix").
var prefixes = map[string]string{
	"api.ecr": "ecr", "dkr.ecr": "ecr", "api.ecr-public": "ecr-public", "api.sagemaker": "sagemaker",
	"runtime.sagemaker": "sagemaker", "streams.dynamodb": "dynamodb", "ddb": "dynamodb", "api.pricing": "pricing",
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
	"opensearch": "es",
}

// Host tells whether a host is one of AWS's own API endpoints, whose replies
// are AWS's own words. Hosts below the same domains that answer for customers
// (load balancers, databases, API Gateway's execute-api, S3 websites) are not.
func Host(host string) bool {
	_, ok := placeOf(host)
	return ok
}

// locate reads the exchange's host, and for S3 its path.
func locate(x refusal.Exchange) (place, bool) {
	if x.URL == nil {
		return place{}, false
	}
	at, ok := placeOf(x.URL.Host)
	if !ok || (at.label != "s3" && at.label != "s3express") {
		return at, ok
	}
	path := strings.TrimPrefix(x.URL.Path, "/")
	if !at.virtual {
		at.bucket, path, _ = strings.Cut(path, "/")
	}
	at.key = path
	return at, true
}

func placeOf(host string) (place, bool) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	var at place
	for _, s := range suffixes {
		if name, ok := strings.CutSuffix(host, s.name); ok {
			at.partition = s.partition
			host = name
			break
		}
	}
	if at.partition == "" || host == "" {
		return place{}, false
	}
	labels := strings.Split(host, ".")
	// The region is the last label; global endpoints have none.
	if last := labels[len(labels)-1]; len(labels) > 1 && regionShape.MatchString(last) {
		at.region, labels = last, labels[:len(labels)-1]
	}
	if n := len(labels); n > 1 && labels[n-1] == "dualstack" {
		labels = labels[:n-1]
	}
	last := labels[len(labels)-1]
	before := labels[:len(labels)-1]
	if last == "queue" && len(before) == 1 && regionShape.MatchString(before[0]) { // the old endpoints of SQS
		at.region, before = before[0], nil
	}
	// Old endpoints join the region to the service with a hyphen: s3-us-west-2.
	if name, region, ok := strings.Cut(last, "-"); ok && name == "s3" && at.region == "" && regionShape.MatchString(region) {
		last, at.region = "s3", region
	}
	last = strings.TrimSuffix(strings.TrimPrefix(last, "fips-"), "-fips")
	if strings.HasPrefix(at.region, "us-gov-") {
		at.partition = "aws-us-gov"
	}
	switch {
	case last == "execute-api": // API Gateway in front of a customer's own code
		return place{}, false
	case last == "s3", last == "s3-accelerate", last == "s3-external-1", last == "s3-global", strings.HasPrefix(last, "s3express-"):
		at.label, at.service = "s3", "s3"
		if strings.HasPrefix(last, "s3express-") {
			at.label, at.service = "s3express", "s3express"
		}
		if len(before) > 0 {
			at.bucket, at.virtual = strings.Join(before, "."), true
		}
		return at, true
	case len(before) == 0:
		at.label = last
	case len(before) == 1 && (last == "s3-control" || last == "ddb") && accountShape.MatchString(before[0]),
		len(before) == 1 && last == "s3-accesspoint":
		at.label = last
	case len(before) == 2 && last == "ecr" && before[1] == "dkr" && accountShape.MatchString(before[0]):
		at.label = "dkr.ecr"
	case slices.Contains(twoPart, strings.Join(labels, ".")):
		at.label = strings.Join(labels, ".")
	default:
		return place{}, false
	}
	if at.label != strings.Join(labels, ".") && !serviceShape.MatchString(last) || !serviceShape.MatchString(strings.ReplaceAll(at.label, ".", "-")) {
		return place{}, false
	}
	at.service = at.label
	if p, ok := prefixes[at.label]; ok {
		at.service = p
	}
	return at, true
}
