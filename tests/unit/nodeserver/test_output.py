"""What plugins print and how they end, beside the table of the plugin API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.core.ranges import parse
from nodeward.nodeserver.output import Metric, Outcome, divide, from_plugin, judge, perf, said, worst


@pytest.mark.parametrize(
    ("text", "output", "long_output", "perfdata"),
    [
        ("OK", "OK", "", ""),
        ("  OK - fine  |  a=1;2;3  ", "OK - fine", "", "a=1;2;3"),
        ("OK|a=1|b=2", "OK", "", "a=1|b=2"),
        ("OK | a=1\nline 2\nline 3 | b=2\nc=3\nd=4", "OK", "line 2\nline 3", "a=1 b=2 c=3 d=4"),
        ("OK\nline 2\nline 3", "OK", "line 2\nline 3", ""),
        ("OK\n|a=1", "OK", "", "a=1"),
        ("|a=1", "", "", "a=1"),
        ("", "", "", ""),
    ],
)
def test_output_is_divided_as_nagios_core_4_does(text, output, long_output, perfdata):
    assert divide(text) == (output, long_output, perfdata)


@given(st.text())
def test_whatever_a_plugin_prints_there_is_a_result_without_control_characters(text):
    outcome = from_plugin(0, text.encode("utf-8", "surrogatepass"))
    assert outcome.code == 0
    assert "\n" not in outcome.output
    assert outcome.output or outcome.long_output or outcome.perfdata
    assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in outcome.output + outcome.long_output)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (0, 0, "x"), (1, 1, "x"), (2, 2, "x"), (3, 3, "x"),
        (4, 2, "(Return code of 4 is out of bounds) x"), (255, 2, "(Return code of 255 is out of bounds) x"),
        (126, 2, "(Return code of 126 is out of bounds. Check if plugin is executable) x"),
        (127, 2, "(Return code of 127 is out of bounds. Check if plugin exists) x"),
        (-9, 2, "(The plugin did not exit properly: it was ended by signal 9) x"),
    ],
)  # fmt: skip
def test_an_exit_code_means_what_nagios_makes_of_it(status, code, words):
    assert from_plugin(status, b"x\n") == Outcome(code, words)


def test_stderr_is_shown_only_where_stdout_is_empty():
    assert from_plugin(0, b"fine", b"noise") == Outcome(0, "fine")
    assert from_plugin(3, b"\n", b"cannot\nopen") == Outcome(3, "(No output on stdout) stderr: cannot", "open")
    assert from_plugin(0, b"", b"") == Outcome(0, "(No output returned from plugin)")


def test_bytes_that_are_no_text_are_shown_not_dropped():
    assert from_plugin(0, b"a\xff\x00b\x1b[31m\r\nnext").output == "a\\xff\\x00b\\x1b[31m"


@pytest.mark.parametrize(
    ("metric", "item"),
    [
        (Metric("load1", 0.5), "load1=0.5"),
        (Metric("a b", 1, "%", parse("80"), parse("@10:20"), 0, 100), "'a b'=1%;80;@10:20;0;100"),
        (Metric("it's", 0, "s", minimum=0), "'it''s'=0s;;;0"),
        (Metric("rta", None, "s", parse("1")), "rta=U;1"),
        (Metric("tiny", 1e-7), "tiny=0"),
        (Metric("big", 1e20, "B"), "big=100000000000000000000B"),
        (Metric("neg", -2.5, "s", parse("~:5")), "neg=-2.5s;~:5"),
    ],
)
def test_perfdata_is_written_as_the_guidelines_want(metric, item):
    assert perf(metric) == item


def test_a_value_is_judged_by_both_thresholds_and_the_worst_counts():
    assert [judge(value, parse(80), parse(90)) for value in (80, 81, 91)] == [0, 1, 2]
    assert judge(None, None, None) == 3
    assert worst([0, 3, 1]) == 3
    assert worst([3, 2]) == 2
    assert worst([]) == 0
    assert said("LOAD", [Metric("a", 5, "", parse(1))], "five") == Outcome(1, "LOAD WARNING - five", "", "a=5;1")
