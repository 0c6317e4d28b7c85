// Package azure reads and writes role definitions of Azure, in the form that
// `az role definition create --role-definition` takes and prints, and in that of
// Resource Manager (under "properties").
//
// It does no I/O and holds no table of what operations exist. The format is that
// of https://learn.microsoft.com/azure/role-based-access-control/role-definitions
// and .../custom-roles.
package azure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/policy/jsontree"
)

// Role is a role definition.
type Role struct {
	Name             string
	Description      string
	Permissions      []Permission
	AssignableScopes []string
}

// Permission is what a role allows: Actions without NotActions on the control
// plane, DataActions without NotDataActions on the data planes. Case does not
// matter in them, and "*" stands for any characters.
type Permission struct {
	Actions        []string
	NotActions     []string
	DataActions    []string
	NotDataActions []string
}

// Parse reads a role definition: the az CLI's form, what `az role definition
// list` prints for one role, or Resource Manager's. Keys may have any case, as
// the tools that write them differ in it; those that say nothing of what the
// role allows are left out. What is no role, or lists no action, is an error,
// which holds a [*jsontree.Error] that says where.
func Parse(data []byte) (Role, error) {
	root, err := jsontree.Parse(data)
	if err != nil {
		return Role{}, err
	}
	if root.Kind == jsontree.List {
		if len(root.Items) != 1 {
			return Role{}, jsontree.Place(root.At, fmt.Errorf("holds %d roles; a file with one is expected: take it out with `az role definition list --name NAME`", len(root.Items)))
		}
		root = root.Items[0]
	}
	r, err := parseRole(root)
	if err != nil {
		return Role{}, err
	}
	for _, p := range r.Permissions {
		if len(p.Actions)+len(p.DataActions) > 0 {
			return r, nil
		}
	}
	return Role{}, jsontree.Place(root.At, errors.New("allows nothing; a role definition of Azure has Actions or DataActions"))
}

func parseRole(n jsontree.Node) (Role, error) {
	list, err := members(n)
	if err != nil {
		return Role{}, err
	}
	var (
		r, inner Role
		nested   bool
		own      []jsontree.Member // what the az CLI writes beside the name
	)
	for _, m := range list {
		switch strings.ToLower(m.Key) {
		case "properties":
			nested = true
			inner, err = parseRole(m.Value)
		case "rolename":
			r.Name, err = text(m)
		case "name":
			if r.Name == "" { // beside a roleName it is a GUID
				r.Name, err = text(m)
			}
		case "description":
			r.Description, err = text(m)
		case "assignablescopes":
			r.AssignableScopes, err = texts(m, nil)
		case "permissions":
			if m.Value.Kind != jsontree.List {
				err = jsontree.Place(m.At, fmt.Errorf("%s: is no list", m.Key))
			}
			for _, item := range m.Value.Items {
				var inside []jsontree.Member
				var p Permission
				if err == nil {
					inside, err = members(item)
				}
				if err == nil {
					p, err = parsePermission(inside)
				}
				r.Permissions = append(r.Permissions, p)
			}
		case "actions", "notactions", "dataactions", "notdataactions":
			own = append(own, m)
		}
		if err != nil {
			return Role{}, err
		}
	}
	if nested {
		return inner, nil
	}
	if len(own) > 0 {
		p, err := parsePermission(own)
		if err != nil {
			return Role{}, err
		}
		r.Permissions = append(r.Permissions, p)
	}
	return r, nil
}

func parsePermission(list []jsontree.Member) (p Permission, err error) {
	for _, m := range list {
		switch strings.ToLower(m.Key) {
		case "actions":
			p.Actions, err = texts(m, checkAction)
		case "notactions":
			p.NotActions, err = texts(m, checkAction)
		case "dataactions":
			p.DataActions, err = texts(m, checkAction)
		case "notdataactions":
			p.NotDataActions, err = texts(m, checkAction)
		}
		if err != nil {
			return Permission{}, err
		}
	}
	return p, nil
}

var action = regexp.MustCompile(`^[A-Za-z*][A-Za-z0-9._*-]*(/[A-Za-z0-9$._*-]+)+$`)

// IsAction tells whether s has the form of an action: Provider/type/verb, parts
// of it or all given as "*".
func IsAction(s string) bool { return s == "*" || action.MatchString(s) }

func checkAction(s string) error {
	if !IsAction(s) {
		return fmt.Errorf("%.60q is no action; one such as Microsoft.Compute/virtualMachines/read is expected", s)
	}
	return nil
}

// members are an object's, each key once whatever its case.
func members(n jsontree.Node) ([]jsontree.Member, error) {
	if n.Kind != jsontree.Object {
		return nil, jsontree.Place(n.At, fmt.Errorf("%.40s is no object", n.Raw))
	}
	seen := map[string]bool{}
	for _, m := range n.Members {
		key := strings.ToLower(m.Key)
		if seen[key] {
			return nil, jsontree.Place(m.At, fmt.Errorf("%s: is there twice", m.Key))
		}
		seen[key] = true
	}
	return n.Members, nil
}

func text(m jsontree.Member) (string, error) {
	switch m.Value.Kind {
	case jsontree.Null:
		return "", nil
	case jsontree.String:
		return m.Value.Text, nil
	}
	return "", jsontree.Place(m.Value.At, fmt.Errorf("%s: %.40s is no text", m.Key, m.Value.Raw))
}

func texts(m jsontree.Member, check func(string) error) ([]string, error) {
	if m.Value.Kind == jsontree.Null {
		return nil, nil
	}
	if m.Value.Kind != jsontree.List {
		return nil, jsontree.Place(m.Value.At, fmt.Errorf("%s: %.40s is no list", m.Key, m.Value.Raw))
	}
	var list []string
	for _, item := range m.Value.Items {
		if item.Kind != jsontree.String {
			return nil, jsontree.Place(item.At, fmt.Errorf("%s: %.40s is no text", m.Key, item.Raw))
		}
		if check != nil {
			if err := check(item.Text); err != nil {
				return nil, jsontree.Place(item.At, fmt.Errorf("%s: %w", m.Key, err))
			}
		}
		list = append(list, item.Text)
	}
	return list, nil
}

// Print writes the role in the az CLI's form, the same bytes each time. That
// form has room for one [Permission].
func (r Role) Print() ([]byte, error) {
	if len(r.Permissions) != 1 {
		return nil, fmt.Errorf("role %s: %d sets of actions, and the az CLI's form has room for one", r.Name, len(r.Permissions))
	}
	p := r.Permissions[0]
	return indented(struct {
		Name             string
		IsCustom         bool
		Description      string
		Actions          []string
		NotActions       []string
		DataActions      []string
		NotDataActions   []string
		AssignableScopes []string
	}{r.Name, true, r.Description, some(p.Actions), some(p.NotActions), some(p.DataActions), some(p.NotDataActions), some(r.AssignableScopes)}), nil
}

// PrintARM writes the role as the body of a PUT of Resource Manager's
// roleDefinitions, the same bytes each time.
func (r Role) PrintARM() []byte {
	type permission struct {
		Actions        []string `json:"actions"`
		NotActions     []string `json:"notActions"`
		DataActions    []string `json:"dataActions"`
		NotDataActions []string `json:"notDataActions"`
	}
	type properties struct {
		RoleName         string       `json:"roleName"`
		Description      string       `json:"description"`
		Type             string       `json:"type"`
		AssignableScopes []string     `json:"assignableScopes"`
		Permissions      []permission `json:"permissions"`
	}
	list := []permission{}
	for _, p := range r.Permissions {
		list = append(list, permission{some(p.Actions), some(p.NotActions), some(p.DataActions), some(p.NotDataActions)})
	}
	return indented(struct {
		Properties properties `json:"properties"`
	}{properties{r.Name, r.Description, "CustomRole", some(r.AssignableScopes), list}})
}

// some is a list that is written [] and not null where there is nothing in it.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func indented(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // texts and lists of them have a JSON form
	return b.Bytes()
}

// planes are operations of data planes by how they begin, in lower case. Other
// services have some, too, and a few operations are of both planes; whoever knows
// which request was refused knows better.
// Source: https://learn.microsoft.com/azure/role-based-access-control/permissions/storage
// and the pages beside it.
var planes = []string{
	"microsoft.storage/storageaccounts/blobservices/containers/blobs/",
	"microsoft.storage/storageaccounts/queueservices/queues/messages/",
	"microsoft.storage/storageaccounts/tableservices/tables/entities/",
	"microsoft.storage/storageaccounts/fileservices/fileshares/files/",
	"microsoft.servicebus/namespaces/messages/",
	"microsoft.eventhub/namespaces/messages/",
}

// vault are Key Vault's: what ends in /action below a vault's objects.
var vault = regexp.MustCompile(`(?i)^microsoft\.keyvault/vaults/(secrets|keys|certificates|certificatecas|certificatecontacts)/(.+/)?[a-z]+/action$`)

// IsData tells whether an action is known to be a data plane's by its name alone.
func IsData(action string) bool {
	lower := strings.ToLower(action)
	for _, p := range planes {
		if strings.HasPrefix(lower, p) {
			return true
		}
	}
	return vault.MatchString(action)
}

// hosts end the hosts whose refusals name data actions alone. Those of Storage
// name both kinds; [IsData] tells them apart by name.
var hosts = []string{".vault.azure.net", ".managedhsm.azure.net", ".servicebus.windows.net", ".azconfig.io", ".documents.azure.com"}

// OfDataPlane tells whether a class of requests ("GET HOST/PATH") is one that a
// data plane alone decides.
func OfDataPlane(class string) bool {
	fields := strings.Fields(class)
	if len(fields) < 2 {
		return false
	}
	host, _, _ := strings.Cut(fields[1], "/")
	return slices.ContainsFunc(hosts, func(end string) bool { return strings.HasSuffix(host, end) })
}
