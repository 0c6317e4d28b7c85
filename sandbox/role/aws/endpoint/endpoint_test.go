package endpoint

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
)

// keys is a provider of the same credentials, or of an error.
func keys(id string, err error) awssdk.CredentialsProvider {
	return awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
		return awssdk.Credentials{AccessKeyID: id, SecretAccessKey: "secret of " + id, SessionToken: "session", CanExpire: true, Expires: time.Now().Add(time.Hour)}, err
	})
}

func serve(t *testing.T, s *Server, id Identity) string {
	t.Helper()
	address, err := s.Serve(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func fetch(t *testing.T, method, address, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", token)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(b)
}

func TestServe(t *testing.T) {
	s := &Server{}
	defer s.Close()
	one, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	two, _ := NewToken()
	if len(one) != 64 || one == two {
		t.Errorf("tokens %q and %q", one, two)
	}
	a := serve(t, s, Identity{Name: "plan/all", RoleARN: "arn:a", Token: one, Credentials: keys("A", nil)})
	b := serve(t, s, Identity{Name: "apply", Token: two, Credentials: keys("B", nil)})
	broken := serve(t, s, Identity{Name: "broken", Token: one, Credentials: keys("C", errors.New("the role is gone"))})
	for _, tt := range []struct {
		name, method, address, token string
		status                       int
		want                         string
	}{
		{"own", "GET", a, one, 200, `"SecretAccessKey":"secret of A"`},
		{"role", "GET", a, one, 200, `"RoleArn":"arn:a"`},
		{"another", "GET", b, two, 200, `"AccessKeyId":"B"`},
		{"another's token", "GET", a, two, 403, "Forbidden"},
		{"no token", "GET", a, "", 403, "Forbidden"},
		{"longer token", "GET", a, one + "x", 403, "Forbidden"},
		{"unknown identity", "GET", a + "x", one, 403, "Forbidden"},
		{"method", "POST", a, one, 405, "only GET"},
		{"failure", "GET", broken, one, 502, "the role is gone"},
	} {
		status, body := fetch(t, tt.method, tt.address, tt.token)
		if status != tt.status || !strings.Contains(body, tt.want) || status != 200 && strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", tt.name, status, body)
		}
	}
}

// It is the SDK that must be able to read it, and again after Close.
func TestClose(t *testing.T) {
	s := &Server{}
	for range 2 {
		p := endpointcreds.New(serve(t, s, Identity{Name: "apply", Token: "t", Credentials: keys("A", nil)}),
			func(o *endpointcreds.Options) { o.AuthorizationToken, o.Retryer = "t", awssdk.NopRetryer{} })
		got, err := p.Retrieve(t.Context())
		if err != nil || got.SecretAccessKey != "secret of A" || got.SessionToken != "session" || !got.CanExpire {
			t.Errorf("%+v, %v", got, err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.Retrieve(t.Context()); err == nil {
			t.Error("it serves after its end")
		}
	}
}
