// Package sts is the security token service of the embedded AWS sandbox: it
// knows the account's credentials, makes sessions of roles, and encodes and
// decodes authorization messages.
//
// A caller was authenticated and authorized before; the role's trust policy
// was part of that.
package sts

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/wire"
)

// Service answers requests to STS.
type Service struct {
	Ring    *Ring
	Sealer  Sealer
	Account string
	// State is asked for what a view does not hold.
	State account.Querier
}

// Call is a request that was authorized.
type Call struct {
	Request   *http.Request
	Operation string
	Params    url.Values
	Who       account.Principal
	// Session tells that the caller's own credentials are temporary.
	Session   bool
	View      *account.View
	Partition string
}

// NotServedError is a request that the service does not know.
type NotServedError struct{ Detail string }

func (e *NotServedError) Error() string { return e.Detail }

// Serve answers a call. The error is a [*NotServedError] or that the state
// failed; nothing was answered then.
func (s *Service) Serve(ctx context.Context, w http.ResponseWriter, c Call) error {
	switch c.Operation {
	case "GetCallerIdentity":
		c.answer(w, "<Arn>"+wire.Escape(c.Who.ARN)+"</Arn><UserId>"+wire.Escape(c.Who.UserID)+"</UserId><Account>"+s.Account+"</Account>")
	case "AssumeRole":
		return s.assumeRole(ctx, w, c)
	case "GetSessionToken":
		s.sessionToken(w, c)
	case "DecodeAuthorizationMessage":
		message, err := s.Sealer.open(c.Params.Get("EncodedMessage"))
		if err != nil {
			c.refuse(w, http.StatusBadRequest, "InvalidAuthorizationMessageException", "Message is not valid")
			return nil
		}
		c.answer(w, "<DecodedMessage>"+wire.Escape(message)+"</DecodedMessage>")
	default:
		return &NotServedError{"sts:" + c.Operation + " has a row in the gate's tables, but is not served"}
	}
	return nil
}

// answer gives a result in the query protocol.
func (c Call) answer(w http.ResponseWriter, result string) {
	id := wire.NewIDs(wire.Query)
	id.Stamp(w.Header(), wire.Query)
	op := c.Operation
	body := fmt.Sprintf("<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <%sResult>%s</%sResult>\n  <ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>\n</%sResponse>\n",
		op, op, result, op, id.Request, op)
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	w.Write([]byte(body)) //nolint:errcheck // the client hung up
}

func (c Call) refuse(w http.ResponseWriter, status int, code, message string) {
	wire.Write(w, c.Request, "sts", wire.Error{Status: status, Code: code, Message: message})
}

// invalid answers with a ValidationError.
func (c Call) invalid(w http.ResponseWriter, message string) {
	c.refuse(w, http.StatusBadRequest, "ValidationError", message)
}

// sessionName is the form of a role session's name (AssumeRole, AWS STS API
// reference).
var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

func (s *Service) assumeRole(ctx context.Context, w http.ResponseWriter, c Call) error {
	arn, name := c.Params.Get("RoleArn"), c.Params.Get("RoleSessionName")
	role := c.View.Roles[arn[strings.LastIndexByte(arn, '/')+1:]]
	if role == nil || role.ARN != arn {
		// STS does not tell a role that is not there, or not yet, from one that
		// may not be assumed. The gate says so first, unless it is open.
		c.refuse(w, http.StatusForbidden, "AccessDenied", "User: "+c.Who.ARN+" is not authorized to perform: sts:AssumeRole on resource: "+arn)
		return nil
	}
	if c.Params.Has("PolicyArns.member.1.arn") {
		return &NotServedError{"sts:AssumeRole with PolicyArns is not served; pass the policy itself as Policy"}
	}
	longest, err := s.longest(ctx, role.Name)
	if err != nil {
		return err
	}
	lasts, ok := duration(c.Params, time.Hour)
	switch {
	case !sessionName.MatchString(name):
		c.invalid(w, "1 validation error detected: Value '"+name+"' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*")
		return nil
	case !ok || lasts < 15*time.Minute || lasts > 12*time.Hour:
		c.invalid(w, "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200")
		return nil
	case c.Who.Role != "" && lasts > time.Hour:
		c.invalid(w, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
		return nil
	case lasts > longest:
		c.invalid(w, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
		return nil
	}
	who := account.Principal{
		ARN:    "arn:" + c.Partition + ":sts::" + s.Account + ":assumed-role/" + role.Name + "/" + name,
		UserID: role.ID + ":" + name, Role: role.Name, ID: role.ID, SessionTags: map[string]string{},
	}
	for i := 1; c.Params.Has(fmt.Sprintf("Tags.member.%d.Key", i)); i++ {
		who.SessionTags[c.Params.Get(fmt.Sprintf("Tags.member.%d.Key", i))] = c.Params.Get(fmt.Sprintf("Tags.member.%d.Value", i))
	}
	if text := c.Params.Get("Policy"); text != "" {
		d, err := policy.Parse([]byte(text))
		if err != nil {
			c.refuse(w, http.StatusBadRequest, "MalformedPolicyDocument", err.Error())
			return nil
		}
		who.Session = []policy.Document{d}
	}
	c.answer(w, s.session(who, lasts)+"<AssumedRoleUser><AssumedRoleId>"+wire.Escape(who.UserID)+"</AssumedRoleId><Arn>"+wire.Escape(who.ARN)+"</Arn></AssumedRoleUser>")
	return nil
}

// longest is the role's MaxSessionDuration.
func (s *Service) longest(ctx context.Context, role string) (time.Duration, error) {
	status, body, err := s.State.Query(ctx, "iam", "us-east-1", url.Values{"Version": {"2010-05-08"}, "Action": {"GetRole"}, "RoleName": {role}})
	if err != nil {
		return 0, fmt.Errorf("role %s: %w", role, err)
	}
	var answer struct {
		Seconds int `xml:"GetRoleResult>Role>MaxSessionDuration"`
	}
	if status != http.StatusOK {
		return 0, fmt.Errorf("role %s: GetRole: status %d", role, status)
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("role %s: %w", role, err)
	}
	if answer.Seconds == 0 {
		return time.Hour, nil // what a role has that was made without
	}
	return time.Duration(answer.Seconds) * time.Second, nil
}

func duration(p url.Values, usual time.Duration) (time.Duration, bool) {
	if !p.Has("DurationSeconds") {
		return usual, true
	}
	seconds, err := strconv.ParseUint(p.Get("DurationSeconds"), 10, 31)
	return time.Duration(seconds) * time.Second, err == nil
}

// session makes a session and writes its credentials.
func (s *Service) session(who account.Principal, lasts time.Duration) string {
	id, made := s.Ring.open(who, lasts)
	return "<Credentials><AccessKeyId>" + id + "</AccessKeyId><SecretAccessKey>" + made.secret + "</SecretAccessKey><SessionToken>" + made.token +
		"</SessionToken><Expiration>" + made.expires.UTC().Format(time.RFC3339) + "</Expiration></Credentials>"
}

func (s *Service) sessionToken(w http.ResponseWriter, c Call) {
	if c.Session {
		c.refuse(w, http.StatusForbidden, "AccessDenied", "Cannot call GetSessionToken with session credentials")
		return
	}
	lasts, ok := duration(c.Params, 12*time.Hour)
	if !ok || lasts < 15*time.Minute || lasts > 36*time.Hour {
		c.invalid(w, "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 129600")
		return
	}
	c.answer(w, s.session(c.Who, lasts))
}
