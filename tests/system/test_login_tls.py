"""Signing in over the broker's own TLS, and out again: nothing opens until somebody signs in once more."""

import os
import signal
import ssl
from pathlib import Path

from tests.support.certificates import make_certificate
from tests.support.mail_sink import MailSink
from tests.support.neighbourhood import Person
from tests.support.patience import poll
from tests.support.signing_broker import SigningBroker, mailed_code


def seen_certificate(url: str) -> str:
    host, _, port = url.removeprefix("https://").partition(":")
    return ssl.get_server_certificate((host, int(port)))


def test_in_over_tls_and_out_again(place: Path) -> None:
    make_certificate(place)
    files = ("--tls-cert", str(place / "certificate.pem"), "--tls-key", str(place / "key.pem"))
    alice = Person("alice", place)
    with MailSink() as sink:
        broker = SigningBroker(place, sink, "--signup", "open", *files)
        assert broker.start().startswith("https://127.0.0.1:")
        try:
            line = ("login", "--broker", broker.url, "--email", alice.address)
            untrusted = alice.do(*line, code=5)["error"]
            assert "not trusted" in untrusted["message"]
            alice.do("daemon", "stop")
            alice.do("config", "set", "ca_bundle", str(place / "certificate.pem"))
            assert alice.do(*line, code=4)["error"]["code"] == "code_needed"
            alice.do(*line, "--code-file", "-", stdin=mailed_code(sink, 1).encode())

            out = alice.do("logout")
            assert (out["status"], out["told"]) == ("signed_out", True)
            assert alice.do("invite", "bob@example.org", code=4)["error"]["code"] == "login_needed"
            alice.do("daemon", "stop")
            assert alice.do("invite", "bob@example.org", code=4)["error"]["code"] == "login_needed"
            assert alice.do("logout", code=4)["error"]["code"] == "login_needed"
            assert alice.do(*line, code=4)["error"]["code"] == "code_needed"
            alice.do(*line, "--code-file", "-", stdin=mailed_code(sink, 2).encode())
            assert alice.do("invite", "bob@example.org", "--link-only")["token"]

            before = seen_certificate(broker.url)
            make_certificate(place)
            assert broker.process is not None
            os.kill(broker.process.pid, signal.SIGHUP)
            poll(lambda: "certificate_renewed" in broker.log.read_text(), "the certificate was read again")
            assert seen_certificate(broker.url) != before
        finally:
            alice.try_("daemon", "stop")
            broker.stop()
