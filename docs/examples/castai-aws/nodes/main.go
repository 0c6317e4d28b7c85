// Nodes adds nodes to a cluster on AWS, pauses one and takes them away: the part of
// an autoscaler that speaks to EC2. A node is an instance with the cluster's tag, in
// the cluster's subnet, that runs as the nodes' role. What speaks to the cluster
// itself (joining, draining) is not here.
//
//	nodes [flags] add      makes nodes and waits until they run
//	nodes [flags] pause    stops a node that add has made, and starts it again
//	nodes [flags] remove   takes away all that add has made
//
// Credentials and region are those that AWS's library finds by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// owner is the tag of the instances that are ours to take away: the cluster's tag is
// on other nodes, too.
const owner = "node-of"

// patience is how long an instance may take to get into a state.
const patience = 5 * time.Minute

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
	cluster, image, machine, profile string
	count                            int

	ec2 *ec2.Client
	out io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) error {
	c := controller{out: out}
	flags := flag.NewFlagSet("nodes", flag.ContinueOnError)
	flags.StringVar(&c.cluster, "cluster", "", "the cluster's name")
	flags.StringVar(&c.image, "image", "amzn2-ami-hvm-*", "what the image's name is like; Amazon's newest is taken")
	flags.StringVar(&c.machine, "machine", "t3.large", "the instance type of a node")
	flags.StringVar(&c.profile, "profile", "", "the instance profile of a node (default CLUSTER-nodes)")
	flags.IntVar(&c.count, "count", 2, "how many nodes add makes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.cluster == "" {
		return errors.New("give -cluster")
	}
	if c.profile == "" {
		c.profile = c.cluster + "-nodes"
	}
	sdk, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	c.ec2 = ec2.NewFromConfig(sdk)
	switch what := strings.Join(flags.Args(), " "); what {
	case "add":
		return c.add(ctx)
	case "pause":
		return c.pause(ctx)
	case "remove":
		return c.remove(ctx)
	default:
		return fmt.Errorf("no such command: %q (see go doc)", what)
	}
}

// tag is the one by which the cluster's own is told.
func (c controller) tag() string { return "kubernetes.io/cluster/" + c.cluster }

// owned finds what carries the cluster's tag.
func (c controller) owned() types.Filter { return filter("tag:"+c.tag(), "owned") }

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

func (c controller) add(ctx context.Context) error {
	subnets, err := c.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []types.Filter{c.owned()}})
	if err != nil {
		return fmt.Errorf("subnets of %s: %w", c.cluster, err)
	}
	groups, err := c.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{c.owned()}})
	if err != nil {
		return fmt.Errorf("security groups of %s: %w", c.cluster, err)
	}
	if len(subnets.Subnets) == 0 || len(groups.SecurityGroups) == 0 {
		return fmt.Errorf("cluster %s has %d subnets and %d security groups: one of each is needed", c.cluster, len(subnets.Subnets), len(groups.SecurityGroups))
	}
	image, err := c.newest(ctx)
	if err != nil {
		return err
	}
	tags := []types.Tag{{Key: aws.String(c.tag()), Value: aws.String("owned")}, {Key: aws.String(owner), Value: &c.cluster}}
	count := aws.Int32(int32(c.count))
	made, err := c.ec2.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: &image, InstanceType: types.InstanceType(c.machine), MinCount: count, MaxCount: count,
		SubnetId: subnets.Subnets[0].SubnetId, SecurityGroupIds: []string{*groups.SecurityGroups[0].GroupId},
		IamInstanceProfile: &types.IamInstanceProfileSpecification{Name: &c.profile},
		TagSpecifications: []types.TagSpecification{
			{ResourceType: types.ResourceTypeInstance, Tags: tags},
			{ResourceType: types.ResourceTypeVolume, Tags: tags},
		},
	})
	if err != nil {
		return fmt.Errorf("make nodes: %w", err)
	}
	ids := names(made.Instances)
	if err := c.running(ctx, ids); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "added", strings.Join(ids, " "))
	return nil
}

// newest is Amazon's newest image whose name is like what is asked for.
func (c controller) newest(ctx context.Context) (string, error) {
	found, err := c.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"amazon"},
		Filters: []types.Filter{filter("name", c.image), filter("architecture", "x86_64"), filter("state", "available")}})
	if err != nil {
		return "", fmt.Errorf("images: %w", err)
	}
	if len(found.Images) == 0 {
		return "", fmt.Errorf("no image of Amazon's is called %s, for x86_64", c.image)
	}
	newest := slices.MaxFunc(found.Images, func(a, b types.Image) int {
		return strings.Compare(aws.ToString(a.CreationDate), aws.ToString(b.CreationDate))
	})
	return *newest.ImageId, nil
}

// ours are the nodes that add has made and that are still there.
func (c controller) ours(ctx context.Context) ([]string, error) {
	pages := ec2.NewDescribeInstancesPaginator(c.ec2, &ec2.DescribeInstancesInput{Filters: []types.Filter{
		c.owned(), filter("tag:"+owner, c.cluster), filter("instance-state-name", "pending", "running", "stopping", "stopped"),
	}})
	var ids []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list nodes: %w", err)
		}
		for _, r := range page.Reservations {
			ids = append(ids, names(r.Instances)...)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("cluster %s has no node of ours", c.cluster)
	}
	return ids, nil
}

func (c controller) pause(ctx context.Context) error {
	ids, err := c.ours(ctx)
	if err != nil {
		return err
	}
	one := ids[:1]
	if _, err := c.ec2.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: one}); err != nil {
		return fmt.Errorf("stop %s: %w", one[0], err)
	}
	stopped := ec2.NewInstanceStoppedWaiter(c.ec2, func(o *ec2.InstanceStoppedWaiterOptions) { o.MinDelay = time.Second })
	if err := stopped.Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: one}, patience); err != nil {
		return fmt.Errorf("stop %s: %w", one[0], err)
	}
	if _, err := c.ec2.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: one}); err != nil {
		return fmt.Errorf("start %s: %w", one[0], err)
	}
	if err := c.running(ctx, one); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "paused", one[0])
	return nil
}

func (c controller) remove(ctx context.Context) error {
	ids, err := c.ours(ctx)
	if err != nil {
		return err
	}
	if _, err := c.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids}); err != nil {
		return fmt.Errorf("take away nodes: %w", err)
	}
	gone := ec2.NewInstanceTerminatedWaiter(c.ec2, func(o *ec2.InstanceTerminatedWaiterOptions) { o.MinDelay = time.Second })
	if err := gone.Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: ids}, patience); err != nil {
		return fmt.Errorf("take away nodes: %w", err)
	}
	fmt.Fprintln(c.out, "removed", strings.Join(ids, " "))
	return nil
}

func (c controller) running(ctx context.Context, ids []string) error {
	w := ec2.NewInstanceRunningWaiter(c.ec2, func(o *ec2.InstanceRunningWaiterOptions) { o.MinDelay = time.Second })
	if err := w.Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: ids}, patience); err != nil {
		return fmt.Errorf("wait for %s: %w", strings.Join(ids, " "), err)
	}
	return nil
}

// names are the ids of instances.
func names(instances []types.Instance) []string {
	ids := make([]string, len(instances))
	for i := range instances {
		ids[i] = *instances[i].InstanceId
	}
	return ids
}
