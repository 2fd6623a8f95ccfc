"""A run that nobody answered is thrown away on the page, or taken up again and applied."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Opens
from tests.browser.test_barriers import barriers
from tests.support.moved_clocks import shifted_people
from tests.support.neighbourhood import changed, edit


def test_what_was_parked_is_thrown_away_or_taken_up_again(
    opens: Opens, place: Path, repository: Path
) -> None:
    with shifted_people(place) as shifted:
        everybody = shifted.everybody
        alice, bob = everybody.alice, everybody.bob
        everybody.befriend("--tools", "Read,Edit", "--paths", f"{repository}:rw")
        left, kept = (
            everybody.send(f"Set it right, {name}", [edit("notes.md", "first line", f"line of {name}")])
            for name in ("one", "two")
        )
        for task in (left, kept):
            bob.do("accept", task)
            shifted.park(bob, task)

        his = opens(bob, f"d/{left}")
        said = "Nobody answered twice, so this run was set aside. Nothing of it was applied."
        expect(his.page.locator("#view")).to_contain_text(said)
        assert not barriers(his.page)
        his.page.get_by_role("button", name="Throw it away").click()
        ended = bob.until(left, "failed")
        assert (ended["outcome"], ended["error"]["code"]) == ("blocked", "discarded")
        expect(his.page.get_by_role("button", name="Take it up again")).to_have_count(0)

        his.show(f"d/{kept}")
        his.page.get_by_role("button", name="Take it up again").click()
        his.page.get_by_role("button", name="Allow once").click()
        his.page.get_by_role("button", name="Apply").click()
        assert alice.until(kept, "completed")["outcome"] == "success"
        assert changed(repository) == {"notes.md"}
        assert "line of two" in (repository / "notes.md").read_text()
