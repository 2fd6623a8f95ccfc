"""What a run says of itself is a stranger's too: outputs, an agent's words and thoughts, a server's tools, what it asked outside."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opens
from tests.browser.test_attacks import SCRIPT, STRANGE, unharmed
from tests.support import tool_server
from tests.support.chosen import choose
from tests.support.model_server import model_server_beside, scripted
from tests.support.neighbourhood import Neighbourhood, Person, bash

HOST = "<svg/onload='pwned=1'>"  # what a proxy is asked for holds no blank
NAMED = f"mcp__shelf__{tool_server.MARKUP}"
ASK_OUTSIDE = f"""place=${{https_proxy#http://}}; place=${{place%/}}
exec 3<>/dev/tcp/${{place%:*}}/${{place##*:}}
printf '%s\\r\\n\\r\\n' "CONNECT {HOST}:443 HTTP/1.1" >&3; cat <&3"""


@pytest.fixture
def lent(alice: Person, bob: Person, place: Path) -> Iterator[None]:
    """A tool server and a host of Bob's, granted to Alice, who is told what came of every call."""
    command = (sys.executable, tool_server.__file__, "odd", str(place / "shelf.log"))
    assert bob.try_("agent", "server", "add", "shelf", "--", *command).code == 0
    changes = ("--mcp-servers", "shelf", "--network", "files.example", "--returns", "trace")
    bob.do("edit-edge", alice.address, *changes)
    yield
    bob.do("edit-edge", alice.address, "--mcp-servers", "none", "--network", "none")
    bob.do("agent", "server", "remove", "shelf")


def entries(place: Locator, words: str) -> Locator:
    return place.locator(".trace li").filter(has_text=words)


@pytest.mark.usefixtures("lent")
def test_nothing_that_a_run_says_becomes_a_part_of_a_page(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person
) -> None:
    said, thought = f"I say {SCRIPT} {STRANGE}", f"I think {SCRIPT} {STRANGE}"
    echo = bash(f"cat <<'END'\necho {SCRIPT} {STRANGE}\nEND")
    note = {"tool": "mcp__shelf__note", "input": {"text": SCRIPT, SCRIPT: {SCRIPT: SCRIPT}}}
    turns = ([{"think": thought}, said, echo], [bash(ASK_OUTSIDE)], [note], [{"tool": NAMED, "input": {}}])
    with model_server_beside() as model:
        choose(bob, "model", model.url)
        task = str(alice.do("send", bob.address, scripted(*turns, [f"I end {SCRIPT}"]))["dispatch_id"])
        bob.receives(task)
        bob.do("accept", task)
        his = opens(bob, f"d/{task}")
        for asked in ("END", "CONNECT", "mcp__shelf__note"):
            question = his.page.locator("section.question").filter(has_text=asked)
            expect(question).to_be_visible()
            unharmed(his)
            bob.do("approve", bob.question(task)["request_id"])
            expect(question).to_have_count(0)
        bob.approve_all(task)
    alice.until(task, "completed")
    for tab in (his, opens(alice, f"d/{task}")):
        shown = tab.page.locator("#view")
        for words in (
            "I say <script>",
            "I think <script>",
            "echo <script>",
            "noted <script>",
            NAMED,
            "I end <script>",
        ):
            expect(entries(shown, words).first).to_be_attached()
        for folded in shown.locator("details").all():
            folded.evaluate("node => { node.open = true; }")
        assert not set("\u202e\u200b\u0007") & set(shown.inner_text())
        unharmed(tab)
    for words, named in (("was not let outside the wall", HOST), ("cannot be offered", tool_server.MARKUP)):
        expect(entries(his.page.locator("#view"), words).first).to_contain_text(named)
