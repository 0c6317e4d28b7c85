// Package record is whittle.lock.json: what each step of a lifecycle was found
// to need, with the evidence, made to be read in a pull request. It reads and
// writes the file, splits it by phase and by role, and compares two of them.
//
// It holds facts only: how they were found is the journal's, and what becomes
// of them is the role files'. There are no times and no generated ids in a
// record, so that the same facts give the same bytes.
package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/whittle-iam/whittle/harness/grant"
)

// Version is the version of the file's format.
const Version = 1

// Record is one whittle.lock.json.
type Record struct {
	Version int
	Cloud   string // "aws", "gcp" or "azure"
	// Sandbox says where it was found: "embedded" is a rehearsal, everything
	// else the real cloud.
	Sandbox string
	// Verified tells that the lifecycle ran with exactly what is here.
	Verified bool
	Inputs   Inputs
	Steps    []Step // in the lifecycle's order
}

// Inputs is what the record was found with.
type Inputs struct {
	// Digest is the code's, as package lifecycle takes it: "sha256:…".
	Digest string
	Tools  map[string]string // "terraform" → "1.11.4"
}

// Step is what one step needs.
type Step struct {
	Name  string
	Phase string // "init", "ongoing" or "teardown"
	// Role is the role that the step shares with others; empty means one of its
	// own, called like the step.
	Role string
	// Digest is that of what the step uses, as package lifecycle takes it; empty
	// where it is not known.
	Digest string
	// Runs is how many times the step ran until nothing more was refused.
	Runs     int
	Grants   []Entry
	Optional []Entry // refused, not granted, and the step does as well without
}

// Entry is one grant and why it is there.
type Entry struct {
	Permission string
	Resource   string
	// Condition is what must hold besides, as in [grant.Grant]; empty is nothing.
	Condition string
	// Necessity is "certified", "observed" or "assumed", and "optional" for an
	// entry of Optional.
	Necessity string
	// Request is the class of the request that was refused without it.
	Request string
	// Purpose is what it is for, for people.
	Purpose string
	// Flag says what is dangerous about it, empty if nothing is known to be.
	Flag string
	// Difference is what the step's outcome lacks without it, where the step does
	// not fail.
	Difference string
}

// Grant is the entry's grant.
func (e Entry) Grant() grant.Grant {
	return grant.Grant{Permission: e.Permission, Resource: e.Resource, Condition: e.Condition}
}

// Set is what the step was granted.
func (s Step) Set() grant.Set {
	grants := make([]grant.Grant, 0, len(s.Grants))
	for _, e := range s.Grants {
		grants = append(grants, e.Grant())
	}
	return grant.Of(grants...)
}

// RoleName is the role that the step belongs to.
func (s Step) RoleName() string { return cmp.Or(s.Role, s.Name) }

// The values that the file may hold, for reading.
var (
	clouds      = []string{"aws", "gcp", "azure"}
	phases      = []string{"init", "ongoing", "teardown"}
	necessities = []string{"certified", "observed", "assumed"} // the strongest first
)

// optional is the necessity of what is listed and not granted.
const optional = "optional"

// canonical is r as it stands in the file: entries in order, a grant once in a
// list (with the strongest evidence there is for it), steps as they come.
func (r Record) canonical() Record {
	r.Inputs.Tools = maps.Clone(r.Inputs.Tools)
	if len(r.Inputs.Tools) == 0 {
		r.Inputs.Tools = nil
	}
	r.Steps = slices.Clone(r.Steps)
	if len(r.Steps) == 0 {
		r.Steps = nil
	}
	for i, s := range r.Steps {
		r.Steps[i].Grants = inOrder(s.Grants)
		r.Steps[i].Optional = inOrder(s.Optional)
		for j := range r.Steps[i].Optional {
			r.Steps[i].Optional[j].Necessity, r.Steps[i].Optional[j].Difference = optional, ""
		}
	}
	return r
}

func inOrder(entries []Entry) []Entry {
	if len(entries) == 0 {
		return nil
	}
	entries = slices.Clone(entries)
	rank := func(e Entry) int {
		if i := slices.Index(necessities, e.Necessity); i >= 0 {
			return i
		}
		return len(necessities)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(
			grant.Compare(a.Grant(), b.Grant()), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Necessity, b.Necessity),
			cmp.Compare(a.Request, b.Request), cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Flag, b.Flag), cmp.Compare(a.Difference, b.Difference),
		)
	})
	return slices.CompactFunc(entries, func(a, b Entry) bool { return a.Grant() == b.Grant() })
}

// Bytes is the record's file: one grant a line, in order, the same bytes for
// the same facts whatever order they came in.
func (r Record) Bytes() []byte {
	r = r.canonical()
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"version\": %d,\n  \"cloud\": %s,\n  \"sandbox\": %s,\n  \"verified\": %t,\n",
		r.Version, quote(r.Cloud), quote(r.Sandbox), r.Verified)
	fmt.Fprintf(&b, "  \"inputs\": {\n    \"digest\": %s,\n    \"tools\": {", quote(r.Inputs.Digest))
	for i, name := range slices.Sorted(maps.Keys(r.Inputs.Tools)) {
		fmt.Fprintf(&b, "%s\n      %s: %s", comma(i), quote(name), quote(r.Inputs.Tools[name]))
	}
	end(&b, len(r.Inputs.Tools), "    ", "}\n  },\n  \"steps\": [")
	for i, s := range r.Steps {
		fmt.Fprintf(&b, "%s\n    {\n      \"name\": %s,\n      \"phase\": %s,\n", comma(i), quote(s.Name), quote(s.Phase))
		if s.Role != "" {
			fmt.Fprintf(&b, "      \"role\": %s,\n", quote(s.Role))
		}
		if s.Digest != "" {
			fmt.Fprintf(&b, "      \"digest\": %s,\n", quote(s.Digest))
		}
		fmt.Fprintf(&b, "      \"runs\": %d,\n      \"grants\": ", s.Runs)
		writeEntries(&b, s.Grants)
		if len(s.Optional) > 0 {
			b.WriteString(",\n      \"optional\": ")
			writeEntries(&b, s.Optional)
		}
		b.WriteString("\n    }")
	}
	end(&b, len(r.Steps), "  ", "]\n}\n")
	return b.Bytes()
}

func writeEntries(b *bytes.Buffer, entries []Entry) {
	b.WriteByte('[')
	for i, e := range entries {
		fmt.Fprintf(b, "%s\n        {\"permission\": %s", comma(i), quote(e.Permission))
		if e.Resource != "" {
			fmt.Fprintf(b, ", \"resource\": %s", quote(e.Resource))
		}
		if e.Condition != "" {
			fmt.Fprintf(b, ", \"condition\": %s", e.Condition)
		}
		for _, f := range []struct{ key, value string }{
			{"necessity", said(e.Necessity)}, {"request", e.Request}, {"purpose", e.Purpose}, {"flag", e.Flag}, {"difference", e.Difference},
		} {
			if f.value != "" {
				fmt.Fprintf(b, ", %s: %s", quote(f.key), quote(f.value))
			}
		}
		b.WriteByte('}')
	}
	end(b, len(entries), "      ", "]")
}

// said is the necessity as an entry says it: that one is optional is said by
// the list it is in.
func said(necessity string) string {
	if necessity == optional {
		return ""
	}
	return necessity
}

// end closes a list of n things: on a line of its own unless it is empty.
func end(b *bytes.Buffer, n int, indent, closing string) {
	if n > 0 {
		b.WriteString("\n" + indent)
	}
	b.WriteString(closing)
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// quote is s as a JSON text, with <, > and & as they are: people read it.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a text always has a JSON form, and a Builder takes it
	return strings.TrimSuffix(b.String(), "\n")
}

// Write puts the record at path in one step: whoever reads it sees the old one
// or the new one, whole, and after an error the old one. Nothing is written
// that Read would not take.
func (r Record) Write(path string) error {
	data := r.Bytes()
	if _, err := Parse(path, data); err != nil {
		return fmt.Errorf("the record is not sound, nothing was written: %w", err)
	}
	dir := filepath.Dir(path)
	// Beside the record: a rename works within one file system only.
	if err := renameio.WriteFile(path, data, 0o644, renameio.WithTempDir(dir)); err != nil {
		return fmt.Errorf("write the record %s: %w; what was there is as it was. Is the folder writable?", path, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write the record %s: %w", path, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write the record %s: %w", path, err)
	}
	return nil
}

// placeholder stands for the account's ID in a record, or the project's.
func (r Record) placeholder() string {
	switch r.Cloud {
	case "gcp":
		return "{project}"
	case "azure":
		return "{subscription}"
	}
	return "{account}"
}

// Place is where a lifecycle was run.
type Place struct {
	// Account is the AWS account's ID, the Google Cloud project's or the Azure
	// subscription's.
	Account string
	// Region is that of the identities on AWS; elsewhere nothing is named by it.
	Region string
	// Number is the Google Cloud project's, by which some resources are named.
	Number string
}

// Generalize is the record with the AWS account ID replaced by {account}, or the
// id of the Google Cloud project by {project}, or the Azure subscription's by
// {subscription}, and the AWS region by {region}, so that it is the same for every
// account and region, and with the lifecycle's names replaced
// by {key} where they are whole words of a resource's name, so that it is the
// same under other names. An empty account or region changes nothing. Of a region
// only the place counts that an ARN or a host has for it: a name that somebody
// chose can hold one that is not this one. The number of a Google Cloud project is
// {project_number}, where a resource or a condition has it.
func (r Record) Generalize(at Place, names map[string]string) Record {
	account := at.Account
	kind := digit
	if r.Cloud == "gcp" || r.Cloud == "azure" { // a project's or subscription's id is a word, hyphens and all
		kind = func(c byte) bool { return wordly(c) || c == '-' }
	}
	with := r.placeholder()
	r = r.mapTexts(func(s string) string { return replaceWord(s, account, with, kind) })
	// The longest first: one can hold another.
	keys := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(names[b]), len(names[a])), cmp.Compare(a, b))
	})
	if r.Cloud == "aws" && at.Region != "" {
		r = r.mapTexts(func(s string) string {
			return strings.ReplaceAll(s, "."+at.Region+".amazonaws.com", ".{region}.amazonaws.com") // of a request, and in kms:ViaService
		})
	}
	return r.mapResources(func(s string) string {
		if r.Cloud == "gcp" {
			s = replaceWord(s, at.Number, "{project_number}", digit)
		}
		parts := strings.SplitN(s, ":", 6)
		if r.Cloud == "aws" && len(parts) == 6 && at.Region != "" && parts[3] == at.Region {
			parts[3] = "{region}"
		}
		last := &parts[len(parts)-1]
		for _, key := range keys {
			*last = replaceWord(*last, names[key], "{"+key+"}", wordly)
		}
		return strings.Join(parts, ":")
	})
}

// Specialize is the record with {account} replaced by the AWS account ID, or
// {project} and {project_number} by the project's, and {region} by the region: the opposite of
// Generalize. An empty account or region changes nothing.
func (r Record) Specialize(at Place) Record {
	values := map[string]string{r.placeholder(): at.Account}
	switch r.Cloud {
	case "aws":
		values["{region}"] = at.Region
	case "gcp":
		values["{project_number}"] = at.Number
	}
	return r.mapTexts(func(s string) string {
		for stands, value := range values {
			if value != "" {
				s = strings.ReplaceAll(s, stands, value)
			}
		}
		return s
	})
}

// mapResources is r with f applied to the resources.
func (r Record) mapResources(f func(string) string) Record {
	r = r.canonical() // a copy of our own
	for i := range r.Steps {
		for _, entries := range [][]Entry{r.Steps[i].Grants, r.Steps[i].Optional} {
			for j := range entries {
				entries[j].Resource = f(entries[j].Resource)
				entries[j].Condition = grant.MapCondition(entries[j].Condition, f)
			}
		}
	}
	return r.canonical()
}

// mapTexts is r with f applied to whatever may name an account.
func (r Record) mapTexts(f func(string) string) Record {
	r = r.canonical() // a copy of our own
	for i := range r.Steps {
		for _, entries := range [][]Entry{r.Steps[i].Grants, r.Steps[i].Optional} {
			for j := range entries {
				e := &entries[j]
				e.Resource, e.Request, e.Purpose, e.Difference = f(e.Resource), f(e.Request), f(e.Purpose), f(e.Difference)
				e.Condition = grant.MapCondition(e.Condition, f)
			}
		}
	}
	return r.canonical()
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// wordly tells whether a character next to a name makes it a part of another.
func wordly(c byte) bool {
	return digit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// replaceWord replaces word where neither neighbour is of its kind.
func replaceWord(s, word, with string, kind func(byte) bool) string {
	if word == "" {
		return s
	}
	neighbour := func(i int) bool { return i >= 0 && i < len(s) && kind(s[i]) }
	var b strings.Builder
	done := 0
	for at := 0; at < len(s); {
		i := strings.Index(s[at:], word)
		if i < 0 {
			break
		}
		i += at
		if neighbour(i-1) || neighbour(i+len(word)) {
			at = i + 1
			continue
		}
		b.WriteString(s[done:i] + with)
		at = i + len(word)
		done = at
	}
	return b.String() + s[done:]
}
