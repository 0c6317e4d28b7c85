// Package ec2 knows what the requests of Amazon EC2 need: on which of the
// resources that a request names or makes its operation is checked.
package ec2

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/request"
)

// resourceType is a resource type of EC2 with the parameters that name one of it and
// the prefix of its ids (Service Authorization Reference, "Resource types
// defined by Amazon EC2"; EC2 User Guide, "Resource IDs").
type resourceType struct {
	kind   string
	params string // parameter names, separated by spaces
	id     string // the id's prefix, for parameters that take any resource
}

var resourceTypes = []resourceType{
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

// makes holds what an operation makes, where its name does not say it by
// "Create" and the type's own words, and the operations that are checked on
// none of the resources they name beside.
var makes = map[string][]string{
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

// unnamed holds what operations are checked on that they need not name:
// they name an association or a rule, or leave it to a default.
var unnamed = map[string][]string{
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

// unchecked holds the other operations that are checked on no resource, although
// they name one (Service Authorization Reference, "Actions defined by Amazon EC2").
var unchecked = []string{
	"BundleInstance", "ConfirmProductInstance", "GetSubnetCidrReservations", "GetTransitGatewayAttachmentPropagations",
	"GetTransitGatewayPrefixListReferences", "GetTransitGatewayRouteTableAssociations", "GetTransitGatewayRouteTablePropagations",
}

// Needs lists what a request of EC2 needs. Operations that describe are checked
// on no resource; others on each resource that they name or make, each being a
// need of its own.
func Needs(r request.Request) []request.Need {
	permission := "ec2:" + r.Operation
	w := request.Words(r.Operation)
	if (w[0] == "Describe" || w[0] == "List" || w[0] == "Search" || slices.Contains(unchecked, r.Operation)) && !describesResource(r.Operation) {
		return []request.Need{{Permission: permission, Resource: "*"}}
	}
	if r.Operation == "CreateTags" || r.Operation == "DeleteTags" {
		return tagNeeds(r, permission)
	}
	var list []request.Need
	add := func(permission, kind, id string) {
		c := request.Need{Permission: permission, Resource: arn(r, kind, id)}
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	made := madeBy(r.Operation)
	for _, kind := range made {
		id := "*"
		if kind == "key-pair" { // the one that the request names
			if name := r.Form.Get("KeyName"); name != "" {
				id = request.Escape(name)
			}
		}
		add(permission, kind, id)
	}
	names := make([]string, 0, len(r.Form))
	for name := range r.Form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		kind := kindOfParam(r.Operation, name)
		if kind == "" || slices.Contains(made, kind) {
			continue
		}
		for _, id := range r.Form[name] {
			if id != "" {
				add(permission, kind, request.Escape(id))
			}
		}
	}
	for _, kind := range unnamed[r.Operation] {
		if !slices.ContainsFunc(list, func(c request.Need) bool { return strings.Contains(c.Resource, ":"+kind+"/") }) {
			add(permission, kind, "*")
		}
	}
	if len(list) == 0 {
		list = []request.Need{{Permission: permission, Resource: "*"}}
	}
	if r.Has("TagSpecification") || r.Has("TagSpecifications") {
		tagged := made
		if len(tagged) == 0 {
			tagged = []string{"*"}
		}
		for _, kind := range tagged {
			add("ec2:CreateTags", kind, "*")
		}
	}
	for _, name := range []string{"IamInstanceProfile.Arn", "IamInstanceProfile.Name"} {
		if r.Form.Get(name) != "" {
			// The role inside the profile is passed on; the request does not name it.
			list = append(list, request.Need{Permission: "iam:PassRole", Resource: "arn:" + r.Partition + ":iam::" + r.Account + ":role/*"})
		}
	}
	return list
}

// describesResource tells the few operations that describe and are checked on what
// they describe (Service Authorization Reference).
func describesResource(operation string) bool {
	switch operation {
	case "DescribeImageAttribute", "DescribeInstanceAttribute", "DescribeSecurityGroupReferences", "DescribeSnapshotAttribute",
		"DescribeVolumeAttribute", "DescribeVpcAttribute", "DescribeVpcEndpointServicePermissions":
		return true
	}
	return false
}

// madeBy lists the resource types that an operation makes.
func madeBy(operation string) []string {
	if made, ok := makes[operation]; ok {
		return made
	}
	noun, ok := strings.CutPrefix(operation, "Create")
	if !ok {
		return nil
	}
	kind := strings.ToLower(strings.Join(request.Words(noun), "-"))
	if slices.ContainsFunc(resourceTypes, func(k resourceType) bool { return k.kind == kind }) {
		return []string{kind}
	}
	return nil
}

// kindOfParam tells what a parameter names: SubnetId, SubnetId.2,
// NetworkInterface.1.SubnetId. Filters name nothing.
func kindOfParam(operation, name string) string {
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
	for _, k := range resourceTypes {
		for param := range strings.FieldsSeq(k.params) {
			if param == last {
				return k.kind
			}
		}
	}
	return ""
}

// tagNeeds reads CreateTags and DeleteTags, whose ResourceId takes any type: the
// id's prefix tells it.
func tagNeeds(r request.Request, permission string) []request.Need {
	var list []request.Need
	for name, ids := range r.Form {
		if !strings.HasPrefix(name, "ResourceId.") {
			continue
		}
		for _, id := range ids {
			c := request.Need{Permission: permission, Resource: "*"}
			if i := strings.LastIndexByte(id, '-'); i > 0 {
				for _, k := range resourceTypes {
					if k.id == id[:i] {
						c.Resource = arn(r, k.kind, request.Escape(id))
					}
				}
			}
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b request.Need) int { return strings.Compare(a.Resource, b.Resource) })
	if len(list) == 0 {
		list = []request.Need{{Permission: permission, Resource: "*"}}
	}
	return slices.Compact(list)
}

// arn makes the ARN of an EC2 resource; id is escaped already. Images and snapshots have no account
// in theirs, what belongs to IPAM no region.
func arn(r request.Request, kind, id string) string {
	switch {
	case kind == "image" || kind == "snapshot":
		r.Account = ""
	case strings.HasPrefix(kind, "ipam"):
		r.Region = ""
	case kind == "*":
		return r.ARN("ec2", "*/*")
	}
	return r.ARN("ec2", kind+"/"+id)
}
