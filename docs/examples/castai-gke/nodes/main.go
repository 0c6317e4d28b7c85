// Nodes adds nodes to a GKE cluster and takes nodes away, beside its node
// pools: the part of an autoscaler that speaks to Google Cloud. A node is an
// instance of its own, made as the pool's template says and of the machine type
// that is asked for. What speaks to the cluster itself (joining, draining) is
// not here.
//
//	nodes [flags] add      makes a node and waits until it runs
//	nodes [flags] remove   takes away what add has made, and one node of the pool
//
// Credentials are those that Google's libraries find by themselves.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"google.golang.org/api/compute/v1"
	"google.golang.org/api/container/v1"
)

// owner is the label of the instances that are ours to take away.
const owner = "node-of"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(1)
	}
}

// controller is one cluster's.
type controller struct {
	project, zone, cluster, pool, machine string

	clusters *container.Service
	compute  *compute.Service
	out      io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) error {
	c := controller{out: out}
	flags := flag.NewFlagSet("nodes", flag.ContinueOnError)
	flags.StringVar(&c.project, "project", os.Getenv("GOOGLE_PROJECT"), "the project")
	flags.StringVar(&c.zone, "zone", "us-west1-a", "the cluster's zone")
	flags.StringVar(&c.cluster, "cluster", "", "the cluster's name")
	flags.StringVar(&c.pool, "pool", "base", "the node pool after which nodes are made")
	flags.StringVar(&c.machine, "machine", "e2-standard-4", "the machine type of a node")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.project == "" || c.cluster == "" {
		return errors.New("give -project and -cluster")
	}
	var err [2]error
	c.clusters, err[0] = container.NewService(ctx)
	c.compute, err[1] = compute.NewService(ctx)
	if err := errors.Join(err[:]...); err != nil {
		return err
	}
	switch what := strings.Join(flags.Args(), " "); what {
	case "add":
		return c.add(ctx)
	case "remove":
		return c.remove(ctx)
	default:
		return fmt.Errorf("no such command: %q (see go doc)", what)
	}
}

// group finds the managed group of the pool's instances. A zonal cluster has
// one for each pool.
func (c controller) group(ctx context.Context) (*compute.InstanceGroupManager, error) {
	name := fmt.Sprintf("projects/%s/locations/%s/clusters/%s", c.project, c.zone, c.cluster)
	cluster, err := c.clusters.Projects.Locations.Clusters.Get(name).Context(ctx).Do()
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.cluster, err)
	}
	if cluster.Status != "RUNNING" && cluster.Status != "RECONCILING" {
		return nil, fmt.Errorf("cluster %s is %s", c.cluster, cluster.Status)
	}
	for _, pool := range cluster.NodePools {
		if pool.Name != c.pool || len(pool.InstanceGroupUrls) == 0 {
			continue
		}
		g, err := c.compute.InstanceGroupManagers.Get(c.project, c.zone, last(pool.InstanceGroupUrls[0])).Context(ctx).Do()
		if err != nil {
			return nil, fmt.Errorf("group of pool %s: %w", c.pool, err)
		}
		return g, nil
	}
	return nil, fmt.Errorf("cluster %s has no pool %s with instances", c.cluster, c.pool)
}

func (c controller) add(ctx context.Context) error {
	group, err := c.group(ctx)
	if err != nil {
		return err
	}
	template, err := c.compute.InstanceTemplates.Get(c.project, last(group.InstanceTemplate)).Context(ctx).Do()
	if err != nil {
		return fmt.Errorf("template of pool %s: %w", c.pool, err)
	}
	p := template.Properties
	name := fmt.Sprintf("%s-%s", c.cluster, strings.ToLower(rand.Text()[:8]))
	labels := map[string]string{owner: c.cluster}
	for key, v := range p.Labels {
		labels[key] = v
	}
	for _, d := range p.Disks {
		d.DeviceName = ""
		if d.InitializeParams != nil {
			d.InitializeParams.Labels = labels
			d.InitializeParams.DiskType = fmt.Sprintf("zones/%s/diskTypes/%s", c.zone, last(d.InitializeParams.DiskType))
		}
	}
	node := &compute.Instance{
		Name: name, MachineType: fmt.Sprintf("zones/%s/machineTypes/%s", c.zone, c.machine), CanIpForward: p.CanIpForward, Description: "a node of " + c.cluster,
		Disks: p.Disks, NetworkInterfaces: p.NetworkInterfaces, ServiceAccounts: p.ServiceAccounts, Scheduling: p.Scheduling,
		Labels: labels, Tags: &compute.Tags{Items: p.Tags.Items}, Metadata: &compute.Metadata{Items: p.Metadata.Items},
	}
	if err := c.done(ctx)(c.compute.Instances.Insert(c.project, c.zone, node).Context(ctx).Do()); err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		made, err := c.compute.Instances.Get(c.project, c.zone, name).Context(ctx).Do()
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
		if made.Status == "RUNNING" {
			fmt.Fprintln(c.out, "added", name)
			return nil
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

func (c controller) remove(ctx context.Context) error {
	group, err := c.group(ctx)
	if err != nil {
		return err
	}
	ours, err := c.compute.Instances.List(c.project, c.zone).Filter(fmt.Sprintf("labels.%s = %s", owner, c.cluster)).Context(ctx).Do()
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	if len(ours.Items) == 0 {
		return fmt.Errorf("cluster %s has no node of ours", c.cluster)
	}
	for _, node := range ours.Items {
		if err := c.done(ctx)(c.compute.Instances.Delete(c.project, c.zone, node.Name).Context(ctx).Do()); err != nil {
			return fmt.Errorf("take away %s: %w", node.Name, err)
		}
		fmt.Fprintln(c.out, "removed", node.Name)
	}
	// A pool's node goes by its group, which would make another in its place.
	members, err := c.compute.InstanceGroupManagers.ListManagedInstances(c.project, c.zone, group.Name).Context(ctx).Do()
	if err != nil {
		return fmt.Errorf("list the pool's nodes: %w", err)
	}
	if len(members.ManagedInstances) < 2 {
		return nil // the last one stays
	}
	node := members.ManagedInstances[0].Instance
	if err := c.done(ctx)(c.compute.InstanceGroupManagers.DeleteInstances(c.project, c.zone, group.Name,
		&compute.InstanceGroupManagersDeleteInstancesRequest{Instances: []string{node}}).Context(ctx).Do()); err != nil {
		return fmt.Errorf("take away %s: %w", last(node), err)
	}
	fmt.Fprintln(c.out, "removed", last(node), "of pool", c.pool)
	return nil
}

// done waits for an operation, and says what came of it.
func (c controller) done(ctx context.Context) func(*compute.Operation, error) error {
	return func(op *compute.Operation, err error) error {
		for pause := 100 * time.Millisecond; err == nil && op.Status != "DONE"; pause = min(2*pause, 5*time.Second) {
			if err = wait(ctx, pause); err == nil {
				op, err = c.compute.ZoneOperations.Get(c.project, c.zone, op.Name).Context(ctx).Do()
			}
		}
		if err != nil {
			return err
		}
		if op.Error != nil && len(op.Error.Errors) > 0 {
			return errors.New(op.Error.Errors[0].Message)
		}
		return nil
	}
}

func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// last is the last part of a path.
func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
