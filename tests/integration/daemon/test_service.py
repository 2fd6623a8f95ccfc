"""What the daemon's services answer to requests that are wrong, repeated, or asked while nobody else answers."""

import asyncio
import base64
import contextlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dispatch_protocol.first_contact import Secret
from dispatch_protocol.invitation import MacRule
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.loopback import WHOAMI_NAME
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import edge_id
from tests.support.device import now_ms
from tests.support.dispatch_command import dispatch
from tests.support.door_client import DoorClient, Reply
from tests.support.lifetime import Lifetime
from tests.support.relay import broker_here
from tests.support.stranger import Stranger, Victim, besieged

_HOUR_MS = 3_600_000
_READ = {"tool": "Read", "input": {"file_path": "a"}}


@pytest.fixture
def place() -> Iterator[Path]:
    """A short directory of this test's own: the path of a Unix socket has little room."""
    directory = Path(tempfile.mkdtemp(prefix="dsp-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest_asyncio.fixture
async def signed_in(place: Path) -> AsyncIterator[Victim]:
    """A daemon that is signed in at a relay of the test's own."""
    async with besieged(place) as daemon:
        yield daemon


@pytest.fixture
def carol(signed_in: Victim) -> Stranger:
    """Somebody at the same relay."""
    return Stranger("carol", signed_in)


async def keyed(daemon: Victim, key: str, **fields: Any) -> Reply:
    """Send a dispatch under an idempotency key."""
    client = DoorClient(daemon.door, None)  # type: ignore[arg-type] - it needs no more of a door than this
    return await client.ask("POST", "/v1/dispatches", fields, unix=True, Idempotency_Key=key)


async def test_repeated_request_is_one_dispatch_however_its_recipient_is_spelled(
    signed_in: Victim, carol: Stranger
) -> None:
    await carol.may_be_sent()
    asked = {"task": "Once", "steps": [_READ], "links": ["https://a"], "meta": {"k": "v"}, "expires": 90}
    first = await keyed(signed_in, "k", recipient="carol@example.org", **asked)
    again = await keyed(signed_in, "k", recipient="Carol", **asked)
    assert (first.status, again.status) == (201, 201)
    assert again.value["dispatch_id"] == first.value["dispatch_id"]
    assert len((await signed_in.do("GET", "/v1/dispatches?box=sent"))["dispatches"]) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"recipient": "carol@example.org"},
        {"recipient": "nobody@example.org"},
        {"task": "Twice"},
        {"steps": [_READ, _READ]},
        {"steps": [_READ | {"allow_failure": True}]},
        {"background": "b"},
        {"links": ["https://a"]},
        {"deliverable": "d"},
        {"project": "p"},
        {"meta": {"k": "v"}},
        {"expires": 90},
        {"timeout": 9},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_key_of_another_request_is_refused(
    signed_in: Victim, carol: Stranger, other: dict[str, Any]
) -> None:
    await carol.may_be_sent()
    asked = {"recipient": "me", "task": "Once", "steps": [_READ]}
    assert (await keyed(signed_in, "k", **asked)).status == 201
    reply = await keyed(signed_in, "k", **(asked | other))
    assert (reply.status, reply.code) == (409, "idempotency_conflict")
    assert len((await signed_in.do("GET", "/v1/dispatches?box=sent"))["dispatches"]) == 1


async def test_key_for_a_contact_does_not_fetch_ones_own_job(signed_in: Victim, carol: Stranger) -> None:
    await carol.may_be_sent()
    assert (await keyed(signed_in, "k", recipient="carol", task="Once")).status == 201
    assert (await keyed(signed_in, "k", recipient="me", task="Once")).code == "idempotency_conflict"


@pytest.mark.parametrize("cursor", ["garbage", "9" * 40 + ".ab", "-1.ab", ".", str(2**63) + ".ab"])
async def test_cursor_that_no_listing_gave_is_refused(signed_in: Victim, cursor: str) -> None:
    typed = base64.urlsafe_b64encode(cursor.encode()).decode().rstrip("=")
    reply = await signed_in.ask("GET", f"/v1/dispatches?cursor={typed}")
    assert (reply.status, reply.code) == (400, "bad_request")


async def shows_expired(life: Lifetime, where: str) -> None:
    """Wait until the daemon has noticed that a dispatch's time is over."""
    while True:
        if (await life.door.do("GET", where))["status"] == "expired":
            return
        await asyncio.sleep(0.02)


async def test_expired_dispatch_has_a_result(place: Path) -> None:
    """The journal's latest time passes for the present: the daemon was off until after the end."""
    life = Lifetime(place)
    await life.start()
    sent = await life.door.do("POST", "/v1/dispatches", {"recipient": "me", "task": "Soon", "expires": 60})
    where = f"/v1/dispatches/{sent['dispatch_id']}"
    refused = await life.door.ask("GET", f"{where}/result")
    assert (refused.code, refused.value["detail"]) == (
        "not_finished",
        "this dispatch has not ended: it waits for your yes",
    )
    await life.stop()
    with contextlib.closing(sqlite3.connect(place / "journal.db")) as journal:
        journal.execute("UPDATE meta SET value = ? WHERE key = 'floor_ms'", (str(now_ms() + _HOUR_MS),))
        journal.commit()
    await life.start()
    try:
        await shows_expired(life, where)
        result = await life.door.do("GET", f"{where}/result")
        assert (result["status"], result["outcome"], result["files"]) == ("expired", None, [])
        ended = dispatch(place, "verify", result["bundle"], "--json")
        assert (ended.code, ended.json["ok"]) == (0, True)
    finally:
        await life.stop()


async def test_invitation_is_answered_by_the_id_that_the_list_shows(
    signed_in: Victim, carol: Stranger
) -> None:
    document = carol.device.invitation(signed_in.address, signed_in.relay.url)
    signed_in.relayed.received.append(carol.listing(document))
    known = edge_id(document.digest).uuid
    (listed,) = (await signed_in.do("GET", "/v1/invitations"))["received"]
    assert listed["invitation_id"] == known
    accept = {"token": known[:8], "tools": ["Read"]}
    assert (await signed_in.ask("POST", "/v1/invitations/accept", accept)).code == "token_needed"
    decline = "/v1/invitations/decline"
    assert (await signed_in.ask("POST", decline, {"token": known[:3]})).code == "not_found"
    assert (await signed_in.ask("POST", decline, {"token": "ffff" + known})).code == "not_found"
    assert (await signed_in.ask("POST", decline, {"token": "dispatch1:x"})).code == "invalid"
    done = await signed_in.do("POST", decline, {"token": known[:8]})
    assert (done["invitation_id"], done["status"]) == (known, "declined")
    assert (await signed_in.ask("POST", decline, {"token": known})).code == "not_pending"


async def test_invitation_is_answered_before_it_was_ever_listed(signed_in: Victim, carol: Stranger) -> None:
    document = carol.device.invitation(signed_in.address, signed_in.relay.url)
    signed_in.relayed.received.append(carol.listing(document))
    typed = edge_id(document.digest).uuid.upper()
    assert (await signed_in.do("POST", "/v1/invitations/decline", {"token": typed}))["status"] == "declined"


async def test_nobody_is_let_in_who_says_that_they_have_ones_own_address(
    signed_in: Victim, carol: Stranger
) -> None:
    document = carol.device.invitation(
        signed_in.address, signed_in.relay.url, from_email=signed_in.address, mac=MacRule.OPTIONAL
    )
    signed_in.relayed.received.append(carol.listing(document))
    accept = {"token": edge_id(document.digest).uuid, "tools": ["Read"]}
    assert (await signed_in.ask("POST", "/v1/invitations/accept", accept)).code == "invitation_mismatch"
    assert (await signed_in.do("GET", "/v1/contacts"))["edges"] == []


async def test_relay_that_answers_nothing_holds_up_no_list(signed_in: Victim, carol: Stranger) -> None:
    await carol.may_dispatch(tools=["Read"])
    signed_in.relay.answers = lambda frame: []
    async with asyncio.timeout(10):
        (edge,) = (await signed_in.do("GET", "/v1/contacts"))["edges"]
        assert (edge["status"], edge["online"]) == ("active", None)
        assert len((await signed_in.do("GET", "/v1/invitations"))["received"]) == 1


async def test_hosts_are_granted_by_name_in_one_spelling(signed_in: Victim, carol: Stranger) -> None:
    for wrong in ("127.0.0.1", "https://example.org", "*.example.org"):
        with pytest.raises(AssertionError, match=r"422.*invalid"):
            await carol.may_dispatch(tools=["Bash"], network=[wrong])
    await carol.may_dispatch(tools=["Bash"], network=["example.org:443", "git.lan:8443"])
    (edge,) = (await signed_in.do("GET", "/v1/contacts"))["edges"]
    assert edge["scopes"]["network"] == ["example.org", "git.lan:8443"]


async def test_a_server_that_is_not_here_is_not_granted(signed_in: Victim, carol: Stranger) -> None:
    with pytest.raises(AssertionError, match=r"409.*mcp_unavailable"):
        await carol.may_dispatch(tools=["Read"], mcp_servers=["files"])
    assert carol.all_heard(Kind.ACCEPTANCE) == []


async def test_full_profile_grants_no_server_that_may_come_later(signed_in: Victim, carol: Stranger) -> None:
    await carol.may_dispatch(profile="full", network=None)
    (edge,) = (await signed_in.do("GET", "/v1/contacts"))["edges"]
    assert (edge["scopes"]["mcp_servers"], "Bash" in edge["scopes"]["tools"]) == ([], True)


async def test_home_says_who_it_is_while_no_daemon_runs(signed_in: Victim) -> None:
    who = await signed_in.do("GET", "/v1/whoami")
    await signed_in.stop()
    ended = dispatch(signed_in.home, "whoami", "--no-start", "--json")
    assert ended.code == 0
    told = ended.json
    assert {name: told[name] for name in ("user", "identity", "device")} == {
        name: who[name] for name in ("user", "identity", "device")
    }
    assert (told["user"], told["daemon"]["running"]) == ("victim@example.org", False)
    recorded = json.loads((signed_in.home / WHOAMI_NAME).read_text())
    assert set(recorded) == {"user", "identity", "device", "broker"}


async def test_edge_that_is_not_there_cannot_be_ended(signed_in: Victim, carol: Stranger) -> None:
    await carol.may_be_sent()
    for asked in ({"peer": "carol"}, {"peer": "nobody", "outgoing": True}):
        reply = await signed_in.ask("POST", "/v1/contacts/revoke", asked)
        assert (reply.status, reply.code) == (404, "peer_unknown")
    ended = {"peer": "carol", "outgoing": True}
    assert (await signed_in.do("POST", "/v1/contacts/revoke", ended))["status"] == "revoked"
    assert (await signed_in.ask("POST", "/v1/contacts/revoke", ended)).code == "not_pending"


@pytest.mark.parametrize(
    ("directory", "code"), [("project", "path_invalid"), (".", "path_invalid"), ("/nowhere", "cwd_missing")]
)
async def test_run_directory_is_named_in_full_and_exists(
    signed_in: Victim, directory: str, code: str
) -> None:
    sent = await signed_in.do("POST", "/v1/dispatches", {"recipient": "me", "task": "Where?"})
    where = f"/v1/dispatches/{sent['dispatch_id']}"
    reply = await signed_in.ask("POST", f"{where}/accept", {"cwd": directory})
    assert (reply.status, reply.code) == (422, code)
    assert (await signed_in.do("GET", where))["status"] == "delivered"


async def sent_to(daemon: Victim, recipient: str) -> tuple[int, str, str, str]:
    """Return the refusal of a task to somebody."""
    reply = await daemon.ask("POST", "/v1/dispatches", {"recipient": recipient, "task": "Hello"})
    return reply.status, reply.code, reply.value["detail"], reply.value["hint"]


async def test_task_to_somebody_who_was_invited_is_told_to_wait(signed_in: Victim) -> None:
    before = await sent_to(signed_in, "bob@example.org")
    assert before == (
        403,
        "no_edge",
        "bob@example.org has not allowed you to send tasks",
        "dispatch invite bob@example.org",
    )
    await signed_in.do("POST", "/v1/invitations", {"email": "bob@example.org"})
    for typed in ("bob@example.org", "BOB@example.org", "bob"):
        status, code, said, hint = await sent_to(signed_in, typed)
        assert (status, code, hint) == (403, "no_edge", "dispatch invitations")
        assert said.startswith("your invitation to bob@example.org waits for their yes")


async def test_task_to_a_name_that_nobody_has_invites_nobody(signed_in: Victim, carol: Stranger) -> None:
    said = "nobody who is called nobody is known here"
    assert await sent_to(signed_in, "nobody") == (404, "peer_unknown", said, "dispatch contacts")
    await carol.may_dispatch(tools=["Read"])
    for typed in ("carol", carol.device.genesis.hex):
        _, code, said, hint = await sent_to(signed_in, typed)
        assert (code, said) == ("no_edge", "carol@example.org has not allowed you to send tasks")
        assert hint == "dispatch invite carol@example.org"


async def test_ones_own_token_is_said_to_be_ones_own(signed_in: Victim) -> None:
    made = await signed_in.do("POST", "/v1/invitations", {"email": "bob@example.org"})
    for typed in (made["token"], made["invitation_id"]):
        reply = await signed_in.ask("POST", "/v1/invitations/accept", {"token": typed, "tools": ["Read"]})
        assert (reply.status, reply.code) == (403, "invitation_mismatch")
        assert reply.value["detail"].startswith("this invitation is your own, for bob@example.org to accept")
        assert reply.value["hint"] == f"dispatch decline-invitation {made['invitation_id'][:8]}"
    await signed_in.do("POST", "/v1/invitations/decline", {"token": made["invitation_id"]})
    reply = await signed_in.ask("POST", "/v1/invitations/accept", {"token": made["token"], "tools": ["Read"]})
    assert (reply.code, reply.value["hint"]) == ("invitation_mismatch", "dispatch invitations")
    assert "it is over" in reply.value["detail"]


async def test_doctor_names_a_broker_that_is_down_and_what_to_do(signed_in: Victim) -> None:
    async def check() -> dict[str, Any]:
        checks = (await signed_in.do("GET", "/v1/doctor"))["checks"]
        return next(each for each in checks if each["name"] == "broker")

    url = signed_in.relay.url
    assert (await check())["detail"] == f"connected to {url}"
    await signed_in.relay.stop()
    while (ill := await check())["detail"] != f"{url}: nothing listens there":
        assert ill["detail"].startswith((url, "connected"))
        await asyncio.sleep(0.02)
    assert not ill["ok"]
    assert "dispatch login --broker URL --email YOU" in ill["remedy"]


async def test_token_that_is_cut_or_mistyped_says_so(signed_in: Victim, carol: Stranger) -> None:
    document = carol.device.invitation(signed_in.address, signed_in.relay.url)
    signed_in.relayed.received.append(carol.listing(document))
    proof = Secret(bytes(16))
    token = InvitationToken(
        signed_in.relay.url, edge_id(document.digest), carol.device.genesis, proof
    ).format()

    async def refused(typed: str) -> tuple[str, str]:
        reply = await signed_in.ask("POST", "/v1/invitations/accept", {"token": typed, "tools": ["Read"]})
        return reply.code, reply.value["detail"]

    cut = ("invalid", "this token is mistyped or cut: copy it again as a whole")
    for typed in (token[:-1], token[:-1] + "B", token[:-30], token[9:], token.replace("#", "")):
        assert await refused(typed) == cut
    wrong = "0" if token[token.index("#") + 1] != "0" else "1"
    code, said = await refused(token.replace(f"#{carol.device.genesis.hex[0]}", f"#{wrong}"))
    assert (code, "copy it again as a whole" in said) == ("invitation_mismatch", True)
    known = edge_id(document.digest).uuid
    code, said = await refused(token.replace(known, known[:-1] + ("0" if known[-1] != "0" else "1")))
    assert (code, "the token is mistyped, or, if you have not answered it" in said) == ("not_found", True)


async def test_sign_in_at_a_development_broker_is_told_of_development_mode(place: Path) -> None:
    life = Lifetime(place)
    await life.start()
    try:
        async with broker_here(place / "broker") as broker:
            begin = {"broker": broker.url, "email": "bob@example.org", "page": False}
            reply = await life.door.ask("POST", "/v1/login/begin", begin)
            assert (reply.status, reply.code) == (403, "sign_in_unavailable")
            typed = f"dispatch login --broker {broker.url} --email bob@example.org --dev"
            assert reply.value["hint"] == f"If it was started with --dev: {typed}"
    finally:
        await life.stop()
