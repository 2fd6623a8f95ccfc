"""Chapters 6 to 10 of docs/PROTOCOL.md say what the code says: their examples, tables and lists."""

import re
from pathlib import Path

from dispatch_protocol.compare import Side, commitment, words
from dispatch_protocol.comparison_words import WORDS
from dispatch_protocol.encoding import unb64u
from dispatch_protocol.evidence import verify_bundle
from dispatch_protocol.frames import (
    Ack,
    Answer,
    Call,
    Challenge,
    Deliver,
    Deposit,
    Deposited,
    Hello,
    Notice,
    Rejected,
    Welcome,
)
from dispatch_protocol.hkdf import derive
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import Digest, Genesis
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.scopes import OWN_SCOPES
from tests.support.documents import task

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return the text from a heading to the next one of its level or above."""
    level = title.partition(" ")[0]
    start = TEXT.index(f"\n{title}\n") + 1
    end = re.compile(rf"^#{{1,{len(level)}}} ", re.MULTILINE).search(TEXT, start + len(title))
    return TEXT[start : end.start() if end else len(TEXT)]


def example(title: str) -> dict[str, str]:
    """Return the names and values of the indented example in a section."""
    block = section(title).partition("<!-- example")[2]
    rows = re.findall(r"^ {4}(\S.*?) {2,}(\S+)$", block, re.MULTILINE)
    return dict(rows)


def first_column(title: str) -> list[str]:
    """Return the code words in the first column of a section's table."""
    rows = re.findall(r"^\| (`.*?) \|", section(title), re.MULTILINE)
    return [word for row in rows for word in re.findall(r"`(\w+)`", row)]


def test_the_token_of_the_example():
    shown = example("### The token")
    token = InvitationToken.parse(shown["token"])
    assert token.broker_url == shown["broker"]
    assert (token.edge.uuid, token.genesis.hex) == (shown["id"], shown["genesis"])
    assert token.secret.reveal().hex() == shown["secret"]
    assert unb64u(shown["token"].rpartition(".")[2]).hex() == shown["secret"]


def test_the_keys_of_the_example():
    shown = example("### Acceptance and confirmation")
    secret, invitation = bytes.fromhex(shown["secret"]), bytes.fromhex(shown["D of the invitation"])
    for role in ("accept", "confirm"):
        info = f"dispatch/v1/invitation/{role}".encode()
        assert shown[f"key for {role}"] == derive(secret, salt=invitation, info=info).hex()


def test_the_words_of_the_example():
    shown = example("### Comparing")
    one, two = (
        Side(
            Genesis.from_hex(shown[f"genesis {name}"]),
            Digest.from_hex(shown[f"D{at}"]),
            bytes.fromhex(shown[f"r{at}"]),
        )
        for at, name in enumerate(("one", "two"), start=1)
    )
    assert one.genesis.raw < two.genesis.raw
    assert commitment(one.genesis, one.random).hex() == shown["commitment one"]
    assert commitment(two.genesis, two.random).hex() == shown["commitment two"]
    drawn = derive(
        one.random + two.random,
        salt=one.comparison.raw + two.comparison.raw,
        info=b"dispatch/v1/compare/words",
        length=7,
    )
    assert shown["drawn"] == drawn.hex()
    assert shown["words"].split("-") == [WORDS[byte] for byte in drawn] == list(words(two, one))


def test_every_scope_is_in_the_table():
    assert sorted(first_column("### Scopes")) == sorted(OWN_SCOPES.write())


def test_every_field_of_a_task_is_in_the_table():
    head = {"nonce", "from", "to", "edge", "re", "created", "expires"}
    assert sorted(first_column("### Task")) == sorted(task().write().keys() - head)


def test_every_type_of_receipt_is_in_the_table():
    assert first_column("### The recipient's answers") == [kind.value for kind in ReceiptType]


def test_every_step_of_the_verification_is_in_the_table_in_its_order():
    assert first_column("### Bundles") == [check.name for check in verify_bundle(b"").checks]


def test_every_frame_is_in_the_table():
    frames = (Challenge, Hello, Welcome, Rejected, Deposit, Deposited, Deliver, Ack, Call, Answer, Notice)
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", section("## 10. Session"), re.MULTILINE)
    assert rows == [(str(kind), frame.__name__) for kind, frame in enumerate(frames, start=1)]
