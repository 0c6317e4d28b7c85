package harness_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
)

// decoys answers as it is told, once for each permission of a set.
type decoys struct {
	on      map[string]string // permission → the decoy
	allowed map[string]bool
	planted int
}

func (d *decoys) Plant(_ context.Context, sets []grant.Set) error {
	d.planted += len(sets)
	return nil
}

func (d *decoys) Try(_ context.Context, _ harness.Identity, s grant.Set) ([]harness.Trial, error) {
	var trials []harness.Trial
	for _, p := range s.Permissions() {
		if on, ok := d.on[p]; ok {
			trials = append(trials, harness.Trial{Permission: p, Resource: on, Decoy: "a decoy", Allowed: d.allowed[p]})
		}
	}
	return trials, nil
}

const (
	otherVPC  = "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0a1b2c3d"
	otherRole = "arn:aws:iam::123456789012:role/whittle-decoy"
)

// A decoy that a final role lets through fails the verification, unless nothing
// narrower could have been granted; that is said then, with the reason.
func TestDecoys(t *testing.T) {
	on := map[string]string{"ec2:DeleteVpc": otherVPC, "iam:CreateRole": otherRole, "iam:DeleteRole": otherRole}
	for _, tt := range []struct {
		name    string
		allowed []string
		change  func(*harness.Config)
		why     string // of the one that is allowed
		err     string
	}{
		{name: "all refused"},
		{name: "an id", allowed: []string{"ec2:DeleteVpc"}, why: "owned_by_tag names no tag"},
		{name: "an id without the tag", allowed: []string{"ec2:DeleteVpc"}, change: func(c *harness.Config) { c.Lifecycle.OwnedByTag = map[string]string{"a": "b"} }, why: "without the tags of owned_by_tag"},
		{name: "a name", allowed: []string{"iam:DeleteRole"}, err: "iam:DeleteRole on " + otherRole},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &decoys{on: on, allowed: map[string]bool{}}
			for _, p := range tt.allowed {
				d.allowed[p] = true
			}
			cfg := config(&cloud{steps: stack()}, &memory{})
			cfg.Decoys = d
			if tt.change != nil {
				tt.change(&cfg)
			}
			r, err := harness.Run(t.Context(), cfg)
			if tt.err != "" {
				var decoy *harness.DecoyError
				if !errors.As(err, &decoy) || !strings.Contains(err.Error(), tt.err) || r.Verified {
					t.Fatalf("verified %v, error %v; want a DecoyError that says %s", r.Verified, err, tt.err)
				}
				return
			}
			if err != nil || !r.Verified || d.planted == 0 || len(r.Trials) != 3 {
				t.Fatalf("verified %v, %v, %d planted, %d trials", r.Verified, err, d.planted, len(r.Trials))
			}
			for _, trial := range r.Trials {
				if trial.Allowed != d.allowed[trial.Permission] || trial.Allowed && !strings.Contains(trial.Why, tt.why) || trial.Step == "" {
					t.Errorf("%+v, want %q", trial, tt.why)
				}
			}
		})
	}
}

// A list that names none of a type is granted on all of the type; what names one is
// not excused by that.
func TestExcusedLists(t *testing.T) {
	const all, one = "arn:aws:rds:us-east-1:123456789012:db:*", "arn:aws:rds:us-east-1:123456789012:db:whittle-decoy"
	for permission, excused := range map[string]bool{"rds:DescribeDBInstances": true, "rds:DeleteDBInstance": false, "rds:ListTagsForResource": false} {
		d := &decoys{on: map[string]string{permission: one}, allowed: map[string]bool{permission: true}}
		cfg := config(&cloud{steps: map[string][][]call{"apply": {{{action: permission, resource: all}}}, "destroy": stack()["destroy"]}}, &memory{})
		cfg.Decoys = d
		r, err := harness.Run(t.Context(), cfg)
		if (err == nil) != excused || excused && !r.Verified {
			t.Errorf("%s on %s: %v", permission, all, err)
		}
	}
}
