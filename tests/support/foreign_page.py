"""Pages of other origins on this machine: one that tries everything against a target, and a target that lets it.

The careless target is the control: what the hostile page does not get from a daemon, it does get from that one. As a program
this file serves the hostile page for another user of the machine, who is shown its text and needs nothing but Python.
"""

import base64
import hashlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
_TELLS = "<!doctype html><title>t</title><p>Inbox</p><script>opener?.postMessage('Inbox', '*')</script>"

_HOSTILE = """
<!doctype html><title>free tokens</title>
<iframe id=framed src="TARGET/"></iframe>
<form id=form method=post action="TARGET/v1/contacts/revoke" target=hidden enctype="text/plain">
  <input name='{"peer":"PEER","x":"' value='"}'></form>
<iframe name=hidden></iframe>
<script>
  window.found = {};
  const tried = (name, promise) => promise.then((value) => { found[name] = value; }, () => { found[name] = null; });
  const body = JSON.stringify({ peer: "PEER" });
  const read = (path, options) => fetch("TARGET" + path, options).then((answer) => answer.text());
  const socket = new Promise((resolve, reject) => {
    const made = new WebSocket("TARGET/v1/events".replace("http", "ws"));
    made.onopen = () => resolve("open"); made.onerror = () => reject();
  });
  const stream = new Promise((resolve, reject) => {
    const made = new EventSource("TARGET/v1/events");
    made.onopen = () => resolve("open"); made.onerror = () => reject();
  });
  const script = (path) => new Promise((resolve, reject) => {
    const node = document.createElement("script");
    node.onload = () => resolve("ran"); node.onerror = () => reject();
    node.src = "TARGET" + path; document.head.append(node);
  });
  const opened = () => new Promise((resolve) => {
    const other = window.open("TARGET/", "other");
    addEventListener("message", (event) => resolve(String(event.data)));
    setTimeout(() => { other?.postMessage({ type: "snapshot", body }, "*");
      let inside = null; try { inside = other.document.body.innerText; } catch { /* another origin */ }
      resolve(inside); }, 800);
  });
  window.done = Promise.all([
    tried("read", read("/v1/dispatches")),
    tried("page", read("/")),
    tried("with credentials", read("/v1/contacts", { credentials: "include" })),
    tried("post", read("/v1/contacts/revoke", { method: "POST", body, headers: { "Content-Type": "application/json" } })),
    tried("simple post", fetch("TARGET/v1/contacts/revoke", { method: "POST", body, mode: "no-cors" }).then((each) => each.status || null)),
    tried("session", read("/v1/page/sessions", { method: "POST", body: '{"code":"x"}', headers: { "Content-Type": "application/json" } })),
    tried("websocket", socket), tried("events", stream), tried("script", script("/v1/contacts")), tried("module", script("/api.js")),
    tried("opened", opened()),
  ]);
  document.getElementById("form").submit();
</script>
"""


class _Site(BaseHTTPRequestHandler):
    """Serves one page."""

    text = ""

    def do_GET(self) -> None:
        self.answer("text/html; charset=utf-8", self.text)

    def answer(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


class _Hostile(_Site):
    """Serves its page, and goes to the target itself with the token that it is handed; answers how that went."""

    target = ""

    def do_GET(self) -> None:
        if not self.path.startswith("/v1/"):
            super().do_GET()
            return
        knocking = HTTPConnection(self.target.removeprefix("http://"), timeout=60)
        given = self.headers.get("Authorization")
        knocking.request("GET", self.path, headers={"Authorization": given} if given else {})
        self.answer("text/plain", str(knocking.getresponse().status))
        knocking.close()


class _Careless(_Site):
    """Answers whoever asks, lets every page read it, and notes what it was told to do."""

    protocol_version = "HTTP/1.1"  # a browser takes a change to WebSocket from no older one
    posted: list[str]

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self._open_a_socket(self.headers["Sec-WebSocket-Key"].encode())
        elif self.headers.get("Accept") == "text/event-stream":
            self.answer("text/event-stream", "data: all of it\n\n")
        elif self.path == "/":
            self.answer("text/html", _TELLS)
        else:
            self.answer("text/javascript", "1")

    def do_POST(self) -> None:
        self.posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.answer("application/json", "{}")

    def do_OPTIONS(self) -> None:
        self.answer("text/plain", "")

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Access-Control-Allow-Headers", "content-type")
        self.close_connection = True
        super().end_headers()

    def _open_a_socket(self, key: bytes) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accepted = base64.b64encode(hashlib.sha1(key + _WEBSOCKET).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accepted)
        super().end_headers()
        self.close_connection = True


@contextmanager
def _served(site: type[_Site]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), site)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@contextmanager
def foreign_page(target: str, peer: str, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve the page that tries to read `target` and to have it revoke `peer`; yields its address."""
    text = _HOSTILE.replace("TARGET", target).replace("PEER", peer)
    with _served(type("Site", (_Hostile,), {"text": text, "target": target})) as port:
        yield f"http://{host}:{port}/"


@contextmanager
def careless_target() -> Iterator[tuple[str, list[str]]]:
    """Serve what anybody may read; yields its origin and the bodies that were posted to it."""
    posted: list[str] = []
    with _served(type("Careless", (_Careless,), {"posted": posted})) as port:
        yield f"http://127.0.0.1:{port}", posted


if __name__ == "__main__":
    with foreign_page(sys.argv[1], sys.argv[2]) as address:
        print(address, flush=True)
        threading.Event().wait()
