package facts

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/moto"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

// state is the one moto of this package's tests; without it they all fail.
var state *moto.Host

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if state, err = moto.Start(context.Background(), moto.Options{Account: "123456789012"}); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			return 1
		}
		defer state.Close()
		return m.Run()
	}())
}

// ec2 does something and gives the text of the first element of a name.
func ec2(t *testing.T, field, action string, params ...string) string {
	t.Helper()
	return text(call(t, "ec2", "2016-11-15", action, params...), field)
}

func jsonCall(t *testing.T, service, target string, question, answer any) {
	t.Helper()
	if status, err := state.JSON(t.Context(), service, "us-east-1", target, question, answer); err != nil || status != http.StatusOK {
		t.Fatalf("%s: status %d, %v", target, status, err)
	}
}

func TestEC2(t *testing.T) {
	l := Lookup{Book: &Book{State: state}, Region: "us-east-1"}
	vpc := ec2(t, "vpcId", "CreateVpc", "CidrBlock", "10.0.0.0/16")
	subnet := ec2(t, "subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.0.1.0/24")
	allocation := ec2(t, "allocationId", "AllocateAddress", "Domain", "vpc")
	eni := ec2(t, "networkInterfaceId", "CreateNetworkInterface", "SubnetId", subnet)
	association := ec2(t, "associationId", "AssociateAddress", "AllocationId", allocation, "NetworkInterfaceId", eni)
	ip := ec2(t, "publicIp", "DescribeAddresses", "AllocationId.1", allocation)
	acl := entry(parse(describe(t, "DescribeNetworkAcls")), subnet, "networkAclAssociationId")
	peer := ec2(t, "vpcId", "CreateVpc", "CidrBlock", "10.1.0.0/16")
	peering := ec2(t, "vpcPeeringConnectionId", "CreateVpcPeeringConnection", "VpcId", vpc, "PeerVpcId", peer)
	standard := ec2(t, "vpcId", "DescribeVpcs", "Filter.1.Name", "isDefault", "Filter.1.Value.1", "true")
	ec2(t, "groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "x", "VpcId", vpc)
	group := ec2(t, "groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "x", "VpcId", standard)
	for _, test := range []struct {
		fact     rows.Fact
		id, want string
	}{
		{rows.EC2Address, association, allocation},
		{rows.EC2Address, ip, allocation},
		{rows.EC2Interface, association, eni},
		{rows.EC2Subnet, acl, subnet},
		{rows.EC2VPC, peering, peer},
		{rows.EC2Group, "web", group},
	} {
		if test.id == "" || test.want == "" {
			t.Fatalf("%s: the test found no id", test.fact)
		}
		if got := l.Find(t.Context(), test.fact, test.id); len(got) != 1 || got[0] != test.want {
			t.Errorf("%s of %s: got %v, want %s", test.fact, test.id, got, test.want)
		}
	}
}

// call does something in a service of the query protocol.
func call(t *testing.T, service, version, action string, params ...string) *element {
	t.Helper()
	form := url.Values{"Version": {version}, "Action": {action}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	status, body, err := state.Query(t.Context(), service, "us-east-1", form)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", action, status, err, body)
	}
	return parse(body)
}

func TestInstances(t *testing.T) {
	l := Lookup{Book: &Book{State: state}, Region: "us-east-1"}
	call(t, "iam", "2010-05-08", "CreateRole", "RoleName", "machine", "Path", "/team/", "AssumeRolePolicyDocument", `{"Version":"2012-10-17","Statement":[]}`)
	call(t, "iam", "2010-05-08", "CreateInstanceProfile", "InstanceProfileName", "machine")
	call(t, "iam", "2010-05-08", "AddRoleToInstanceProfile", "InstanceProfileName", "machine", "RoleName", "machine")
	const role, profile = "arn:aws:iam::123456789012:role/team/machine", "arn:aws:iam::123456789012:instance-profile/machine"
	key := ec2(t, "keyPairId", "CreateKeyPair", "KeyName", "door")
	image := ec2(t, "imageId", "DescribeImages")
	vpc := ec2(t, "vpcId", "CreateVpc", "CidrBlock", "10.2.0.0/16")
	subnet := ec2(t, "subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", "10.2.1.0/24")
	group := ec2(t, "groupId", "CreateSecurityGroup", "GroupName", "machines", "GroupDescription", "x", "VpcId", vpc)
	template := ec2(t, "launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "form", "LaunchTemplateData.ImageId", "ami-old")
	ec2(t, "launchTemplateId", "CreateLaunchTemplateVersion", "LaunchTemplateName", "form", "LaunchTemplateData.ImageId", image,
		"LaunchTemplateData.KeyName", "door", "LaunchTemplateData.SecurityGroupId.1", group,
		"LaunchTemplateData.NetworkInterface.1.SubnetId", subnet, "LaunchTemplateData.IamInstanceProfile.Name", "machine",
		"LaunchTemplateData.TagSpecification.1.ResourceType", "volume", "LaunchTemplateData.TagSpecification.1.Tag.1.Key", "a", "LaunchTemplateData.TagSpecification.1.Tag.1.Value", "b")
	instance := ec2(t, "instanceId", "RunInstances", "ImageId", image, "MinCount", "1", "MaxCount", "1", "SubnetId", subnet)
	association := ec2(t, "associationId", "AssociateIamInstanceProfile", "InstanceId", instance, "IamInstanceProfile.Name", "machine")
	volume := ec2(t, "volumeId", "DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", instance)
	call(t, "autoscaling", "2011-01-01", "CreateAutoScalingGroup", "AutoScalingGroupName", "herd", "MinSize", "1", "MaxSize", "1", "VPCZoneIdentifier", subnet, "LaunchTemplate.LaunchTemplateId", template)
	herd := call(t, "autoscaling", "2011-01-01", "DescribeAutoScalingGroups", "AutoScalingGroupNames.member.1", "herd")
	id := strings.Split(text(herd, "AutoScalingGroupARN"), ":")[6]
	member := text(herd, "InstanceId")
	for _, test := range []struct {
		fact     rows.Fact
		id, want string
	}{
		{rows.IAMProfileRole, "machine", role},
		{rows.IAMProfileRole, profile, role},
		{rows.EC2Key, key, "door"},
		{rows.EC2VPC, subnet, vpc},
		{rows.EC2Instance, association, instance},
		{rows.EC2Instance, volume, instance},
		{rows.EC2Template, "form", template},
		{rows.EC2TemplateImage, "form", image},
		{rows.EC2TemplateImage, template, image},
		{rows.EC2TemplateKey, template, "door"},
		{rows.EC2TemplateGroup, template, group},
		{rows.EC2TemplateSubnet, template, subnet},
		{rows.EC2TemplateRole, template, role},
		{rows.EC2TemplateTags, template, "volume"},
		{rows.AutoScalingGroup, "herd", id},
		{rows.AutoScalingInstance, member, "herd"},
	} {
		if test.id == "" || test.want == "" {
			t.Fatalf("%s: the test found no id", test.fact)
		}
		if got := l.Find(t.Context(), test.fact, test.id); len(got) != 1 || got[0] != test.want {
			t.Errorf("%s of %s: got %v, want %s", test.fact, test.id, got, test.want)
		}
		if got := l.Find(t.Context(), test.fact, "no-such"); len(got) != 0 {
			t.Errorf("%s of what is not there: %v", test.fact, got)
		}
	}
}

func describe(t *testing.T, action string) []byte {
	t.Helper()
	_, body, err := state.Query(t.Context(), "ec2", "us-east-1", url.Values{"Version": {"2016-11-15"}, "Action": {action}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestKeysAndObjects(t *testing.T) {
	l := Lookup{Book: &Book{State: state}, Region: "us-east-1", Owner: func(id string) string { return map[string]string{"AKIA1": "alice"}[id] },
		View: &account.View{
			Users: map[string]*account.Entity{"alice": {Name: "alice", Path: "/team/"}},
			Roles: map[string]*account.Entity{"worker": {Name: "worker", Path: "/"}, "AWSServiceRoleForECS": {Path: "/aws-service-role/ecs.amazonaws.com/"}},
		}}
	var made struct{ KeyMetadata struct{ KeyId, Arn string } }
	jsonCall(t, "kms", "TrentService.CreateKey", map[string]any{}, &made)
	jsonCall(t, "kms", "TrentService.CreateAlias", map[string]string{"AliasName": "alias/a", "TargetKeyId": made.KeyMetadata.KeyId}, &struct{}{})
	jsonCall(t, "sqs", "AmazonSQS.CreateQueue", map[string]any{"QueueName": "q", "Attributes": map[string]string{"KmsMasterKeyId": "alias/a"}}, &struct{}{})
	put(t, "/bucket", "", nil)
	put(t, "/bucket?encryption", `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/a</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`, nil)
	put(t, "/bucket/a%20b/c", "x", http.Header{"X-Amz-Server-Side-Encryption": {"aws:kms"}, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": {made.KeyMetadata.KeyId}, "X-Amz-Tagging": {"k=v"}})
	put(t, "/bucket/plain", "x", nil)
	for _, test := range []struct {
		fact     rows.Fact
		id, want string
	}{
		{rows.KMSAlias, "alias/a", made.KeyMetadata.Arn},
		{rows.KMSAlias, "arn:aws:kms:us-east-1:123456789012:alias/a", made.KeyMetadata.Arn},
		{rows.KMSAlias, "alias/none", ""},
		{rows.SQSKey, "arn:aws:sqs:us-east-1:123456789012:q", "alias/a"},
		{rows.SQSKey, "arn:aws:sqs:us-east-1:123456789012:none", ""},
		{rows.S3BucketKey, "bucket", made.KeyMetadata.Arn},
		{rows.S3BucketKey, "none", ""},
		{rows.S3ObjectKey, "bucket/a b/c", made.KeyMetadata.Arn},
		{rows.S3ObjectKey, "bucket/none", ""},
		{rows.S3ObjectTagged, "bucket/a b/c", "k"},
		{rows.S3ObjectTagged, "bucket/plain", ""},
		{rows.IAMUser, "alice", "/team/"},
		{rows.IAMRole, "worker", "/"},
		{rows.IAMRole, "none", ""},
		{rows.IAMAccessID, "AKIA1", "team/alice"},
		{rows.IAMAccessID, "AKIA2", ""},
		{rows.IAMServiceRole, "ecs.amazonaws.com", "AWSServiceRoleForECS"},
		{rows.IAMProfile, "none", ""},
		{"no.such", "x", ""},
	} {
		if got := strings.Join(l.Find(t.Context(), test.fact, test.id), " "); got != test.want {
			t.Errorf("%s of %s: got %q, want %q", test.fact, test.id, got, test.want)
		}
	}
}

func put(t *testing.T, path, body string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "PUT", "https://s3.us-east-1.amazonaws.com"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	r.Header.Set("Authorization", moto.Scope("AKIA", "us-east-1", "s3"))
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	reply, err := state.RoundTrip(r)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v, %v", path, reply, err)
	}
}

// A policy is read once, until something changed.
func TestPolicyIsRemembered(t *testing.T) {
	asked := &counting{State: state}
	b := &Book{State: asked}
	jsonCall(t, "sqs", "AmazonSQS.CreateQueue", map[string]any{"QueueName": "p", "Attributes": map[string]string{
		"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}]}`}}, &struct{}{})
	for range 2 {
		for arn, has := range map[string]bool{"arn:aws:sqs:us-east-1:123456789012:p": true, "arn:aws:sqs:us-east-1:123456789012:other": false, "arn:aws:s3:::none/k": false,
			"*": false, "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1": false, "arn:aws:kms:us-east-1:123456789012:key/*": false} {
			p, err := b.Policy(t.Context(), arn)
			if err != nil || (p != nil) != has {
				t.Errorf("%s: %+v, %v", arn, p, err)
			}
		}
	}
	if asked.n != 3 {
		t.Errorf("asked %d times, want 3", asked.n)
	}
	b.Forget()
	if _, err := b.Policy(t.Context(), "arn:aws:s3:::none"); err != nil || asked.n != 4 {
		t.Errorf("asked %d times, want 4; %v", asked.n, err)
	}
}

type counting struct {
	State
	n int
}

func (c *counting) JSON(ctx context.Context, service, region, target string, question, answer any) (int, error) {
	c.n++
	return c.State.JSON(ctx, service, region, target, question, answer)
}

func (c *counting) S3(ctx context.Context, method, path string) (int, http.Header, []byte, error) {
	c.n++
	return c.State.S3(ctx, method, path)
}

func TestTree(t *testing.T) {
	nested := parse([]byte(`<R><set><item><id>outer</id><name>o</name><sub><item><id>inner</id><name>i</name></item><item><id>bare</id></item></sub></item></set></R>`))
	for id, want := range map[string]string{"outer": "o", "inner": "i", "bare": "o", "none": "", "": ""} {
		if got := entry(nested, id, "name"); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
	if parse([]byte("no XML")) != nil || text(nil, "x") != "" {
		t.Error("what is no XML was read")
	}
}

// Whatever the bytes, what is found is the text of one of their elements.
func FuzzTree(f *testing.F) {
	f.Add([]byte(`<a><item><id>x</id><name>n</name></item></a>`), "x", "name")
	f.Fuzz(func(t *testing.T, body []byte, id, field string) {
		e := parse(body)
		if found := entry(e, id, field); found != "" && !holds(e, found) {
			t.Errorf("found %q, which is not there", found)
		}
	})
}
