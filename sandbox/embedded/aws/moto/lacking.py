"""Operations that moto lacks and that deployers cannot do without.

Each keeps and reads moto's own state: nothing is answered that was not done.
"""

import json
import secrets
import uuid
from urllib.parse import unquote

from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.cognitoidp.exceptions import ResourceNotFoundError
from moto.cognitoidp.responses import CognitoIdpResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.responses import EC2Response
from moto.iam.exceptions import NotFoundException
from moto.iam.responses import IamResponse
from moto.logs.exceptions import ResourceNotFoundException as NoSuchQuery
from moto.logs.responses import LogsResponse
from moto.sns.responses import SNSResponse
from moto.stepfunctions.responses import StepFunctionResponse


def add():
    """Gives moto's classes the operations below, which are named as moto names
    them. An operation that moto has stays moto's."""
    for kind, operations in (
        (ApiGatewayV2Response, STAGES),
        (ApplicationAutoScalingResponse, TARGET_TAGS),
        (AutoScalingResponse, GROUPS),
        (CloudWatchResponse, ALARMS),
        (CognitoIdpResponse, POOLS),
        (IamResponse, USERS + PROVIDERS),
        (LogsResponse, QUERIES),
        (SNSResponse, TOPICS),
        (StepFunctionResponse, MACHINES),
    ):
        for operation in operations:
            if not hasattr(kind, operation.__name__):
                setattr(kind, operation.__name__, operation)
    EC2Response.monitor_instances = monitoring("enabled")
    EC2Response.unmonitor_instances = monitoring("disabled")
    register = ApplicationAutoScalingResponse.register_scalable_target

    def register_scalable_target(self):
        reply = register(self)
        given = self._get_param("Tags")
        if given:
            tags_of(target(self, json.loads(reply)["ScalableTargetARN"])).update(given)
        return reply

    ApplicationAutoScalingResponse.register_scalable_target = register_scalable_target


# Application Auto Scaling: the tags of a scalable target.


def target(self, arn):
    for by_id in self.applicationautoscaling_backend.targets.values():
        for found in by_id.values():
            if found.arn == arn:
                return found
    raise JsonRESTError("ResourceNotFoundException", "no scalable target " + str(arn))


def tags_of(kept):
    if not hasattr(kept, "kept_tags"):
        kept.kept_tags = {}
    return kept.kept_tags


def tag_target(self):
    tags_of(target(self, self._get_param("ResourceARN"))).update(self._get_param("Tags"))
    return "{}"


def untag_target(self):
    tags = tags_of(target(self, self._get_param("ResourceARN")))
    for key in self._get_param("TagKeys"):
        tags.pop(key, None)
    return "{}"


def list_target_tags(self):
    return json.dumps({"Tags": tags_of(target(self, self._get_param("ResourceARN")))})


tag_target.__name__ = "tag_resource"
untag_target.__name__ = "untag_resource"
list_target_tags.__name__ = "list_tags_for_resource"
TARGET_TAGS = (tag_target, untag_target, list_target_tags)


# EC2: detailed monitoring, which moto names and does not do.


def monitoring(state):
    def operation(self):
        ids = self._get_param("InstanceIds", [])
        instances = self.ec2_backend.get_multi_instances_by_id(ids)
        for instance in instances:
            instance.monitoring_state = state
        found = [{"InstanceId": i.id, "Monitoring": i.monitoring} for i in instances]
        return ActionResult({"InstanceMonitorings": found})

    return operation


# EC2 Auto Scaling: notifications, metrics and instance refreshes of a group.


def group(self):
    name = self._get_param("AutoScalingGroupName")
    found = self.autoscaling_backend.autoscaling_groups.get(name)
    if found is None:
        raise AutoscalingClientError(
            "ValidationError", "AutoScalingGroup name not found - no group '%s'" % name
        )
    for kept, empty in (("notifications", {}), ("refreshes", [])):
        if not hasattr(found, kept):
            setattr(found, kept, empty)
    return found


def put_notification_configuration(self):
    types = self._get_param("NotificationTypes", [])
    group(self).notifications[self._get_param("TopicARN")] = types
    return EmptyResult()


def delete_notification_configuration(self):
    group(self).notifications.pop(self._get_param("TopicARN"), None)
    return EmptyResult()


def describe_notification_configurations(self):
    names = self._get_param("AutoScalingGroupNames", [])
    found = [
        {"AutoScalingGroupName": name, "TopicARN": topic, "NotificationType": kind}
        for name, g in self.autoscaling_backend.autoscaling_groups.items()
        if name in names or not names
        for topic, types in getattr(g, "notifications", {}).items()
        for kind in types
    ]
    return ActionResult({"NotificationConfigurations": found})


def disable_metrics_collection(self):
    g, metrics = group(self), self._get_param("Metrics", [])
    g.metrics = [m for m in g.metrics if metrics and m not in metrics]
    return EmptyResult()


def start_instance_refresh(self):
    """Replaces every instance. It is over when it is answered, as all that moto
    does to instances."""
    g = group(self)
    for state in list(g.instance_states):
        self.autoscaling_backend.terminate_instance(state.instance.id, False)
    now = utcnow()
    g.refreshes.insert(
        0,
        {
            "InstanceRefreshId": str(uuid.uuid4()),
            "AutoScalingGroupName": g.name,
            "Status": "Successful",
            "StartTime": now,
            "EndTime": now,
            "PercentageComplete": 100,
            "InstancesToUpdate": 0,
            "Preferences": self._get_param("Preferences", {}),
        },
    )
    return ActionResult({"InstanceRefreshId": g.refreshes[0]["InstanceRefreshId"]})


def describe_instance_refreshes(self):
    ids = self._get_param("InstanceRefreshIds", [])
    found = [r for r in group(self).refreshes if not ids or r["InstanceRefreshId"] in ids]
    return ActionResult({"InstanceRefreshes": found})


def cancel_instance_refresh(self):
    raise AutoscalingClientError(
        "ActiveInstanceRefreshNotFound",
        "No in progress or pending Instance Refresh found for " + group(self).name,
    )


GROUPS = (
    put_notification_configuration,
    delete_notification_configuration,
    describe_notification_configurations,
    disable_metrics_collection,
    start_instance_refresh,
    describe_instance_refreshes,
    cancel_instance_refresh,
)


# Cognito: the tags of a user pool, and its resource servers' later life.


def pool_tags(self):
    arn = self._get_param("ResourceArn")
    for pool in self.backend.user_pools.values():
        if pool.arn == arn:
            return pool.extended_config.setdefault("UserPoolTags", {})
    raise ResourceNotFoundError("User pool %s does not exist." % arn)


def tag_resource(self):
    pool_tags(self).update(self._get_param("Tags"))
    return EmptyResult()


def untag_resource(self):
    tags = pool_tags(self)
    for key in self._get_param("TagKeys"):
        tags.pop(key, None)
    return EmptyResult()


def list_tags_for_resource(self):
    return ActionResult({"Tags": pool_tags(self)})


def resource_server(self):
    return self.backend.describe_resource_server(
        self._get_param("UserPoolId"), self._get_param("Identifier")
    )


def update_resource_server(self):
    server = resource_server(self)
    server.name, server.scopes = self._get_param("Name"), self._get_param("Scopes")
    return ActionResult({"ResourceServer": server.to_json()})


def delete_resource_server(self):
    server = resource_server(self)
    pool = self.backend.user_pools[self._get_param("UserPoolId")]
    del pool.resource_servers[server.identifier]
    return EmptyResult()


POOLS = (
    tag_resource,
    untag_resource,
    list_tags_for_resource,
    update_resource_server,
    delete_resource_server,
)


# Step Functions: a machine's versions, and what Terraform asks of each
# definition when it plans.


def machine(self, arn):
    return self.stepfunction_backend.describe_state_machine(arn)


def list_state_machine_versions(self):
    versions = machine(self, self._get_param("stateMachineArn")).versions
    found = [
        {"stateMachineVersionArn": v.arn, "creationDate": v.creation_date}
        for _, v in sorted(versions.items(), reverse=True)
    ]
    return ActionResult({"stateMachineVersions": found})


def publish_state_machine_version(self):
    of = machine(self, self._get_param("stateMachineArn"))
    of.publish(self._get_param("description"))
    v = of.latest_version
    return ActionResult(
        {"stateMachineVersionArn": v.arn, "creationDate": v.creation_date}
    )


def delete_state_machine_version(self):
    arn, _, number = self._get_param("stateMachineVersionArn").rpartition(":")
    of = machine(self, arn)
    gone = of.versions.pop(int(number), None)
    if gone is not None and gone is of.latest_version:
        of.latest_version = of.versions[max(of.versions)] if of.versions else None
    return EmptyResult()


def validate_state_machine_definition(self):
    """Says whether the definition is JSON whose first state is among its states,
    which is less than the service looks at."""
    problem = None
    try:
        definition = json.loads(self._get_param("definition"))
        if definition["StartAt"] not in definition["States"]:
            problem = "MISSING_TRANSITION_TARGET", "StartAt names no state"
    except ValueError as wrong:
        problem = "INVALID_JSON_DESCRIPTION", str(wrong)
    except (KeyError, TypeError):
        problem = "SCHEMA_VALIDATION_FAILED", "StartAt and States are required"
    found = []
    if problem:
        found.append({"severity": "ERROR", "code": problem[0], "message": problem[1]})
    return ActionResult(
        {"result": "FAIL" if found else "OK", "diagnostics": found, "truncated": False}
    )


MACHINES = (
    list_state_machine_versions,
    publish_state_machine_version,
    delete_state_machine_version,
    validate_state_machine_definition,
)


# IAM: a user's credentials for one service. Terraform lists them before it
# deletes a user by force.


def credentials(self):
    user = self.backend.get_user(self._get_param("UserName"))
    if not hasattr(user, "service_credentials"):
        user.service_credentials = {}
    return user, user.service_credentials


def credential(self):
    _, kept = credentials(self)
    id = self._get_param("ServiceSpecificCredentialId")
    if id not in kept:
        raise NotFoundException("Service Specific Credential %s not found." % id)
    return kept, id


def shown(credential, *secret):
    return {k: v for k, v in credential.items() if k != "ServicePassword" or k in secret}


def create_service_specific_credential(self):
    user, kept = credentials(self)
    id = "ACCA" + secrets.token_hex(8).upper()
    kept[id] = {
        "ServiceSpecificCredentialId": id,
        "UserName": user.name,
        "ServiceName": self._get_param("ServiceName"),
        "ServiceUserName": "%s-at-%s" % (user.name, user.account_id),
        "ServicePassword": secrets.token_urlsafe(32),
        "Status": "Active",
        "CreateDate": utcnow(),
    }
    return ActionResult({"ServiceSpecificCredential": shown(kept[id], "ServicePassword")})


def list_service_specific_credentials(self):
    _, kept = credentials(self)
    service = self._get_param("ServiceName")
    found = [shown(c) for c in kept.values() if service in (None, c["ServiceName"])]
    return ActionResult({"ServiceSpecificCredentials": found})


def update_service_specific_credential(self):
    kept, id = credential(self)
    kept[id]["Status"] = self._get_param("Status")
    return EmptyResult()


def reset_service_specific_credential(self):
    kept, id = credential(self)
    kept[id]["ServicePassword"] = secrets.token_urlsafe(32)
    return ActionResult({"ServiceSpecificCredential": shown(kept[id], "ServicePassword")})


def delete_service_specific_credential(self):
    kept, id = credential(self)
    del kept[id]
    return EmptyResult()


USERS = (
    create_service_specific_credential,
    list_service_specific_credentials,
    update_service_specific_credential,
    reset_service_specific_credential,
    delete_service_specific_credential,
)


# SNS: a topic's data protection policy.


def topic(self):
    return self.backend.get_topic(self._get_param("ResourceArn"))


def put_data_protection_policy(self):
    topic(self).data_protection_policy = self._get_param("DataProtectionPolicy")
    return EmptyResult()


def get_data_protection_policy(self):
    policy = getattr(topic(self), "data_protection_policy", "")
    return ActionResult({"DataProtectionPolicy": policy})


TOPICS = (put_data_protection_policy, get_data_protection_policy)


# API Gateway v2: changes of a stage.


def update_stage(self):
    api, _, name = self.path.split("/")[-3:]
    stage = self.apigatewayv2_backend.get_stage(api, unquote(name))
    put = json.loads(self.body)
    for key, name in (
        ("accessLogSettings", "access_log_settings"),
        ("autoDeploy", "auto_deploy"),
        ("clientCertificateId", "client_certificate_id"),
        ("defaultRouteSettings", "default_route_settings"),
        ("description", "description"),
        ("routeSettings", "route_settings"),
        ("stageVariables", "stage_variables"),
    ):
        if key in put:
            setattr(stage, name, put[key])
    stage.updated = utcnow()
    return 200, {}, json.dumps(stage.to_json())


STAGES = (update_stage,)


# CloudWatch: composite alarms, which moto's other operations know.


def put_composite_alarm(self):
    return self.put_metric_alarm()


ALARMS = (put_composite_alarm,)


# IAM: the clients of an OpenID Connect provider.


def clients(self):
    arn = self._get_param("OpenIDConnectProviderArn")
    return self.backend.get_open_id_connect_provider(arn).client_id_list


def add_client_id_to_open_id_connect_provider(self):
    held, id = clients(self), self._get_param("ClientID")
    if id not in held:
        held.append(id)
    return EmptyResult()


def remove_client_id_from_open_id_connect_provider(self):
    held, id = clients(self), self._get_param("ClientID")
    if id in held:
        held.remove(id)
    return EmptyResult()


PROVIDERS = (
    add_client_id_to_open_id_connect_provider,
    remove_client_id_from_open_id_connect_provider,
)


# CloudWatch Logs: the definitions of queries.


def queries(self):
    return self.logs_backend.__dict__.setdefault("kept_queries", {})


def put_query_definition(self):
    id = self._get_param("queryDefinitionId") or str(uuid.uuid4())
    queries(self)[id] = {
        "queryDefinitionId": id,
        "name": self._get_param("name"),
        "queryString": self._get_param("queryString"),
        "logGroupNames": self._get_param("logGroupNames") or [],
        "lastModified": int(utcnow().timestamp() * 1000),
    }
    return json.dumps({"queryDefinitionId": id})


def describe_query_definitions(self):
    prefix = self._get_param("queryDefinitionNamePrefix") or ""
    found = [q for q in queries(self).values() if q["name"].startswith(prefix)]
    return json.dumps({"queryDefinitions": found})


def delete_query_definition(self):
    if queries(self).pop(self._get_param("queryDefinitionId"), None) is None:
        raise NoSuchQuery()
    return json.dumps({"success": True})


QUERIES = (put_query_definition, describe_query_definitions, delete_query_definition)
