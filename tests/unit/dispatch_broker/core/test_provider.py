import pytest

from dispatch_broker.core.provider import (
    OLDEST_S,
    SKEW_S,
    ProviderError,
    Registration,
    Word,
    is_safe,
    read_person,
    read_provider,
    read_word,
)
from tests.support.broker_facts import NOW_MS

ISSUER = "https://accounts.example.net/realm"
NOW_S = NOW_MS // 1000
DESCRIBED = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "userinfo_endpoint": f"{ISSUER}/person",
}
CLAIMS = {
    "iss": ISSUER,
    "aud": "broker",
    "exp": NOW_S + 300,
    "iat": NOW_S,
    "nonce": "n",
    "sub": "1",
    "email": "Carol@Example.org",
    "email_verified": True,
}


def word(claims=None, **changes):
    return read_word(
        {**CLAIMS, **changes} if claims is None else claims,
        issuer=ISSUER,
        client_id="broker",
        nonce="n",
        now_ms=NOW_MS,
    )


def reason(call):
    with pytest.raises(ProviderError) as error:
        call()
    return error.value.reason


class TestRegistrations:
    def test_people_see_the_host(self):
        known = Registration(issuer=ISSUER, client_id="broker", secret="hush")
        assert known.name == "accounts.example.net"
        assert "hush" not in repr(known)

    @pytest.mark.parametrize(
        "changed",
        [
            {"issuer": "http://accounts.example.net"},
            {"issuer": "https://accounts.example.net?x"},
            {"issuer": "https://user@accounts.example.net"},
            {"issuer": "https://accounts.example.net#x"},
            {"client_id": ""},
            {"client_id": "bröker"},
            {"secret": ""},
            {"secret": "two\nlines"},
            {"secret": "geheimnü"},
        ],
    )
    def test_what_cannot_work_is_refused(self, changed):
        with pytest.raises(ValueError, match=r"issuer|client id|secret"):
            Registration(**{"issuer": ISSUER, "client_id": "broker", "secret": "hush", **changed})


class TestPlaces:
    @pytest.mark.parametrize("url", ["https://a.example/x", "http://127.0.0.1:9400/x", "http://[::1]:9400"])
    def test_over_tls_or_here(self, url):
        assert is_safe(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://a.example",
            "ftp://a",
            "",
            "https://a b",
            "https://ä",
            "https://a\n",
            "https://" + "a" * 2_048,
        ],
    )
    def test_nowhere_else(self, url):
        assert not is_safe(url)


class TestDescriptions:
    def test_the_usual_one(self):
        provider = read_provider(DESCRIBED, ISSUER)
        assert provider.token_endpoint == f"{ISSUER}/token"
        assert (provider.posts_secret, provider.names_itself) == (False, False)

    def test_what_may_be_left_out(self):
        fewer = {name: value for name, value in DESCRIBED.items() if name != "userinfo_endpoint"}
        assert read_provider(fewer, ISSUER).userinfo_endpoint is None

    @pytest.mark.parametrize(
        "methods,posts",
        [
            (["client_secret_post"], True),
            (["client_secret_post", "client_secret_basic"], False),
            ("client_secret_post", False),
        ],
    )
    def test_how_the_secret_is_shown(self, methods, posts):
        described = {**DESCRIBED, "token_endpoint_auth_methods_supported": methods}
        assert read_provider(described, ISSUER).posts_secret is posts

    def test_another_name_is_another_provider(self):
        for name in (f"{ISSUER}/", "https://evil.example", None):
            assert reason(lambda name=name: read_provider({**DESCRIBED, "issuer": name}, ISSUER)) == "issuer"

    @pytest.mark.parametrize("place", [None, 1, "http://a.example/token", f"{ISSUER}#x", f"{ISSUER}\\x"])
    @pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
    def test_a_place_that_is_none(self, name, place):
        assert reason(lambda: read_provider({**DESCRIBED, name: place}, ISSUER)) == "description"

    def test_no_description(self):
        assert reason(lambda: read_provider([], ISSUER)) == "description"


class TestTokens:
    def test_the_address_in_its_one_spelling(self):
        assert word() == Word(subject="1", address="carol@example.org")

    def test_without_an_address_somebody_has_to_be_asked(self):
        claims = {name: value for name, value in CLAIMS.items() if not name.startswith("email")}
        assert word(claims) == Word(subject="1", address=None)

    @pytest.mark.parametrize("aud", ["broker", ["broker"]])
    def test_for_this_broker(self, aud):
        assert word(aud=aud, azp="broker").subject == "1"

    @pytest.mark.parametrize(
        "changes,why",
        [
            ({"iss": f"{ISSUER}/"}, "issuer"),
            ({"iss": None}, "issuer"),
            ({"aud": "other"}, "audience"),
            ({"aud": ["broker", "other"]}, "audience"),
            ({"aud": []}, "audience"),
            ({"azp": "other"}, "audience"),
            ({"exp": NOW_S - SKEW_S}, "time"),
            ({"exp": None}, "time"),
            ({"exp": True}, "time"),
            ({"exp": "9"}, "time"),
            ({"iat": None}, "time"),
            ({"iat": NOW_S - OLDEST_S - 1}, "time"),
            ({"iat": NOW_S + SKEW_S + 1}, "time"),
            ({"nonce": "m"}, "nonce"),
            ({"nonce": None}, "nonce"),
            ({"sub": ""}, "subject"),
            ({"sub": 1}, "subject"),
            ({"email": "nobody"}, "address"),
            ({"email": None}, "address"),
            ({"email": "cärol@example.org"}, "address"),
            ({"email_verified": False}, "unverified"),
            ({"email_verified": None}, "unverified"),
            ({"email_verified": "true"}, "unverified"),
            ({"email_verified": 1}, "unverified"),
        ],
    )
    def test_a_word_that_does_not_count(self, changes, why):
        assert reason(lambda: word(**changes)) == why

    def test_no_claims(self):
        assert reason(lambda: word([])) == "token"


class TestPeople:
    def test_the_person_of_the_token(self):
        assert read_person(CLAIMS, "1") == "carol@example.org"

    def test_somebody_else(self):
        assert reason(lambda: read_person(CLAIMS, "2")) == "subject"
        assert reason(lambda: read_person([], "2")) == "subject"
