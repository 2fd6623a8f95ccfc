"""The shared page: a bundle put into one HTML file beside the scripts that check it, and taken out of it again.

The file asks the network for nothing: its policy allows its own script and style, each by its digest, and nothing else.
Whoever gets one and has a program of their own need not believe the page: the bundle is taken out, and judged here.
"""

import base64
import hashlib
from importlib.resources import files
from string import Template
from typing import Final

from dispatch_protocol.encoding import b64u, unb64u
from dispatch_protocol.errors import MalformedError

# One after the other in one scope; each uses those before it.
_SCRIPTS: Final = ("bytes.js", "signatures.js", "chain.js", "evidence.js", "show.js")
_OPENING: Final = '<script type="text/plain" id="bundle">'
_CLOSING: Final = "</script>"
START: Final = b"<!doctype html>"  # how a page begins, and no bundle does


def shared_page(bundle: bytes) -> str:
    """Return the page of a bundle; the same bundle gives the same page."""
    style = f"\n{_asset('page.css')}"
    script = f'\n(() => {{\n"use strict";\n\n{checker()}\nshow();\n}})();\n'
    return Template(_asset("page.html")).substitute(
        STYLE=style,
        STYLE_DIGEST=_digest(style),
        SCRIPT=script,
        SCRIPT_DIGEST=_digest(script),
        BUNDLE=b64u(bundle),
    )


def checker() -> str:
    """Return the scripts that check and show, in one text, without the call that begins."""
    return "\n".join(_asset(name) for name in _SCRIPTS)


def shared_bundle(page: bytes) -> bytes:
    """Return the bundle that a shared page holds; it is read, not verified. Raises MalformedError."""
    text = page.decode("utf-8", "replace")
    if text.count(_OPENING) != 1:
        raise MalformedError("a page that holds no bundle, or more than one")
    inside = text.partition(_OPENING)[2].partition(_CLOSING)[0]
    return unb64u(inside.strip())


def is_as_made(page: bytes, bundle: bytes) -> bool:
    """Say whether a page is byte for byte the one that this version makes of the bundle in it."""
    return page == shared_page(bundle).encode("utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
