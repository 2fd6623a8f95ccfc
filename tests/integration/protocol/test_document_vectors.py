"""Chains, bundles, scopes, tokens and frames: the product and a second reading of the page agree on every vector."""

import itertools

import pytest

from dispatch_protocol.chain import Chain, read_links, write_links
from dispatch_protocol.compare import Side, commitment, words
from dispatch_protocol.encoding import Fields, unb64u
from dispatch_protocol.errors import DispatchError, MalformedError
from dispatch_protocol.evidence import verify_bundle
from dispatch_protocol.framing import decode_message, encode_messages
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import Digest, Genesis
from dispatch_protocol.merkle import EMPTY
from dispatch_protocol.scopes import Scopes, meet
from tests.support import independent_comparison, independent_evidence, independent_log
from tests.support.independent_evidence import WrongError
from tests.support.vectors.files import load

CHAINS, BUNDLES = load("chains.json"), load("bundles.json")
SCOPES, TOKENS, FRAMES = load("scopes.json"), load("tokens.json"), load("frames.json")
COMPARISONS, LOGS = load("comparisons.json"), load("logs.json")


def cases(values):
    return [pytest.param(case, id=case.get("name") or case.get("broker")) for case in values]


@pytest.mark.parametrize("case", cases(COMPARISONS["cases"]))
def test_both_draw_the_same_words_from_a_comparison(case):
    listed = COMPARISONS["list"]
    ours = [
        Side(
            Genesis.from_hex(side["genesis"]),
            Digest.from_hex(side["comparison"]),
            bytes.fromhex(side["random"]),
        )
        for side in case["sides"]
    ]
    assert list(words(*ours)) == list(words(*reversed(ours))) == case["words"]
    assert independent_comparison.words(case["sides"], listed) == case["words"]
    for side, read in zip(case["sides"], ours, strict=True):
        assert commitment(read.genesis, read.random).hex() == side["commitment"]
        assert independent_comparison.commitment(side) == side["commitment"]


@pytest.mark.parametrize("size", range(len(LOGS["roots"])))
def test_the_root_of_a_log(size):
    entries = LOGS["entries"][:size]
    ours = EMPTY.grown(map(Digest.from_hex, entries)).root.hex
    assert ours == LOGS["roots"][size] == independent_log.root(entries)


@pytest.mark.parametrize("case", cases(CHAINS["holds"]))
def test_a_chain_that_holds(case):
    chain = Chain.verify(read_links(case["links"]), expect=Genesis.from_hex(case["genesis"]))
    said = {
        device.hex: {"seal": entry.seal.hex, "roles": sorted(entry.roles), "sealed": entry.sealed_ms}
        for device, entry in chain.devices.items()
    }
    genesis, states, heads = independent_evidence.follow_chain(case["links"], case["genesis"])
    assert said == case["devices"] == states[-1]
    assert (chain.genesis.hex, chain.head.hex) == (case["genesis"], case["head"]) == (genesis, heads[-1])


@pytest.mark.parametrize("case", cases(CHAINS["refused"]))
def test_a_chain_that_does_not(case):
    with pytest.raises(DispatchError) as error:
        Chain.verify(read_links(case["links"]), expect=Genesis.from_hex(case["genesis"]))
    assert error.value.code == case["code"]
    with pytest.raises(WrongError, match=case["code"]):
        independent_evidence.follow_chain(case["links"], case["genesis"])


@pytest.mark.parametrize("case", cases(CHAINS["told"]))
def test_two_tellings_of_one_chain(case):
    held = Chain.verify(read_links(case["held"]), expect=Genesis.from_hex(case["genesis"]))
    if case["outcome"] not in {"held", "told"}:
        with pytest.raises(DispatchError) as error:
            held.update(read_links(case["told"]))
        assert error.value.code == case["outcome"]
        with pytest.raises(WrongError, match=case["outcome"]):
            independent_evidence.hold(case["held"], case["told"], case["genesis"])
        return
    expected = case[case["outcome"]]
    assert write_links(held.update(read_links(case["told"])).links) == expected
    assert independent_evidence.hold(case["held"], case["told"], case["genesis"]) == expected


@pytest.mark.parametrize("case", cases(BUNDLES["proved"]))
def test_a_bundle_that_proves(case):
    raw = unb64u(case["bundle"])
    proved = verify_bundle(raw)
    assert proved.ok, proved.checks
    assert proved.outcome == case["outcome"] == independent_evidence.prove(raw)


@pytest.mark.parametrize("case", cases(BUNDLES["refused"]))
def test_a_bundle_that_does_not(case):
    raw = unb64u(case["bundle"])
    proved = verify_bundle(raw)
    assert next(check.name for check in proved.checks if not check.ok) == case["fails"]
    with pytest.raises(WrongError) as wrong:
        independent_evidence.prove(raw)
    assert str(wrong.value) == case["fails"]


def scopes(value):
    fields = Fields(value, "scopes")
    result = Scopes.read(fields)
    fields.done()
    return result


@pytest.mark.parametrize("case", cases(SCOPES["cases"]))
def test_a_meet(case):
    left, right, both = scopes(case["left"]), scopes(case["right"]), scopes(case["meet"])
    assert meet(left, right) == meet(right, left) == both
    assert both.write() == case["meet"]


def allowed(value, path):
    """What scopes allow at a path when the run directory is that path: a second reading of chapter 7."""
    if not value["paths"]:
        return 0 if value["run_directory_only"] else 2
    above = [grant for grant in value["paths"] if f"{path}/".startswith(grant["path"].rstrip("/") + "/")]
    return {"ro": 1, "rw": 2}[max(above, key=lambda grant: len(grant["path"]))["mode"]] if above else 0


@pytest.mark.parametrize("case", cases(SCOPES["cases"]))
def test_a_meet_allows_what_both_allow(case):
    sides = case["left"], case["right"]
    for path in ("/src", "/src/lib", "/src/vendor/x", "/srcs", "/doc", "/"):
        assert allowed(case["meet"], path) == min(allowed(side, path) for side in sides)
    expected = set(case["left"]["tools"]) & set(case["right"]["tools"])
    if any(allowed(case["meet"], path) for path in ("/src", "/src/lib", "/doc")):
        assert set(case["meet"]["tools"]) == expected


@pytest.mark.parametrize("case", cases(TOKENS["valid"]))
def test_a_token(case):
    token = InvitationToken.parse(case["token"])
    assert (token.broker_url, token.edge.uuid) == (case["broker"], TOKENS["id"])
    assert (token.genesis.hex, token.secret.reveal().hex()) == (TOKENS["genesis"], TOKENS["secret"])
    assert token.format() == case["token"]


@pytest.mark.parametrize("case", cases(TOKENS["invalid"]))
def test_no_token(case):
    with pytest.raises(MalformedError):
        InvitationToken.parse(case["token"])


@pytest.mark.parametrize("case", cases(FRAMES["valid"]))
def test_a_message(case):
    message = bytes.fromhex(case["message"])
    frames = decode_message(message)
    assert [type(frame).__name__ for frame in frames] == case["frames"]
    assert b"".join(encode_messages(frames)) == message


@pytest.mark.parametrize("case", cases(FRAMES["invalid"]))
def test_no_message(case):
    with pytest.raises(MalformedError):
        decode_message(bytes.fromhex(case["message"]))


def test_every_case_has_a_name_of_its_own():
    for document in (CHAINS, BUNDLES, SCOPES, FRAMES):
        lists = [value for value in document.values() if isinstance(value, list)]
        names = [case["name"] for case in itertools.chain(*lists)]
        assert len(names) == len(set(names))
