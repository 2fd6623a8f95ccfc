"""The product and the implementation from the page alone conform; a program that leaves something out does not."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from dispatch_daemon.app.incoming import Incoming
from dispatch_protocol import unseal
from dispatch_protocol.envelope import Header
from dispatch_protocol.standing import Standing
from tests.conformance import independent, independent_parts, ours
from tests.conformance.finding import InProcess
from tests.conformance.independent_memory import Memory
from tests.conformance.judge import CHAPTERS
from tests.support import independent_opener, independent_pairing
from tests.support.independent_household_log import Household
from tests.support.vectors.files import FILES

ROOT = Path(__file__).resolve().parents[2]
Act = Callable[..., dict[str, Any]]


KNOWING = Incoming._standing


def of_no_journal(self: Incoming, header: Header) -> Standing:
    """Return what a daemon knows that looks nothing up of what it has taken in."""
    return replace(KNOWING(self, header), seen=False)


CHECKING, OURS_CHECKING = independent_opener.check_chains, unseal._check_chains


def at_the_stated_head(
    document: Any, standing: Any, header: Any, fields: Any, author: Any, recipient: Any
) -> None:
    """Check the chains, with nothing of the author's after the head that is stated."""
    (peer, active), stated = author, fields["from"]["head"]
    heads = [state["head"] for state in peer]
    known = peer[: heads.index(stated) + 1] if stated in heads else peer
    CHECKING(document, standing, header, fields, (known, active), recipient)


def ours_at_the_stated_head(header: Any, head: Any, author: Any, own: Any, stated: Any) -> None:
    """Check the chains as the product does, with nothing of the author's after the head that is stated."""
    if head.sender.head in author.chain.heads:
        author = replace(author, chain=author.chain.at(head.sender.head))
    OURS_CHECKING(header, head, author, own, stated)


def without_a_tag(key: bytes, nonce: bytes, ad: bytes, sealed: bytes) -> bytes:
    """Decrypt what stands before the last 16 bytes, whatever these are."""
    counted = (1).to_bytes(4, "little") + nonce
    return Cipher(ChaCha20(key, counted), mode=None).decryptor().update(sealed[:-16])


def with_a_whole_tag(key: bytes, nonce: bytes, ad: bytes, sealed: bytes) -> bytes | None:
    """Compare as much of a tag as there is, from twelve bytes on."""
    length = 114  # of the text that this one cuts away from what is too short
    clear = without_a_tag(key, nonce, ad, sealed[:length] + bytes(16))
    again = ChaCha20Poly1305(key).encrypt(nonce, clear, ad)
    return clear if len(sealed) >= length + 12 and again.startswith(sealed) else None


def judged(*program: str) -> "subprocess.CompletedProcess[str]":
    """Judge a Python program."""
    command = [sys.executable, "-m", "tests.conformance", sys.executable, *program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.parametrize("name", ["ours", "independent"])
def test_it_conforms(name: str) -> None:
    done = judged("-m", f"tests.conformance.{name}")
    assert done.stdout.endswith("conforms\n"), done.stdout + done.stderr
    assert done.returncode == 0


def test_the_independent_one_loads_nothing_of_the_product() -> None:
    program = "import sys, tests.conformance.independent; print(*sys.modules, sep='\\n')"
    modules = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "cryptography" in modules
    assert [name for name in modules if name.startswith(("dispatch_", "nacl"))] == []


# What is left out of the independent one, the chapter that finds it, and what of the page it then does otherwise.
CARELESS: dict[str, tuple[Any, str, Any, str, str]] = {
    "forgets what it took in": (Memory, "_met", lambda *a: {}, "the hostile broker", "once more"),
    "believes every edge": (independent_opener, "check_grant", lambda *a, **k: None, "the hostile broker", "kept until the edge ended"),
    "judges a device at the stated head alone": (independent_opener, "check_chains", at_the_stated_head, "the hostile broker", "kept until its device was revoked: the tablet's next, signed before"),
    "believes the latest telling": (Memory, "_told", lambda self, peer: peer, "the hostile broker", "kept until its device was revoked: one more of the tablet"),
    "has no clock": (independent_opener, "check_fresh", lambda *a: None, "the hostile broker", "kept for a week"),
    "verifies no signature": (independent_opener, "signed_by", lambda *a: True, "envelopes, opened and refused", "8 signature_bad"),
    "compares no label": (independent_opener, "check_equal", lambda *a: None, "envelopes, opened and refused", "10 header_mismatch"),
    "looks at no tag": (independent_parts, "opened", without_a_tag, "keys", "a bit of the tag's last byte"),
    "fills a short tag up": (independent_parts, "opened", with_a_whole_tag, "keys", "a tag cut to 15 bytes"),
    "reads no leaf": (independent_opener, "code_of", lambda *a: None, "envelopes, opened and refused", "a text for a number in the budget"),
    "reads no entry of a household": (independent_opener, "code_of", lambda *a: None, "envelopes, opened and refused", "told: a deed"),
    "compares no commitment": (independent_pairing, "commits", lambda *a: True, "pairings", "a reveal of another nonce"),
    "believes any sibling": (Household, "decides", lambda *a: True, "own devices", "a rule that was removed never returns: document 1"),
    "follows whatever comes": (Household, "followed", lambda self, by: max(self.documents.get(by, [0]), default=0), "own devices", "as far as nothing is missing"),
}  # fmt: skip


@pytest.mark.parametrize("fault", CARELESS)
def test_one_that_leaves_something_out_does_not(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, instead, chapter, named = CARELESS[fault]
    monkeypatch.setattr(owner, name, instead)
    assert any(named in each for each in wrong_in(chapter, independent.acts()))


# What is left out of the product, and what of the page it then does otherwise.
OURS_CARELESS: dict[str, tuple[Any, str, Any, str]] = {
    "asks its journal for nothing": (Incoming, "_standing", of_no_journal, "a task for one device: once more"),
    "believes every edge": (unseal, "_check_grant", lambda *a, **k: None, "kept until the edge ended: the task"),
    "judges a device at the stated head alone": (unseal, "_check_chains", ours_at_the_stated_head, "kept until its device was revoked: the tablet's next, signed before"),
    "has no clock": (unseal, "_check_fresh", lambda *a, **k: None, "kept for a week: the task"),
}  # fmt: skip


@pytest.mark.parametrize("fault", OURS_CARELESS)
def test_the_product_would_be_found_out_too(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, instead, named = OURS_CARELESS[fault]
    monkeypatch.setattr(owner, name, instead)
    findings = CHAPTERS["the hostile broker"](InProcess(ours.acts()))
    assert any(named in finding.name for finding in findings if not finding.right)


def wrong_in(chapter: str, acts: dict[str, Act]) -> list[str]:
    """Return the questions of a chapter that an implementation answers otherwise than the page."""
    return [finding.name for finding in CHAPTERS[chapter](InProcess(acts)) if not finding.right]


@cache
def asked_in() -> dict[str, str]:
    """Return for each act the shortest chapter in which it is asked."""
    found: dict[str, str] = {}
    for chapter in reversed(CHAPTERS):
        one = InProcess(independent.acts())
        for _ in zip(CHAPTERS[chapter](one), range(100 if chapter == "bodies" else 10_000), strict=False):
            pass
        found |= dict.fromkeys(one.first, chapter)
    return found


# What only sets the scene is answered with nothing; whoever ignores it is found by what is asked after it.
SCENE = {"world", "begin", "know", "household"}


HABITS = ("refuses everything", "always says the same", "says nothing")
ONCE = {"aead"}  # asked one thing alone, so that the same answer is the right one


@pytest.mark.parametrize(
    ("act", "habit"),
    [
        (act, habit)
        for act in sorted(set(ours.acts()) - SCENE)
        for habit in HABITS
        if (act in ONCE, habit) != (True, "always says the same")
    ],
)
def test_one_that_does_one_thing_wrong_does_not(act: str, habit: str) -> None:
    acts = independent.acts()
    assert wrong_in(asked_in()[act], independent.acts()) == []
    right, first = acts[act], []

    def wrongly(**what: Any) -> dict[str, Any]:
        if habit == "refuses everything":
            return {"refused": "malformed"}
        if habit == "says nothing":
            return {}
        first.append(right(**what) if not first else first[0])
        return first[0]

    assert wrong_in(asked_in()[act], {**acts, act: wrongly})


@pytest.mark.parametrize(("act", "heeded"), [("world", 0), ("begin", 1), ("know", 1)])
def test_one_that_ignores_the_scene_does_not(act: str, heeded: int) -> None:
    acts = independent.acts()
    told = [acts[act]] * heeded

    def ignoring(**what: Any) -> dict[str, Any]:
        return told.pop()(**what) if told else {}

    assert wrong_in("the hostile broker", {**acts, act: ignoring})


def test_both_can_be_asked_the_same_and_every_act_is_asked() -> None:
    assert ours.acts().keys() == independent.acts().keys() == asked_in().keys()


def test_every_file_of_vectors_is_asked() -> None:
    sources = "".join(
        (ROOT / "tests/conformance" / name).read_text()
        for name in ("judge.py", "judge_parts.py", "hostile.py")
    )
    assert {name for name in FILES if f'"{name}"' not in sources} == set()


def test_the_page_describes_every_act_and_shows_one_of_each() -> None:
    page = (ROOT / "docs" / "CONFORMANCE.md").read_text(encoding="utf-8")
    _, *rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)  # the first is the head of the table
    shown = re.findall(r'^\{"do": "(\w+)"', page, re.MULTILINE)
    assert sorted(rows) == sorted(shown) == sorted(ours.acts())


@pytest.mark.parametrize(
    "program", ["pass", "print('hello', flush=True); input()", "import time; print('[]')"]
)
def test_a_program_that_does_not_speak_is_told_so(program: str) -> None:
    done = judged("-c", program)
    assert (done.returncode, "does not conform" in done.stdout) == (1, True), done.stdout + done.stderr
