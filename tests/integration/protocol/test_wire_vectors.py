"""Sessions, pairings, frames and trust files: the product and a second reading of the page agree on every vector."""

from typing import Any

import pytest

from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.errors import DispatchError, MalformedError
from dispatch_protocol.frames import Hello
from dispatch_protocol.framing import decode_frame
from dispatch_protocol.keys import Genesis
from dispatch_protocol.pairing_code import PairingCode
from dispatch_protocol.session import verify_hello
from dispatch_protocol.trust_file import TrustFile
from tests.support import independent_pairing, independent_session
from tests.support.independent_evidence import WrongError
from tests.support.paired import pair, verdict
from tests.support.vectors.files import load

FRAMES, SESSIONS, PAIRINGS, TRUST = (
    load(name) for name in ("frames.json", "sessions.json", "pairings.json", "trust.json")
)


def cases(values: Any) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in values]


# -- frames ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases(FRAMES["valid"]))
def test_frames_are_read_and_written_from_the_page_alone(case: Any) -> None:
    found = independent_session.frames(bytes.fromhex(case["message"]))
    assert [name for name, _, _ in found] == case["frames"]
    assert independent_session.framed(found).hex() == case["message"]


@pytest.mark.parametrize("case", cases(FRAMES["invalid"]))
def test_what_is_no_message_is_none_by_the_page(case: Any) -> None:
    with pytest.raises(WrongError, match=r"^malformed$"):
        independent_session.frames(bytes.fromhex(case["message"]))


# -- sessions --------------------------------------------------------------------------------------------


def proved_by_product(case: Any) -> Any:
    frame = decode_frame(bytes.fromhex(case["frame"]))
    assert isinstance(frame, Hello)
    proof, _ = verify_hello(
        frame,
        url=SESSIONS["url"],
        challenge=bytes.fromhex(SESSIONS["challenge"]),
        expect=Genesis.from_hex(SESSIONS["genesis"]),
    )
    return {"device": proof.device.hex, "counter": proof.counter}


def proved_independently(case: Any) -> Any:
    where = (SESSIONS["url"], SESSIONS["challenge"], SESSIONS["genesis"])
    return independent_session.hello(bytes.fromhex(case["frame"]), *where)


@pytest.mark.parametrize("case", cases(SESSIONS["proved"]))
def test_a_hello_that_proves_who_dials(case: Any) -> None:
    wanted = {"device": case["device"], "counter": case["counter"]}
    assert proved_by_product(case) == proved_independently(case) == wanted


@pytest.mark.parametrize("case", cases(SESSIONS["refused"]))
def test_a_hello_that_does_not(case: Any) -> None:
    with pytest.raises(DispatchError) as ours:
        proved_by_product(case)
    with pytest.raises(WrongError) as theirs:
        proved_independently(case)
    assert ours.value.code == str(theirs.value) == case["code"]


# -- pairings --------------------------------------------------------------------------------------------


def test_a_pairing_code_and_its_keys() -> None:
    code = PairingCode.parse(PAIRINGS["code"])
    assert code.place == independent_pairing.place(PAIRINGS["code"]) == PAIRINGS["place"]
    for step, key in PAIRINGS["keys"].items():
        assert code.key(step).hex() == independent_pairing.key(PAIRINGS["code"], step).hex() == key


@pytest.mark.parametrize("code", PAIRINGS["no_codes"])
def test_no_pairing_code(code: str) -> None:
    with pytest.raises(MalformedError):
        PairingCode.parse(code)
    with pytest.raises(WrongError):
        independent_pairing.secret_of(code)


def test_two_machines_pair_and_show_the_same_digits() -> None:
    wanted = {"digits": PAIRINGS["digits"], "head": PAIRINGS["head"]}
    told = (PAIRINGS["code"], PAIRINGS["links"], PAIRINGS["genesis"], PAIRINGS["messages"])
    assert pair(*told) == independent_pairing.pair(*told) == wanted


def test_every_message_of_a_pairing_is_said_again_byte_for_byte() -> None:
    said = [*PAIRINGS["messages"], PAIRINGS["verdicts"][1]["message"]]
    for step, message in zip(PAIRINGS["steps"], said, strict=True):
        fields = independent_pairing.hear(PAIRINGS["code"], step, message)
        assert independent_pairing.said_again(PAIRINGS["code"], step, fields) == message


@pytest.mark.parametrize("case", cases(PAIRINGS["verdicts"]))
def test_a_verdict(case: Any) -> None:
    if wrong := case["says"].get("refused"):
        with pytest.raises(DispatchError) as refused:
            verdict(PAIRINGS["code"], case["message"])
        assert refused.value.code == wrong
        with pytest.raises(WrongError, match=wrong):
            independent_pairing.verdict(PAIRINGS["code"], case["message"])
    else:
        told = (PAIRINGS["code"], case["message"])
        assert verdict(*told) == independent_pairing.verdict(*told) == case["says"]


@pytest.mark.parametrize("case", cases(PAIRINGS["refused"]))
def test_a_pairing_that_ends_before(case: Any) -> None:
    told = (PAIRINGS["code"], PAIRINGS["links"], PAIRINGS["genesis"])
    for until in range(1, len(case["messages"])):
        assert "head" in pair(*told, case["messages"][:until])
        assert "head" in independent_pairing.pair(*told, case["messages"][:until])
    with pytest.raises(DispatchError) as ours:
        pair(*told, case["messages"])
    with pytest.raises(WrongError) as theirs:
        independent_pairing.pair(*told, case["messages"])
    assert ours.value.code == str(theirs.value) == case["code"]


# -- trust files -----------------------------------------------------------------------------------------


def test_a_trust_file_holds_chains() -> None:
    found = [
        {"address": side.address, "genesis": chain.genesis.hex, "head": chain.head.hex}
        for side in TrustFile.decode(TRUST["file"].encode()).chains
        for chain in [Chain.verify(side.links, expect=None)]
    ]
    assert found == independent_session.trust_file(TRUST["file"]) == TRUST["chains"]
    sides = TrustFile.decode(TRUST["file"].encode()).chains
    assert TrustFile(sides).encode().decode() == TRUST["file"]
    assert read_links([link.to_json() for link in sides[0].links]) == sides[0].links


@pytest.mark.parametrize("case", cases(TRUST["refused"]))
def test_no_trust_file(case: Any) -> None:
    with pytest.raises(MalformedError):
        TrustFile.decode(case["file"].encode())
    with pytest.raises(WrongError):
        independent_session.trust_file(case["file"])
