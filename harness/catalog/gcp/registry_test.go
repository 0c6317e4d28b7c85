package gcp

import (
	"net/url"
	"strings"
	"testing"
)

// What a registry's bare refusal may be about, by method and path.
func TestImageNeeds(t *testing.T) {
	t.Parallel()
	const image = "https://us-west1-docker.pkg.dev/v2/p/repo/api"
	for request, want := range map[string]string{
		"HEAD " + image + "/manifests/r1":                    "artifactregistry.repositories.downloadArtifacts",
		"GET " + image + "/blobs/sha256:1":                   "artifactregistry.repositories.downloadArtifacts",
		"GET " + image + "/tags/list":                        "artifactregistry.repositories.downloadArtifacts",
		"POST " + image + "/blobs/uploads/":                  "artifactregistry.repositories.uploadArtifacts",
		"PATCH " + image + "/blobs/uploads/1":                "artifactregistry.repositories.uploadArtifacts",
		"GET " + image + "/blobs/uploads/1":                  "artifactregistry.repositories.uploadArtifacts",
		"PUT " + image + "/manifests/r1":                     "artifactregistry.repositories.uploadArtifacts",
		"DELETE " + image + "/manifests/r1":                  "artifactregistry.versions.delete",
		"GET https://eu.gcr.io/v2/p/api/manifests/r1":        "artifactregistry.repositories.downloadArtifacts",
		"POST " + image + "/manifests/r1":                    "",
		"GET https://us-west1-docker.pkg.dev/v2/":            "",
		"GET https://docker.pkg.dev.example.com/v2/a/tags/x": "",
	} {
		method, link, _ := strings.Cut(request, " ")
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		got := Needs(method, u, nil)
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || got[0].Permission != want) {
			t.Errorf("%s: %v, want %q", request, got, want)
		}
	}
}
