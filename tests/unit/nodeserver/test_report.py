"""What goes to the monitor, as the monitor reads it."""

import pytest

from nodeward.core.results import Report
from nodeward.nodeserver.report import encoded, report


def _row(**more):
    return {
        "node": "web-1", "service": "disk", "code": 0, "output": "fine", "long_output": "", "perfdata": "", "started": 1,
        "duration": 0.1, "latency": 0.0, "next_check": 2, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ('49 °C \u2028 \U0001f600 "quoted" \\', '49 °C \u2028 \U0001f600 "quoted" \\'),
        ("/mnt/na\udce9ve: full", "/mnt/na\\xe9ve: full"),  # a path whose bytes are no UTF-8, as Python hands it out
        ("\ud800 alone", "\\xed\\xa0\\x80 alone"),
        ("a\0b", "a\0b"),
    ],
)
def test_whatever_a_check_says_the_monitor_can_read_it(said, read):
    body = report("web-1", 3, "1-abc", 0, [encoded(_row()), encoded(_row(output=said, service=None))], 5)
    taken = Report.model_validate_json(body)
    assert [one.output for one in taken.results] == ["fine", read]
    assert taken.results[1].service is None
