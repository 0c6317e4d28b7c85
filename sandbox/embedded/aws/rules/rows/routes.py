"""Writes the .routes files: how a REST service's requests tell the operation.

    python3 routes.py FILE=SERVICE...

FILE is the name of the table, SERVICE botocore's name of the API, whose model
is read. The notation is that of the tables' "!route" lines.
"""

import sys

import botocore
import botocore.session

for word in sys.argv[1:]:
    table, _, service = word.partition("=")
    model = botocore.session.get_session().get_service_model(service)
    with open(table + ".routes", "w") as out:
        out.write("# Written by routes.py from botocore's model of %s, version %s.\n" % (service, model.api_version))
        for operation in model.operation_names:
            o = model.operation_model(operation)
            target = o.http["requestUri"]
            if len(target) > 1 and "?" not in target:
                target = target.rstrip("/")
            members = o.input_shape.members.items() if o.input_shape else ()
            # A map without a name stands for any parameters.
            query = [
                m.serialization.get("name") or ("*" if m.type_name == "map" else name)
                for name, m in members
                if m.serialization.get("location") == "querystring"
            ]
            required = {q.split("=")[0] for q in target.partition("?")[2].split("&")}
            query = sorted(q for q in query if q not in required)
            if query:
                target += "[%s]" % ",".join(query)
            out.write("!route %s %s %s\n" % (operation, o.http["method"], target))
