"""Fills gaps of moto's that ordinary stacks fall into.

What is put is kept in moto's own state, so that snapshots hold it, and read
back from there. What is still missing is an error: moto would take a request
for a part of a bucket that it does not know for one about the bucket itself,
and delete that.
"""

import json
import re

from moto.apigateway.models import UsagePlan
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores
from moto.ecs.models import Service
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elasticache.exceptions import CacheSubnetGroupNotFound, ElastiCacheException
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse
from moto.moto_api._internal import mock_random
from moto.rds.models import DBInstance
from moto.route53.responses import Route53
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.responses import S3Response
from moto.sns.responses import SNSResponse
from moto.sqs.models import Queue

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

# The parts of a bucket that moto has, by method (Amazon S3 API Reference).
READ = (
    "accelerate acl cors encryption inventory lifecycle location logging notification object-lock "
    "ownershipControls policy publicAccessBlock replication tagging uploads versioning versions website"
).split()
PARTS = {
    "GET": READ,
    "PUT": [p for p in READ if p not in ("location", "uploads", "versions")],
    "DELETE": (
        "cors encryption lifecycle ownershipControls policy publicAccessBlock replication tagging website"
    ).split(),
}
# And those that it lacks.
OTHERS = (
    "abac analytics intelligent-tiering metadataConfiguration metadataInventoryTable "
    "metadataJournalTable metadataTable metrics policyStatus requestPayment session"
).split()

# Kept as they were put: their replies are the same documents. A list of them
# is in an element of this name.
LISTED = {
    "analytics": "ListBucketAnalyticsConfigurationResult",
    "intelligent-tiering": "ListBucketIntelligentTieringConfigurationsOutput",
    "metrics": "ListMetricsConfigurationsResult",
}
DEFAULTS = {
    "requestPayment": "<RequestPaymentConfiguration%s><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
    % NAMESPACE,
}

SIZE = "x-amz-transition-default-minimum-object-size"


# "List of error codes", Amazon S3 API Reference.
MISSING = 404, {}, (
    "<Error><Code>NoSuchConfiguration</Code>"
    "<Message>The specified configuration does not exist.</Message></Error>"
)


def kept(bucket):
    """The documents that were put, by part and id."""
    return bucket.__dict__.setdefault("whittle_documents", {})


def document(response, bucket, method, part, id):
    """Puts, reads, lists or deletes a part of a bucket."""
    documents = kept(bucket)
    if method == "PUT":
        documents[part, id] = response.body.decode()
        return 200, {}, ""
    if method == "GET" and part in LISTED and id is None:
        # No document may begin with a declaration inside another.
        found = [re.sub(r"^\s*<\?.*?\?>", "", text) for (p, _), text in sorted(documents.items()) if p == part]
        name = LISTED[part]
        return 200, {}, "<%s%s><IsTruncated>false</IsTruncated>%s</%s>" % (name, NAMESPACE, "".join(found), name)
    text = documents.get((part, id), DEFAULTS.get(part))
    if text is None:
        return MISSING
    if method == "GET":
        return 200, {}, text
    del documents[part, id]
    return 204, {}, ""


def lifecycle(request, response, bucket, reply):
    """Gives back the rules that were put: moto forgets sizes, and what it calls
    the default of transitions is fixed."""
    if request.method == "PUT":
        size = request.headers.get(SIZE) or "all_storage_classes_128K"
        kept(bucket)["lifecycle", None] = response.body.decode(), size
        return 200, {SIZE: size}, ""
    if request.method != "GET" or ("lifecycle", None) not in kept(bucket):
        return reply
    text, size = kept(bucket)["lifecycle", None]
    status, headers, body = reply
    headers = {k: v for k, v in headers.items() if k.lower() != SIZE}
    # A rule without an id is given one, which only moto knows.
    whole = len(re.findall("<Rule>", text)) == len(re.findall("<ID>", text))
    return status, {**headers, SIZE: size}, text if whole else body


plain = S3Response._bucket_response


def bucket_response(self, request, full_url):
    query = self._get_querystring(request, full_url)
    method = request.method
    name = self.parse_bucket_name_from_url(request, full_url)
    if not name:
        return plain(self, request, full_url)
    id = query.get("id", [None])[0]
    for part in query:
        if part in LISTED or part in DEFAULTS:
            return document(self, self.backend.get_bucket(name), method, part, id)
        if part == "inventory" and method == "DELETE":
            if self.backend.get_bucket(name).inventory_configs.pop(id, None) is None:
                return MISSING
            return 204, {}, ""
        if part in OTHERS or part in READ and part not in PARTS.get(method, READ):
            raise NotImplementedError("%s of a bucket's %s" % (method, part))
    reply = plain(self, request, full_url)
    if "lifecycle" in query:
        return lifecycle(request, self, self.backend.get_bucket(name), reply)
    return reply


class CacheSubnetGroupInUse(ElastiCacheException):
    code = "CacheSubnetGroupInUse"

    def __init__(self, name):
        super().__init__("Cache subnet group %s is currently in use by a cache cluster." % name)


def delete_cache_subnet_group(self):
    backend, name = self.elasticache_backend, self._get_param("CacheSubnetGroupName")
    if name not in backend.cache_subnet_groups:
        raise CacheSubnetGroupNotFound(name)
    users = [*backend.cache_clusters.values(), *backend.replication_groups.values()]
    if any(u.cache_subnet_group_name == name for u in users):
        raise CacheSubnetGroupInUse(name)
    del backend.cache_subnet_groups[name]
    return EmptyResult()


def modify_cache_subnet_group(self):
    backend, name = self.elasticache_backend, self._get_param("CacheSubnetGroupName")
    if name not in backend.cache_subnet_groups:
        raise CacheSubnetGroupNotFound(name)
    old = backend.cache_subnet_groups[name]
    description = self._get_param("CacheSubnetGroupDescription")
    subnets = self._get_param("SubnetIds", [])
    new = type(old)(
        account_id=backend.account_id,
        region_name=backend.region_name,
        cache_subnet_group_name=name,
        cache_subnet_group_description=old.cache_subnet_group_description if description is None else description,
        subnet_ids=subnets or old.subnet_ids,
        tags=[],
    )
    backend.cache_subnet_groups[name] = new
    return ActionResult({"CacheSubnetGroup": new})


def gone(delete, kept, id):
    """moto leaves what is deleted there, being deleted, and who waits for its
    end waits for ever."""

    def delete_and_forget(self, **named):
        reply = delete(self, **named)
        getattr(self, kept).pop(named[id], None)
        return reply

    return delete_and_forget


def numbers(apply):
    """A patch's values are text, and the quota and the throttle of a usage plan
    are numbers (API Gateway API Reference, QuotaSettings, ThrottleSettings)."""

    def applied(self, operations):
        others = []
        for o in operations:
            _, part, name = (o["path"].split("/") + ["", ""])[:3]
            if o["op"] in ("add", "replace") and (part, name) in NUMBERS:
                getattr(self, part)[name] = NUMBERS[part, name](o["value"])
            elif o["op"] == "remove" and part in ("quota", "throttle"):
                setattr(self, part, {})
            else:
                others.append(o)
        apply(self, others)

    return applied


NUMBERS = {
    ("quota", "limit"): int,
    ("quota", "offset"): int,
    ("throttle", "burstLimit"): int,
    ("throttle", "rateLimit"): float,
}


def queue_attributes(set_attributes):
    """A queue's policy goes only when it is set to nothing, not with every other
    change. Its redrive allow policy is read back."""

    def set_and_keep(self, attributes, now=None):
        kept = {"Policy": getattr(self, "policy", None)}
        set_attributes(self, {**kept, **attributes}, now)
        self.redrive_allow_policy = self.redrive_allow_policy or None

    return set_and_keep


def as_put(attributes):
    """A redrive policy comes back without the spaces that moto adds: Terraform
    would put it again each time."""

    def shown(self):
        found = attributes(self)
        if self.redrive_policy:
            found["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return found

    return property(shown)


def private_by_vpc(create):
    """A hosted zone is private when it is made with a VPC (Amazon Route 53 API
    Reference, CreateHostedZone): moto reads that from the configuration, which
    need not say it."""

    def created(self):
        said = self._get_bool_param

        def private(name, *default):
            if name == "HostedZoneConfig.PrivateZone" and self._get_param("VPC.VPCId"):
                return True
            return said(name, *default)

        self._get_bool_param = private
        return create(self)

    return created


# What a service of ECS is told when it is made and moto drops. A change of the
# service brings moto to keep them.
OF_A_SERVICE = {
    "availabilityZoneRebalancing": "DISABLED",
    "capacityProviderStrategy": None,
    "deploymentConfiguration": None,
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
    "healthCheckGracePeriodSeconds": None,
    "placementConstraints": [],
    "placementStrategy": [],
    "serviceConnectConfiguration": None,
}


def whole_service(create):
    """Keeps all that a service is told, and has it steady at once, as all that
    moto does: who waits for its tasks would wait for ever."""

    def created(self):
        reply = create(self)
        service = reply.result["service"]
        for name, default in OF_A_SERVICE.items():
            value = self._get_param(name)
            setattr(service, camelcase_to_underscores(name), default if value is None else value)
        if service.capacity_provider_strategy:
            service.launch_type = None
        return reply

    return created


def steady(init):
    def made(self, *args, **named):
        init(self, *args, **named)
        self.running_count, self.pending_count = self.desired_count or 0, 0
        for d in self.deployments:
            d.update(
                rolloutState="COMPLETED",
                rolloutStateReason="ECS deployment %s completed." % d["id"],
                runningCount=self.running_count,
                pendingCount=0,
            )

    return made


# What moto keeps of a topic and does not show (Amazon SNS API Reference,
# GetTopicAttributes).
OF_A_TOPIC = ["ArchivePolicy", "FifoThroughputScope", "SignatureVersion", "TracingConfig"] + [
    protocol + what
    for protocol in ("Application", "Firehose", "HTTP", "Lambda", "SQS")
    for what in ("FailureFeedbackRoleArn", "SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate")
]


def whole_topic(get):
    def shown(self):
        reply = get(self)
        topic = self.backend.get_topic(self._get_param("TopicArn"))
        for name in OF_A_TOPIC:
            value = getattr(topic, camelcase_to_underscores(name), None)
            if value not in (None, ""):
                reply.result["Attributes"][name] = value
        return reply

    return shown


def own_resource_id(make):
    """RDS gives each instance an id of its own (Amazon RDS API Reference,
    DBInstance, DbiResourceId), by which the Terraform provider finds it; in moto
    all have the same."""

    def made(self, *args, **kwargs):
        make(self, *args, **kwargs)
        self.dbi_resource_id = "db-" + mock_random.get_random_string(length=26).upper()

    return made


def fill():
    DBInstance.__init__ = own_resource_id(DBInstance.__init__)
    SNSResponse.get_topic_attributes = whole_topic(SNSResponse.get_topic_attributes)
    Service.__init__ = steady(Service.__init__)
    ecs = EC2ContainerServiceResponse
    ecs.create_service = whole_service(ecs.create_service)
    Route53.create_hosted_zone = private_by_vpc(Route53.create_hosted_zone)
    Queue.redrive_allow_policy = None
    Queue.attributes = as_put(Queue.attributes.fget)
    Queue.BASE_ATTRIBUTES.append("RedriveAllowPolicy")
    Queue._set_attributes = queue_attributes(Queue._set_attributes)
    UsagePlan.apply_patch_operations = numbers(UsagePlan.apply_patch_operations)
    S3Response._bucket_response = bucket_response
    # S3 does not read the target's policy when logging is asked for: the logs
    # do not come (Amazon S3 User Guide, "Troubleshoot server access logging").
    FakeBucket._log_permissions_enabled_policy = staticmethod(lambda **_: True)
    # A bucket's log comes within hours (ib., "Best-effort server log delivery"),
    # not with the request that it is about: who empties the bucket would never
    # be done.
    S3Backend.log_incoming_request = lambda *_, **__: None
    backend = ElastiCacheBackend
    backend.delete_replication_group = gone(backend.delete_replication_group, "replication_groups", "replication_group_id")
    backend.delete_cache_cluster = gone(backend.delete_cache_cluster, "cache_clusters", "cache_cluster_id")
    ElastiCacheResponse.delete_cache_subnet_group = delete_cache_subnet_group
    ElastiCacheResponse.modify_cache_subnet_group = modify_cache_subnet_group
