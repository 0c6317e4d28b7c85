package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/embedded"
)

// lastingVariable names an embedded sandbox that is there already: one of
// `whittle cloud`, which prints it. It outlives the run.
const lastingVariable = "WHITTLE_CLOUD"

// lasting is an embedded sandbox in another process: its snapshots, which outlive
// a run that was killed, and what it could not answer. Its API is reached as any
// cloud's is, through the proxy that its environment names.
type lasting struct {
	at     *url.URL
	secret string
	client *http.Client
	lastingPlace
}

// lastingPlace is what a sandbox says of itself.
type lastingPlace struct {
	Cloud       string        `json:"cloud"` // "aws", "gcp", "azure"
	Account     string        `json:"account"`
	Region      string        `json:"region"`
	Propagation time.Duration `json:"propagation"`
}

// maxControl is the longest message of the control connection, in bytes.
const maxControl = 1 << 20

// openLasting finds the sandbox that the environment names; nil where it names
// none.
func openLasting(ctx context.Context, cloud string) (*lasting, error) {
	text := os.Getenv(lastingVariable)
	if text == "" {
		return nil, nil
	}
	return lastingAt(ctx, text, cloud)
}

// lastingAt finds the sandbox at an address that whittle cloud has printed.
func lastingAt(ctx context.Context, text, cloud string) (*lasting, error) {
	at, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: not the address of a sandbox; take it from whittle cloud", lastingVariable) // the error would quote its secret
	}
	secret, _ := at.User.Password()
	at.User = nil
	if addr, err := netip.ParseAddr(at.Hostname()); err != nil || !addr.IsLoopback() || at.Scheme != "http" || secret == "" {
		return nil, fmt.Errorf("%s: %s is no address of a sandbox on this machine; take it from whittle cloud", lastingVariable, at.Host)
	}
	l := &lasting{at: at, secret: secret, client: &http.Client{Transport: &http.Transport{}}} // straight there, whatever proxy the environment names
	if err := l.ask(ctx, http.MethodGet, "/place", nil, &l.lastingPlace); err != nil {
		return nil, fmt.Errorf("%s: %w; is whittle cloud still up?", lastingVariable, err)
	}
	if l.Cloud != cloud {
		return nil, fmt.Errorf("%s: that sandbox is %s, and the lifecycle is for %s", lastingVariable, l.Cloud, cloud)
	}
	return l, nil
}

// ask sends what to the sandbox and reads its answer into reply; either may be nil.
func (l *lasting) ask(ctx context.Context, method, path string, what, reply any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, l.at.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+l.secret)
	resp, err := l.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxControl))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text)))
	case reply == nil:
		return nil
	}
	return json.Unmarshal(text, reply)
}

// snapshotID is a snapshot in the sandbox's words.
type snapshotID struct {
	ID string `json:"id"`
}

// Snapshot implements attempt.CloudState.
func (l *lasting) Snapshot(ctx context.Context) (string, error) {
	var s snapshotID
	err := l.ask(ctx, http.MethodPost, "/snapshot", nil, &s)
	return s.ID, err
}

// Restore implements attempt.CloudState.
func (l *lasting) Restore(ctx context.Context, id string) error {
	return l.ask(ctx, http.MethodPost, "/restore", snapshotID{id}, nil)
}

// unknown is what the sandbox could not answer so far.
func (l *lasting) unknown(ctx context.Context) (lines []string, err error) {
	err = l.ask(ctx, http.MethodGet, "/unknown", nil, &lines)
	return lines, err
}

// place is the sandbox as the place of a run. Its operator is who has its
// environment.
func (l *lasting) place(ctx context.Context) (*place, error) {
	s := lifecycle.Sandbox{Region: l.Region}
	p := &place{upstream: http.ProxyFromEnvironment, lasting: l, propagation: l.Propagation}
	s.Account, s.Project, s.Subscription = l.Account, l.Account, l.Account // only the cloud's own is read
	var err error
	p.operator, err = operatorOf(ctx, l.Cloud, s)
	return p, err
}

// controlled serves the control connection of a sandbox on a loopback port until
// close is called. Who is given its address, which holds a secret, can take
// snapshots of the sandbox and bring them back.
func controlled(ctx context.Context, cloud string, p *place) (address string, closed func() error, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	secret := rand.Text()
	place := lastingPlace{Cloud: cloud, Account: p.embedded.Account(), Region: p.embedded.Region(), Propagation: p.propagation}
	server := &http.Server{Handler: only(secret, controls(p.embedded, place, p.strangeness)), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	at := url.URL{Scheme: "http", User: url.UserPassword("whittle", secret), Host: listener.Addr().String()}
	return at.String(), func() error {
		err := server.Close()
		if s := <-served; !errors.Is(s, http.ErrServerClosed) {
			err = errors.Join(err, s)
		}
		return err
	}, nil
}

// only lets those through who show the secret.
func only(secret string, inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(shown), []byte(secret)) != 1 {
			http.Error(w, "not for you", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// controls answers what [lasting] asks.
func controls(cloud *embedded.Cloud, place lastingPlace, unknown func() []string) http.Handler {
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, v any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // who hung up needs no answer
	}
	mux.HandleFunc("GET /place", func(w http.ResponseWriter, _ *http.Request) { say(w, place, nil) })
	mux.HandleFunc("GET /unknown", func(w http.ResponseWriter, _ *http.Request) { say(w, unknown(), nil) })
	mux.HandleFunc("POST /snapshot", func(w http.ResponseWriter, r *http.Request) {
		id, err := cloud.Snapshot(r.Context())
		say(w, snapshotID{id}, err)
	})
	mux.HandleFunc("POST /restore", func(w http.ResponseWriter, r *http.Request) {
		var s snapshotID
		err := json.NewDecoder(io.LimitReader(r.Body, maxControl)).Decode(&s)
		if err == nil {
			// Who asked may be killed: half a restore would be no state at all.
			err = cloud.Restore(context.WithoutCancel(r.Context()), s.ID)
		}
		say(w, s, err)
	})
	return mux
}
