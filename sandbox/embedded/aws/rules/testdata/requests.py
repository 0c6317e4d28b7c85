"""Prints the requests that botocore's clients make, every parameter filled.

    python3 requests.py SERVICE...

One line of JSON for each operation, and for each protocol that the service
speaks: what a server would get. Nothing is sent.
"""

import base64
import datetime
import json
import sys

import botocore.awsrequest
import botocore.config
import botocore.session

ACCOUNT = "111122223333"
ARN = "arn:aws:iam::%s:role/sample" % ACCOUNT

# Services that choose the endpoint by an ARN want one of their own.
OWN = {"kinesis": "arn:aws:kinesis:us-east-1:%s:stream/sample" % ACCOUNT}

# Parameters that make a signature of version 4A, which botocore has no code for.
LEFT_OUT = {("events", "PutEvents"): "EndpointId"}


def fill(shape, name, above=()):
    """A value of the shape; None where it would go on for ever."""
    kind = shape.type_name
    if shape.name in above or len(above) > 12:
        return None
    above = above + (shape.name,) if kind in ("structure", "list", "map") else above
    if kind == "structure":
        if shape.is_document_type:
            return {"sample": "sample"}
        out = {}
        for key, member in shape.members.items():
            value = fill(member, key, above)
            if value is not None:
                out[key] = value
                if shape.is_tagged_union:
                    break
        return out
    if kind == "list":
        one = fill(shape.member, name, above)
        return None if one is None else [one]
    if kind == "map":
        key = fill(shape.key, "key", above)
        value = fill(shape.value, name, above)
        return None if value is None else {key: value}
    if kind == "string":
        if name.lower().endswith("arn") or name.lower().endswith("arns"):
            return ARN
        return shape.enum[0] if shape.enum else "sample"
    if kind == "blob":
        return b"x"
    if kind == "timestamp":
        return datetime.datetime(2023, 11, 14, tzinfo=datetime.timezone.utc)
    if kind == "boolean":
        return True
    if kind in ("float", "double"):
        return 1.5
    return 1


def own(value, arn):
    """The value with the service's own ARN, if there is one, for ARN."""
    if isinstance(value, dict) and arn:
        return {k: own(v, arn) for k, v in value.items()}
    return arn if arn and value == ARN else value


class Captured(Exception):
    pass


def requests(service):
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    model = loader.load_service_model(service, "service-2")
    metadata = model["metadata"]
    for protocol in metadata.get("protocols") or [metadata["protocol"]]:
        metadata["protocol"], metadata["protocols"] = protocol, [protocol]
        client = session.create_client(
            service,
            region_name="us-east-1",
            aws_access_key_id="AKIAEXAMPLE",
            aws_secret_access_key="example",
            config=botocore.config.Config(
                parameter_validation=False,
                account_id_endpoint_mode="disabled",
                retries={"total_max_attempts": 1},
            ),
        )
        got = []

        def capture(request, **_):
            got.append(request)
            raise Captured()

        client.meta.events.register("before-send", capture)
        names = {v: k for k, v in client.meta.method_to_api_mapping.items()}
        for operation in client.meta.service_model.operation_names:
            shape = client.meta.service_model.operation_model(operation).input_shape
            params = fill(shape, operation) if shape else {}
            params.pop(LEFT_OUT.get((service, operation)), None)
            params = own(params, OWN.get(service))
            line = {"service": service, "protocol": protocol, "operation": operation}
            del got[:]
            try:
                getattr(client, names[operation])(**params)
            except Captured:
                request = got[0]
                body = request.body or b""
                if hasattr(body, "read"):
                    body = body.read()
                if isinstance(body, str):
                    body = body.encode()
                line["method"] = request.method
                line["url"] = request.url
                line["header"] = {
                    k: v.decode() if isinstance(v, bytes) else v
                    for k, v in request.headers.items()
                }
                line["body"] = base64.b64encode(body).decode()
            except Exception as wrong:  # it wants what fill cannot make
                line["error"] = "%s: %s" % (type(wrong).__name__, wrong)
            yield line


for name in sys.argv[1:]:
    for line in requests(name):
        print(json.dumps(line))
