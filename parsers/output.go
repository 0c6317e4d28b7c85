package parsers

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/plain"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// MaxDenials bounds how many different denials are kept of one output.
const MaxDenials = 10_000

// ErrTooMany says that an output holds more than MaxDenials different denials;
// the first ones come with it.
var ErrTooMany = errors.New("more different refusals than can be kept")

// hints are the words without which no refusal of any cloud is written: where
// none stands, nobody looks closer. They are single words, since a line break
// can stand between any two.
var hints = plain.NewWords(
	// refused
	"denied", "authorized", "authorizationf", "authorizationp", "authorizatione", "authorizationexc", "forbidden", "permission",
	"insufficient", "disallowed", "prohibited", "violat", "scopelocked", "are locked", "be assumed", "assume role", "assume iam",
	"error 403", "error 401", "code: 403", "code: 401", "code=403", "code=401", "code 403", "code 401", "status 403", "status 401", " (403)",
	"permitted", "assume the", "act as", "out while", "not have", "'t have", "t\nhave",
	// not known
	"expired", "unauthenticated", "aadsts", "credentials", "signaturedoesnotmatch", "signature we", "incompletesignature", "invalidsignature", "not yet current",
	"invalidclienttoken", "unrecognizedclient", "invalidaccesskey", "access key id", "missingauthentication", "invalidauthentication", "authenticationf",
	"authenticationtoken", "security token", "authfailure", "tooskewed", "the current time", "malformed", "basic auth", "noauthentication", "invalid_grant", "invalid_client",
	"anonymous", "api_key_invalid", "refresh token", "reauthentication", "active account", "invalidtoken", "sso session", "federated token", "az login", "authentication required",
	// not enabled, too much
	"_disabled", "is disabled", "been used", "accessnotconfigured", "not configured", "not enabled", "optinrequired", "subscri", "unregistered", "be registered",
	"exceeded", "throttl", " quota", "'quota", "\"quota", "_quota", "quotae", "quota_", "quotagroup", "slowdown", "many requests", "toomanyrequests", "vcpu capacity", "countlimit",
	"accessdisabled", "accountproblem", "invalidsecurity", "securityheader", "tokenrefresh", "priorrequest", "manybuckets", "notsignedup", "regiondisabled", "invalidpayer", "requesttorrent",
	"billing must", "billing to be", "billing is", "billing has", "billingnot", "billing account", "invalidobjectstate", "be addressed using", "while connecting",
	"valid credential", "nocredentialprov", "signature version 4", "requested more", "unexpected status", "failed with status",
	"linkedaccess", "for template resource", "requestfailedexc", "authentication failed", "exceeding", "failed to authenticate", "oauth token:", "required data action",
	"resource_exhausted", "access_token_", "access boundar", "deny polic", "blocked by", "blocked due", "blocked because", "org policy", "organization policy", "vpc service controls",
	"vpc_service_controls", "vpcservicecontrols", "error 429", "invalid_rapt", "fetch token", "constraints/", "t actas", "o actas", ".actas", "login required", "required authentication",
	"must be verified", "service linked role", "service-linked role", "does not support", "firewall", "byconnection", "ciphertext refers",
)

// FromOutput finds refusals in what a tool printed. They are hints for people:
// anything can print the words of a refusal.
func FromOutput(text string) []refusal.Denial {
	denials, _ := Scan(strings.NewReader(text)) // reading a string does not fail
	return denials
}

// Scan finds the refusals in a tool's output of any length, in the order in
// which they stand there and each once, in memory that does not grow with it.
// Without clouds it looks for those of every cloud.
//
// Each Evidence is an excerpt of the output as [plain.Clean] gives it: exactly as
// the tool printed it, but for colour, boxes, escapes and the line breaks inside
// a sentence. The error is the reader's or [ErrTooMany]; what was found before it
// is given too.
func Scan(r io.Reader, only ...refusal.Cloud) ([]refusal.Denial, error) {
	return scan(r, MaxDenials, only)
}

func scan(r io.Reader, most int, only []refusal.Cloud) ([]refusal.Denial, error) {
	var all []refusal.Denial
	seen := map[string]bool{}
	err := plain.Scan(r, hints, func(p plain.Piece) error {
		for _, f := range readPiece(p, only) {
			key := identity(f)
			if seen[key] {
				continue
			}
			if len(all) == most {
				return ErrTooMany
			}
			seen[key] = true
			all = append(all, f)
		}
		return nil
	})
	return withoutEcho(all), err
}

// identity is what two denials have in common that say the same.
func identity(d refusal.Denial) string {
	said, encoded := "", ""
	if d.Permission == "" {
		encoded = d.Encoded // of each request another
	}
	if d.Permission == "" && len(d.Candidates) == 0 && (d.Call == refusal.Call{}) && d.Blocker == "" {
		said = d.Evidence
	}
	return fmt.Sprintf("%q", []any{d.Cloud, d.Reason, d.Permission, d.Resource, d.Principal, d.Blocker, d.Candidates, d.Call, encoded, said})
}

// withoutEcho drops what says the same as another denial and less: tools print a
// refusal once with its resource or principal and once without.
func withoutEcho(all []refusal.Denial) []refusal.Denial {
	if len(all) > 200 {
		return all
	}
	covers := func(long, short refusal.Denial) bool {
		return long.Cloud == short.Cloud && long.Reason == short.Reason && long.Permission == short.Permission && short.Permission != "" &&
			long.Blocker == short.Blocker && (short.Resource == "" || short.Resource == long.Resource) && (short.Principal == "" || short.Principal == long.Principal) &&
			(long.Resource != short.Resource || long.Principal != short.Principal)
	}
	return slices.DeleteFunc(slices.Clone(all), func(d refusal.Denial) bool {
		return slices.ContainsFunc(all, func(o refusal.Denial) bool { return covers(o, d) })
	})
}

// place is a denial with where its evidence stands.
type place struct {
	refusal.Denial
	from, to int
}

// readPiece asks the parsers. Where two clouds claim the same words, the one that
// reads more in them is believed.
func readPiece(p plain.Piece, only []refusal.Cloud) []refusal.Denial {
	var found []place
	for _, c := range clouds {
		if len(only) > 0 && !slices.Contains(only, c.name) {
			continue
		}
		for _, d := range c.text(p.Text) {
			f := place{Denial: d}
			if f.from = strings.Index(p.Text, d.Evidence); f.from < 0 {
				f.from = 0
			}
			f.to = f.from + len(d.Evidence)
			found = append(found, f)
		}
	}
	var denials []refusal.Denial
	for i, f := range found {
		beaten := slices.ContainsFunc(found[:i], func(o place) bool { return beats(p.Text, o, f, true) }) ||
			slices.ContainsFunc(found[i+1:], func(o place) bool { return beats(p.Text, o, f, false) })
		if !beaten && p.Own(f.from) {
			denials = append(denials, f.Denial)
		}
	}
	return denials
}

// beats tells whether o takes the words of f for its cloud. first says that o was
// read before f, which settles it between equals.
func beats(text string, o, f place, first bool) bool {
	if o.Cloud == f.Cloud {
		return false
	}
	if o.Permission != "" && f.Permission != "" && (o.to <= f.from || f.to <= o.from) {
		return false // each is of its own cloud's grammar
	}
	between := ""
	switch {
	case o.to <= f.from:
		between = text[o.to:f.from]
	case f.to <= o.from:
		between = text[f.to:o.from]
	}
	if strings.Count(between, "\n") > 2 || len(between) > 300 {
		return false
	}
	if a, b := weight(o.Denial), weight(f.Denial); a != b {
		return a > b
	}
	lo, hi := min(o.from, f.from), max(o.to, f.to)
	near := text[max(0, lo-400):min(len(text), hi+400)]
	if a, b := marks(near, o.Cloud), marks(near, f.Cloud); a != b {
		return a > b
	}
	return first
}

// weight orders denials by how much they say.
func weight(d refusal.Denial) int {
	switch {
	case d.Permission != "":
		return 4
	case d.Blocker != "":
		return 3
	case len(d.Candidates) > 0 || d.Encoded != "":
		return 2
	case d.Call.Operation != "" || d.Call.Type != "" || d.Call.URL != "":
		return 1
	}
	return 0
}

// words that stand in the output of one cloud's tools.
var ofCloud = map[refusal.Cloud][]string{
	refusal.AWS:   {"arn:aws", "amazonaws", "aws_", "aws ", "AWS", "operation error ", "when calling the ", "host id:", "botocore", "S3", "ecr"},
	refusal.GCP:   {"googleapi", "google_", "gcloud", "projects/", "PERMISSION_DENIED", "gserviceaccount", "gs://", "Google", "gsutil", "oogle"},
	refusal.Azure: {"azurerm", "/subscriptions/", "Microsoft.", "azure", "Azure", "AADSTS", "object id", "windows.net"},
}

func marks(text string, c refusal.Cloud) int {
	n := 0
	for _, m := range ofCloud[c] {
		n += strings.Count(text, m)
	}
	return n
}
