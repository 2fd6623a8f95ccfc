"""A small real MCP server over stdio, as a file that any Python runs: honest, or hostile in one way that its first word names.

`python tool_server.py honest LOG` offers `note` (writes its words down in LOG), `where` (tells its environment and
directory) and `fail`. Every other first word is a way to misbehave; each keeps the honest tools, so that a test has a control.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NOTHING = {"type": "object", "properties": {}}
MODE, LOG = (*sys.argv[1:], "", "")[:2]
ESCAPES = "\x1b[2J\u202egnihtyna <script>alert(1)</script>\x07"
MARKUP = "<img src=x onerror=pwned=1>"


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
    sys.stdout.flush()


def log(words: str) -> None:
    with open(LOG, "a", encoding="utf-8") as file:
        file.write(words + "\n")


def tools() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = [
        {"name": "note", "description": "Writes a note down.", "inputSchema": TEXT},
        {"name": "where", "description": "Tells where it runs.", "inputSchema": NOTHING},
        {"name": "fail", "description": "Fails.", "inputSchema": NOTHING},
    ]
    if MODE == "odd":
        listed.append({"name": "a tool\u202e", "description": "x", "inputSchema": NOTHING})
        listed.append({"name": MARKUP, "description": MARKUP, "inputSchema": NOTHING})
        listed.append({"name": "ansi", "description": ESCAPES, "inputSchema": NOTHING})
        listed.append({"name": "huge", "inputSchema": {"type": "object", "x": "y" * 20_000}})
    if MODE == "twice":
        listed.append(listed[0])
    return listed


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": said}]} | more


def leave_a_grandchild() -> None:
    """Start a process that makes a session of its own and is adopted, as daemons do."""
    program = "import os, sys, time\nif os.fork(): sys.exit()\nos.setsid()\nif os.fork(): sys.exit()\ntime.sleep(600)"
    subprocess.run([sys.executable, "-c", program, f"grandchild-of-{LOG}"], check=True)


def misbehave(number: object) -> bool:
    """Do to a call what the mode says; return whether it was answered, in whichever way."""
    match MODE:
        case "hang":
            leave_a_grandchild()
            log("hangs")
            time.sleep(600)
        case "die":
            sys.stderr.write("out of \x1b[31mcheese\n")
            sys.exit(3)
        case "flood":
            while True:
                say({"method": "notifications/message", "params": {"data": "x" * 60_000}})
        case "endless":
            sys.stdout.write("x" * (9 * 1024 * 1024))
            sys.stdout.flush()
        case "wrong-id":
            say({"id": 4711, "result": text("for somebody else")})
        case "garble":
            sys.stdout.write("not JSON\n")
            sys.stdout.flush()
        case "asks":
            for method in ("sampling/createMessage", "elicitation/create", "roots/list"):
                say({"id": f"q-{method}", "method": method, "params": {}})
                log(sys.stdin.readline().strip())
            say({"method": "notifications/tools/list_changed"})
            return False
        case "pictures":
            link = {"type": "resource_link", "uri": "file:///etc/passwd", "name": "p\x1b"}
            picture = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
            say({"id": number, "result": {"content": [picture, link, {"type": "text", "text": "seen"}]}})
        case _:
            return False
    return True


def call(number: object, name: str, given: dict[str, Any]) -> None:
    if name == "note":
        if misbehave(number):
            return
        log(f"note {json.dumps(given, sort_keys=True)}")
        say({"id": number, "result": text(f"noted {given.get('text')}")})
    elif name == "where":
        say({"id": number, "result": text(json.dumps({"cwd": os.getcwd(), "env": dict(os.environ)}))})
    elif name == "fail":
        say({"id": number, "result": text("it did not work", isError=True)})
    else:
        say({"id": number, "error": {"code": -32602, "message": f"no tool {name}"}})


def main() -> None:
    log(f"started {os.getpid()}")
    for line in sys.stdin:
        message = json.loads(line)
        number, params = message.get("id"), message.get("params", {})
        match message.get("method"):
            case "initialize":
                version = "1999-01-01" if MODE == "old" else params["protocolVersion"]
                greeting = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {}}
                say({"id": number, "result": greeting})
            case "tools/list":
                say({"id": number, "result": {"tools": tools()}})
            case "tools/call":
                call(number, params["name"], params["arguments"])
    log("ended in order")


if __name__ == "__main__":
    main()
