from dataclasses import replace

import pytest

from dispatch_protocol import chain as chains
from dispatch_protocol.chain import Chain, read_links, write_links
from dispatch_protocol.errors import DispatchError, MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import Digest, SealingKey, SigningKey
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    IdentityKind,
    RecoverLink,
    RevokeDeviceLink,
    Role,
    RotateSealingLink,
    SetRolesLink,
    sign_link,
)
from dispatch_protocol.signing import Document, Signature
from tests.support.documents import ALICE, BOB, NOW_MS, fixed, person

LAPTOP = ALICE.sign
PHONE, TABLET = SigningKey(fixed("phone")), SigningKey(fixed("tablet"))
APPROVER, RUNNER = frozenset({Role.APPROVER}), frozenset({Role.RUNNER})


def seal(name: str):
    return SealingKey(fixed(f"{name} seal")).public


def place(chain: Chain):
    return {"prev": chain.head, "created_ms": NOW_MS + len(chain.links), "nonce": fixed("nonce", 16)}


def add(chain: Chain, new: SigningKey, *signers: SigningKey, roles=ALL_ROLES, sealing=None) -> Document:
    link = AddDeviceLink(
        device=new.device, sealing=sealing or seal(new.device.hex), roles=roles, **place(chain)
    )
    return sign_link(link, signers or (LAPTOP, new))


def revoke(chain: Chain, old: SigningKey, *signers: SigningKey) -> Document:
    return sign_link(RevokeDeviceLink(device=old.device, **place(chain)), signers or (LAPTOP,))


def rotate(chain: Chain, key: SigningKey, *signers: SigningKey, sealing=None) -> Document:
    link = RotateSealingLink(device=key.device, sealing=sealing or seal("new"), **place(chain))
    return sign_link(link, signers or (key,))


def set_roles(chain: Chain, key: SigningKey, roles: frozenset[Role], *signers: SigningKey) -> Document:
    return sign_link(SetRolesLink(device=key.device, roles=roles, **place(chain)), signers or (LAPTOP,))


def recover(
    chain: Chain, *signers, new: SigningKey | None = None, survivors=(), epoch=1, sealing=None
) -> Document:
    link = RecoverLink(
        epoch=epoch,
        survivors=frozenset(key.device for key in survivors),
        device=None if new is None else (new.device, sealing or seal(new.device.hex)),
        **place(chain),
    )
    return sign_link(link, signers or ((ALICE.recovery,) if new is None else (ALICE.recovery, new)))


ONE = ALICE.chain
TWO = ONE.extend([add(ONE, PHONE)])


def refused(code: RefusalCode, act, *arguments, **named) -> str:
    with pytest.raises(RefusedError) as error:
        act(*arguments, **named)
    assert error.value.reason is code
    return error.value.detail


class TestGenesis:
    def test_the_fingerprint_is_the_digest_of_the_first_link(self):
        assert ONE.genesis.raw == ONE.links[0].digest.raw == ONE.head.raw

    def test_it_names_one_device_with_every_role(self):
        (device,) = ONE.devices.values()
        assert (device.sign, device.seal, device.roles) == (ALICE.device, ALICE.seal.public, ALL_ROLES)
        assert device.sealed_ms == NOW_MS
        assert ONE.recovery == ALICE.recovery.public

    def test_a_service_is_no_person(self):
        assert person("robot", IdentityKind.SERVICE).chain.kind is IdentityKind.SERVICE

    def test_another_fingerprint_is_refused(self):
        refused(RefusalCode.GENESIS_MISMATCH, Chain.verify, ONE.links, expect=BOB.chain.genesis)

    @pytest.mark.parametrize("kept", [[0], [1], []])
    def test_both_keys_must_have_signed(self, kept):
        first = ONE.links[0]
        signatures = tuple(first.signatures[index] for index in kept) or (
            Signature(BOB.device.raw, first.signatures[0].value),
        )
        forged = replace(first, signatures=signatures)
        refused(RefusalCode.SIGNATURE_BAD, Chain.verify, [forged], expect=ONE.genesis)

    def test_there_is_no_chain_without_links(self):
        with pytest.raises(MalformedError):
            Chain.verify([], expect=None)


class TestAddingDevices:
    def test_an_old_and_the_new_device_sign(self):
        assert set(TWO.devices) == {LAPTOP.device, PHONE.device}
        assert TWO.devices[PHONE.device].sealed_ms == NOW_MS + 1
        assert Chain.verify(TWO.links, expect=ONE.genesis) == TWO

    @pytest.mark.parametrize("signers", [(LAPTOP,), (LAPTOP, TABLET), (LAPTOP, PHONE, TABLET)])
    def test_and_exactly_these(self, signers):
        refused(RefusalCode.SIGNATURE_BAD, ONE.extend, [add(ONE, PHONE, *signers)])

    def test_not_the_new_one_alone(self):
        refused(RefusalCode.CHAIN_BROKEN, ONE.extend, [add(ONE, PHONE, PHONE)])

    def test_not_the_recovery_key(self):
        link = AddDeviceLink(device=PHONE.device, sealing=seal("p"), roles=ALL_ROLES, **place(ONE))
        refused(RefusalCode.CHAIN_BROKEN, ONE.extend, [sign_link(link, (ALICE.recovery, PHONE))])

    def test_a_device_that_only_runs_adds_nobody(self):
        chain = ONE.extend([add(ONE, PHONE, roles=RUNNER)])
        why = refused(RefusalCode.CHAIN_BROKEN, chain.extend, [add(chain, TABLET, PHONE, TABLET)])
        assert "may not change" in why

    def test_no_device_twice_even_after_it_was_revoked(self):
        gone = TWO.extend([revoke(TWO, PHONE)])
        why = refused(RefusalCode.CHAIN_BROKEN, gone.extend, [add(gone, PHONE, sealing=seal("other"))])
        assert "second time" in why
        refused(RefusalCode.CHAIN_BROKEN, TWO.extend, [add(TWO, LAPTOP, LAPTOP)])

    def test_no_sealing_key_twice(self):
        why = refused(
            RefusalCode.CHAIN_BROKEN, TWO.extend, [add(TWO, TABLET, sealing=TWO.devices[PHONE.device].seal)]
        )
        assert "sealing key" in why

    def test_no_more_than_an_envelope_can_list(self, monkeypatch):
        monkeypatch.setattr(chains, "DEVICES", 2)
        why = refused(RefusalCode.CHAIN_BROKEN, TWO.extend, [add(TWO, TABLET)])
        assert "more than 2" in why


class TestRevokingDevices:
    def test_the_device_is_gone_and_was_there(self):
        chain = TWO.extend([revoke(TWO, PHONE)])
        assert set(chain.devices) == {LAPTOP.device}
        assert PHONE.device in chain.states[1]

    def test_a_device_may_leave_by_itself_whatever_its_roles(self):
        chain = ONE.extend([add(ONE, PHONE, roles=frozenset())])
        assert set(chain.extend([revoke(chain, PHONE, PHONE)]).devices) == {LAPTOP.device}

    def test_a_device_that_only_runs_revokes_nobody_else(self):
        chain = ONE.extend([add(ONE, PHONE, roles=RUNNER)])
        refused(RefusalCode.CHAIN_BROKEN, chain.extend, [revoke(chain, LAPTOP, PHONE)])

    def test_the_last_signer_cannot_be_revoked(self):
        why = refused(RefusalCode.CHAIN_BROKEN, ONE.extend, [revoke(ONE, LAPTOP)])
        assert "no device" in why
        chain = ONE.extend([add(ONE, PHONE, roles=RUNNER)])
        refused(RefusalCode.CHAIN_BROKEN, chain.extend, [revoke(chain, LAPTOP)])

    def test_a_stranger_cannot_be_revoked(self):
        why = refused(RefusalCode.CHAIN_BROKEN, TWO.extend, [revoke(TWO, TABLET)])
        assert "not active" in why

    def test_a_revoked_device_signs_nothing_any_more(self):
        chain = TWO.extend([revoke(TWO, PHONE)])
        refused(RefusalCode.CHAIN_BROKEN, chain.extend, [add(chain, TABLET, PHONE, TABLET)])

    def test_two_signers_are_one_too_many(self):
        refused(RefusalCode.CHAIN_BROKEN, TWO.extend, [revoke(TWO, PHONE, LAPTOP, PHONE)])


class TestRotatingSealingKeys:
    def test_the_new_key_counts_from_its_link(self):
        chain = TWO.extend([rotate(TWO, PHONE)])
        assert chain.devices[PHONE.device].seal == seal("new")
        assert chain.devices[PHONE.device].sealed_ms == NOW_MS + 2
        assert chain.devices[LAPTOP.device] == TWO.devices[LAPTOP.device]

    def test_only_the_device_itself_rotates(self):
        why = refused(RefusalCode.CHAIN_BROKEN, TWO.extend, [rotate(TWO, PHONE, LAPTOP)])
        assert "that device alone" in why

    def test_an_old_key_does_not_return(self):
        refused(RefusalCode.CHAIN_BROKEN, TWO.extend, [rotate(TWO, PHONE, sealing=ALICE.seal.public)])


class TestChangingRoles:
    def test_an_approver_gives_and_takes_roles(self):
        chain = TWO.extend([set_roles(TWO, PHONE, RUNNER)])
        assert chain.devices[PHONE.device].roles == RUNNER

    def test_a_device_that_only_runs_cannot_raise_itself(self):
        chain = ONE.extend([add(ONE, PHONE, roles=RUNNER)])
        refused(RefusalCode.CHAIN_BROKEN, chain.extend, [set_roles(chain, PHONE, APPROVER, PHONE)])

    def test_the_last_approver_stays_one(self):
        refused(RefusalCode.CHAIN_BROKEN, ONE.extend, [set_roles(ONE, LAPTOP, RUNNER)])

    def test_a_stranger_has_no_roles(self):
        refused(RefusalCode.CHAIN_BROKEN, ONE.extend, [set_roles(ONE, PHONE, RUNNER)])


class TestRecovering:
    def test_a_new_device_takes_the_place_of_all(self):
        chain = TWO.extend([recover(TWO, new=TABLET)])
        (device,) = chain.devices.values()
        assert (device.sign, device.roles, device.sealed_ms) == (TABLET.device, ALL_ROLES, NOW_MS + 2)
        assert (TWO.epoch, chain.epoch) == (0, 1)
        assert Chain.verify(chain.links, expect=ONE.genesis) == chain

    def test_survivors_stay_as_they_were(self):
        chain = ONE.extend([add(ONE, PHONE, roles=APPROVER)])
        after = chain.extend([recover(chain, survivors=[PHONE])])
        assert after.devices == {PHONE.device: chain.devices[PHONE.device]}

    @pytest.mark.parametrize(
        "signers", [(ALICE.recovery,), (TABLET,), (LAPTOP, TABLET), (BOB.recovery, TABLET)]
    )
    def test_the_recovery_key_and_the_new_device_sign(self, signers):
        refused(RefusalCode.SIGNATURE_BAD, TWO.extend, [recover(TWO, *signers, new=TABLET)])

    @pytest.mark.parametrize("signers", [(LAPTOP,), (BOB.recovery,), (ALICE.recovery, LAPTOP)])
    def test_the_recovery_key_alone_signs_where_no_device_is_new(self, signers):
        refused(RefusalCode.SIGNATURE_BAD, TWO.extend, [recover(TWO, *signers, survivors=[LAPTOP])])

    def test_the_epoch_rises(self):
        chain = TWO.extend([recover(TWO, survivors=[LAPTOP], epoch=3)])
        why = refused(RefusalCode.CHAIN_BROKEN, chain.extend, [recover(chain, survivors=[LAPTOP], epoch=3)])
        assert "epoch" in why
        assert chain.extend([recover(chain, survivors=[LAPTOP], epoch=4)]).epoch == 4

    def test_the_epoch_stays_with_what_follows(self):
        chain = TWO.extend([recover(TWO, survivors=[LAPTOP], epoch=3)])
        assert chain.extend([rotate(chain, LAPTOP)]).epoch == 3
        assert chain.at(TWO.head) == TWO

    def test_whoever_was_revoked_does_not_survive(self):
        gone = TWO.extend([revoke(TWO, PHONE)])
        why = refused(RefusalCode.CHAIN_BROKEN, gone.extend, [recover(gone, survivors=[LAPTOP, PHONE])])
        assert "not active" in why

    def test_an_approver_is_left(self):
        chain = ONE.extend([add(ONE, PHONE, roles=RUNNER)])
        why = refused(RefusalCode.CHAIN_BROKEN, chain.extend, [recover(chain, survivors=[PHONE])])
        assert "no device" in why

    def test_the_new_device_is_new_in_both_keys(self):
        gone = TWO.extend([revoke(TWO, PHONE)])
        refused(RefusalCode.CHAIN_BROKEN, gone.extend, [recover(gone, new=PHONE, sealing=seal("other"))])
        refused(RefusalCode.CHAIN_BROKEN, TWO.extend, [recover(TWO, new=TABLET, sealing=ALICE.seal.public)])

    def test_the_recovery_key_is_never_a_device(self):
        same = SigningKey(ALICE.recovery.reveal())
        why = refused(RefusalCode.CHAIN_BROKEN, ONE.extend, [recover(ONE, same, new=same)])
        assert "recovery key" in why
        refused(RefusalCode.CHAIN_BROKEN, ONE.extend, [add(ONE, same)])

    def test_a_full_house_makes_room_by_those_who_go(self, monkeypatch):
        monkeypatch.setattr(chains, "DEVICES", 2)
        refused(RefusalCode.CHAIN_BROKEN, TWO.extend, [recover(TWO, new=TABLET, survivors=[LAPTOP, PHONE])])
        assert len(TWO.extend([recover(TWO, new=TABLET, survivors=[LAPTOP])]).devices) == 2


class TestOrder:
    def test_a_link_names_the_one_before_it(self):
        why = refused(RefusalCode.CHAIN_BROKEN, TWO.extend, [add(ONE, TABLET)])
        assert "the link before it" in why

    def test_a_link_that_is_not_understood_ends_the_reading(self):
        body = b'{"type":"merge","v":1}'
        link = Document(ONE.links[0].payload_type, body, ONE.links[0].signatures)
        refused(RefusalCode.UNSUPPORTED, ONE.extend, [link])

    def test_a_forged_signature_is_refused(self):
        good = add(ONE, PHONE)
        (first, second) = good.signatures
        forged = replace(good, signatures=(first, replace(second, value=bytes(64))))
        refused(RefusalCode.SIGNATURE_BAD, ONE.extend, [forged])

    def test_a_chain_does_not_grow_without_end(self, monkeypatch):
        monkeypatch.setattr(chains, "CHAIN_LINKS", 2)
        with pytest.raises(MalformedError, match="more than 2"):
            TWO.extend([add(TWO, TABLET)])

    def test_a_chain_does_not_grow_beyond_its_bytes_and_fills_them_to_the_last(self, monkeypatch):
        further = add(TWO, TABLET)
        whole = TWO.extend([further]).size_bytes
        monkeypatch.setattr(chains, "CHAIN_BYTES", whole)
        assert TWO.extend([further]).size_bytes == whole
        monkeypatch.setattr(chains, "CHAIN_BYTES", whole - 1)
        with pytest.raises(MalformedError, match=f"or {whole - 1} bytes"):
            TWO.extend([further])

    def test_a_state_is_found_by_its_head(self):
        assert TWO.at(ONE.head) == ONE
        assert TWO.at(TWO.head) == TWO
        assert TWO.at(Digest.ZERO) is None

    def test_recipients_are_every_active_device_in_order(self):
        assert [device for device, _ in TWO.recipients] == sorted(TWO.devices)
        assert dict(ONE.recipients) == {ALICE.device: ALICE.seal.public}


class TestUpdating:
    def test_a_longer_telling_is_taken_and_a_shorter_one_changes_nothing(self):
        assert ONE.update(TWO.links) == TWO
        assert TWO.update(ONE.links) == TWO
        assert TWO.update(TWO.links) == TWO
        assert TWO.update([]) == TWO

    def test_two_histories_stop_the_contact_loudly(self):
        other = ONE.extend([add(ONE, TABLET)])
        refused(RefusalCode.CHAIN_FORKED, TWO.update, other.links)

    def test_the_chain_of_another_identity_is_no_second_history(self):
        refused(RefusalCode.GENESIS_MISMATCH, TWO.update, BOB.chain.links)

    def test_a_higher_epoch_voids_what_differs(self):
        stolen = TWO.extend([revoke(TWO, LAPTOP, PHONE)])
        saved = TWO.extend([recover(TWO, survivors=[LAPTOP])])
        assert stolen.update(saved.links) == saved
        assert saved.update(stolen.links) == saved
        again = ONE.extend([recover(ONE, new=TABLET, epoch=2)])
        assert saved.update(again.links) == again
        assert again.update(saved.links) == again

    def test_two_recoveries_in_one_epoch_stop_the_contact(self):
        saved = TWO.extend([recover(TWO, survivors=[LAPTOP])])
        other = ONE.extend([recover(ONE, new=TABLET)])
        refused(RefusalCode.CHAIN_FORKED, saved.update, other.links)

    def test_a_history_that_differs_is_verified_before_it_voids_anything(self):
        stolen = TWO.extend([revoke(TWO, LAPTOP, PHONE)])
        forged = recover(TWO, PHONE, survivors=[PHONE])
        refused(RefusalCode.SIGNATURE_BAD, stolen.update, [*TWO.links, forged])

    def test_what_two_tellings_share_is_counted_from_the_first_link(self):
        assert TWO.shared(TWO.links) == 2
        assert TWO.shared(ONE.links) == ONE.shared(TWO.links) == 1
        assert TWO.shared(BOB.chain.links) == 0


class TestJson:
    def test_links_survive(self):
        assert read_links(write_links(TWO.links)) == TWO.links

    def test_a_link_is_a_document(self):
        with pytest.raises(DispatchError):
            read_links([{"payload": "AA"}])


class TestOwner:
    def test_it_is_the_runner_that_joined_first(self):
        chain = ALICE.chain.extend([add(ALICE.chain, PHONE)])
        assert chain.owner == LAPTOP.device

    def test_it_is_the_runner_whose_roles_were_stated_last(self):
        chain = ALICE.chain.extend([add(ALICE.chain, PHONE)])
        chain = chain.extend([set_roles(chain, PHONE, ALL_ROLES)])
        assert chain.owner == PHONE.device
        chain = chain.extend([set_roles(chain, LAPTOP, APPROVER)])
        assert chain.owner == PHONE.device
        chain = chain.extend([revoke(chain, PHONE)])
        assert chain.owner == LAPTOP.device, (
            "who has left owns nothing; where nobody runs, the first is asked"
        )

    def test_a_lost_device_s_tasks_are_its_owner_s_and_a_stranger_s_are_nobody_s(self):
        chain = ALICE.chain.extend([add(ALICE.chain, PHONE)])
        assert chain.runs(PHONE.device) == PHONE.device
        chain = chain.extend([revoke(chain, PHONE)])
        assert chain.runs(PHONE.device) == LAPTOP.device
        assert chain.runs(TABLET.device) is None
