package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/guest/shell"
)

// handshakeTime is how long a client may take to log in. Source: sshd_config(5),
// LoginGraceTime.
const handshakeTime = 120 * time.Second

// serve serves one connection to an instance until it ends, or until ctx does,
// with which the instance runs no more.
func (f *Fleet) serve(ctx context.Context, g *guest, i Instance, link net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { link.Close() })
	defer stop()
	config := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-Whittle",
		MaxAuthTries:  6,
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			// As it is now: keys can be added while an instance runs.
			now, err := f.find(func(o Instance) bool { return o.ID == i.ID })
			if err != nil {
				return nil, err
			}
			if !Authorized(now.Metadata, now.Project, c.User(), key, f.now()) {
				return nil, fmt.Errorf("no key of %s's in the metadata of %s is this one", c.User(), i.Name)
			}
			return nil, nil
		},
	}
	config.AddHostKey(g.host)
	if err := link.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	c, channels, requests, err := ssh.NewServerConn(link, config)
	if err != nil {
		link.Close()
		return err
	}
	if err := link.SetDeadline(time.Time{}); err != nil {
		return err
	}
	var sessions sync.WaitGroup
	sessions.Go(func() { ssh.DiscardRequests(requests) })
	for ch := range channels {
		if ch.ChannelType() != "session" {
			// A client that is gone needs no answer.
			_ = ch.Reject(ssh.Prohibited, "the simulated instance has no network")
			continue
		}
		channel, in, err := ch.Accept()
		if err != nil {
			break
		}
		sessions.Go(func() { session(ctx, g.machine, c.User(), channel, in) })
	}
	cancel()
	c.Close()
	sessions.Wait()
	return nil
}

// session serves one session: one command, or a shell that reads its commands.
func session(ctx context.Context, m *shell.Machine, user string, channel ssh.Channel, requests <-chan *ssh.Request) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	started := false
	for r := range requests {
		line, ok := "", false
		switch r.Type {
		case "exec":
			var p struct{ Command string }
			ok = !started && ssh.Unmarshal(r.Payload, &p) == nil
			line = p.Command
		case "shell":
			ok = !started
		case "pty-req": // there is no terminal, and nothing here that would want one
			_ = r.Reply(true, nil)
			continue
		}
		if r.WantReply {
			_ = r.Reply(ok, nil)
		}
		if !ok {
			continue
		}
		started = true
		running.Go(func() {
			status := m.Run(ctx, user, line, nil, shell.Streams{In: channel, Out: channel, Err: channel.Stderr()})
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
			if err := channel.Close(); err != nil && !errors.Is(err, io.EOF) {
				return // the client is gone
			}
		})
	}
	cancel()
	running.Wait()
}
