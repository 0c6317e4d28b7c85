package aws

import (
	"strings"

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

	address = expr.New(`\b(data\.)?(aws_[a-z0-9_]+)\.[\w-]+`)
	doing   = expr.New(`(?i)\b(creating|create|reading|read|updating|update|modifying|deleting|delete|describing|describe|listing|list|getting|get|fetching|querying|retrieving|finding|looking up|refreshing|loading|validating|launching|putting|put|setting|tagging|attaching|detaching|waiting for|requesting|enabling|registering|authorizing|importing)\s+((?:[A-Za-z0-9/_-]+\s?){1,7})`)
)

// verbs gives the verb of a Call for a tool's word.
var verbs = map[string]string{
	"creating": "create", "create": "create", "launching": "create", "requesting": "create", "registering": "create", "importing": "create",
	"reading": "read", "read": "read", "describing": "read", "describe": "read", "getting": "read", "get": "read", "fetching": "read",
	"querying": "read", "retrieving": "read", "finding": "read", "looking up": "read", "refreshing": "read", "loading": "read",
	"validating": "read", "waiting for": "read",
	"listing": "list", "list": "list",
	"updating": "update", "update": "update", "modifying": "update", "putting": "put", "put": "put", "setting": "put",
	"tagging": "tag", "attaching": "attach", "detaching": "detach", "enabling": "enable", "authorizing": "authorize",
	"deleting": "delete", "delete": "delete",
}

// Reach of the words around a refusal, in bytes.
const (
	reachBack  = 500
	reachAhead = 700
)

// callAround reads which call the text around a refusal names. The nearer word
// wins, and an operation's own name before a tool's words for it.
func callAround(s string, from, to int) refusal.Call {
	before := s[max(0, from-reachBack):from]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	after := s[to:min(len(s), to+reachAhead)]
	message := s[from:to]
	rest, _, _ := strings.Cut(after, "\n")
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
	// A stack under the message ends at the next error.
	stack := after
	if i := strings.Index(stack, "Error: "); i > 0 {
		stack = stack[:i]
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
	var c refusal.Call
	if all := doing.FindAllStringSubmatch(line, -1); all != nil {
		m := all[len(all)-1]
		// "Error in driver during machine creation: Error launching instance".
		c.Verb, c.Noun = verbs[strings.ToLower(m[1])], strings.TrimSpace(m[2])
	}
	if all := address.FindAllStringSubmatch(line, -1); all != nil {
		c.Type = all[len(all)-1][2]
		if all[len(all)-1][1] != "" && c.Verb == "" {
			c.Verb = "read"
		}
	} else if m := address.FindStringSubmatch(stack); m != nil && strings.Contains(stack, "with ") {
		c.Type = m[2]
		if m[1] != "" && c.Verb == "" {
			c.Verb = "read"
		}
	}
	if m := serviceJava.FindStringSubmatch(message + rest); m != nil {
		c.Service = m[1]
		if c.Verb == "" && c.Type == "" && strings.HasSuffix(m[1], "S3") {
			c.Operation = "HeadObject" // what it says no more of is a HEAD
		}
	}
	if (c != refusal.Call{}) {
		return c
	}
	if all := commandLine.FindAllStringSubmatch(before, -1); all != nil {
		m := all[len(all)-1]
		return refusal.Call{Service: m[1], Operation: pascal(m[2])}
	}
	if all := commandS3.FindAllStringSubmatch(before, -1); all != nil {
		return refusal.Call{Service: "s3", Verb: all[len(all)-1][1], Noun: "object"}
	}
	return refusal.Call{}
}

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
