"""A file that came of a run is drawn only if it can be nothing but a picture: an SVG could bring a script, and is not."""

import base64

from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import Opens
from tests.browser.test_attacks import unharmed
from tests.support.neighbourhood import Neighbourhood, Person, bash

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7" onload="top.pwned=1"><script>top.pwned=1</script></svg>"""


def draw(everybody: Neighbourhood) -> str:
    """Have Bob's machine make a picture, an SVG, and an SVG that calls itself a picture; its last question is open."""
    encoded = base64.b64encode(SVG.encode()).decode()
    steps = [
        bash(f'cd "$DISPATCH_ARTIFACTS"; printf %s {PNG} | base64 -d > dot.png'),
        bash(f'cd "$DISPATCH_ARTIFACTS"; printf %s {encoded} | base64 -d | tee drawn.svg > posing.png'),
    ]
    task = everybody.send("Draw", steps)
    everybody.bob.do("accept", task)
    for _ in steps:
        everybody.bob.do("approve", everybody.bob.question(task)["request_id"])
    return task


def file(place: Locator, name: str) -> Locator:
    return place.locator("li", has_text=name).last


def look(place: Locator) -> None:
    """Look at what may be looked at, and see what becomes of it."""
    dot = file(place, "dot.png")
    dot.get_by_role("button", name="Look").click()
    picture = dot.locator(".preview img")
    expect(picture).to_have_js_property("naturalWidth", 1)
    expect(picture).to_have_attribute("alt", "dot.png")

    assert file(place, "drawn.svg").get_by_role("button").all_inner_texts() == ["Save"]

    posing = file(place, "posing.png")
    posing.get_by_role("button", name="Look").click()
    expect(posing.locator(".preview img")).to_have_js_property("complete", True)
    expect(posing.locator(".preview img")).to_have_js_property("naturalWidth", 0)


def test_that_svg_would_run_in_a_careless_page(browser: Browser) -> None:
    """The control: what the next test finds unharmed is not harmless."""
    page = browser.new_page()
    page.set_content(SVG)
    page.wait_for_function("window.pwned === 1")
    page.close()


def test_a_picture_is_drawn_and_an_svg_is_not(
    opens: Opens, everybody: Neighbourhood, alice: Person, bob: Person
) -> None:
    drawn = draw(everybody)
    his = opens(bob, f"d/{drawn}")
    look(his.page.locator("section.question"))
    unharmed(his)
    bob.approve_all(drawn)
    alice.until(drawn, "completed")
    for person in (bob, alice):
        tab = opens(person, f"d/{drawn}")
        look(tab.page.locator("section.files").last)
        unharmed(tab)
