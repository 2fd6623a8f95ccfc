"""The door as commands use it: ask the daemon, start it first if nobody is there.

A request that may be repeated (a question, or a send with its idempotency key) is repeated once when the
daemon went away in the middle: the journal makes the effect once.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from dispatch_cli.client import TIMEOUT_S, AbsentError, Client, Stream, segment, target
from dispatch_cli.errors import CliError
from dispatch_cli.home import Home
from dispatch_cli.render.fields import Document

_T = TypeVar("_T")


class Door:
    """This machine's daemon, started when needed unless `may_start` is false."""

    def __init__(self, home: Home, *, may_start: bool, say: Callable[[str], None]) -> None:
        self._home = home
        self._may_start = may_start
        self._say = say

    def get(self, path: str, query: Mapping[str, str | int | None] | None = None) -> Document:
        """Ask a question."""
        return self._call("GET", target(path, query), None, {}, again=True, timeout_s=TIMEOUT_S)

    def post(
        self,
        path: str,
        body: Document,
        *,
        idempotency_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Document:
        """Ask for an act; with a key it may be asked again after a broken connection."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        again = idempotency_key is not None
        return self._call("POST", path, body, headers, again=again, timeout_s=timeout_s)

    def upload(self, path: str, pieces: Callable[[], Iterable[bytes]], size_bytes: int) -> Document:
        """Hand over bytes; `pieces` begins to read them, once more if a daemon had to be started first."""
        try:
            return self._client().upload(path, pieces(), size_bytes)
        except AbsentError:
            self._start()
            return self._present(lambda client: client.upload(path, pieces(), size_bytes))

    def delete(self, path: str) -> Document:
        """Ask for something to be removed."""
        return self._call("DELETE", path, None, {}, again=False, timeout_s=TIMEOUT_S)

    def dispatch(self, dispatch_id: str) -> Document:
        """Return the whole present state of one dispatch."""
        return self.get(dispatch_path(dispatch_id))

    def watch(self, dispatch_id: str | None) -> Stream:
        """Open a stream of events."""
        try:
            return self._client().watch(dispatch_id)
        except AbsentError:
            self._start()
            return self._present(lambda client: client.watch(dispatch_id))

    def if_running(self, path: str) -> Document | None:
        """Ask a question only if a daemon is there; None where there is none."""
        try:
            return self._client().call("GET", path)
        except AbsentError:
            return None

    def _client(self) -> Client:
        return Client(self._home.socket_path())

    def _call(
        self,
        method: str,
        where: str,
        body: Document | None,
        headers: Mapping[str, str],
        *,
        again: bool,
        timeout_s: float,
    ) -> Document:
        def ask(client: Client) -> Document:
            return client.call(method, where, body, headers=headers, timeout_s=timeout_s)

        try:
            return ask(self._client())
        except AbsentError:
            pass
        except CliError as error:
            # Only a daemon that is gone is worth a second try: one that answers would answer the same.
            if not again or error.code != "daemon_unreachable" or self._home.is_held():
                raise
        self._start()
        return self._present(ask)

    def _present(self, ask: Callable[[Client], _T]) -> _T:
        try:
            return ask(self._client())
        except AbsentError as error:
            raise _absent("The daemon of this machine started and went away again.") from error

    def _start(self) -> None:
        if not self._may_start:
            raise _absent("The daemon of this machine is not running, and --no-start forbids to start it.")
        from dispatch_cli import starting  # what starts processes is loaded when one has to be started

        starting.start(self._home, self._say)


def dispatch_path(dispatch_id: str, act: str = "") -> str:
    """Return the route of one dispatch; what can be no id at all is not asked for."""
    if dispatch_id.strip(".") == "":
        raise CliError("not_found", f'There is no dispatch "{dispatch_id}".', hint="dispatch inbox")
    path = f"/v1/dispatches/{segment(dispatch_id)}"
    return f"{path}/{act}" if act else path


def _absent(message: str) -> CliError:
    return CliError("daemon_not_running", message, hint="dispatch daemon start")
