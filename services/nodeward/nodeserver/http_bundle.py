"""Routes of the bundle's files: what lies here, no more runs, putting others in their place, starting anew what reads them.

Only the config server puts files here: whoever rolls out asks it, and it asks each node.
"""

import logging

from flask import Response, jsonify
from flask_openapi3 import OpenAPI

from nodeward.core.auth import OPERATOR, SERVICE
from nodeward.core.http import SECURITY, needs, principal
from nodeward.core.placing import Anew, Placing, Quiet
from nodeward.nodeserver.node import Node
from nodeward.nodeserver.place import drained
from nodeward.nodeserver.restarts import Restarts

log = logging.getLogger(__name__)


def mount(made: OpenAPI, node: Node) -> None:
    """Add the routes."""
    restarts = Restarts(node.place, node.settings.var)

    @made.get("/api/v1/bundle", summary="The files of this node's bundle, as they lie on its disk", security=SECURITY)
    @needs(OPERATOR)
    def look() -> Response:
        running = node.watch.current
        return jsonify(
            node=node.settings.node,
            running=running.revision if running else None,
            faults=node.standing().faults,
            programs=restarts.states(),
            **node.place.look(),
        )

    @made.put(
        "/api/v1/bundle/drain",
        summary="Take no new runs, since the node server is about to be started anew",
        description="It lasts while it is said again, and for some minutes at most. Where nothing would end the runs, nothing "
        "is done: `ends_runs` is false.",
        security=SECURITY,
    )
    @needs(SERVICE)
    def drain(body: Quiet) -> Response:
        return jsonify(drained(restarts, node.runs.drain, body))

    @made.delete("/api/v1/bundle/drain", summary="Take new runs again", security=SECURITY)
    @needs(SERVICE)
    def lift() -> Response:
        return jsonify(lifted=node.runs.drain.lift())

    @made.put(
        "/api/v1/bundle", summary="Put files in place, once their programs have looked at them", security=SECURITY
    )
    @needs(SERVICE)
    def put(body: Placing) -> Response:
        changed = node.place.put_checked(body.files, body.check)
        if changed and not body.check:
            log.info("%s put in place for %s", ", ".join(changed), principal().name)
        return jsonify(changed=changed)

    @made.post("/api/v1/bundle/programs", summary="Start anew the programs whose files changed", security=SECURITY)
    @needs(SERVICE)
    def programs(body: Anew) -> Response:
        return jsonify(restarts.carry_out(body.reload, body.check))
