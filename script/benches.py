"""How script/bench runs its parts, and how a table gets into docs/benchmarks.md.

A part is a module in script/bench_parts/ with `main(argv)`, which prints a Markdown table and returns an exit code.
"""

import os
import re
import subprocess
import sys

import bootstrap

FOLDER = os.path.join(bootstrap.ROOT, "script", "bench_parts")
PAGE = os.path.join(bootstrap.ROOT, "docs", "benchmarks.md")
CALL = "import importlib, sys; sys.exit(importlib.import_module('bench_parts.' + sys.argv[1]).main(sys.argv[2:]) or 0)"


def parts():
    """Return the names of all parts."""
    names = os.listdir(FOLDER) if os.path.isdir(FOLDER) else []
    return sorted(name[:-3] for name in names if name.endswith(".py") and not name.startswith("_"))


def run(arguments):
    """Given the command line, run the parts it names, or all. Return 0 if every one succeeded."""
    mine, rest = split(arguments)
    asked = [name for name in mine if name != "--write"]
    chosen = [part for name in asked for part in named(name)] or parts()
    outcomes = [measure(name, rest) for name in chosen]
    if "--write" in mine:
        for name, (code, table) in zip(chosen, outcomes, strict=True):
            if code == 0:
                write(name, table)
    return max((code for code, _ in outcomes), default=0)


def named(name):
    """Return the parts of that name: `logs` is logs_ship and logs_store; `search` is asked of what logs_store stored."""
    name = {"search": "logs_store"}.get(name, name)
    found = [part for part in parts() if part == name or part.startswith(name + "_")]
    if not found:
        sys.exit(f"There is no part {name}. There are: {', '.join(parts())}.")
    return found


def split(arguments):
    """Return what is ours and what, after `--`, is the parts'."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def measure(name, arguments):
    """Run one part, showing what it prints. Return its exit code and that text."""
    print(f"== {name}", flush=True)
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(FOLDER), "PYTHONUNBUFFERED": "1"}
    command = [bootstrap.PYTHON, "-c", CALL, name, *arguments]
    process = subprocess.Popen(command, cwd=bootstrap.ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    lines = []
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    return process.wait(), "".join(lines).strip()


def write(name, table):
    """Put a part's table into the page, in place of the one from before."""
    begin, end = f"<!-- {name}: written by script/bench {name} --write -->", f"<!-- end of {name} -->"
    block = f"{begin}\n{table}\n{end}"
    text = bootstrap.read(PAGE, strip=False) or "# Benchmarks\n"
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    text = found.sub(lambda _: block, text) if found.search(text) else f"{text.rstrip()}\n\n## {name}\n\n{block}\n"
    bootstrap.write(PAGE, text)
