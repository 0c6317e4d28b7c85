package report

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
)

// Refusal is one reply of the cloud that said no.
type Refusal struct {
	Time   time.Time `json:"time"`
	Status int       `json:"status,omitempty"`
	// Text is the cloud's own words.
	Text string `json:"text"`
	// Resource is what it was about, as the cloud named it.
	Resource string `json:"resource,omitempty"`
	Request  string `json:"request"`
}

// Shown is what certifying found of a grant.
type Shown struct {
	Time time.Time `json:"time"`
	// How is "withheld" (the request was refused on purpose) or "removed" (the grant
	// was really taken away), empty where the journal does not say.
	How string `json:"how,omitempty"`
	// Address is what failed then, as the tool names it: a Terraform address.
	Address string `json:"address,omitempty"`
}

// evidence is what the journal of a run shows, by step.
type evidence map[string]*stepEvidence

type stepEvidence struct {
	refused []journal.Event
	found   []journal.Event
	notes   []journal.Event // of runs without something
}

// read sorts a journal's events.
func read(events []journal.Event) evidence {
	all := make(evidence)
	for _, e := range events {
		if e.Step == "" {
			continue
		}
		s := all[e.Step]
		if s == nil {
			s = new(stepEvidence)
			all[e.Step] = s
		}
		switch {
		case e.Kind == journal.KindRefused && e.Denial != nil:
			s.refused = append(s.refused, e)
		case e.Kind == journal.KindFound:
			s.found = append(s.found, e)
		case e.Kind == journal.KindNote && (e.Pass == journal.PassCertify || e.Pass == journal.PassRemove):
			s.notes = append(s.notes, e)
		}
	}
	return all
}

// join puts what the journal has into a use.
func (e evidence) join(u Use, permission string) Use {
	s := e[u.Step]
	if s == nil {
		return u
	}
	if f := s.refusal(permission, u); f != nil {
		u.Refusal = &Refusal{
			Time: f.Time.UTC(), Status: f.Status, Text: Visible(f.Denial.Evidence), Resource: Visible(f.Denial.Resource), Request: Visible(f.Class),
		}
	}
	u.Shown = s.shown(permission, u)
	return u
}

// refusal is the refusal that a use comes from: of the same request and about the
// same permission and resource, or as near to that as there is.
func (s *stepEvidence) refusal(permission string, u Use) *journal.Event {
	request, resource := matcher(u.Request, false), matcher(u.Resource, true)
	var best *journal.Event
	score := 0
	for i := range s.refused {
		e := &s.refused[i]
		n := 0
		switch named := e.Denial.Permission; {
		case strings.EqualFold(named, permission):
			n = 4
		case named != "":
			continue // about something else
		case !request(e.Class):
			continue // opaque, and of another request
		}
		if request(e.Class) {
			n += 2
		}
		if e.Denial.Resource != "" && resource(e.Denial.Resource) {
			n++
		}
		if n > score {
			best, score = e, n
		}
	}
	return best
}

// shown is what certifying concluded of a use's grant.
func (s *stepEvidence) shown(permission string, u Use) *Shown {
	resource := matcher(u.Resource, true)
	is := func(g grant.Grant) bool {
		return strings.EqualFold(g.Permission, permission) && resource(g.Resource)
	}
	for _, e := range slices.Backward(s.found) {
		if e.Necessity != u.Necessity || !slices.ContainsFunc(e.Grants, is) {
			continue
		}
		shown := &Shown{Time: e.Time.UTC()}
		if u.Necessity != "certified" {
			return shown
		}
		for _, note := range slices.Backward(s.notes) {
			_, needed, ok := strings.Cut(note.Text, "needed: ")
			if !ok {
				continue
			}
			for _, g := range e.Grants {
				if address, ok := addressOf(needed, g.String()); ok {
					shown.Address = Visible(address)
					shown.How = map[string]string{journal.PassCertify: "withheld", journal.PassRemove: "removed"}[note.Pass]
					return shown
				}
			}
		}
		return shown
	}
	return nil
}

// addressOf finds what a note says of a grant that was needed: "GRANT (ADDRESS)".
func addressOf(needed, grant string) (string, bool) {
	for at := 0; ; {
		i := strings.Index(needed[at:], grant)
		if i < 0 {
			return "", false
		}
		at += i + len(grant)
		rest, ok := strings.CutPrefix(needed[at:], " (")
		if !ok {
			if at == len(needed) || strings.HasPrefix(needed[at:], ",") || strings.HasPrefix(needed[at:], ";") {
				return "", true
			}
			continue
		}
		depth := 1
		for j, c := range rest {
			switch c {
			case '(':
				depth++
			case ')':
				if depth--; depth == 0 {
					return rest[:j], true
				}
			}
		}
		return "", true
	}
}

// placeholder is what stands for an account, a project or a name in a record.
var placeholder = regexp.MustCompile(`\\\{[a-z][a-z0-9_]*\\\}`)

// matcher tells of texts of a journal whether a record's text, with its
// placeholders, stands for them. Where wild, its wildcards count as well.
func matcher(recorded string, wild bool) func(string) bool {
	if !strings.Contains(recorded, "{") && (!wild || !strings.ContainsAny(recorded, "*?")) {
		return func(s string) bool { return s == recorded }
	}
	if wild && recorded == "*" {
		return func(string) bool { return true }
	}
	quoted := placeholder.ReplaceAllString(regexp.QuoteMeta(recorded), ".*")
	if wild {
		quoted = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(quoted)
	}
	re := regexp.MustCompile("(?s)^" + quoted + "$")
	return func(s string) bool { return s == recorded || re.MatchString(s) }
}
