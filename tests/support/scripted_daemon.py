"""A daemon's door that plays what a test wrote: a real HTTP server on a real Unix socket.

The command line under test is the real program and speaks to a real socket; only the decisions behind the
door are scripted. As a program (`python -m dispatch_daemon` with an overlay in PYTHONPATH) it stands in for
the daemon that commands start by themselves.
"""

import fcntl
import http.server
import json
import os
import queue
import signal
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatch_protocol import loopback

Json = dict[str, Any]
Answer = tuple[int, Json]


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class Script:
    """What the door answers; tests change it while it plays."""

    routes: dict[tuple[str, str], Callable[[Request], Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    raw: bytes | None = None  # bytes sent instead of any answer
    stall: bool = False  # read, and never answer
    watchers: list["queue.Queue[bytes | None]"] = field(default_factory=list)

    def on(self, method: str, path: str, act: Callable[[Request], Answer]) -> None:
        """Answer a route with a function."""
        self.routes[method, path] = act

    def answer(self, method: str, path: str, document: Json, status: int = 200) -> None:
        """Answer a route always the same."""
        self.on(method, path, lambda _: (status, document))

    def refuse(self, method: str, path: str, code: str, detail: str, **more: Any) -> None:
        """Answer a route with a problem document."""
        self.answer(method, path, problem(code, detail, **more), loopback.http_status(code))

    def tell(self, kind: str, data: Json) -> None:
        """Send one event to everybody who watches."""
        self._send(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())

    def break_off(self) -> None:
        """End every stream of events."""
        for watcher in self.watchers:
            watcher.put(None)

    def _send(self, data: bytes) -> None:
        for watcher in self.watchers:
            watcher.put(data)

    def asked(self, method: str, path: str) -> list[Request]:
        """Return the requests that a route received."""
        return [request for request in self.requests if (request.method, request.path) == (method, path)]


def problem(code: str, detail: str, **more: Any) -> Json:
    """Return a problem document as the door writes it."""
    status = loopback.http_status(code)
    return {
        "type": f"urn:dispatch:problem:{code}",
        "title": "Refused",
        "status": status,
        "detail": detail,
        "code": code,
        "hint": more.pop("hint", loopback.hint(code)),
        **more,
    }


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *args: Any) -> None:
        """Stay quiet: standard error belongs to the program under test."""

    def _handle(self) -> None:
        script = self.server.script
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length", "0"))
        data = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        is_json = headers.get("content-type", "application/json") == "application/json"
        body = json.loads(data) if data and is_json else data or None
        request = Request(self.command, path, query, headers, body)
        script.requests.append(request)
        self.close_connection = True
        if script.stall:
            self.server.closing.wait()
            return
        if script.raw is not None:
            self.wfile.write(script.raw)
            return
        if path == "/v1/events" and ("GET", path) not in script.routes:
            self._stream(script)
            return
        act = script.routes.get((self.command, path))
        status, document = act(request) if act else (404, problem("not_found", f"Nothing at {path}."))
        self._answer(status, document)

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the names that http.server looks for

    def _answer(self, status: int, document: Json) -> None:
        body = json.dumps(document).encode()
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, script: Script) -> None:
        events: queue.Queue[bytes | None] = queue.Queue()
        events.put(b"retry: 1000\nevent: snapshot\ndata: {}\n\n")
        script.watchers.append(events)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError):
            while not self.server.closing.is_set():
                try:
                    data = events.get(timeout=0.05)
                except queue.Empty:
                    continue
                if data is None:
                    break
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: str, script: Script) -> None:
        self.script = script
        self.closing = threading.Event()
        super().__init__(path, _Handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, _ = super().get_request()
        return connection, ("unix", 0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left in the middle is part of some scripts."""


@contextmanager
def scripted_daemon(
    home: Path, script: Script | None = None, *, locked: bool = True, held: int | None = None
) -> Iterator[Script]:
    """Open the door of `home` and hold its lock, as a daemon does, until the test is over.

    `held` is a descriptor that has the lock already.
    """
    script = script or Script()
    home.mkdir(mode=0o700, exist_ok=True)
    server = _Server(loopback.socket_path(str(home)), script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    lock = held if held is not None else os.open(home / "daemon.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if locked:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (home / "daemon.pid").write_text(f"{os.getpid()}\n")
    try:
        yield script
    finally:
        server.closing.set()
        script.break_off()
        server.shutdown()
        thread.join()
        server.server_close()
        os.close(lock)
        Path(loopback.socket_path(str(home))).unlink(missing_ok=True)


def _only_daemon(home: Path) -> int:
    """Return the lock of the home, held to the end of this process; end it where another daemon serves the home.

    The lock is never given back in between: a second daemon would take the first one's socket away.
    """
    lock = os.open(home / "daemon.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + 1.0
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:  # a client that looks holds the lock for an instant only
                sys.stderr.write("another daemon serves this home\n")
                sys.exit(1)
        else:
            return lock


def main() -> None:
    """Play a daemon that the command line started: `SCRIPTED_DAEMON` says how it behaves."""
    home = Path(sys.argv[sys.argv.index("--home") + 1])
    home.mkdir(mode=0o700, exist_ok=True)
    manner = os.environ.get("SCRIPTED_DAEMON", "ready")
    if manner == "dies":
        sys.stderr.write("starting\nThe journal is damaged: page 7.\n")
        sys.exit(1)
    if manner == "refuses":
        sys.stderr.write("error: the config is wrong [config_invalid]\n  dispatch config path\n")
        sys.exit(5)
    if manner == "babbles":
        sys.stdout.write("hello there\n")
        sys.stdout.flush()
        sys.exit(0)
    lock = _only_daemon(home)
    Path(loopback.socket_path(str(home))).unlink(missing_ok=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    script = Script()
    script.answer("GET", "/health", {"status": "ok"})
    script.answer("GET", "/v1/dispatches", {"dispatches": [], "next": None})
    script.answer("GET", "/v1/contacts", {"edges": []})
    running = {
        "running": True,
        "pid": os.getpid(),
        "version": "1",
        "door": "http://127.0.0.1:1",
        "socket": "s",
    }
    script.answer("GET", "/v1/daemon", running)
    with scripted_daemon(home, script, held=lock):
        script.on("POST", "/v1/daemon/stop", lambda _: (stop.set(), (200, running | {"running": False}))[1])
        sys.stdout.write("listening on http://127.0.0.1:1\n")
        sys.stdout.flush()
        stop.wait()
        time.sleep(0)  # the answer to the last request leaves before the door closes
