// Package guest is what answers on the instances of the embedded GCP sandbox: an
// SSH server for each that runs, which lets in whom the metadata of the instance
// and its project name, as the guest agent does, and runs the commands in a
// simulated machine (package shell).
//
// Nothing of it is on a port that others could know: a connection is made by
// [Fleet.Dial], within this process.
package guest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/guest/shell"
)

// Port is where the server of an instance answers.
const Port = "22"

// Instance is what a guest must know of its instance.
type Instance struct {
	ID        string
	Name      string
	Running   bool
	Addresses []netip.Addr
	// Metadata is the instance's own, Project the project's.
	Metadata, Project map[string]string
}

// ErrNoInstance is the error of an address that no running instance has.
var ErrNoInstance = errors.New("no instance that runs has this address")

// Fleet is the guests of all instances. Make one with [NewFleet].
type Fleet struct {
	instances func() ([]Instance, error)
	now       func() time.Time
	log       *slog.Logger

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // connections that are served

	mu     sync.Mutex
	guests map[string]*guest // by the instance's id
	known  map[netip.Addr]bool
}

// guest is one instance that was connected to.
type guest struct {
	machine *shell.Machine
	host    ssh.Signer
	ctx     context.Context // ends when the instance no longer runs
	cancel  context.CancelFunc
	work    sync.WaitGroup
}

// NewFleet makes a fleet. Instances gives all instances as they are now.
func NewFleet(instances func() ([]Instance, error), now func() time.Time, log *slog.Logger) *Fleet {
	f := &Fleet{instances: instances, now: now, log: log, guests: map[string]*guest{}, known: map[netip.Addr]bool{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Known tells whether an address is, or was, an instance's: then nothing else
// must be reached by it.
func (f *Fleet) Known(a netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[a.Unmap()]
}

// Changed is called when an instance may have changed: those that do not run any
// more are cut off, and the disks of those that are gone are taken away.
func (f *Fleet) Changed() error {
	list, err := f.instances()
	if err != nil {
		return err
	}
	running, there := map[string]bool{}, map[string]bool{}
	f.mu.Lock()
	for _, i := range list {
		there[i.ID], running[i.ID] = true, i.Running
		for _, a := range i.Addresses {
			f.known[a] = true
		}
	}
	var stopped, gone []*guest
	for id, g := range f.guests {
		if !running[id] && g.ctx.Err() == nil {
			g.cancel()
			stopped = append(stopped, g)
		}
		if !there[id] {
			delete(f.guests, id)
			gone = append(gone, g)
		}
	}
	f.mu.Unlock()
	for _, g := range stopped {
		g.work.Wait() // who hears that it is stopped finds nobody there
	}
	return remove(gone)
}

// Forget takes all guests away: the state was replaced by that of another time.
func (f *Fleet) Forget() error {
	f.mu.Lock()
	var all []*guest
	for id, g := range f.guests {
		g.cancel()
		delete(f.guests, id)
		all = append(all, g)
	}
	f.mu.Unlock()
	return remove(all)
}

func remove(guests []*guest) error {
	var err error
	for _, g := range guests {
		g.work.Wait()
		err = errors.Join(err, g.machine.Close())
	}
	return err
}

// Close ends every connection and takes all guests away.
func (f *Fleet) Close() error {
	f.cancel()
	err := f.Forget()
	f.work.Wait()
	return errors.Join(err, f.Forget())
}

// Dial connects to the port of the instance that has an address.
func (f *Fleet) Dial(ctx context.Context, a netip.Addr, port string) (net.Conn, error) {
	a = a.Unmap()
	return f.dial(ctx, port, func(i Instance) bool {
		for _, has := range i.Addresses {
			if has == a {
				return true
			}
		}
		return false
	})
}

// DialID connects to a port of an instance by its id.
func (f *Fleet) DialID(ctx context.Context, id, port string) (net.Conn, error) {
	return f.dial(ctx, port, func(i Instance) bool { return i.ID == id })
}

func (f *Fleet) dial(ctx context.Context, port string, is func(Instance) bool) (net.Conn, error) {
	i, err := f.find(is)
	if err != nil {
		return nil, err
	}
	if port != Port {
		return nil, fmt.Errorf("instance %s: port %s: connection refused: SSH alone is served", i.Name, port)
	}
	g, err := f.guest(i)
	if err != nil {
		return nil, err
	}
	near, far, err := pair(ctx)
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", i.Name, err)
	}
	f.mu.Lock()
	if g.ctx.Err() != nil || f.ctx.Err() != nil {
		f.mu.Unlock()
		near.Close()
		far.Close()
		return nil, ErrNoInstance
	}
	life := g.ctx
	f.work.Add(1)
	g.work.Add(1)
	f.mu.Unlock()
	go func() {
		defer f.work.Done()
		defer g.work.Done()
		if err := f.serve(life, g, i, far); err != nil {
			f.log.Debug("ssh", "instance", i.Name, "error", err)
		}
	}()
	return near, nil
}

// find gives the running instance that passes, as it is now.
func (f *Fleet) find(is func(Instance) bool) (Instance, error) {
	list, err := f.instances()
	if err != nil {
		return Instance{}, err
	}
	for _, i := range list {
		if is(i) && i.Running {
			return i, nil
		}
	}
	return Instance{}, ErrNoInstance
}

// guest gives the guest of an instance. Its disk stays while the instance is
// there; its connections end when it is stopped.
func (f *Fleet) guest(i Instance) (*guest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.guests[i.ID]
	if g == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		signer, err := ssh.NewSignerFromSigner(key)
		if err != nil {
			return nil, err
		}
		machine, err := shell.New(i.Name)
		if err != nil {
			return nil, err
		}
		g = &guest{machine: machine, host: signer}
		g.ctx, g.cancel = context.WithCancel(f.ctx)
		f.guests[i.ID] = g
	}
	if g.ctx.Err() != nil { // it was stopped, and was started again
		g.ctx, g.cancel = context.WithCancel(f.ctx)
	}
	return g, nil
}

// pair makes both ends of a connection over the loopback interface.
func pair(ctx context.Context) (near, far net.Conn, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if near, err = new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	for {
		far, err = l.Accept()
		if err != nil {
			near.Close()
			return nil, nil, err
		}
		if far.RemoteAddr().String() == near.LocalAddr().String() {
			return near, far, nil
		}
		far.Close() // somebody else's
	}
}
