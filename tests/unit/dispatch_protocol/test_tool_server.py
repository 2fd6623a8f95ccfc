import json

import pytest

from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import GRANT_SERVERS
from dispatch_protocol.tool_server import (
    FILE_BYTES,
    VARIABLES,
    WORDS,
    ToolServer,
    is_server_name,
    read_servers,
    server_of,
    write_servers,
)

FILES = ToolServer("files", ("/usr/bin/files", "--here", "a b"), {"PLACE": "/srv"}, {"KEY": "env:FILES_KEY"})
MAIL = ToolServer("mail", ("/usr/bin/mail",), {}, {"KEY": "file:/home/bob/.key"})


def altered(**changes):
    return {**FILES.write(), **changes}


def test_reading_is_the_inverse_of_writing_in_the_order_of_names():
    assert read_servers(write_servers([MAIL, FILES])) == (FILES, MAIL)
    assert read_servers(write_servers([])) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a__b"},
        {"name": "a_"},
        {"name": ""},
        {"name": "none"},
        {"name": "x" * 33},
        {"command": []},
        {"command": ["files"]},
        {"command": ["/usr/bin/files", "a\nb"]},
        {"command": ["/x"] * (WORDS + 1)},
        {"environment": {"1X": "y"}},
        {"environment": {"X": "y\n"}},
        {"environment": {"X": 1}},
        {"environment": {f"X{number}": "" for number in range(VARIABLES + 1)}},
        {"environment": {"KEY": "also"}},
        {"secrets": {"KEY": "the-secret-itself"}},
        {"secrets": {"KEY": "file:key"}},
        {"secrets": []},
        {"more": 1},
    ],
)
def test_what_is_no_entry_is_refused(changes):
    with pytest.raises(MalformedError):
        ToolServer.read(Fields(altered(**changes), "server"))


@pytest.mark.parametrize("gone", ["name", "command", "environment", "secrets"])
def test_every_field_is_needed(gone):
    entry = {name: value for name, value in FILES.write().items() if name != gone}
    with pytest.raises(MalformedError):
        ToolServer.read(Fields(entry, "server"))


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"servers": [], "more": 1},
        {"servers": [MAIL.write(), FILES.write()]},
        {"servers": [MAIL.write(), MAIL.write()]},
        {"servers": [altered(name=f"s{number:03}") for number in range(GRANT_SERVERS + 1)]},
    ],
)
def test_what_is_no_list_is_refused(document):
    with pytest.raises(MalformedError):
        read_servers(json.dumps(document).encode())


def test_a_list_is_bounded():
    with pytest.raises(MalformedError):
        read_servers(b" " * (FILE_BYTES + 1))


@pytest.mark.parametrize("name", ["files", "a", "my-files", "a_b-c_d", "F1"])
def test_names(name):
    assert is_server_name(name)


@pytest.mark.parametrize("name", ["a__b", "_a", "a_", "-a", "a.b", "a b", "*", "", "ä", "none", "a\n"])
def test_no_names(name):
    assert not is_server_name(name)


@pytest.mark.parametrize(
    "tool, server",
    [
        ("mcp__files__list", "files"),
        ("mcp__a__b__c", "a"),
        ("mcp__a___b", "a"),
        ("mcp__a", "a"),
        ("mcp__", ""),
        ("Read", None),
        ("xmcp__a__b", None),
    ],
)
def test_a_call_names_the_server_before_the_next_separator(tool, server):
    assert server_of(tool) == server
