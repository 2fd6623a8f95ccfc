"""Every word with which the broker says no is told to somebody by a test that is named here, and stands in the protocol.

The tests are run once more, in a process that writes down what was told: a test that no longer gets there is found.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from dispatch_broker.core.refusal import STATUS, BrokerCode

ROOT = Path(__file__).resolve().parents[3]
TOLD = {
    "test_blobs.py::test_bytes_that_are_not_what_the_address_says_are_dropped": "blob_address",
    "test_blobs.py::test_what_has_come_stays_when_the_connection_breaks_and_the_rest_goes_after_it": "offset_wrong",
    "test_delivery.py::test_nobody_squats_on_a_digest": "id_collision",
    "test_failures.py::test_a_full_disk_opens_no_account": "unavailable",
    "test_hostile.py::TestFrames::test_before_the_proof": "malformed",
    "test_http.py::TestLogin::test_a_large_body_is_refused": "too_large",
    "test_http.py::TestLogin::test_a_page_does_not_sign_in": "browser_refused",
    "test_http.py::TestLogin::test_only_json_signs_in": "media_type",
    "test_http.py::TestPublicDocuments::test_a_session_asks_for_an_upgrade": "upgrade_needed",
    "test_http.py::TestPublicDocuments::test_a_wrong_method": "method_not_allowed",
    "test_http.py::TestPublicDocuments::test_what_is_not_there": "not_found",
    "test_login.py::test_a_broker_without_mail_says_so": "sign_in_unavailable",
    "test_login.py::test_a_device_that_asks_is_told_to_wait_and_to_slow_down": (
        "authorization_pending slow_down expired_token"
    ),
    "test_login.py::test_five_wrong_codes_end_it": "code_wrong access_denied",
    "test_metrics.py::TestWhoMayRead::test_what_may_come_from_elsewhere_gets_nothing": "dev_only_direct",
    "test_metrics.py::test_every_no_is_counted_by_its_code": "unknown_op counter_reused",
    "test_sessions.py::test_a_broker_that_is_about_to_stop_opens_no_session": "draining",
    "test_sessions.py::test_a_closed_broker_opens_no_account": "signup_closed",
    "test_sessions.py::test_a_newer_session_of_a_device_takes_the_place_of_the_older": "replaced",
    "test_sessions.py::test_a_revoked_device_that_hides_its_revocation_gets_no_session": "device_revoked",
    "test_sessions.py::test_a_stranger_is_asked_to_sign_in": "login_needed",
    "test_sessions.py::test_a_token_of_a_session_is_no_login": "token_invalid",
    "test_sessions.py::test_an_address_with_an_identity_never_gets_a_second_one": "pair_needed",
    "test_sessions.py::test_an_identity_keeps_its_address": "address_mismatch",
    "test_sessions.py::test_calls_have_a_rate": "rate_limited",
    "test_trust.py::TestEdges::test_an_envelope_for_a_device_that_is_not_the_recipients_is_refused": "device_unknown",
    "test_trust.py::TestEdges::test_an_envelope_in_another_devices_name_is_refused": "wrong_device",
    "test_trust.py::TestEdges::test_either_side_ends_it_and_what_follows_still_passes": "edge_revoked",
    "test_trust.py::TestEdges::test_the_trustor_sets_the_daily_limit_and_the_end": "edge_expired daily_limit",
    "test_trust.py::TestEdges::test_without_an_edge_nothing_passes": "no_edge",
    "test_trust.py::TestInvitations::test_a_document_of_somebody_else_is_refused": "signature_invalid",
    "test_trust.py::TestInvitations::test_a_second_edge_for_the_same_trust_is_not_made": "edge_exists",
    "test_trust.py::TestInvitations::test_what_is_mailed_to_nobody_asks_for_its_token": "not_mailed",
    "test_trust.py::TestInvitations::test_both_sides_may_end_it_before_it_begins": "not_pending",
    "test_trust.py::TestInvitations::test_only_the_invited_address_answers": "wrong_party",
    "test_trust.py::TestInvitations::test_open_invitations_are_counted": "quota",
    "test_users.py::test_whoever_is_disabled_is_let_go_of_and_stays_outside": "account_disabled",
}


def test_every_code_has_its_test():
    assert sorted(" ".join(TOLD.values()).split()) == sorted(BrokerCode)


def test_every_code_is_told_in_the_test_that_is_named_for_it(tmp_path):
    named = [f"tests/integration/broker/{name}" for name in TOLD]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "tests.support.told_refusals", *named],
        cwd=ROOT,
        env=os.environ | {"DISPATCH_TEST_TOLD": str(tmp_path / "told")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    told = {tuple(line.split()) for line in (tmp_path / "told").read_text().splitlines()}
    told = {(re.sub(r"\[.*", "", test).rpartition("/")[2], code) for test, code in told}
    assert {(test, code) for test, codes in TOLD.items() for code in codes.split()} <= told


def test_the_protocol_names_every_code_with_its_status():
    text = (ROOT / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")
    _, _, chapter = text.partition("### What a relay says no with")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", chapter, re.MULTILINE)
    assert {code: int(status) for code, status in rows} == {
        str(code): status for code, status in STATUS.items()
    }
    assert len(rows) == len(BrokerCode)
