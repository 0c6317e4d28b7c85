package audit

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
)

// Kind is what a finding is.
type Kind string

// The kinds of findings, the gravest first.
const (
	// Unclean: the identity did what its role does not hold, so that something else
	// let it. What was found under such an identity is no evidence.
	Unclean Kind = "unclean"
	// Explains: a step failed, and this was refused in that run.
	Explains Kind = "explains"
	// Later: a service did it, or was refused it, in the identity's name.
	Later Kind = "later"
	// Unseen: the cloud refused it, and the wire showed no refusal: the request went
	// past the proxy, or its reply says something else.
	Unseen Kind = "unseen"
	// Swallowed: refused in a run that ended well. No client told.
	Swallowed Kind = "swallowed"
	// Unexercised: granted, and the verified run did not use it.
	Unexercised Kind = "unexercised"
	// Missing: granted and used on the wire, and the log has no entry of it (yet).
	Missing Kind = "missing"
	// Silent: the log has nothing at all of a step.
	Silent Kind = "silent"
)

var kinds = []Kind{Unclean, Explains, Later, Unseen, Swallowed, Unexercised, Missing, Silent}

// Finding is one disagreement of the log with the run.
type Finding struct {
	Kind       Kind   `json:"kind"`
	Step       string `json:"step"`
	Permission string `json:"permission,omitempty"`
	Resource   string `json:"resource,omitempty"`
	// Request is the class of the request on the wire, or where the wire has none
	// the operation as the log names it.
	Request   string `json:"request,omitempty"`
	Principal string `json:"principal,omitempty"`
	Via       string `json:"via,omitempty"` // the service that made the call
	Refused   bool   `json:"refused,omitempty"`
	Derived   bool   `json:"derived,omitempty"`
	// Binding is what granted it, of an Unclean one, as far as it is known.
	Binding string `json:"binding,omitempty"`
	// Masked is what the wire saw in the refusal's place, of an Unseen one.
	Masked string `json:"masked,omitempty"`
	Times  int    `json:"times,omitempty"`
}

// Binding is something other than its own role that gives a principal rights.
type Binding struct {
	Name string // "roles/viewer on project p"
	// Permissions are what it gives, patterns of which "*" stands for any letters;
	// nil where that is not known.
	Permissions []string
}

// Run is what there is to hold entries against.
type Run struct {
	Cloud string
	// Steps are the record's; of a run that failed there are none.
	Steps  []record.Step
	Events []journal.Event
	// Others are what gives each principal rights besides its own role.
	Others map[string][]Binding
}

// Report is what a cross-check found.
type Report struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Entries int       `json:"entries"` // each once, without Whittle's own calls
	Doubled int       `json:"doubled"` // left out: there more than once
	// Foreign are entries of somebody else, or of another time.
	Foreign  int         `json:"foreign"`
	Steps    []StepCount `json:"steps"`
	Findings []Finding   `json:"findings"`
}

// StepCount is how much of a step's grants the log bears out.
type StepCount struct {
	Name      string `json:"name"`
	Principal string `json:"principal"`
	Grants    int    `json:"grants"`
	Exercised int    `json:"exercised"`
	// Unlogged are the grants whose use this log does not show, by reason.
	Unlogged map[string]int `json:"unlogged,omitempty"`
}

// Of gives the findings of some kinds.
func (r Report) Of(some ...Kind) []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return !slices.Contains(some, f.Kind) })
}

// Complete tells whether the log had all that it should.
func (r Report) Complete() bool { return len(r.Of(Missing, Silent)) == 0 }

// Check holds entries against a run. The order of the entries, and how often each
// is there, make no difference.
func Check(run Run, entries []Entry) Report {
	c := &check{run: run, windows: windows(run.Events), wires: wires(run.Events), found: map[Finding]int{}}
	from, to, _ := Span(run.Events)
	report := Report{From: from, To: to, Steps: []StepCount{}}
	entries, report.Doubled = Once(Own(entries))
	keys := canaryKeys(run.Events)
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.canary(keys) })
	report.Entries = len(entries)
	c.data = map[string]bool{}
	for _, e := range entries {
		if awsData.MatchString(e.Permission) {
			c.data[service(e.Permission)] = true
		}
	}
	c.reads = slices.ContainsFunc(entries, func(e Entry) bool { return strings.Contains(e.ID, "data_access") })
	last := c.last()
	placed := map[int][]Entry{} // by window
	for _, e := range entries {
		if i, ok := c.place(e); ok {
			placed[i] = append(placed[i], e)
		} else {
			report.Foreign++
		}
	}
	for i, w := range c.windows {
		if w.pass == journal.PassReference {
			continue
		}
		c.refusals(w, placed[i], last[w.step] == i)
	}
	for _, s := range run.Steps {
		i, ok := last[s.Name]
		if !ok {
			continue
		}
		var before []Entry
		for j, w := range c.windows {
			if w.step == s.Name && j != i && w.pass != journal.PassReference {
				before = append(before, placed[j]...)
			}
		}
		report.Steps = append(report.Steps, c.step(s, c.windows[i], placed[i], before))
	}
	report.Findings = c.findings()
	return report
}

// check is one cross-check at work.
type check struct {
	run     Run
	windows []window
	wires   map[[2]string]*wire
	reads   bool            // Google's log has reads
	data    map[string]bool // services of AWS whose data events the log has
	found   map[Finding]int
}

// last is the run of each step that counts: the last verification, else the last
// run of growth.
func (c *check) last() map[string]int {
	last := map[string]int{}
	for _, pass := range []string{journal.PassGrow, journal.PassVerify} {
		for i, w := range c.windows {
			if w.pass == pass {
				last[w.step] = i
			}
		}
	}
	return last
}

// place finds the run that an entry belongs to: the one that was on, else the nearest
// within the slack; and of what a service did later, the last that had begun.
func (c *check) place(e Entry) (at int, ok bool) {
	nearest := Slack + 1
	for i, w := range c.windows {
		if w.principal == "" || w.principal != e.Principal {
			continue
		}
		if d := w.off(e.Time); d < nearest || d == nearest && d <= Slack {
			at, ok, nearest = i, true, d
		}
	}
	if ok || e.Via == "" {
		return at, ok
	}
	for i, w := range c.windows {
		if w.principal == e.Principal && !e.Time.Before(w.from) {
			at, ok = i, true
		}
	}
	return at, ok
}

func (c *check) add(f Finding) { c.found[f]++ }

// wire is what the proxy saw of a step in a pass.
func (c *check) wire(pass, step string) *wire {
	if w := c.wires[[2]string{pass, step}]; w != nil {
		return w
	}
	return &wire{}
}

// request is the class of the request that a permission was refused to, or what the
// log calls it.
func (c *check) request(w window, e Entry) string {
	if class := c.wire(w.pass, w.step).denied[strings.ToLower(e.Permission)]; class != "" {
		return class
	}
	return e.Operation
}

// refusals looks at what was refused in one run, and at what services did.
func (c *check) refusals(w window, entries []Entry, counts bool) {
	for _, e := range entries {
		f := Finding{Step: w.step, Permission: e.Permission, Resource: e.Resource, Request: c.request(w, e), Principal: e.Principal, Via: e.Via, Refused: e.Refused, Derived: e.Derived}
		on := c.wire(w.pass, w.step)
		_, seen := on.denied[strings.ToLower(e.Permission)]
		switch {
		case e.Via != "":
			f.Kind = Later
			if !e.Refused && (!counts || c.grants(w.step, e)) {
				continue // within what the role holds, as it should be
			}
		case !e.Refused:
			continue
		case !seen:
			f.Kind, f.Masked = Unseen, c.masked(w, e)
		case !w.ok && !w.to.IsZero() && (counts || len(c.run.Steps) == 0):
			f.Kind = Explains
		case counts && w.ok && w.pass == journal.PassVerify:
			f.Kind = Swallowed
		default:
			continue
		}
		c.add(f)
	}
}

// masked is what the wire saw of the request that the log calls refused: one that was
// answered with another error than the reference's, or else one that was answered well.
// Where the catalog knows which request needs the permission, it is that one.
func (c *check) masked(w window, e Entry) string {
	now, then := c.wire(w.pass, w.step), c.wire(journal.PassReference, w.step)
	if !now.told { // of a run without grants the journal does not have it
		now = c.wire(journal.PassGrow, w.step)
	}
	var exact, near, well []string
	for class, statuses := range now.seen {
		needs := needs(class, e.Permission)
		for _, s := range statuses {
			said := fmt.Sprintf("%d for %s", s, class)
			switch {
			case s < 300 && needs:
				well = append(well, said)
			case s < 400 || s == 403 || slices.Contains(then.seen[class], s):
			case needs:
				exact = append(exact, said)
			case about(class, e.Permission):
				near = append(near, said)
			}
		}
	}
	found, more := exact, ""
	switch {
	case len(exact) > 0:
	case len(well) > 0:
		found, more = well, ", which leaves out what was refused"
	case len(near) > 0:
		found = near
	default:
		return ""
	}
	if more == "" && then.told {
		more = ", as the reference did not"
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), ", ") + more
}

// needs tells whether a request of a class is known to need a permission.
func needs(class, permission string) bool {
	method, address, _ := strings.Cut(class, " ")
	u, err := url.Parse("https://" + address)
	if err != nil {
		return false // an operation's name is in it
	}
	return slices.ContainsFunc(catalog.Candidates(method, u, http.Header{}, nil, ""), func(n catalog.Candidate) bool { return same(n.Permission, permission) })
}

// about tells whether a request's class is of a permission's service.
func about(class, permission string) bool {
	service := permission
	if i := strings.IndexAny(permission, ":./"); i > 0 {
		service = permission[:i]
		if strings.HasPrefix(permission, "Microsoft.") {
			service, _, _ = strings.Cut(permission, "/")
		}
	}
	return strings.Contains(strings.ToLower(class), strings.ToLower(service))
}

// grants tells whether a step's grants cover what an entry shows.
func (c *check) grants(step string, e Entry) bool {
	for _, s := range c.run.Steps {
		if s.Name == step && slices.ContainsFunc(s.Grants, func(g record.Entry) bool { return covers(g, e) }) {
			return true
		}
	}
	return false
}

// covers tells whether an entry shows a grant at work: it names the permission, or,
// where that is only derived, the request that the permission was granted for.
func covers(g record.Entry, e Entry) bool {
	if same(g.Permission, e.Permission) {
		return true
	}
	if strings.HasPrefix(e.Permission, "Microsoft.") || strings.HasPrefix(e.Permission, "MICROSOFT.") {
		return asked(g.Request, e)
	}
	return e.Derived && e.Operation != "" && about(g.Request, e.Permission) && slices.Contains(strings.Fields(g.Request), e.Operation)
}

// asked tells whether a request of a class left an entry of Azure's: its log has the
// request's own action, and not those that what it links to needs.
func asked(class string, e Entry) bool {
	method, address, _ := strings.Cut(class, " ")
	address, _, _ = strings.Cut(address, " ")
	_, path, _ := strings.Cut(address, "/")
	of, at := strings.Split(path, "/"), strings.Split(strings.Trim(e.Resource, "/"), "/")
	action := strings.ToLower(e.Permission)
	switch method {
	case "PUT", "PATCH":
		if !strings.HasSuffix(action, "/write") {
			return false
		}
	case "DELETE":
		if !strings.HasSuffix(action, "/delete") {
			return false
		}
	case "POST":
		if !strings.HasSuffix(action, "/action") {
			return false
		}
		of = of[:len(of)-1] // what is asked for
	default:
		return false
	}
	return slices.EqualFunc(of, at, func(a, b string) bool { return a == "{}" || strings.EqualFold(a, b) })
}

// step holds what a step was granted against what it did in the run that counts;
// before is what it did in the others.
func (c *check) step(s record.Step, w window, entries, before []Entry) StepCount {
	count := StepCount{Name: s.Name, Principal: w.principal, Grants: len(s.Grants)}
	own := func(e Entry) bool { return e.Via == "" && !e.Refused }
	for _, e := range entries {
		if own(e) && !free(e.Permission) && !c.grants(s.Name, e) {
			c.add(Finding{Kind: Unclean, Step: s.Name, Permission: e.Permission, Resource: e.Resource, Request: e.Operation, Principal: e.Principal,
				Derived: e.Derived, Binding: c.binding(e)})
		}
	}
	var missing []Finding
	on := c.wire(w.pass, s.Name)
	for _, g := range s.Grants {
		shows := func(e Entry) bool { return own(e) && covers(g, e) }
		if slices.ContainsFunc(entries, shows) {
			count.Exercised++
			continue
		}
		if why := c.unlogged(g); why != "" {
			if count.Unlogged == nil {
				count.Unlogged = map[string]int{}
			}
			count.Unlogged[why]++
			continue
		}
		f := Finding{Kind: Missing, Step: s.Name, Permission: g.Permission, Resource: g.Resource, Request: g.Request, Principal: w.principal}
		switch {
		case on.told && !on.used(g.Request), !on.told && slices.ContainsFunc(before, shows):
			f.Kind = Unexercised
			c.add(f)
		default:
			missing = append(missing, f)
		}
	}
	if len(entries) == 0 && len(missing) > 0 {
		c.add(Finding{Kind: Silent, Step: s.Name, Principal: w.principal, Times: len(missing)})
		return count
	}
	for _, f := range missing {
		c.add(f)
	}
	return count
}

// free tells whether everybody may do it.
func free(permission string) bool {
	return slices.Contains([]string{"sts:GetCallerIdentity", "sts:GetSessionToken", "sts:GetAccessKeyInfo"}, permission)
}

// binding names what granted what the role does not hold.
func (c *check) binding(e Entry) string {
	if e.Binding != "" {
		return e.Binding
	}
	var sure, maybe []string
	for _, b := range c.run.Others[e.Principal] {
		switch {
		case b.Permissions == nil:
			maybe = append(maybe, b.Name)
		case slices.ContainsFunc(b.Permissions, func(p string) bool { return match(p, e.Permission) }):
			sure = append(sure, b.Name)
		}
	}
	if len(sure) > 0 {
		return strings.Join(sure, ", ")
	}
	return strings.Join(maybe, ", ")
}

// findings are what was found, each once, the gravest first.
func (c *check) findings() []Finding {
	// What one run of a step shows of a refusal that was hidden holds for its others.
	plain := func(f Finding) Finding { f.Masked = ""; return f }
	shown := map[Finding]Finding{}
	for f := range c.found {
		if old, ok := shown[plain(f)]; f.Masked != "" && (!ok || f.Masked < old.Masked) {
			shown[plain(f)] = f
		}
	}
	for f, n := range maps.Clone(c.found) {
		if to, ok := shown[f]; ok {
			c.found[to] += n
			delete(c.found, f)
		}
	}
	all := make([]Finding, 0, len(c.found))
	for f, n := range c.found {
		if f.Times == 0 {
			f.Times = n
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), c.order(a.Step)-c.order(b.Step), cmp.Compare(a.Permission, b.Permission),
			cmp.Compare(a.Request, b.Request), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Via, b.Via), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	return all
}

// order is where a step stands in the lifecycle.
func (c *check) order(step string) int {
	return slices.IndexFunc(c.windows, func(w window) bool { return w.step == step })
}
