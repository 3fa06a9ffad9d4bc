"""How script/bench runs its parts, and how a table gets into docs/benchmarks.md.

A part is a module in script/bench_parts/ with `main(argv)`, which prints a Markdown table and returns an exit code. It knows
`--quick`. Modules that begin with an underscore are for all parts.
"""

import ast
import datetime
import os
import platform
import re
import signal
import subprocess
import sys
import threading

import bootstrap

FOLDER = os.path.join(bootstrap.ROOT, "script", "bench_parts")
PAGE = os.path.join(bootstrap.ROOT, "docs", "benchmarks.md")
CALL = "import importlib, sys; sys.exit(importlib.import_module('bench_parts.' + sys.argv[1]).main(sys.argv[2:]) or 0)"
NEEDED = "from bench_parts import _peers; print(_peers.listing())"
LIMIT = 900  # seconds for one part; then it is ended, and the next begins
OURS = ("--write", "--quick")
INTRODUCTION = """# Benchmarks

Written by `script/bench … --write`, never by hand: each table is one run on one machine, in which we and whoever stands beside
us did the same work. *Times better* is our figure beside the peer's, above 1 where we are ahead; *bar* is what we want to
reach. Figures of another machine will differ; the ratios should not, much. `script/bench` lists the parts and what they need.
"""


def parts():
    """Return the names of all parts."""
    names = os.listdir(FOLDER) if os.path.isdir(FOLDER) else []
    return sorted(name[:-3] for name in names if name.endswith(".py") and not name.startswith("_"))


def listing(usage):
    """Print how it is called, what there is to measure, and what is missing for it. Return 0."""
    print(usage.strip() + "\n\nParts:")
    for name in parts():
        print(f"  {name:<12} {subject(name)}")
    print("\nWhat they need:")
    sys.stdout.flush()
    return subprocess.run([bootstrap.PYTHON, "-c", NEEDED], env=environment(), check=False).returncode


def subject(name):
    """Return the first sentence of a part's own words."""
    text = ast.get_docstring(ast.parse(bootstrap.read(os.path.join(FOLDER, name + ".py"), strip=False))) or ""
    return text.split("\n\n", 1)[0].replace("\n", " ")


def run(arguments):
    """Given the command line, run the parts it names, and write down each table. Return 0 if every one succeeded."""
    mine, rest = split(arguments)
    asked = [name for name in mine if name not in OURS]
    chosen = parts() if "all" in asked else list(dict.fromkeys(part for name in asked for part in named(name)))
    failed = []
    for name in chosen:
        code, table = measure(name, (["--quick"] if "--quick" in mine else []) + rest)
        if code:
            failed.append(name)
        elif "--write" in mine:
            write(name, table)
    if failed:
        print(f"Failed: {', '.join(failed)}.")
    return 1 if failed else 0


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


def environment():
    """Return the environment in which parts run."""
    return {**os.environ, "PYTHONPATH": os.path.dirname(FOLDER), "PYTHONUNBUFFERED": "1"}


def measure(name, arguments):
    """Run one part, showing what it prints. Return its exit code and that text."""
    print(f"== {name}", flush=True)
    command = [bootstrap.PYTHON, "-c", CALL, name, *arguments]
    process = subprocess.Popen(
        command, cwd=bootstrap.ROOT, env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    late = threading.Timer(LIMIT, end, [process, f"{name} did not end within {LIMIT} seconds."])
    late.start()
    lines = []
    try:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
        return process.wait(), "".join(lines).strip()
    except KeyboardInterrupt:
        end(process, "Stopped.")
        raise SystemExit(130) from None
    finally:
        late.cancel()
        process.stdout.close()


def end(process, why):
    """End a part with everything it started."""
    print(why, flush=True)
    os.killpg(process.pid, signal.SIGKILL)


def write(name, table):
    """Put a part's table into the page, in place of the one from before."""
    begin, behind = f"<!-- {name}: written by script/bench {name} --write -->", f"<!-- end of {name} -->"
    block = f"{begin}\n{subject(name)}\n\n{circumstances()}\n\n{table}\n{behind}"
    text = bootstrap.read(PAGE, strip=False) or INTRODUCTION
    found = re.compile(re.escape(begin) + ".*?" + re.escape(behind), re.DOTALL)
    text = found.sub(lambda _: block, text) if found.search(text) else f"{text.rstrip()}\n\n## {name}\n\n{block}\n"
    bootstrap.write(PAGE, text)


def circumstances():
    """Return when, on what, and of which version: what a figure means nothing without."""
    model = re.search(r"model name\s*: (.*)", bootstrap.read("/proc/cpuinfo", strip=False) or "")
    memory = re.search(r"MemTotal:\s*(\d+)", bootstrap.read("/proc/meminfo", strip=False) or "")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=bootstrap.ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    facts = [
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        f"{os.cpu_count()} × {model[1].strip() if model else platform.machine()}",
        f"{int(memory[1]) / 2**20:.0f} GB" if memory else "",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"commit {commit.stdout.strip() or 'unknown'}",
    ]
    return ", ".join(fact for fact in facts if fact) + "."
