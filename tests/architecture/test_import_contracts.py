"""Every import contract bites: a violation planted in a copy of the tree breaks exactly its sentence."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT

# Contract -> (file to append to or create, import to plant) …
PLANTED = {
    "programs": [
        ("dispatch_cli/main.py", "import dispatch_broker"),
        ("dispatch_daemon/app/__init__.py", "import dispatch_broker.core"),
        ("dispatch_broker/app.py", "import dispatch_daemon.core"),
        ("dispatch_protocol/limits.py", "import sandbox.job"),
    ],
    "sandbox-alone": [("sandbox/errors.py", "import dispatch_protocol.errors")],
    "daemon-rooms": [
        ("dispatch_daemon/core/__init__.py", "import dispatch_daemon.adapters.settings"),
        ("dispatch_daemon/adapters/settings.py", "import dispatch_daemon.app"),
        ("dispatch_daemon/helpers.py", "import dispatch_protocol.limits"),  # a room nobody named
    ],
    "broker-rooms": [
        ("dispatch_broker/core/__init__.py", "import dispatch_broker.adapters"),
        ("dispatch_broker/adapters/__init__.py", "import dispatch_broker.app"),
        ("dispatch_broker/helpers.py", "import dispatch_protocol.limits"),
    ],
    "blind-relay": [
        ("dispatch_broker/app.py", "import dispatch_protocol.unseal"),
        ("dispatch_broker/adapters/http.py", "from dispatch_protocol.blob import open_blob"),
        ("dispatch_broker/core/__init__.py", "from dispatch_protocol import seal"),
        ("dispatch_protocol/session.py", "import dispatch_protocol.hpke"),  # reached through another module
    ],
    "pure-rooms": [
        ("dispatch_protocol/limits.py", "import time"),
        ("dispatch_broker/core/__init__.py", "import socket"),
        ("dispatch_daemon/core/__init__.py", "from asyncio import sleep"),
    ],
    "one-verifier": [
        ("dispatch_broker/app.py", "import nacl.signing"),
        ("dispatch_protocol/envelope.py", "from nacl import bindings"),
    ],
    "independent-opener": [
        ("dispatch_protocol/keys.py", "from cryptography.hazmat.primitives import hashes")
    ],
    "processes": [
        ("dispatch_daemon/app/__init__.py", "import subprocess"),
        ("sandbox/changes/__init__.py", "from subprocess import run"),
    ],
    "proof-alone": [
        ("dispatch_daemon/app/daemon.py", "import dispatch_daemon.careless"),
        ("dispatch_broker/__main__.py", "from dispatch_broker.hostile import wire"),
    ],
    "one-executor": [
        ("dispatch_daemon/app/__init__.py", "import sandbox.wall.runner"),
        ("dispatch_broker/app.py", "import sandbox.job"),
    ],
    "one-keychain": [("dispatch_daemon/app/__init__.py", "import keyring")],
    "one-meter": [
        ("dispatch_broker/app.py", "import prometheus_client"),
        ("dispatch_daemon/app/__init__.py", "import prometheus_client.core"),
    ],
    "one-reader-of-tokens": [
        ("dispatch_broker/adapters/tokens.py", "import jwt"),
        ("dispatch_daemon/app/__init__.py", "import jwt.api_jws"),
    ],
    "light-cli": [
        ("dispatch_cli/main.py", "import aiohttp"),
        ("dispatch_protocol/loopback.py", "import pydantic"),
    ],
    "session-library": [
        ("dispatch_cli/main.py", "import mcp"),
        ("dispatch_daemon/app/daemon.py", "import mcp.types"),
    ],
    "session-face": [("dispatch_cli/door.py", "import dispatch_cli.mcp.session")],
    "light-loopback": [("dispatch_protocol/loopback.py", "import dispatch_protocol.signing")],
    "no-circles": [
        ("sandbox/job.py", "import sandbox.events"),
        ("dispatch_protocol/head.py", "import dispatch_protocol.messages.task"),  # messages stand on the head
    ],
}


def sentences() -> dict[str, str]:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    prefix = "importlinter:contract:"
    return {name.removeprefix(prefix): config[name]["name"] for name in config if name.startswith(prefix)}


def lint(tree: Path, *arguments: str) -> str:
    """Return what import-linter says about a tree, one contract a line."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", *arguments]
    environment = {**os.environ, "COLUMNS": "400", "PYTHONPATH": str(tree)}
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    ).stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the tree, complete: some contracts fail by themselves where a module is missing."""
    tree = tmp_path_factory.mktemp("contracts")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tree)
    return tree


def test_every_contract_holds() -> None:
    said = lint(ROOT)
    assert [sentence for sentence in sentences().values() if f"{sentence} KEPT" not in said] == [], said


def test_every_contract_has_a_planted_violation() -> None:
    assert set(PLANTED) == set(sentences())


@pytest.mark.parametrize(
    ("contract", "file", "violation"),
    [(contract, *plant) for contract, plants in PLANTED.items() for plant in plants],
)
def test_a_planted_violation_breaks_its_contract(
    copy: Path, contract: str, file: str, violation: str
) -> None:
    place = copy / file
    before = place.read_text() if place.exists() else None
    place.write_text(f"{before or ''}\n{violation}\n")
    try:
        said = lint(copy, "--contract", contract)
    finally:
        if before is None:
            place.unlink()
        else:
            place.write_text(before)
    assert f"{sentences()[contract]} BROKEN" in said, said
