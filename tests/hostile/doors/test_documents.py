"""Both doors as a stranger uses them who has nothing but their OpenAPI documents: schemathesis against real processes.

It calls every operation with what the document allows and with what it forbids. What is looked for: no 5xx and no
traceback, no status and no answer that the document does not know, nothing forbidden that is accepted.
`DISPATCH_TEST_EXAMPLES=500 scripts/test tests/hostile/doors` calls each operation so many times with each kind of data.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispatch_command import SCALE
from tests.support.neighbourhood import Neighbourhood, read

EXAMPLES = os.environ.get("DISPATCH_TEST_EXAMPLES")
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
# What a document cannot say is checked nevertheless: an address must be one, a prefix must name something. So a request
# that fits the schema may be refused, and `positive_data_acceptance` would call that wrong.
_CONFIG = """
[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "406", "408", "409", "411", "413",
    "415", "422", "426", "429"]
"""


@pytest.fixture
def doors(place: Path, repository: Path) -> Iterator[Neighbourhood]:
    """Alice and Bob, an edge between them, and something in Bob's inbox."""
    everybody = Neighbourhood(place)
    try:
        everybody.open()
        everybody.befriend("--tools", "Read", "--paths", f"{repository}:ro")
        everybody.send("Look around", [read("notes.md")])
        yield everybody
    finally:
        everybody.close()


def operations(document: dict[str, Any]) -> list[str]:
    """Name every operation of a document as reports name it."""
    return [
        f"{method.upper()} {path}"
        for path, entry in document["paths"].items()
        for method in entry
        if method in _METHODS
    ]


def called(url: str, place: Path, *arguments: str, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    """Call every operation of the document at `url` but those of the paths in `leave`; return the report."""
    (place / "schemathesis.toml").write_text(_CONFIG)
    report = place / "report.json"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/v1/openapi.json"),
        *("--max-examples", EXAMPLES or "6", "--continue-on-failure", "--no-color"),
        *("--suppress-health-check", "all", "--request-timeout", "30", "--phases", "coverage,fuzzing"),
        *("--report", "json", "--report-json-path", str(report)),
        *(part for path in leave for part in ("--exclude-path", path)),
        *([] if EXAMPLES else ["--seed", "1"]),
        *arguments,
    ]
    ended = subprocess.run(
        command,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=3000 if EXAMPLES else 120 * SCALE,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def described(url: str, token: str | None = None) -> list[str]:
    """Return the operations that a door describes."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/openapi.json", headers=headers)) as answer:
        return operations(json.load(answer))


def judge(found: dict[str, Any], known: list[str], left: set[str]) -> None:
    """Hold a report to what it must say: every operation was called, and nothing was wrong."""
    assert (found["failures"], found["errors"]) == ([], [])
    left = left | {"GET /v1/openapi.json"}  # called to begin with, and not counted
    assert set(known) > left
    assert found["operations"]["tested"] == len(known) - len(left)
    assert found["test_cases"]["generated"] > 5 * found["operations"]["tested"]


@pytest.mark.timeout(3600 if EXAMPLES else 150)
def test_the_daemons_door_is_as_its_document_says(doors: Neighbourhood, place: Path) -> None:
    bob = doors.bob
    token = (bob.home / "local.token").read_text().strip()
    # One ends the daemon, one never ends, and one hangs up, after which the others would be answered with nothing but
    # "sign in": all three are called by tests of their own.
    leave = ("/v1/daemon/stop", "/v1/events", "/v1/logout", "/v1/panic")
    found = called(bob.daemon.url, place, "--header", f"Authorization: Bearer {token}", leave=leave)
    judge(
        found,
        described(bob.daemon.url, token),
        {"POST /v1/daemon/stop", "GET /v1/events", "POST /v1/logout", "POST /v1/panic"},
    )
    assert bob.do("whoami")["daemon"]["running"] is True
    assert "Traceback" not in bob.daemon.log.read_text()


@pytest.mark.timeout(3600 if EXAMPLES else 150)
def test_without_a_token_the_daemons_door_stays_closed_whatever_is_asked(
    doors: Neighbourhood, place: Path
) -> None:
    bob = doors.bob
    token = (bob.home / "local.token").read_text().strip()
    document = place / "openapi.json"
    headers = {"Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{bob.daemon.url}/v1/openapi.json", headers=headers)
    ) as answer:
        document.write_bytes(answer.read())
    before = bob.do("inbox"), bob.do("contacts"), bob.do("invitations")
    (place / "stranger.py").write_text(_STRANGER.format(url=bob.daemon.url, document=str(document)))
    ended = subprocess.run(
        [sys.executable, str(place / "stranger.py")],
        capture_output=True,
        text=True,
        timeout=120 * SCALE,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (bob.do("inbox"), bob.do("contacts"), bob.do("invitations")) == before
    assert bob.do("whoami")["daemon"]["running"] is True


# Every operation once with data that the document allows, and no token.
_STRANGER = """
import json, sys
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

schema = schemathesis.openapi.from_dict(json.load(open({document!r})))
opened = 0
for found in schema.get_all_operations():
    operation = found.ok()
    answers = []

    @given(case=operation.as_strategy())
    @settings(max_examples=3, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    def ask(case):
        answers.append(case.call(base_url={url!r}, timeout=30).status_code)

    ask()
    assert set(answers) == {{401}}, (operation.label, answers)
    opened += 1
assert opened > 20, opened
"""


@pytest.mark.timeout(3600 if EXAMPLES else 150)
def test_the_brokers_door_is_as_its_document_says(doors: Neighbourhood, place: Path) -> None:
    url = doors.broker.url
    found = called(url, place, leave=("/v1/session",))  # an upgrade: frames are tried elsewhere
    judge(found, described(url), {"GET /v1/session"})
    assert "traceback" not in doors.broker.log.read_text()
    doors.alice.do("send", doors.bob.address, "Still there?")
