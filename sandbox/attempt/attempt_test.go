package attempt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/proc"
)

// The test binary is also the shim, and the programs that command steps run.
func TestMain(m *testing.M) {
	if code, ok := proc.RunShim(os.Args, os.Environ()); ok {
		os.Exit(code)
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "print-env":
			j, _ := json.Marshal(os.Environ())
			fmt.Println(string(j))
			os.Exit(0)
		case "get":
			os.Exit(get(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// get asks for URLs the way an SDK does, by its environment alone.
func get(urls []string) int {
	pem, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	pool := x509.NewCertPool() // Go reads SSL_CERT_FILE on Linux only
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for _, u := range urls {
		res, err := client.Get(u)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Println(res.StatusCode, string(body))
		if res.StatusCode != http.StatusOK {
			fmt.Fprintln(os.Stderr, "refused:", string(body))
			return 3
		}
	}
	return 0
}

// cloudHost is a TLS server that stands for a cloud's host.
func cloudHost(t *testing.T, host string, h http.HandlerFunc) (dial func(context.Context, string, string) (net.Conn, error), roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots = x509.NewCertPool()
	roots.AddCert(cert)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr != host+":443" {
			return nil, fmt.Errorf("dial %s: only %s is there", addr, host)
		}
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}, roots
}

// arbiter repeats what is refused, and remembers.
type arbiter struct {
	mu       sync.Mutex
	refused  []string
	observed map[string]int // method host path status → repeats
}

func (a *arbiter) Refused(_ context.Context, x refusal.Exchange) refusal.Verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused = append(a.refused, x.URL.Host+x.URL.Path)
	return refusal.Repeat
}

func (a *arbiter) Observed(x refusal.Exchange, repeats int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.observed == nil {
		a.observed = map[string]int{}
	}
	a.observed[fmt.Sprintf("%s %s%s %d", x.Method, x.URL.Host, x.URL.Path, x.Status)] = repeats
}

// credentials are those of an identity.
type credentials map[string]string

func (c credentials) Env(context.Context) (map[string]string, error) { return c, nil }
func (c credentials) Issued(string) bool                             { return true }
func (c credentials) Is(string) bool                                 { return true }

// self is the path of the test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// quick takes away the second that a program with the race detector in it
// sleeps before it ends.
func quick() map[string]string { return map[string]string{"GORACE": "atexit_sleep_ms=0"} }

// files makes a folder with files; a name that ends in a slash is a folder.
func files(t *testing.T, text map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range text {
		path := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// listing is what is below dir: files with their text, links with their
// target, folders with nothing.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch {
		case d.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			found[rel] = "-> " + target
			return err
		case d.IsDir():
			found[rel+"/"] = ""
			return nil
		}
		b, err := os.ReadFile(path)
		found[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func executor(t *testing.T, c Config) *Executor {
	t.Helper()
	if c.Work == "" {
		c.Work = filepath.Join(t.TempDir(), "run")
	}
	e, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func attempt(t *testing.T, e *Executor, a harness.Attempt) harness.Outcome {
	t.Helper()
	out, err := e.Attempt(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestChildsEnvironment(t *testing.T) {
	t.Parallel()
	env := quick()
	env["STAGE"], env["AWS_REGION"] = "test", "sa-east-1" // a step may say where it runs
	step := lifecycle.Step{Name: "env", Command: []string{self(t), "print-env"}, Env: env}
	work := filepath.Join(t.TempDir(), "run")
	e := executor(t, Config{
		Lifecycle: lifecycle.Lifecycle{Dir: files(t, nil), Sandbox: lifecycle.Sandbox{Region: "eu-west-1"}, Steps: []lifecycle.Step{step}},
		Work:      work,
		Environ: []string{"PATH=/usr/bin:/bin", "HOME=/home/op", "AWS_ACCESS_KEY_ID=AKIAOPERATOR", "AWS_SECRET_ACCESS_KEY=s", "AWS_PROFILE=prod",
			"AWS_REGION=us-east-1", "GITHUB_TOKEN=t", "GOOGLE_APPLICATION_CREDENTIALS=/k", "ARM_CLIENT_SECRET=s", "TF_VAR_x=1", "http_proxy=http://corp"},
	})
	const token = "0123456789abcdef"
	out := attempt(t, e, harness.Attempt{Step: step, Identity: harness.Identity{Name: "probe", Credentials: credentials{
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/c", "AWS_CONTAINER_AUTHORIZATION_TOKEN": token}}})
	if !out.OK {
		t.Fatalf("%+v", out)
	}
	if strings.Contains(out.Output, token) {
		t.Error("the identity's token is in the output")
	}
	var environ []string
	if err := json.Unmarshal([]byte(out.Output), &environ); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		got[k] = strings.Replace(v, work, "WORK", 1)
	}
	proxy, err := url.Parse(got["HTTPS_PROXY"])
	if err != nil || proxy.Hostname() != "127.0.0.1" {
		t.Errorf("proxy %q", got["HTTPS_PROXY"])
	}
	if p, _ := proxy.User.Password(); p != "REDACTED" {
		t.Error("the proxy's password is in the output")
	}
	want := map[string]string{
		"PATH": "/usr/bin:/bin", "HOME": "/home/op", "GORACE": "atexit_sleep_ms=0", "STAGE": "test",
		"AWS_REGION": "sa-east-1", "AWS_DEFAULT_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": "WORK/empty", "AWS_SHARED_CREDENTIALS_FILE": "WORK/empty", "AWS_EC2_METADATA_DISABLED": "true",
		"CLOUDSDK_CONFIG": "WORK/private/gcloud", "AZURE_CONFIG_DIR": "WORK/private/azure",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/c", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "REDACTED",
		"HTTPS_PROXY": proxy.String(), "https_proxy": proxy.String(), "HTTP_PROXY": proxy.String(), "http_proxy": proxy.String(),
		"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
		"SSL_CERT_FILE": "WORK/ca.pem", "AWS_CA_BUNDLE": "WORK/ca.pem", "REQUESTS_CA_BUNDLE": "WORK/ca.pem", "CURL_CA_BUNDLE": "WORK/ca.pem",
		"NODE_EXTRA_CA_CERTS": "WORK/ca.pem", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": "WORK/ca.pem",
		"TF_CLI_CONFIG_FILE": "WORK/terraform.rc", "CHECKPOINT_DISABLE": "1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for path, mode := range map[string]os.FileMode{"": 0o700, "ca.pem": 0o600, "empty": 0o600, "private": 0o700, "terraform.rc": 0o600} {
		if info, err := os.Stat(filepath.Join(work, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestRefusalsGoThroughTheArbiter(t *testing.T) {
	t.Parallel()
	const host = "sqs.us-east-1.amazonaws.com"
	for _, held := range []bool{true, false} {
		var mu sync.Mutex
		asked := 0
		dial, roots := cloudHost(t, host, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if asked++; asked < 3 {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, "AccessDenied")
				return
			}
			_, _ = io.WriteString(w, "let through")
		})
		step := lifecycle.Step{Name: "push", Command: []string{self(t), "get", "https://" + host + "/queue"}, Env: quick()}
		e := executor(t, Config{
			Lifecycle: lifecycle.Lifecycle{Dir: files(t, nil), Steps: []lifecycle.Step{step}},
			Dial:      dial, RootCAs: roots,
		})
		a := &arbiter{}
		out := attempt(t, e, harness.Attempt{Step: step, Arbiter: a, Held: held})
		if held {
			if !out.OK || out.Output != "200 let through\n" || len(a.refused) != 2 || out.Duration <= 0 {
				t.Errorf("held: %+v after %v", out, a.refused)
			}
			if want := map[string]int{"GET " + host + "/queue 200": 2}; !maps.Equal(a.observed, want) {
				t.Errorf("held: observed %v", a.observed)
			}
			continue
		}
		want := []harness.Diagnostic{{Summary: self(t) + " ended with exit code 3", Detail: "refused: AccessDenied"}}
		if out.OK || !cmp.Equal(out.Diagnostics, want) || len(a.refused) != 1 {
			t.Errorf("not held: %+v after %v", out, a.refused)
		}
	}
}

func TestAttemptErrors(t *testing.T) {
	t.Parallel()
	step := lifecycle.Step{Name: "s", Command: []string{"true"}, Env: map[string]string{"X": "1"}}
	e := executor(t, Config{Lifecycle: lifecycle.Lifecycle{Dir: files(t, nil), Steps: []lifecycle.Step{step}}})
	for want, a := range map[string]harness.Attempt{
		"env: X is set by the probe identity":      {Step: step, Identity: harness.Identity{Credentials: credentials{"X": "2"}}},
		"neither terraform nor packer nor command": {Step: lifecycle.Step{Name: "s"}},
		"not a step of the lifecycle":              {Step: lifecycle.Step{Name: "s", Terraform: &lifecycle.Terraform{Command: "plan"}}},
		"run none: executable file not found":      {Step: lifecycle.Step{Name: "s", Command: []string{"none"}}},
		"HTTPS_PROXY is set by whittle itself":     {Step: lifecycle.Step{Name: "s", Command: []string{"true"}, Env: map[string]string{"HTTPS_PROXY": ""}}},
	} {
		// The step is named by whoever asked for the attempt.
		if _, err := e.Attempt(t.Context(), a); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "step s") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Attempt(ctx, harness.Attempt{Step: step}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	step := lifecycle.Step{Name: "slow", Command: []string{"sh", "-c", "trap 'echo stopping; exit 1' INT; echo > started; sleep 600 & wait"}}
	e := executor(t, Config{Lifecycle: lifecycle.Lifecycle{Dir: files(t, nil), Steps: []lifecycle.Step{step}}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(e.copy, "started")); err == nil {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	out, err := e.Attempt(ctx, harness.Attempt{Step: step})
	if !errors.Is(err, context.Canceled) || out.OK || out.Output != "stopping\n" {
		t.Errorf("%+v, %v", out, err)
	}
}

const stack = `
variable "text" { type = string }
module "part" {
  source = "../modules/part"
  text   = var.text
}
`

func TestTerraformStep(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs terraform")
	}
	dir := files(t, map[string]string{
		"infra/main.tf":              stack,
		"infra/changed.tfvars":       `text = "changed"`,
		"modules/part/main.tf":       "variable \"text\" {}\nresource \"terraform_data\" \"it\" { input = var.text }\n",
		"infra/terraform.tfstate":    "not for the sandbox",
		"infra/.terraform/something": "",
	})
	before := listing(t, dir)
	steps := []lifecycle.Step{
		{Name: "plan", Terraform: &lifecycle.Terraform{Dir: "infra", Command: "plan", Var: map[string]string{"text": "x"}}, Env: quick()},
		{Name: "apply", Terraform: &lifecycle.Terraform{Dir: "infra", Command: "apply", Var: map[string]string{"text": "x"}}, Env: quick()},
		{Name: "update", Terraform: &lifecycle.Terraform{Dir: "infra", Command: "apply", VarFile: []string{"changed.tfvars"}}, Env: quick()},
		{Name: "destroy", Terraform: &lifecycle.Terraform{Dir: "infra", Command: "destroy", Var: map[string]string{"text": "x"}}, Env: quick()},
	}
	var seen []string
	facts := map[string]map[string]string{}
	e := executor(t, Config{
		Lifecycle: lifecycle.Lifecycle{Dir: dir, Steps: steps},
		Progress:  func(step string, p Progress) { seen = append(seen, fmt.Sprintln(step, p.Kind, p.Address, p.Action)) },
	})
	for _, s := range steps {
		out := attempt(t, e, harness.Attempt{Step: s})
		if !out.OK || out.Tools["terraform"]+out.Tools["tofu"] == "" {
			t.Fatalf("%s: %+v", s.Name, out)
		}
		facts[s.Name] = out.Facts
	}
	const it = "module.part.terraform_data.it"
	if facts["plan"]["plan."+it] != "create" || !strings.HasPrefix(facts["apply"][it+".id"], "sha256:") || facts["destroy"] != nil {
		t.Errorf("facts: %v", facts)
	}
	if facts["apply"][it+".id"] != facts["update"][it+".id"] || facts["apply"][it+".output.value"] == facts["update"][it+".output.value"] {
		t.Errorf("facts of the update: %v", facts)
	}
	for _, want := range []string{"plan planned module.part.terraform_data.it create", "apply done module.part.terraform_data.it create",
		"update done module.part.terraform_data.it update", "destroy done module.part.terraform_data.it delete"} {
		if !slices.Contains(seen, want+"\n") {
			t.Errorf("no %q in %q", want, seen)
		}
	}
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Errorf("the user's tree was changed: %s", diff)
	}
	if _, err := os.Stat(filepath.Join(e.copy, "infra/terraform.tfstate")); err != nil {
		t.Errorf("no state in the working copy: %v", err)
	}
}

func TestNewErrors(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(files(t, map[string]string{"in/stack/main.tf": "", "in/file": "", "x.pkr.hcl": ""}), "in")
	tf := func(t lifecycle.Terraform) lifecycle.Step { return lifecycle.Step{Name: "s", Terraform: &t} }
	env := func(k string) lifecycle.Step {
		return lifecycle.Step{Name: "s", Command: []string{"true"}, Env: map[string]string{"OTHER": "", k: "v"}}
	}
	for want, s := range map[string]lifecycle.Step{
		"step s: packer: lstat " + filepath.Join(dir, "none.pkr.hcl"): {Name: "s", Packer: &lifecycle.Packer{Template: "none.pkr.hcl"}},
		"step s: packer: ../x.pkr.hcl leads out of " + dir:            {Name: "s", Packer: &lifecycle.Packer{Template: "../x.pkr.hcl"}},
		"step s: it says neither":                                     {Name: "s"},
		"step s: env: AWS_PROFILE is set by whittle itself":           env("AWS_PROFILE"),
		"step s: env: AWS_CONTAINER_X is set by whittle itself":       env("AWS_CONTAINER_X"),
		"step s: env: WHITTLE_SHIM_EXEC is set by whittle itself":     env("WHITTLE_SHIM_EXEC"),
		"step s: env: https_proxy is set by whittle itself":           env("https_proxy"),
		"step s: env: TF_CLI_CONFIG_FILE is set by whittle itself":    env("TF_CLI_CONFIG_FILE"),
		`step s: env: "A=B" cannot be a variable`:                     env("A=B"),
		"TF_LOG cannot be set for a terraform step":                   {Name: "s", Terraform: &lifecycle.Terraform{}, Env: map[string]string{"TF_LOG": "1"}},
		"dir none": {}, // replaced below
	} {
		if want == "dir none" {
			s, want = tf(lifecycle.Terraform{Dir: "none"}), "terraform: dir: lstat "+filepath.Join(dir, "none")
		}
		_, err := New(t.Context(), Config{Work: filepath.Join(t.TempDir(), "run"), Lifecycle: lifecycle.Lifecycle{Dir: dir, Steps: []lifecycle.Step{s}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	ok := lifecycle.Lifecycle{Dir: dir}
	for want, c := range map[string]Config{
		"no folder to work in":   {Lifecycle: ok},
		"the lifecycle's folder": {Work: t.TempDir(), Lifecycle: lifecycle.Lifecycle{Dir: filepath.Join(dir, "none")}},
		"work folder":            {Work: filepath.Join(dir, "file", "run"), Lifecycle: ok},
		"provider_mirror " + filepath.Join(dir, "stack"): {Work: filepath.Join(t.TempDir(), "run"),
			Lifecycle: lifecycle.Lifecycle{Dir: dir, Terraform: lifecycle.Tool{ProviderMirror: "stack"}}},
		"terraform: path " + filepath.Join(dir, "stack/main.tf"): {Work: filepath.Join(t.TempDir(), "run"),
			Lifecycle: lifecycle.Lifecycle{Dir: dir, Terraform: lifecycle.Tool{Path: "./stack/main.tf"}, Steps: []lifecycle.Step{tf(lifecycle.Terraform{Dir: "."})}}},
	} {
		if _, err := New(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
