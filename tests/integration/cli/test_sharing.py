"""`result --share` and `verify`: a page goes out, and whoever gets it has its bundle judged by a program of their own."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import door_documents as documents
from tests.support.dispatch_command import dispatch
from tests.support.door_documents import ID
from tests.support.scripted_daemon import Script

VECTORS = Path(__file__).parents[2] / "vectors" / "bundles.json"


def bundle(kind: str, number: int = 0) -> bytes:
    return raw(json.loads(VECTORS.read_text())[kind][number]["bundle"])


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def shared(door: Script, home: Path, tmp_path: Path) -> Path:
    """The page of a dispatch that a bundle of the vectors proves."""
    kept = tmp_path / "kept.json"
    kept.write_bytes(bundle("proved"))
    found: dict[str, Any] = {"dispatch_id": ID, "outcome": "success", "summary": "", "files": []}
    door.answer("GET", f"/v1/dispatches/{ID}/result", {**found, "bundle": str(kept)})
    door.answer("GET", f"/v1/dispatches/{ID}", documents.finished())
    assert (
        f"Saved {tmp_path / 'page.html'}."
        in dispatch(home, "result", ID, "--share", str(tmp_path / "page.html")).err
    )
    return tmp_path / "page.html"


def test_a_shared_page_is_verified_by_the_bundle_in_it(shared: Path, home: Path) -> None:
    ended = dispatch(home, "verify", str(shared), "--json")
    assert (ended.code, ended.json["ok"], ended.json["page"]) == (0, True, "as_made")
    assert "not as this version makes it" not in dispatch(home, "verify", str(shared)).out


def test_a_page_that_says_something_else_than_its_bundle_is_told(shared: Path, home: Path) -> None:
    lying = shared.read_text().replace("report.ok ?", "true ?")
    shared.write_text(lying)
    ended = dispatch(home, "verify", str(shared), "--json")
    assert (ended.code, ended.json["ok"], ended.json["page"]) == (0, True, "altered")
    assert "believe what stands here, and not what it shows" in dispatch(home, "verify", str(shared)).out


def test_a_page_whose_bundle_was_altered_or_doubled_proves_nothing(shared: Path, home: Path) -> None:
    page = shared.read_text()
    inside = page.partition('id="bundle">')[2].partition("</script>")[0]
    other = base64.urlsafe_b64encode(bundle("refused", 2)).decode().rstrip("=")
    for altered in (page.replace(inside, other), page.replace(inside, "!"), page + page):
        shared.write_text(altered)
        ended = dispatch(home, "verify", str(shared), "--json")
        assert (ended.code, ended.json["ok"]) == (7, False)


def test_nothing_that_exists_is_overwritten(shared: Path, home: Path) -> None:
    again = dispatch(home, "result", ID, "--share", str(shared), "--json").json
    assert again["saved"] == [str(shared.with_name("page-2.html"))]
    nowhere = dispatch(home, "result", ID, "--share", str(shared.parent / "none" / "page.html"), "--json")
    assert (nowhere.code, nowhere.json["error"]["code"]) == (1, "not_saved")


def test_a_bundle_is_stated_for_other_programs(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    file.write_bytes(bundle("proved"))
    stated = dispatch(home, "verify", str(file), "--statement").json
    assert (stated["_type"], stated["predicate"]["outcome"]) == ("https://in-toto.io/Statement/v1", "success")
    file.write_bytes(bundle("proved", 3))
    assert (
        dispatch(home, "verify", str(file), "--statement", "--json").json["error"]["code"] == "not_finished"
    )
    file.write_bytes(bundle("refused"))
    ended = dispatch(home, "verify", str(file), "--statement", "--json")
    assert (ended.code, ended.json["ok"]) == (7, False)


def test_what_was_declined_is_not_said_to_have_an_outcome_yet(home: Path, tmp_path: Path) -> None:
    outcomes = {
        "a dispatch that was declined": "none: declined by a human of the recipient",
        "a dispatch that nobody has answered": "none yet",
    }
    for entry in json.loads(VECTORS.read_text())["proved"]:
        (tmp_path / "bundle.json").write_bytes(raw(entry["bundle"]))
        said = dispatch(home, "verify", str(tmp_path / "bundle.json")).out
        assert outcomes.get(entry["name"], entry["outcome"]) in said, entry["name"]
