package rules

import "strings"

// Names that services take in more forms than one.

// resourcePart is the last part of an ARN, "" for what is none.
func resourcePart(arn string) string {
	if !wellFormed(arn) {
		return ""
	}
	return strings.SplitN(arn, ":", 6)[5]
}

// customerKey is [evaluation.kmsKey] for a key that a service uses in the
// caller's name. It gives none for an AWS managed key ("alias/aws/…"): its
// policy lets everybody of the account use it through its service (KMS
// Developer Guide, "AWS managed keys").
func (e *evaluation) customerKey(id string) []value {
	if strings.HasPrefix(id, "alias/aws/") || strings.HasPrefix(resourcePart(id), "alias/aws/") {
		return nil
	}
	return e.kmsKey(id)
}

// named gives the resource that a service's own form of a name stands for.
func (e *evaluation) named(function, s string) []value {
	part := resourcePart(s)
	switch function {
	case "topic": // of a subscription's ARN, which is the topic's and an id
		if i := strings.LastIndexByte(s, ':'); strings.Contains(part, ":") {
			return []value{{s[:i], true}}
		}
		if part != "" {
			return []value{{s, true}}
		}
	case "group": // of a log group's name, or of its ARN with ":*" or without
		if part == "" {
			return []value{{text: s}}
		}
		if name, ok := strings.CutPrefix(part, "log-group:"); ok {
			name, _, _ = strings.Cut(name, ":")
			return []value{{text: name}}
		}
	case "bus": // what stands before a rule's name: nothing for the default bus
		if part != "" {
			s = strings.TrimPrefix(part, "event-bus/")
		}
		if s != "default" {
			return []value{{text: s + "/"}}
		}
	case "machine": // of the ARN of a state machine, or of its version or alias
		if parts := strings.SplitN(s, ":", 8); part != "" && len(parts) > 7 {
			return []value{{strings.Join(parts[:7], ":"), true}}
		}
		if part != "" {
			return []value{{s, true}}
		}
	case "parameter": // without the slash in front, and without ":VERSION" or ":LABEL"
		if part != "" {
			return []value{{s, true}}
		}
		s, _, _ = strings.Cut(strings.TrimPrefix(s, "/"), ":")
		if s != "" {
			return []value{{text: s}}
		}
	case "document": // those of AWS are in no account
		if part != "" {
			return []value{{s, true}}
		}
		if strings.HasPrefix(s, "AWS-") || strings.HasPrefix(s, "AWSEC2-") || strings.HasPrefix(s, "AWSSupport-") || strings.HasPrefix(s, "Amazon") {
			return []value{{e.fill("arn:{partition}:ssm:{region}::document/" + s), true}}
		}
		return []value{{text: s}}
	case "setting": // "/ssm/…" or its ARN
		if part != "" {
			return []value{{s, true}}
		}
		return []value{{text: strings.TrimPrefix(s, "/")}}
	}
	return nil
}
