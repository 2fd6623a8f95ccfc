"""What to do next with a dispatch, in lines: what is offered is what would work."""

from dispatch_cli.render.dispatch import dispatch_lines
from dispatch_cli.render.lines import View, plain
from dispatch_cli.render.people import People
from tests.support.scripted_answers import WHOLE

WIDE = View(None, 1_767_323_045_678, "/home/bob")


def told(owner: dict[str, object]) -> str:
    dispatch = {
        **WHOLE,
        "status": "delivered",
        "box": "inbox",
        "approvals": [],
        "elsewhere": None,
        "owner": owner,
    }
    return "\n".join(map(plain, dispatch_lines(dispatch, People({}), WIDE)))


def test_who_succeeds_in_doubt_is_sent_to_the_other_device_first() -> None:
    desk = {"device": "d" * 64, "name": "desk", "this": True}
    assert "run it here with" in told({**desk, "perhaps": []})
    doubtful = told({**desk, "perhaps": [{"device": "e" * 64, "name": "phone"}]})
    assert "may have given it to phone before: accept it there if you can" in doubtful
    assert "--here" in doubtful
    assert "run it here with" not in doubtful
