package main

import (
	"encoding/base64"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretStacks make what a lifecycle makes with secrets in it: passwords, keys
// that the cloud makes, bodies, and variables that the user gives. Each step is
// refused them first, and lets its environment be seen.
var secretStacks = map[string]map[string]string{
	"aws": {
		"sandbox": `{account: "123456789012", region: us-east-1}`,
		"command": "calls", "keys": "own-keys lent",
		"calls.txt": "create-queue jobs\nsend-message jobs canary-body-0001\ncreate-user u\nlogin u Canary-password-0002!\n" +
			"create-bucket canarybucket\nput-object canarybucket/k\nget-object canarybucket/k\n",
	},
	"gcp": {
		"sandbox":   `{project: whittle-sandbox}`,
		"command":   "google-calls",
		"calls.txt": "add-secret s canary-body-0001\nread-secret s\ncreate-account canaryaccount\ncreate-bucket whittle-canary\n",
	},
	"azure": {
		"sandbox": `{subscription: 5a4d0000-0000-4000-8000-000000000001}`,
		"command": "azure-calls", "keys": "keep lent POST " + azureCanaries + "/Microsoft.Storage/storageAccounts/canary/listKeys?api-version=2023-05-01",
		"calls.txt": `PUT https://management.azure.com{subscription}/resourceGroups/rg?api-version=2021-04-01 {"location": "eastus"}
PUT ` + azureCanaries + `/Microsoft.KeyVault/vaults/canary?api-version=2023-07-01 {"location": "eastus", "properties": {"enableRbacAuthorization": true}}
PUT https://canary.vault.azure.net/secrets/one?api-version=7.4 {"value": "canary-body-0001"}
GET https://canary.vault.azure.net/secrets/one?api-version=7.4
PUT ` + azureCanaries + `/Microsoft.Storage/storageAccounts/canary?api-version=2023-05-01 {"location": "eastus", "sku": {"name": "Standard_LRS"}}
`,
	},
}

const azureCanaries = "https://management.azure.com{subscription}/resourceGroups/rg/providers"

// targets are the places that the clouds simulate.
var targets = map[string]string{"aws": "123456789012", "gcp": "whittle-sandbox", "azure": "5a4d0000-0000-4000-8000-000000000001"}

// No secret of a run is in anything that Whittle writes or prints, nor in what it
// gives to a step: not the operator's keys and tokens, not what the identities are
// lent, not what the lifecycle's own code sends, gets and is given. That the run
// has them, and that they would be found, is seen by looking for them where they
// are.
func TestSecretsOfARun(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs moto")
	}
	for cloud, stack := range secretStacks {
		t.Run(cloud, func(t *testing.T) {
			t.Parallel()
			c := startCloud(t, cloud)
			home := t.TempDir() // the steps get this one: they leave there what the test looks at
			step := `env > "$HOME/child.env"; ` + stack["command"] + ` calls.txt || exit 1; cp -f lent u.env *.json "$HOME" 2>/dev/null; true`
			dir := stackIn(t, map[string]string{
				"calls.txt": stack["calls.txt"] + stack["keys"] + "\n",
				"whittle.yaml": "cloud: " + cloud + "\nsandbox: " + stack["sandbox"] + "\napprove: [iam:CreateAccessKey, iam:CreateLoginProfile, iam.serviceAccountKeys.create, Microsoft.KeyVault/vaults/write, Microsoft.Storage/storageAccounts/listKeys/action]\nlifecycle:\n" +
					"  - {name: make, phase: init, env: {DB_PASSWORD: canary-variable-0003}, command: [sh, -c, '" + step + "']}\n",
				"fails.yaml": "cloud: " + cloud + "\nsandbox: " + stack["sandbox"] + "\nlifecycle:\n" +
					"  - {name: make, phase: init, env: {DB_PASSWORD: canary-variable-0003}, command: [sh, -c, 'echo \"$DB_PASSWORD\" $HTTPS_PROXY; echo \"$DB_PASSWORD\" >&2; exit 3']}\n",
			})
			operator := map[string]string{"HOME": home, "GITHUB_TOKEN": "canary-operator-0004"}
			if cloud != "azure" { // there it is what the cloud knows him by
				operator["ARM_CLIENT_SECRET"] = "canary-operator-0004"
			}

			all := c.run(t, dir, operator, "whittle", "probe", "--log=json", "--no-verify", "--no-reference", "--yes", "--target-is-sandbox", targets[cloud])
			if all.code != exitDone {
				t.Fatalf("exit %d: %s", all.code, all.errors)
			}
			told := []string{all.out, all.errors}
			for _, format := range [][]string{{"show"}, {"show", "--json"}} {
				shown := c.run(t, dir, operator, "whittle", format...)
				told = append(told, shown.out, shown.errors)
			}
			failed := c.run(t, dir, operator, "whittle", "probe", "-f", "fails.yaml", "--log=json", "--no-verify", "--no-reference", "--yes", "--target-is-sandbox", targets[cloud])
			if failed.code != exitError || !strings.Contains(failed.errors, "REDACTED") {
				t.Errorf("the step that fails: exit %d: %s", failed.code, failed.errors)
			}
			told = append(told, failed.out, failed.errors)

			child, err := os.ReadFile(filepath.Join(home, "child.env"))
			if err != nil {
				t.Fatal(err)
			}
			secrets := []string{"canary-body-0001", "Canary-password-0002", "canary-operator-0004", "ya29.", liveToken}
			for name, value := range c.env {
				if strings.Contains(name, "SECRET") || strings.Contains(name, "TOKEN") {
					secrets = append(secrets, value)
				}
			}
			for _, file := range []string{"lent", "u.env", "canaryaccount.json"} { // what the identity was lent, and the keys that the step made
				text, _ := os.ReadFile(filepath.Join(home, file)) // err: of the other cloud
				for word := range strings.FieldsSeq(string(text)) {
					if _, value, ok := strings.Cut(word, "SECRET_ACCESS_KEY="); ok {
						word = value
					}
					word = strings.Trim(strings.TrimPrefix(word, `"private_key":`), `",`)
					if cloud == "azure" {
						_, word, _ = strings.Cut(word, `"value":"`)
						word, _, _ = strings.Cut(word, `"`)
					}
					if len(word) > 30 && !strings.Contains(word, "https:") && !strings.Contains(word, "@") {
						secrets = append(secrets, word)
					}
				}
			}
			if want := map[string]int{"aws": 9, "gcp": 7, "azure": 8}[cloud]; len(secrets) < want {
				t.Errorf("only %d secrets to look for", len(secrets))
			}
			if s := holds(string(child), secrets); s != "" {
				t.Errorf("the step's environment holds %s…", s[:8])
			}

			// The step's own variable is for the step alone.
			secrets = append(secrets, "canary-variable-0003")
			if s := holds(strings.Join(told, "\n"), secrets); s != "" {
				t.Errorf("what was printed holds %s…", s[:8])
			}
			if _, password, ok := strings.Cut(string(child), "HTTPS_PROXY=http://"); ok { // good for the run on loopback, and for nobody else
				password, _, _ = strings.Cut(password, "@")
				_, password, _ = strings.Cut(password, ":")
				if len(password) < 16 {
					t.Errorf("the proxy's password is %q", password)
				}
				secrets = append(secrets, password)
			} else {
				t.Error("the step has no proxy")
			}
			written := 0
			err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				switch {
				case err != nil:
					return err
				case d.IsDir() && d.Name() == "copy": // the user's own files, and what his tools made of them
					return fs.SkipDir
				case d.IsDir() || filepath.Dir(path) == dir && strings.HasSuffix(path, ".yaml") || d.Name() == "calls.txt":
					return nil
				}
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				written++
				if s := holds(string(text), secrets); s != "" {
					t.Errorf("%s holds %s…", path, s[:8])
				}
				return nil
			})
			if err != nil || written < 3 { // the record, and the journals of two runs
				t.Errorf("%d files were looked at, %v", written, err)
			}
			closed(t, filepath.Join(dir, ".whittle"))

			// They would have been found: the user's own file has one of them.
			source, err := os.ReadFile(filepath.Join(dir, "calls.txt"))
			if err != nil || holds(string(source), secrets) == "" {
				t.Errorf("nothing found where it is, %v", err)
			}
		})
	}
}

// liveToken is how a token of the embedded Entra ID begins, and no placeholder:
// {"alg":"RS256",…
const liveToken = "eyJhbGciOiJSUzI1NiIs"

// holds gives the first of the secrets that a text holds, as it is or encoded.
func holds(text string, secrets []string) string {
	for _, s := range secrets {
		raw := base64.RawStdEncoding.EncodeToString([]byte(s))
		for _, form := range []string{s, url.QueryEscape(s), raw[:len(raw)*3/4/4*4]} {
			if strings.Contains(text, form) {
				return s
			}
		}
	}
	return ""
}

// closed tells that nobody but the operator may enter the folders of runs, and
// read what Whittle itself wrote there.
func closed(t *testing.T, work string) {
	t.Helper()
	err := filepath.WalkDir(work, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "copy" { // its files have the modes of the user's
			return fs.SkipDir
		}
		info, err := d.Info()
		if err == nil && d.Type()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
