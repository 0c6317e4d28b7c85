package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"google.golang.org/api/artifactregistry/v1"
	"google.golang.org/api/googleapi"
)

// missing tells whether err says that there is no such thing.
func missing(err error) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == http.StatusNotFound
}

func (s stack) services() string { return s.prefix + "-services" }

// repositories are those of the services' images and of customers' templates,
// each with the nodes' right to pull from it.
func (s stack) repositories() []resource {
	var all []resource
	for _, r := range []struct{ id, about string }{
		{s.services(), "The services' images"},
		{s.prefix + "-templates", "What sandboxes are made of"},
	} {
		all = append(all, s.repository(r.id, r.about), s.puller(r.id))
	}
	return all
}

func (s stack) parent(location string) string {
	return "projects/" + s.project + "/locations/" + location
}

func (s stack) repository(id, about string) resource {
	api := s.registry.Projects.Locations.Repositories
	name := s.parent(s.region) + "/repositories/" + id
	want := &artifactregistry.Repository{Format: "DOCKER", Description: about, Labels: s.labels()}
	settle := func(ctx context.Context, op *artifactregistry.Operation, err error) error {
		if err != nil {
			return err
		}
		return wait(ctx, func() (bool, error) {
			if op.Done && op.Error != nil {
				return true, errors.New(op.Error.Message)
			}
			if op.Done {
				return true, nil
			}
			op, err = s.registry.Projects.Locations.Operations.Get(op.Name).Context(ctx).Do()
			return false, err
		})
	}
	return resource{
		name: "repository " + id,
		read: func(ctx context.Context) (state, error) {
			have, err := api.Get(name).Context(ctx).Do()
			switch {
			case missing(err):
				return absent, nil
			case err != nil:
				return absent, err
			case have.Description != want.Description || !maps.Equal(have.Labels, want.Labels):
				return differs, nil
			}
			return current, nil
		},
		create: func(ctx context.Context) error {
			op, err := api.Create(s.parent(s.region), want).RepositoryId(id).Context(ctx).Do()
			return settle(ctx, op, err)
		},
		update: func(ctx context.Context) error { // which takes no time
			_, err := api.Patch(name, want).UpdateMask("description,labels").Context(ctx).Do()
			return err
		},
		remove: func(ctx context.Context) error {
			op, err := api.Delete(name).Context(ctx).Do()
			return settle(ctx, op, err)
		},
	}
}

// puller is the nodes' binding on a repository, beside whatever else is bound.
func (s stack) puller(id string) resource {
	api := s.registry.Projects.Locations.Repositories
	name := s.parent(s.region) + "/repositories/" + id
	const role = "roles/artifactregistry.reader"
	member := "serviceAccount:" + s.prefix + "-nodes@" + s.project + ".iam.gserviceaccount.com"
	return resource{
		name: "the nodes' right to pull from " + id,
		read: func(ctx context.Context) (state, error) {
			policy, err := api.GetIamPolicy(name).Context(ctx).Do()
			if err != nil {
				if missing(err) {
					err = nil
				}
				return absent, err
			}
			for _, b := range policy.Bindings {
				if b.Role == role && slices.Contains(b.Members, member) {
					return current, nil
				}
			}
			return absent, nil
		},
		create: func(ctx context.Context) error {
			policy, err := api.GetIamPolicy(name).Context(ctx).Do()
			if err != nil {
				return err
			}
			policy.Bindings = append(policy.Bindings, &artifactregistry.Binding{Role: role, Members: []string{member}})
			_, err = api.SetIamPolicy(name, &artifactregistry.SetIamPolicyRequest{Policy: policy}).Context(ctx).Do()
			return err
		},
		// It goes with the repository.
	}
}

// resolveImages writes which digest each service's image of the release has, so
// that a node started next week runs what was deployed today.
func (s stack) resolveImages(ctx context.Context) error {
	images := map[string]string{}
	list := s.registry.Projects.Locations.Repositories.DockerImages.List(s.parent(s.region) + "/repositories/" + s.services())
	err := list.Pages(ctx, func(page *artifactregistry.ListDockerImagesResponse) error {
		for _, image := range page.DockerImages {
			name, digest, ok := strings.Cut(path.Base(image.Uri), "@")
			if ok && slices.Contains(image.Tags, s.release) {
				images[name] = digest
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(images) == 0 {
		return fmt.Errorf("no image of %s is tagged %s", s.services(), s.release)
	}
	return s.writeVariables("images", map[string]any{"images": images})
}
