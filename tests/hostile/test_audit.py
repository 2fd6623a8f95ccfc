"""Whoever rewrites what they said over an edge has signed both histories, and the other side of the edge can tell."""

from dispatch_protocol.keys import Digest
from dispatch_protocol.merkle import EMPTY
from dispatch_protocol.messages.checkpoint import Checkpoint
from tests.support.documents import digest
from tests.support.patience import eventually_so
from tests.support.stranger import Stranger, Victim


async def says(victim: Victim, mallory: Stranger, since: int, *entries: Digest, before: int = 0) -> None:
    """Let the other side's device tell a checkpoint; `before` picks which past it claims."""
    past = tuple(digest(f"past {before} {number}") for number in range(since))
    message = Checkpoint(
        head=mallory.head(), since=since, entries=entries, root=EMPTY.grown((*past, *entries)).root
    )
    await victim.relay.deliver(mallory.sealed(message))
    await victim.relay.kept()


async def found(victim: Victim) -> list[tuple[str, int]]:
    logs = (await victim.do("GET", "/v1/audit"))["logs"]
    return [(each["finding"], each["entries"]) for each in logs]


async def test_a_rewritten_history_is_found_by_the_other_side(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    one, other = digest("past 0 0"), digest("past 1 0")
    await says(victim, mallory, 0, one)
    await says(victim, mallory, 1, digest("two"))
    assert await found(victim) == [("unseen", 2)], "words that were said to nobody are no proof of anything"
    await says(victim, mallory, 0, other)
    assert await found(victim) == [("rewritten", 2)]
    (log,) = (await victim.do("GET", "/v1/audit"))["logs"]
    assert len(log["contradictions"]) == 1
    assert (log["ours"], log["device"]) == (False, mallory.device.id.hex)


async def test_a_history_with_another_beginning_shows_in_its_root(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    await says(victim, mallory, 0, digest("past 0 0"))
    await says(victim, mallory, 1, digest("two"), before=1)
    assert await found(victim) == [("rewritten", 1)]


async def test_a_checkpoint_counts_only_from_the_one_who_runs_what_is_sent(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_dispatch(tools=["Read"])
    await says(victim, mallory, 0, digest("one"))
    assert await found(victim) == []


async def test_nobody_has_to_keep_checkpoints_without_end(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    for number in range(40):
        await says(victim, mallory, number, digest(f"past 0 {number}"))

    async def bounded() -> bool:
        ((count,),) = victim.journal("SELECT COUNT(*) FROM answers WHERE kind = 'checkpoint'")
        return 0 < int(count) <= 16

    await eventually_so(bounded)
    assert [finding for finding, _ in await found(victim)] == ["flooded"], (
        "and it is said that they were not kept"
    )
