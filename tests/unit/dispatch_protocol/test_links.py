from dataclasses import replace

import pytest

from dispatch_protocol.encoding import dumps
from dispatch_protocol.errors import LocalError, MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import RecoveryPublic
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    GenesisLink,
    IdentityKind,
    RecoverLink,
    RevokeDeviceLink,
    Role,
    RotateSealingLink,
    SetRolesLink,
    genesis_link,
    read_genesis,
    read_link,
    sign_link,
)
from dispatch_protocol.signing import Document
from tests.support.documents import ALICE, BOB, NOW_MS, altered, digest, fixed, without

LINK = "application/vnd.dispatch.link.v1+json"
COMMON = {"prev": digest("prev"), "created_ms": NOW_MS, "nonce": fixed("nonce", 16)}
LATER = {
    "add_device": AddDeviceLink(device=BOB.device, sealing=BOB.seal.public, roles=ALL_ROLES, **COMMON),
    "revoke_device": RevokeDeviceLink(device=BOB.device, **COMMON),
    "rotate_sealing": RotateSealingLink(device=BOB.device, sealing=BOB.seal.public, **COMMON),
    "set_roles": SetRolesLink(device=BOB.device, roles=frozenset({Role.RUNNER}), **COMMON),
    "recover": RecoverLink(
        epoch=1,
        survivors=frozenset({ALICE.device, BOB.device}),
        device=(BOB.device, BOB.seal.public),
        **COMMON,
    ),
}
FIRST = GenesisLink(
    kind=IdentityKind.PERSON,
    device=ALICE.device,
    sealing=ALICE.seal.public,
    recovery=ALICE.recovery.public,
    created_ms=NOW_MS,
    nonce=fixed("nonce", 16),
)


def unsigned(value, payload_type: str = LINK) -> Document:
    """A link as it comes from elsewhere; reading does not look at signatures."""
    signatures = sign_link(FIRST, (ALICE.sign,)).signatures
    return Document(payload_type, dumps(value), signatures)


class TestGenesis:
    def test_it_has_exactly_the_fields_of_the_specification(self):
        assert set(FIRST.write()) == {"kind", "device", "recovery", "created", "nonce"}

    def test_reading_is_the_inverse_of_writing(self):
        assert read_genesis(sign_link(FIRST, (ALICE.sign, ALICE.recovery))) == FIRST

    def test_it_is_signed_by_the_device_and_the_recovery_key(self):
        document = genesis_link(
            device=ALICE.sign,
            sealing=ALICE.seal.public,
            recovery=ALICE.recovery,
            created_ms=NOW_MS,
            nonce=fixed("nonce", 16),
        )
        assert document == sign_link(FIRST, (ALICE.sign, ALICE.recovery))
        assert document.signers == {ALICE.device.raw, ALICE.recovery.public.raw}

    def test_the_recovery_key_is_another_key(self):
        with pytest.raises(LocalError, match="recovery key"):
            sign_link(
                GenesisLink(
                    kind=IdentityKind.PERSON,
                    device=ALICE.device,
                    sealing=ALICE.seal.public,
                    recovery=RecoveryPublic(ALICE.device.raw),
                    created_ms=NOW_MS,
                    nonce=fixed("nonce", 16),
                ),
                (ALICE.sign,),
            )

    @pytest.mark.parametrize(
        "place, value",
        [
            ("kind", "robot"),
            ("device", {"sign": ALICE.device.hex}),
            ("device.more", 1),
            ("recovery", ALICE.recovery.public.hex.upper()),
            ("nonce", "AAAA"),
            ("created", -1),
            ("type", "genesis"),
        ],
    )
    def test_strictly(self, place, value):
        with pytest.raises(MalformedError):
            read_genesis(unsigned(altered({**FIRST.write(), "v": 1}, place, value)))


class TestLaterLinks:
    @pytest.mark.parametrize("name", LATER)
    def test_reading_is_the_inverse_of_writing(self, name):
        link = LATER[name]
        assert link.write()["type"] == name
        assert read_link(sign_link(link, (ALICE.sign,))) == link

    @pytest.mark.parametrize("name", LATER)
    def test_every_field_is_needed(self, name):
        body = {**LATER[name].write(), "v": 1}
        for place in body:
            with pytest.raises(MalformedError):
                read_link(unsigned(without(body, place)))

    @pytest.mark.parametrize(
        "roles", [["runner", "approver"], ["approver", "approver"], ["owner"], ["runner", "x"]]
    )
    def test_roles_are_sorted_words_of_the_list(self, roles):
        with pytest.raises(MalformedError):
            read_link(unsigned({**LATER["set_roles"].write(), "v": 1, "roles": roles}))

    def test_a_recovery_may_go_without_a_new_device(self):
        link = replace(LATER["recover"], device=None)
        assert read_link(sign_link(link, (ALICE.recovery,))) == link

    @pytest.mark.parametrize(
        "place, value",
        [
            ("epoch", 0),
            ("epoch", True),
            ("survivors", sorted((ALICE.device.hex, BOB.device.hex), reverse=True)),
            ("survivors", [BOB.device.hex, BOB.device.hex]),
            ("survivors", [f"{number:064x}" for number in range(33)]),
            ("device.more", 1),
            ("device", BOB.device.hex),
        ],
    )
    def test_a_recovery_is_read_strictly(self, place, value):
        with pytest.raises(MalformedError):
            read_link(unsigned(altered({**LATER["recover"].write(), "v": 1}, place, value)))

    @pytest.mark.parametrize("name", ["merge", "genesis", ""])
    def test_a_type_that_is_not_understood_is_refused_and_not_guessed_at(self, name):
        with pytest.raises(RefusedError) as refused:
            read_link(unsigned({"v": 1, "type": name, "epoch": 1}))
        assert refused.value.reason is RefusalCode.UNSUPPORTED


@pytest.mark.parametrize("read", [read_genesis, read_link])
def test_another_kind_of_document_is_no_link(read):
    with pytest.raises(RefusedError) as refused:
        read(unsigned(FIRST.write(), "application/vnd.dispatch.task.v1+json"))
    assert refused.value.reason is RefusalCode.UNSUPPORTED
