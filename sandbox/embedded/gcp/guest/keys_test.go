package guest

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func publicKey(t *testing.T) (ssh.PublicKey, string) {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func TestAuthorized(t *testing.T) {
	key, text := publicKey(t)
	_, other := publicKey(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	type metadata = map[string]string
	for name, tt := range map[string]struct {
		instance, project metadata
		user              string
		want              bool
	}{
		"nothing":                         {user: "packer"},
		"the instance's":                  {instance: metadata{"ssh-keys": "packer:" + text}, user: "packer", want: true},
		"with a comment":                  {instance: metadata{"ssh-keys": "packer:" + text + " packer"}, user: "packer", want: true},
		"of another user":                 {instance: metadata{"ssh-keys": "ada:" + text}, user: "packer"},
		"another key":                     {instance: metadata{"ssh-keys": "packer:" + other}, user: "packer"},
		"among others":                    {instance: metadata{"ssh-keys": "ada:" + other + "\nnonsense\npacker:ssh-rsa broken\n packer:" + text + "\n"}, user: "packer", want: true},
		"no user":                         {instance: metadata{"ssh-keys": ":" + text}},
		"a user that is a path":           {instance: metadata{"ssh-keys": "../root:" + text}, user: "../root"},
		"the project's":                   {project: metadata{"ssh-keys": "packer:" + text}, user: "packer", want: true},
		"the project's, blocked":          {instance: metadata{"block-project-ssh-keys": "TRUE"}, project: metadata{"ssh-keys": "packer:" + text}, user: "packer"},
		"the project's, not blocked":      {instance: metadata{"block-project-ssh-keys": "false"}, project: metadata{"ssh-keys": "packer:" + text}, user: "packer", want: true},
		"the project's, beside older":     {instance: metadata{"sshKeys": "packer:" + other}, project: metadata{"ssh-keys": "packer:" + text}, user: "packer"},
		"the older name":                  {instance: metadata{"sshKeys": "packer:" + text}, user: "packer", want: true},
		"OS Login":                        {instance: metadata{"enable-oslogin": "TRUE", "ssh-keys": "packer:" + text}, user: "packer"},
		"OS Login of the project":         {instance: metadata{"ssh-keys": "packer:" + text}, project: metadata{"enable-oslogin": "TRUE"}, user: "packer"},
		"OS Login of the project, denied": {instance: metadata{"enable-oslogin": "FALSE", "ssh-keys": "packer:" + text}, project: metadata{"enable-oslogin": "TRUE"}, user: "packer", want: true},
		"expires later":                   {instance: metadata{"ssh-keys": "packer:" + text + ` google-ssh {"userName":"packer","expireOn":"2026-03-01T12:00:01+0000"}`}, user: "packer", want: true},
		"has expired":                     {instance: metadata{"ssh-keys": "packer:" + text + ` google-ssh {"userName":"packer","expireOn":"2026-03-01T12:00:00Z"}`}, user: "packer"},
		"expires, nobody knows when":      {instance: metadata{"ssh-keys": "packer:" + text + ` google-ssh {"userName":"packer","expireOn":"soon"}`}, user: "packer"},
		"expires, cannot be read":         {instance: metadata{"ssh-keys": "packer:" + text + ` google-ssh soon`}, user: "packer"},
	} {
		if got := Authorized(tt.instance, tt.project, tt.user, key, now); got != tt.want {
			t.Errorf("%s: authorized %v, want %v", name, got, tt.want)
		}
	}
}
