package gcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"

	"google.golang.org/api/iam/v1"
)

// mark is what the description of every account and role that Whittle makes
// begins with, before the JSON of whose it is.
const mark = "whittle "

// owner says whose an account or a role is.
type owner struct {
	Stack    string `json:"stack"`
	Identity string `json:"identity"`
	Run      string `json:"run,omitempty"`
	// On is the service account that a role is bound on; empty for the project.
	On string `json:"on,omitempty"`
}

func (p *Pool) describe(o owner) string {
	o.Stack, o.Run = p.cfg.Stack, p.cfg.RunID
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // a struct of texts
	}
	if len(text) > 240 { // a description has 256 characters
		o.Run = ""
		text, _ = json.Marshal(o) // err: as above
	}
	return mark + string(text)
}

// owned reads a description: whose is it, and is it this stack's.
func (p *Pool) owned(description string) (owner, bool) {
	var o owner
	text, ok := strings.CutPrefix(description, mark)
	if !ok || json.Unmarshal([]byte(text), &o) != nil {
		return owner{}, false
	}
	return o, o.Stack == p.cfg.Stack
}

var (
	notAccount = regexp.MustCompile(`[^a-z0-9]+`)
	notRole    = regexp.MustCompile(`[^A-Za-z0-9]+`)
)

// id makes a name that the cloud takes and that no other stack and identity
// gets.
func (p *Pool) id(identity string) (account, role string) {
	sum := sha256.Sum256([]byte(p.cfg.Stack + "\x00" + identity))
	hash := hex.EncodeToString(sum[:4])
	text := strings.Trim(notAccount.ReplaceAllString(strings.ToLower(p.cfg.Stack+"-"+identity), "-"), "-")
	account = "w-" + strings.TrimRight(text[:min(len(text), 18)], "-") + "-" + hash // of 6 to 30 characters
	text = notRole.ReplaceAllString(p.cfg.Stack+"_"+identity, "_")
	return account, "whittle_" + text[:min(len(text), 40)] + "_" + hash // at most 64
}

func (p *Pool) parent() string { return "projects/" + p.cfg.Project }

// ensureAccount gives the address of the identity's service account, making it
// if it is not there.
func (p *Pool) ensureAccount(ctx context.Context, identity string) (string, error) {
	id, _ := p.id(identity)
	email := p.email(id)
	name := p.parent() + "/serviceAccounts/" + email
	got, err := p.iam.Projects.ServiceAccounts.Get(name).Context(ctx).Do()
	if isMissing(err) {
		if err := p.cfg.Announce.Tell(KindAccount, name); err != nil {
			return "", err
		}
		got, err = p.iam.Projects.ServiceAccounts.Create(p.parent(), &iam.CreateServiceAccountRequest{AccountId: id, ServiceAccount: &iam.ServiceAccount{
			DisplayName: "whittle probe identity", Description: p.describe(owner{Identity: identity}),
		}}).Context(ctx).Do()
		switch {
		case isConflict(err): // made by another run in this moment
			got, err = p.iam.Projects.ServiceAccounts.Get(name).Context(ctx).Do()
		case err != nil:
			return "", p.explain("create service account "+email, "iam.serviceAccounts.create", err)
		default:
			p.cfg.Log.Info("made service account", "account", email)
		}
	}
	if err != nil {
		return "", p.explain("read service account "+email, "iam.serviceAccounts.get", err)
	}
	if o, ours := p.owned(got.Description); !ours || o.Identity != identity {
		return "", &ForeignError{Kind: "service account", Name: name, Stack: p.cfg.Stack}
	}
	return email, nil
}

// ensureRole gives the name of a custom role that is of owner, making it if it is
// not there. One that was deleted is brought back: its id cannot be used again
// for weeks (IAM, "Create and manage custom roles").
func (p *Pool) ensureRole(ctx context.Context, id string, of owner) (string, error) {
	name := p.parent() + "/roles/" + id
	got, err := p.iam.Projects.Roles.Get(name).Context(ctx).Do()
	if isMissing(err) {
		if err := p.cfg.Announce.Tell(KindRole, name); err != nil {
			return "", err
		}
		got, err = p.iam.Projects.Roles.Create(p.parent(), &iam.CreateRoleRequest{RoleId: id, Role: &iam.Role{
			Title: "Whittle probe", Description: p.describe(of), Stage: "GA",
		}}).Context(ctx).Do()
		switch {
		case isConflict(err):
			got, err = p.iam.Projects.Roles.Get(name).Context(ctx).Do()
		case err != nil:
			return "", p.explain("create role "+name, "iam.roles.create", err)
		default:
			p.cfg.Log.Info("made role", "role", name)
		}
	}
	if err != nil {
		return "", p.explain("read role "+name, "iam.roles.get", err)
	}
	if o, ours := p.owned(got.Description); !ours || o.Identity != of.Identity || o.On != of.On {
		return "", &ForeignError{Kind: "role", Name: name, Stack: p.cfg.Stack}
	}
	if got.Deleted {
		if _, err := p.iam.Projects.Roles.Undelete(name, &iam.UndeleteRoleRequest{}).Context(ctx).Do(); err != nil {
			return "", p.explain("undelete role "+name, "iam.roles.undelete", err)
		}
		// It comes back as it was; a new identity holds nothing.
		if err := (&role{pool: p, name: name}).fill(ctx, nil); err != nil {
			return "", err
		}
	}
	return name, nil
}
