"""Serves moto's state on loopback, and forks when told to.

A fork is a snapshot: the child holds the same state by copy-on-write, and
serves it on ports of its own. Every process of the family has

  - a port for requests, open to those who send the token in the header
    X-Whittle-Token (moto itself checks no credentials);
  - a port for control, where one line of JSON with the token asks for "fork"
    or "exit".

The family ends when the standard input, which all of it shares, is closed: it
cannot outlive the process that started it. The token comes in the first line
of the standard input, so that it is seen neither in the arguments nor in the
environment.
"""

import contextlib
import gc
import hmac
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
import warnings

try:
    import edge
    import gaps
    import kubernetes
    import lacking
    from moto import __version__ as moto_version
    from moto.autoscaling.responses import AutoScalingResponse
    from moto.core.responses import ActionResult
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.amis import AmiBackend
    from moto.ec2.models.launch_templates import LaunchTemplate
    from moto.ec2.models.transit_gateway_attachments import TransitGatewayVpcAttachment
    from moto.ec2.responses.account_attributes import AccountAttributes
    from moto.ec2.utils import parse_user_data
    from moto.iam.access_control import PermissionResult
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        create_backend_app,
    )
    from moto.s3.models import FakeBucket
    from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

except ImportError as missing:
    print(json.dumps({"error": "%s" % missing}), flush=True)
    sys.exit(3)


class Handler(WSGIRequestHandler):
    # One request a connection: no connection is open while nothing is asked,
    # and so none is inherited by a fork.
    protocol_version = "HTTP/1.0"

    def log(self, type, message, *args):
        pass


class Server(ThreadedWSGIServer):
    """Counts the threads at work, so that a fork can wait for none."""

    def __init__(self, app):
        self.idle = threading.Condition()
        self.at_work = 0
        super().__init__("127.0.0.1", 0, app, Handler)

    def process_request(self, request, client_address):
        with self.idle:
            self.at_work += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.idle:
                self.at_work -= 1
                self.idle.notify_all()


# Services of moto whose requests may wait for what another request brings, such
# as a message.
WAITING = {"sqs", "swf", "stepfunctions", "batch"}


class Dispatcher(DomainDispatcherApplication):
    """Chooses the service by the credential's scope alone, and serves one request
    at a time.

    moto's own dispatcher looks at some paths first: an object in S3 whose key
    begins with moto-api/reset would empty the whole account. Its state is not
    made for threads: who lists it while another adds to it gets an error.
    """

    def __init__(self, create_app):
        super().__init__(create_app)
        self.turn = threading.Lock()

    def __call__(self, environ, start_response):
        app, backend = self.choose(environ)
        with contextlib.nullcontext() if backend in WAITING else self.turn:
            return app(environ, start_response)

    def choose(self, environ):
        with self.lock:
            host = self.infer_service_region_host(environ, environ.get("PATH_INFO", ""))
            backend = host and self.get_backend_for_host(host)
            if not backend:
                raise LookupError("moto has no service for %s" % host)
            if backend not in self.app_instances:
                self.app_instances[backend] = self.create_app(backend)
            return self.app_instances[backend], backend


def same(shown, token):
    """Compares tokens. What was shown may be no text at all: "\\ud800"."""
    shown = str(shown).encode("utf-8", "surrogatepass")
    return hmac.compare_digest(shown, token.encode())


def answer(connection, line):
    """Answers an order. Who does not wait for it must not end this process."""
    try:
        connection.sendall(line)
    except OSError:
        pass


def protect():
    """Closes this process and its forks to others of the same user: on Linux
    they cannot read its memory, where the token and all state are. It does not
    bind root. Elsewhere, and where it is refused, nothing changes."""
    try:
        import ctypes

        pr_set_dumpable = 4
        ctypes.CDLL(None).prctl(pr_set_dumpable, *[ctypes.c_ulong(0)] * 4)
    except (ImportError, OSError, AttributeError):
        pass


def mend():
    """Puts right what moto does otherwise than AWS, for the whole family."""
    # moto applies a bucket's policy to everybody, whoever it names: it does not
    # know who asks. The gate does, and has applied it.
    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL

    # moto reads the user data of a launch template's first version, not of the
    # later ones, and then fails to launch instances by those. The tags of the
    # template itself it takes for a part of what it launches.
    create_version = LaunchTemplate.create_version

    def read_and_create(self, data, description):
        if isinstance(data.get("UserData"), (str, bytes)):
            data["UserData"] = parse_user_data(data["UserData"])
        tags = data.pop("TagSpecifications", [])
        tags = [t for t in tags if t.get("ResourceType") != "launch-template"]
        if tags:
            data["TagSpecifications"] = tags
        return create_version(self, data, description)

    LaunchTemplate.create_version = read_and_create
    AccountAttributes.describe_account_attributes = with_default_vpc(
        AccountAttributes.describe_account_attributes
    )
    AmiBackend.create_image = with_snapshot_tags(AmiBackend.create_image)
    AutoScalingResponse.put_scaling_policy = with_state(
        AutoScalingResponse.put_scaling_policy
    )
    mend_transit_gateways()


def with_state(put):
    """moto forgets whether a scaling policy is enabled, gives one that does not
    predict an empty configuration of predictions, and answers without its ARN."""

    def done(self):
        put(self)
        policy = self.autoscaling_backend.policies[self._get_param("PolicyName")]
        policy.enabled = self._get_bool_param("Enabled", True)
        policy.predictive_scaling_configuration = (
            policy.predictive_scaling_configuration or None
        )
        return ActionResult({"PolicyARN": policy.arn})

    return done


def mend_transit_gateways():
    """moto associates every attachment with the gateway's default route table,
    also where the gateway's options switch that off, shows that table as its
    association for ever, and cannot end it. A route's attachments, of which AWS
    lists several, are no list, and so not shown."""
    options = (
        ("DefaultRouteTableAssociation", "AssociationDefaultRouteTableId"),
        ("DefaultRouteTablePropagation", "PropagationDefaultRouteTableId"),
    )
    create_gateway = EC2Backend.create_transit_gateway
    create_attachment = EC2Backend.create_transit_gateway_vpc_attachment
    create_route = EC2Backend.create_transit_gateway_route

    def gateway(self, *args, **kwargs):
        made = create_gateway(self, *args, **kwargs)
        table = made.default_route_table
        for option, name in options:
            if made.options[option] == "disable":
                del made.options[name]
        association, propagation = (name in made.options for _, name in options)
        table.default_association_route_table = association
        table.default_propagation_route_table = propagation
        return made

    def attachment(self, *args, **kwargs):
        made = create_attachment(self, *args, **kwargs)
        gateway = self.transit_gateways[made.transit_gateway_id]
        self.unset_route_table_association(gateway.default_route_table.id, made.id)
        association, propagation = (gateway.options.get(name) for _, name in options)
        if association:
            self.associate_transit_gateway_route_table(made.id, association)
        if propagation:
            self.enable_transit_gateway_route_table_propagation(made.id, propagation)
        return made

    def route(self, *args, **kwargs):
        made = create_route(self, *args, **kwargs)
        if "transitGatewayAttachments" in made:
            made["transitGatewayAttachments"] = [made["transitGatewayAttachments"]]
        return made

    def association(self):
        data = self._association_data
        return data and {
            "State": data["state"],
            "TransitGatewayRouteTableId": data["transitGatewayRouteTableId"],
        }

    EC2Backend.create_transit_gateway = gateway
    EC2Backend.create_transit_gateway_vpc_attachment = attachment
    EC2Backend.create_transit_gateway_route = route
    TransitGatewayVpcAttachment.association = property(association)


class Gatekeeper:
    """Lets nobody but the holder of the token reach moto."""

    def __init__(self, app, token):
        self.app = app
        self.token = token

    def __call__(self, environ, start_response):
        if not same(environ.pop("HTTP_X_WHITTLE_TOKEN", ""), self.token):
            start_response("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        # The client spoke TLS to the service before this one: addresses that
        # moto makes from the request (a queue's URL) begin with https.
        environ["wsgi.url_scheme"] = "https"
        try:
            return self.app(environ, start_response)
        except NotImplementedError as lacking:
            return self.plainly("501 Not Implemented", lacking, start_response)
        except Exception as failed:
            traceback.print_exc()
            return self.plainly("500 Internal Server Error", failed, start_response)

    @staticmethod
    def plainly(status, why, start_response):
        """Answers with the cause, where the server would show a page for people
        that has none."""
        text = ("%s: %s" % (type(why).__name__, why)).encode("utf-8", "replace")
        start_response(
            status,
            [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))],
        )
        return [text]


class Host:
    def __init__(self, app, token):
        self.app = app
        self.token = token
        self.open()

    def open(self):
        """Takes ports and begins to serve."""
        self.server = Server(self.app)
        self.control = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 60}, daemon=True
        )
        self.thread.start()

    def announce(self):
        return {
            "pid": os.getpid(),
            "port": self.server.port,
            "control": self.control.getsockname()[1],
            "version": moto_version,
        }

    def run(self):
        """Obeys the control port until the standard input ends."""
        with selectors.DefaultSelector() as ready:
            ready.register(sys.stdin.fileno(), selectors.EVENT_READ)
            ready.register(self.control, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is not self.control:
                        if not os.read(sys.stdin.fileno(), 1):
                            os._exit(0)
                        continue
                    try:
                        connection, _ = self.control.accept()
                    except OSError:  # it has hung up
                        continue
                    if self.obey(connection):
                        return

    def obey(self, connection):
        """Does what one line asks for. True in a fork, which must serve anew."""
        with connection:
            connection.settimeout(10)
            try:
                order = json.loads(connection.makefile("rb").readline(4096))
                if not same(order["token"], self.token):
                    return False
                do = order.get("do")
            except Exception:  # whatever a stranger thinks of, such as [[[[…
                return False
            if do == "exit":
                answer(connection, b"{}\n")
                os._exit(0)
            if do != "fork":
                answer(connection, b'{"error": "unknown order"}\n')
                return False
            return self.fork(connection)

    def fork(self, connection):
        """Makes a process with the same state, and tells its ports."""
        told, tell = os.pipe()
        # No thread may hold a lock of moto's or the library's at the fork: it
        # would be held for ever in the child, where only this thread goes on.
        with self.server.idle:
            quiet = self.server.idle.wait_for(lambda: self.server.at_work == 0, 30)
            if not quiet:
                answer(connection, b'{"error": "requests are still at work"}\n')
                return False
            gc.collect()
            gc.freeze()  # the collector would else write to every shared page
            pid = os.fork()
        if pid == 0:
            os.close(told)
            self.server.socket.close()
            self.control.close()
            connection.close()
            self.open()
            with os.fdopen(tell, "w") as out:
                out.write(json.dumps(self.announce()) + "\n")
            return True
        os.close(tell)
        with os.fdopen(told) as lines:
            line = lines.readline()
        answer(connection, (line or '{"error": "the fork died"}\n').encode())
        return False


def with_default_vpc(describe):
    """Has DescribeAccountAttributes name the default VPC that the state holds:
    moto's says that there is none."""

    def described(self):
        answered = describe(self)
        for attribute in answered.result["AccountAttributes"]:
            if attribute["AttributeName"] == "default-vpc":
                held = [v.id for v in self.ec2_backend.vpcs.values() if v.is_default]
                attribute["AttributeValues"] = [{"AttributeValue": (held or ["none"])[0]}]
        return answered

    return described


def with_snapshot_tags(create):
    """Has CreateImage tag the snapshot as well, where moto fails."""

    def created(self, instance_id, name, description, tag_specifications):
        def of_snapshot(s):
            return s.get("ResourceType") == "snapshot"

        others = [s for s in tag_specifications if not of_snapshot(s)]
        ami = create(self, instance_id, name, description, others)
        for specification in filter(of_snapshot, tag_specifications):
            for tag in specification.get("Tags", []):
                ami.ebs_snapshot.add_tag(tag["Key"], tag["Value"])
        return ami

    return created


def main():
    protect()
    # A Ctrl-C at the terminal is for the process that started this one, which
    # then closes the standard input. Children that ended leave nothing behind.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Python 3.12 warns of forks of a process with threads; Host.fork sees to it.
    warnings.simplefilter("ignore", DeprecationWarning)
    token = bytearray()
    while not token.endswith(b"\n"):
        read = os.read(sys.stdin.fileno(), 1)
        if not read:
            return
        token += read
    mend()
    lacking.add()
    edge.add()
    kubernetes.add()
    gaps.fill()
    app = Dispatcher(create_backend_app)
    host = Host(Gatekeeper(app, token.decode().strip()), token.decode().strip())
    print(json.dumps(host.announce()), flush=True)
    while True:
        host.run()  # returns in a fork only, with new ports to obey


if __name__ == "__main__":
    main()
