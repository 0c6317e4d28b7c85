package catalog

import (
	"strings"
)

// Widen replaces the generated parts of an AWS resource name by wildcards, so
// that what one run learned holds for the next, whose resources have other
// ids: arn:aws:ec2:us-east-1:111122223333:vpc/vpc-0abc becomes …:vpc/*.
//
// What is generated is decided by the resource's type (Service Authorization
// Reference, "Resource types"), never by the look of an id: a name that a user
// chose stays, even if it looks like a UUID, and a type that is not in the
// table stays whole. The result, as a pattern, matches what was given, and
// widening it again changes nothing.
//
// In the key of an S3 object "*" and "?" are characters like any other; they
// are written as the policy variables ${*} and ${?} (IAM User Guide, "Using
// special characters in policy variables"), so that a key can't widen a grant.
func Widen(resource string) string {
	part := strings.SplitN(resource, ":", 6)
	if len(part) != 6 || part[0] != "arn" {
		return resource
	}
	service, name := part[2], part[5]
	if service == "s3" && part[3] == "" && part[4] == "" {
		if bucket, key, ok := strings.Cut(name, "/"); ok {
			part[5] = bucket + "/" + escapeKey(key)
		}
		return strings.Join(part, ":")
	}
	if service == "secretsmanager" {
		part[5] = widenSecret(name)
		return strings.Join(part, ":")
	}
	for _, shape := range generated[service] {
		if wide, ok := widenBy(shape, name); ok {
			part[5] = wide
			break
		}
	}
	return strings.Join(part, ":")
}

// escapeKey writes an object's key so that it stands for itself in a policy.
// Unlike [Escape] it keeps what is escaped already, since it is given names
// that may be.
func escapeKey(key string) string {
	var b strings.Builder
	for key != "" {
		n := 1
		switch {
		case strings.HasPrefix(key, "${*}"), strings.HasPrefix(key, "${?}"), strings.HasPrefix(key, "${$}"):
			n = 4
			b.WriteString(key[:n])
		case strings.HasPrefix(key, "${"):
			n = 2
			fallthrough
		default:
			b.WriteString(Escape(key[:n]))
		}
		key = key[n:]
	}
	return b.String()
}

const rest = "…"

// generated holds, for each service, the shapes of the resources whose names
// hold a generated part. In a shape "=" is a name that stays, "+" one that can
// hold slashes, "*" a generated part (to the end, if it stands there), and "…"
// any rest, kept. The first shape that fits decides.
var generated = map[string][]string{
	"access-analyzer": {"analyzer/=/archive-rule/="},
	"acm":             {"certificate/*"},
	"acm-pca":         {"certificate-authority/*"},
	"apigateway": {
		"/restapis/*/resources/*/…", "/restapis/*/resources/*", "/restapis/*/deployments/*", "/restapis/*/authorizers/*",
		"/restapis/*/models/=", "/restapis/*/…", "/restapis/*", "/apis/*/integrations/*", "/apis/*/routes/*",
		"/apis/*/authorizers/*", "/apis/*/deployments/*", "/apis/*/…", "/apis/*", "/apikeys/*", "/usageplans/*/…",
		"/usageplans/*", "/vpclinks/*",
	},
	"application-autoscaling": {"scalable-target/*"},
	"appsync":                 {"apis/*/…", "apis/*"},
	"autoscaling":             {"autoScalingGroup:*:autoScalingGroupName/=", "launchConfiguration:*:launchConfigurationName/=", "scalingPolicy:*:…"},
	"backup":                  {"backup-plan:*", "recovery-point:*"},
	"batch":                   {"job/*", "job-definition/=:*"},
	"cloudformation": {
		"stack/=/*", "changeSet/=/*", "stackset/=:*",
	},
	"cloudfront": {
		"distribution/*", "origin-access-identity/*", "origin-access-control/*", "cache-policy/*", "origin-request-policy/*",
		"response-headers-policy/*", "field-level-encryption-config/*", "key-value-store/*",
	},
	"codebuild":            {"build/=:*"},
	"codeconnections":      {"connection/*"},
	"codestar-connections": {"connection/*"},
	"cognito-identity":     {"identitypool/*"},
	"cognito-idp":          {"userpool/*"},
	"dms":                  {"endpoint:*", "rep:*", "task:*", "subgrp:="},
	"dynamodb":             {"table/=/stream/*", "table/=/backup/*", "table/=/export/*", "table/=/import/*"},
	// Everything of EC2 is called by a generated id but these two.
	"ec2":               {"key-pair/+", "placement-group/+", "=/*"},
	"ecs":               {"task/=/*", "container-instance/=/*", "task-definition/=:*", "task-set/=/=/*"},
	"eks":               {"nodegroup/=/=/*", "fargateprofile/=/=/*", "addon/=/=/*", "access-entry/=/=/=/=/*", "identityproviderconfig/=/=/=/*", "podidentityassociation/=/*"},
	"elasticfilesystem": {"file-system/*", "access-point/*"},
	"elasticloadbalancing": {
		"loadbalancer/app/=/*", "loadbalancer/net/=/*", "loadbalancer/gwy/=/*", "targetgroup/=/*",
		"listener/app/=/*/*", "listener/net/=/*/*", "listener/gwy/=/*/*", "listener-rule/app/=/*/*/*", "listener-rule/net/=/*/*/*",
	},
	"elasticmapreduce":  {"cluster/*", "editor/*", "studio/*"},
	"events":            {"connection/=/*", "api-destination/=/*"},
	"fsx":               {"file-system/*", "backup/*", "volume/*/*", "storage-virtual-machine/*/*"},
	"globalaccelerator": {"accelerator/*/listener/*/endpoint-group/*", "accelerator/*/listener/*", "accelerator/*"},
	"guardduty":         {"detector/*/filter/=", "detector/*"},
	"iam":               {"oidc-provider/+/id/*"}, // an EKS cluster's issuer
	"kafka":             {"cluster/=/*", "configuration/=/*", "topic/=/*/=", "group/=/*/="},
	"kinesis":           {"stream/=/consumer/=:*"},
	"kms":               {"key/*"},
	"lambda":            {"event-source-mapping:*", "code-signing-config:*", "layer:=:*"},
	"logs":              {"log-group:+:log-stream:*", "anomaly-detector:*", "delivery:*", "scheduled-query:*"},
	"mq":                {"broker:=:*", "configuration:*"},
	"organizations":     {"account/=/*", "ou/=/*", "policy/=/=/*"},
	"ram":               {"resource-share/*", "resource-share-invitation/*"},
	"route53":           {"hostedzone/*", "healthcheck/*", "change/*", "delegationset/*"},
	"route53resolver":   {"resolver-endpoint/*", "resolver-rule/*", "firewall-rule-group/*", "firewall-domain-list/*", "resolver-query-log-config/*"},
	"servicediscovery":  {"namespace/*", "service/*"},
	"sns":               {"=:*"}, // a subscription; topics have no second part
	"ssm": {
		"association/*", "maintenancewindow/*", "patchbaseline/*", "session/*", "managed-instance/*", "windowtarget/*", "windowtask/*",
		"automation-execution/*", "opsitem/*", "opsmetadata/*",
	},
	"states":      {"execution:=:*", "express:=:*", "mapRun:=:*", "stateMachine:=:*"},
	"transfer":    {"server/*", "user/*/=", "workflow/*"},
	"vpc-lattice": {"service/*", "servicenetwork/*", "targetgroup/*"},
	"wafv2": {
		"regional/webacl/=/*", "global/webacl/=/*", "regional/ipset/=/*", "global/ipset/=/*", "regional/rulegroup/=/*",
		"global/rulegroup/=/*", "regional/regexpatternset/=/*", "global/regexpatternset/=/*",
	},
}

// widenBy fits a resource to a shape and widens it.
func widenBy(shape, s string) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(shape); i++ {
		c := shape[i]
		switch {
		case strings.HasPrefix(shape[i:], rest):
			return out.String() + s, true
		case c == '=' || c == '+' || c == '*':
			literal := shape[i+1:]
			if j := strings.IndexAny(literal, "=+*"+rest); j >= 0 {
				literal = literal[:j]
			}
			last := i+1 == len(shape)
			n := len(s)
			if !last {
				n = strings.Index(s, literal)
			}
			if n < 0 || n == 0 && c != '*' {
				return "", false
			}
			if strings.Contains(s[:n], "/") && (c == '=' || c == '*' && !last) {
				return "", false
			}
			if c == '*' {
				out.WriteByte('*')
			} else {
				out.WriteString(s[:n])
			}
			s = s[n:]
		default:
			if s == "" || s[0] != c {
				return "", false
			}
			out.WriteByte(c)
			s = s[1:]
		}
	}
	return out.String(), s == ""
}

// widenSecret replaces the six characters that Secrets Manager adds to a
// secret's name ("If you don't know the random characters, use six question
// marks", Secrets Manager User Guide, "Permissions policy examples").
func widenSecret(resource string) string {
	name, ok := strings.CutPrefix(resource, "secret:")
	i := len(name) - 7
	if !ok || i < 1 || name[i] != '-' {
		return resource
	}
	for _, c := range []byte(name[i+1:]) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return resource
		}
	}
	return "secret:" + name[:i+1] + "??????"
}

// untyped are the services whose ARNs say no type before the name (Service
// Authorization Reference, "Resource types").
var untyped = map[string]bool{"codecommit": true, "codepipeline": true, "sns": true, "sqs": true}

// OfType replaces the whole name in an AWS resource by a wildcard, and leaves its
// type: arn:aws:iam::111122223333:role/worker becomes …:role/*. What follows a
// name, as a table's index or an object's key does, is a part of it. What is no
// ARN stays.
func OfType(resource string) string {
	part := strings.SplitN(resource, ":", 6)
	if len(part) != 6 || part[0] != "arn" {
		return resource
	}
	service, name := part[2], part[5]
	switch {
	case service == "s3" && part[3] == "" && part[4] == "":
		part[5] = "*"
		if strings.Contains(name, "/") {
			part[5] = "*/*"
		}
	case untyped[service]:
		part[5] = "*"
	default:
		lead := len(name) - len(strings.TrimPrefix(name, "/"))
		part[5] = name[:lead+strings.IndexAny(name[lead:], ":/")+1] + "*"
	}
	return strings.Join(part, ":")
}
