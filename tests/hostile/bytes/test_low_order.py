"""Points of low order at a living daemon: a key that opens for everybody seals nothing, and holds up nobody else."""

import logging
import secrets

import pytest

from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import SealingPublic
from dispatch_protocol.links import IdentityKind, genesis_link
from dispatch_protocol.signing import dispatch_id, edge_id
from tests.support.device import now_ms
from tests.support.patience import eventually
from tests.support.stranger import Stranger, Victim
from tests.support.vectors.primitives import LOW_ORDER


def weaken(stranger: Stranger, point: str) -> None:
    """Let somebody's chain state a sealing key of low order, signed as any other."""
    device = stranger.device
    link = genesis_link(
        kind=IdentityKind.PERSON,
        device=device.signing,
        sealing=SealingPublic(bytes.fromhex(point)),
        recovery=device.recovery,
        created_ms=now_ms(),  # an old one would be refused for its age
        nonce=bytes(16),
    )
    device.chain = Chain.verify([link], expect=None)
    stranger.relayed.chains[device.genesis.hex] = write_links(device.chain.links)


@pytest.mark.parametrize("point", [LOW_ORDER[0], LOW_ORDER[2]])
async def test_nothing_is_sealed_to_such_a_key_and_an_honest_task_goes_through(
    victim: Victim, mallory: Stranger, point: str, caplog: pytest.LogCaptureFixture
) -> None:
    friend = Stranger("eve", victim)
    await friend.may_dispatch(tools=["Read"])
    weaken(mallory, point)
    document = mallory.device.invitation(victim.address, victim.relay.url)
    victim.relayed.received.append(mallory.listing(document))
    secret = Secret(secrets.token_bytes(16))
    token = InvitationToken(victim.relay.url, edge_id(document.digest), mallory.device.genesis, secret)
    deposits = len(victim.relay.deposits)
    with caplog.at_level(logging.WARNING):
        reply = await victim.ask(
            "POST", "/v1/invitations/accept", {"token": token.format(), "tools": ["Read"]}
        )
        assert reply.status < 500, reply.body
        await eventually(lambda: any("nothing can be sealed" in each.getMessage() for each in caplog.records))
    ((owed,),) = victim.journal("SELECT count(*) FROM outbox WHERE recipient = ?", mallory.device.genesis.hex)
    assert owed == 0
    task = friend.task("Honest")
    signed = friend.signed(task)
    await victim.relay.deliver(friend.enveloped(signed, task.head))
    await victim.shows(str(dispatch_id(signed.digest)), "delivered")
    (told,) = await friend.receipts(signed.digest.hex)
    assert told.head.recipient.identity == friend.device.genesis
    heard = [mallory.heard(raw) for raw in victim.relay.deposits[deposits:]]
    assert heard == [None] * len(heard), "nothing is for the one whose key seals nothing"
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
