"""How a session opens: a challenge, the device's proof, and the account it turns out to belong to.

Until the proof holds, a connection has a time limit, a share of the waiting room, and nothing else.
"""

import asyncio
import logging
import os

from aiohttp import WSCloseCode, WSMsgType, web

from dispatch_broker.adapters.calls import Caller, session_token
from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.http import problem
from dispatch_broker.adapters.log import say, short
from dispatch_broker.adapters.performer import perform
from dispatch_broker.adapters.tokens import Use
from dispatch_broker.adapters.websocket import BINARY_ONLY, UNAVAILABLE, Connection, read_message, rejected
from dispatch_broker.core import accounts
from dispatch_broker.core.counts import OK
from dispatch_broker.core.effects import Effects
from dispatch_broker.core.records import Account
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.body import read_body
from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError, RemoteError
from dispatch_protocol.frames import CHALLENGE_BYTES, Challenge, Frame, Hello, Rejected, Welcome
from dispatch_protocol.framing import encode_messages
from dispatch_protocol.limits import MESSAGE_BYTES
from dispatch_protocol.session import Role, Session, SessionProof, verify_hello
from dispatch_protocol.signing import Document

_HEARTBEAT_S = 30.0
_CLOSE_S = 2.0

_log = logging.getLogger(__name__)


async def session(context: Context, request: web.Request) -> web.StreamResponse:
    """Serve one device from its challenge to its end."""
    socket = web.WebSocketResponse(
        heartbeat=_HEARTBEAT_S, compress=False, max_msg_size=MESSAGE_BYTES, timeout=_CLOSE_S
    )
    if "Origin" in request.headers:
        return problem(Refusal(BrokerCode.BROWSER_REFUSED, "pages do not speak as devices"))
    if not socket.can_prepare(request).ok:
        return problem(Refusal(BrokerCode.UPGRADE_NEEDED, "this address speaks WebSocket"))
    if context.draining:
        return problem(Refusal(BrokerCode.DRAINING, "the broker is about to stop; try again in a moment"))
    if context.handshakes >= context.settings.quotas.handshakes:
        return problem(Refusal(BrokerCode.RATE_LIMITED, "too many devices are signing in at once"))
    await socket.prepare(request)
    try:
        await _host(context, socket)
    except Exception:  # noqa: BLE001 - logged; a WebSocket cannot be answered with a problem document any more
        _log.exception("session_failed")
        await socket.close(code=WSCloseCode.INTERNAL_ERROR)
    return socket


async def _host(context: Context, socket: web.WebSocketResponse) -> None:
    """Let a device prove itself within its time, then serve it."""
    machine = Session(Role.RELAY)
    context.handshakes += 1
    try:
        async with asyncio.timeout(context.settings.quotas.handshake_ms / 1000):
            caller = await _shake_hands(context, socket, machine)
    except (TimeoutError, ConnectionError):
        caller = None
        context.counts.handshakes["unproven"] += 1
    finally:
        context.handshakes -= 1
    if caller is None:
        await socket.close(code=WSCloseCode.POLICY_VIOLATION)
    else:
        await _serve(context, socket, machine, caller)


async def _shake_hands(context: Context, socket: web.WebSocketResponse, machine: Session) -> Caller | None:
    """Challenge, verify, decide and welcome; None when the session does not open."""

    async def send(frame: Frame) -> None:
        machine.send(frame)
        await socket.send_bytes(b"".join(encode_messages((frame,))))

    challenge = os.urandom(CHALLENGE_BYTES)
    await send(Challenge(challenge, context.store.epoch, context.public_url, context.clock()))
    message = await socket.receive()
    if message.type is WSMsgType.TEXT:
        await send(rejected(None, BINARY_ONLY))
    if message.type is not WSMsgType.BINARY:
        context.counts.handshakes["unproven"] += 1
        return None
    greeting = _greet(context, machine, message.data, challenge)
    if isinstance(greeting, Rejected):
        say(_log, "session_refused", code=greeting.code)
        context.counts.handshakes[greeting.code] += 1
        await send(greeting)
        return None
    caller, effects = greeting
    if not await _written(context, effects):
        context.counts.handshakes[UNAVAILABLE.code] += 1
        await send(rejected(None, UNAVAILABLE))
        return None
    token, expires_ms = session_token(context, caller)
    await send(Welcome(token, expires_ms, context.store.epoch, context.clock()))
    return caller


async def _written(context: Context, effects: Effects) -> bool:
    """Perform and wait for the disk; returns whether it took everything."""
    outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def settle(durable: bool) -> None:
        if not outcome.done():  # the device may be gone by now
            outcome.set_result(durable)

    perform(context, effects, settle)
    return await outcome


def _greet(
    context: Context, machine: Session, data: bytes, challenge: bytes
) -> tuple[Caller, Effects] | Rejected:
    """Verify what a device sent and decide on it."""
    try:
        hello = _only_hello(machine, data)
        proof, chain, known_links = _verify(context, hello, challenge)
    except RefusedError as error:
        status = 409 if error.reason is RefusalCode.CHAIN_FORKED else 401
        return Rejected(None, error.code, status, error.detail)
    except RemoteError as error:
        return Rejected(None, error.code, 400, error.detail)
    decision = _decide(context, hello, proof, chain, known_links)
    if isinstance(decision, Refusal):
        return rejected(None, decision)
    account, effects = decision
    return Caller(account, proof.device), effects


def _only_hello(machine: Session, data: bytes) -> Hello:
    """Read the one frame that a device may send before it is welcome."""
    frames = read_message(data)
    for frame in frames:
        machine.receive(frame)
    hello = frames[0]
    if not isinstance(hello, Hello) or len(frames) != 1:
        raise MalformedError("a session begins with one Hello")
    return hello


def _verify(context: Context, hello: Hello, challenge: bytes) -> tuple[SessionProof, Chain, int]:
    """Verify the proof and join the shown chain to the held one; returns the result and how many links of those held stay.

    The device may have dialled any of the broker's own spellings; another address in the proof means that somebody in
    between passed our challenge on.
    """
    stated = read_body(hello.proof.body, "session", SessionProof.read)
    url = stated.url if stated.url in context.urls else context.public_url
    proof, shown = verify_hello(hello, url=url, challenge=challenge, expect=stated.genesis)
    held = context.store.accounts.links(proof.genesis)
    if not held:
        return proof, shown, 0
    known = Chain.verify([Document.decode(link) for link in held], expect=proof.genesis)
    joined = known.update(shown.links)
    return proof, joined, known.shared(joined.links)


def _decide(
    context: Context,
    hello: Hello,
    proof: SessionProof,
    chain: Chain,
    known_links: int,
) -> tuple[Account, Effects] | Refusal:
    store, now_ms = context.store, context.clock()
    claim = None if hello.token is None else context.tokens.read(Use.LOGIN, hello.token, now_ms)
    devices = tuple(sorted(chain.devices))
    account = store.accounts.known(proof.genesis)
    address = claim.address if claim is not None else account.address if account is not None else None
    facts = accounts.Hello(
        genesis=proof.genesis,
        device=proof.device,
        counter=proof.counter,
        claim=claim,
        token_shown=hello.token is not None,
        account=account,
        namesake=None if claim is None else store.accounts.named(claim.address),
        known_links=known_links,
        news=tuple(link.encode() for link in chain.links[known_links:]),
        devices=devices,
        foreign_devices=any(store.accounts.owner(one) not in {None, proof.genesis} for one in devices),
        last_counter=store.accounts.counter(proof.device),
        connections=context.bus.sessions(proof.genesis, without=proof.device),
        standing=None if address is None else store.accounts.standing(address),
        signed_out=store.accounts.is_signed_out(proof.device),
    )
    settings = context.settings
    return accounts.greet(
        facts, signup=settings.signup, connections=settings.quotas.connections, now_ms=now_ms
    )


async def _serve(context: Context, socket: web.WebSocketResponse, machine: Session, caller: Caller) -> None:
    """Serve an open session, and let contacts see that its identity is here."""
    connection = Connection(context, socket, machine, caller.account, caller.device)
    genesis = caller.account.genesis
    came = context.bus.join(connection)
    context.counts.handshakes[OK] += 1
    say(_log, "session_opened", device=short(caller.device), identity=short(genesis))
    if context.draining:
        connection.drain()
    if came:
        context.bus.show(genesis, context.store.edges.contacts(genesis, context.clock()), online=True)
    connection.wake()
    try:
        await connection.serve()
    finally:
        gone = context.bus.leave(connection)
        say(_log, "session_closed", device=short(caller.device))
        if gone and not context.draining:
            context.bus.show(genesis, context.store.edges.contacts(genesis, context.clock()), online=False)
