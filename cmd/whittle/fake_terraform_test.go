package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"

	"google.golang.org/api/dns/v1"
	"google.golang.org/api/pubsub/v1"
	"google.golang.org/api/storage/v1"
)

// fakeTerraformMain is a fast terraform: it speaks its -json output, has its
// commands, and keeps a state as it does, which is written when the command ends,
// so that what was made and is not in it stays when it is killed. Its resources
// are lines of main.tf, `# topic NAME` and the like; all that it does to them it
// does by real calls, side by side. What is there already it cannot make.
func fakeTerraformMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	args := os.Args[1:]
	if len(args) == 0 {
		os.Exit(1)
	}
	f := fakeTerraform{state: map[string]bool{}}
	switch args[0] {
	case "version":
		if slices.Contains(args, "-json") {
			fmt.Println(`{"terraform_version": "1.11.4", "provider_selections": {"registry.terraform.io/hashicorp/google": "4.9.0"}}`)
		} else {
			fmt.Println("Terraform v1.11.4")
		}
	case "init":
	case "state":
		f.read()
		type instance struct {
			Attributes map[string]string `json:"attributes"`
		}
		type resource struct {
			Mode      string     `json:"mode"`
			Type      string     `json:"type"`
			Name      string     `json:"name"`
			Instances []instance `json:"instances"`
		}
		out := struct {
			Version   int        `json:"version"`
			Resources []resource `json:"resources"`
		}{Version: 4}
		for _, address := range f.wanted() {
			if kind, name, _ := strings.Cut(address, "."); f.state[address] {
				out.Resources = append(out.Resources, resource{"managed", kind, name, []instance{{map[string]string{"name": name}}}})
			}
		}
		_ = json.NewEncoder(os.Stdout).Encode(out) // to a pipe that somebody reads
	case "plan", "apply", "destroy":
		f.read()
		err := f.run(ctx, args[0] == "destroy" || slices.Contains(args, "-destroy"), args[0] != "plan")
		if werr := f.write(); err == nil {
			err = werr
		}
		if err != nil {
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "no such command:", args)
		os.Exit(1)
	}
}

type fakeTerraform struct {
	mu    sync.Mutex
	state map[string]bool // what is there, by address
}

const fakeState = "terraform.tfstate"

func (f *fakeTerraform) read() {
	text, err := os.ReadFile(fakeState)
	if err == nil {
		err = json.Unmarshal(text, &f.state)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.say("read the state", err)
	}
}

func (f *fakeTerraform) write() error {
	text, err := json.Marshal(f.state)
	if err == nil {
		err = os.WriteFile(fakeState, text, 0o600)
	}
	return err
}

// wanted are the addresses that main.tf has.
func (f *fakeTerraform) wanted() []string {
	text, _ := os.ReadFile("main.tf") // none: nothing is wanted
	var list []string
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "#" {
			list = append(list, words[1]+"."+words[2])
		}
	}
	return list
}

// run brings what is there to what is wanted, or to nothing.
func (f *fakeTerraform) run(ctx context.Context, destroy, change bool) error {
	var all sync.WaitGroup
	var failed error
	for _, address := range f.wanted() {
		all.Go(func() {
			kind, name, _ := strings.Cut(address, ".")
			f.mu.Lock()
			there := f.state[address]
			f.mu.Unlock()
			var verbs []string
			if there {
				verbs = append(verbs, "get")
			}
			if change && destroy && there {
				verbs = append(verbs, "delete")
			}
			if change && !destroy && !there {
				verbs = append(verbs, "create", "get")
			}
			for _, verb := range verbs {
				if err := f.call(ctx, verb, kind, name); err != nil {
					f.say(address+": "+verb, err)
					f.mu.Lock()
					failed = err
					f.mu.Unlock()
					return
				}
				f.mu.Lock()
				f.state[address] = verb != "delete"
				f.mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

// say prints an error as terraform does.
func (f *fakeTerraform) say(summary string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{ // to a pipe that somebody reads
		"@level": "error", "@message": "Error: " + summary, "type": "diagnostic",
		"diagnostic": map[string]string{"severity": "error", "summary": summary, "detail": err.Error()},
	})
}

func (f *fakeTerraform) call(ctx context.Context, verb, kind, name string) error {
	project := os.Getenv("GOOGLE_CLOUD_PROJECT")
	messages, err1 := pubsub.NewService(ctx)
	names, err2 := dns.NewService(ctx)
	files, err3 := storage.NewService(ctx)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	topic := "projects/" + project + "/topics/" + name
	var err error
	switch verb + " " + kind {
	case "get topic":
		_, err = messages.Projects.Topics.Get(topic).Context(ctx).Do()
	case "create topic":
		_, err = messages.Projects.Topics.Create(topic, &pubsub.Topic{}).Context(ctx).Do()
	case "delete topic":
		_, err = messages.Projects.Topics.Delete(topic).Context(ctx).Do()
	case "get zone":
		_, err = names.ManagedZones.Get(project, name).Context(ctx).Do()
	case "create zone":
		_, err = names.ManagedZones.Create(project, &dns.ManagedZone{Name: name, DnsName: name + ".example.", Description: "a zone"}).Context(ctx).Do()
	case "delete zone":
		err = names.ManagedZones.Delete(project, name).Context(ctx).Do()
	case "get bucket":
		_, err = files.Buckets.Get(name).Context(ctx).Do()
	case "create bucket":
		_, err = files.Buckets.Insert(project, &storage.Bucket{Name: name}).Context(ctx).Do()
	case "delete bucket":
		err = files.Buckets.Delete(name).Context(ctx).Do()
	default:
		err = errors.New("no such resource")
	}
	return err
}
