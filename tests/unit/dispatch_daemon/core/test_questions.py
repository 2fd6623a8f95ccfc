"""A question shows everything that is asked, and the scopes are those of the start."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import questions
from dispatch_daemon.core.records import ApprovalKind, ApprovalRecord, Box, EventRecord, RunRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.scopes import Approval, Returns
from tests.support.desk import SCOPES, approval, received, run
from tests.support.documents import NOW_MS


def test_scopes_and_paths_of_the_start_are_kept_with_the_run() -> None:
    kept = run(scopes=questions.with_run_paths(SCOPES, [("/src", "rw"), ("/doc", "ro")]))
    assert questions.scopes_of(kept) == SCOPES
    assert questions.run_paths(kept) == [("/src", "rw"), ("/doc", "ro")]
    assert questions.run_paths(run(scopes=None)) == []
    assert questions.run_paths(run(scopes={"run_paths": ["?"]})) == []


@pytest.mark.parametrize(
    ("mode", "flags", "asks"),
    [
        (Approval.MANUAL, (), True),
        (Approval.REVIEW, (), True),
        (Approval.AUTO, (), False),
        (Approval.AUTO, ("build_file",), True),
    ],
)
def test_only_unflagged_changes_on_an_auto_edge_need_no_human(
    mode: Approval, flags: tuple[str, ...], asks: bool
) -> None:
    assert questions.must_ask(replace(SCOPES, approval=mode), flags) is asks


@pytest.mark.parametrize(
    ("mode", "returns", "words", "shows"),
    [
        (Approval.MANUAL, Returns.RESULT, "It says: x", True),
        (Approval.REVIEW, Returns.TRACE, "It says: x", True),
        (Approval.REVIEW, Returns.STATUS, "It says: x", False),
        (Approval.AUTO, Returns.TRACE, "It says: x", False),
        (Approval.MANUAL, Returns.RESULT, "", False),
    ],
)
def test_words_that_would_leave_are_read_first(
    mode: Approval, returns: Returns, words: str, shows: bool
) -> None:
    assert questions.must_show(replace(SCOPES, approval=mode, returns=returns), words) is shows


@pytest.mark.parametrize(
    ("mode", "returns", "shows"),
    [
        (Approval.REVIEW, Returns.RESULT, True),
        (Approval.MANUAL, Returns.TRACE, True),
        (Approval.REVIEW, Returns.STATUS, False),
        (Approval.AUTO, Returns.RESULT, False),
    ],
)
def test_files_that_would_leave_are_seen_first_without_any_words(
    mode: Approval, returns: Returns, shows: bool
) -> None:
    assert questions.must_show(replace(SCOPES, approval=mode, returns=returns), "", files=True) is shows
    made = {"name": "a", "size_bytes": 1, "sha256": "00"}
    asked = questions.about_changes(
        received(),
        run(artifacts=(made,)),
        summary="",
        flags=(),
        place="/runs/1",
        request_id="r",
        now_ms=NOW_MS,
    )
    assert asked.payload["artifacts"] == [made | {"path": "/runs/1/a"}]


def call(tool: str, arguments: dict[str, JSON], of: RunRecord) -> ApprovalRecord:
    return questions.about_call(
        received(), of, "c", tool, arguments, request_id="r", now_ms=NOW_MS, timeout_s=None
    )


def test_a_shell_command_of_a_run_with_hosts_says_where_it_may_go_and_nothing_else_does() -> None:
    reaching = run(scopes=replace(SCOPES, network=("pypi.org", "git.lan:8443")).write())
    asked = call("Bash", {"command": "true"}, reaching)
    assert str(asked.payload["description"]).endswith(", and may reach git.lan:8443, pypi.org:443")
    assert asked.flags[-1] == "what it reads here it may send to git.lan:8443, pypi.org:443"
    assert "pypi" not in str(call("Read", {"file_path": "a"}, reaching))
    assert "reach" not in str(call("Bash", {"command": "true"}, run(scopes=SCOPES.write())))


def test_the_closing_question_names_the_hosts_that_were_reached() -> None:
    scopes = replace(SCOPES, network=("pypi.org", "git.lan:8443"))

    def event(
        what: str, *, allowed: bool = True, run_id: str = run().run_id, kind: EventType = EventType.GATE
    ) -> EventRecord:
        data: dict[str, JSON] = {"what": what, "allowed": allowed}
        return EventRecord(digest=received().digest, at_ms=NOW_MS, type=kind, data=data, run_id=run_id, seq=1)

    told = [
        event("pypi.org:443"),
        event("git.lan:8443", allowed=False),
        event("git.lan:8443", run_id="another"),
        event("git.lan:8443", kind=EventType.WARNING),
        event("POST https://models.example.org/v1/messages"),
    ]
    assert questions.reached(scopes, run().run_id, told) == ("pypi.org:443",)
    asked = questions.about_changes(
        received(),
        run(scopes=scopes.write()),
        summary="done",
        flags=(),
        place="/runs/1",
        request_id="r",
        now_ms=NOW_MS,
        reached=("pypi.org:443",),
    )
    assert str(asked.payload["description"]).endswith("; no file changes; the run has reached pypi.org:443")


@pytest.mark.parametrize(
    ("box", "returns", "told", "says"),
    [
        (Box.INBOX, Returns.STATUS, "status", "tells them only how it ended"),
        (Box.INBOX, Returns.RESULT, "result", "returns the result"),
        (Box.INBOX, Returns.TRACE, "trace", "returns the result and every call with what came of it"),
        (Box.OWN, Returns.TRACE, None, "sends nothing anywhere"),
    ],
)
def test_closing_question_says_what_of_it_all_leaves(
    box: Box, returns: Returns, told: str | None, says: str
) -> None:
    scopes = replace(SCOPES, returns=returns).write()
    for changes, what in (
        ((), f"{says}; no file changes"),
        (({"op": "create", "path": "/src/a"},), f"writes these changes to {run().cwd} and {says}"),
    ):
        asked = questions.about_changes(
            replace(received(), box=box),
            run(changeset=changes, scopes=scopes),
            summary="done",
            flags=(),
            place="/runs/1",
            request_id="r",
            now_ms=NOW_MS,
        )
        assert (asked.payload["returns"], asked.payload["description"]) == (told, what)


@pytest.mark.parametrize(
    ("returns", "files", "traced", "shows"),
    [
        (Returns.RESULT, True, False, True),
        (Returns.RESULT, False, True, False),
        (Returns.TRACE, False, True, True),
        (Returns.TRACE, False, False, False),
        (Returns.STATUS, True, True, False),
    ],
)
def test_output_that_would_leave_is_seen_first(
    returns: Returns, files: bool, traced: bool, shows: bool
) -> None:
    scopes = replace(SCOPES, returns=returns)
    assert questions.must_show(scopes, "", files=files, traced=traced) is shows
    never = replace(scopes, approval=Approval.AUTO)
    assert questions.must_show(never, "", files=files, traced=traced) is False


@pytest.mark.parametrize(
    ("mode", "returns", "by_model", "leaves"),
    [
        (Approval.MANUAL, Returns.TRACE, True, Returns.STATUS),
        (Approval.REVIEW, Returns.TRACE, False, Returns.RESULT),
        (Approval.MANUAL, Returns.STATUS, False, Returns.STATUS),
        (Approval.AUTO, Returns.TRACE, True, Returns.TRACE),
    ],
)
def test_of_what_nobody_has_read_little_leaves(
    mode: Approval, returns: Returns, by_model: bool, leaves: Returns
) -> None:
    scopes = replace(SCOPES, approval=mode, returns=returns)
    assert questions.unread(scopes, by_model=by_model) is leaves


def test_each_yes_says_what_it_covers_from_now_on() -> None:
    once, always, session = questions.meanings(
        approval(tool="Edit", payload={"tool": "Edit", "input": {"file_path": "a"}}), run()
    )
    assert (once["meaning"], once["path"]) == ("this call, once", None)
    said = "every Edit that names a place at or below /src"
    assert always["meaning"] == f"{said}; in every run on this edge until you remove the rule"
    assert (session["meaning"], session["path"]) == (f"{said}; until this run ends", "/src")
    (_, mine, _) = questions.meanings(approval(), run(), own=True)
    assert "in every job of your own" in str(mine["meaning"])
    (bash, *_) = questions.meanings(approval(), run(cwd=None))[1:]
    assert (bash["command"], bash["path"]) == ("true", None)
    (closing,) = questions.meanings(approval(kind=ApprovalKind.CHANGESET, tool=None), run())
    assert (closing["grant"], closing["tool"]) == ("once", None)
    (odd,) = questions.meanings(approval(tool=None), run())
    assert odd["grant"] == "once"


@pytest.mark.parametrize(
    ("state", "mode", "trust", "may"),
    [
        (RunState.RUNNING, Approval.MANUAL, "token", True),
        (RunState.WAITING_APPROVAL, Approval.MANUAL, None, True),
        (RunState.RUNNING, Approval.MANUAL, "unverified", False),
        (RunState.RUNNING, Approval.REVIEW, "compared", False),
        (RunState.SETTLING, Approval.MANUAL, "compared", False),
    ],
)
def test_only_a_run_that_asks_may_be_reviewed_instead(
    state: RunState, mode: Approval, trust: str | None, may: bool
) -> None:
    scopes = replace(SCOPES, approval=mode).write()
    assert questions.may_review(run(state, scopes=scopes), trust) is may


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("Bash", "shell command"),
        ("Edit", "own copy"),
        ("Read", "only reads"),
        ("mcp__files__note", "the MCP server files of this machine, which acts outside the wall"),
    ],
)
def test_call_is_shown_verbatim_with_what_it_means(tool: str, words: str) -> None:
    asked = questions.about_call(
        received(),
        run(),
        "c1",
        tool,
        {"command": "true"},
        request_id="r",
        now_ms=NOW_MS,
        timeout_s=7,
    )
    assert asked.payload["input"] == {"command": "true"}
    assert words in str(asked.payload["description"])
    assert (asked.kind, asked.deadline_ms) == (ApprovalKind.TOOL, NOW_MS + 7_000)


def test_call_without_a_time_limit_waits_for_the_retention_time() -> None:
    asked = questions.about_call(
        received(), run(cwd=None), "c", "Read", {}, request_id="r", now_ms=NOW_MS, timeout_s=None
    )
    assert asked.deadline_ms == NOW_MS + questions.CHANGESET_WAIT_MS


@pytest.mark.parametrize(("count", "title"), [(1, "Apply 1 change"), (2, "Apply 2 changes")])
def test_closing_question_shows_every_change(count: int, title: str) -> None:
    changes = tuple({"op": "create", "path": f"/src/{n}"} for n in range(count))
    asked = questions.about_changes(
        received(),
        run(changeset=changes, changeset_digest="aa"),
        summary="done",
        flags=("build_file",),
        place="/runs/1",
        request_id="r",
        now_ms=NOW_MS,
    )
    assert (asked.title, asked.subject, asked.flags) == (
        title,
        questions.closing_subject("aa", "done", []),
        ("build_file",),
    )
    assert asked.payload["changes"] == list(changes)
    assert asked.payload["artifacts"] == []
    assert asked.payload["result"] == "done"


def test_a_yes_is_bound_to_every_change_word_and_file() -> None:
    file = {"name": "a", "kind": "file", "mime_type": "text/plain", "size_bytes": 1, "sha256": "00"}
    made = run(artifacts=(file,), changeset_digest=None)
    asked = questions.about_changes(
        received(), made, summary="It says x", flags=(), place="/runs/1", request_id="r", now_ms=NOW_MS
    )
    assert asked.subject == questions.closing_subject(None, "It says x", [file | {"blob": None}])
    others = [
        questions.closing_subject("ab", "It says x", [file]),
        questions.closing_subject(None, "It says y", [file]),
        questions.closing_subject(None, "It says x", []),
        questions.closing_subject(None, "It says x", [file, file]),
        *(
            questions.closing_subject(None, "It says x", [file | {name: value}])
            for name, value in (
                ("name", "b"),
                ("kind", "x"),
                ("mime_type", "x/y"),
                ("size_bytes", 2),
                ("sha256", "01"),
            )
        ),
    ]
    assert len({asked.subject, *others}) == len(others) + 1
