"""How script/test runs pytest, and what it says at the end."""

import collections
import os
import subprocess
from xml.etree import ElementTree

import bootstrap

# In this order. What measures times wants the machine for itself; what waits for browsers and containers goes two files at a
# time, since each file starts its own servers once.
PARTS = (
    ("-n", "2", "--dist", "worksteal", "-m", "not (alone or browser or docker)"),
    ("-n", "2", "--dist", "loadfile", "-m", "(browser or docker) and not alone"),
    ("-m", "alone"),
)
NO_TESTS = 5


def run(arguments, report):
    """Run the parts, one after the other; with arguments, pytest once with those. Return the exit code.

    `report` is the path of a report, with a place for its number.
    """
    runs = [arguments] if arguments else PARTS
    reports = [report.format(number) for number in range(len(runs))]
    codes = [pytest(run, path) for run, path in zip(runs, reports, strict=True)]
    print(summary(reports))
    return max(codes)


def pytest(arguments, report):
    """Run pytest, with the programs of .venv first on PATH. Return its exit code, 0 where it found nothing to run."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("NODEWARD_") or name in ("NODEWARD_REQUIRE", "NODEWARD_LOGHUB", "NODEWARD_TEST_MONGODB")
    }  # a person's own settings are not the tests'
    folder = os.path.dirname(bootstrap.PYTHON)
    environment["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
    command = [bootstrap.PYTHON, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
    code = subprocess.call(command, cwd=bootstrap.ROOT, env=environment)
    return 0 if code == NO_TESTS else code


def summary(reports):
    """Given pytest's reports, say how many tests ran and what could not run here, with the reasons."""
    cases = [case for path in reports if os.path.exists(path) for case in ElementTree.parse(path).iter("testcase")]
    reasons = collections.Counter(skip.get("message") for case in cases for skip in case.iter("skipped"))
    lines = [f"\n{len(cases) - sum(reasons.values())} tests ran."]
    if reasons:
        lines.append("Could not run on this machine:")
        lines += [f"  {count:4} tests: {reason}" for reason, count in reasons.most_common()]
    return "\n".join(lines)
