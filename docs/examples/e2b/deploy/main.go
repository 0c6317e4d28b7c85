// Deploy makes what the Google provider of ../infra is too old for, in the way
// of a newer one: Artifact Registry's repositories and Certificate Manager's
// certificates. It reads what is there, creates what is missing, patches what
// differs, waits for the operations and reads back. It also copies builds to
// their bucket, resolves the tags of images to digests, and finds which optional
// secrets there are.
//
//	deploy [flags] registry|certificates apply|plan|destroy
//	deploy [flags] apply|plan|destroy        (both)
//	deploy [flags] certificates attach       (to the balancer of ../infra)
//	deploy [flags] builds | images | secrets
//
// Credentials are those that Google's libraries find by themselves.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/api/artifactregistry/v1"
	"google.golang.org/api/certificatemanager/v1"
	"google.golang.org/api/compute/v1"
	"google.golang.org/api/secretmanager/v1"
	"google.golang.org/api/storage/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

// stack is one deployment: what its resources are named by, and the services.
type stack struct {
	project, region, prefix, domain, release string
	dir                                      string // this folder's parent

	registry     *artifactregistry.Service
	certificates *certificatemanager.Service
	compute      *compute.Service
	storage      *storage.Service
	secrets      *secretmanager.Service
	out          io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) error {
	s := stack{out: out}
	flags := flag.NewFlagSet("deploy", flag.ContinueOnError)
	flags.StringVar(&s.project, "project", os.Getenv("GOOGLE_PROJECT"), "the project")
	flags.StringVar(&s.region, "region", "us-west1", "the region of repositories")
	flags.StringVar(&s.prefix, "prefix", "e2b", "what all names begin with")
	flags.StringVar(&s.domain, "domain", "sandboxes.example.com", "the domain of the certificate")
	flags.StringVar(&s.release, "release", "r1", "the release: a label of what is made, and the images' tag")
	flags.StringVar(&s.dir, "dir", ".", "the folder that holds infra and builds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.project == "" {
		return errors.New("no project: give -project")
	}
	var err [5]error
	s.registry, err[0] = artifactregistry.NewService(ctx)
	s.certificates, err[1] = certificatemanager.NewService(ctx)
	s.compute, err[2] = compute.NewService(ctx)
	s.storage, err[3] = storage.NewService(ctx)
	s.secrets, err[4] = secretmanager.NewService(ctx)
	if err := errors.Join(err[:]...); err != nil {
		return err
	}
	switch what := strings.Join(flags.Args(), " "); what {
	case "registry apply":
		return s.apply(ctx, s.repositories())
	case "registry plan":
		return s.plan(ctx, s.repositories())
	case "registry destroy":
		return s.destroy(ctx, s.repositories())
	case "certificates apply":
		if err := s.apply(ctx, s.certificate()); err != nil {
			return err
		}
		return s.writeProof(ctx)
	case "certificates plan":
		return s.plan(ctx, s.certificate())
	case "certificates attach":
		return s.attach(ctx)
	case "certificates destroy":
		return s.destroy(ctx, s.certificate())
	case "apply":
		return s.apply(ctx, append(s.repositories(), s.certificate()...))
	case "plan":
		return s.plan(ctx, append(s.repositories(), s.certificate()...))
	case "destroy":
		return s.destroy(ctx, append(s.repositories(), s.certificate()...))
	case "builds":
		return s.copyBuilds(ctx)
	case "images":
		return s.resolveImages(ctx)
	case "secrets":
		return s.optionalSecrets(ctx)
	default:
		return fmt.Errorf("no such command: %q (see go doc)", what)
	}
}

// state is a resource as it is found.
type state int

const (
	absent state = iota
	differs
	current
)

// resource is one thing that is kept as it should be.
type resource struct {
	name   string
	read   func(context.Context) (state, error)
	create func(context.Context) error // waits until it is done
	update func(context.Context) error
	remove func(context.Context) error
}

// apply makes each resource what it should be, in their order.
func (s stack) apply(ctx context.Context, all []resource) error {
	for _, r := range all {
		found, err := r.read(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", r.name, err)
		}
		act, did := r.create, "created"
		switch found {
		case current:
			fmt.Fprintln(s.out, r.name, "is up to date")
			continue
		case differs:
			act, did = r.update, "updated"
		}
		if err := act(ctx); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if found, err = r.read(ctx); err != nil {
			return fmt.Errorf("read %s: %w", r.name, err)
		}
		if found != current {
			return fmt.Errorf("%s was %s and is not what it should be", r.name, did)
		}
		fmt.Fprintln(s.out, did, r.name)
	}
	return nil
}

// plan says what apply would do.
func (s stack) plan(ctx context.Context, all []resource) error {
	for _, r := range all {
		found, err := r.read(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", r.name, err)
		}
		fmt.Fprintln(s.out, map[state]string{absent: "to create:", differs: "to update:", current: "up to date:"}[found], r.name)
	}
	return nil
}

// destroy removes what is there, the last first.
func (s stack) destroy(ctx context.Context, all []resource) error {
	for i := len(all) - 1; i >= 0; i-- {
		r := all[i]
		found, err := r.read(ctx)
		if err == nil && found != absent && r.remove != nil {
			err = r.remove(ctx)
		}
		if err != nil {
			return fmt.Errorf("remove %s: %w", r.name, err)
		}
	}
	return nil
}

// labels are those of everything.
func (s stack) labels() map[string]string {
	return map[string]string{"app": "e2b", "stack": s.prefix, "release": s.release}
}

// wait asks until done says so.
func wait(ctx context.Context, done func() (bool, error)) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeVariables hands values over to ../infra.
func (s stack) writeVariables(name string, values map[string]any) error {
	text, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "infra", name+".auto.tfvars.json"), append(text, '\n'), 0o644)
}
