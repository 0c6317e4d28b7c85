package embedded

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// A role whose rights on instances are tied to a tag, and which may tag anything,
// ends whose instances it likes: it tags them first. Where it may tag only what it
// makes, it ends its own and no other. docs/castai.md speaks of it.
func TestTagFirst(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	ctx := t.Context()
	const (
		owned   = `{"Effect":"Allow","Action":["ec2:TerminateInstances","ec2:StopInstances"],"Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringEquals":{"ec2:ResourceTag/cluster":"mine"}}}`
		launch  = `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*"}`
		tagAll  = `{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*"}`
		tagMade = `{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*","Condition":{"StringEquals":{"ec2:CreateAction":"RunInstances","aws:RequestTag/cluster":"mine"}}}`
		refusal = "UnauthorizedOperation"
	)
	run := func(as aws.Config, tag string) (string, error) {
		made, err := ec2.NewFromConfig(as).RunInstances(ctx, &ec2.RunInstancesInput{
			ImageId: aws.String("ami-12c6146b"), InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("cluster"), Value: &tag}}}},
		})
		if err != nil {
			return "", err
		}
		return *made.Instances[0].InstanceId, nil
	}
	client := ec2.NewFromConfig(p.Config)
	end := func(id string) error {
		_, err := client.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
		return err
	}
	tag := func(id string) error {
		_, err := client.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: aws.String("cluster"), Value: aws.String("mine")}}})
		return err
	}
	foreign, err := run(operator(c), "theirs")
	if err != nil {
		t.Fatal(err)
	}

	p.holds(owned + "," + launch + "," + tagMade)
	wantError(t, end(foreign), 403, refusal, "")
	wantError(t, tag(foreign), 403, refusal, "")
	_, err = run(p.Config, "theirs")
	wantError(t, err, 403, refusal, "")
	own, err := run(p.Config, "mine")
	wantOK(t, err)
	wantOK(t, end(own))

	p.holds(owned + "," + launch + "," + tagAll)
	wantError(t, end(foreign), 403, refusal, "")
	wantOK(t, tag(foreign))
	wantOK(t, end(foreign))
}
