"""Documents are kept true by machine: links resolve, promises name tests that exist, no machine leaks in."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.architecture.tree import ROOT, expect_none, files, markdown

EXTERNAL = re.compile(r"^(?:https?|mailto):")
# Places of one machine: in a document they are always a slip.
MACHINE_PLACES = re.compile(
    r"(?<![\w.])/(?:root|work|Users|home/(?!you\b|alice\b|bob\b)\w+|opt/(?:pypi|wheels))(?:/|\b)"
)
NAMED_PATH = re.compile(r"`((?:dispatch_\w+|sandbox|scripts|tests|docs|requirements)/[\w./-]*)`")
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)*)(?:\[[^`]*\])?`")


@cache
def tokens(path: Path) -> tuple[Token, ...]:
    return tuple(MarkdownIt("commonmark").enable("table").parse((ROOT / path).read_text(encoding="utf-8")))


def links(path: Path) -> Iterator[tuple[int, str]]:
    for block in tokens(path):
        line = (block.map or [0])[0] + 1
        for inline in block.children or ():
            target = inline.attrGet("href") if inline.type == "link_open" else None
            target = inline.attrGet("src") if inline.type == "image" else target
            if target is not None:
                yield line, str(target)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, made as GitHub makes them."""
    found: set[str] = set()
    blocks = tokens(path)
    for opening, inline in pairwise(blocks):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            repeats = sum(
                1 for known in found if known == slug or re.fullmatch(re.escape(slug) + r"-\d+", known)
            )
            found.add(f"{slug}-{repeats}" if repeats else slug)
    return found


def broken(document: Path, target: str) -> bool:
    name, _, anchor = unquote(target).partition("#")
    aim = (ROOT / document.parent / name).resolve() if name else ROOT / document
    if not aim.exists() or not aim.is_relative_to(ROOT):
        return True
    return bool(anchor) and aim.suffix == ".md" and anchor not in anchors(aim.relative_to(ROOT))


def test_every_link_of_every_document_resolves() -> None:
    dead = [
        f"{document}:{line} {target}"
        for document in markdown()
        for line, target in links(document)
        if not EXTERNAL.match(target) and broken(document, target)
    ]
    expect_none(dead)


def test_every_path_that_a_document_names_exists() -> None:
    missing = [
        f"{document}: {match[1]}"
        for document in markdown()
        for match in NAMED_PATH.finditer((ROOT / document).read_text(encoding="utf-8"))
        if not (ROOT / match[1]).exists()
    ]
    expect_none(missing)


def test_every_test_that_a_document_names_exists() -> None:
    missing = [
        f"{document}: {match.group()}"
        for document in markdown()
        for match in NAMED_TEST.finditer((ROOT / document).read_text(encoding="utf-8"))
        if not there(Path(match[1]), match[2].split("::")[1:])
    ]
    expect_none(missing)


def test_every_row_of_the_threat_model_names_its_test() -> None:
    rows = [
        (number, line)
        for number, line in enumerate(
            (ROOT / "docs/THREAT_MODEL.md").read_text(encoding="utf-8").splitlines(), 1
        )
        if line.startswith("| ") and not line.endswith("tested by |")
    ]
    assert len(rows) > 100
    expect_none([f"docs/THREAT_MODEL.md:{number}" for number, line in rows if not NAMED_TEST.search(line)])


def there(path: Path, names: list[str]) -> bool:
    """Say whether a test can be run by the id that a document gives: with the class that it stands in, or by its file."""
    if not (ROOT / path).is_file():
        return False
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    for name in names:
        found = next((node for node in body if isinstance(node, kinds) and node.name == name), None)
        if found is None:
            return False
        body = found.body
    return True


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("::TestUpdating::test_two_histories_stop_the_contact_loudly", True),
        ("::test_two_histories_stop_the_contact_loudly", False),
        ("::TestGenesis::test_two_histories_stop_the_contact_loudly", False),
        ("::TestUpdating", True),
        ("", True),
        ("::TestUpdating::test_nothing", False),
    ],
)
def test_an_id_without_its_class_names_no_test(name: str, is_there: bool) -> None:
    match = NAMED_TEST.fullmatch(f"`tests/unit/dispatch_protocol/test_chain.py{name}`")
    assert match is not None
    assert there(Path(match[1]), match[2].split("::")[1:]) is is_there


def test_no_document_mentions_a_place_of_one_machine() -> None:
    found = [
        f"{path}: {match.group()}"
        for path in (
            *markdown(),
            Path("pyproject.toml"),
            *(path for path in files() if path.parts[0] == "requirements"),
        )
        for match in MACHINE_PLACES.finditer((ROOT / path).read_text(encoding="utf-8"))
    ]
    expect_none(found)


def test_no_file_mentions_where_this_checkout_lies() -> None:
    here = f"{ROOT}/".encode()
    expect_none(str(path) for path in files() if here in (ROOT / path).read_bytes())


def test_every_decision_record_is_complete_and_listed() -> None:
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    incomplete = []
    for path in sorted((ROOT / "docs/adr").glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        if any(f"## {part}" not in text for part in ("Context", "Decision", "Consequence")):
            incomplete.append(path.name)
        if path.name not in index:
            incomplete.append(f"{path.name} is not listed")
    expect_none(incomplete)
