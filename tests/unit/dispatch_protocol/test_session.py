import itertools
from dataclasses import replace

import pytest

from dispatch_protocol import session as sessions
from dispatch_protocol.errors import LocalError, MalformedError, RefusalCode, RefusedError, RemoteError
from dispatch_protocol.frames import (
    Ack,
    Answer,
    Call,
    Challenge,
    Deliver,
    Deposit,
    Deposited,
    Hello,
    Notice,
    Rejected,
    Welcome,
)
from dispatch_protocol.session import Role, Session, SessionProof, SessionState, verify_hello
from dispatch_protocol.signing import sign
from tests.support.documents import ALICE, BOB, NOW_MS, altered, fixed, read, without

URL = "https://courier.example"
CHALLENGE = fixed("challenge")
PROOF = SessionProof(
    url=URL,
    challenge=CHALLENGE,
    nonce=fixed("client nonce"),
    genesis=ALICE.chain.genesis,
    device=ALICE.device,
    counter=1,
)
HELLO = Hello(PROOF.sign(ALICE.sign), ALICE.chain.links, None)
OPENING = (
    (Role.RELAY, Challenge(CHALLENGE, "epoch", URL, NOW_MS)),
    (Role.DEVICE, HELLO),
    (Role.RELAY, Welcome("token", NOW_MS, "epoch", NOW_MS)),
)
EVERY_FRAME = {
    Role.RELAY: (
        OPENING[0][1],
        OPENING[2][1],
        Deposited(1),
        Deliver(1, b"sealed"),
        Answer(1, {}),
        Notice("edges", {}),
        Rejected(None, "draining", 503, "bye"),
        Rejected(1, "no_edge", 403, "no"),
    ),
    Role.DEVICE: (HELLO, Deposit(1, b"sealed"), Ack((1,)), Call(1, "edges", {})),
}
STEPS = {SessionState.IDLE: 0, SessionState.CHALLENGED: 1, SessionState.PROVING: 2, SessionState.OPEN: 3}


def session(role: Role, state: SessionState = SessionState.OPEN) -> Session:
    """A session that has come this far."""
    machine = Session(role)
    for sender, frame in OPENING[: STEPS.get(state, 3)]:
        (machine.send if sender is role else machine.receive)(frame)
    if state is SessionState.CLOSED:
        machine.close()
    assert machine.state is state
    return machine


ALLOWED = {
    SessionState.IDLE: {(Role.RELAY, Challenge)},
    SessionState.CHALLENGED: {(Role.DEVICE, Hello)},
    SessionState.PROVING: {(Role.RELAY, Welcome)},
    SessionState.OPEN: {
        (Role.DEVICE, Deposit),
        (Role.DEVICE, Ack),
        (Role.DEVICE, Call),
        (Role.RELAY, Deliver),
        (Role.RELAY, Notice),
    },
    SessionState.CLOSED: set(),
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", SessionState)
def test_a_frame_that_may_not_be_sent_may_not_be_received_either(role, state):
    for sender, frame in [(side, each) for side in Role for each in EVERY_FRAME[side]]:
        machine = session(role, state)
        goodbye = isinstance(frame, Rejected) and frame.ref is None and state is not SessionState.CLOSED
        act, error = (machine.send, LocalError) if sender is role else (machine.receive, RemoteError)
        if (sender, type(frame)) in ALLOWED[state] or goodbye:
            act(frame)
        else:
            with pytest.raises(error) as refused:
                act(frame)
            assert refused.value.code == "bad_frame"
            assert machine.state is state


@pytest.mark.parametrize("role", Role)
def test_a_device_rejects_nothing(role):
    machine = session(role)
    with pytest.raises((LocalError, RemoteError)):
        (machine.send if role is Role.DEVICE else machine.receive)(Rejected(None, "quota", 429, "no"))


class TestRequests:
    @pytest.mark.parametrize(
        "request_, answer",
        [
            (Deposit(1, b"x"), Deposited(1)),
            (Call(1, "edges", {}), Answer(1, {})),
            (Deposit(1, b"x"), Rejected(1, "no_edge", 403, "no")),
            (Call(1, "edges", {}), Rejected(1, "not_found", 404, "no")),
        ],
    )
    def test_each_is_answered_once(self, request_, answer):
        for role, ask, reply in [
            (Role.DEVICE, Session.send, Session.receive),
            (Role.RELAY, Session.receive, Session.send),
        ]:
            machine = session(role)
            ask(machine, request_)
            assert machine.pending == {1: type(request_)}
            reply(machine, answer)
            assert machine.pending == {}
            with pytest.raises((LocalError, RemoteError)):
                reply(machine, answer)

    @pytest.mark.parametrize(
        "request_, answer", [(Deposit(1, b"x"), Answer(1, {})), (Call(1, "edges", {}), Deposited(1))]
    )
    def test_each_by_its_own_kind_of_answer(self, request_, answer):
        machine = session(Role.DEVICE)
        machine.send(request_)
        with pytest.raises(RemoteError):
            machine.receive(answer)
        assert machine.pending

    def test_a_number_is_used_again_only_after_its_answer(self):
        machine = session(Role.DEVICE)
        for again, other in itertools.product([Deposit(1, b"x"), Call(1, "edges", {})], repeat=2):
            machine.send(again)
            with pytest.raises(LocalError):
                machine.send(other)
            machine.receive(Rejected(1, "quota", 429, "no"))

    def test_not_too_many_at_once(self, monkeypatch):
        monkeypatch.setattr(sessions, "IN_FLIGHT", 2)
        machine = session(Role.RELAY)
        machine.receive(Deposit(1, b"x"))
        machine.receive(Call(2, "edges", {}))
        with pytest.raises(RemoteError, match="in flight"):
            machine.receive(Deposit(3, b"x"))

    def test_a_rejection_of_everything_ends_the_session(self):
        machine = session(Role.DEVICE)
        machine.receive(Rejected(None, "draining", 503, "bye"))
        assert machine.state is SessionState.CLOSED


def refused(code: RefusalCode, hello: Hello, **named) -> None:
    with pytest.raises(RefusedError) as error:
        verify_hello(hello, **({"url": URL, "challenge": CHALLENGE} | named))
    assert error.value.reason is code


class TestProof:
    def test_it_proves_a_device_of_a_chain(self):
        assert verify_hello(HELLO, url=URL, challenge=CHALLENGE) == (PROOF, ALICE.chain)
        assert verify_hello(HELLO, url=URL, challenge=CHALLENGE, expect=ALICE.chain.genesis)

    def test_for_this_relay_and_this_challenge_only(self):
        refused(RefusalCode.PROOF_MISMATCH, HELLO, url="https://other.example")
        refused(RefusalCode.PROOF_MISMATCH, HELLO, challenge=fixed("another challenge"))

    def test_for_this_identity_only(self):
        refused(RefusalCode.GENESIS_MISMATCH, HELLO, expect=BOB.chain.genesis)
        other = replace(PROOF, genesis=BOB.chain.genesis).sign(ALICE.sign)
        refused(RefusalCode.PROOF_MISMATCH, replace(HELLO, proof=other))

    def test_by_a_device_of_the_chain_only(self):
        stranger = replace(PROOF, device=BOB.device).sign(BOB.sign)
        refused(RefusalCode.DEVICE_REVOKED, replace(HELLO, proof=stranger))

    def test_with_the_devices_own_signature_only(self):
        forged = sign(BOB.sign, HELLO.proof.payload_type, HELLO.proof.body)
        refused(RefusalCode.SIGNATURE_BAD, replace(HELLO, proof=forged))

    def test_no_other_kind_of_document_opens_a_session(self):
        task = sign(ALICE.sign, "application/vnd.dispatch.task.v1+json", HELLO.proof.body)
        refused(RefusalCode.UNSUPPORTED, replace(HELLO, proof=task))

    def test_a_chain_that_cannot_be_read_is_malformed(self):
        with pytest.raises(MalformedError):
            verify_hello(replace(HELLO, links=()), url=URL, challenge=CHALLENGE)

    def test_it_is_signed_by_the_device_it_names(self):
        with pytest.raises(LocalError) as error:
            PROOF.sign(BOB.sign)
        assert error.value.code == "wrong_key"

    @pytest.mark.parametrize("place, value", [("counter", 0), ("nonce", "AA"), ("url", ""), ("more", 1)])
    def test_strictly(self, place, value):
        with pytest.raises(MalformedError):
            read(SessionProof.read, altered(PROOF.write(), place, value))

    @pytest.mark.parametrize("place", list(PROOF.write()))
    def test_every_field_is_needed(self, place):
        with pytest.raises(MalformedError):
            read(SessionProof.read, without(PROOF.write(), place))
