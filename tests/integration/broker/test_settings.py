"""What the broker is set up with: addresses, its token key, and what its tokens say."""

import re
import shlex
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dispatch_broker.__main__ import main
from dispatch_broker.adapters.settings import Settings, SettingsError, is_loopback, origin
from dispatch_broker.adapters.tokens import TokenKeyError, Tokens, Use, load_token_key
from dispatch_broker.core.accounts import Signup, SignupMode
from dispatch_broker.core.records import Claim
from tests.support.broker_facts import ALICE, ALICE_DEVICE, BOB_DEVICE, NOW_MS

OPERATING = Path(__file__).parents[3] / "docs" / "OPERATING.md"
CLAIM = Claim(ALICE.address, ALICE.genesis, ALICE_DEVICE)
TOKENS = Tokens(b"k" * 32)


def build(tmp_path, **changes):
    words = {
        "listen": "127.0.0.1:8000",
        "data": tmp_path,
        "public_url": None,
        "token_key": None,
        "signup": None,
        "dev": False,
        "log_level": "INFO",
        **changes,
    }
    return Settings.build(**words)


class TestSettings:
    @pytest.mark.parametrize(
        "listen,host,port",
        [("127.0.0.1:0", "127.0.0.1", 0), ("localhost:80", "localhost", 80), ("[::1]:8000", "::1", 8000)],
    )
    def test_a_listener_is_a_host_and_a_port(self, tmp_path, listen, host, port):
        settings = build(tmp_path, listen=listen)
        assert (settings.host, settings.port) == (host, port)

    @pytest.mark.parametrize("listen", ["", ":", "8000", "a:", ":80", "::1:80", "a:-1", "a:٣", "a:65536"])
    def test_anything_else_is_no_listener(self, tmp_path, listen):
        with pytest.raises(SettingsError, match="HOST:PORT"):
            build(tmp_path, listen=listen)

    def test_a_provider_is_named_whole_and_its_secret_stands_in_a_file(self, tmp_path):
        (tmp_path / "secret").write_text("hush\n")
        words = {
            "oidc_issuer": "https://accounts.example.net",
            "oidc_client_id": "dispatch",
            "oidc_client_secret_file": tmp_path / "secret",
        }
        known = build(tmp_path, **words).provider
        assert known is not None
        assert (known.issuer, known.client_id, known.secret) == (*list(words.values())[:2], "hush")
        assert build(tmp_path).provider is None
        for name in words:
            with pytest.raises(SettingsError, match="go together"):
                build(tmp_path, **{**words, name: None})
        with pytest.raises(SettingsError, match="https"):
            build(tmp_path, **{**words, "oidc_issuer": "http://accounts.example.net"})

    @pytest.mark.parametrize("secret", [None, b"", b"x" * 2_000, b"a\nb", b"\xff", "g\u00e9heim".encode()])
    def test_a_file_that_holds_no_secret_does_not_start(self, tmp_path, secret):
        if secret is not None:
            (tmp_path / "secret").write_bytes(secret)
        with pytest.raises(SettingsError, match="secret"):
            build(
                tmp_path,
                oidc_issuer="https://accounts.example.net",
                oidc_client_id="dispatch",
                oidc_client_secret_file=tmp_path / "secret",
            )

    @pytest.mark.parametrize("install", ["", "  ", "a\nb", "a\x1bb", "x" * 301])
    def test_how_people_install_is_one_line(self, tmp_path, install):
        assert build(tmp_path).install is None
        assert build(tmp_path, install=" pipx install ./d.whl ").install == "pipx install ./d.whl"
        with pytest.raises(SettingsError, match="--install"):
            build(tmp_path, install=install)

    def test_opening_a_broker_is_the_operators_act(self, tmp_path):
        assert build(tmp_path).signup == Signup(SignupMode.CLOSED)
        assert build(tmp_path, dev=True).signup == Signup(SignupMode.OPEN)
        assert build(tmp_path, dev=True, signup="closed").signup == Signup(SignupMode.CLOSED)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost", "http://[::1]:80"])
    def test_a_development_broker_may_have_a_public_url_on_loopback(self, tmp_path, url):
        if url.endswith(":80"):
            with pytest.raises(SettingsError, match="usual port"):
                build(tmp_path, dev=True, public_url=url)
        else:
            assert build(tmp_path, dev=True, public_url=url).public_url == url

    @pytest.mark.parametrize(
        "url", ["https://dispatch.example.org", "http://127.0.0.1.example.org", "http://10.0.0.1"]
    )
    def test_but_not_elsewhere(self, tmp_path, url):
        with pytest.raises(SettingsError, match="--dev"):
            build(tmp_path, dev=True, public_url=url)
        assert build(tmp_path, public_url=f"{url}/").public_url == url

    @pytest.mark.parametrize("host", ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "dispatch.example.org:80"])
    def test_a_development_broker_listens_on_loopback_only(self, tmp_path, host):
        with pytest.raises(SettingsError, match="--dev"):
            build(tmp_path, dev=True, listen=host)

    @pytest.mark.parametrize(
        "host,loopback",
        [
            ("127.0.0.1", True),
            ("127.9.9.9", True),
            ("::1", True),
            ("::ffff:127.0.0.1", True),
            ("LOCALHOST", True),
            ("127.0.0.1.example.org", False),
            ("0.0.0.0", False),
            ("::ffff:192.0.2.1", False),
            ("", False),
        ],
    )
    def test_loopback_is_an_address_not_a_prefix(self, host, loopback):
        assert is_loopback(host) is loopback

    def test_an_origin_has_one_spelling(self):
        assert origin("::1", 8000) == "http://[::1]:8000"
        assert origin("LocalHost", 80) == "http://localhost"


class TestTokenKey:
    def test_a_key_is_made_once_and_is_the_brokers_own(self, tmp_path):
        path = tmp_path / "token.key"
        key = load_token_key(path)
        assert len(key) == 32
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert load_token_key(path) == key

    def test_a_key_that_others_may_read_is_not_used(self, tmp_path):
        path = tmp_path / "token.key"
        load_token_key(path)
        path.chmod(0o644)
        with pytest.raises(TokenKeyError, match="chmod 600"):
            load_token_key(path)

    @pytest.mark.parametrize("text", ["", "not hex", "00" * 31, "ü"])
    def test_what_is_no_key_is_said(self, tmp_path, text):
        path = tmp_path / "token.key"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        with pytest.raises(TokenKeyError):
            load_token_key(path)

    def test_a_place_that_cannot_be_written_is_said(self, tmp_path):
        with pytest.raises(TokenKeyError, match="cannot be written"):
            load_token_key(tmp_path / "missing" / "token.key")


class TestTokens:
    def test_a_token_says_what_was_put_into_it_until_its_time(self):
        token = TOKENS.make(Use.LOGIN, CLAIM, NOW_MS)
        assert TOKENS.read(Use.LOGIN, token, NOW_MS - 1) == CLAIM
        assert TOKENS.read(Use.LOGIN, token, NOW_MS) is None

    def test_a_token_is_for_one_use(self):
        token = TOKENS.make(Use.SESSION, CLAIM, NOW_MS)
        assert TOKENS.read(Use.LOGIN, token, 0) is None

    def test_another_brokers_token_is_noise(self):
        token = Tokens(b"l" * 32).make(Use.LOGIN, CLAIM, NOW_MS)
        assert TOKENS.read(Use.LOGIN, token, 0) is None

    def test_claims_cannot_be_exchanged_under_a_seal(self):
        mine = TOKENS.make(Use.LOGIN, CLAIM, NOW_MS)
        other = TOKENS.make(Use.LOGIN, replace(CLAIM, device=BOB_DEVICE), NOW_MS)
        assert TOKENS.read(Use.LOGIN, f"{other.split('.')[0]}.{mine.split('.')[1]}", 0) is None

    @given(st.text(max_size=200))
    def test_no_text_is_a_token_by_chance(self, text):
        assert TOKENS.read(Use.LOGIN, text, 0) is None

    @given(st.integers(0, 400), st.characters())
    def test_a_changed_token_is_no_token(self, place, character):
        token = TOKENS.make(Use.LOGIN, CLAIM, NOW_MS)
        place %= len(token)
        changed = token[:place] + character + token[place + 1 :]
        assert (TOKENS.read(Use.LOGIN, changed, 0) == CLAIM) is (changed == token)


def test_what_the_documents_type_is_a_broker_that_somebody_can_sign_in_at(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("dispatch_broker.__main__.serve", started.append)
    monkeypatch.setattr("dispatch_broker.__main__.uvloop.run", lambda _: None)
    recipes = re.findall(r"^    dispatch-broker (serve .*)$", OPERATING.read_text(), re.MULTILINE)
    assert len(recipes) == 2
    for recipe in recipes:
        typed = [str(tmp_path) if word == "DIR" else word for word in shlex.split(recipe)]
        ended = CliRunner().invoke(main, typed)
        assert ended.exit_code == 0, (recipe, ended.output)
    for settings in started:
        assert settings.public_url.startswith("https://")
        assert (settings.host, settings.signup.mode) == ("127.0.0.1", SignupMode.DOMAIN)
        assert settings.mail_server is not None
