"""Files that go with a task: which, how many, under which names, and how they are named where a run sees them."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import attachments
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import FileRecord
from dispatch_daemon.core.requests import FileChoice
from dispatch_protocol.messages.files import Attachment, Blob
from tests.support.documents import digest, fixed, task


def record(name: str) -> FileRecord:
    return FileRecord(
        file_id=digest(name).hex,
        key=fixed(name),
        size_bytes=3,
        sha256=digest(f"clear {name}").hex,
        created_ms=1,
    )


def chosen(*names: str) -> list[FileChoice]:
    return [FileChoice(digest(name).hex, name) for name in names]


def kept(*names: str) -> dict[str, FileRecord]:
    return {digest(name).hex: record(name) for name in names}


def named(name: str) -> Attachment:
    return Attachment(name, 1, digest("a"), Blob(digest("b"), fixed("k")))


def test_what_was_handed_over_is_signed_with_its_key_and_digest() -> None:
    (one, two) = attachments.attach(chosen("a", "b"), kept("a", "b"))
    assert one == Attachment("a", 3, digest("clear a"), Blob(digest("a"), fixed("a")))
    assert two.name == "b"


def test_two_of_one_name_are_told_apart() -> None:
    choices = [FileChoice(digest("a").hex, "n.txt"), FileChoice(digest("b").hex, "n.txt")]
    assert [each.name for each in attachments.attach(choices, kept("a", "b"))] == ["n.txt", "n-2.txt"]


@pytest.mark.parametrize(
    ("choices", "code"),
    [
        (chosen("a") * 51, "too_many_files"),
        (chosen("a", "gone"), "file_unknown"),
        ([FileChoice(digest("a").hex, "../up")], "file_name"),
        ([FileChoice(digest("a").hex, "..")], "file_name"),
    ],
)
def test_what_cannot_travel_is_refused_in_words(choices: list[FileChoice], code: str) -> None:
    with pytest.raises(ServiceError) as refused:
        attachments.attach(choices, kept("a"))
    assert refused.value.code == code


def test_the_same_files_are_those_of_the_same_names_and_content_in_the_same_order() -> None:
    sent = attachments.attach(chosen("a", "b"), kept("a", "b"))
    assert attachments.same_files(sent, chosen("a", "b"), kept("a", "b"))
    assert not attachments.same_files(sent, chosen("b", "a"), kept("a", "b"))
    assert not attachments.same_files(sent, chosen("a"), kept("a", "b"))
    assert not attachments.same_files(sent[:1], chosen("a", "b"), kept("a"))
    sealed_anew = {digest("a").hex: replace(record("a"), key=fixed("another"))}
    assert attachments.same_files(sent[:1], chosen("a"), sealed_anew)
    assert attachments.same_files((), (), {})


def test_size_is_judged_before_anything_is_fetched() -> None:
    assert attachments.refusal(task(attachments=(named("a"),)), limit_bytes=1) is None
    too_much = attachments.refusal(task(attachments=(named("a"),)), limit_bytes=0)
    assert too_much is not None
    assert too_much[0] == "file_too_large"


def test_what_waits_on_one_edge_is_bounded_as_a_whole() -> None:
    one = task(attachments=(named("a"),))
    assert attachments.size_of(one) == 1
    room = attachments.WAITING_BYTES - 1
    assert attachments.refusal(one, limit_bytes=1, waiting_bytes=room) is None
    too_much = attachments.refusal(one, limit_bytes=1, waiting_bytes=room + 1)
    assert too_much is not None
    assert too_much[0] == "quota"
    assert attachments.refusal(task(), limit_bytes=1, waiting_bytes=room + 1) is None


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.txt", "report.txt"),
        ("Größe 🎈.md", "Größe 🎈.md"),
        ("-rf", "_rf"),
        (".bashrc", "_bashrc"),
        ("a\x1b[2Jb\n", "a_[2Jb_"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("a\u200bb\ue000", "a_b_"),
        ("a/b\\c", "a_b_c"),
        ("   ", "file"),
        ("u\u0308", "ü"),
    ],
)
def test_name_inside_deceives_nobody(name: str, safe: str) -> None:
    assert attachments.safe_names([named(name)]) == [safe]


def test_names_that_become_one_stay_two_files() -> None:
    names = ["a\n", "a\r", "a_", "x.tar.gz", "x.tar.gz", "é" * 127, "é" * 127]
    safe = attachments.safe_names([named(name) for name in names])
    assert safe[:5] == ["a_", "a_-2", "a_-3", "x.tar.gz", "x.tar-2.gz"]
    assert len(set(safe)) == len(names)
    assert all(len(name.encode()) <= 255 for name in safe)
