package rolefile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/azure"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
	"github.com/whittle-iam/whittle/harness/rolefile/hcl"
)

// Format is how a role is written.
type Format string

// The formats.
const (
	// Native is what the cloud's own tool takes: an AWS policy in JSON, a role of
	// Google Cloud in YAML, a role definition of Azure in JSON.
	Native Format = "native"
	// ARM is Azure's form for Resource Manager.
	ARM Format = "arm"
	// Terraform is one file with all roles.
	Terraform Format = "terraform"
	// List is a permission a line, with its resource if it has one.
	List Format = "list"
)

// Formats are the formats that a cloud has.
func Formats(cloud string) []Format {
	if cloud == "azure" {
		return []Format{Native, Terraform, List, ARM}
	}
	return []Format{Native, Terraform, List}
}

// Group is a role to be written.
type Group struct {
	Name        string
	Description string // for people
	Set         grant.Set
	// Data are the permissions of Azure that are known to be a data plane's,
	// because it was a data plane that refused them.
	Data map[string]bool
}

// Options say how roles are written.
type Options struct {
	Cloud  string
	Format Format
	Prefix string // of the roles' names
	// Inline writes an AWS role as one inline policy; else it is managed ones, of
	// which Attach can be attached, policy.AttachLimit if 0.
	Inline bool
	Attach int
	// Values are for the {key}s of resources.
	Values map[string]string
}

// File is a role file, or a part of a role that had to be divided.
type File struct {
	Name    string   // "applier-1.json"
	Roles   []string // that it holds: one, or with Terraform all
	Content []byte
	// Size is what the cloud counts, Limit how much of it there may be; 0 where
	// there is no limit, or the file holds several roles.
	Size, Limit int
	// On is the resource on which a role of Google Cloud is to be bound, or one of
	// Azure assigned; empty for the whole project or subscription.
	On string
	// Condition is the one under which a role of Google Cloud is to be bound.
	Condition string
}

// KeysError tells that a format has no room for a {key} without a value.
type KeysError struct {
	Keys []string // in order
}

func (e *KeysError) Error() string {
	return fmt.Sprintf("the roles need a value for {%s}", strings.Join(e.Keys, "}, {"))
}

// Hints implements what the command line asks errors for.
func (e *KeysError) Hints() []string {
	var flags []string
	for _, k := range e.Keys {
		example := "…"
		switch k {
		case "account":
			example = "123456789012"
		case "project_number":
			example = "123456789012"
		case "project":
			example = "my-project"
		case "region":
			example = "us-east-1"
		case "subscription":
			example = "00000000-0000-0000-0000-000000000000"
		}
		flags = append(flags, "--set "+k+"="+example)
	}
	return []string{"give it: " + strings.Join(flags, " ") + "; or use --format terraform, where it becomes a variable"}
}

// Write writes the roles, each from its set and no wider. Equal sets give equal
// bytes.
func Write(groups []Group, o Options) ([]File, error) {
	if !slices.Contains(Formats(o.Cloud), o.Format) {
		return nil, fmt.Errorf("%s: no format of %s", o.Format, o.Cloud)
	}
	var parts []part
	left := map[string]bool{}
	filled := make([]Group, len(groups))
	for i, g := range groups {
		if err := checkGroup(g, o); err != nil {
			return nil, err
		}
		var grants []grant.Grant
		for one := range g.Set.All() {
			fill := func(s string) string { return Fill(s, o.Values) }
			one.Resource, one.Condition = fill(one.Resource), grant.MapCondition(one.Condition, fill)
			for _, key := range keysWritten(one, o) {
				left[key] = true
			}
			grants = append(grants, one)
		}
		g.Set = grant.Of(grants...)
		filled[i] = g
	}
	if len(left) > 0 {
		return nil, &KeysError{slices.Sorted(maps.Keys(left))}
	}
	for _, g := range filled {
		if g.Set.Len() == 0 {
			return nil, fmt.Errorf("role %s: holds nothing, and no cloud takes an empty role", g.Name)
		}
		divided, err := divide(g, o)
		if err != nil {
			return nil, err
		}
		parts = append(parts, divided...)
	}
	if o.Format == Terraform {
		return terraform(parts)
	}
	var files []File
	named := map[string]bool{}
	for _, p := range parts {
		if named[p.name] {
			return nil, fmt.Errorf("two roles are called %s: a part of one is named as another is; use --prefix or emit them apart (--only)", p.name)
		}
		named[p.name] = true
		f := File{Name: p.name + p.ext, Roles: []string{p.name}, Content: p.content, Size: p.size, Limit: p.limit, On: p.on, Condition: p.condition}
		files = append(files, f)
		if p.script != nil {
			files = append(files, File{Name: p.of + assignExt, Roles: []string{p.of}, Content: p.script})
		}
		if p.condition != "" {
			files = append(files, File{Name: p.name + conditionExt, Roles: []string{p.name}, Content: gcp.PrintCondition(p.name, p.condition)})
		}
	}
	return files, nil
}

// roleName is what a role's name may be: it is a file's, too, and stands in
// comments.
var roleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// checkGroup refuses what would be something else in a file than in the record: a
// record comes with a repository, and its writer may not be who runs this.
func checkGroup(g Group, o Options) error {
	if name := o.Prefix + g.Name; !roleName.MatchString(name) {
		return fmt.Errorf("%.80q cannot be a role's name: letters, digits, dots, hyphens and underscores are expected, 100 at most", name)
	}
	if strings.ContainsFunc(g.Description, unicode.IsControl) {
		return fmt.Errorf("role %s: %.80q holds control characters, as no step's name does", g.Name, g.Description)
	}
	for one := range g.Set.All() {
		if cloudOf(one.Permission) != o.Cloud {
			return fmt.Errorf("role %s: %.80q is no permission of %s", g.Name, one.Permission, o.Cloud)
		}
		if _, err := grant.ParseCondition(one.Condition); err != nil || one.Condition != "" && o.Cloud == "azure" {
			return fmt.Errorf("role %s: %s: the condition cannot be written for %s", g.Name, one, o.Cloud)
		}
		if strings.ContainsFunc(one.Resource, unicode.IsControl) {
			return fmt.Errorf("role %s: resource %.80q holds control characters", g.Name, one.Resource)
		}
	}
	return nil
}

// part is a role, or what of it goes into one file.
type part struct {
	name, ext   string
	comment     string
	on          string
	condition   string // an expression of Google Cloud's
	member      string // Terraform's variable of whom a role is bound or assigned to; empty leaves that out
	script      []byte // of the role's assignments, on its last part
	of          string // the role that the script is of
	content     []byte
	size, limit int
	aws         *policy.Document
	inline      bool
	gcp         *gcp.Role
	azure       *azure.Role
}

// Fill puts values in the place of {key}s.
func Fill(s string, values map[string]string) string {
	var b strings.Builder
	for {
		before, key, after, found := hcl.CutKey(s)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		value, ok := values[key]
		if !ok {
			value = "{" + key + "}"
		}
		b.WriteString(value)
		s = after
	}
}

// keysWritten lists the {key}s that a role with the grant cannot be written with.
func keysWritten(g grant.Grant, o Options) []string {
	switch {
	case o.Format != Native && o.Format != ARM:
		return nil
	case o.Cloud == "aws":
		return Keys(g.Resource + g.Condition)
	case o.Cloud == "azure":
		return Keys(Fill(subscription, o.Values) + g.Resource)
	}
	return Keys(g.Condition) // a role of Google Cloud holds no resource
}

// subscription is the scope in which a role of Azure can be assigned.
const subscription = "/subscriptions/{subscription}"

func divide(g Group, o Options) ([]part, error) {
	g.Name = o.Prefix + g.Name
	if o.Format == List {
		content, err := list(g, o.Cloud)
		return []part{{name: g.Name, ext: ".txt", content: content}}, err
	}
	switch o.Cloud {
	case "aws":
		return divideAWS(g, o)
	case "gcp":
		return divideGCP(g)
	case "azure":
		return divideAzure(g, o)
	}
	return nil, fmt.Errorf("%q is no cloud; aws, gcp or azure is expected", o.Cloud)
}

// list has a permission a line, with its resource unless it holds on all.
func list(g Group, cloud string) ([]byte, error) {
	var b bytes.Buffer
	if g.Description != "" {
		fmt.Fprintf(&b, "# %s\n", g.Description)
	}
	for one := range g.Set.All() {
		resource := one.Resource
		if cloud == "aws" { // in the notation of documents, as it is read back
			resource = policy.FromSet(grant.Of(one)).Statements[0].Resource[0]
		}
		if strings.ContainsFunc(resource, unicode.IsSpace) {
			return nil, fmt.Errorf("role %s: %s: a list has no way to say a resource with white space in it; use --format native", g.Name, one)
		}
		if one.Condition != "" { // without it the list would say more
			return nil, fmt.Errorf("role %s: %s: a list has no way to say a condition; use --format native", g.Name, one)
		}
		b.WriteString(one.Permission)
		if resource != "*" {
			b.WriteString(" " + resource)
		}
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

func divideAWS(g Group, o Options) ([]part, error) {
	docs, err := documents(g.Name, g.Set, o.Inline, cmp.Or(o.Attach, policy.AttachLimit))
	if err != nil {
		return nil, err
	}
	limit := policy.ManagedLimit
	if o.Inline {
		limit = policy.InlineLimit
	}
	var parts []part
	for i, d := range docs {
		comment := g.Description
		if len(docs) > 1 {
			comment = fmt.Sprintf("%s; part %d of %d", comment, i+1, len(docs))
		}
		parts = append(parts, part{name: numbered(g.Name, i, len(docs)), ext: ".json", comment: comment, content: d.Print(), size: d.Size(), limit: limit, aws: &d, inline: o.Inline})
	}
	return parts, nil
}

// numbered is the name of one of n parts.
func numbered(name string, i, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, i+1)
}

// cut is s in at most n bytes, cut between words.
func cut(s string, n int) string {
	for len(s) > n {
		i := strings.LastIndexByte(s[:n], ' ')
		if i < 0 {
			return ""
		}
		s = s[:i]
	}
	return s
}

var notID = regexp.MustCompile(`[^A-Za-z0-9_.]`)

// RoleID is a name as the id of a custom role of Google Cloud: 3 to 64 letters,
// digits, underscores and periods.
func RoleID(name string) string {
	id := notID.ReplaceAllString(name, "_")
	if len(id) < 3 {
		id += "_role"
	}
	return id
}

// divideAzure writes a definition for each place where permissions are granted. A
// definition says what and not on what: that is for its assignment to say.
func divideAzure(g Group, o Options) ([]part, error) {
	whole := Fill(subscription, o.Values)
	on := map[string]grant.Set{}
	for one := range g.Set.All() {
		place := strings.TrimRight(one.Resource, "/")
		if strings.EqualFold(place, whole) {
			place = "*"
		}
		on[place] = on[place].With(one)
	}
	var parts []part
	for i, place := range slices.Sorted(maps.Keys(on)) {
		scope, where, comment := whole, "", "assign it on the subscription"
		if place != "*" {
			scope, where, comment = assignable(place, whole), place, "assign it on "+place
		}
		name := numbered(g.Name, i, len(on))
		role := azure.Role{Name: name, Description: g.Description, AssignableScopes: []string{scope}}
		var p azure.Permission
		for _, permission := range on[place].Permissions() {
			if g.Data[permission] || azure.IsData(permission) {
				p.DataActions = append(p.DataActions, permission)
			} else {
				p.Actions = append(p.Actions, permission)
			}
		}
		role.Permissions = []azure.Permission{p}
		one := part{name: name, ext: ".json", comment: g.Description + "; " + comment, on: where, azure: &role}
		switch o.Format {
		case ARM:
			one.content = role.PrintARM()
		case Native:
			text, err := role.Print()
			if err != nil {
				return nil, err
			}
			one.content = text
		}
		parts = append(parts, one)
	}
	if len(parts) > 1 || parts[0].on != "" {
		assign(g.Name, parts, whole, o.Format)
	}
	return parts, nil
}

// assign adds the assignments of a role that does not hold on the whole subscription:
// what is assigned on more than it was found to be needed on is wider than the record.
// Resource Manager's own form leaves them out, which need ids that are the caller's to
// choose.
func assign(name string, parts []part, whole string, format Format) {
	switch format {
	case Terraform:
		for i := range parts {
			parts[i].member = "principal_" + strings.ToLower(notID.ReplaceAllString(name, "_"))
		}
	case Native:
		var b strings.Builder
		fmt.Fprintf(&b, "#!/bin/sh\n# Assigns role %s to a principal: sh %s%s OBJECT-ID\nset -eu\n", name, name, assignExt)
		for _, p := range parts {
			fmt.Fprintf(&b, "az role assignment create --assignee-object-id \"$1\" --assignee-principal-type ServicePrincipal --role %s --scope %s\n", quoted(p.name), quoted(cmp.Or(p.on, whole)))
		}
		parts[len(parts)-1].script = []byte(b.String())
		parts[len(parts)-1].of = name
	}
}

// assignExt ends the name of the file that assigns a role.
const assignExt = ".assign.sh"

// quoted is a text as one word of a shell's.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

var resourceGroup = regexp.MustCompile(`(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+`)

// assignable is the scope in which a role for a place can be assigned: definitions
// take subscriptions and resource groups, not single resources
// (https://learn.microsoft.com/azure/role-based-access-control/role-definitions#assignablescopes).
func assignable(place, whole string) string {
	if group := resourceGroup.FindString(place); group != "" {
		return group
	}
	return whole
}

// terraform puts all roles into one file.
func terraform(parts []part) ([]File, error) {
	var f hcl.File
	one := File{Name: "roles.tf"}
	labels := map[string]string{}
	for _, p := range parts {
		if other, ok := labels[hcl.Label(p.name)]; ok {
			return nil, fmt.Errorf("roles %s and %s have the same name in Terraform", other, p.name)
		}
		labels[hcl.Label(p.name)] = p.name
		one.Roles = append(one.Roles, p.name)
		switch {
		case p.aws != nil:
			f.AWS = append(f.AWS, hcl.Document{Name: p.name, Comment: p.comment, Document: *p.aws, Inline: p.inline})
		case p.gcp != nil:
			f.GCP = append(f.GCP, hcl.Role{Name: RoleID(p.name), Comment: p.comment, Role: *p.gcp, On: p.on, Condition: p.condition, Member: p.member})
		case p.azure != nil:
			f.Azure = append(f.Azure, hcl.Definition{Name: p.name, Comment: p.comment, Role: *p.azure, Principal: p.member, On: cmp.Or(p.on, p.azure.AssignableScopes[0])})
		default:
			return nil, errors.New("a role of no cloud")
		}
	}
	var err error
	one.Content, err = hcl.Write(f)
	return []File{one}, err
}

// Keys lists the {key}s in a resource, each as often as it stands there.
func Keys(resource string) []string {
	var keys []string
	for {
		_, key, rest, found := hcl.CutKey(resource)
		if !found {
			return keys
		}
		keys = append(keys, key)
		resource = rest
	}
}
