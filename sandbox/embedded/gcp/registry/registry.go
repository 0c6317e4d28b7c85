// Package registry is what is particular to Artifact Registry in the embedded
// GCP sandbox: repositories, and the registry protocol of Docker images
// (OCI distribution specification 1.1) at LOCATION-docker.pkg.dev.
//
// Other formats can be made as repositories, and take no artifacts.
package registry

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Hooks are Artifact Registry's particulars.
func Hooks() generic.Hooks {
	return generic.Hooks{Create: create, Update: update, Delete: remove, Show: show, Missing: func(c *api.Call, path string) error {
		return wire.New(404, "Requested entity was not found.")
	}, Existing: func(*api.Call, string) error { return wire.New(409, "the repository already exists") }}
}

var formats = []string{"DOCKER", "MAVEN", "NPM", "APT", "YUM", "PYTHON", "KFP", "GO", "GENERIC"}

func isRepository(path string) bool {
	parts := strings.Split(path, "/")
	return len(parts) == 6 && parts[4] == "repositories"
}

func create(c *api.Call, path string, o store.Object) error {
	if !isRepository(path) {
		return wire.New(400, "Request contains an invalid argument.")
	}
	if !slices.Contains(formats, api.String(o, "format")) {
		return wire.New(400, "Request contains an invalid argument: format %q.", api.String(o, "format"))
	}
	if o["mode"] == nil {
		o["mode"] = "STANDARD_REPOSITORY"
	}
	parts := strings.Split(path, "/")
	o["registryUri"] = parts[3] + "-" + strings.ToLower(api.String(o, "format")) + ".pkg.dev/" + c.Project.ID + "/" + parts[5]
	return nil
}

func update(_ *api.Call, path string, old, o store.Object) error {
	if isRepository(path) && (old["format"] != o["format"] || old["mode"] != o["mode"]) {
		return wire.New(400, "Format and mode of a repository cannot change.")
	}
	return nil
}

// remove takes the image along with its version.
func remove(c *api.Call, path string, _ store.Object) error {
	repository, pkg, ok := strings.Cut(path, "/packages/")
	if !ok {
		return nil
	}
	name, below, _ := strings.Cut(pkg, "/")
	images := c.KeyOf(repository) + "/dockerImages/" + name + "@"
	digest, isVersion := strings.CutPrefix(below, "versions/")
	if below != "" && !isVersion {
		return nil // a tag
	}
	if isVersion {
		for _, tag := range c.Tx.Scan(c.KeyOf(repository) + "/packages/" + name + "/tags/") {
			if strings.HasSuffix(api.String(tag, "version"), "/"+digest) {
				return wire.New(400, "The version %s has tags: it cannot be deleted.", digest).Stating("FAILED_PRECONDITION")
			}
		}
	}
	for key := range c.Tx.Scan(images + digest) {
		c.Tx.Delete(key)
	}
	return nil
}

// show adds to an image the tags that it has now.
func show(c *api.Call, o store.Object) store.Object {
	repository, image, ok := strings.Cut(api.String(o, "name"), "/dockerImages/")
	if !ok {
		return o
	}
	name, digest, _ := strings.Cut(image, "@")
	var tags []any
	prefix := c.KeyOf(repository) + "/packages/" + name + "/tags/"
	for key, tag := range c.Tx.Scan(prefix) {
		if strings.HasSuffix(api.String(tag, "version"), "/"+digest) {
			tags = append(tags, strings.TrimPrefix(key, prefix))
		}
	}
	if len(tags) > 0 {
		o["tags"] = tags
	}
	return o
}
