package intercept

import (
	"context"
	"net"
	"testing"

	"golang.org/x/net/proxy"
)

// What comes by SOCKS is led as what comes by CONNECT: the same credentials, the
// same guard, the same dial.
func TestSOCKS(t *testing.T) {
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1)
	p, err := Start(t.Context(), Config{CA: ca, Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
		asked <- addr
		near, far := net.Pipe()
		go func() { // ends with the connection
			_, _ = far.Write([]byte("hello"))
			far.Close()
		}()
		return near, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := StartSOCKS(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	password, _ := p.URL().User.Password()
	dial := func(password, addr string) (net.Conn, error) {
		d, err := proxy.SOCKS5("tcp", s.Addr().String(), &proxy.Auth{User: p.URL().User.Username(), Password: password}, proxy.Direct)
		if err != nil {
			t.Fatal(err)
		}
		return d.Dial("tcp", addr)
	}
	c, err := dial(password, "34.64.1.2:22")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hello := make([]byte, 5)
	if _, err := c.Read(hello); err != nil || string(hello) != "hello" || <-asked != "34.64.1.2:22" {
		t.Errorf("it said %q, %v", hello, err)
	}
	for why, try := range map[string][2]string{"the metadata service": {password, "169.254.169.254:80"}, "a wrong password": {"wrong", "34.64.1.2:22"}} {
		if c, err := dial(try[0], try[1]); err == nil {
			c.Close()
			t.Errorf("%s was reached", why)
		}
	}
	if len(asked) != 0 {
		t.Errorf("%s was asked for", <-asked)
	}
}
