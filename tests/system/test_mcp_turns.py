"""The questions of a run in an agent session: what may be answered is said, what nobody answers is parked, and only what succeeded is done."""

import asyncio
from pathlib import Path

import pytest

from tests.support.agent_session import RefusedError, agent_session
from tests.support.moved_clocks import Shifted
from tests.support.neighbourhood import Neighbourhood, bash, changed, edit

SCOPES = ("--tools", "Read,Edit,Bash", "--approval", "manual")
CHANGE = edit("notes.md", "first", "second")


def reading_s(message: str) -> float:
    """Return how long a person takes who reads as fast as anybody is believed to."""
    return min(5.0, len(message) / 200) + 0.5


async def test_a_run_that_nobody_answered_is_parked_and_taken_up_and_only_then_done(
    shifted: Shifted, repository: Path
) -> None:
    bob = shifted.everybody.bob
    shifted.everybody.befriend(*SCOPES, "--paths", f"{repository}:rw")
    task = shifted.everybody.send("Set it right", [CHANGE, bash("cat notes.md")])
    async with agent_session(bob) as session:
        turn = await session.call("act", action="accept", dispatch_id=task)
        assert "Allow once (grant=once) / Always allow (grant=always)" in turn["ask"]
        assert "asked once more; then the run is parked" in turn["ask"]
        await asyncio.to_thread(shifted.park, bob, task)
        turn = await session.call("act", action="accept", dispatch_id=task)
        assert (turn["status"], turn["error"]["code"], "done" in turn) == ("parked", "parked", False)
        assert turn["next"] == f"dispatch_act(action='resume', dispatch_id='{task}')"
        assert f"dispatch discard {task[:8]}" in turn["ask"]
        turn = await session.call("act", action="resume", dispatch_id=task)
        assert "2 unanswered, 1 open" in turn["standing"]
        while turn["kind"] == "tool":
            turn = await session.call(
                "act", action="approve", dispatch_id=task, request_id=turn["request_id"]
            )
        assert turn["kind"] == "changeset"
        assert "Apply (approve) / Discard (deny)" in turn["ask"]
        assert "Always" not in turn["ask"]
        assert turn["can_review"] is False
        turn = await session.call("act", action="approve", dispatch_id=task, request_id=turn["request_id"])
        assert (turn["status"], turn["done"][:10]) == ("completed", "It is done")
    assert changed(repository) == {"notes.md"}


async def test_after_a_few_answers_the_rest_may_be_reviewed_and_a_discarded_end_is_not_done(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")
    task = neighbourhood.send("Many calls", [CHANGE, *(bash(f"echo {number}") for number in range(5))])
    async with agent_session(bob) as session:
        turn = await session.call("act", action="accept", dispatch_id=task)
        for _ in range(3):
            assert (turn["can_review"], "review" in turn["ask"]) == (False, False)
            turn = await session.call(
                "act", action="approve", dispatch_id=task, request_id=turn["request_id"]
            )
        assert turn["standing"].startswith("3 answered, 1 open, ")
        assert (turn["can_review"], "action='review'" in turn["ask"]) == (True, True)
        turn = await session.call("act", action="review", dispatch_id=task)
        assert (turn["kind"], [each["path"] for each in turn["input"]]) == (
            "changeset",
            [str(repository / "notes.md")],
        )
        turn = await session.call("act", action="deny", dispatch_id=task, request_id=turn["request_id"])
        assert (turn["status"], "done" in turn) == ("failed", False)
        assert "did not succeed" in turn["report"]
    assert changed(repository) == set()
    decided = [each["data"] for each in bob.status(task)["events"] if each["type"] == "approval_decided"]
    assert {each["decided_by"] for each in decided} == {"mcp"}


async def test_deny_and_stop_ends_the_run_and_review_is_a_yes_that_counts_from_the_human_alone(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")
    task = neighbourhood.send("Change it", [CHANGE, bash("true")])
    async with agent_session(bob, DISPATCH_APPROVAL_UI="local") as session:
        turn = await session.call("act", action="accept", dispatch_id=task)
        with pytest.raises(RefusedError) as caught:
            await session.call("act", action="review", dispatch_id=task)
        assert (caught.value.error["code"], caught.value.error["hint"]) == (
            "refused",
            f"dispatch review {task}",
        )
        turn = await session.call(
            "act", action="deny", dispatch_id=task, request_id=turn["request_id"], stop=True
        )
        assert (turn["status"], turn["error"]["code"]) == ("failed", "stopped")
    assert changed(repository) == set()


async def test_a_form_about_the_changes_at_the_end_shows_them_and_offers_apply_or_discard_and_no_other_yes(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*SCOPES[:2], "--approval", "review", "--paths", f"{repository}:rw")
    answer = "always"

    async def human(message: str) -> tuple[str, str | None]:
        assert "alice@example.org (token) asks, here: " in message
        assert "1 file would change:" in message
        assert "+second line" in message
        await asyncio.sleep(reading_s(message))  # the time that a person takes is what is tried here
        return "accept", answer

    async with agent_session(bob, human=human, DISPATCH_APPROVAL_UI="form") as session:
        task = neighbourhood.send("Change it", [CHANGE])
        with pytest.raises(RefusedError):
            await session.call("act", action="accept", dispatch_id=task)
        assert bob.status(task)["status"] == "waiting_approval"
        answer = "apply"
        turn = await session.call("act", action="accept", dispatch_id=task)
        assert (turn["status"], turn["outcome"]) == ("completed", "success")
    assert changed(repository) == {"notes.md"}


async def test_a_form_shows_the_words_and_files_that_would_leave(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend("--tools", "Read,Bash", "--approval", "review", "--paths", f"{repository}:rw")
    shown: list[str] = []

    async def human(message: str) -> tuple[str, str | None]:
        shown.append(message)
        await asyncio.sleep(reading_s(message))  # the time that a person takes is what is tried here
        return "accept", "return it"

    async with agent_session(bob, human=human, DISPATCH_APPROVAL_UI="form") as session:
        writes = bash("echo what leaves; echo found > $DISPATCH_ARTIFACTS/out.txt")
        task = neighbourhood.send("Look around", [writes])
        turn = await session.call("act", action="accept", dispatch_id=task)
        assert (turn["status"], turn["outcome"]) == ("completed", "success")
    assert "Files that would leave this machine:" in shown[0]
    assert "out.txt" in shown[0]
    assert "The answer that would leave this machine:" in shown[0]


async def test_one_form_after_the_other_leads_to_the_end_by_what_each_answer_says_to_do(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")
    shown: list[str] = []

    async def human(message: str) -> tuple[str, str | None]:
        shown.append(message)
        await asyncio.sleep(reading_s(message))  # the time that a person takes is what is tried here
        return "accept", "apply" if "would change" in message else "once"

    async with agent_session(bob, human=human, DISPATCH_APPROVAL_UI="form") as session:
        task = neighbourhood.send("Change it", [CHANGE, bash("echo \u202eno\u200b")])
        turn = await session.call("act", action="accept", dispatch_id=task)
        while turn["status"] == "approval_needed":
            assert turn["ask"].startswith("Call dispatch_act(action='accept') again now")
            turn = await session.call("act", action="accept", dispatch_id=task)
        assert (turn["status"], turn["outcome"]) == ("completed", "success")
    assert [each.splitlines()[0].rpartition(": ")[2] for each in shown[:2]] == ["Edit", "Bash"]
    assert ["would change" in each for each in shown] == [False, False, True]
    assert "⟨U+202E⟩no⟨U+200B⟩" in shown[1]
    assert "always: " in shown[1]
    assert "1 answered, 1 open, " in shown[1]


async def test_what_is_too_long_for_a_form_is_answered_where_there_is_room(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")

    async def human(message: str) -> tuple[str, str | None]:
        raise AssertionError(f"nobody reads {len(message)} characters in a form")

    async with agent_session(bob, human=human, DISPATCH_APPROVAL_UI="form") as session:
        task = neighbourhood.send("Long", [bash("echo " + "x" * 8_000)])
        turn = await session.call("act", action="accept", dispatch_id=task)
        assert turn["ask"].startswith(
            "It is too long for a form. The human answers this elsewhere: dispatch approve "
        )
        assert bob.status(task)["status"] == "waiting_approval"


async def test_the_picker_is_told_what_a_lasting_yes_covers_and_what_does_not_show(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")
    task = neighbourhood.send("Odd", [bash("echo \u202eno"), bash("true")])
    async with agent_session(bob) as session:
        turn = await session.call("act", action="accept", dispatch_id=task)
        question = bob.question(task)
        assert turn["means"] == {
            each["grant"]: each["meaning"] for each in question["grant_details"] if each["grant"] != "once"
        }
        assert turn["input_shown"]["command"] == "echo ⟨U+202E⟩no"
        assert "show the human input_shown instead" in turn["hidden"]
        turn = await session.call("act", action="approve", dispatch_id=task, request_id=turn["request_id"])
        assert "hidden" not in turn


async def test_a_setting_that_is_none_is_said_whatever_is_asked(neighbourhood: Neighbourhood) -> None:
    async with agent_session(neighbourhood.bob, DISPATCH_APPROVAL_UI="bogus") as session:
        with pytest.raises(RefusedError) as caught:
            await session.call("act", action="accept", dispatch_id="0" * 32)
        assert caught.value.error["code"] == "config_invalid"
