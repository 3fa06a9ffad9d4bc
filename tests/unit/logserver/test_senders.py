from nodeward.core.errors import Unavailable
from nodeward.logserver.senders import Senders


class Registry:
    """Stands for the config server's client."""

    def __init__(self):
        self.nodes, self.asked, self.away = {}, 0, False

    def get(self, path, query, timeout):
        self.asked += 1
        if self.away:
            raise Unavailable("away")
        name = self.nodes.get(query["address"])
        return {"items": [{"name": name}] if name else [], "next": None}


def test_an_address_is_asked_once_and_again_after_a_while():
    now = [0.0]
    registry = Registry()
    senders = Senders(registry, lambda: now[0])
    registry.nodes["10.0.0.1"] = "fw"
    assert [senders.node_of("10.0.0.1") for _ in range(3)] == ["fw"] * 3
    assert senders.node_of("10.0.0.2") == "10.0.0.2"
    assert registry.asked == 2
    registry.nodes["10.0.0.1"] = "renamed"
    now[0] += 61
    assert senders.node_of("10.0.0.1") == "renamed"


def test_while_nobody_answers_senders_keep_the_name_they_had():
    now = [0.0]
    registry = Registry()
    senders = Senders(registry, lambda: now[0])
    registry.nodes["10.0.0.1"] = "fw"
    senders.node_of("10.0.0.1")
    registry.away = True
    now[0] += 61
    assert senders.node_of("10.0.0.1") == "fw"
    assert [senders.node_of(f"10.0.1.{number}") for number in range(9)] == [f"10.0.1.{number}" for number in range(9)]
    assert registry.asked == 2
