"""What moto lacks of CloudFront: policies, origin access identities, functions,
monitoring subscriptions, and the parts of a distribution that it drops.

A configuration is kept in moto's own backend as it was put, with an id and an
ETag, and read back from there. What a deployer needs of the policies that AWS
manages is their names and ids; their configurations are not here.
"""

import copy
import random

from moto.cloudfront import models
from moto.cloudfront.exceptions import CloudFrontException, InvalidIfMatchVersion
from moto.cloudfront.responses import CloudFrontResponse
from moto.cloudfront.urls import url_paths
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

# Amazon CloudFront Developer Guide, "Use managed cache policies" and so on.
MANAGED = {
    "CachePolicy": {
        "Managed-Amplify": "2e54312d-136d-493c-8eb9-b001f22f67d2",
        "Managed-CachingDisabled": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        "Managed-CachingOptimized": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        "Managed-CachingOptimizedForUncompressedObjects": "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
        "Managed-Elemental-MediaPackage": "08627262-05a9-4f76-9ded-b50ca2e3a84f",
        "UseOriginCacheControlHeaders": "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
        "UseOriginCacheControlHeaders-QueryStrings": "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
    },
    "OriginRequestPolicy": {
        "Managed-AllViewer": "216adef6-5c7f-47e4-b989-5492eafa07d3",
        "Managed-AllViewerAndCloudFrontHeaders-2022-06": "33f36d7e-f396-46d9-90e0-52428a34d9dc",
        "Managed-AllViewerExceptHostHeader": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
        "Managed-CORS-CustomOrigin": "59781a5b-3903-41f3-afcb-af62929ccde1",
        "Managed-CORS-S3Origin": "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf",
        "Managed-Elemental-MediaTailor-PersonalizedManifests": "775133bc-15f2-49f9-abea-afb2e0bf67d2",
        "Managed-UserAgentRefererHeaders": "acba4595-bd28-49b8-b9fe-13317c0390fa",
    },
    "ResponseHeadersPolicy": {
        "Managed-CORS-and-SecurityHeadersPolicy": "e61eb60c-9c35-4d20-a928-2b84e02af89c",
        "Managed-CORS-With-Preflight": "5cc3b908-e619-4b99-88e5-2cf7f45965bd",
        "Managed-CORS-with-preflight-and-SecurityHeadersPolicy": "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
        "Managed-SecurityHeadersPolicy": "67f7725c-6f97-4210-82d7-5512b31e9d03",
        "Managed-SimpleCORS": "60669652-455b-4ae9-85a4-c4c02393f86c",
    },
}

# The parts of the state that are kept here, by the name of their kind.
KEPT = "whittle_documents"


def kept(self, kind):
    held = self.backend.__dict__.setdefault(KEPT, {})
    if kind not in held:
        held[kind] = {}
        for name, id in MANAGED.get(kind, {}).items():
            held[kind][id] = {
                "Id": id,
                "LastModifiedTime": utcnow(),
                "ETag": tag(),
                "Managed": True,
                kind + "Config": {"Name": name},
            }
    return held[kind]


def tag():
    return "E" + "".join(random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=13))


def missing(code, kind):
    return CloudFrontException(code, "The specified %s does not exist." % kind)


def found(self, kind, code, id):
    held = kept(self, kind)
    if id not in held:
        raise missing(code, kind)
    return held[id]


def match(self, document):
    if self._get_param("IfMatch") != document["ETag"]:
        raise InvalidIfMatchVersion()


def documents(kind, code):
    """The operations on what is a configuration with an id."""
    config = kind + "Config"

    def shown(document):
        return {k: v for k, v in document.items() if k not in ("ETag", "Managed")}

    def result(document):
        return ActionResult({kind: shown(document), "ETag": document["ETag"]})

    def create(self):
        put = self._get_param(config)
        held = kept(self, kind)
        for other in held.values():
            for key in ("Name", "CallerReference"):
                if key in put and other[config].get(key) == put[key]:
                    raise CloudFrontException(kind + "AlreadyExists", "There is one with this %s." % key)
        document = {"Id": models.random_id(), "ETag": tag(), "LastModifiedTime": utcnow(), config: put}
        if kind == "CloudFrontOriginAccessIdentity":
            document["S3CanonicalUserId"] = "%096x" % random.getrandbits(384)
        held[document["Id"]] = document
        return result(document)

    def get(self):
        return result(found(self, kind, code, self._get_param("Id")))

    def get_config(self):
        document = found(self, kind, code, self._get_param("Id"))
        return ActionResult({config: document[config], "ETag": document["ETag"]})

    def update(self):
        document = found(self, kind, code, self._get_param("Id"))
        match(self, document)
        if "Managed" in document:
            raise CloudFrontException("IllegalUpdate", "A managed policy cannot be updated.")
        document.update({config: self._get_param(config), "ETag": tag(), "LastModifiedTime": utcnow()})
        return result(document)

    def delete(self):
        document = found(self, kind, code, self._get_param("Id"))
        match(self, document)
        if "Managed" in document:
            raise CloudFrontException("IllegalDelete", "A managed policy cannot be deleted.")
        del kept(self, kind)[document["Id"]]
        return EmptyResult()

    def all(self):
        of = self._get_param("Type")
        items = []
        for document in kept(self, kind).values():
            if kind == "CloudFrontOriginAccessIdentity":
                items.append({**document, **document[config]})
                continue
            managed = "managed" if "Managed" in document else "custom"
            if of in (None, managed):
                items.append({"Type": managed, kind: shown(document)})
        return ActionResult(
            {
                PLURALS[kind][1]: {
                    "Marker": "",
                    "IsTruncated": False,
                    "MaxItems": 100,
                    "Quantity": len(items),
                    "Items": items,
                }
            }
        )

    name = SNAKES[kind]
    return {
        "create_" + name: create,
        "get_" + name: get,
        "get_%s_config" % name: get_config,
        "update_" + name: update,
        "delete_" + name: delete,
        PLURALS[kind][0]: all,
    }


SNAKES = {
    "CachePolicy": "cache_policy",
    "CloudFrontOriginAccessIdentity": "cloud_front_origin_access_identity",
    "OriginRequestPolicy": "origin_request_policy",
    "ResponseHeadersPolicy": "response_headers_policy",
}
PLURALS = {
    "CachePolicy": ("list_cache_policies", "CachePolicyList"),
    "CloudFrontOriginAccessIdentity": (
        "list_cloud_front_origin_access_identities",
        "CloudFrontOriginAccessIdentityList",
    ),
    "OriginRequestPolicy": ("list_origin_request_policies", "OriginRequestPolicyList"),
    "ResponseHeadersPolicy": ("list_response_headers_policies", "ResponseHeadersPolicyList"),
}


# Functions. A function has a stage of development, and of live once it is
# published.


def function(self):
    return found(self, "Function", "NoSuchFunctionExists", self._get_param("Name"))


def stage(self, wanted=None):
    stages = function(self)
    wanted = wanted or self._get_param("Stage") or "DEVELOPMENT"
    if wanted not in stages:
        raise missing("NoSuchFunctionExists", "Function")
    return stages[wanted]


def summary(f):
    return {k: v for k, v in f.items() if k not in ("ETag", "FunctionCode")}


def put_function(self, name, created):
    f = {
        "Name": name,
        "Status": "UNPUBLISHED",
        "FunctionConfig": self._get_param("FunctionConfig"),
        "FunctionMetadata": {
            "FunctionARN": "arn:%s:cloudfront::%s:function/%s" % (self.partition, self.current_account, name),
            "Stage": "DEVELOPMENT",
            "CreatedTime": created,
            "LastModifiedTime": utcnow(),
        },
        "FunctionCode": self._get_param("FunctionCode"),
        "ETag": tag(),
    }
    kept(self, "Function").setdefault(name, {})["DEVELOPMENT"] = f
    return ActionResult({"FunctionSummary": summary(f), "ETag": f["ETag"]})


def create_function(self):
    name = self._get_param("Name")
    if name in kept(self, "Function"):
        raise CloudFrontException("FunctionAlreadyExists", "There is a function with this name.")
    return put_function(self, name, utcnow())


def describe_function(self):
    f = stage(self)
    return ActionResult({"FunctionSummary": summary(f), "ETag": f["ETag"]})


def get_function(self):
    f = stage(self)
    return ActionResult(
        {"FunctionCode": f["FunctionCode"], "ETag": f["ETag"], "ContentType": "application/octet-stream"}
    )


def update_function(self):
    f = stage(self, "DEVELOPMENT")
    match(self, f)
    return put_function(self, f["Name"], f["FunctionMetadata"]["CreatedTime"])


def publish_function(self):
    f = stage(self, "DEVELOPMENT")
    match(self, f)
    live = copy.deepcopy(f)
    live.update({"Status": "DEPLOYED", "ETag": tag()})
    live["FunctionMetadata"]["Stage"] = "LIVE"
    f["Status"] = "DEPLOYED"
    function(self)["LIVE"] = live
    return ActionResult({"FunctionSummary": summary(live)})


def delete_function(self):
    match(self, stage(self, "DEVELOPMENT"))
    del kept(self, "Function")[self._get_param("Name")]
    return EmptyResult()


def list_functions(self):
    of = self._get_param("Stage")
    items = [
        summary(f)
        for stages in kept(self, "Function").values()
        for at, f in stages.items()
        if of in (None, at)
    ]
    return ActionResult({"FunctionList": {"MaxItems": 100, "Quantity": len(items), "Items": items}})


# A distribution's subscription to more metrics.


def subscription(self):
    id = self._get_param("DistributionId")
    self.backend.get_distribution(id)
    return kept(self, "MonitoringSubscription"), id


def create_monitoring_subscription(self):
    held, id = subscription(self)
    held[id] = self._get_param("MonitoringSubscription")
    return ActionResult({"MonitoringSubscription": held[id]})


def get_monitoring_subscription(self):
    held, id = subscription(self)
    if id not in held:
        raise missing("NoSuchMonitoringSubscription", "monitoring subscription")
    return ActionResult({"MonitoringSubscription": held[id]})


def delete_monitoring_subscription(self):
    held, id = subscription(self)
    if held.pop(id, None) is None:
        raise missing("NoSuchMonitoringSubscription", "monitoring subscription")
    return EmptyResult()


FUNCTIONS = (
    create_function,
    describe_function,
    get_function,
    update_function,
    publish_function,
    delete_function,
    list_functions,
    create_monitoring_subscription,
    get_monitoring_subscription,
    delete_monitoring_subscription,
)
PATHS = (
    "cache-policy$",
    "cache-policy/(?P<id>[^/]+)$",
    "cache-policy/(?P<id>[^/]+)/config$",
    "origin-request-policy$",
    "origin-request-policy/(?P<id>[^/]+)$",
    "origin-request-policy/(?P<id>[^/]+)/config$",
    "response-headers-policy$",
    "response-headers-policy/(?P<id>[^/]+)$",
    "response-headers-policy/(?P<id>[^/]+)/config$",
    "origin-access-identity/cloudfront$",
    "origin-access-identity/cloudfront/(?P<id>[^/]+)$",
    "origin-access-identity/cloudfront/(?P<id>[^/]+)/config$",
    "function$",
    "function/(?P<id>[^/]+)$",
    "function/(?P<id>[^/]+)/describe$",
    "function/(?P<id>[^/]+)/publish$",
    "distributions/(?P<id>[^/]+)/monitoring-subscription$",
)


def as_put(init):
    """Keeps all that a part of a distribution is told: moto drops functions,
    origin access controls and more, and Terraform would put them each time."""

    def made(self, config):
        given = copy.deepcopy(config)
        init(self, config)
        for name, value in given.items():
            if value is not None:
                setattr(self, name, value)
        if "CachePolicyId" in given and "ForwardedValues" not in given:
            self.forwarded_values = None
        if "ACMCertificateArn" in given or "IAMCertificateId" in given:
            self.cloud_front_default_certificate = False

    return made


def add():
    operations = {f.__name__: f for f in FUNCTIONS}
    for kind, code in (
        ("CachePolicy", "NoSuchCachePolicy"),
        ("OriginRequestPolicy", "NoSuchOriginRequestPolicy"),
        ("ResponseHeadersPolicy", "NoSuchResponseHeadersPolicy"),
        ("CloudFrontOriginAccessIdentity", "NoSuchCloudFrontOriginAccessIdentity"),
    ):
        operations.update(documents(kind, code))
    for name, operation in operations.items():
        if not hasattr(CloudFrontResponse, name):
            setattr(CloudFrontResponse, name, operation)
    for path in PATHS:
        url_paths.setdefault("{0}/2020-05-31/" + path, CloudFrontResponse.dispatch)
    for part in (models.Origin, models.CacheBehaviour, models.DefaultCacheBehaviour, models.ViewerCertificate):
        part.__init__ = as_put(part.__init__)
