from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.bundle import Bundle, Side, as_document
from dispatch_protocol.evidence import Verification, verify_bundle
from dispatch_protocol.keys import Digest, SigningKey
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, sign_link
from dispatch_protocol.messages.answers import Answer, Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.follow_on import Cancel
from dispatch_protocol.messages.registry import Message, encode_body, kind_of
from dispatch_protocol.messages.result import Result
from dispatch_protocol.payloads import payload_type
from dispatch_protocol.scopes import Returns
from dispatch_protocol.signing import Document, dispatch_id, sign, sign_document
from tests.support.documents import ALICE, BOB, NOW_MS, RUN, Person, digest, fixed, head, person, task

EVE = person("eve")
NAMES = [
    "format",
    "author_chain",
    "recipient_chain",
    "task_signature",
    "task",
    "answer_signatures",
    "answer_subjects",
    "answer_chains",
    "decision",
    "result",
]


def document(message: Message, key: SigningKey) -> Document:
    signed = sign(key, payload_type(kind_of(message)), encode_body(message))
    return as_document(signed, key.device)


TASK = document(task(), ALICE.sign)
RE = TASK.digest


def answers(*makers: Any, by: Person = BOB, about: Digest = RE, to: Person = ALICE) -> tuple[Document, ...]:
    """A chain of answers, each made from its place."""
    made: list[Document] = []
    for make in makers:
        prev = made[-1].digest if made else Digest.ZERO
        answer: Answer = make(head=head(by, to, re=about), seq=len(made) + 1, prev=prev)
        made.append(document(answer, by.sign))
    return tuple(made)


def delivered(**place: Any) -> Receipt:
    return Receipt(**place, type=ReceiptType.DELIVERED)


def accepted(**place: Any) -> Decision:
    return Decision(**place, decision=Verdict.ACCEPTED, mode=Mode.MANUAL, run_id=RUN)


def declined(**place: Any) -> Decision:
    return Decision(**place, decision=Verdict.DECLINED)


def result(outcome: Outcome = Outcome.SUCCESS, ended_ms: int = NOW_MS):
    def make(**place: Any) -> Result:
        return Result(
            **place,
            run_id=RUN,
            outcome=outcome,
            summary="done",
            returns=Returns.RESULT,
            agent="steps",
            started_ms=NOW_MS,
            ended_ms=ended_ms,
        )

    return make


def bundle(*given_answers: Document, **changes: Any) -> Bundle:
    fields = {
        "author": Side(ALICE.email, ALICE.chain.links),
        "recipient": Side(BOB.email, BOB.chain.links),
        "task": TASK,
        "answers": given_answers,
    }
    return Bundle(**(fields | changes))


WHOLE = answers(delivered, accepted, result())


def failed(verification: Verification) -> str:
    """The one check that failed; everything before it held, and nothing after it was checked."""
    assert not verification.ok
    oks = [check.ok for check in verification.checks]
    first = oks.index(False)
    assert not any(oks[first:])
    assert all("not checked" in check.detail for check in verification.checks[first + 1 :])
    return verification.checks[first].name


class TestGood:
    def test_a_whole_dispatch(self):
        proved = verify_bundle(bundle(*WHOLE).encode())
        assert proved.ok
        assert [check.name for check in proved.checks] == NAMES
        assert (proved.author.identity, proved.author.address) == (ALICE.chain.genesis.hex, ALICE.email)
        assert (proved.recipient.identity, proved.recipient.address) == (BOB.chain.genesis.hex, BOB.email)
        assert (proved.dispatch_id, proved.outcome) == (dispatch_id(RE), Outcome.SUCCESS)

    def test_as_the_command_line_prints_it(self):
        shown = verify_bundle(bundle(*WHOLE).encode()).to_json()
        assert shown["ok"] is True
        assert shown["author"] == {"identity": ALICE.chain.genesis.hex, "address": ALICE.email}
        assert (shown["dispatch_id"], shown["outcome"]) == (str(dispatch_id(RE)), "success")
        assert shown["checks"][0] == {"name": "format", "ok": True, "detail": "a task with 3 answers"}

    @pytest.mark.parametrize(
        "some, said",
        [
            ((), "nobody has decided"),
            ((delivered,), "nobody has decided"),
            ((delivered, declined), "declined by"),
        ],
    )
    def test_what_has_not_come_yet_is_not_wrong(self, some, said):
        proved = verify_bundle(bundle(*answers(*some)).encode())
        assert proved.ok
        assert proved.outcome is None
        assert said in proved.checks[NAMES.index("decision")].detail

    def test_answers_may_stand_in_any_order(self):
        assert verify_bundle(bundle(*reversed(WHOLE)).encode()).ok

    def test_the_last_of_several_runs_counts(self):
        some = answers(accepted, result(Outcome.NEED_INPUT), result(Outcome.SUCCESS, NOW_MS + 1))
        assert verify_bundle(bundle(*some).encode()).outcome is Outcome.SUCCESS

    def test_two_devices_of_the_recipient_each_have_their_chain(self):
        phone = replace(BOB, sign=SigningKey(fixed("phone")))
        added = AddDeviceLink(
            prev=BOB.chain.head,
            device=phone.device,
            sealing=EVE.seal.public,
            roles=ALL_ROLES,
            created_ms=NOW_MS,
            nonce=fixed("n", 16),
        )
        chain = BOB.chain.extend([sign_link(added, (BOB.sign, phone.sign))])
        phone = replace(phone, chain=chain)
        some = (*answers(delivered), *answers(accepted, result(), by=phone))
        assert verify_bundle(bundle(*some, recipient=Side(None, chain.links)).encode()).ok
        twice = (*answers(accepted), *answers(accepted, by=phone))
        assert failed(verify_bundle(bundle(*twice, recipient=Side(None, chain.links)).encode())) == "decision"


class TestBad:
    def test_no_bundle(self):
        proved = verify_bundle(b"\x89PNG")
        assert failed(proved) == "format"
        assert (proved.author.identity, proved.author.address, proved.dispatch_id) == (None, None, None)
        assert proved.to_json()["dispatch_id"] is None

    @pytest.mark.parametrize("side, name", [("author", "author_chain"), ("recipient", "recipient_chain")])
    def test_a_chain_that_does_not_hold(self, side, name):
        first = ALICE.chain.links[0]
        forged = replace(first, body=first.body.replace(b"person", b"servic"))
        proved = verify_bundle(bundle(**{side: Side("a@b", (forged,))}).encode())
        assert failed(proved) == name
        assert getattr(proved, side).identity is None
        assert getattr(proved, side).address == "a@b"

    @pytest.mark.parametrize(
        "forged",
        [
            document(task(), EVE.sign),
            replace(TASK, body=TASK.body.replace(b"auf", b"ab!")),
            sign_document([ALICE.sign, EVE.sign], TASK.payload_type, TASK.body),
        ],
    )
    def test_a_task_that_no_device_of_the_author_signed(self, forged):
        assert failed(verify_bundle(bundle(task=forged).encode())) == "task_signature"

    @pytest.mark.parametrize(
        "wrong",
        [
            document(Cancel(head=head(re=RE)), ALICE.sign),
            sign_document([ALICE.sign], "application/vnd.dispatch.song.v1+json", TASK.body),
            sign_document([ALICE.sign], TASK.payload_type, b"{}"),
            document(task(head=replace(task().head, sender=EVE.party), principal=EVE.party), ALICE.sign),
            document(
                task(
                    head=replace(task().head, sender=replace(ALICE.party, device=EVE.device)),
                    principal=replace(ALICE.party, device=EVE.device),
                ),
                ALICE.sign,
            ),
            document(
                task(
                    head=replace(task().head, sender=replace(ALICE.party, head=digest("?"))),
                    principal=replace(ALICE.party, head=digest("?")),
                ),
                ALICE.sign,
            ),
            document(task(head=replace(task().head, recipient=EVE.recipient)), ALICE.sign),
            document(
                task(head=replace(task().head, recipient=replace(BOB.recipient, head=digest("?")))),
                ALICE.sign,
            ),
        ],
    )
    def test_a_task_that_says_something_else(self, wrong):
        assert failed(verify_bundle(bundle(task=wrong).encode())) == "task"

    @pytest.mark.parametrize(
        "wrong",
        [
            document(delivered(head=head(BOB, ALICE, re=RE), seq=1, prev=Digest.ZERO), EVE.sign),
            document(delivered(head=head(EVE, ALICE, re=RE), seq=1, prev=Digest.ZERO), BOB.sign),
            document(Cancel(head=head(BOB, ALICE, re=RE)), BOB.sign),
        ],
    )
    def test_an_answer_of_somebody_else(self, wrong):
        assert failed(verify_bundle(bundle(wrong).encode())) == "answer_signatures"

    @pytest.mark.parametrize(
        "some", [answers(delivered, about=digest("another dispatch")), answers(delivered, to=EVE)]
    )
    def test_an_answer_to_something_else(self, some):
        assert failed(verify_bundle(bundle(*some).encode())) == "answer_subjects"

    def test_an_answer_that_is_missing(self):
        proved = verify_bundle(bundle(WHOLE[0], WHOLE[2]).encode())
        assert failed(proved) == "answer_chains"
        assert "answer 2" in proved.checks[NAMES.index("answer_chains")].detail

    def test_an_answer_that_was_replaced(self):
        other = answers(delivered, declined)
        proved = verify_bundle(bundle(*WHOLE, other[1]).encode())
        assert failed(proved) == "answer_chains"
        assert "contradict" in proved.checks[NAMES.index("answer_chains")].detail

    @pytest.mark.parametrize("some", [(accepted, accepted), (delivered, result()), (declined, result())])
    def test_a_decision_that_does_not_fit(self, some):
        assert failed(verify_bundle(bundle(*answers(*some)).encode())) == "decision"

    @given(st.data())
    def test_no_byte_can_be_changed(self, data):
        raw = bytearray(bundle(*WHOLE, author=Side(None, ALICE.chain.links)).encode())
        at = data.draw(st.integers(min_value=0, max_value=len(raw) - 1))
        raw[at] ^= data.draw(st.integers(min_value=1, max_value=255))
        proved = verify_bundle(bytes(raw))
        # What stands as claimed, and white space, prove nothing and so may differ.
        assert not proved.ok or proved == verify_bundle(
            bundle(
                *WHOLE,
                author=Side(None, ALICE.chain.links),
                recipient=Side(proved.recipient.address, BOB.chain.links),
            ).encode()
        )
