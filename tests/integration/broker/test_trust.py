"""Invitations become edges only by both sides' acts, and edges decide at the relay what passes."""

import pytest

from dispatch_broker.adapters.calls import LISTED
from dispatch_broker.adapters.store_sqlite.edges import LISTED as LISTED_EDGES
from dispatch_broker.core.quota import Quotas, Usage
from dispatch_protocol.envelope import EnvelopeClass
from dispatch_protocol.frames import Answer
from dispatch_protocol.framing import encode_frame
from dispatch_protocol.invitation import MacRule
from dispatch_protocol.keys import DeviceId, EdgeId
from tests.support.device import Device, RelayRefusalError, befriend, now_ms
from tests.support.relay import broker_here

DAY_MS = 86_400_000


async def invite(wire, to, **changes):
    """Leave an invitation of this wire's person, as the document says or with changes; returns the answer."""
    document = wire.device.invitation(to.address, wire.challenge.broker_url, **changes)
    return await wire.call("invite", document=document.to_json(), to_email=to.address, emailed=False)


async def accept(wire, invitation_id, **changes):
    arguments = {
        "invitation_id": invitation_id,
        "edge_id": invitation_id,
        "max_per_day": 50,
        "expires_ms": 0,
        **changes,
    }
    return await wire.call("accept_invitation", **arguments)


def refused(pattern):
    return pytest.raises(RelayRefusalError, match=pattern)


class TestInvitations:
    async def test_the_whole_way_from_an_invitation_to_an_active_edge(self, url, alice, bob):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            left = await invite(a, bob)
            invitation_id = left["invitation_id"]
            assert left["link"] == f"{url}/i/{invitation_id}"
            await b.notice("invitations")
            (received,) = (await b.call("invitations"))["received"]
            assert (received["from_email"], received["status"]) == (alice.address, "pending")
            await accept(b, invitation_id)
            await a.notice("edges")
            (edge,) = (await a.call("edges"))["edges"]
            assert edge == {
                "edge_id": invitation_id,
                "from_genesis": alice.genesis.hex,
                "to_genesis": bob.genesis.hex,
                "from_email": alice.address,
                "to_email": bob.address,
                "status": "pending",
                "max_per_day": 50,
                "expires_ms": 0,
                "online": False,
            }
            assert (await a.call("confirm_edge", edge_id=invitation_id))["status"] == "active"
            await b.notice("edges")
            assert (await b.call("edges"))["edges"] == [{**edge, "status": "active", "online": True}]
            (sent,) = (await a.call("invitations"))["sent"]
            assert sent["status"] == "confirmed"

    async def test_what_is_mailed_to_nobody_asks_for_its_token(self, url, alice, bob):
        async with alice.signed_in(url) as a:
            with refused("not_mailed"):
                await invite(a, bob, mac=MacRule.OPTIONAL)
            assert (await a.call("invitations"))["sent"] == []
            assert (await invite(a, bob))["emailed"] is False

    async def test_an_invitation_waits_for_somebody_who_is_not_here_yet(self, url, alice, bob):
        async with alice.signed_in(url) as a:
            left = await invite(a, bob)
        async with bob.signed_in(url) as b:
            (received,) = (await b.call("invitations"))["received"]
            assert received["invitation_id"] == left["invitation_id"]

    async def test_leaving_or_accepting_the_same_one_again_changes_nothing(self, url, alice, bob):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            document = alice.invitation(bob.address, url).to_json()
            arguments = {"document": document, "to_email": "BOB@example.org", "emailed": False}
            first = await a.call("invite", **arguments)
            assert await a.call("invite", **arguments) == first
            for _ in range(2):
                await accept(b, first["invitation_id"])
            await a.call("confirm_edge", edge_id=first["invitation_id"])
            await accept(b, first["invitation_id"])
            assert len((await a.call("edges"))["edges"]) == 1

    async def test_both_sides_may_end_it_before_it_begins(self, url, alice, bob):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            declined, revoked = [(await invite(a, bob))["invitation_id"] for _ in range(2)]
            answer = await b.call("decline_invitation", invitation_id=declined)
            assert answer == {"invitation_id": declined, "status": "declined"}
            await accept(b, revoked)
            answer = await a.call("revoke_invitation", invitation_id=revoked)
            assert answer == {"invitation_id": revoked, "status": "revoked"}
            (edge,) = (await b.call("edges"))["edges"]
            assert edge["status"] == "revoked"
            for over in (declined, revoked):
                with refused("409 not_pending"):
                    await accept(b, over)
            with refused("409 not_pending"):
                await a.call("confirm_edge", edge_id=revoked)

    async def test_an_invitation_ends_after_seven_days(self, url, alice, bob, clock):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            left = await invite(a, bob)
            clock.ahead_ms = 7 * DAY_MS + 1
            with refused("409 not_pending"):
                await accept(b, left["invitation_id"])

    async def test_only_the_invited_address_answers(self, url, alice, bob, carol):
        async with alice.signed_in(url) as a, carol.signed_in(url) as c:
            left = await invite(a, bob)
            for answer in (
                accept(c, left["invitation_id"]),
                c.call("decline_invitation", invitation_id=left["invitation_id"]),
                c.call("revoke_invitation", invitation_id=left["invitation_id"]),
            ):
                with refused("403 wrong_party"):
                    await answer

    async def test_the_acceptor_cannot_confirm_and_a_stranger_sees_nothing(self, url, alice, bob, carol):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b, carol.signed_in(url) as c:
            edge = (await invite(a, bob))["invitation_id"]
            await accept(b, edge)
            with refused("403 wrong_party"):
                await b.call("confirm_edge", edge_id=edge)
            with refused("404 not_found"):
                await c.call("confirm_edge", edge_id=edge)
            assert (await c.call("edges"))["edges"] == []

    async def test_a_second_edge_for_the_same_trust_is_not_made(self, url, alice, bob):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            await befriend(a, b)
            with refused("409 edge_exists"):
                await invite(a, bob)
            await befriend(b, a)

    @pytest.mark.parametrize(
        "changes,code",
        [
            ({"from_email": "boss@example.org"}, "wrong_party"),
            ({"to_email": "carol@example.org"}, "malformed"),
            ({"broker": "https://elsewhere.example.org"}, "malformed"),
            ({"mac": MacRule.OPTIONAL}, "not_mailed"),
            ({"created_ms": 1, "expires_ms": 2}, "malformed"),
        ],
    )
    async def test_a_document_that_says_something_else_is_refused(self, url, alice, bob, changes, code):
        async with alice.signed_in(url) as a:
            with refused(code):
                await invite(a, bob, **changes)

    async def test_a_document_of_somebody_else_is_refused(self, url, alice, bob, carol):
        async with alice.signed_in(url) as a:
            document = carol.invitation(bob.address, url).to_json()
            with refused("400 signature_invalid"):
                await a.call("invite", document=document, to_email=bob.address, emailed=False)

    async def test_this_broker_sends_no_mail_and_says_so(self, url, alice, bob):
        async with alice.signed_in(url) as a:
            document = alice.invitation(bob.address, url).to_json()
            answer = await a.call("invite", document=document, to_email=bob.address, emailed=True)
            assert answer["emailed"] is False

    async def test_open_invitations_are_counted(self, tmp_path, alice, bob):
        quotas = Quotas(open_invitations=2)
        async with (
            broker_here(tmp_path / "broker", quotas=quotas) as broker,
            alice.signed_in(broker.url) as a,
        ):
            left = [await invite(a, bob) for _ in range(2)]
            with refused("429 quota"):
                await invite(a, bob)
            await a.call("revoke_invitation", invitation_id=left[0]["invitation_id"])
            await invite(a, bob)


class TestEdges:
    async def test_the_trustor_sets_the_daily_limit_and_the_end(self, url, alice, bob, clock):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            edge = await befriend(a, b)
            await b.call("update_edge", edge_id=edge.uuid, max_per_day=2, expires_ms=now_ms() + DAY_MS)
            with refused("403 wrong_party"):
                await a.call("update_edge", edge_id=edge.uuid, max_per_day=99, expires_ms=0)
            repeated = alice.envelope(bob, edge)
            await a.deposit_all([repeated, alice.envelope(bob, edge)])
            with refused("429 daily_limit"):
                await a.deposit(alice.envelope(bob, edge))
            await a.deposit(repeated)
            clock.ahead_ms = DAY_MS + 1
            with refused("403 edge_expired"):
                await a.deposit(alice.envelope(bob, edge))

    async def test_the_daily_limit_is_a_rolling_day(self, url, alice, bob, clock):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            edge = await befriend(a, b, max_per_day=2)
            await a.deposit(alice.envelope(bob, edge))
            clock.ahead_ms = DAY_MS // 2
            await a.deposit(alice.envelope(bob, edge))
            with refused("429 daily_limit"):
                await a.deposit(alice.envelope(bob, edge))
            clock.ahead_ms = DAY_MS + 60_000
            await a.deposit(alice.envelope(bob, edge))
            with refused("429 daily_limit"):
                await a.deposit(alice.envelope(bob, edge))

    async def test_null_asks_for_the_largest_daily_limit(self, url, alice, bob):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            await befriend(a, b, max_per_day=None)
            (edge,) = (await b.call("edges"))["edges"]
            assert edge["max_per_day"] == 10_000

    @pytest.mark.parametrize("ender", ["giver", "trustor"])
    async def test_either_side_ends_it_and_what_follows_still_passes(self, url, alice, bob, ender):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            edge = await befriend(a, b)
            wire = a if ender == "giver" else b
            answer = await wire.call("revoke_edge", edge_id=edge.uuid)
            assert answer == {"edge_id": edge.uuid, "status": "revoked"}
            with refused("403 edge_revoked"):
                await a.deposit(alice.envelope(bob, edge))
            await a.deposit(alice.envelope(bob, edge, klass=EnvelopeClass.FOLLOW_ON))
            await b.deposit(bob.envelope(alice, edge, klass=EnvelopeClass.ANSWER))
            assert await b.delivery()
            assert await a.delivery()

    async def test_without_an_edge_nothing_passes(self, url, alice, bob):
        async with alice.signed_in(url) as a, bob.signed_in(url):
            for klass in EnvelopeClass:
                with refused("403 no_edge"):
                    await a.deposit(alice.envelope(bob, EdgeId(b"e" * 16), klass=klass))

    async def test_an_unconfirmed_edge_carries_trust_and_no_task(self, url, alice, bob):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            uuid = (await invite(a, bob))["invitation_id"]
            edge = EdgeId.from_uuid(uuid)
            await accept(b, uuid)
            await b.deposit(acceptance := bob.envelope(alice, edge, klass=EnvelopeClass.TRUST))
            assert (await a.delivery()).envelope == acceptance
            with refused("403 no_edge"):
                await a.deposit(alice.envelope(bob, edge))

    async def test_the_way_back_that_an_inviter_offers_carries_tasks(self, url, alice, bob, carol):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b, carol.signed_in(url) as c:
            edge = await befriend(a, b)
            back, other = EdgeId(b"\x85" * 16), EdgeId(b"\x86" * 16)
            asked = {"edge_id": edge.uuid, "back_id": back.uuid, "max_per_day": None, "expires_ms": 0}
            for stranger, code in ((b, "wrong_party"), (c, "not_found")):
                with refused(code):
                    await stranger.call("offer_edge", **asked)
            for _ in range(2):  # once more changes nothing
                assert await a.call("offer_edge", **asked) == {"edge_id": back.uuid}
            assert len((await b.call("edges"))["edges"]) == 2
            await b.deposit(bob.envelope(alice, back))
            with refused("edge_exists"):
                await a.call("offer_edge", **asked | {"back_id": other.uuid})

    async def test_trust_points_one_way(self, url, alice, bob):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b:
            edge = await befriend(a, b)
            with refused("403 no_edge: this edge points the other way"):
                await b.deposit(bob.envelope(alice, edge))

    async def test_a_third_person_cannot_use_an_edge_they_know_of(self, url, alice, bob, carol):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b, carol.signed_in(url) as c:
            edge = await befriend(a, b)
            for klass in EnvelopeClass:
                with refused("403 no_edge"):
                    await c.deposit(carol.envelope(bob, edge, klass=klass))

    async def test_an_envelope_in_another_devices_name_is_refused(self, url, alice, bob, carol):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b, carol.signed_in(url) as c:
            edge = await befriend(a, b)
            with refused("403 wrong_device"):
                await c.deposit(alice.envelope(bob, edge))

    async def test_an_envelope_for_a_device_that_is_not_the_recipients_is_refused(
        self, url, alice, bob, carol
    ):
        async with alice.signed_in(url) as a, bob.signed_in(url) as b, carol.signed_in(url):
            edge = await befriend(a, b)
            for stranger in (carol.id, DeviceId(b"x" * 32)):
                with refused("409 device_unknown"):
                    await a.deposit(alice.envelope(bob, edge, devices=tuple(sorted((bob.id, stranger)))))

    async def test_a_full_mailbox_refuses_tasks_and_takes_what_ends_them(self, tmp_path, alice, bob):
        quotas = Quotas(waiting=Usage(10, 1 << 20))
        async with (
            broker_here(tmp_path / "broker", quotas=quotas) as broker,
            alice.signed_in(broker.url) as a,
        ):
            async with bob.signed_in(broker.url) as b:
                edge = await befriend(a, b)
            await a.deposit_all([alice.envelope(bob, edge) for _ in range(8)])
            with refused("429 quota"):
                await a.deposit(alice.envelope(bob, edge))
            cancels = [alice.envelope(bob, edge, klass=EnvelopeClass.FOLLOW_ON) for _ in range(2)]
            await a.deposit_all(cancels)
            with refused("429 quota"):
                await a.deposit(alice.envelope(bob, edge, klass=EnvelopeClass.FOLLOW_ON))
            async with bob.connected(broker.url) as b:
                await b.ack(*[(await b.delivery()).seq for _ in range(10)])
                await b.call("edges")
                await a.deposit(alice.envelope(bob, edge))

    async def test_one_depositor_cannot_fill_the_broker(self, tmp_path, alice, bob):
        quotas = Quotas(deposited=Usage(1_000, 200_000))
        async with (
            broker_here(tmp_path / "broker", quotas=quotas) as broker,
            alice.signed_in(broker.url) as a,
            bob.signed_in(broker.url) as b,
        ):
            edge = await befriend(a, b)
            await a.deposit(alice.envelope(bob, edge, size=150_000))
            with refused("429 quota: your account"):
                await a.deposit(alice.envelope(bob, edge, size=150_000))


class TestCalls:
    @pytest.mark.parametrize(
        "op,args,code",
        [
            ("dance", {}, "unknown_op"),
            ("edges", {"extra": 1}, "malformed"),
            ("chain", {"genesis": "00" * 32}, "not_found"),
            ("chain", {"genesis": "xyz"}, "malformed"),
            ("chain", {}, "malformed"),
            ("confirm_edge", {"edge_id": "0" * 36}, "malformed"),
            ("confirm_edge", {"edge_id": "0" * 8 + "-0000-8000-8000-" + "0" * 12}, "not_found"),
            ("revoke_edge", {"edge_id": 5}, "malformed"),
            ("offer_edge", {"edge_id": "0" * 8 + "-0000-8000-8000-" + "0" * 12}, "malformed"),
            ("invite", {"document": [], "to_email": "b@example.org", "emailed": False}, "malformed"),
            ("decline_invitation", {"invitation_id": "A" * 8 + "-0000-8000-8000-" + "0" * 12}, "malformed"),
            ("accept_invitation", {"invitation_id": "x"}, "malformed"),
        ],
    )
    async def test_what_cannot_be_read_is_refused_and_the_session_stays(self, url, alice, op, args, code):
        async with alice.signed_in(url) as a:
            with refused(code):
                await a.call(op, **args)
            assert (await a.call("edges"))["edges"] == []

    async def test_anybody_signed_in_reads_any_public_chain(self, url, alice, bob):
        async with alice.signed_in(url), bob.signed_in(url) as b:
            answer = await b.call("chain", genesis=alice.genesis.hex)
            assert answer["links"] == [link.to_json() for link in alice.chain.links]

    def test_the_longest_lists_fit_into_one_frame(self):
        """Worst cases of both lists: the longest addresses, and a document of their length."""
        longest = "a" * 64 + "@" + "b" * 189
        edge = {
            "edge_id": "0" * 36,
            "from_genesis": "0" * 64,
            "to_genesis": "0" * 64,
            "from_email": longest,
            "to_email": longest,
            "status": "pending",
            "max_per_day": 10_000,
            "expires_ms": 2**53 - 1,
            "online": False,
        }
        assert encode_frame(Answer(1, {"edges": [edge] * LISTED_EDGES}))
        document = Device("alice").invitation(longest, "https://" + "c" * 250, from_email=longest)
        invitation = {
            "invitation_id": "0" * 36,
            "document": document.to_json(),
            "from_email": longest,
            "to_email": longest,
            "status": "confirmed",
            "created_ms": 2**53 - 1,
            "expires_ms": 2**53 - 1,
        }
        lists = {"sent": [invitation] * LISTED, "received": [invitation] * LISTED}
        assert encode_frame(Answer(1, lists))
