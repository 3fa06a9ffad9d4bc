"""What all errors have in common."""

import pytest

from nodeward.core.errors import NodewardError, TicketRefused


def _kinds(kind: type[NodewardError]) -> list[type[NodewardError]]:
    return [
        kind,
        *(each for one in kind.__subclasses__() for each in _kinds(one) if each.__module__ == kind.__module__),
    ]


@pytest.mark.parametrize("kind", _kinds(NodewardError))
def test_any_can_be_made_of_another_sentence_alone(kind: type[NodewardError]) -> None:
    error = kind("It went wrong.")
    assert str(type(error)(f"Here too: {error.detail}")) == "Here too: It went wrong."


def test_a_ticket_that_is_refused_says_why_in_the_node_s_own_words() -> None:
    assert TicketRefused("'web-2' does not take it: No.", why="No.").why == "No."
