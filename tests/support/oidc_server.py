"""An OpenID provider by other hands (`oidc-provider-mock`, over Authlib), as the program that its authors ship."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.patience import poll

_READY = re.compile(r"running on (http://127\.0\.0\.1:\d+)")


class OidcServer:
    """One provider of this machine; `people` are the claims of those who can sign in there with one click."""

    def __init__(self, directory: Path, *people: dict[str, Any]) -> None:
        self.issuer = ""
        self.log = directory / "provider.log"
        self.secret_file = directory / "provider.secret"
        self.secret_file.write_text("a secret that any broker may have here\n")
        self._arguments = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "oidc_provider_mock",
            "--port",
            "0",
            "--require-nonce",
            "true",
        ]
        for person in people:
            self._arguments += ["--user-claims", json.dumps(person)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return what `dispatch-broker serve` is told of it."""
        secret = ("--oidc-client-secret-file", str(self.secret_file))
        return "--oidc-issuer", self.issuer, "--oidc-client-id", "dispatch", *secret

    def start(self) -> None:
        """Start it and wait until it serves."""
        with self.log.open("wb") as log:
            environ = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
            self._process = subprocess.Popen(self._arguments, stdout=log, stderr=log, env=environ)
        found = poll(lambda: _READY.search(self.log.read_text()), "the provider serves")
        self.issuer = found[1]

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None
