"""What moto lacks of EKS: add-ons, access entries, pod identities, identity
providers, updates, and the parts of a cluster that it drops.

All is kept with the cluster in moto's backend, and goes with it. Updates are
over when they are answered, as all that moto does.
"""

import uuid

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.eks.exceptions import (
    InvalidParameterException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from moto.eks.responses import EKSResponse
from moto.eks.urls import response, url_paths

# One version of each add-on, which is good for every version of Kubernetes.
# EKS has more, and not for all.
ADDONS = {
    "amazon-cloudwatch-observability": "v2.6.0-eksbuild.1",
    "aws-ebs-csi-driver": "v1.37.0-eksbuild.1",
    "aws-efs-csi-driver": "v2.1.0-eksbuild.1",
    "aws-mountpoint-s3-csi-driver": "v1.10.0-eksbuild.1",
    "coredns": "v1.11.3-eksbuild.2",
    "eks-pod-identity-agent": "v1.3.4-eksbuild.1",
    "kube-proxy": "v1.31.2-eksbuild.3",
    "metrics-server": "v0.7.2-eksbuild.1",
    "snapshot-controller": "v8.1.0-eksbuild.2",
    "vpc-cni": "v1.19.0-eksbuild.1",
}
VERSIONS = ["1.%d" % minor for minor in range(33, 26, -1)]
POLICIES = [
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
]


def absent(message, **named):
    names = {"clusterName": None, "nodegroupName": None, "addonName": None}
    return ResourceNotFoundException(**{**names, **named}, message=message)


def cluster(self):
    name = self._get_param("name")
    found = self.eks_backend.clusters.get(name)
    if found is None:
        raise absent("No cluster found for name: %s." % name, clusterName=name)
    return found


def shelf(self, kind):
    return cluster(self).__dict__.setdefault("whittle_" + kind, {})


def arn(self, *parts):
    return "arn:%s:eks:%s:%s:%s" % (self.partition, self.region, self.current_account, "/".join(parts))


def put(self, record, names):
    """Takes over what the request says."""
    for name in names:
        value = self._get_param(name)
        if value is not None:
            record[name] = value
    record["modifiedAt"] = utcnow()


def one(self, kind, key):
    held = shelf(self, kind)
    if key not in held:
        raise absent("No such %s: %s" % (kind, key), clusterName=self._get_param("name"))
    return held[key]


def add_new(self, kind, key, record):
    held = shelf(self, kind)
    if key in held:
        raise ResourceInUseException(clusterName=self._get_param("name"), message="%s already exists: %s" % (kind, key))
    record.update(clusterName=self._get_param("name"), createdAt=utcnow(), modifiedAt=utcnow())
    held[key] = record
    return record


def updated(self, kind, **said):
    update = {
        "id": str(uuid.uuid4()),
        "status": "Successful",
        "type": kind,
        "params": [{"type": name, "value": value} for name, value in said.items()],
        "createdAt": utcnow(),
        "errors": [],
    }
    shelf(self, "updates")[update["id"]] = update
    return ActionResult({"update": update})


# Updates.


def describe_update(self):
    return ActionResult({"update": one(self, "updates", self._get_param("updateId"))})


def list_updates(self):
    return ActionResult({"updateIds": list(shelf(self, "updates"))})


def update_cluster_version(self):
    version = self._get_param("version")
    cluster(self).version = version
    return updated(self, "VersionUpdate", Version=version)


def update_nodegroup_version(self):
    of = cluster(self)
    name = self._get_param("nodegroupName")
    if name not in of.nodegroups:
        raise absent("No node group found for name: %s." % name, clusterName=of.name, nodegroupName=name)
    group = of.nodegroups[name]
    group.version = self._get_param("version") or of.version
    group.release_version = self._get_param("releaseVersion") or group.release_version
    template = self._get_param("launchTemplate")
    if template:
        group.launch_template = {**(group.launch_template or {}), **template}
    group.modified_at = utcnow()
    return updated(self, "VersionUpdate", Version=group.version)


def associate_encryption_config(self):
    cluster(self).encryption_config = self._get_param("encryptionConfig")
    return updated(self, "AssociateEncryptionConfig")


def describe_cluster_versions(self):
    wanted = self._get_param("clusterVersions") or VERSIONS
    default = VERSIONS[1]
    found = [
        {
            "clusterVersion": v,
            "clusterType": "eks",
            "defaultVersion": v == default,
            "versionStatus": "STANDARD_SUPPORT",
            "status": "standard-support",
            "kubernetesPatchVersion": v + ".0",
        }
        for v in VERSIONS
        if v in wanted
    ]
    if self._get_param("defaultOnly") == "true":
        found = [v for v in found if v["defaultVersion"]]
    return ActionResult({"clusterVersions": found})


# Add-ons.

OF_AN_ADDON = ("addonVersion", "serviceAccountRoleArn", "configurationValues")


def known_addon(name, version):
    if name not in ADDONS:
        raise InvalidParameterException(addonName=name, message="Addon %s specified is not supported" % name)
    return version or ADDONS[name]


def create_addon(self):
    name = self._get_param("addonName")
    record = {
        "addonName": name,
        "addonVersion": known_addon(name, None),
        "status": "ACTIVE",
        "health": {"issues": []},
        "addonArn": arn(self, "addon", self._get_param("name"), name, str(uuid.uuid4())),
        "owner": "aws",
        "publisher": "eks",
        "tags": self._get_param("tags") or {},
    }
    add_new(self, "addons", name, record)
    put(self, record, OF_AN_ADDON)
    return ActionResult({"addon": record})


def describe_addon(self):
    return ActionResult({"addon": one(self, "addons", self._get_param("addonName"))})


def update_addon(self):
    put(self, one(self, "addons", self._get_param("addonName")), OF_AN_ADDON)
    return updated(self, "AddonUpdate")


def delete_addon(self):
    name = self._get_param("addonName")
    record = one(self, "addons", name)
    del shelf(self, "addons")[name]
    return ActionResult({"addon": {**record, "status": "DELETING"}})


def list_addons(self):
    return ActionResult({"addons": list(shelf(self, "addons"))})


def describe_addon_versions(self):
    wanted = self._get_param("addonName")
    version = self._get_param("kubernetesVersion")
    fits = [
        {"clusterVersion": v, "platformVersions": ["*"], "defaultVersion": True}
        for v in ([version] if version else VERSIONS)
    ]
    found = [
        {
            "addonName": name,
            "owner": "aws",
            "publisher": "eks",
            "type": "networking",
            "addonVersions": [
                {"addonVersion": v, "architecture": ["amd64", "arm64"], "compatibilities": fits}
            ],
        }
        for name, v in ADDONS.items()
        if wanted in (None, name)
    ]
    return ActionResult({"addons": found})


# Access entries, and the policies that are associated with them.

OF_AN_ENTRY = ("kubernetesGroups", "username")


def create_access_entry(self):
    principal = self._get_param("principalArn")
    kind, _, name = principal.split(":", 5)[-1].partition("/")
    record = {
        "principalArn": principal,
        "kubernetesGroups": [],
        "type": self._get_param("type") or "STANDARD",
        "username": principal,
        "accessEntryArn": arn(
            self, "access-entry", self._get_param("name"), kind, self.current_account, name.split("/")[-1], str(uuid.uuid4())
        ),
        "tags": self._get_param("tags") or {},
    }
    add_new(self, "access entries", principal, record)
    put(self, record, OF_AN_ENTRY)
    return ActionResult({"accessEntry": record})


def entry(self):
    return one(self, "access entries", self._get_param("principalArn"))


def describe_access_entry(self):
    return ActionResult({"accessEntry": entry(self)})


def update_access_entry(self):
    put(self, entry(self), OF_AN_ENTRY)
    return ActionResult({"accessEntry": entry(self)})


def delete_access_entry(self):
    principal = entry(self)["principalArn"]
    del shelf(self, "access entries")[principal]
    shelf(self, "access policies").pop(principal, None)
    return ActionResult({})


def list_access_entries(self):
    return ActionResult({"accessEntries": list(shelf(self, "access entries"))})


def associated(self):
    return shelf(self, "access policies").setdefault(entry(self)["principalArn"], {})


def associate_access_policy(self):
    policy = self._get_param("policyArn")
    held = associated(self)
    kept = held.setdefault(policy, {"policyArn": policy, "associatedAt": utcnow()})
    put(self, kept, ("accessScope",))
    return ActionResult(
        {
            "clusterName": self._get_param("name"),
            "principalArn": self._get_param("principalArn"),
            "associatedAccessPolicy": kept,
        }
    )


def disassociate_access_policy(self):
    policy = self._get_param("policyArn")
    if associated(self).pop(policy, None) is None:
        raise absent("No associated policy: " + policy, clusterName=self._get_param("name"))
    return ActionResult({})


def list_associated_access_policies(self):
    return ActionResult(
        {
            "clusterName": self._get_param("name"),
            "principalArn": self._get_param("principalArn"),
            "associatedAccessPolicies": list(associated(self).values()),
        }
    )


def list_access_policies(self):
    prefix = "arn:%s:eks::aws:cluster-access-policy/" % self.partition
    return ActionResult({"accessPolicies": [{"name": p, "arn": prefix + p} for p in POLICIES]})


# Pod identities.


def create_pod_identity_association(self):
    for other in shelf(self, "pod identities").values():
        if all(other[k] == self._get_param(k) for k in ("namespace", "serviceAccount")):
            raise ResourceInUseException(
                clusterName=self._get_param("name"),
                message="Association already exists: " + other["associationId"],
            )
    id = "a-" + uuid.uuid4().hex[:17]
    record = {
        "associationId": id,
        "associationArn": arn(self, "podidentityassociation", self._get_param("name"), id),
        "tags": self._get_param("tags") or {},
    }
    put(self, record, ("namespace", "serviceAccount", "roleArn", "disableSessionTags", "targetRoleArn"))
    return ActionResult({"association": add_new(self, "pod identities", id, record)})


def pod_identity(self):
    return one(self, "pod identities", self._get_param("associationId"))


def describe_pod_identity_association(self):
    return ActionResult({"association": pod_identity(self)})


def update_pod_identity_association(self):
    put(self, pod_identity(self), ("roleArn", "disableSessionTags", "targetRoleArn"))
    return ActionResult({"association": pod_identity(self)})


def delete_pod_identity_association(self):
    record = pod_identity(self)
    del shelf(self, "pod identities")[record["associationId"]]
    return ActionResult({"association": record})


def list_pod_identity_associations(self):
    asked = {k: self._get_param(k) for k in ("namespace", "serviceAccount")}
    found = [
        record
        for record in shelf(self, "pod identities").values()
        if all(v in (None, record[k]) for k, v in asked.items())
    ]
    return ActionResult({"associations": found})


# Identity providers.


def associate_identity_provider_config(self):
    oidc = dict(self._get_param("oidc"))
    name = oidc["identityProviderConfigName"]
    oidc.update(
        identityProviderConfigArn=arn(
            self, "identityproviderconfig", self._get_param("name"), "oidc", name, str(uuid.uuid4())
        ),
        status="ACTIVE",
        tags=self._get_param("tags") or {},
    )
    record = add_new(self, "identity providers", name, oidc)
    return ActionResult(
        {"update": updated(self, "AssociateIdentityProviderConfig").result["update"], "tags": record["tags"]}
    )


def provider(self):
    return one(self, "identity providers", self._get_param("identityProviderConfig")["name"])


def describe_identity_provider_config(self):
    return ActionResult({"identityProviderConfig": {"oidc": provider(self)}})


def disassociate_identity_provider_config(self):
    del shelf(self, "identity providers")[provider(self)["identityProviderConfigName"]]
    return updated(self, "DisassociateIdentityProviderConfig")


def list_identity_provider_configs(self):
    found = [{"type": "oidc", "name": name} for name in shelf(self, "identity providers")]
    return ActionResult({"identityProviderConfigs": found})


OPERATIONS = (
    describe_update,
    list_updates,
    update_cluster_version,
    update_nodegroup_version,
    associate_encryption_config,
    describe_cluster_versions,
    create_addon,
    describe_addon,
    update_addon,
    delete_addon,
    list_addons,
    describe_addon_versions,
    create_access_entry,
    describe_access_entry,
    update_access_entry,
    delete_access_entry,
    list_access_entries,
    associate_access_policy,
    disassociate_access_policy,
    list_associated_access_policies,
    list_access_policies,
    create_pod_identity_association,
    describe_pod_identity_association,
    update_pod_identity_association,
    delete_pod_identity_association,
    list_pod_identity_associations,
    associate_identity_provider_config,
    describe_identity_provider_config,
    disassociate_identity_provider_config,
    list_identity_provider_configs,
)
PATHS = (
    "access-policies$",
    "addons/supported-versions$",
    "cluster-versions$",
    "clusters/(?P<name>[^/]+)/(?P<rest>.+)$",
)

# What a cluster is told when it is made and moto drops (Amazon EKS API
# Reference, CreateCluster, with its defaults).
OF_A_CLUSTER = {
    "accessConfig": {"authenticationMode": "CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True},
    "computeConfig": None,
    "deletionProtection": None,
    "storageConfig": None,
    "upgradePolicy": {"supportType": "EXTENDED"},
    "zonalShiftConfig": None,
}
OF_THE_NETWORK = {
    "endpointPublicAccess": True,
    "endpointPrivateAccess": False,
    "publicAccessCidrs": ["0.0.0.0/0"],
    "securityGroupIds": [],
}


def whole_cluster(create):
    """Keeps all that a cluster is told, and makes the security group that EKS
    makes for it."""

    def created(self):
        reply = create(self)
        made = reply.result["cluster"]
        for name, default in OF_A_CLUSTER.items():
            setattr(made, name, self._get_param(name) or default)
        network = {**OF_THE_NETWORK, **(made.resources_vpc_config or {})}
        ec2 = ec2_backends[self.current_account][self.region]
        vpcs = [s.vpc_id for s in ec2.describe_subnets() if s.id in network.get("subnetIds", [])]
        if vpcs:
            group = ec2.create_security_group(
                "eks-cluster-sg-%s-%d" % (made.name, uuid.uuid4().int % 10**9),
                "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes,"
                " as well as any managed workloads.",
                vpc_id=vpcs[0],
            )
            network.update(vpcId=vpcs[0], clusterSecurityGroupId=group.id)
        made.resources_vpc_config = network
        return reply

    return created


def whole_group(create):
    """Keeps all that a node group is told, and makes up no remote access, for
    whose sake Terraform would replace it each time."""

    def created(self):
        reply = create(self)
        made = reply.result["nodegroup"]
        made.update_config = self._get_param("updateConfig") or {"maxUnavailable": 1}
        made.node_repair_config = self._get_param("nodeRepairConfig")
        made.version = self._get_param("version") or cluster(self).version
        made.remote_access = self._get_param("remoteAccess")
        if not made.remote_access:
            made.resources.pop("remoteAccessSecurityGroup", None)
        return reply

    return created


def with_its_group(delete):
    def deleted(self):
        group = (cluster(self).resources_vpc_config or {}).get("clusterSecurityGroupId")
        reply = delete(self)
        if group:
            ec2_backends[self.current_account][self.region].delete_security_group(group_id=group)
        return reply

    return deleted


def update_cluster_config(self):
    """Changes what the request says: moto forgets the rest of the network, and
    answers with the cluster where the service answers with an update."""
    of = cluster(self)
    network = self._get_param("resourcesVpcConfig")
    if network:
        of.resources_vpc_config = {**of.resources_vpc_config, **network}
    logging = self._get_param("logging")
    if logging:
        of.logging = logging
    for name in ("kubernetesNetworkConfig", "remoteNetworkConfig", *OF_A_CLUSTER):
        value = self._get_param(name)
        if value is not None:
            old = getattr(of, name, None)
            setattr(of, name, {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value)
    return updated(self, "ConfigUpdate")


def noted(update):
    """Lets a node group's update be asked about."""

    def done(self):
        reply = update(self)
        shelf(self, "updates")[reply.result["update"]["id"]] = reply.result["update"]
        return reply

    return done


def tagged(self):
    """The tags of what is kept here, by its ARN, and of node groups and Fargate
    profiles, which moto does not tag."""
    wanted = self._extract_arn_from_path()
    for of in self.eks_backend.clusters.values():
        for group in (*of.nodegroups.values(), *of.fargate_profiles.values()):
            if wanted in (getattr(group, "arn", None), getattr(group, "fargate_profile_arn", None)):
                return group.tags
        for kind, held in vars(of).items():
            if kind.startswith("whittle_"):
                for record in held.values():
                    if "tags" in record and wanted in record.values():
                        return record["tags"]
    return None


def tag_more(plain):
    def tag(self):
        tags = tagged(self)
        if tags is None:
            return plain(self)
        tags.update(self._get_param("tags"))
        return ActionResult({})

    return tag


def untag_more(plain):
    def untag(self):
        tags = tagged(self)
        if tags is None:
            return plain(self)
        for key in self.querystring.get("tagKeys", []):
            tags.pop(key, None)
        return ActionResult({})

    return untag


def list_more(plain):
    def tags_of(self):
        tags = tagged(self)
        return plain(self) if tags is None else ActionResult({"tags": tags})

    return tags_of


def add():
    for operation in OPERATIONS:
        if not hasattr(EKSResponse, operation.__name__):
            setattr(EKSResponse, operation.__name__, operation)
    for path in PATHS:
        url_paths.setdefault("{0}/" + path, response.dispatch)
    kind = EKSResponse
    kind.create_cluster = whole_cluster(kind.create_cluster)
    kind.create_nodegroup = whole_group(kind.create_nodegroup)
    kind.delete_cluster = with_its_group(kind.delete_cluster)
    kind.update_cluster_config = update_cluster_config
    kind.update_nodegroup_config = noted(kind.update_nodegroup_config)
    kind.tag_resource = tag_more(kind.tag_resource)
    kind.untag_resource = untag_more(kind.untag_resource)
    kind.list_tags_for_resource = list_more(kind.list_tags_for_resource)
