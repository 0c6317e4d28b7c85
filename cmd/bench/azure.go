package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// azure compares whittle probe with the way of Azure/mpf on one lifecycle of an
// apply and a destroy: a role that starts empty, Terraform until it passes, all
// that it prints as refused added, and a /delete for each /write; what exists and
// is not in the state is imported. What mpf does not know, the reruns are helped
// with: opaque refusals of blobs and data actions, which would end it (issues 41
// and 58). Waits for a real cloud's propagation are left out.
func azure(ctx context.Context, whittle, module, work string, stderr io.Writer) ([]figure, error) {
	dir := filepath.Join(work, "azure")
	if err := os.CopyFS(dir, os.DirFS(module)); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "apply-destroy.yaml")
	if err := os.WriteFile(file, []byte(applyDestroy), 0o644); err != nil {
		return nil, err
	}
	fmt.Fprintln(stderr, "bench: azure, growth in flight and verification")
	began := time.Now()
	flight, err := probe(ctx, whittle, file, filepath.Join(work, "azure-flight"), stderr, "in-flight", "--certify", "none", "--no-reference")
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	fmt.Fprintln(stderr, "bench: azure, reruns by the rules of Azure/mpf")
	r, err := rerun(ctx, whittle, filepath.Join(work, "azure-rerun"), module, stderr)
	if err != nil {
		return nil, err
	}
	return azureFigures(flight, took, r), nil
}

const applyDestroy = `cloud: azure
sandbox: embedded
names: {name: acme}
lifecycle:
  - {name: apply,   phase: init,     terraform: {command: apply, var: {name: "{name}"}}}
  - {name: destroy, phase: teardown, terraform: {command: destroy, var: {name: "{name}"}}}
`

// reruns is what the other way took.
type reruns struct {
	runs, imports int
	took          time.Duration
	permissions   []string
	// stuck is the error of Terraform that names nothing to add, where it ended so.
	stuck string
}

func azureFigures(m measured, took time.Duration, r reruns) []figure {
	all := map[string]bool{}
	runs := 0
	for _, s := range m.rec.Steps {
		runs += s.Runs
		for _, p := range s.Set().Permissions() {
			all[strings.ToLower(p)] = true
		}
	}
	verified := 0
	if m.rec.Verified {
		verified = len(m.rec.Steps)
	}
	var surplus []string
	for _, p := range r.permissions {
		if !all[strings.ToLower(p)] {
			surplus = append(surplus, p)
		}
	}
	total := runs + verified
	ended, how := 1.0, "apply and destroy passed"
	if r.stuck != "" {
		ended, how = 0, "stuck in "+r.stuck
	}
	return []figure{
		{"azure: terraform runs", float64(total), "runs", fmt.Sprintf("%d of growth, %d of verification; the other way %d, %d imports among them", runs, verified, r.runs, r.imports)},
		{"azure: terraform runs, beside the other way", float64(total) / float64(max(1, r.runs)), "ratio", "the other way verifies nothing"},
		{"azure: time", took.Seconds(), "s", fmt.Sprintf("wall time; the other way %.0f s", r.took.Seconds())},
		{"azure: time, beside the other way", took.Seconds() / max(1, r.took.Seconds()), "ratio", ""},
		{"azure: permissions", float64(len(all)), "permissions", fmt.Sprintf("of both steps; the other way %d", len(r.permissions))},
		{"azure: the other way came to its end", ended, "of 1", how},
		{"azure: surplus of the other way", float64(len(surplus)), "permissions", strings.Join(surplus[:min(3, len(surplus))], ", ") + ", …"},
	}
}

// sandbox is a `whittle cloud` with its environment.
type sandbox struct {
	env    map[string]string
	client *http.Client
	stop   func() error
}

func serve(ctx context.Context, whittle string) (*sandbox, error) {
	cmd := exec.CommandContext(ctx, whittle, "cloud", "--cloud", "azure", "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &sandbox{stop: func() error { return errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()) }}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&s.env); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	proxy, err := url.Parse(s.env["HTTPS_PROXY"])
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	pem, err := os.ReadFile(s.env["SSL_CERT_FILE"])
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	s.client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}}
	return s, nil
}

// ask makes a request as the operator.
func (s *sandbox) ask(ctx context.Context, method, resource, address string, body, reply any) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.env["ARM_CLIENT_ID"]}, "client_secret": {s.env["ARM_CLIENT_SECRET"]}, "scope": {resource + "/.default"}}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := s.send(ctx, http.MethodPost, "https://login.microsoftonline.com/"+s.env["ARM_TENANT_ID"]+"/oauth2/v2.0/token", "application/x-www-form-urlencoded", "", []byte(form.Encode()), &token); err != nil {
		return err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.send(ctx, method, address, "application/json", token.AccessToken, text, reply)
}

func (s *sandbox) send(ctx context.Context, method, address, kind, token string, body []byte, reply any) error {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		return errors.Join(fmt.Errorf("%s %s: %s: %s", method, address, resp.Status, text), err)
	}
	if reply == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, reply)
}

const (
	graph   = "https://graph.microsoft.com"
	manager = "https://management.azure.com"
)

// principal is who Terraform runs as, with one role on the subscription.
type principal struct {
	id, secret, object string
	role               string
	data               map[string]bool // which actions are data actions, by provider and name
}

func (s *sandbox) principal(ctx context.Context) (*principal, error) {
	var app, sp struct{ ID, AppID string }
	var password struct{ SecretText string }
	p := &principal{role: guid(), data: map[string]bool{}}
	err := s.ask(ctx, http.MethodPost, graph, graph+"/v1.0/applications", map[string]any{"displayName": "rerun"}, &app)
	if err == nil {
		err = s.ask(ctx, http.MethodPost, graph, graph+"/v1.0/servicePrincipals", map[string]any{"appId": app.AppID}, &sp)
	}
	if err == nil {
		err = s.ask(ctx, http.MethodPost, graph, graph+"/v1.0/applications/"+app.ID+"/addPassword", map[string]any{"passwordCredential": map[string]any{"displayName": "x"}}, &password)
	}
	p.id, p.object, p.secret = app.AppID, sp.ID, password.SecretText
	if err == nil {
		err = s.put(ctx, p, nil)
	}
	if err == nil {
		scope := "/subscriptions/" + s.env["ARM_SUBSCRIPTION_ID"]
		err = s.ask(ctx, http.MethodPut, manager, manager+scope+"/providers/Microsoft.Authorization/roleAssignments/"+guid()+"?api-version=2022-04-01", map[string]any{
			"properties": map[string]any{"principalId": sp.ID, "roleDefinitionId": scope + "/providers/Microsoft.Authorization/roleDefinitions/" + p.role}}, nil)
	}
	return p, err
}

func guid() string {
	b := make([]byte, 16)
	rand.Read(b) //nolint:errcheck // never fails
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// put makes permissions the role's whole content.
func (s *sandbox) put(ctx context.Context, p *principal, permissions []string) error {
	actions, data := []string{}, []string{}
	for _, one := range permissions {
		space, _, _ := strings.Cut(one, "/")
		if _, asked := p.data[space]; !asked {
			var known struct {
				Operations []struct {
					Name         string
					IsDataAction bool
				}
			}
			if err := s.ask(ctx, http.MethodGet, manager, manager+"/providers/Microsoft.Authorization/providerOperations/"+space+"?api-version=2022-04-01&$expand=resourceTypes", nil, &known); err != nil {
				return err
			}
			p.data[space] = false
			for _, o := range known.Operations {
				p.data[strings.ToLower(o.Name)] = o.IsDataAction
			}
		}
		// The names that nobody has are dropped, as mpf does.
		switch isData, known := p.data[strings.ToLower(one)]; {
		case !known:
		case isData:
			data = append(data, one)
		default:
			actions = append(actions, one)
		}
	}
	scope := "/subscriptions/" + s.env["ARM_SUBSCRIPTION_ID"]
	return s.ask(ctx, http.MethodPut, manager, manager+scope+"/providers/Microsoft.Authorization/roleDefinitions/"+p.role+"?api-version=2022-04-01", map[string]any{
		"properties": map[string]any{"roleName": "rerun", "assignableScopes": []string{scope}, "permissions": []any{map[string]any{"actions": actions, "dataActions": data}}}}, nil)
}

var blobRefused = regexp.MustCompile(`AuthorizationPermissionMismatch|This request is not authorized to perform this operation using this permission|Blob "[^\n]*unexpected status 403`)

var errorLine = regexp.MustCompile(`(?m)^Error: (.*)$`)

func firstError(out string) string {
	if m := errorLine.FindStringSubmatch(out); m != nil {
		return m[1]
	}
	return "no error is named"
}

// maxReruns ends what does not converge; mpf's own limit is 50 for a command.
const maxReruns = 200

var exists = regexp.MustCompile(`a resource with the ID "([^"]+)" already exists[\s\S]*?with ([\w.-]+(?:\[[^\]]*\])?),`)

func rerun(ctx context.Context, whittle, work, module string, stderr io.Writer) (r reruns, err error) {
	s, err := serve(ctx, whittle)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	p, err := s.principal(ctx)
	if err != nil {
		return r, err
	}
	if err := os.CopyFS(work, os.DirFS(module)); err != nil {
		return r, err
	}
	env, err := terraformEnv(ctx, whittle, work, s, p)
	if err != nil {
		return r, err
	}
	tf := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "terraform", args...)
		cmd.Dir, cmd.Env = work, env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := tf("init", "-input=false", "-no-color"); err != nil {
		return r, fmt.Errorf("terraform init: %w\n%s", err, out)
	}
	began := time.Now()
	defer func() { r.took = time.Since(began) }()
	role := map[string]bool{}
	for _, command := range []string{"apply", "destroy"} {
		// A run that fails of something else, as of an operation that it may not ask
		// for, is made once more, where mpf would end.
		for stalled := 0; ; {
			out, failed := tf(command, "-auto-approve", "-input=false", "-no-color", "-var", "name=acme")
			r.runs++
			if failed == nil {
				break
			}
			added := add(role, out)
			imported := 0
			for _, m := range exists.FindAllStringSubmatch(out, -1) {
				text, err := tf("import", "-input=false", "-no-color", "-var", "name=acme", m[2], m[1])
				r.runs, r.imports = r.runs+1, r.imports+1
				added += add(role, text)
				if err == nil {
					imported++
				}
			}
			fmt.Fprintf(stderr, "bench: azure, %s run %d: %d added, %d imported, %d in all\n", command, r.runs, added, imported, len(role))
			if stalled++; added+imported > 0 {
				stalled = 0
			}
			if stalled > 1 || r.runs > maxReruns {
				r.permissions, r.stuck = slices.Sorted(maps.Keys(role)), command+": "+firstError(out)
				return r, nil
			}
			if err := s.put(ctx, p, slices.Sorted(maps.Keys(role))); err != nil {
				return r, err
			}
		}
	}
	r.permissions = slices.Sorted(maps.Keys(role))
	return r, nil
}

// add adds what an output shows as refused, and a /delete for each /write.
func add(role map[string]bool, out string) (added int) {
	note := func(p string) {
		if p != "" && !role[p] {
			role[p] = true
			added++
		}
	}
	for _, d := range parsers.FromOutput(out) {
		if d.Cloud != refusal.Azure {
			continue
		}
		for _, p := range append([]string{d.Permission}, d.Candidates...) {
			note(p)
			if base, ok := strings.CutSuffix(p, "/write"); ok {
				note(base + "/delete")
			}
		}
	}
	// mpf guesses what an opaque refusal of a blob was about from the sentence around
	// it (issue 41); so does this, and from the bare status to HEAD as well.
	if blobRefused.MatchString(out) {
		for _, verb := range []string{"read", "write", "delete"} {
			note("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/" + verb)
		}
	}
	return added
}

// terraformEnv is the environment with which Terraform runs as the principal and
// finds the provider.
func terraformEnv(ctx context.Context, whittle, work string, s *sandbox, p *principal) ([]string, error) {
	out, err := exec.CommandContext(ctx, whittle, "tools", "build", "terraform-provider-azurerm").Output()
	if err != nil {
		return nil, fmt.Errorf("build the provider: %w", err)
	}
	mirror, _, ok := strings.Cut(strings.TrimSpace(string(out)), string(filepath.Separator)+"registry.terraform.io")
	if !ok {
		return nil, fmt.Errorf("the provider lies in %s", out)
	}
	rc := filepath.Join(work, "terraform.rc")
	if err := os.WriteFile(rc, []byte(fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)), 0o644); err != nil {
		return nil, err
	}
	env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": work, "TF_CLI_CONFIG_FILE": rc, "CHECKPOINT_DISABLE": "1"}
	maps.Copy(env, s.env)
	env["ARM_CLIENT_ID"], env["ARM_CLIENT_SECRET"] = p.id, p.secret
	var list []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list, nil
}
