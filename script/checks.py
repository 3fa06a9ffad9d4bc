"""What script/check asks and script/fix mends."""

import os
import subprocess

import bootstrap

BIN = os.path.dirname(bootstrap.PYTHON)
RUFF = os.path.join(BIN, "ruff")
NPM_RUN = ["npm", "--prefix", "web", "run", "--silent"]

CHECKS = (
    ("format", [RUFF, "format", "--check", "."]),
    ("lint", [RUFF, "check", "."]),
    ("types", [os.path.join(BIN, "mypy"), "services", "web"]),
    ("layers", [os.path.join(BIN, "lint-imports")]),
    ("web pages", [*NPM_RUN, "check"]),
)
FIXES = (
    ("lint", [RUFF, "check", "--fix", "--exit-zero", "."]),
    ("format", [RUFF, "format", "."]),
    ("web pages", [*NPM_RUN, "fix"]),
)
# Two source roots make one namespace package: an __init__.py in either would hide the other.
NAMESPACE_ROOTS = ("services/nodeward", "web/nodeward")


def prepare():
    """Install the tools, and the web pages' packages with them."""
    bootstrap.environment("requirements-dev.lock")
    bootstrap.assets()
    bootstrap.put_on_path(bootstrap.node_folder())


def failures(steps):
    """Run each step, whatever the ones before said. Return the names of those that failed."""
    return [name for name, command in steps if not passes(name, command)]


def passes(name, command):
    """Run one step. Return whether it went well."""
    print(f"== {name}", flush=True)
    return subprocess.call(command, cwd=bootstrap.ROOT) == 0


def strays():
    """Say which files break the namespace package, and return them."""
    candidates = [os.path.join(root, "__init__.py") for root in NAMESPACE_ROOTS]
    found = [path for path in candidates if os.path.exists(os.path.join(bootstrap.ROOT, path))]
    for path in found:
        print(f"== namespace\n{path} must not be there: it would hide the other half of the package nodeward.")
    return found
