"""A monitor over real HTTP that takes reports and remembers them, and can be away, fail or refuse."""

import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request
from pydantic import ValidationError

from fakes.serving import Serving
from nodeward.core.results import Report, Result


class FakeMonitor(Serving):
    """Takes `POST /api/v1/results`. `reports` are all that came, `results` each result once, as a real monitor keeps them.

    `status` other than 200 is what every post is answered; `refuse(result)` true makes a report invalid (422).
    `wanted` is what every answer wants to be checked now. `between` runs when a report was kept and before it is answered.
    """

    def __init__(self, port: int = 0) -> None:
        self.reports: list[Report] = []
        self.results: list[Result] = []
        self.repeated = 0
        self.wanted: list[dict[str, Any]] = []
        self.status = 200
        self.refuse: Callable[[Result], bool] = lambda _: False
        self.between: Callable[[], None] = lambda: None
        self._cursors: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        super().__init__(self._app(), port)

    def of(self, service: str | None) -> list[Result]:
        """Return the results of one service."""
        return [result for result in list(self.results) if result.service == service]

    def wait_for(self, condition: Callable[[], Any], seconds: float = 90.0) -> Any:
        """Return what `condition` gives once that is true. Fail the test if it does not become so."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := condition():
                return found
            time.sleep(0.02)
        raise AssertionError(f"it did not happen within {seconds} s; there are {len(self.results)} results")

    def _app(self) -> Flask:
        app = Flask("fake-monitor")

        @app.post("/api/v1/results")
        def results() -> Response | tuple[Response, int]:
            if self.status != 200:
                return jsonify(detail="It is not well.", errors=[]), self.status
            try:
                report = Report.model_validate_json(request.get_data())
            except ValidationError as error:
                return jsonify(detail=str(error), errors=[]), 422
            if any(self.refuse(result) for result in report.results):
                return jsonify(detail="A result is not valid.", errors=[]), 422
            with self._lock:
                self._keep(report)
            self.between()
            return jsonify(accepted=len(report.results), repeated=0, wanted=self.wanted)

        return app

    def _keep(self, report: Report) -> None:
        key = report.reporter, report.generation
        seen = self._cursors.get(key, 0)
        fresh = report.results[max(0, seen - report.first) :]
        self.repeated += len(report.results) - len(fresh)
        self._cursors[key] = max(seen, report.first + len(report.results))
        self.results += fresh
        self.reports.append(report)
