"""Contacts on a terminal: who may dispatch to whom, how it changes, and how it ends."""

from pathlib import Path

from tests.support import door_documents as documents
from tests.support.dispatch_command import dispatch
from tests.support.door_documents import ALICE, BOB, ID
from tests.support.scripted_daemon import Script


def test_contacts_stand_by_direction(door: Script, home: Path) -> None:
    shown = dispatch(home, "contacts").out
    assert "YOU MAY DISPATCH TO" in shown
    assert "bob@example.org       token      active   online" in shown
    assert "THEIR DEVICES" in shown
    assert "Alice <alice@example.org>" in shown
    assert "you approve each call" in shown
    door.answer("GET", "/v1/contacts", {"edges": []})
    door.answer("GET", "/v1/invitations", {"sent": [], "received": []})
    assert dispatch(home, "contacts").out.startswith("You have no contacts yet.\n")
    for box in ("sent", "received"):
        waiting = {"invitation_id": ID, "peer": BOB, "status": "pending", "expires_at": documents.LATER}
        door.answer("GET", "/v1/invitations", {"sent": [], "received": []} | {box: [waiting]})
        pointed = dispatch(home, "contacts").out
        assert pointed.endswith("see it with   dispatch invitations\n")
        assert "dispatch invite EMAIL" not in pointed
    door.answer("GET", "/v1/invitations", {"sent": [{**waiting, "status": "declined"}], "received": []})
    assert "dispatch invite EMAIL" in dispatch(home, "contacts").out


def test_what_two_edits_leave_of_the_places_is_said(door: Script, home: Path) -> None:
    def shown(**scopes: object) -> str:
        edge = documents.edge(direction="incoming", scopes=documents.scopes(**scopes))
        door.answer("GET", "/v1/contacts", {"edges": [edge]})
        return dispatch(home, "contacts").out

    assert "in /srv/api (rw) · no network" in shown(run_directory_only=False)
    only = "in /srv/api (rw), there only in the directory it is accepted in · no network"
    assert only in shown(run_directory_only=True)
    assert "may use no tool · in no directory" in shown(run_directory_only=True, paths=[], tools=[])
    assert "in the directory it is accepted in · no network" in shown(run_directory_only=False, paths=[])


def test_a_contact_with_two_histories_stands_as_a_conflict(door: Script, home: Path) -> None:
    edges = [documents.edge(conflict=True), documents.edge(direction="incoming", peer=ALICE)]
    door.answer("GET", "/v1/contacts", {"edges": edges})
    shown = dispatch(home, "contacts").out
    (torn,) = (line for line in shown.splitlines() if "conflict" in line)
    assert BOB in torn
    assert f"Two histories of {BOB} were told" in shown
    assert "recovery key" in shown


def test_what_is_over_allows_nothing_and_says_nothing_of_scopes(door: Script, home: Path) -> None:
    for status, allows in (("active", True), ("pending", True), ("revoked", False), ("expired", False)):
        door.answer("GET", "/v1/contacts", {"edges": [documents.edge(direction="incoming", status=status)]})
        assert ("you approve each call" in dispatch(home, "contacts").out) is allows, status


def test_an_edge_that_a_newer_one_has_replaced_is_not_listed(door: Script, home: Path) -> None:
    old, new = documents.edge(status="revoked"), documents.edge(edge_id=ID)
    for edges, listed in (
        ([old, new], ["active"]),
        ([old], ["revoked"]),
        ([old, documents.edge(direction="incoming")], ["revoked", "active"]),
        ([old, documents.edge(peer=ALICE)], ["revoked", "active"]),
    ):
        door.answer("GET", "/v1/contacts", {"edges": edges})
        shown = dispatch(home, "contacts").out.split()
        assert [word for word in shown if word in ("active", "revoked")] == listed
        assert len(dispatch(home, "contacts", "--json").json["edges"]) == len(edges)


def test_who_is_known_by_mail_alone_is_worth_comparing(door: Script, home: Path) -> None:
    compare = f"{BOB} is known by mail alone: compare   dispatch contacts verify {BOB}\n"
    for changes, said in (
        ({"trust": "unverified"}, True),
        ({"trust": "unverified", "comparison": "words"}, False),
        ({"trust": "unverified", "status": "revoked"}, False),
        ({"trust": "token"}, False),
    ):
        door.answer("GET", "/v1/contacts", {"edges": [documents.edge(**changes)]})
        assert (compare in dispatch(home, "contacts").out) is said, changes


def test_whole_fingerprints_are_never_cut(door: Script, home: Path) -> None:
    edges = [documents.edge(identity="1d" * 32), documents.edge(identity="1d" * 32, direction="incoming")]
    door.answer("GET", "/v1/contacts", {"edges": edges})
    for columns in ("40", "200"):
        shown = dispatch(home, "contacts", "--fingerprints", COLUMNS=columns).out
        assert shown.count("1d" * 32) == 1
        assert shown.endswith("yours   dispatch whoami\n")
    door.answer("GET", "/v1/contacts", {"edges": []})
    assert dispatch(home, "contacts", "--fingerprints").out.startswith("You have no contacts yet.\n")


def test_revoking_says_what_ended(door: Script, home: Path) -> None:
    ended = {"edge_id": ID, "edges": [ID], "status": "revoked"}
    door.answer("POST", "/v1/contacts/revoke", ended)
    assert dispatch(home, "revoke", ALICE).out == f"{ALICE} may no longer dispatch to you.\n"
    given_up = dispatch(home, "revoke", BOB, "--outgoing").out
    assert given_up.startswith(f"You may no longer dispatch to {BOB}.\n  They are not told")
    assert given_up.endswith("dispatch cancel ID\n")
    assert door.requests[-1].body == {"peer": BOB, "outgoing": True}
    door.answer("POST", "/v1/contacts/revoke", ended | {"edges": [ID, ID[:-1] + "9"]})
    assert "There were 2 edges; all of them have ended." in dispatch(home, "revoke", ALICE).out


def test_what_takes_the_place_of_older_edges_says_so(door: Script, home: Path) -> None:
    new = {"edge_id": ID, "peer": ALICE, "scopes": documents.scopes(), "trust": "token", "edges_ended": 1}
    door.answer("POST", "/v1/invitations/accept", new)
    accepted = dispatch(home, "accept-invitation", ID, "--tools", "Read").out
    assert "What they were allowed before has ended." in accepted
    shown = new | {"runs_ended": 0, "edges_open": 2, "edges_ended": 0}
    door.answer("POST", "/v1/contacts/edit", shown)
    assert "They have 2 edges to you." in dispatch(home, "edit-edge", ALICE).out
    door.answer("POST", "/v1/contacts/edit", shown | {"edges_open": 1, "edges_ended": 1})
    edited = dispatch(home, "edit-edge", ALICE, "--max-per-day", "5").out
    assert "What they were allowed besides has ended." in edited
    assert "edges to you" not in edited


def test_two_identities_under_one_address_are_told_apart(door: Script, home: Path) -> None:
    known = documents.edge(identity="ab" * 32)
    door.answer("GET", "/v1/contacts", {"edges": [known, {**known, "direction": "incoming"}]})
    assert "abababababababab" not in dispatch(home, "contacts").out
    door.answer("GET", "/v1/contacts", {"edges": [known, {**known, "identity": "cd" * 32}]})
    shown = dispatch(home, "contacts").out
    assert f"{BOB} abababababababab" in shown
    assert f"{BOB} cdcdcdcdcdcdcdcd" in shown


def test_a_contact_without_a_log_yet_is_no_stranger(door: Script, home: Path) -> None:
    door.answer("GET", "/v1/audit", {"logs": [], "own": [], "acts": []})
    for verb in ("show", "verify"):
        for called in ("bob", ALICE):
            ended = dispatch(home, "audit", verb, called)
            assert (ended.code, ended.out) == (6, "")
            peer = BOB if called == "bob" else ALICE
            assert f"Nothing was answered over an edge with {peer} yet, so there is no log." in ended.err
    assert "No log is known of that." in dispatch(home, "audit", "show", "carol").err
