package lifecycle

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// StartAudit is a Start that Used says more of.
const StartAudit = "audit"

// Used says of whose real use, and of what time, the roles' start is made.
type Used struct {
	// Principal is who is there already, as the cloud's audit log names him: a service
	// account's or user's address on Google Cloud, a role's or user's ARN on AWS, an
	// object id on Azure.
	Principal string
	// Since and Until bound the time, both included. A zero Since is 30 days ago, with
	// Files the beginning; a zero Until is now.
	Since Moment `json:",omitzero"`
	Until Moment `json:",omitzero"`
	// Files are exported logs, or folders of them, that are read in place of the log
	// of where the lifecycle runs.
	Files []string `json:",omitempty"`
	// Line is where in the file it stands, from 1.
	Line int
}

// Moment is a time, or how long before another it is.
type Moment struct {
	At  time.Time     `json:",omitzero"`
	Ago time.Duration `json:",omitempty"`
}

// Before is the time that m is, seen from now.
func (m Moment) Before(now time.Time) time.Time {
	if !m.At.IsZero() {
		return m.At
	}
	return now.Add(-m.Ago)
}

// usual is how far back a log is read where nothing is said.
const usual = 30 * 24 * time.Hour

// Window is the time that u is about, seen from now.
func (u Used) Window(now time.Time) (from, to time.Time) {
	from, to = u.Since.Before(now), u.Until.Before(now)
	if u.Since == (Moment{}) {
		if from = now.Add(-usual); len(u.Files) > 0 {
			from = time.Time{}
		}
	}
	return from, to
}

// kept is how long a cloud's log is there to be asked. Sources: CloudTrail User Guide,
// "Working with CloudTrail event history"; Azure Monitor, "Activity log", retention;
// Cloud Logging, "Quotas and limits", retention of the bucket _Required.
var kept = map[string]time.Duration{"aws": 90 * 24 * time.Hour, "azure": 90 * 24 * time.Hour, "gcp": 400 * 24 * time.Hour}

// days is a duration in whole days, which Go's own do not have.
var days = regexp.MustCompile(`^([1-9][0-9]{0,4})d$`)

// parseMoment reads "30d", "12h", "2026-10-01" or "2026-10-01T08:00:00Z".
func parseMoment(text string) (Moment, error) {
	if m := days.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		return Moment{Ago: time.Duration(n) * 24 * time.Hour}, err
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return Moment{Ago: d}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return Moment{At: at.UTC()}, nil
		}
	}
	return Moment{}, fmt.Errorf("%q is no time", text)
}

const startForms = "empty, record, a role's file, or {audit: {principal: …, since: 30d}}"

// start reads what the roles begin with.
func (r *reader) start(n node, at place, l *Lifecycle) {
	if _, ok := r.TextOf(n); ok {
		switch l.Start = r.Text(n, at, "start"); l.Start {
		case "empty", "record":
		case StartAudit:
			r.Fail(r.In(n, at), `"start" cannot be audit alone: say whose use, {audit: {principal: …, since: 30d}}; a file of that name is ./audit`)
		default:
			r.refer(r.In(n, at), "start", l.Start, "file")
		}
		return
	}
	had := r.Mistakes()
	found := r.Fields(n, at, `"start"`, startForms, startKeys, map[string]func(node, place){
		"audit": func(n node, at place) { l.Start, l.Used = StartAudit, r.used(n, at) },
	})
	if len(found) == 0 && r.Mistakes() == had {
		r.Fail(r.In(n, at), `"start" takes %s`, startForms)
	}
}

// used reads whose use the roles begin with. What hangs on the cloud is looked at by
// fitsUsed, when all is read.
func (r *reader) used(n node, at place) *Used {
	u := &Used{Line: at.Line}
	moment := func(key string, to *Moment) func(node, place) {
		return func(n node, at place) {
			text, ok := r.Written(n)
			m, err := parseMoment(text)
			if !ok || err != nil {
				r.Fail(r.In(n, at), `%q takes how long ago, 30d or 12h, or a date, 2026-10-01 or 2026-10-01T08:00:00Z, not %s`, key, strconv.Quote(text))
			}
			*to, r.usedAt.window = m, r.In(n, at)
		}
	}
	found := r.Fields(n, at, `"audit"`, "principal, since, until and files", usedKeys, map[string]func(node, place){
		"principal": func(n node, at place) {
			r.usedAt.principal = r.In(n, at)
			u.Principal, _ = r.Written(n) // an object id can look like a number
			if u.Principal == "" || strings.ContainsAny(u.Principal, " \t\r\n\x00\"") {
				r.Fail(r.usedAt.principal, `"principal" takes an identity as the audit log names it, not %s`, r.Kind(n))
			}
		},
		"since": moment("since", &u.Since),
		"until": moment("until", &u.Until),
		"files": func(n node, at place) {
			for _, i := range r.Texts(n, at, "files", true, false) {
				r.refer(i.At, "files", i.Text, "file or folder")
				u.Files = append(u.Files, i.Text)
			}
		},
	})
	if _, ok := found["principal"]; found != nil && !ok {
		r.Fail(at, `"audit" needs a principal: whose use the roles begin with`)
	}
	return u
}

var (
	googleMember = regexp.MustCompile(`^((serviceAccount|user):)?[^@:/]+@[^@:/]+$`)
	awsPrincipal = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$`)
	awsSession   = regexp.MustCompile(`^arn:aws[a-z-]*:sts::[0-9]{12}:assumed-role/([^/]+)`)
)

// fitsUsed checks what of Used hangs on the cloud.
func (r *reader) fitsUsed(l Lifecycle) {
	u := l.Used
	if u == nil || u.Principal == "" {
		return
	}
	if at := r.usedAt.principal; !r.WrongAt(at) {
		session := awsSession.FindStringSubmatch(u.Principal)
		switch {
		case l.Cloud == "aws" && session != nil:
			r.Fail(at, `"principal" cannot be a session: write the ARN of its role, arn:aws:iam::…:role/%s with its path`, session[1])
		case l.Cloud == "aws" && !awsPrincipal.MatchString(u.Principal):
			r.Fail(at, `"principal" on aws is the ARN of a role or user, arn:aws:iam::123456789012:role/deployer for one, not %q`, u.Principal)
		case l.Cloud == "gcp" && !googleMember.MatchString(u.Principal):
			r.Fail(at, `"principal" on gcp is an account's address, deployer@my-project.iam.gserviceaccount.com for one, not %q`, u.Principal)
		case l.Cloud == "azure" && !subscriptionID.MatchString(u.Principal):
			r.Fail(at, `"principal" on azure is an object id, 01234567-89ab-cdef-0123-456789abcdef for one, not %q`, u.Principal)
		}
	}
	if most := kept[l.Cloud]; most > 0 && len(u.Files) == 0 && u.Since.Ago > most {
		r.Fail(r.usedAt.window, `"since" is before the log begins: that of %s goes back %d days; for more name files that were exported`, l.Cloud, int(most.Hours())/24)
	}
	if u.nothing() {
		r.Fail(r.usedAt.window, `"since" is not before "until": nothing lies between them`)
	}
}

// nothing tells whether no time can lie between since and until, whatever the time is.
func (u Used) nothing() bool {
	since := u.Since
	if since == (Moment{}) && len(u.Files) == 0 {
		since.Ago = usual
	}
	switch {
	case !since.At.IsZero() && !u.Until.At.IsZero():
		return !since.At.Before(u.Until.At)
	case since.Ago > 0 && u.Until.Ago > 0:
		return since.Ago <= u.Until.Ago
	}
	return false
}

// Trail is where a trail of AWS's delivers its log files.
type Trail struct {
	Bucket string
	// Prefix is what their keys begin with, without a slash at its end: what stands
	// before AWSLogs, or all up to the accounts, as in AWSLogs/o-exampleorgid.
	Prefix string `json:",omitempty"`
}

// trailAddress is a bucket with a prefix. Sources: Amazon S3 User Guide, "Bucket naming
// rules"; CloudTrail User Guide, "Finding your CloudTrail log files".
var trailAddress = regexp.MustCompile(`^s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()-]+)*)/?$`)

// audit reads whether the log is looked at, and where a trail's files are.
func (r *reader) audit(n node, at place) (on bool, trail Trail) {
	if k := r.Kind(n); k != "a map" {
		return r.Boolean(n, at, "audit"), trail
	}
	had := r.Mistakes()
	found := r.Fields(n, at, `"audit"`, "true, false or {trail: s3://bucket/prefix}", auditKeys, map[string]func(node, place){
		"trail": func(n node, at place) {
			text := r.Text(n, at, "trail")
			m := trailAddress.FindStringSubmatch(text)
			if m == nil {
				if text != "" {
					r.Fail(r.In(n, at), `"trail" takes the bucket that a trail delivers to, with the trail's prefix, s3://acme-trail/prefix for one, not %q`, text)
				}
				return
			}
			trail = Trail{Bucket: m[1], Prefix: strings.TrimPrefix(m[2], "/")}
		},
	})
	if len(found) == 0 && r.Mistakes() == had {
		r.Fail(r.In(n, at), `"audit" has no trail: write true, or {trail: s3://bucket/prefix}`)
	}
	return true, trail
}
