package intercept

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

// A child that trusts the run's authority trusts it for the endpoint table's
// domains and no other name.
func TestCAIsForEndpoints(t *testing.T) {
	ca := newCA(t)
	for host, good := range map[string]bool{sqsHost: true, "ec2.cn-north-1.amazonaws.com.cn": true, "lambda.us-east-1.api.aws": true, "www.example.com": false} {
		leaf, err := ca.Leaf(host)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(leaf.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cert.Verify(x509.VerifyOptions{DNSName: host, Roots: pool(t, ca)}); (err == nil) != good {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestOpenedServesOneHost(t *testing.T) {
	c := startCloud(t, digest(0, -1))
	p := start(t, c, Config{})
	conn := connect(t, p, sqsHost+":443")
	defer conn.Close()
	// The connection was opened for SQS; who asks for STS in it gets SQS.
	secure := tls.Client(conn, &tls.Config{ServerName: "sts.amazonaws.com", RootCAs: pool(t, p.ca)})
	if err := secure.Handshake(); err == nil {
		t.Error("a connection opened for one host passed as another")
	}
}
