"""Pictures of the page as two people see it, from real daemons: nothing in them is drawn by hand.

One day is played through the command line; each picture is one view in one light and one width.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, Page

from tests.support.chromium import Tab, chromium
from tests.support.neighbourhood import Neighbourhood, Person, bash, edit, make_repository, read
from tests.support.patience import poll

WIDE: Final = (1180, 800)
PHONE: Final = (390, 780)
MOST_BYTES: Final = 170_000

RETRY = """import time


def retry(action, tries=3):
    for attempt in range(tries):
        try:
            return action()
        except ConnectionError:
            time.sleep(2 ** attempt)
    raise TimeoutError("gave up")
"""
FILES = {
    "api/retry.py": RETRY,
    "README.md": "# api\n\nThe service behind the shop.\n",
    "tests/test_login.py": "def test_login_retry():\n    assert True\n",
}
NOTES = "# Flaky tests\n\n- test_login_retry: failed twice this week\n- test_upload: failed once\n"


class Day:
    """What happened between Alice and Bob before the first picture."""

    def __init__(self, people: Neighbourhood, repository: Path) -> None:
        self.alice, self.bob = people.alice, people.bob
        people.befriend("--tools", "Read,Glob,Grep,Edit,Write,Bash", "--paths", f"{repository}:rw")
        self.alice.do(
            "accept-invitation", self._invited(), "--profile", "read-only", "--paths", f"{repository}:ro"
        )
        self.alice.do("send", "me", "Tidy up the branches that are merged")
        self.done = people.send(
            "Which tests of the api failed more than once this week? Leave a list.",
            [
                read("tests/test_login.py"),
                {"tool": "Write", "input": {"file_path": "flaky.md", "content": NOTES}},
                bash("cp flaky.md $DISPATCH_ARTIFACTS/flaky.md"),
            ],
        )
        self.bob.do("accept", self.done)
        self.bob.approve_all(self.done)
        self.alice.until(self.done, "completed")
        self.alice.do("reply", self.done, "Thank you. Was test_upload slow as well, or did it only fail?")
        poll(lambda: self.bob.status(self.done)["unread"], "her words arrive")
        self.bob.do("reply", self.done, "It waited for the network each time: see the last line of flaky.md.")
        poll(lambda: self.alice.status(self.done)["unread"], "his words arrive")
        self.review = people.send(
            "Say in the README how the tests are run.",
            [
                edit(
                    "README.md",
                    "The service behind the shop.",
                    "The service behind the shop.\n\nTests: `make test`.",
                )
            ],
        )
        self.bob.do("accept", self.review)
        self.bob.do("approve", self.bob.question(self.review)["request_id"])
        self.bob.question(self.review)
        self.asked = people.send(
            "The retry of the api waits too long when nobody answers. Never wait more than five seconds.",
            [edit("api/retry.py", "time.sleep(2 ** attempt)", "time.sleep(min(2 ** attempt, 5))")],
        )
        self.bob.do("accept", self.asked)
        self.bob.question(self.asked)
        self.waiting = people.send(
            "Please read the onboarding guide as somebody new would, and say where you got stuck.",
            None,
            *("--background", "Three people join on Monday. The guide was written two years ago."),
            *("--deliverable", "A list, the worst first"),
            *("--project", "api"),
        )

    def _invited(self) -> str:
        token: str = self.bob.do("invite", self.alice.address, "--link-only")["token"]
        return token


class Camera:
    """Takes one picture after another into a directory."""

    def __init__(self, browser: Browser, directory: Path) -> None:
        self.browser = browser
        self.directory = directory

    @contextmanager
    def page(self, person: Person, scheme: Literal["light", "dark"], size: tuple[int, int]) -> Iterator[Tab]:
        """Open somebody's page in one light and one size."""
        context = self.browser.new_context(
            color_scheme=scheme,
            viewport={"width": size[0], "height": size[1]},
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
        )
        tab = Tab(context, person.do("ui")["url"])
        try:
            tab.page.locator("a.row").first.wait_for()
            yield tab
        finally:
            context.close()

    def take(self, page: Page, name: str) -> None:
        """Keep what is seen now."""
        path = self.directory / f"{name}.png"
        page.screenshot(path=path, animations="disabled", caret="hide")
        assert path.stat().st_size <= MOST_BYTES, f"{path} is too large to be kept"
        print(f"{path.name:24} {path.stat().st_size // 1000:4} KB")


def in_wide_light(camera: Camera, day: Day) -> None:
    """Take every view of Bob's, and what came back to Alice."""
    with camera.page(day.bob, "light", WIDE) as tab:
        tab.show(f"d/{day.waiting}")
        tab.page.get_by_role("button", name="Accept and run").wait_for()
        camera.take(tab.page, "decide-light")
        question(tab, day.asked)
        camera.take(tab.page, "question-light")
        review(tab, day.review)
        camera.take(tab.page, "review-light")
        tab.show("contacts")
        tab.page.get_by_role("button", name="Change what they may").wait_for()
        camera.take(tab.page, "contacts-light")
        scopes(tab)
        camera.take(tab.page, "scopes-light")
        tab.page.goto(day.bob.do("invite", "carol@example.org", "--link-only")["link"])
        camera.take(tab.page, "invitation-light")
    with camera.page(day.alice, "light", WIDE) as tab:
        compose(tab, day)
        camera.take(tab.page, "compose-light")
        tab.show("sent")
        result(tab, day.done)
        camera.take(tab.page, "result-light")
        said(tab, day.done)
        camera.take(tab.page, "thread-light")


def in_wide_dark(camera: Camera, day: Day) -> None:
    """Take what differs most by night."""
    with camera.page(day.bob, "dark", WIDE) as tab:
        question(tab, day.asked)
        camera.take(tab.page, "question-dark")
        review(tab, day.review)
        camera.take(tab.page, "review-dark")
        tab.show("machine")
        tab.page.get_by_role("button", name="Check", exact=True).click()
        tab.page.locator(".checks li").first.wait_for()
        camera.take(tab.page, "machine-dark")


def on_a_phone(camera: Camera, day: Day) -> None:
    """Take the narrow ones, in both lights."""
    with camera.page(day.bob, "light", PHONE) as tab:
        camera.take(tab.page, "inbox-phone")
        question(tab, day.asked)
        camera.take(tab.page, "question-phone")
        tab.show("machine")
        tab.page.get_by_role("button", name="Change approval_ui").click()
        tab.page.get_by_role("heading", name="Settings").scroll_into_view_if_needed()
        camera.take(tab.page, "settings-phone")
    with camera.page(day.alice, "dark", PHONE) as tab:
        tab.show("sent")
        tab.page.locator(f'a.row[href="#/d/{day.done}"]').wait_for()
        camera.take(tab.page, "sent-phone-dark")
        said(tab, day.done)
        camera.take(tab.page, "thread-phone-dark")
        tab.show("contacts")
        tab.page.get_by_role("button", name="Give it up").wait_for()
        camera.take(tab.page, "contacts-phone-dark")


def question(tab: Tab, task: str) -> None:
    """Show an open question as it can be answered."""
    tab.show(f"d/{task}")
    tab.page.locator("section.question button.yes:enabled").first.wait_for()


def review(tab: Tab, task: str) -> None:
    """Show the changes of a run before they are applied."""
    tab.show(f"d/{task}")
    tab.page.locator("section.question button.yes:enabled").first.wait_for()


def scopes(tab: Tab) -> None:
    """Open the menu of what somebody's tasks may do, as it stands."""
    tab.page.get_by_role("button", name="Change what they may").click()
    menu = tab.page.locator("form.scopes")
    menu.get_by_label("Turns of a model a run").fill("20")
    menu.get_by_label("US dollars a run").fill("0.50")
    menu.scroll_into_view_if_needed()
    tab.page.locator("#view").evaluate(
        "(view) => view.scrollTo(0, document.querySelector('form.scopes').offsetTop - 80)"
    )


def result(tab: Tab, task: str) -> None:
    """Show what came back, and the file of it."""
    tab.show(f"d/{task}")
    tab.page.get_by_role("button", name="Look").click()
    tab.page.locator(".preview pre").wait_for()


def said(tab: Tab, task: str) -> None:
    """Show what two people said about a task."""
    tab.show(f"d/{task}")
    tab.page.get_by_role("button", name="Send these words").scroll_into_view_if_needed()


def compose(tab: Tab, day: Day) -> None:
    """Write a task that is not sent."""
    tab.show("new")
    tab.page.get_by_label("To", exact=True).fill(day.bob.address)
    words = "Compare the two designs in the spec, and say which of them you would rather maintain.\n\nA page is enough."
    tab.page.get_by_label("Task", exact=True).fill(words)
    spec: Any = {"name": "spec.md", "mimeType": "text/markdown", "buffer": b"# Spec\n" * 900}
    tab.page.get_by_label("Choose files").set_input_files(spec)


def main(directory: Path) -> None:
    """Play the day and take the pictures."""
    place = Path(tempfile.mkdtemp(prefix="dsp-"))
    people = Neighbourhood(place)
    try:
        people.open()
        day = Day(people, make_repository(place / "api", FILES))
        directory.mkdir(parents=True, exist_ok=True)
        with chromium() as browser:
            camera = Camera(browser, directory)
            for part in (in_wide_light, in_wide_dark, on_a_phone):
                part(camera, day)
    finally:
        people.close()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
