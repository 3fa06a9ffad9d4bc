"""Do supervisor's programs run? A program that ended well (exit code 0) is fine; one that a person stopped is a warning."""

from nodeward.core.checks import Programs
from nodeward.core.errors import NodewardError
from nodeward.core.words import counted
from nodeward.nodeserver.checks.base import Context
from nodeward.nodeserver.checks.uptime import spoken
from nodeward.nodeserver.output import CRITICAL, OK, WARNING, Metric, Outcome, said, worst
from nodeward.supervise.client import Program
from nodeward.supervise.client import Programs as Supervisor


def run(args: Programs, context: Context) -> Outcome:
    """Judge each program by its state."""
    try:
        there = Supervisor(context.var, timeout=context.timeout).list()
    except NodewardError as error:
        return said("PROGRAMS", [], error.detail, code=CRITICAL)
    wanted = [one for one in there if (not args.names or one.name in args.names) and one.name not in args.exclude]
    missing = [name for name in args.names if name not in {one.name for one in there}]
    codes = [code(one) for one in wanted] + [CRITICAL] * len(missing)
    lines = [spell(one) for one in wanted] + [f"{name}: supervisor knows no such program" for name in missing]
    bad = [line for line, found in zip(lines, codes, strict=True) if found]
    text = "; ".join(bad) if bad else f"{counted(len(lines), 'program')} {'runs' if len(lines) == 1 else 'run'}"
    return said(
        "PROGRAMS",
        [Metric("running", codes.count(OK), minimum=0, maximum=len(codes))],
        text,
        "\n".join(lines),
        worst(codes),
    )


def code(program: Program) -> int:
    """Return what a program's state means."""
    if program.state == "RUNNING" or (program.state == "EXITED" and program.exit_status == 0):
        return OK
    return WARNING if program.state in ("STARTING", "STOPPING", "STOPPED") else CRITICAL


def spell(program: Program) -> str:
    """Return a program's line, e.g. ``web: RUNNING for 3 h 2 min``."""
    if program.uptime is not None:
        return f"{program.name}: {program.state} for {spoken(program.uptime)}"
    detail = program.spawn_error or (f"exit code {program.exit_status}" if program.exit_status else "")
    return f"{program.name}: {program.state}{f' ({detail})' if detail else ''}"
