"""Invitations, contacts, signing in and settings: what widens trust is chosen by a human, in so many words."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from dispatch_cli.settings import SETTINGS
from tests.support import door_documents as documents
from tests.support.dispatch_command import Terminal, command, dispatch, environment
from tests.support.door_documents import ALICE, BOB, ID
from tests.support.scripted_daemon import Script, problem

TOKEN = "dispatch1:http://127.0.0.1:8000/4f2a#" + "ab" * 32 + ".c2VjcmV0"
ACCEPT = "/v1/invitations/accept"


@pytest.fixture
def accepting(door: Script) -> Script:
    door.answer(
        "POST", ACCEPT, {"edge_id": ID, "peer": ALICE, "scopes": documents.scopes(), "trust": "token"}
    )
    return door


def test_an_invitation_is_passed_on_by_hand(door: Script, home: Path) -> None:
    invited = {
        "invitation_id": ID,
        "link": "http://x/i/4f2a",
        "token": TOKEN,
        "emailed": False,
        "expires_at": documents.LATER,
    }
    door.answer("POST", "/v1/invitations", invited, status=201)
    shown = dispatch(home, "invite", BOB, "--link-only").out
    assert door.requests[-1].body == {"email": BOB, "link_only": True}
    assert f"they type   dispatch accept-invitation '{TOKEN}' --profile read-only" in shown
    assert "Nothing was mailed" in shown
    assert "█" not in shown
    assert dispatch(home, "invite", BOB, "--json", "--qr").json == invited
    drawn = dispatch(home, "invite", BOB, "--qr").out
    assert drawn.endswith(shown), "the token stands below the picture all the same"
    assert "█" in drawn.removesuffix(shown)


def test_a_token_that_leaked_is_shown_with_what_to_ask_and_type(door: Script, home: Path) -> None:
    alarm = {"accepted_by": "ab" * 32, "identity": "cd" * 32, "at": documents.LATER}
    sent = {"invitation_id": ID, "peer": BOB, "status": "confirmed", "link": "x", "expires_at": None}
    door.answer("GET", "/v1/invitations", {"sent": [sent | {"also_proved": alarm}], "received": []})
    shown = dispatch(home, "invitations").out
    assert f"The token for {BOB} has leaked" in shown
    assert f"{'ab' * 8} came first" in shown
    assert f"end it with   dispatch revoke {BOB} --outgoing" in shown
    door.answer(
        "GET",
        "/v1/invitations",
        {"sent": [sent | {"also_proved": None, "unproved_at": None}], "received": []},
    )
    assert "leaked" not in dispatch(home, "invitations").out


def test_the_scopes_are_always_chosen(accepting: Script, home: Path) -> None:
    accepting.answer("GET", "/v1/invitations", {"sent": [], "received": []})
    ended = dispatch(home, "accept-invitation", TOKEN)
    assert ended.code == 2
    assert ended.err.startswith("Who asks: Somebody whose invitation this machine has not heard of")
    assert "--profile read-only    Read, Glob, Grep" in ended.err
    assert ended.err.endswith(f"next   dispatch accept-invitation '{TOKEN}' --profile read-only\n")
    error = dispatch(home, "accept-invitation", TOKEN, "--paths", "/x", "--json").json["error"]
    assert error["code"] == "scope_choice_required"
    assert not [each for each in accepting.requests if each.method == "POST"]
    assert (
        dispatch(home, "accept-invitation", TOKEN, "--no-start", DISPATCH_HOME=str(home / "none")).code == 2
    )


INVITED = "4f2a91c0-0000-8000-8000-000000000001"


@pytest.mark.parametrize(
    ("typed", "identity", "edges", "says", "whose"),
    [
        ("token", "ab" * 32, [], f"{ALICE}, identity {'ab' * 8}: the token names both", f"{ALICE}'s"),
        ("4f2a91c0", "ab" * 32, [], "without the token nothing else proves who asks", f"{ALICE}'s"),
        ("token", "cd" * 32, [], "names another identity than the invitation does", "their"),
        ("4f2", "ab" * 32, [], "has not heard of", "their"),
        ("dispatch1:nonsense", "ab" * 32, [], "has not heard of", "their"),
        ("token", "ab" * 32, [{"peer": ALICE, "identity": "ab" * 32, "trust": "compared", "alias": "Al"}],
         "You know this identity as Al (compared)", f"{ALICE}'s"),
        ("token", "ab" * 32, [{"peer": ALICE, "identity": "ef" * 32, "trust": "compared"}],
         "You know another identity under this address", f"{ALICE}'s"),
    ],
)  # fmt: skip
def test_who_asks_is_said_before_the_choice_and_no_name_that_nothing_proves(
    door: Script, home: Path, typed: str, identity: str, edges: list[object], says: str, whose: str
) -> None:
    proof = "ab" * 32 + "." + "A" * 22
    token = f"dispatch1:127.0.0.1:8000/{INVITED}#{proof}" if typed == "token" else typed
    received = {"invitation_id": INVITED, "peer": ALICE, "identity": identity, "status": "pending"}
    door.answer("GET", "/v1/invitations", {"sent": [], "received": [received]})
    door.answer("GET", "/v1/contacts", {"edges": edges})
    ended = dispatch(home, "accept-invitation", token)
    assert ended.code == 2
    assert says in " ".join(ended.err.split())
    assert ("Nobody has compared yet" in " ".join(ended.err.split())) == (
        whose != "their" and "(compared)" not in says
    )
    assert f"what {whose} tasks may do here" in " ".join(ended.err.split())


def test_the_choice_arrives_spelled_out(accepting: Script, home: Path, tmp_path: Path) -> None:
    ended = dispatch(
        home, "accept-invitation", "-", "--tools", "Read, Grep", "--paths", r"api:ro,/srv/a\,b:rw,/c:d",
        "--paths", "~/x", "--mcp-servers", "none", "--network", "pypi.org", "--approval", "review", "--returns",
        "trace", "--max-per-day", "5", "--expires-at", "2027-01-31T12:00:00Z",
        stdin=f"{TOKEN}\n".encode(), cwd=tmp_path, HOME="/home/bob",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert accepting.requests[-1].body == {
        "token": TOKEN,
        "tools": ["Read", "Grep"],
        "paths": [
            {"path": str(tmp_path / "api"), "mode": "ro"},
            {"path": "/srv/a,b", "mode": "rw"},
            {"path": "/c:d", "mode": "ro"},
            {"path": "/home/bob/x", "mode": "ro"},
        ],
        "mcp_servers": [],
        "network": ["pypi.org"],
        "approval": "review",
        "returns": "trace",
        "max_per_day": 5,
        "expires_at": "2027-01-31T12:00:00Z",
    }
    assert "may Read, Glob, Grep, Write · in /srv/api (rw) · no network · you approve each call" in ended.out
    assert "Each task still waits until you accept it." in ended.out
    assert f"dispatch revoke {ALICE}" in ended.out


def test_a_profile_is_a_choice_too(accepting: Script, home: Path) -> None:
    dispatch(home, "accept-invitation", TOKEN, "--profile", "full")
    assert accepting.requests[-1].body == {"token": TOKEN, "profile": "full"}
    assert dispatch(home, "accept-invitation", TOKEN, "--profile", "root").code == 2
    assert dispatch(home, "accept-invitation", TOKEN, "--tools", "Read", "--paths", ":rw").code == 2


def test_invitations_are_listed_with_the_next_step(door: Script, home: Path) -> None:
    door.answer("GET", "/v1/invitations", {"sent": [], "received": []})
    assert dispatch(home, "invitations").out.startswith("No invitations.")
    one = {
        "invitation_id": ID,
        "peer": ALICE,
        "status": "pending",
        "token": "t",
        "expires_at": documents.LATER,
    }
    sent = {
        "invitation_id": ID,
        "peer": BOB,
        "status": "confirmed",
        "link": "x",
        "expires_at": documents.LATER,
    }
    door.answer("GET", "/v1/invitations", {"sent": [sent], "received": [one]})
    shown = dispatch(home, "invitations").out
    assert "accept with   dispatch accept-invitation TOKEN --profile read-only" in shown
    assert "or            dispatch decline-invitation 4f2a91c0" in shown


def test_an_invitation_is_declined(door: Script, home: Path) -> None:
    door.answer("POST", "/v1/invitations/decline", {"invitation_id": ID, "status": "declined"})
    assert dispatch(home, "decline-invitation", ID).out == "Declined. No edge was made.\n"
    assert door.requests[-1].body == {"token": ID}


def test_ones_own_invitation_is_taken_back(door: Script, home: Path) -> None:
    sent = {"invitation_id": ID, "peer": BOB, "status": "pending", "link": "x", "expires_at": documents.LATER}
    door.answer("GET", "/v1/invitations", {"sent": [sent], "received": []})
    assert "take it back with   dispatch decline-invitation 4f2a91c0" in dispatch(home, "invitations").out
    door.answer("GET", "/v1/invitations", {"sent": [{**sent, "status": "revoked"}], "received": []})
    assert "take it back" not in dispatch(home, "invitations").out
    door.answer("POST", "/v1/invitations/decline", {"invitation_id": ID, "status": "revoked"})
    assert dispatch(home, "decline-invitation", ID).out == "Taken back. Nobody can accept it any more.\n"


def test_signing_in_passes_the_broker_on(door: Script, home: Path) -> None:
    door.answer("POST", "/v1/login", documents.whoami() | {"recovery_hint": "Write it down soon."})
    ended = dispatch(home, "login", "--broker", "http://127.0.0.1:8000", "--email", BOB, "--dev")
    assert door.requests[-1].body == {"broker": "http://127.0.0.1:8000", "email": BOB, "dev": True}
    assert ended.out.startswith(f"Signed in as {BOB} at http://127.0.0.1:8000.\nWrite it down soon.\n")
    shown = dispatch(home, "login", "--email", BOB, "--json", DISPATCH_BROKER="http://b", DISPATCH_TOKEN="t")
    assert door.requests[-1].body == {"broker": "http://b", "email": BOB, "dev": False, "token": "t"}
    assert shown.json["user"] == BOB


def test_a_token_in_the_arguments_works_and_is_warned_of(door: Script, home: Path, tmp_path: Path) -> None:
    door.answer("POST", "/v1/login", documents.whoami())
    (tmp_path / "token").write_text("from-file\n")
    line = ("login", "--broker", "http://b", "--email", BOB)
    warned = dispatch(home, *line, "--token", "argv")
    assert door.requests[-1].body["token"] == "argv"
    assert warned.err.count("Warning: the process list shows --token") == 1
    quiet = dispatch(home, *line, "--token-file", str(tmp_path / "token"))
    assert (door.requests[-1].body["token"], quiet.err) == ("from-file", "")
    dispatch(home, *line, "--token-file", "-", stdin=b"from-stdin\n")
    assert door.requests[-1].body["token"] == "from-stdin"


def test_signing_in_needs_a_broker_and_an_address(home: Path) -> None:
    assert dispatch(home, "login", "--email", BOB).code == 2
    assert dispatch(home, "login", "--broker", "http://b", "--dev", "--json").json["error"]["code"] == "usage"
    assert not home.exists()


def test_without_an_address_the_page_is_named_and_waited_for(door: Script, home: Path) -> None:
    begun = {
        "login": "h",
        "way": "page",
        "user_code": "BCDF-GHJK",
        "verification_uri": "http://b/login",
        "email": None,
    }
    door.answer("POST", "/v1/login/begin", begun)
    waits = iter([(400, problem("authorization_pending", "nobody yet")), (200, documents.whoami())])
    door.on("POST", "/v1/login/finish", lambda _: next(waits))
    ended = dispatch(home, "login", "--broker", "http://b")
    assert (ended.code, "http://b/login" in ended.err, "BCDF-GHJK" in ended.err) == (0, True, True)
    assert [each.body for each in door.asked("POST", "/v1/login/finish")] == [
        {"login": "h", "code": None}
    ] * 2
    assert door.asked("POST", "/v1/login/begin")[0].body == {
        "broker": "http://b",
        "email": None,
        "page": False,
    }
    door.answer("POST", "/v1/login/finish", documents.whoami())
    dispatch(home, "login", "--broker", "http://b", "--email", BOB, "--no-browser")
    assert door.asked("POST", "/v1/login/begin")[1].body["page"] is True


def test_whoami_in_words(door: Script, home: Path) -> None:
    door.answer("GET", "/v1/whoami", documents.whoami())
    assert f"user      {BOB}\nidentity  {'1d' * 32}\ndevice    laptop" in dispatch(home, "whoami").out
    door.answer("GET", "/v1/whoami", documents.whoami(user=None, broker=None))
    assert "dispatch login --broker URL" in dispatch(home, "whoami").out


def test_the_recovery_key_is_shown_on_a_terminal_only_and_when_asked(door: Script, home: Path) -> None:
    path = "/v1/devices/recovery-key"
    door.answer("POST", path, {"recovery_key": "ab" * 32})
    assert dispatch(home, "devices", "recovery-key").code == 2
    assert "recovery_key" not in dispatch(home, "devices", "recovery-key", "--json").out
    with Terminal(home, "devices", "recovery-key") as terminal:
        terminal.expect("[y/N]")
        terminal.press("\n")
        assert terminal.end() == 0
    assert door.asked("POST", path) == []
    with Terminal(home, "devices", "recovery-key") as terminal:
        terminal.expect("[y/N]")
        terminal.press("y\n")
        terminal.expect("abab abab abab")
        assert terminal.end() == 0
    door.refuse("POST", path, "recovery_shown", "the recovery key was shown before")
    with Terminal(home, "devices", "recovery-key") as terminal:
        terminal.expect("[y/N]")
        terminal.press("y\n")
        assert terminal.end() == 6


def test_settings_are_found_where_they_come_from(home: Path) -> None:
    assert dispatch(home, "config", "get", "local_port", "--json").json == {
        "key": "local_port",
        "value": 8001,
        "origin": "default",
    }
    assert dispatch(home, "config", "set", "local_port", "9000").out == "local_port is 9000.\n"
    assert json.loads((home / "config.json").read_text()) == {"local_port": 9000}
    assert (home / "config.json").stat().st_mode & 0o777 == 0o600
    assert dispatch(home, "config", "get", "local_port", "--show-origin").out == "9000   (config.json)\n"
    got = dispatch(home, "config", "get", "local_port", "--json", DISPATCH_LOCAL_PORT="7").json
    assert (got["value"], got["origin"]) == (7, "environment")
    got = dispatch(home, "config", "get", "broker", "--json", "--broker", "http://x").json
    assert (got["value"], got["origin"]) == ("http://x", "flag")
    dispatch(home, "config", "set", "local_port", "")
    assert json.loads((home / "config.json").read_text()) == {}
    assert len(dispatch(home, "config", "get", "--json").json["settings"]) == len(SETTINGS)
    assert re.search(r"approval_ui +picker", dispatch(home, "config", "get").out)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("local_prt", "1", "config_unknown"),
        ("local_port", "70000", "config_invalid"),
        ("broker", "ftp://x", "config_invalid"),
        ("key_backend", "plain", "config_invalid"),
        ("device_name", "x" * 65, "config_invalid"),
        ("ca_bundle", "a\nb", "config_invalid"),
    ],
)
def test_a_wrong_setting_is_refused_where_it_is_made(home: Path, key: str, value: str, code: str) -> None:
    ended = dispatch(home, "config", "set", key, value, "--json")
    assert (ended.code, ended.json["error"]["code"]) == (2, code)
    assert not home.exists()


def test_the_doctor_works_without_a_daemon_and_asks_one_that_is_there(home: Path, door: Script) -> None:
    sick = {
        "name": "sandbox",
        "ok": False,
        "detail": "bubblewrap is missing",
        "remedy": "sudo apt install bubblewrap",
    }
    door.answer("GET", "/v1/doctor", {"ok": False, "checks": [sick]})
    ended = dispatch(home, "doctor")
    assert ended.code == 1
    assert "✗ sandbox" in ended.out
    assert "    → sudo apt install bubblewrap" in ended.out
    door.answer("GET", "/v1/doctor", {"ok": True, "checks": []})
    report = dispatch(home, "doctor", "--json")
    assert (report.code, report.json["ok"]) == (0, True)
    home.chmod(0o755)
    named = {check["name"]: check for check in dispatch(home, "doctor", "--json").json["checks"]}
    assert (named["home"]["ok"], named["home"]["remedy"]) == (False, f"chmod 700 {home}")


def test_the_doctor_examines_a_home_that_cannot_be_written(home: Path) -> None:
    home.mkdir(mode=0o700)
    inside = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(home), str(home)]
    done = subprocess.run(
        [*inside, *command("doctor", "--json")], env=environment(home), capture_output=True, check=False
    )
    report = json.loads(done.stdout)
    named = {check["name"]: check for check in report["checks"]}
    assert (done.returncode, named["home"]["ok"]) == (1, False)
    assert named["home"]["detail"] == f"{home} cannot be written"
    assert "sandbox" in named


def test_the_doctor_tries_the_wall_itself_where_no_daemon_runs(home: Path) -> None:
    report = dispatch(home, "doctor", "--json").json
    named = {check["name"]: check for check in report["checks"]}
    assert named["daemon"] == {
        "name": "daemon",
        "ok": True,
        "detail": "not running; a command that needs it starts it",
        "remedy": None,
    }
    assert named["sandbox"]["ok"] or named["sandbox"]["remedy"]
    assert not home.exists()


def test_a_pairing_code_is_drawn_too_if_it_was_asked_for(door: Script, home: Path) -> None:
    door.answer("POST", "/v1/devices/pairing", {"status": "open", "code": "dispatch-pair1:ABCD"}, status=201)
    said = dispatch(home, "devices", "add").out
    drawn = dispatch(home, "devices", "add", "--qr").out
    assert "dispatch devices add 'dispatch-pair1:ABCD'" in said
    assert drawn.endswith(said)
    assert "█" in drawn.removesuffix(said)
    assert dispatch(home, "devices", "add", "CODE", "--qr").code == 2
