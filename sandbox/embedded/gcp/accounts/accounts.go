// Package accounts is what is particular to IAM and Resource Manager in the
// embedded GCP sandbox: service accounts and their keys, custom roles, and the
// project.
package accounts

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // names a key, as the cloud does
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/iam"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Handlers serve the methods, by id.
func Handlers() map[string]api.Handler {
	return map[string]api.Handler{
		"iam.projects.serviceAccounts.create":       createAccount,
		"iam.projects.serviceAccounts.get":          func(c *api.Call) (*api.Reply, error) { return shown(c, nil) },
		"iam.projects.serviceAccounts.list":         listAccounts,
		"iam.projects.serviceAccounts.patch":        patchAccount,
		"iam.projects.serviceAccounts.update":       patchAccount,
		"iam.projects.serviceAccounts.delete":       deleteAccount,
		"iam.projects.serviceAccounts.undelete":     undeleteAccount,
		"iam.projects.serviceAccounts.disable":      setDisabled(true),
		"iam.projects.serviceAccounts.enable":       setDisabled(false),
		"iam.projects.serviceAccounts.keys.create":  createKey,
		"iam.projects.serviceAccounts.keys.get":     getKey,
		"iam.projects.serviceAccounts.keys.list":    listKeys,
		"iam.projects.serviceAccounts.keys.delete":  deleteKey,
		"iam.projects.serviceAccounts.keys.disable": setKeyDisabled(true),
		"iam.projects.serviceAccounts.keys.enable":  setKeyDisabled(false),
		"iam.projects.roles.create":                 createRole,
		"iam.projects.roles.get":                    getRole,
		"iam.projects.roles.list":                   listRoles,
		"iam.projects.roles.patch":                  patchRole,
		"iam.projects.roles.delete":                 deleteRole(true),
		"iam.projects.roles.undelete":               deleteRole(false),
		"iam.roles.get":                             getPredefined,
		"iam.permissions.queryTestablePermissions":  testable,
		"cloudresourcemanager.projects.get":         getProject,
		"cloudresourcemanager.projects.update":      updateProject,
		"cloudresourcemanager.projects.list":        listProjects,
		"cloudresourcemanager.projects.search":      listProjects,
		"cloudresourcemanager.projects.getAncestry": ancestry,
	}
}

var accountID = regexp.MustCompile(`^[a-z]([-a-z0-9]{4,28}[a-z0-9])$`)

func createAccount(c *api.Call) (*api.Reply, error) {
	id := api.String(c.Body, "accountId")
	if !accountID.MatchString(id) {
		return nil, wire.New(400, "Invalid service account ID %q: it must be between 6 and 30 (inclusive) characters long, and match [a-z]([-a-z0-9]*[a-z0-9]).", id)
	}
	email := id + "@" + c.Project.ID + ".iam.gserviceaccount.com"
	key := "iam/projects/" + c.Project.ID + "/serviceAccounts/" + email
	if _, there := c.Tx.Get(key); there {
		return nil, wire.New(409, "Service account %s already exists within project projects/%s.", id, c.Project.ID)
	}
	o := AddAccount(c, email)
	for _, f := range []string{"displayName", "description"} {
		if v := api.String(c.Body, "serviceAccount."+f); v != "" {
			o[f] = v
		}
	}
	c.Tx.Put(key, o)
	return api.OK(o)
}

// AddAccount puts a service account into the state.
func AddAccount(c *api.Call, email string) store.Object {
	uid := "1" + fmt.Sprintf("%020d", c.Tx.ID())
	o := store.Object{"name": "projects/" + c.Project.ID + "/serviceAccounts/" + email, "projectId": c.Project.ID, "uniqueId": uid,
		"email": email, "oauth2ClientId": uid, "etag": "MDEwMjE5MjA="}
	c.Tx.Put("iam/"+api.String(o, "name"), o)
	return o
}

// account finds the service account that the path names, by its address or its
// unique id, and its key in the store.
func account(c *api.Call) (string, store.Object, error) {
	id := c.Params["serviceAccountsId"]
	prefix := "iam/projects/" + c.Project.ID + "/serviceAccounts/"
	if o, ok := c.Tx.Get(prefix + id); ok {
		return prefix + id, o, nil
	}
	for key, o := range c.Tx.Scan(prefix) {
		if o["uniqueId"] == id {
			return key, o, nil
		}
	}
	return "", nil, wire.New(404, "Unknown service account: %s", id)
}

// shown answers with the account, changed as f does.
func shown(c *api.Call, f func(store.Object) error) (*api.Reply, error) {
	key, o, err := account(c)
	if err != nil {
		return nil, err
	}
	if f != nil {
		o = store.Clone(o)
		if err := f(o); err != nil {
			return nil, err
		}
		c.Tx.Put(key, o)
	}
	return api.OK(o)
}

// listed answers with a list of what is right below a key.
func listed(c *api.Call, prefix, field string, keep func(store.Object) bool) (*api.Reply, error) {
	var keys []string
	for key, o := range c.Tx.Scan(prefix) {
		if !strings.Contains(strings.TrimPrefix(key, prefix), "/") && keep(o) {
			keys = append(keys, key)
		}
	}
	page, next, err := generic.Page(c, keys)
	if err != nil {
		return nil, err
	}
	reply := store.Object{}
	items := []any{}
	for _, key := range page {
		o, _ := c.Tx.Get(key)
		items = append(items, visible(o))
	}
	if len(items) > 0 {
		reply[field] = items
	}
	if next != "" {
		reply["nextPageToken"] = next
	}
	return api.OK(reply)
}

func visible(o store.Object) store.Object {
	shown := store.Clone(o)
	for key := range shown {
		if strings.HasPrefix(key, "-") {
			delete(shown, key)
		}
	}
	return shown
}

func all(store.Object) bool { return true }

func listAccounts(c *api.Call) (*api.Reply, error) {
	return listed(c, "iam/projects/"+c.Project.ID+"/serviceAccounts/", "accounts", all)
}

func patchAccount(c *api.Call) (*api.Reply, error) {
	given := api.Object(c.Body, "serviceAccount")
	mask := api.String(c.Body, "updateMask")
	if given == nil { // update takes the account itself
		given, mask = c.Body, "displayName,description"
	}
	return shown(c, func(o store.Object) error {
		if etag := api.String(given, "etag"); etag != "" && etag != o["etag"] {
			return concurrent()
		}
		for _, f := range strings.Split(mask, ",") {
			switch f {
			case "display_name", "displayName":
				o["displayName"] = given["displayName"]
			case "description":
				o["description"] = given["description"]
			default:
				return wire.New(400, "Invalid update mask path: %s", f)
			}
		}
		return nil
	})
}

func concurrent() error {
	return wire.New(409, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.").With("aborted").Stating("ABORTED")
}

// deleteAccount keeps what is needed to bring an account back, and gives its
// bindings the name of one that is gone.
func deleteAccount(c *api.Call) (*api.Reply, error) {
	key, o, err := account(c)
	if err != nil {
		return nil, err
	}
	uid, email := api.String(o, "uniqueId"), api.String(o, "email")
	for inner := range c.Tx.Scan(key + "/") {
		c.Tx.Delete(inner)
	}
	c.Tx.Delete(key)
	if policy, ok := c.Tx.Get(iam.PolicyKey(key)); ok {
		c.Tx.Put("gone/policy/"+uid, policy)
		c.Tx.Delete(iam.PolicyKey(key))
	}
	c.Tx.Put("gone/"+uid, o)
	iam.Rename(c.Tx, "serviceAccount:"+email, "deleted:serviceAccount:"+email+"?uid="+uid)
	return api.OK(store.Object{})
}

func undeleteAccount(c *api.Call) (*api.Reply, error) {
	uid := c.Params["serviceAccountsId"]
	o, ok := c.Tx.Get("gone/" + uid)
	if !ok {
		return nil, wire.New(404, "Unknown service account: %s", uid)
	}
	email := api.String(o, "email")
	key := "iam/projects/" + c.Project.ID + "/serviceAccounts/" + email
	if _, there := c.Tx.Get(key); there {
		return nil, wire.New(400, "Service account %s exists: it cannot be undeleted.", email).Stating("FAILED_PRECONDITION")
	}
	c.Tx.Delete("gone/" + uid)
	c.Tx.Put(key, o)
	if policy, ok := c.Tx.Get("gone/policy/" + uid); ok {
		c.Tx.Put(iam.PolicyKey(key), policy)
		c.Tx.Delete("gone/policy/" + uid)
	}
	iam.Rename(c.Tx, "deleted:serviceAccount:"+email+"?uid="+uid, "serviceAccount:"+email)
	return api.OK(store.Object{"restoredAccount": o})
}

func setDisabled(disabled bool) api.Handler {
	return func(c *api.Call) (*api.Reply, error) {
		if _, err := shown(c, func(o store.Object) error {
			delete(o, "disabled")
			if disabled {
				o["disabled"] = true
			}
			return nil
		}); err != nil {
			return nil, err
		}
		return api.OK(store.Object{})
	}
}

func createKey(c *api.Call) (*api.Reply, error) {
	key, o, err := account(c)
	if err != nil {
		return nil, err
	}
	count := 0
	for _, other := range c.Tx.Scan(key + "/keys/") {
		if other["keyType"] == "USER_MANAGED" {
			count++
		}
	}
	if count >= 10 {
		return nil, wire.New(400, "Precondition check failed.").Stating("FAILED_PRECONDITION")
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum(public) //nolint:gosec // names a key
	id, email := fmt.Sprintf("%x", sum), api.String(o, "email")
	made := store.Object{
		"name": strings.TrimPrefix(key, "iam/") + "/keys/" + id, "keyAlgorithm": "KEY_ALG_RSA_2048", "keyOrigin": "GOOGLE_PROVIDED",
		"keyType": "USER_MANAGED", "validAfterTime": c.Now.UTC().Format("2006-01-02T15:04:05Z"), "validBeforeTime": "9999-12-31T23:59:59Z",
		"-public": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}
	c.Tx.Put(key+"/keys/"+id, made)
	file, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": c.Project.ID, "private_key_id": id, "client_email": email, "client_id": api.String(o, "uniqueId"),
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		"auth_uri":    "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token",
		"auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
		"client_x509_cert_url":        "https://www.googleapis.com/robot/v1/metadata/x509/" + strings.ReplaceAll(email, "@", "%40"),
		"universe_domain":             "googleapis.com",
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	reply := visible(made)
	reply["privateKeyData"] = base64.StdEncoding.EncodeToString(file)
	reply["privateKeyType"] = "TYPE_GOOGLE_CREDENTIALS_FILE"
	return api.OK(reply)
}

func keyOf(c *api.Call) (string, store.Object, error) {
	key, _, err := account(c)
	if err != nil {
		return "", nil, err
	}
	key += "/keys/" + c.Params["keysId"]
	o, ok := c.Tx.Get(key)
	if !ok {
		return "", nil, wire.New(404, "Service account key %s does not exist.", c.Params["keysId"])
	}
	return key, o, nil
}

func getKey(c *api.Call) (*api.Reply, error) {
	_, o, err := keyOf(c)
	if err != nil {
		return nil, err
	}
	reply := visible(o)
	if kind := c.Query.Get("publicKeyType"); kind != "" && kind != "TYPE_NONE" {
		reply["publicKeyData"] = base64.StdEncoding.EncodeToString([]byte(api.String(o, "-public")))
	}
	return api.OK(reply)
}

func listKeys(c *api.Call) (*api.Reply, error) {
	key, _, err := account(c)
	if err != nil {
		return nil, err
	}
	kinds := c.Query["keyTypes"]
	return listed(c, key+"/keys/", "keys", func(o store.Object) bool {
		return len(kinds) == 0 || strings.Contains(strings.Join(kinds, ","), api.String(o, "keyType"))
	})
}

// errSystemKey refuses to change the key that is an account's own.
func errSystemKey() error {
	return wire.New(400, "Precondition check failed.").Stating("FAILED_PRECONDITION")
}

func deleteKey(c *api.Call) (*api.Reply, error) {
	key, o, err := keyOf(c)
	if err != nil {
		return nil, err
	}
	if o["keyType"] != "USER_MANAGED" {
		return nil, errSystemKey()
	}
	c.Tx.Delete(key)
	return api.OK(store.Object{})
}

func setKeyDisabled(disabled bool) api.Handler {
	return func(c *api.Call) (*api.Reply, error) {
		key, o, err := keyOf(c)
		if err != nil {
			return nil, err
		}
		if o["keyType"] != "USER_MANAGED" {
			return nil, errSystemKey()
		}
		o = store.Clone(o)
		delete(o, "disabled")
		if disabled {
			o["disabled"] = true
		}
		c.Tx.Put(key, o)
		return api.OK(store.Object{})
	}
}

// SeedProject puts the project into the state.
func SeedProject(c *api.Call) {
	c.Tx.Put(iam.ProjectKey(c.Project.ID), store.Object{"projectId": c.Project.ID, "projectNumber": c.Project.Number, "name": c.Project.ID,
		"lifecycleState": "ACTIVE", "createTime": api.Time(c.Now)})
	c.Tx.Put(iam.PolicyKey(iam.ProjectKey(c.Project.ID)), store.Object{"etag": "BwYAAAAAAAA="})
}

// project is the project in the form of the API's version.
func project(c *api.Call, o store.Object) store.Object {
	if c.Service.Version == "v1" {
		return o
	}
	p := store.Object{"name": "projects/" + c.Project.Number, "projectId": c.Project.ID, "state": "ACTIVE", "displayName": o["name"],
		"createTime": o["createTime"], "updateTime": o["createTime"], "etag": `W/"` + strconv.Itoa(len(o)) + `"`}
	if labels := o["labels"]; labels != nil {
		p["labels"] = labels
	}
	return p
}

func getProject(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, wire.New(404, "Project '%s' was not found", c.Path)
	}
	return api.OK(project(c, o))
}

// updateProject takes over the project's name and labels, the only ones of its
// attributes that projects.update changes (Resource Manager v1).
func updateProject(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, wire.New(404, "Project '%s' was not found", c.Path)
	}
	o = store.Clone(o)
	for _, name := range []string{"name", "labels"} {
		delete(o, name)
		if v, ok := c.Body[name]; ok {
			o[name] = v
		}
	}
	c.Tx.Put(c.Key(), o)
	return api.OK(project(c, o))
}

// listProjects lists the project to who may see it.
func listProjects(c *api.Call) (*api.Reply, error) {
	key := iam.ProjectKey(c.Project.ID)
	ok, err := c.Holds("resourcemanager.projects.get", key)
	if err != nil {
		return nil, err
	}
	reply := store.Object{}
	if o, there := c.Tx.Get(key); ok && there {
		reply["projects"] = []any{project(c, o)}
	}
	return api.OK(reply)
}

func ancestry(c *api.Call) (*api.Reply, error) {
	if _, ok := c.Tx.Get(c.Key()); !ok {
		return nil, wire.New(404, "Project '%s' was not found", c.Path)
	}
	return api.OK(store.Object{"ancestor": []any{store.Object{"resourceId": store.Object{"type": "project", "id": c.Project.ID}}}})
}
