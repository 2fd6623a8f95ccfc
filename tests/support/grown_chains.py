"""A contact's chain in a test's hands: devices that join and leave it, what the relay tells of it, and tasks over it."""

from collections.abc import Iterable, Mapping
from typing import Any

from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, RevokeDeviceLink, sign_link
from dispatch_protocol.signing import dispatch_id
from tests.support.device import Device, now_ms
from tests.support.patience import eventually_so
from tests.support.stranger import Stranger, Victim


def place(chain: Chain) -> dict[str, Any]:
    """Return what every link after this chain begins with."""
    return {"prev": chain.head, "created_ms": now_ms(), "nonce": bytes(16)}


def added(contact: Stranger, name: str) -> tuple[Chain, Device]:
    """Return the contact's chain with one device more, and that device."""
    chain, new = contact.device.chain, Device(f"{contact.device.name}'s {name}")
    link = AddDeviceLink(device=new.id, sealing=new.sealing.public, roles=ALL_ROLES, **place(chain))
    new.chain = chain.extend([sign_link(link, [contact.device.signing, new.signing])])
    return new.chain, new


def revoked(chain: Chain, device: Device, by: Device) -> Chain:
    """Return a chain in which `by` has revoked a device."""
    return chain.extend([sign_link(RevokeDeviceLink(device=device.id, **place(chain)), [by.signing])])


def told(contact: Stranger, chain: Chain) -> None:
    """Let the relay tell this chain from now on."""
    contact.relayed.chains[contact.device.genesis.hex] = write_links(chain.links)


async def taken(
    victim: Victim, contact: Stranger, words: str = "Do it", steps: Iterable[Mapping[str, Any]] = ()
) -> str:
    """Send tasks from the contact's present device until one lies in the inbox, and return its id."""
    found: list[str] = []

    async def lies_there() -> bool:
        task = contact.task(words, steps)
        signed = contact.signed(task)
        await victim.relay.deliver(contact.enveloped(signed, task.head))
        await victim.relay.kept()
        found[:] = [str(dispatch_id(signed.digest))]  # one that was refused stays refused
        reply = await victim.ask("GET", f"/v1/dispatches/{found[0]}")
        return reply.status == 200 and reply.value["status"] == "delivered"

    await eventually_so(lies_there, pause_s=0.2)  # each look costs the edge one of its tasks a day
    return found[0]
