package main

import (
	"context"
	"errors"
	"maps"
	"slices"

	"google.golang.org/api/certificatemanager/v1"
	"google.golang.org/api/compute/v1"
)

// certificate is the domain's proof, its certificate, and the map by which the
// load balancer finds it.
func (s stack) certificate() []resource {
	api := s.certificates.Projects.Locations
	parent, id := s.parent("global"), s.prefix+"-public"
	authorization := parent + "/dnsAuthorizations/" + id
	certificate := parent + "/certificates/" + id
	chart := parent + "/certificateMaps/" + id
	entry := chart + "/certificateMapEntries/" + id

	settle := func(ctx context.Context, op *certificatemanager.Operation, err error) error {
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
			op, err = api.Operations.Get(op.Name).Context(ctx).Do()
			return false, err
		})
	}
	compare := func(err error, same func() bool) (state, error) {
		switch {
		case missing(err):
			return absent, nil
		case err != nil:
			return absent, err
		case !same():
			return differs, nil
		}
		return current, nil
	}
	const mask = "labels"
	wantAuthorization := &certificatemanager.DnsAuthorization{Domain: s.domain, Labels: s.labels()}
	wantCertificate := &certificatemanager.Certificate{Labels: s.labels(), Managed: &certificatemanager.ManagedCertificate{
		Domains: []string{s.domain, "*." + s.domain}, DnsAuthorizations: []string{authorization}}}
	wantMap := &certificatemanager.CertificateMap{Labels: s.labels()}
	wantEntry := &certificatemanager.CertificateMapEntry{Hostname: "*." + s.domain, Certificates: []string{certificate}, Labels: s.labels()}
	return []resource{
		{
			name: "DNS authorization " + id,
			read: func(ctx context.Context) (state, error) {
				have, err := api.DnsAuthorizations.Get(authorization).Context(ctx).Do()
				return compare(err, func() bool { return maps.Equal(have.Labels, wantAuthorization.Labels) })
			},
			create: func(ctx context.Context) error {
				op, err := api.DnsAuthorizations.Create(parent, wantAuthorization).DnsAuthorizationId(id).Context(ctx).Do()
				return settle(ctx, op, err)
			},
			update: func(ctx context.Context) error {
				op, err := api.DnsAuthorizations.Patch(authorization, wantAuthorization).UpdateMask(mask).Context(ctx).Do()
				return settle(ctx, op, err)
			},
			remove: func(ctx context.Context) error {
				op, err := api.DnsAuthorizations.Delete(authorization).Context(ctx).Do()
				return settle(ctx, op, err)
			},
		},
		{
			name: "certificate " + id,
			read: func(ctx context.Context) (state, error) {
				have, err := api.Certificates.Get(certificate).Context(ctx).Do()
				return compare(err, func() bool { return maps.Equal(have.Labels, wantCertificate.Labels) })
			},
			create: func(ctx context.Context) error {
				op, err := api.Certificates.Create(parent, wantCertificate).CertificateId(id).Context(ctx).Do()
				return settle(ctx, op, err)
			},
			update: func(ctx context.Context) error {
				op, err := api.Certificates.Patch(certificate, wantCertificate).UpdateMask(mask).Context(ctx).Do()
				return settle(ctx, op, err)
			},
			remove: func(ctx context.Context) error {
				op, err := api.Certificates.Delete(certificate).Context(ctx).Do()
				return settle(ctx, op, err)
			},
		},
		{
			name: "certificate map " + id,
			read: func(ctx context.Context) (state, error) {
				have, err := api.CertificateMaps.Get(chart).Context(ctx).Do()
				return compare(err, func() bool { return maps.Equal(have.Labels, wantMap.Labels) })
			},
			create: func(ctx context.Context) error {
				op, err := api.CertificateMaps.Create(parent, wantMap).CertificateMapId(id).Context(ctx).Do()
				return settle(ctx, op, err)
			},
			update: func(ctx context.Context) error {
				op, err := api.CertificateMaps.Patch(chart, wantMap).UpdateMask(mask).Context(ctx).Do()
				return settle(ctx, op, err)
			},
			remove: func(ctx context.Context) error {
				op, err := api.CertificateMaps.Delete(chart).Context(ctx).Do()
				return settle(ctx, op, err)
			},
		},
		{
			name: "certificate map entry " + id,
			read: func(ctx context.Context) (state, error) {
				have, err := api.CertificateMaps.CertificateMapEntries.Get(entry).Context(ctx).Do()
				return compare(err, func() bool {
					return maps.Equal(have.Labels, wantEntry.Labels) && slices.Equal(have.Certificates, wantEntry.Certificates)
				})
			},
			create: func(ctx context.Context) error {
				op, err := api.CertificateMaps.CertificateMapEntries.Create(chart, wantEntry).CertificateMapEntryId(id).Context(ctx).Do()
				return settle(ctx, op, err)
			},
			update: func(ctx context.Context) error {
				op, err := api.CertificateMaps.CertificateMapEntries.Patch(entry, wantEntry).UpdateMask("labels,certificates").Context(ctx).Do()
				return settle(ctx, op, err)
			},
			remove: func(ctx context.Context) error {
				op, err := api.CertificateMaps.CertificateMapEntries.Delete(entry).Context(ctx).Do()
				return settle(ctx, op, err)
			},
		},
	}
}

// writeProof hands over the record that must be in the domain's zone.
func (s stack) writeProof(ctx context.Context) error {
	a, err := s.certificates.Projects.Locations.DnsAuthorizations.Get(s.parent("global") + "/dnsAuthorizations/" + s.prefix + "-public").Context(ctx).Do()
	if err != nil {
		return err
	}
	record := a.DnsResourceRecord
	if record == nil {
		return errors.New("the DNS authorization names no record")
	}
	return s.writeVariables("certificates", map[string]any{
		"domain_proof": map[string]string{"name": record.Name, "type": record.Type, "data": record.Data}})
}

// attach gives the balancer's proxy the certificate map, if it has another or
// none.
func (s stack) attach(ctx context.Context) error {
	proxy, want := s.prefix+"-public", "//certificatemanager.googleapis.com/"+s.parent("global")+"/certificateMaps/"+s.prefix+"-public"
	have, err := s.compute.TargetHttpsProxies.Get(s.project, proxy).Context(ctx).Do()
	if err != nil || have.CertificateMap == want {
		return err
	}
	op, err := s.compute.TargetHttpsProxies.SetCertificateMap(s.project, proxy, &compute.TargetHttpsProxiesSetCertificateMapRequest{CertificateMap: want}).Context(ctx).Do()
	if err != nil {
		return err
	}
	return wait(ctx, func() (bool, error) {
		if op.Status == "DONE" && op.Error != nil && len(op.Error.Errors) > 0 {
			return true, errors.New(op.Error.Errors[0].Message)
		}
		if op.Status == "DONE" {
			return true, nil
		}
		op, err = s.compute.GlobalOperations.Get(s.project, op.Name).Context(ctx).Do()
		return false, err
	})
}
