from nodeward.web.fleet import Kept


def test_a_value_is_kept_until_it_is_forgotten():
    asked = []
    kept = Kept(lambda: asked.append(1) or [{"n": len(asked)}], seconds=3600)
    assert kept.get() == kept.get() == [{"n": 1}]
    kept.forget()
    assert kept.get() == [{"n": 2}]


def test_a_value_asked_for_before_a_change_is_not_kept_after_it():
    changes = [True]

    def ask():
        if changes.pop() if changes else False:
            kept.forget()  # the change happens while the question is under way
        return [{"left": len(changes)}]

    kept = Kept(ask, seconds=3600)
    kept.get()
    before = list(changes)
    changes.append(False)
    kept.get()
    assert before == []
    assert changes == []  # it was asked again
