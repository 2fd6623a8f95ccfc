import subprocess
import sys

import pytest

from dispatch_protocol import loopback
from dispatch_protocol.errors import RefusalCode
from dispatch_protocol.lifecycle import Status

# The troubleshooting list that people know, each line with its code and exit code.
TROUBLESHOOTING = {
    "no token": ("login_needed", 4),
    "broker error 403 on send": ("no_edge", 3),
    "broker error 503 on send": ("daemon_unreachable", 5),
    "the local daemon is not reachable": ("daemon_unreachable", 5),
    "no local daemon token": ("local_token_missing", 5),
    "nothing pending": ("not_pending", 6),
    "broker error 401": ("token_invalid", 4),
    "can't reach broker": ("broker_unreachable", 5),
    "404 on accept or approve": ("not_found", 6),
}


class TestTable:
    def test_every_reason_to_refuse_has_its_row(self):
        assert {code.value for code in RefusalCode} <= loopback.CODES.keys()

    @pytest.mark.parametrize("code", loopback.CODES)
    def test_every_row_is_whole(self, code):
        status, exit_code, hint = loopback.CODES[code]
        assert 400 <= status < 600
        assert exit_code in {1, 2, 3, 4, 5, 6, 7, 8, 130}
        assert hint
        assert (loopback.http_status(code), loopback.exit_code(code), loopback.hint(code)) == (
            status,
            exit_code,
            hint,
        )

    @pytest.mark.parametrize("line", TROUBLESHOOTING)
    def test_the_troubleshooting_list(self, line):
        code, exit_code = TROUBLESHOOTING[line]
        assert loopback.exit_code(code) == exit_code

    def test_forbidden_and_too_much_are_refusals_and_strangers_sign_in(self):
        for status, exit_code, _ in loopback.CODES.values():
            if status in {403, 429}:
                assert exit_code == loopback.REFUSED
            if status == 401:
                assert exit_code == loopback.SIGN_IN

    def test_a_word_that_is_not_in_the_table_is_our_own_failure(self):
        assert loopback.http_status("no_such_word") == 500
        assert loopback.exit_code("no_such_word") == 1
        assert loopback.hint("no_such_word") == loopback.hint("internal")

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 429, 503])
    def test_a_bare_status_has_a_code_of_that_status(self, status):
        assert loopback.http_status(loopback.code_of_status(status)) == status

    def test_a_status_of_no_meaning_here_is_internal(self):
        assert loopback.code_of_status(418) == "internal"


class TestNames:
    def test_statuses_are_those_of_the_tables(self):
        assert set(loopback.STATUSES) == {status.value for status in Status}
        assert set(loopback.STATUSES) > loopback.ENDED

    def test_a_short_id_is_eight_hex_digits(self):
        assert loopback.short_id("0123abcd-4567-8000-8000-000000000000") == "0123abcd"
        assert loopback.short_id("abcdef0123456789") == "abcdef01"

    def test_the_socket_is_in_the_home(self):
        assert loopback.socket_path("/home/bob/.dispatch") == "/home/bob/.dispatch/daemon.sock"

    @pytest.mark.parametrize("home", ["/" + "h" * 100, "/" + "ü" * 50])
    def test_or_under_a_short_name_of_its_own(self, home):
        path = loopback.socket_path(home)
        assert len(path.encode()) <= loopback.SOCKET_PATH_BYTES
        assert path == loopback.socket_path(home) != loopback.socket_path(home + "2")

    def test_the_longest_path_that_fits_stays(self):
        home = "/" + "h" * (loopback.SOCKET_PATH_BYTES - len("//daemon.sock"))
        assert loopback.socket_path(home).startswith(home)
        assert not loopback.socket_path(home + "h").startswith(home)


def test_it_loads_nothing_that_costs():
    program = "import sys; import dispatch_protocol.loopback; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    bare = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(loaded) - set(bare) == {
        "dispatch_protocol",
        "dispatch_protocol.loopback",
    }
