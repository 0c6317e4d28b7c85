// Package endpoint gives child processes their credentials, from a port of
// 127.0.0.1, in the form that every AWS SDK reads (SDKs and tools reference
// guide, "Container credential provider").
//
// It keeps no credentials: each fetch asks their provider, so that a long step
// gets new ones in time. Who does not show an identity's own token gets nothing.
package endpoint

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
)

// Identity is whose credentials are fetched at one address.
type Identity struct {
	Name    string // ends the address
	RoleARN string
	// Token must be shown to fetch them: the child's Authorization header.
	Token string
	// Credentials gives those that are in use now.
	Credentials awssdk.CredentialsProvider
}

// NewToken draws a random token.
func NewToken() (string, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("draw a random token: %w", err)
	}
	return hex.EncodeToString(secret), nil
}

// Server is the endpoint. It listens from its first use until Close, and can
// be used again after it.
type Server struct {
	// Log may be nil.
	Log *slog.Logger

	mu     sync.Mutex
	http   *http.Server
	done   chan error
	base   string
	served map[string]Identity // by path
}

// Serve gives the address at which the identity's credentials can be fetched.
func (s *Server) Serve(ctx context.Context, id Identity) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", fmt.Errorf("credentials endpoint: %w; child processes fetch their credentials from a port on 127.0.0.1", err)
		}
		s.base, s.served, s.done = "http://"+l.Addr().String(), map[string]Identity{}, make(chan error, 1)
		s.http = &http.Server{Handler: http.HandlerFunc(s.handle), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
		go func(h *http.Server, done chan<- error) { done <- h.Serve(l) }(s.http, s.done)
	}
	s.served["/"+id.Name] = id
	return s.base + "/" + url.PathEscape(id.Name), nil
}

// Close stops listening. A server that never listened has nothing to stop.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	if served := <-s.done; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	s.http, s.served = nil, nil
	if err != nil {
		return fmt.Errorf("credentials endpoint: %w", err)
	}
	return nil
}

// handle answers in the form that the container credential provider reads.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	id, known := s.served[r.URL.Path]
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	reply := func(status int, v any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to tell
	}
	type failure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	switch {
	case r.Method != http.MethodGet:
		reply(http.StatusMethodNotAllowed, failure{"MethodNotAllowed", "only GET"})
	case !known || !equal(r.Header.Get("Authorization"), id.Token):
		// One answer for both: who has no token learns no names.
		reply(http.StatusForbidden, failure{"Forbidden", "unknown identity or wrong token"})
	default:
		k, err := id.Credentials.Retrieve(r.Context())
		if err != nil {
			if s.Log != nil {
				s.Log.Error("could not renew credentials", "identity", id.Name, "error", err)
			}
			reply(http.StatusBadGateway, failure{"AssumeRole", err.Error()})
			return
		}
		reply(http.StatusOK, map[string]string{
			"AccessKeyId": k.AccessKeyID, "SecretAccessKey": k.SecretAccessKey, "Token": k.SessionToken,
			"Expiration": k.Expires.UTC().Format(time.RFC3339), "RoleArn": id.RoleARN,
		})
	}
}

// equal compares in a time that tells nothing of either, not even a length.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
