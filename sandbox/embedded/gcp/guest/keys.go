package guest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// userName is a name that an account on Linux can have. Source: useradd(8).
var userName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// Authorized tells whether a user may log in with a key, as the guest agent
// makes of the metadata of an instance and of its project:
//
//   - `ssh-keys` of both have a line USER:KEY for each; those of the project do
//     not count where the instance says `block-project-ssh-keys`, or has the
//     older `sshKeys`, which then count beside `ssh-keys`;
//   - a key with a comment `google-ssh {"expireOn": …}` counts until then;
//   - with `enable-oslogin`, which the instance's metadata decides before the
//     project's, none of them counts.
//
// Source: Compute Engine, "Add SSH keys to VMs" and "Set up OS Login"; the guest
// agent's non_windows_accounts.go.
func Authorized(instance, project map[string]string, user string, key ssh.PublicKey, now time.Time) bool {
	if !userName.MatchString(user) {
		return false
	}
	osLogin, said := instance["enable-oslogin"]
	if !said {
		osLogin = project["enable-oslogin"]
	}
	if truth(osLogin) {
		return false
	}
	lists := []string{instance["ssh-keys"], instance["sshKeys"]}
	if !truth(instance["block-project-ssh-keys"]) && instance["sshKeys"] == "" {
		lists = append(lists, project["ssh-keys"], project["sshKeys"])
	}
	for _, list := range lists {
		for line := range strings.Lines(list) {
			name, text, ok := strings.Cut(strings.TrimSpace(line), ":")
			if !ok || name != user {
				continue
			}
			given, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
			if err == nil && bytes.Equal(given.Marshal(), key.Marshal()) && !expired(comment, now) {
				return true
			}
		}
	}
	return false
}

// truth reads a metadata value that is true or false.
func truth(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "y", "1":
		return true
	}
	return false
}

// expired reads a key's comment. One that says when and cannot be read has
// expired.
func expired(comment string, now time.Time) bool {
	text, ok := strings.CutPrefix(comment, "google-ssh ")
	if !ok {
		return false
	}
	var says struct {
		ExpireOn string `json:"expireOn"`
	}
	if json.Unmarshal([]byte(text), &says) != nil {
		return true
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} {
		if at, err := time.Parse(form, says.ExpireOn); err == nil {
			return !now.Before(at)
		}
	}
	return says.ExpireOn != ""
}
