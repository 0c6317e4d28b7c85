package catalog

import (
	"slices"
	"strings"
)

// ec2Kind is a resource type of EC2 with the parameters that name one of it and
// the prefix of its ids (Service Authorization Reference, "Resource types
// defined by Amazon EC2"; EC2 User Guide, "Resource IDs").
type ec2Kind struct {
	kind   string
	params string // parameter names, separated by spaces
	id     string // the id's prefix, for parameters that take any resource
}

var ec2Kinds = []ec2Kind{
	{"carrier-gateway", "CarrierGatewayId", "cagw"},
	{"customer-gateway", "CustomerGatewayId", "cgw"},
	{"dhcp-options", "DhcpOptionsId", "dopt"},
	{"egress-only-internet-gateway", "EgressOnlyInternetGatewayId", "eigw"},
	{"elastic-ip", "AllocationId", "eipalloc"},
	{"image", "ImageId SourceImageId", "ami"},
	{"instance", "InstanceId", "i"},
	{"instance-connect-endpoint", "InstanceConnectEndpointId", "eice"},
	{"internet-gateway", "InternetGatewayId", "igw"},
	{"ipam", "IpamId", "ipam"},
	{"ipam-pool", "IpamPoolId Ipv4IpamPoolId Ipv6IpamPoolId", "ipam-pool"},
	{"ipam-scope", "IpamScopeId", "ipam-scope"},
	{"key-pair", "KeyName", "key"},
	{"launch-template", "LaunchTemplateId", "lt"},
	{"natgateway", "NatGatewayId", "nat"},
	{"network-acl", "NetworkAclId", "acl"},
	{"network-interface", "NetworkInterfaceId", "eni"},
	{"placement-group", "GroupName", "pg"},
	{"prefix-list", "PrefixListId", "pl"},
	{"route-table", "RouteTableId", "rtb"},
	{"security-group", "GroupId SecurityGroupId", "sg"},
	{"security-group-rule", "SecurityGroupRuleId", "sgr"},
	{"snapshot", "SnapshotId SourceSnapshotId", "snap"},
	{"subnet", "SubnetId", "subnet"},
	{"transit-gateway", "TransitGatewayId", "tgw"},
	{"transit-gateway-attachment", "TransitGatewayAttachmentId", "tgw-attach"},
	{"transit-gateway-route-table", "TransitGatewayRouteTableId", "tgw-rtb"},
	{"volume", "VolumeId", "vol"},
	{"vpc", "VpcId PeerVpcId", "vpc"},
	{"vpc-endpoint", "VpcEndpointId", "vpce"},
	{"vpc-endpoint-service", "ServiceId", "vpce-svc"},
	{"vpc-flow-log", "FlowLogId", "fl"},
	{"vpc-peering-connection", "VpcPeeringConnectionId", "pcx"},
	{"vpn-connection", "VpnConnectionId", "vpn"},
	{"vpn-gateway", "VpnGatewayId", "vgw"},
}

// ec2Made holds what an operation makes, where its name does not say it by
// "Create" and the type's own words, and the operations that are checked on
// none of the resources they name beside.
var ec2Made = map[string][]string{
	"AllocateAddress":                       {"elastic-ip"},
	"AuthorizeSecurityGroupEgress":          {"security-group-rule"},
	"AuthorizeSecurityGroupIngress":         {"security-group-rule"},
	"CopySnapshot":                          {"snapshot"},
	"CreateDefaultSubnet":                   {},
	"CreateDefaultVpc":                      {},
	"CreateEgressOnlyInternetGateway":       {"egress-only-internet-gateway"},
	"CreateFlowLogs":                        {"vpc-flow-log"},
	"CreateManagedPrefixList":               {"prefix-list"},
	"CreateNatGateway":                      {"natgateway"},
	"CreateNetworkAclEntry":                 {},
	"CreateRoute":                           {},
	"CreateSnapshots":                       {"snapshot"},
	"CreateTransitGatewayVpcAttachment":     {"transit-gateway-attachment"},
	"CreateVpcEndpointServiceConfiguration": {"vpc-endpoint-service"},
	"ImportKeyPair":                         {"key-pair"},
	"RegisterImage":                         {"image"},
	"RunInstances":                          {"instance", "network-interface", "volume"},
}

// ec2Unnamed holds what operations are checked on that they need not name:
// they name an association or a rule, or leave it to a default.
var ec2Unnamed = map[string][]string{
	"AcceptVpcPeeringConnection":           {"vpc"},
	"CopyImage":                            {"snapshot"},
	"CreateImage":                          {"snapshot"},
	"DetachNetworkInterface":               {"instance", "network-interface"},
	"DisassociateAddress":                  {"elastic-ip", "network-interface"},
	"DisassociateIamInstanceProfile":       {"instance"},
	"DisassociateNatGatewayAddress":        {"elastic-ip"},
	"DisassociateRouteTable":               {"route-table"},
	"DisassociateSubnetCidrBlock":          {"subnet"},
	"DisassociateVpcCidrBlock":             {"vpc"},
	"ModifySecurityGroupRules":             {"security-group-rule"},
	"ReplaceIamInstanceProfileAssociation": {"instance"},
	"ReplaceNetworkAclAssociation":         {"network-acl", "subnet"},
	"ReplaceRouteTableAssociation":         {"route-table"},
	"RunInstances":                         {"image", "security-group", "subnet"},
}

// ec2Candidates reads a request of EC2. Operations that describe are checked
// on no resource; others on each resource that they name or make, each being a
// candidate of its own.
func ec2Candidates(r request) []Candidate {
	permission := "ec2:" + r.operation
	w := words(r.operation)
	if (w[0] == "Describe" || w[0] == "List" || w[0] == "Search" || r.operation == "GetSubnetCidrReservations") && !ec2Describes(r.operation) {
		return []Candidate{{Permission: permission, Resource: "*"}}
	}
	if r.operation == "CreateTags" || r.operation == "DeleteTags" {
		return ec2TagCandidates(r, permission)
	}
	var list []Candidate
	add := func(permission, kind, id string) {
		c := Candidate{Permission: permission, Resource: r.ec2ARN(kind, id)}
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	made := ec2MadeBy(r.operation)
	for _, kind := range made {
		id := "*"
		if kind == "key-pair" { // the one that the request names
			if name := r.form.Get("KeyName"); name != "" {
				id = name
			}
		}
		add(permission, kind, id)
	}
	names := make([]string, 0, len(r.form))
	for name := range r.form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		kind := ec2KindOfParam(r.operation, name)
		if kind == "" || slices.Contains(made, kind) {
			continue
		}
		for _, id := range r.form[name] {
			if id != "" {
				add(permission, kind, id)
			}
		}
	}
	for _, kind := range ec2Unnamed[r.operation] {
		if !slices.ContainsFunc(list, func(c Candidate) bool { return strings.Contains(c.Resource, ":"+kind+"/") }) {
			add(permission, kind, "*")
		}
	}
	if len(list) == 0 {
		list = []Candidate{{Permission: permission, Resource: "*"}}
	}
	if r.has("TagSpecification") || r.has("TagSpecifications") {
		tagged := made
		if len(tagged) == 0 {
			tagged = []string{"*"}
		}
		for _, kind := range tagged {
			add("ec2:CreateTags", kind, "*")
		}
	}
	for _, name := range []string{"IamInstanceProfile.Arn", "IamInstanceProfile.Name"} {
		if r.form.Get(name) != "" {
			// The role inside the profile is passed on; the request does not name it.
			list = append(list, Candidate{Permission: "iam:PassRole", Resource: "arn:" + r.partition + ":iam::" + r.account + ":role/*"})
		}
	}
	return list
}

// ec2Describes tells the few operations that describe and are checked on what
// they describe (Service Authorization Reference).
func ec2Describes(operation string) bool {
	switch operation {
	case "DescribeImageAttribute", "DescribeInstanceAttribute", "DescribeSecurityGroupReferences", "DescribeSnapshotAttribute",
		"DescribeVolumeAttribute", "DescribeVpcAttribute", "DescribeVpcEndpointServicePermissions":
		return true
	}
	return false
}

// ec2MadeBy lists the resource types that an operation makes.
func ec2MadeBy(operation string) []string {
	if made, ok := ec2Made[operation]; ok {
		return made
	}
	noun, ok := strings.CutPrefix(operation, "Create")
	if !ok {
		return nil
	}
	kind := strings.ToLower(strings.Join(words(noun), "-"))
	if slices.ContainsFunc(ec2Kinds, func(k ec2Kind) bool { return k.kind == kind }) {
		return []string{kind}
	}
	return nil
}

// ec2KindOfParam tells what a parameter names: SubnetId, SubnetId.2,
// NetworkInterface.1.SubnetId. Filters name nothing.
func ec2KindOfParam(operation, name string) string {
	if strings.HasPrefix(name, "Filter.") || strings.HasPrefix(name, "TagSpecification") {
		return ""
	}
	parts := strings.Split(name, ".")
	last := parts[len(parts)-1]
	if len(parts) > 1 && strings.Trim(last, "0123456789") == "" {
		last = parts[len(parts)-2]
	}
	switch {
	case last == "GatewayId" && strings.HasSuffix(operation, "VgwRoutePropagation"):
		return "vpn-gateway"
	case last == "VpcEndpointId" && strings.HasSuffix(operation, "VpcEndpointConnections"):
		return "" // the other side's; the service is what is checked
	}
	if last == "GroupName" && !strings.Contains(operation, "PlacementGroup") {
		return "" // a security group's name
	}
	for _, k := range ec2Kinds {
		for param := range strings.FieldsSeq(k.params) {
			if param == last {
				return k.kind
			}
		}
	}
	return ""
}

// ec2TagCandidates reads CreateTags and DeleteTags, whose ResourceId takes any
// type: the id's prefix tells it.
func ec2TagCandidates(r request, permission string) []Candidate {
	var list []Candidate
	for name, ids := range r.form {
		if !strings.HasPrefix(name, "ResourceId.") {
			continue
		}
		for _, id := range ids {
			c := Candidate{Permission: permission, Resource: "*"}
			if i := strings.LastIndexByte(id, '-'); i > 0 {
				for _, k := range ec2Kinds {
					if k.id == id[:i] {
						c.Resource = r.ec2ARN(k.kind, id)
					}
				}
			}
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Candidate) int { return strings.Compare(a.Resource, b.Resource) })
	if len(list) == 0 {
		list = []Candidate{{Permission: permission, Resource: "*"}}
	}
	return slices.Compact(list)
}

// ec2ARN makes the ARN of an EC2 resource. Images and snapshots have no account
// in theirs, what belongs to IPAM no region.
func (r request) ec2ARN(kind, id string) string {
	switch {
	case kind == "image" || kind == "snapshot":
		r.account = ""
	case strings.HasPrefix(kind, "ipam"):
		r.region = ""
	case kind == "*":
		return r.arn("ec2", "*/*")
	}
	return r.arn("ec2", kind+"/"+id)
}
