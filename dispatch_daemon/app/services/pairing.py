"""Pairing, at the door: an older device makes a code and adds a new machine; a new machine joins with the code.

Both show six digits, and a person who sees both says that they are the same. One number, one try: whoever gets it wrong
begins anew with another code. Nothing of it is kept: a pairing lives as long as the two machines stand side by side.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.relay import LinkState, RelayRejectedError, RelayUnreachableError
from dispatch_daemon.adapters.relay.meeting import Meeting
from dispatch_daemon.adapters.settings import Settings, write_config
from dispatch_daemon.app import identity
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.online import Online, refused_by_relay
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.people import People
from dispatch_daemon.app.services.pairing_sides import (
    Newer,
    Older,
    not_theirs,
    not_this_code,
    over,
    said_no,
)
from dispatch_daemon.core import devices
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box
from dispatch_daemon.ports import JsonObject
from dispatch_protocol import pairing
from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import DispatchError, MalformedError
from dispatch_protocol.links import ALL_ROLES, Role
from dispatch_protocol.pairing import Join, Offer, Reveal, Verdict, Welcome
from dispatch_protocol.pairing_code import SECRET_BYTES, PairingCode
from dispatch_protocol.timestamps import format_time

_LOOK_S = 0.3
_REVEAL_S = 20.0  # the older machine answers by itself
_WELCOME_S = 60.0  # its person has to compare first
_LAST_WORD_S = 3.0  # a no is said in passing; nobody waits for a relay that cannot be reached
log = logging.getLogger("dispatch.household")


class Pairing:
    """The one pairing that may go on here; `connect` opens the session of an identity that was joined."""

    def __init__(
        self,
        home: Path,
        settings: Settings,
        journal: Journal,
        people: People,
        keystore: Keystore,
        clock: Clock,
        own_chain: OwnChain,
        household: Household,
        *,
        online: Callable[[], Online],
        connect: Callable[[str, str | None], Awaitable[LinkState]],
        on_joined: Callable[[], None],
    ) -> None:
        self._home = home
        self._settings = settings
        self._journal = journal
        self._people = people
        self._keystore = keystore
        self._clock = clock
        self._own_chain = own_chain
        self._household = household
        self._online = online
        self._connect = connect
        self._on_joined = on_joined
        self._now: Older | Newer | None = None

    async def pairing(self) -> JsonObject:
        """Say where the pairing stands that goes on here, or went on last."""
        match self._now:
            case None:
                return self._shown("none")
            case Older(failure=ServiceError() as failure):
                raise failure
            case Older(done=True, agreed=False) | Newer(done=False, agreed=True):
                return self._shown("agreed")
            case Older(done=True) | Newer(done=True):
                return self._shown("done")
            case Older(number=None):
                return self._shown("open")
            case _:
                return self._shown("compare")

    def _shown(self, status: str) -> JsonObject:
        now = self._now
        older = now if isinstance(now, Older) else None
        return {
            "status": status,
            "code": older.code.format() if older is not None and status == "open" else None,
            "number": now.number if now is not None and status == "compare" else None,
            "expires_at": None if older is None else format_time(older.expires_ms),
            "user": None if now is None else now.offer.email,
            "identity": None if now is None else now.offer.genesis.hex,
            "device": now.device if isinstance(now, Older) and now.done else None,
        }

    # -- the older machine -----------------------------------------------------------------------------

    async def open_pairing(self, *, roles: list[str] | None) -> JsonObject:
        """Make a code with which one new machine can join, within ten minutes."""
        online, own = self._online(), self._people.own
        devices.require_approver(own.chain, own.device)
        devices.require_room(own.chain)
        await self.end()
        nonce = self._clock.random(pairing.NONCE_BYTES)
        code = PairingCode(online.url, self._clock.random(SECRET_BYTES))
        offer = Offer(
            genesis=own.chain.genesis,
            head=own.chain.head,
            device=own.device,
            email=own.address or "",
            roles=ALL_ROLES if roles is None else frozenset(map(Role, roles)),
            commit=pairing.commitment(nonce),
        )
        answer = await online.call("pairing_open", {"place": code.place, "message": pairing.say(code, offer)})
        expires = answer.get("expires_ms")
        self._now = now = Older(
            code=code,
            offer=offer,
            nonce=nonce,
            expires_ms=expires if isinstance(expires, int) else self._clock.now_ms(),
        )
        now.waiting = asyncio.create_task(self._await_join(now, online), name="pairing")
        return self._shown("open")

    async def _await_join(self, now: Older, online: Online) -> None:
        """Wait for the new machine and answer it; whatever is wrong with what it says ends the pairing."""
        try:
            message = None
            while message is None:
                await asyncio.sleep(_LOOK_S)
                message = (await online.call("pairing_hear", {"place": now.code.place})).get("message")
            join = pairing.hear_join(now.code, str(message), now.offer, self._people.own.chain)
            reveal = Reveal(nonce=now.nonce)
            await self._say(now, online, reveal)
            now.join, now.number = join, pairing.comparison(now.offer, join, reveal)
        except ServiceError as error:
            now.failure = over(error)
        except DispatchError as error:
            log.warning("a machine tried to pair and could not: %s", error)
            now.failure = not_this_code(error)
            await self._close(now)

    async def _say(self, now: Older, online: Online, step: Reveal | Welcome) -> None:
        await online.call("pairing_say", {"place": now.code.place, "message": pairing.say(now.code, step)})

    async def _add(self, now: Older) -> None:
        """Sign the link of the new machine too, feed it, and welcome it; not after a no that was said there."""
        online = self._online()
        assert now.join is not None  # noqa: S101 - there is a number
        verdict = await self._verdict(now, online)
        if verdict is False:
            await self.end()
            raise said_no()
        document = pairing.countersigned(now.join, self._people.keys.signing)
        async with self._own_chain.changing:
            own = self._people.own.chain
            try:
                chain = own if document.digest in own.heads else own.extend((document,))
            except DispatchError as error:
                raise ServiceError(
                    "pairing_failed",
                    "your devices have changed since the code was made; nothing was added",
                    hint="dispatch devices add",
                ) from error
            await self._own_chain.grow(chain, self._household.feed)
        now.done, now.agreed = True, verdict is True
        await self._say(now, online, Welcome(link=document))
        await self._say_name()
        if not now.agreed:
            now.waiting = asyncio.create_task(self._await_verdict(now, online), name="pairing")

    async def _verdict(self, now: Older, online: Online) -> bool | None:
        """Return what the person at the new machine has found, None as long as that was not said.

        Raises:
            ServiceError: the relay cannot be asked, `pairing_over`, or `pairing_failed` for what nobody with the code has said.
        """
        try:
            said = (await online.call("pairing_hear", {"place": now.code.place})).get("verdict")
            return None if said is None else pairing.hear_verdict(now.code, str(said)).same
        except ServiceError as error:
            raise over(error) from error
        except DispatchError as error:
            raise not_this_code(error) from error

    async def _await_verdict(self, now: Older, online: Online) -> None:
        """Wait for the yes of the new machine, to which this one has agreed before; a no then comes too late."""
        verdict = None
        while verdict is None:
            await asyncio.sleep(_LOOK_S)
            try:
                verdict = await self._verdict(now, online)
            except ServiceError as error:
                if error.code in ("pairing_over", "pairing_failed"):
                    return  # nobody said it as long as the place was there
        now.agreed = verdict
        if verdict is False:
            now.failure = said_no(now.device)
            log.warning("%s", now.failure)

    # -- the new machine -------------------------------------------------------------------------------

    async def join(self, *, code: str) -> JsonObject:
        """Ask to join the identity behind a code; what follows is the comparison of the numbers."""
        self.require_unused()
        try:
            parsed = PairingCode.parse(code)
        except MalformedError as error:
            raise ServiceError("invalid", error.detail, hint="dispatch devices add CODE") from error
        await self.end()
        meeting = Meeting(parsed.broker_url, ca_bundle=self._settings.ca_bundle)
        try:
            self._now = await self._join(parsed, meeting)
        except RelayUnreachableError as error:
            raise ServiceError("broker_unreachable", error.detail, hint="dispatch doctor") from error
        except RelayRejectedError as error:
            raise over(refused_by_relay(error)) from error
        except ServiceError:
            raise
        except DispatchError as error:
            raise not_theirs(error) from error
        return self._shown("compare")

    async def _join(self, code: PairingCode, meeting: Meeting) -> Newer:
        offer = pairing.hear_offer(code, (await meeting.said(code.place))[0])
        whole = Chain.verify(await meeting.chain(offer.genesis.hex), expect=offer.genesis)
        chain = whole.at(offer.head)
        if chain is None or offer.device not in chain.devices:
            raise ServiceError(
                "chain_unknown", "the broker does not show the devices that the code speaks of"
            )
        keys = self._people.keys
        link = pairing.rejoining_link(chain, keys.signing) or pairing.joining_link(
            offer,
            keys.signing,
            keys.sealing[0].public,
            created_ms=self._clock.now_ms(),
            nonce=self._clock.random(16),
        )
        join = Join(link=link, nonce=self._clock.random(pairing.NONCE_BYTES))
        await meeting.join(code.place, pairing.say(code, join))
        message = await self._hear(meeting, code, 1, _REVEAL_S)
        reveal = pairing.hear_reveal(code, message, offer)
        number = pairing.comparison(offer, join, reveal)
        return Newer(code=code, offer=offer, join=join, chain=chain, number=number)

    async def _hear(self, meeting: Meeting, code: PairingCode, place: int, within_s: float) -> str:
        """Wait for the message in one place of what the older machine says; raises ServiceError `still_pending`."""
        try:
            async with asyncio.timeout(within_s):
                messages = await meeting.said(code.place)
                while len(messages) <= place:
                    await asyncio.sleep(_LOOK_S)
                    messages = await meeting.said(code.place)
        except TimeoutError:
            raise ServiceError(
                "still_pending",
                "the other machine has not confirmed yet",
                hint="compare the numbers there, then once more: dispatch devices add --confirm NUMBER",
            ) from None
        return messages[place]

    async def _belong(self, now: Newer) -> None:
        """Say that the numbers are the same and wait for the welcome, then belong to the identity: its chain, its account, its broker."""
        meeting = Meeting(now.code.broker_url, ca_bundle=self._settings.ca_bundle)
        await self._judge(now, same=True)
        now.agreed = True
        try:
            message = await self._hear(meeting, now.code, 2, _WELCOME_S)
            chain = pairing.hear_welcome(now.code, message, now.join, now.chain)
        except RelayUnreachableError as error:
            raise ServiceError("broker_unreachable", error.detail, hint="dispatch doctor") from error
        except RelayRejectedError as error:
            raise over(refused_by_relay(error)) from error
        except ServiceError:
            raise
        except DispatchError as error:
            raise not_theirs(error) from error
        self.require_unused()
        url = now.code.broker_url
        write_config(self._home, {"broker": url})
        account = {"email": now.offer.email, "broker": url}
        keys = identity.join(self._journal, self._keystore, self._people.keys, chain, account)
        self._people.joined(keys, chain)
        now.done = True
        self._on_joined()
        await self._connect(url, None)
        await self._household.rename(self._people.own.device, self._settings.device_name)

    async def _say_name(self) -> None:
        """Tell what this machine is called, if nobody has named it: a newer one knows only its id."""
        own = self._people.own.device
        if own.hex not in self._household.names():
            await self._household.rename(own, self._settings.device_name)

    def require_unused(self) -> None:
        """Refuse to join with a home that is somebody already: its history belongs to the identity that it has."""
        journal = self._journal
        used = (
            self._people.account is not None or journal.edges() or journal.invitations() or journal.contacts()
        )
        if used or any(journal.page(box, before=None, limit=1) for box in (Box.INBOX, Box.SENT)):
            raise ServiceError(
                "home_in_use",
                "this home has tasks or contacts of its own; a machine joins with a home that has none",
                hint="DISPATCH_HOME=DIR dispatch devices add CODE",
            )

    # -- both ------------------------------------------------------------------------------------------

    async def confirm_pairing(self, *, number: str) -> JsonObject:
        """Take the word of a person that the other machine shows this number: one try, and a wrong one ends it."""
        now = self._now
        if now is None or now.done or (isinstance(now, Older) and now.failure is not None):
            raise ServiceError("not_pending", "no pairing waits for a number", hint="dispatch devices add")
        if now.number is None:
            raise ServiceError(
                "still_pending", "the new machine has not joined yet", hint="type the code there first"
            )
        if "".join(number.split()) != now.number:
            await self.end()
            raise ServiceError(
                "numbers_differ",
                "the two machines show different numbers: somebody may be between them. Nothing was paired",
                hint="dispatch devices add",
            )
        if isinstance(now, Older):
            await self._add(now)
        else:
            await self._belong(now)
        return await self.pairing()

    async def end(self) -> None:
        """End the pairing that goes on, if there is one."""
        now, self._now = self._now, None
        if isinstance(now, Older):
            if now.waiting is not None:
                now.waiting.cancel()
                await asyncio.gather(now.waiting, return_exceptions=True)
            if not now.done:
                await self._close(now)
        elif isinstance(now, Newer) and not now.done:
            await self._judge(now, same=False)

    async def _judge(self, now: Newer, *, same: bool) -> None:
        """Tell the older machine what was found here, if the relay can be reached: it signs nothing after a no."""
        meeting = Meeting(now.code.broker_url, ca_bundle=self._settings.ca_bundle)
        verdict = pairing.say(now.code, Verdict(same=same))
        with contextlib.suppress(RelayUnreachableError, RelayRejectedError, TimeoutError):
            async with asyncio.timeout(_LAST_WORD_S):
                await meeting.judge(now.code.place, verdict)

    async def _close(self, now: Older) -> None:
        with contextlib.suppress(ServiceError):
            await self._online().call("pairing_close", {"place": now.code.place})
