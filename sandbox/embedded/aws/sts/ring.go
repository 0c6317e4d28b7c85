package sts

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"net/url"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
)

// OperatorName is the operator's in ARNs. No user of the account bears it by
// accident.
const OperatorName = "whittle-operator"

// Ring holds the account's credentials: the operator's, the access keys of IAM
// users, and the sessions of roles. Secrets are in memory only.
type Ring struct {
	account  string
	operator Key

	mu       sync.Mutex
	keys     map[string]Key     // by access key id
	sessions map[string]session // by access key id
}

// Key is an access key.
type Key struct {
	ID, Secret string
	user       string // empty for the operator
	active     bool
}

// session is a set of temporary credentials.
type session struct {
	secret, token string
	expires       time.Time
	who           account.Principal
}

// Holder is who holds a credential, and what is needed to verify that he does.
type Holder struct {
	Who           account.Principal
	Secret, Token string // no Token: a long-term key
	Expired       bool
}

// NewRing makes a ring with a new operator.
func NewRing(number string) *Ring {
	return &Ring{
		account: number, keys: map[string]Key{}, sessions: map[string]session{},
		operator: Key{ID: "AKIA" + rand.Text()[:16], Secret: random(30), active: true},
	}
}

// random is text of n random bytes.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// Operator gives the key of the sandbox's administrator. He is not in the
// account's state: no stack can find or remove him.
func (g *Ring) Operator() Key { return g.operator }

// Holder finds whose an access key is, among those who are in the view.
func (g *Ring) Holder(id string, view *account.View) (Holder, bool) {
	if id == g.operator.ID {
		const unique = "AIDAWHITTLEOPERATOR00"
		who := account.Principal{ARN: "arn:aws:iam::" + g.account + ":user/" + OperatorName, User: OperatorName, UserID: unique, ID: unique, Operator: true}
		return Holder{Who: who, Secret: g.operator.Secret}, true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if s, ok := g.sessions[id]; ok {
		return Holder{s.who, s.secret, s.token, !time.Now().Before(s.expires)}, view.Has(s.who)
	}
	k, ok := g.keys[id]
	e := view.Users[k.user]
	if !ok || !k.active || e == nil {
		return Holder{}, false
	}
	return Holder{Who: account.Principal{ARN: e.ARN, User: e.Name, UserID: e.ID, ID: e.ID}, Secret: k.Secret}, true
}

// Owner is the user that an access key belongs to, empty when there is none.
func (g *Ring) Owner(id string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.keys[id].user
}

// Learn takes note of an operation of IAM that succeeded, as far as it changed
// access keys: the state keeps them, but it is by them that is verified.
func (g *Ring) Learn(operation string, params url.Values, reply []byte) error {
	id := params.Get("AccessKeyId")
	g.mu.Lock()
	defer g.mu.Unlock()
	switch operation {
	case "CreateAccessKey":
		var made struct {
			UserName string `xml:"CreateAccessKeyResult>AccessKey>UserName"`
			ID       string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
			Secret   string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
		}
		// Not the decoder's own error: it could quote the reply.
		if xml.Unmarshal(reply, &made) != nil || made.ID == "" || made.Secret == "" {
			return fmt.Errorf("iam:CreateAccessKey: the state's reply names no key")
		}
		g.keys[made.ID] = Key{ID: made.ID, Secret: made.Secret, user: made.UserName, active: true}
	case "UpdateAccessKey":
		if k, ok := g.keys[id]; ok {
			k.active = params.Get("Status") == "Active"
			g.keys[id] = k
		}
	case "DeleteAccessKey":
		delete(g.keys, id)
	case "UpdateUser":
		if name := params.Get("NewUserName"); name != "" {
			for id, k := range g.keys {
				if k.user == params.Get("UserName") {
					k.user = name
					g.keys[id] = k
				}
			}
		}
	}
	return nil
}

// Keys is a copy of the users' access keys, to be put back by SetKeys.
func (g *Ring) Keys() map[string]Key {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.keys)
}

// SetKeys replaces the users' access keys. Sessions stay.
func (g *Ring) SetKeys(keys map[string]Key) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keys = maps.Clone(keys)
}

// open makes a session. Its id and token are shaped like AWS's.
func (g *Ring) open(who account.Principal, lasts time.Duration) (id string, s session) {
	s = session{secret: random(30), token: "IQoJb3JpZ2luX2Vj" + random(240), expires: time.Now().Add(lasts), who: who}
	id = "ASIA" + rand.Text()[:16]
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions[id] = s
	return id, s
}
