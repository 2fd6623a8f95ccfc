"""Every decoder of the product by its name, and every function of the product that looks like one.

The two must be the same: whoever writes a decoder describes it here, or says below why it is none. So no decoder comes
without its property test and its fuzz target.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from tests.architecture.tree import product
from tests.support.decoders.decoder import Decoder
from tests.support.decoders.documents import document_decoders
from tests.support.decoders.programs import program_decoders
from tests.support.decoders.signing_in import sign_in_decoders
from tests.support.decoders.tool_servers import tool_server_decoders
from tests.support.decoders.wire import wire_decoders

_VERB: Final = re.compile(
    r"(decode|decoded|parse|parsed|read|load|loads|from|feed|split|open|unseal|unb64u|unhex|verify)(_\w+)?"
)
_INPUT: Final = re.compile(r"\b(bytes|bytearray|str|Fields|JSON|Document|Signed|Hello|object|Any)\b")

# What has the name and the argument of a decoder and is none; the reason says what it is.
NONE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dispatch_broker.adapters.mail:Server.read": "reads what the operator wrote on the command line",
        "dispatch_daemon.adapters.blobs:BlobStore.open_part": "opens a file by its name",
        "dispatch_protocol.blob:Sealing.feed": "seals and reads nothing",
        "dispatch_cli.http1:Body.feed": "a protocol; its three shapes are read by split_head's target",
        "dispatch_cli.http1:Chunked.feed": "read whole and in pieces by split_head's target",
        "dispatch_cli.http1:Sized.feed": "read whole and in pieces by split_head's target",
        "dispatch_cli.http1:Unbounded.feed": "read whole and in pieces by split_head's target",
        "dispatch_cli.commands.send:_Send.parse_args": "reads what the person at the keyboard typed",
        "dispatch_cli.options:Group.parse_args": "reads what the person at the keyboard typed",
        "dispatch_cli.commands.verify:verify": "opens a file by its name; the bundle goes to receipt:verify_bundle",
        "dispatch_cli.commands.audit:verify_audit": "asks the door for logs; the person typed whose",
        "dispatch_cli.commands.contacts:verify_contact": "reads what the person at the keyboard typed",
        "dispatch_daemon.core.threads:read": "notes what was read, by its digest",
        "dispatch_protocol.invitation:read_address": "one field of a document; read with its document",
        "dispatch_cli.reading:read_text": "opens a file by its name",
        "dispatch_cli.reading:read_steps": "opens a file by its name; what it reads goes to reading:_parsed",
        "dispatch_daemon.adapters.journal.database:Database.read": "asks the daemon's own database",
        "dispatch_daemon.adapters.loopback.sessions:PageSessions.open": "looks up what the door made itself, by its digest",
        "dispatch_daemon.adapters.keychain:Keychain.read": "asks for an entry by its name",
        "dispatch_daemon.adapters.keystore:_Shelf.read": "asks for an entry by its name",
        "dispatch_daemon.adapters.keystore:_FileShelf.read": "asks for an entry by its name",
        "dispatch_daemon.adapters.keystore:_KeychainShelf.read": "asks for an entry by its name",
        "dispatch_broker.core.pairings:Pairings.open": "keeps what a device says and does not read it",
        "dispatch_protocol.links:read_roles": "one field of a document; read with its document",
        "dispatch_protocol.body:read_body": "a frame around a reader; every body goes through it",
        "dispatch_protocol.body:read_object": "one field of a document; read with its document",
        "dispatch_protocol.body:read_word": "one field of a document; read with its document",
        "dispatch_protocol.messages.result:read_place": "two fields of an answer; read with the answer",
        "dispatch_protocol.messages.steps:read_steps": "one field of a task; read with the task",
        "dispatch_protocol.signing:verify": "checks a signature of bytes that are not read",
        "dispatch_protocol.signing:verify_document": "checks signatures of bytes that are not read",
        "sandbox.wall.census:read_share": "reads what the kernel alone writes: numbers, and no name of the run's",
        "sandbox.changes.beneath:open_directory": "opens a directory by its name",
        "sandbox.changes.beneath:open_file": "opens a file by its name",
        "sandbox.changes.beneath:open_root": "opens a directory by its name",
        "sandbox.changes.sources:Sources.open_lower": "opens a file by its name",
        "sandbox.changes.sources:Sources.open_upper": "opens a file by its name",
        "sandbox.tools.workplace:open_regular": "opens a file by its name",
        "sandbox.wall.brief:Brief.decode": "read inside the wall, from its launcher alone",
        "sandbox.wall.speech:decode_request": "read inside the wall, from its launcher alone",
    }
)

# What reads a stranger's bytes under another name, or is private with nothing public between the stranger and it.
BESIDES: Final = frozenset(
    {
        "dispatch_broker.adapters.settings:_read_listen",
        "dispatch_cli.reading:_parsed",
        "dispatch_daemon.adapters.loopback.routes:_decoded",
        "dispatch_protocol.broker_url:check_broker_url",
        "sandbox.changes.git.index:_parse",
        "sandbox.gate.client_hello:Hello.take",
    }
)


@cache
def decoders() -> Mapping[str, Decoder]:
    """Return every decoder by its name."""
    found = [
        *document_decoders(),
        *wire_decoders(),
        *program_decoders(),
        *sign_in_decoders(),
        *tool_server_decoders(),
    ]
    named = {decoder.name: decoder for decoder in found}
    assert len(named) == len(found), "two decoders of one name"
    return MappingProxyType(named)


def look_like_decoders() -> frozenset[str]:
    """Return the public functions of the product that are named like a decoder and take what one takes."""
    return frozenset(
        name
        for source in product()
        for name, function in _functions(".".join(source.path.with_suffix("").parts), source.tree.body)
        if _is_decoder(function)
    )


def _functions(module: str, body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(module, node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield f"{module}:{owner}{node.name}", node


def _is_decoder(function: ast.FunctionDef) -> bool:
    taken = [each.annotation for each in function.args.args if each.annotation is not None]
    return _VERB.fullmatch(function.name) is not None and any(
        _INPUT.search(ast.unparse(annotation)) for annotation in taken
    )
