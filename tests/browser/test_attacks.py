"""What a stranger's words, a page from somewhere else, and a link that two have seen can do to the page: nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import Opens
from tests.support.chromium import REBOUND, Tab
from tests.support.foreign_page import careless_target, foreign_page
from tests.support.grounds import ORDINARY
from tests.support.neighbourhood import Neighbourhood, Person, bash
from tests.support.neighbours_page import neighbours_page

SCRIPT = "<script>pwned=1</script><img src=x onerror='pwned=1'><svg onload='pwned=1'></svg>\"'><b onmouseover=pwned=1>"
IN_A_NAME = "<img src=x onerror=pwned=1>.html"  # a name holds no slash
STRANGE = "\u202egpj.exe\u200b\u0007"


def origin(tab: Tab) -> str:
    return str(tab.page.evaluate("location.origin"))


def token(tab: Tab) -> str:
    return str(tab.page.evaluate("sessionStorage.getItem('dispatch-page')"))


def unharmed(tab: Tab) -> None:
    """Nothing that somebody wrote has become a part of the page."""
    assert tab.page.evaluate("window.pwned") is None
    assert tab.page.locator("script").count() == 1
    assert tab.page.locator("[onerror], [onload], [onmouseover], img[src='x']").count() == 0
    assert not tab.troubles()


# -- words ---------------------------------------------------------------------------------------------


def test_these_words_would_run_in_a_careless_page(browser: Browser) -> None:
    """The control: what the next test finds unharmed is not harmless."""
    page = browser.new_page()
    page.set_content(SCRIPT)
    page.wait_for_function("window.pwned === 1")
    page.close()


def test_no_words_of_a_stranger_become_a_part_of_the_page(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person, place: Path
) -> None:
    attached = place / IN_A_NAME
    attached.write_text(SCRIPT)
    steps = [
        {"tool": "Write", "input": {"file_path": f"{IN_A_NAME}", "content": SCRIPT}},
        bash(f'cp "{IN_A_NAME}" "$DISPATCH_ARTIFACTS/" # {SCRIPT} {STRANGE}'),
    ]
    fields = {
        "--background": SCRIPT,
        "--deliverable": SCRIPT,
        "--project": SCRIPT,
        "--link": "https://example.org/?q=%3Cscript%3Epwned=1//",
        "--meta": f"a={SCRIPT}",
        "--file": str(attached),
    }
    task = everybody.send(f"{SCRIPT} {STRANGE}", steps, *(word for pair in fields.items() for word in pair))
    his = opens(bob)
    his.page.locator(f'a.row[href="#/d/{task}"]').click()
    view = his.page.locator("#view")
    expect(view).to_contain_text("<svg onload=")
    expect(view).to_contain_text(IN_A_NAME)
    elsewhere = view.locator('a:not([href^="#/"])')  # our own links lead to other views of this page
    assert elsewhere.count() == 0, "a stranger's link is read, not followed by a slip of the hand"
    assert "\u202e" not in view.inner_text()
    assert "\u200b" not in view.inner_text()
    unharmed(his)
    his.page.get_by_role("button", name="Accept and run").click()
    frame = his.page.locator("section.question")
    for _ in range(2):
        frame.get_by_role("button", name="Allow once").click()
    frame.get_by_role("button", name="Apply").click()
    expect(view).to_contain_text("its changes were applied")
    assert view.locator(".diff").count() == 1
    unharmed(his)
    hers = opens(alice, f"d/{task}")
    hers.page.get_by_role("button", name="Look").click()
    expect(hers.page.locator(".preview")).to_contain_text("<svg onload=")
    unharmed(hers)
    for word in ("contacts", "machine", "sent", "new"):
        hers.show(word)
        unharmed(hers)


def test_no_words_that_come_back_become_a_part_of_the_page(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person
) -> None:
    """An answer and a reason are a stranger's words too."""
    answered, declined = everybody.send("Say something"), everybody.send("Say no")
    bob.do("accept", answered, "--by-hand")
    bob.do("complete", answered, "--text", f"{SCRIPT} {STRANGE}")
    bob.do("decline", declined, "--reason", f"{SCRIPT} {STRANGE}")
    for task, word in ((answered, "completed"), (declined, "declined")):
        alice.until(task, word)
        hers = opens(alice, f"d/{task}")
        expect(hers.page.locator(".end")).to_contain_text("⟨U+202E⟩gpj.exe⟨U+200B⟩⟨U+0007⟩")
        unharmed(hers)


def test_what_got_in_all_the_same_would_not_run(browser: Browser, bob: Person) -> None:
    """The last wall, and the control of every line above that looks for complaints: the policy stops it and says so."""
    his = Tab(browser.new_context(), bob.do("ui")["url"])
    his.page.get_by_role("link", name="Inbox").wait_for()
    tries = """() => {
      const run = document.createElement("script");
      try { run.append("window.pwned = 1"); document.body.append(run); } catch { /* no string becomes a script */ }
      const link = document.createElement("button");
      try { link.setAttribute("onclick", "window.pwned = 1"); } catch { /* nor a handler */ }
      document.body.append(link); link.click();
      try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.pwned = 1'>"); return "markup"; }
      catch (error) { return error.name; } }"""
    assert his.page.evaluate(tries) == "TypeError"
    assert his.page.evaluate("window.pwned") is None
    with pytest.raises(AssertionError):
        unharmed(his)
    for stopped in ("TrustedScript", "TrustedHTML"):
        assert any(stopped in line for line in his.troubles())
    his.context.close()


def test_no_line_of_a_diff_passes_for_its_head(
    opens: Opens, everybody: Neighbourhood, bob: Person, repository: Path
) -> None:
    """What is added or removed may begin with the signs that a head begins with."""
    kept = repository / "notes.md"
    kept.write_text(f"-- quiet\n{kept.read_text()}")
    steps = [bash("sed -i '1c ++ loud' notes.md"), bash("printf '%s\\n' '++ also loud' > new.md")]
    task = everybody.send("Change the first line", steps)
    bob.do("accept", task)
    his = opens(bob, f"d/{task}")
    for _ in steps:
        his.page.get_by_role("button", name="Allow once").click()
    diff = his.page.locator("section.question .diff")
    expect(diff.locator(".removed")).to_have_text("--- quiet\n")
    expect(diff.locator(".added")).to_have_text(["+++ also loud\n", "+++ loud\n"])
    bob.do("cancel", task)


# -- other origins -------------------------------------------------------------------------------------


def attack(context: BrowserContext, address: str) -> tuple[dict[str, Any], str]:
    """Let the foreign page try; returns what it got by each way, and what stands in its frame."""
    page = context.new_page()  # the same browser, the same storage, an open page beside it
    page.goto(address)
    page.evaluate("done")
    found: dict[str, Any] = page.evaluate("found")
    framed = page.frame_locator("#framed").locator("body").inner_text()
    page.close()
    return found, framed


def test_a_careless_daemon_would_lose_everything_to_that_page(browser: Browser) -> None:
    """The control: each of the ways that the next test finds closed is one."""
    context = browser.new_context()
    with careless_target() as (target, posted), foreign_page(target, "alice@example.org") as elsewhere:
        found, framed = attack(context, elsewhere)
        context.close()
    # No page may read the answer to a simple post; that it arrives is enough.
    assert {way for way, got in found.items() if got is None} == {"simple post"}
    assert framed == "Inbox"
    assert [json.loads(body).get("peer") for body in posted].count("alice@example.org") == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_from_elsewhere_reads_nothing_and_moves_nothing(
    opens: Opens, alice: Person, bob: Person, host: str
) -> None:
    his = opens(bob)
    with foreign_page(origin(his), alice.address, host) as elsewhere:
        nothing_is_won(his, bob, elsewhere)


def test_another_user_at_a_neighbouring_port_reads_nothing_and_moves_nothing(
    opens: Opens, alice: Person, bob: Person
) -> None:
    """Neither by the page that they serve, nor by going there themselves with what they may have overheard.

    Only root can become another user: where the tests run as an ordinary one, that one has no token.
    """
    his = opens(bob)
    with neighbours_page(origin(his), alice.address) as elsewhere:
        nothing_is_won(his, bob, elsewhere)
        for overheard in (token(his), "") if ORDINARY.is_other else ("",):
            headers = {"Authorization": f"Bearer {overheard}"}
            knocked = his.context.request.get(f"{elsewhere}v1/contacts", headers=headers)
            assert knocked.text() == ("403" if ORDINARY.is_other else "401")


def nothing_is_won(his: Tab, bob: Person, elsewhere: str) -> None:
    """Let a foreign page try everything beside Bob's own, and see that it has read and changed nothing."""
    before = bob.do("contacts")["edges"]
    found, framed = attack(his.context, elsewhere)
    assert set(found.values()) == {None}
    assert "Inbox" not in framed
    after = bob.do("contacts")["edges"]
    assert [(each["edge_id"], each["status"]) for each in after] == [
        (each["edge_id"], each["status"]) for each in before
    ]
    unharmed(his)
    his.show("contacts")
    expect(his.page.get_by_role("heading", name="Contacts")).to_be_visible()


def test_a_name_that_suddenly_means_this_machine_is_not_answered(
    opens: Opens, bob: Person, browser: Browser
) -> None:
    his = opens(bob)
    page = browser.new_page()
    answer = page.goto(origin(his).replace("127.0.0.1", REBOUND))
    assert answer is not None
    assert (answer.status, answer.json()["code"]) == (403, "wrong_host")
    for path in ("/app.js", "/v1/contacts"):
        answer = page.goto(origin(his).replace("127.0.0.1", REBOUND) + path)
        assert answer is not None
        assert answer.status == 403
    page.close()


def test_the_page_of_a_neighbour_opens_nothing_here(opens: Opens, alice: Person, bob: Person) -> None:
    his, hers = opens(bob), opens(alice)
    for path in ("/v1/contacts", "/v1/dispatches", "/v1/settings"):
        headers = {"Authorization": f"Bearer {token(hers)}"}
        assert his.context.request.get(origin(his) + path, headers=headers).status == 401
        headers = {"Authorization": f"Bearer {token(his)}"}
        assert his.context.request.get(origin(his) + path, headers=headers).status == 200


# -- the link ------------------------------------------------------------------------------------------


def test_a_link_that_two_have_used_opens_nothing_for_either(
    opens: Opens, bob: Person, browser: Browser
) -> None:
    link = bob.do("ui")["url"]
    first = Tab(browser.new_context(), link)
    first.page.get_by_role("link", name="Inbox").wait_for()
    expect(first.page.locator("#list")).not_to_be_empty()
    second = Tab(browser.new_context(), link)
    expect(second.page.locator("#state")).to_contain_text("dispatch ui")
    expect(first.page.locator("#state")).to_contain_text("This page is over")
    assert first.page.evaluate("document.getElementById('view').inert") is True
    for tab in (first, second):
        assert token(tab) == "None"
        tab.context.close()


def test_a_program_that_has_seen_a_link_ends_the_page_and_gets_nothing(bob: Person, browser: Browser) -> None:
    link = bob.do("ui")["url"]
    tab = Tab(browser.new_context(), link)
    tab.page.get_by_role("link", name="Inbox").wait_for()
    expect(tab.page.locator("#list")).not_to_be_empty()
    address, code = link.split("/#code=")
    program = """
import json, sys, urllib.error, urllib.request
body = json.dumps({"code": sys.argv[2]}).encode()
try:
    print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, {"Content-Type": "application/json"})).read())
except urllib.error.HTTPError as error:
    print(error.code)
"""
    words = [sys.executable, "-c", program, f"{address}/v1/page/sessions", code]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == "401"
    expect(tab.page.locator("#state")).to_contain_text("This page is over")
    tab.context.close()


def test_nothing_of_a_link_or_a_token_is_kept_where_others_look(opens: Opens, bob: Person) -> None:
    his = opens(bob)
    held = token(his)
    assert len(held) > 20
    his.show("contacts")
    his.show("machine")
    seen = his.page.evaluate(
        "[location.href, document.referrer, document.cookie, JSON.stringify(localStorage)]"
    )
    assert seen == [f"{origin(his)}/#/machine", "", "", "{}"]
    assert his.context.cookies() == []
    here = origin(his)
    for _ in range(2):
        his.page.go_back()
        assert "code" not in his.page.url
        assert held not in his.page.url
    his.page.goto("about:blank")
    his.page.go_back()
    assert "code" not in his.page.url
    again = his.context.new_page()  # another tab of the same browser has no part in it
    again.goto(here)
    expect(again.get_by_role("status").first).to_contain_text("opens by a link")
    assert again.evaluate("sessionStorage.length") == 0
    again.close()
