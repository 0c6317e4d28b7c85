package aws

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/aws/request"
)

// resourcesOf holds the services whose actions are checked on resources of
// other services, beside their own: the service field of these resources' ARNs
// (Service Authorization Reference, "Resource types" of each service).
var resourcesOf = map[string][]string{
	"apigateway":              {"execute-api"},
	"application-autoscaling": {"autoscaling"},
	"arc-zonal-shift":         {"autoscaling", "ecs", "elasticloadbalancing"},
	"autoscaling-plans":       {"autoscaling"},
	"backup":                  {"cloudformation", "dynamodb", "ec2", "elasticfilesystem", "fsx", "rds", "redshift", "redshift-serverless", "s3", "storagegateway", "timestream"},
	"codeconnections":         {"codestar-connections"},
	"codestar-connections":    {"codeconnections"},
	"ec2":                     {"acm", "iam", "license-manager", "outposts", "resource-groups"},
	"ec2-instance-connect":    {"ec2"},
	"kafka-cluster":           {"kafka"},
	"kinesis":                 {"kms"},
	"rds-data":                {"rds"},
	"redshift-data":           {"redshift", "redshift-serverless"},
	"servicecatalog":          {"catalog"},
	"shield":                  {"cloudfront", "ec2", "elasticloadbalancing", "globalaccelerator", "route53"},
	"ssm":                     {"ec2"},
	"sts":                     {"iam"},
	"vpc-lattice-svcs":        {"vpc-lattice"},
	"vpce":                    {"ec2"},
	"wafv2":                   {"amplify", "apigateway", "apprunner", "appsync", "cognito-idp", "ec2", "elasticloadbalancing"},
	"waf-regional":            {"apigateway", "elasticloadbalancing"},
}

// resourceFits tells whether a resource that a sentence names can be what the
// permission was checked on: an ARN is of the partition that was asked, and of
// a service whose resources the permission is about. What is no ARN is the
// reader's to judge.
func resourceFits(at request.Place, permission, resource string) bool {
	if !strings.HasPrefix(strings.ToLower(resource), "arn:") {
		return true
	}
	parts := strings.SplitN(resource, ":", 4)
	if len(parts) < 4 || parts[0] != "arn" || parts[1] != at.Partition {
		return false
	}
	service, _, _ := strings.Cut(permission, ":")
	return parts[2] == "" || parts[2] == "*" || parts[2] == service || slices.Contains(resourcesOf[service], parts[2])
}
