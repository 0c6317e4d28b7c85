package aws

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/doing"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// The ways in which clients name the call that was refused.
var (
	whenCalling    = expr.New(`when calling the (\w+) operation`)
	operationError = expr.New(`operation error ([A-Za-z0-9 ]+?): (\w+),`)
	fromAPI        = expr.New(`API: ([a-z0-9-]+):([A-Za-z0-9]+)`)
	fromPHP        = expr.New(`Error executing "(\w+)" on "https?://([a-z0-9-]+)\.`)
	fromJS         = expr.New(`deserializeAws_[a-z]+?\d*?_?\d*([A-Z]\w*?)CommandError|\bde_([A-Z]\w*?)CommandError`)
	fromBoto       = expr.New(`get_(?:list|object|status)\('([A-Z]\w+)'`)
	fromCDK        = expr.New(`Call failed: ([a-z][A-Za-z0-9]+)\(`)
	fromTrail      = expr.New(`"eventSource"\s*:\s*"([a-z0-9-]+)\.amazonaws\.com"\s*,\s*"eventName"\s*:\s*"(\w+)"`)
	fromJava       = expr.New(`\bat (?:com\.amazonaws\.services|software\.amazon\.awssdk\.services)\.([a-z0-9]+)\.(?:\w+\.)*\w*Client\.([a-z]\w+)\(`)
	serviceJava    = expr.New(`\(Service: ([A-Za-z0-9 ]{1,60})[;,] Status Code: 403`)
	commandLine    = expr.New(`\baws (?:--\S+ (?:[^-\s]\S* )?)*([a-z][a-z0-9-]+) ([a-z][a-z0-9]*(?:-[a-z0-9]+)+)\b`)
	commandS3      = expr.New(`\baws (?:--\S+ (?:[^-\s]\S* )?)*s3 (cp|sync|mv|ls|rm|mb|rb)\b`)
)

// callAround reads which call the text around a refusal names. The nearer word
// wins, and an operation's own name before a tool's words for it.
func callAround(s string, from, to int) refusal.Call {
	at := doing.Around(s, from, to)
	line, rest, stack := at.Line, at.Rest, at.Stack
	message := s[from:to]
	if m := whenCalling.FindStringSubmatch(message + rest); m != nil {
		return refusal.Call{Operation: m[1]}
	}
	for _, form := range []struct {
		re                 *expr.Regexp
		service, operation int
	}{{operationError, 1, 2}, {fromAPI, 1, 2}, {fromPHP, 2, 1}, {whenCalling, 0, 1}} {
		if all := form.re.FindAllStringSubmatch(line, -1); all != nil {
			m := all[len(all)-1]
			c := refusal.Call{Operation: m[form.operation]}
			if form.service > 0 {
				c.Service = m[form.service]
			}
			return c
		}
	}
	if all := fromTrail.FindAllStringSubmatch(line, -1); all != nil {
		m := all[len(all)-1]
		return refusal.Call{Service: m[1], Operation: m[2]}
	}
	// The first frame of a client's own method, which calls those that invoke.
	for _, m := range fromJava.FindAllStringSubmatch(stack, -1) {
		if op := m[2]; !inner(op) {
			if known := javaNames[op]; known != "" {
				op = known
			}
			return refusal.Call{Service: m[1], Operation: strings.ToUpper(op[:1]) + op[1:]}
		}
	}
	for _, re := range []*expr.Regexp{fromJS, fromBoto, fromCDK} {
		for _, text := range []string{message + stack, line} {
			if m := re.FindStringSubmatch(text); m != nil {
				op := m[1]
				if op == "" && len(m) > 2 {
					op = m[2]
				}
				return refusal.Call{Operation: strings.ToUpper(op[:1]) + op[1:]}
			}
		}
	}
	c := at.Told()
	if m := serviceJava.FindStringSubmatch(message + rest); m != nil {
		c.Service = m[1]
		if c.Verb == "" && c.Type == "" && strings.HasSuffix(m[1], "S3") {
			c.Operation = "HeadObject" // what it says no more of is a HEAD
		}
	}
	if (c != refusal.Call{}) {
		return c
	}
	if all := commandLine.FindAllStringSubmatch(at.Before, -1); all != nil {
		m := all[len(all)-1]
		return refusal.Call{Service: m[1], Operation: pascal(m[2])}
	}
	if all := commandS3.FindAllStringSubmatch(at.Before, -1); all != nil {
		return refusal.Call{Service: "s3", Verb: all[len(all)-1][1], Noun: "object"}
	}
	return at.Earlier()
}

// ofCode adds to a call what the code of its refusal says of it, which stands in s
// with its message: only EC2 says UnauthorizedOperation, and only S3 answers a HEAD
// with nothing but a status, of which the SDKs make "Forbidden".
func ofCode(c refusal.Call, code, near string) refusal.Call {
	switch {
	case c.Service != "" || c.Operation != "":
	case code == "UnauthorizedOperation" && c != (refusal.Call{}):
		c.Service = "EC2"
	case code == "Forbidden" && c == (refusal.Call{}) && headOnly.MatchString(near):
		c = refusal.Call{Service: "S3", Operation: "HeadObject"}
	}
	return c
}

var headOnly = expr.New(`Forbidden: (?:null|Forbidden\s[^\n]{0,120}(?:host id|HostID):)`)

// inner tells the methods of a Java client that its operations go through.
func inner(method string) bool {
	for _, name := range []string{"invoke", "doInvoke", "execute", "lambda$", "beforeClientExecution"} {
		if strings.HasPrefix(method, name) {
			return true
		}
	}
	return false
}

// javaNames are methods of the SDK for Java 1.x that are not called like their
// operation.
var javaNames = map[string]string{
	"getObjectMetadata": "HeadObject", "doesObjectExist": "HeadObject", "doesBucketExist": "HeadBucket", "headBucket": "HeadBucket",
	"listNextBatchOfObjects": "ListObjects", "getBucketAcl": "GetBucketAcl", "setBucketPolicy": "PutBucketPolicy",
}

// pascal is an operation's name for the CLI's name of it: "run-instances".
func pascal(s string) string {
	var b strings.Builder
	for _, word := range strings.Split(s, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
