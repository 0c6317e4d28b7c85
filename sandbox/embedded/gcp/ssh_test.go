package gcp_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"google.golang.org/api/compute/v1"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := must[ssh.Signer](t)(ssh.NewSignerFromSigner(private))
	return key, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
}

const (
	sshZone = "us-central1-a"
	sshUser = "packer"
)

// sshInstance makes an instance on the default network, and gives its addresses.
func sshInstance(t *testing.T, c clients, name string, metadata map[string]string) (outer, inner string) {
	t.Helper()
	vm := &compute.Instance{Name: name, MachineType: "zones/" + sshZone + "/machineTypes/e2-small", Metadata: items(metadata),
		Disks: []*compute.AttachedDisk{{Boot: true, AutoDelete: true, InitializeParams: &compute.AttachedDiskInitializeParams{
			SourceImage: "projects/debian-cloud/global/images/family/debian-11"}}},
		NetworkInterfaces: []*compute.NetworkInterface{{AccessConfigs: []*compute.AccessConfig{{Name: "nat"}}}}}
	must[*compute.Operation](t)(c.compute.Instances.Insert(project, sshZone, vm).Do())
	made := must[*compute.Instance](t)(c.compute.Instances.Get(project, sshZone, name).Do())
	n := made.NetworkInterfaces[0]
	return n.AccessConfigs[0].NatIP, n.NetworkIP
}

func items(m map[string]string) *compute.Metadata {
	metadata := &compute.Metadata{}
	for k, v := range m {
		metadata.Items = append(metadata.Items, &compute.MetadataItems{Key: k, Value: &v})
	}
	return metadata
}

func login(t *testing.T, g *gcp.Gate, addr, user string, key ssh.Signer) (*ssh.Client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	link, ours, err := g.DialInstance(ctx, net.JoinHostPort(addr, "22"))
	if !ours {
		t.Fatalf("%s is no instance's address", addr)
	}
	if err != nil {
		return nil, err
	}
	c, channels, requests, err := ssh.NewClientConn(link, addr, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(c, channels, requests)
	t.Cleanup(func() { client.Close() })
	return client, nil
}

func output(t *testing.T, c *ssh.Client, line string) string {
	t.Helper()
	s := must[*ssh.Session](t)(c.NewSession())
	defer s.Close()
	out, err := s.CombinedOutput(line)
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// sshSandbox is a sandbox whose guests keep their disks in a folder.
func sshSandbox(t *testing.T) (*gcp.Gate, clients, string) {
	t.Helper()
	disks := t.TempDir()
	t.Setenv("TMPDIR", disks)
	g := start(t, gcp.Config{DefaultNetwork: true})
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if left := disksIn(t, disks); left != 0 {
			t.Errorf("%d disks are left", left)
		}
	})
	return g, connect(t, g, g.Operator()), disks
}

func disksIn(t *testing.T, dir string) int {
	t.Helper()
	return len(must[[]string](t)(filepath.Glob(filepath.Join(dir, "whittle-guest-*"))))
}

// Who logs in is whom the metadata names, at the moment.
func TestSSHKeys(t *testing.T) {
	g, c, _ := sshSandbox(t)
	key, text := newKey(t)
	wrong, wrongText := newKey(t)
	outer, inner := sshInstance(t, c, "node", map[string]string{"ssh-keys": sshUser + ":" + text + " " + sshUser})
	for _, addr := range []string{outer, inner} {
		client, err := login(t, g, addr, sshUser, key)
		if err != nil {
			t.Fatal(err)
		}
		if got := output(t, client, "hostname; whoami"); got != "node\npacker\n" {
			t.Errorf("it said %q", got)
		}
	}
	refusedLogin := func(why, user string, key ssh.Signer) {
		t.Helper()
		if _, err := login(t, g, outer, user, key); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
			t.Errorf("%s: %v", why, err)
		}
	}
	refusedLogin("a key that nobody gave", sshUser, wrong)
	refusedLogin("a key of another user", "ada", key)

	vm := must[*compute.Instance](t)(c.compute.Instances.Get(project, sshZone, "node").Do())
	changed := items(map[string]string{"ssh-keys": sshUser + ":" + wrongText})
	changed.Fingerprint = vm.Metadata.Fingerprint
	must[*compute.Operation](t)(c.compute.Instances.SetMetadata(project, sshZone, "node", changed).Do())
	refusedLogin("a key that was taken away", sshUser, key)
	if _, err := login(t, g, outer, sshUser, wrong); err != nil {
		t.Errorf("a key that was added: %v", err)
	}

	common := items(map[string]string{"ssh-keys": "ada:" + text})
	common.Fingerprint = must[*compute.Project](t)(c.compute.Projects.Get(project).Do()).CommonInstanceMetadata.Fingerprint
	must[*compute.Operation](t)(c.compute.Projects.SetCommonInstanceMetadata(project, common).Do())
	if _, err := login(t, g, outer, "ada", key); err != nil {
		t.Errorf("a key of the project: %v", err)
	}
	if client, err := login(t, g, outer, sshUser, wrong); err != nil {
		t.Error(err)
	} else if _, err := client.Dial("tcp", "127.0.0.1:22"); err == nil {
		t.Error("a connection went out from the instance")
	}
}

// An instance answers while it runs. What it keeps is on its disk, and its disk
// goes with it.
func TestSSHLife(t *testing.T) {
	g, c, disks := sshSandbox(t)
	key, text := newKey(t)
	metadata := map[string]string{"ssh-keys": sshUser + ":" + text}
	outer, _ := sshInstance(t, c, "node", metadata)
	other, _ := sshInstance(t, c, "other", metadata)
	in := func(addr string) *ssh.Client {
		t.Helper()
		return must[*ssh.Client](t)(login(t, g, addr, sshUser, key))
	}
	silent := func(why string, held *ssh.Client) {
		t.Helper()
		if _, err := login(t, g, outer, sshUser, key); err == nil {
			t.Errorf("%s: it lets in", why)
		}
		// A session would not do: the client waits for ever for one that it asks
		// for in the very moment in which the connection ends.
		ended := make(chan error, 1)
		go func() { ended <- held.Wait() }() // ends with the connection, which the test closes at last
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Errorf("%s: a connection from before goes on", why)
		}
	}
	client := in(outer)
	output(t, client, "echo kept > file")
	running := must[*ssh.Session](t)(client.NewSession())
	if err := running.Start("while true; do sleep 1; done"); err != nil {
		t.Fatal(err)
	}
	must[*compute.Operation](t)(c.compute.Instances.Stop(project, sshZone, "node").Do())
	if err := running.Wait(); err == nil {
		t.Error("a command went on where the instance was stopped")
	}
	silent("stopped", client)
	must[*compute.Operation](t)(c.compute.Instances.Start(project, sshZone, "node").Do())
	client = in(outer)
	if got := output(t, client, "cat file"); got != "kept\n" {
		t.Errorf("the disk has %q", got)
	}
	if _, _, err := g.DialInstance(t.Context(), outer+":80"); err == nil {
		t.Error("another port answers")
	}

	snapshot := must[string](t)(g.Snapshot(t.Context()))
	stays := in(other)
	must[*compute.Operation](t)(c.compute.Instances.Delete(project, sshZone, "node").Do())
	silent("deleted", client)
	output(t, stays, "true")
	if n := disksIn(t, disks); n != 1 {
		t.Errorf("%d disks, want one", n)
	}

	if err := g.Restore(t.Context(), snapshot); err != nil {
		t.Fatal(err)
	}
	if got := output(t, in(outer), "ls"); got != "" {
		t.Errorf("after a restore the disk has %q", got)
	}
	if _, err := os.Stat(disks); err != nil {
		t.Error(err)
	}
	if _, ours, _ := g.DialInstance(t.Context(), "192.0.2.1:22"); ours {
		t.Error("somebody else's address is ours")
	}
}
