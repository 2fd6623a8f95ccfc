from dataclasses import replace

import pytest

from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.grant import GrantDocument, GrantStatus, Version, standing
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.scopes import OWN_SCOPES, PROFILES, Scopes
from tests.support.documents import ALICE, BOB, NOW_MS, altered, digest, grant, head, read

LOW, HIGH = sorted([ALICE.device, BOB.device])
FIRST = Version(1, BOB.device)


def edit(
    n: int, *parents: Version, device=BOB, scopes: Scopes = OWN_SCOPES, status=GrantStatus.ACTIVE
) -> GrantDocument:
    return grant(
        head=head(device, ALICE if device is BOB else BOB),
        version=Version(n, device.device),
        parents=tuple(sorted(parents)),
        scopes=scopes,
        status=status,
    )


class TestVersion:
    def test_the_count_comes_first_then_the_device(self):
        assert sorted([Version(2, LOW), Version(1, HIGH), Version(1, LOW)]) == [
            Version(1, LOW),
            Version(1, HIGH),
            Version(2, LOW),
        ]

    def test_reading_is_the_inverse_of_writing(self):
        assert read(Version.read, FIRST.write()) == FIRST

    def test_a_version_counts_from_one(self):
        with pytest.raises(MalformedError):
            read(Version.read, {"n": 0, "device": LOW.hex})


class TestDocument:
    @pytest.mark.parametrize("document", [grant(), edit(2, FIRST), edit(7, FIRST, Version(6, ALICE.device))])
    def test_decoding_is_the_inverse_of_encoding(self, document):
        assert GrantDocument.decode(document.encode()) == document

    @pytest.mark.parametrize(
        "document, why",
        [
            (grant(version=Version(1, ALICE.device)), "another device"),
            (grant(head=head(BOB, ALICE, edge=EdgeId.SELF)), "stands on an edge"),
            (grant(head=head(BOB, ALICE, re=digest("d"))), "stands on an edge"),
            (grant(head=head(BOB, ALICE, expires_ms=NOW_MS + 1)), "stands on an edge"),
            (edit(2), "follow its parents"),
            (edit(1, FIRST), "follow its parents"),
            (edit(2, Version(2, ALICE.device)), "follow its parents"),
            (replace(edit(3), parents=(FIRST, FIRST)), "sorted and distinct"),
            (replace(edit(3), parents=(Version(2, BOB.device), FIRST)), "sorted and distinct"),
        ],
    )
    def test_contradictions_are_not_signed(self, document, why):
        with pytest.raises(LocalError, match=why):
            document.encode()

    @pytest.mark.parametrize("place, value", [("status", "paused"), ("version.more", 1), ("parents", [1])])
    def test_strictly(self, place, value):
        with pytest.raises(MalformedError):
            read(GrantDocument.read, altered(grant().write(), place, value))


class TestStanding:
    def test_the_last_version_stands(self):
        held = standing([edit(2, FIRST, scopes=PROFILES["edit"]), grant()])
        assert (held.status, held.scopes) == (GrantStatus.ACTIVE, PROFILES["edit"])
        assert held.tips == (Version(2, BOB.device),)

    def test_of_two_edits_at_the_same_time_the_intersection_stands(self):
        ours = edit(2, FIRST, scopes=Scopes(tools=("Read", "Edit")))
        theirs = edit(2, FIRST, device=ALICE, scopes=Scopes(tools=("Read", "Bash"), max_per_day=3))
        held = standing([grant(), ours, theirs])
        assert held.scopes == Scopes(tools=("Read",), max_per_day=3)
        assert held.tips == tuple(sorted([ours.version, theirs.version]))

    def test_a_version_that_names_both_parents_stands_alone(self):
        ours, theirs = edit(2, FIRST), edit(2, FIRST, device=ALICE)
        both = edit(3, ours.version, theirs.version, scopes=PROFILES["full"])
        assert standing([grant(), ours, theirs, both]).scopes == PROFILES["full"]

    def test_a_revocation_wins_over_an_edit_at_the_same_time_and_over_every_later_one(self):
        gone = edit(2, FIRST, device=ALICE, status=GrantStatus.REVOKED)
        assert standing([grant(), edit(2, FIRST), gone]).status is GrantStatus.REVOKED
        assert standing([gone, edit(3, gone.version)]).status is GrantStatus.REVOKED

    def test_an_edge_without_a_grant_has_no_standing(self):
        with pytest.raises(LocalError) as error:
            standing([])
        assert error.value.code == "no_grant"
