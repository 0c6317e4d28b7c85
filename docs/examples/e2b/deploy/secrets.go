package main

import (
	"context"
	"path"
	"slices"

	"google.golang.org/api/secretmanager/v1"
)

// optionalSecrets writes which of the secrets that a deployment can do without
// somebody has made for it (a billing server's address, a key of an identity
// provider): the services are told of those and of no others.
func (s stack) optionalSecrets(ctx context.Context) error {
	names := []string{}
	list := s.secrets.Projects.Secrets.List("projects/" + s.project).Filter("labels.stack=" + s.prefix + " AND labels.optional=yes")
	err := list.Pages(ctx, func(page *secretmanager.ListSecretsResponse) error {
		for _, secret := range page.Secrets {
			names = append(names, path.Base(secret.Name))
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(names)
	return s.writeVariables("secrets", map[string]any{"optional_secrets": names})
}
