"""The shared page, in a real browser: it judges bundles and signatures as the product does, and shows only what holds."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, Page

from dispatch_cli.sharing.page import checker, shared_page
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.errors import RemoteError
from dispatch_protocol.evidence import verify_bundle
from dispatch_protocol.signing import Signed, pae
from tests.support.chromium import Tab

VECTORS = Path(__file__).parents[1] / "vectors"
Shows = Callable[[str], Page]


@pytest.fixture
def shows(browser: Browser, tmp_path: Path) -> Iterator[Shows]:
    """Open pages as files, as whoever gets one would; none may complain or ask anybody for anything."""
    tabs: list[Tab] = []
    requests: list[str] = []

    def shown(page: str) -> Page:
        file = tmp_path / f"{len(tabs)}.html"
        file.write_text(page, encoding="utf-8")
        context = browser.new_context(offline=True)
        context.on("request", lambda request: requests.append(request.url))
        tabs.append(Tab(context, file.as_uri()))
        return tabs[-1].page

    yield shown
    troubles = [line for tab in tabs for line in tab.troubles()]
    for tab in tabs:
        tab.context.close()
    assert troubles == []
    assert all(url.startswith("file:") for url in requests), requests


def bundles(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / "bundles.json").read_text())[kind]
    return found


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def judged(page: Page) -> list[tuple[str, bool]]:
    return [
        (item.get_attribute("data-name") or "", item.get_attribute("class") == "good")
        for item in page.locator("#checks li").all()
    ]


def asked(page: Page, expression: str, argument: object) -> object:
    """Ask the scripts of the page themselves."""
    return page.evaluate(f"(given) => {{ {checker()}\nreturn {expression}; }}", argument)


@pytest.mark.parametrize("entry", bundles("proved"), ids=lambda entry: entry["name"])
def test_a_bundle_that_holds_is_shown(shows: Shows, entry: dict[str, Any]) -> None:
    page = shows(shared_page(raw(entry["bundle"])))
    assert page.locator("#verdict.good").is_visible()
    said = page.locator("#contents").inner_text()
    assert "The task, word for word" in said
    assert "[object" not in said
    assert judged(page) == [(check.name, check.ok) for check in verify_bundle(raw(entry["bundle"])).checks]
    without = "none: it was declined" if entry["name"] == "a dispatch that was declined" else "none yet"
    assert (entry["outcome"] or without) in said
    if entry["outcome"] is None and without != "none yet":
        assert "none yet" not in said


def test_a_bundle_that_does_not_is_refused_at_the_same_check(browser: Browser) -> None:
    page = browser.new_page()
    for entry in bundles("refused"):
        found = asked(page, "examine(unbase64url(given)).checks", entry["bundle"])
        judged = [(check["name"], check["ok"]) for check in cast(list[dict[str, Any]], found)]
        assert judged == [(check.name, check.ok) for check in verify_bundle(raw(entry["bundle"])).checks]
        assert dict(judged)[entry["fails"]] is False
    page.close()


def test_whichever_byte_of_its_bundle_is_altered_it_shows_nothing(shows: Shows) -> None:
    whole = raw(bundles("proved")[0]["bundle"])
    document = json.loads(whole)
    places = [
        whole.find(document["task"]["payload"].encode()) + 7,
        whole.find(b'"sig":"') + 10,
        len(whole) - 2,
    ]
    for place in places:
        altered = bytearray(whole)
        altered[place] ^= 1
        page = shows(shared_page(bytes(altered)))
        assert page.locator("#verdict.bad").is_visible(), place
        assert page.locator("#contents").inner_text() == ""


def test_an_altered_script_does_not_run_and_the_page_says_that_nothing_was_checked(
    browser: Browser, tmp_path: Path
) -> None:
    page = shared_page(raw(bundles("refused")[0]["bundle"]))
    file = tmp_path / "altered.html"
    file.write_text(page.replace('report.ok ? "good" : "bad"', '"good"'), encoding="utf-8")
    context = browser.new_context()
    tab = Tab(context, file.as_uri())
    assert "Nothing has been checked" in tab.page.locator("#verdict").inner_text()
    assert any("Content Security Policy" in line for line in tab.troubles())
    context.close()


def signatures() -> Iterator[tuple[str, str, str, str, bool]]:
    """Every signature of the vectors: its name, key, message, bytes and whether libsodium takes it."""
    edges = json.loads((VECTORS / "edges.json").read_text())
    message = pae(edges["payload_type"], edges["body"].encode()).hex()
    for entry in edges["ed25519"]:
        yield entry["name"], entry["key"], message, entry["signature"], entry["outcome"] == "valid"
    for entry in json.loads((VECTORS / "signatures.json").read_text())["cases"]:
        signed = Signed.decode(bytes.fromhex(entry["signed"]))
        valid = entry["outcome"] == "valid"
        yield entry["name"], entry["signer"], signed.pae.hex(), signed.signature.hex(), valid


def test_its_verifier_answers_as_libsodium_does_at_every_edge(browser: Browser) -> None:
    page = browser.new_page()
    for name, *given, valid in signatures():
        found = asked(page, "isSignature(...given.map(unhex))", given)
        assert found is valid, name
    page.close()


def test_it_follows_chains_as_the_product_does(browser: Browser) -> None:
    page = browser.new_page()
    vectors = json.loads((VECTORS / "chains.json").read_text())
    assert min(len(vectors["holds"]), len(vectors["refused"])) >= 10
    for entry in (*vectors["holds"], *vectors["refused"]):
        expected: str | None
        try:
            expected = Chain.verify(read_links(entry["links"]), expect=None).head.hex
        except RemoteError:
            expected = None
        tried = "(() => { try { return followChain(given).heads.at(-1); } catch { return null; } })()"
        assert asked(page, tried, entry["links"]) == expected, entry["name"]
    page.close()


def test_its_digests_are_sha_2(browser: Browser) -> None:
    page = browser.new_page()
    for size in (0, 1, 55, 56, 63, 64, 111, 112, 127, 128, 1000):
        data = bytes(number % 251 for number in range(size))
        found = asked(page, "[hex(sha256(unhex(given))), hex(sha512(unhex(given)))]", data.hex())
        assert found == [hashlib.sha256(data).hexdigest(), hashlib.sha512(data).hexdigest()]
    page.close()
