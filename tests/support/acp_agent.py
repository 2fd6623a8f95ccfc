"""An ACP agent in pure Python: it asks its model through the gate and really edits, runs and answers. A program of its own.

The model decides (see `model_server`): each of its calls becomes an ACP tool call, asks permission where a careful agent
would, and is then carried out by this process, inside whatever wall stands around it. Five tools are for tests:
`Eval` evaluates an expression and says what came of it; `Ask` makes a request of the client's that it may not serve;
`Silently` carries out a call without asking; `Garble` writes a line of its own choice; `Leave` ends the program.

Tool servers that it is told of are asked over HTTP, as `mcp__SERVER__TOOL`, unless it is started with `--no-http`.
It keeps its session in its home and can load it again, unless it is started with `--forgets`. A call that was open when it
was ended is told to the model as interrupted.
"""

import glob
import itertools
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

KINDS = {
    "Read": "read",
    "Grep": "search",
    "Edit": "edit",
    "Write": "edit",
    "Bash": "execute",
    "Fetch": "fetch",
}
OPTIONS = [
    {"optionId": "forever", "name": "Always", "kind": "allow_always"},
    {"optionId": "once", "name": "Once", "kind": "allow_once"},
    {"optionId": "never", "name": "No", "kind": "reject_once"},
]
NUMBERS = itertools.count(1)
SERVED = {}  # its tool servers: where each of their tools is asked, and by which name


def say(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
    sys.stdout.flush()


def ask(method, params):
    number = f"agent-{next(NUMBERS)}"
    say({"id": number, "method": method, "params": params})
    while True:
        message = json.loads(sys.stdin.readline() or sys.exit(0))
        if message.get("method") == "session/cancel":
            sys.exit(0)
        if message.get("id") == number:
            return message


def update(**what):
    say({"method": "session/update", "params": {"sessionId": "only", "update": what}})


def model(messages, tools=tuple(KINDS)):
    body = {
        "model": os.environ["ANTHROPIC_MODEL"],
        "max_tokens": 1000,
        "stream": True,
        "metadata": {"user_id": "somebody"},
        "messages": messages,
        "tools": [{"name": name, "input_schema": {"type": "object"}} for name in tools],
    }
    request = urllib.request.Request(
        os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages?beta=true",
        data=json.dumps(body).encode(),
        headers={
            "content-type": "application/json",
            "x-api-key": os.environ["ANTHROPIC_API_KEY"],
            "anthropic-beta": "web-search-2025-03-05",
        },
    )
    blocks, stop = [], None
    with urllib.request.urlopen(request) as response:
        for line in response:
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line[6:])
            if event["type"] == "content_block_start":
                blocks.append(event["content_block"] | {"written": ""})
            if event["type"] == "message_delta":
                stop = event["delta"]["stop_reason"]
            if event["type"] == "content_block_delta":
                delta = event["delta"]
                blocks[-1]["written"] += (
                    delta.get("text") or delta.get("thinking") or delta.get("partial_json") or ""
                )
                blocks[-1].update({"signature": delta["signature"]} if "signature" in delta else {})
    for block in blocks:
        written = block.pop("written")
        if block["type"] in ("text", "thinking"):
            block[block["type"]] = written
        elif block["type"] == "tool_use":
            block["input"] = json.loads(written or "{}")
    return blocks, stop


def mcp(entry, method, params, number=1):
    """Ask a tool server one thing; the answer of its one message, or None."""
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    request = urllib.request.Request(
        entry["url"],
        data=json.dumps(message | ({} if number is None else {"id": number})).encode(),
        headers=headers | entry["headers"],
    )
    with urllib.request.urlopen(request) as response:
        said = response.read().decode()
    if "event: message" in said:
        said = [line for line in said.splitlines() if line.startswith("data: ")][-1].removeprefix("data: ")
    return json.loads(said) if said else None


def meet(name, entry):
    """Greet a tool server and learn its tools."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    assert mcp(entry, "initialize", hello)["result"]["serverInfo"]["name"] == name
    assert mcp(entry, "notifications/initialized", {}, None) is None
    for tool in mcp(entry, "tools/list", {})["result"]["tools"]:
        SERVED[f"mcp__{name}__{tool['name']}"] = (entry, tool["name"])


def carry_out(tool, given):
    if tool in SERVED:
        entry, own = SERVED[tool]
        answer = mcp(entry, "tools/call", {"name": own, "arguments": given, "_meta": {"progressToken": 7}})
        said = answer["result"]["content"][0]["text"]
        if answer["result"]["isError"]:
            raise RuntimeError(said)
        return said
    if tool == "Read":
        return Path(given["file_path"]).read_text()
    if tool == "Write":
        Path(given["file_path"]).write_text(given["content"])
        return "written"
    if tool == "Edit":
        file = Path(given["file_path"])
        file.write_text(file.read_text().replace(given["old_string"], given["new_string"], 1))
        return "edited"
    if tool == "Bash":
        done = subprocess.run(given["command"], shell=True, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr
    if tool == "Eval":
        return repr(eval(given["code"], globals() | {"glob": glob}))
    raise ValueError(f"no tool {tool}")


def call(number, tool, given):
    silently = tool == "Silently"
    if silently:
        tool, given = given["tool"], given["input"]
    if tool == "Leave":
        sys.stderr.write("leaving early\n")
        sys.exit(3)
    if tool == "Garble":
        print(given["line"], flush=True)
        return ""
    if tool == "Ask":
        return json.dumps(ask(given["method"], given["params"]))
    call_id, kind = f"toolu/{number}", KINDS.get(tool, "other" if tool != "Eval" else "think")
    shown = None if given.get("untold") else given
    title = tool if tool in SERVED else given.get("command") or f"{tool} something"
    first = {"toolCallId": call_id, "title": title, "kind": kind}
    update(sessionUpdate="tool_call", status="pending", rawInput=shown, **first)
    if (kind in ("edit", "execute", "fetch") or tool in SERVED) and not silently:
        answer = ask(
            "session/request_permission",
            {"sessionId": "only", "toolCall": first | {"rawInput": shown}, "options": OPTIONS},
        )
        outcome = answer["result"]["outcome"]
        if outcome.get("optionId") != "once":
            update(sessionUpdate="tool_call_update", toolCallId=call_id, status="failed")
            return f"not allowed: {json.dumps(outcome)}"
    try:
        output, status = carry_out(tool, given), "completed"
    except Exception as error:  # noqa: BLE001 - whatever the model asked for, the agent goes on
        output, status = f"{type(error).__name__}: {error}", "failed"
    content = [{"type": "content", "content": {"type": "text", "text": output}}]
    update(sessionUpdate="tool_call_update", toolCallId=call_id, status=status, content=content)
    return output


def remember(messages):
    (Path(os.environ["HOME"]) / "session.json").write_text(json.dumps(messages))


def earlier(place):
    """Return the messages of a session that was ended in the middle."""
    messages = json.loads(place.read_text())
    if messages[-1]["role"] == "assistant":
        cut = [block["id"] for block in messages[-1]["content"] if block["type"] == "tool_use"]
        returned = [
            {"type": "tool_result", "tool_use_id": each, "content": "interrupted", "is_error": True}
            for each in cut
        ]
        messages.append({"role": "user", "content": returned})
    return messages


def replay(messages):
    """Tell what was said and done before, as whoever loads a session is told."""
    for message in messages:
        for block in message["content"] if message["role"] == "assistant" else ():
            if block["type"] == "text":
                update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": block["text"]})
            elif block["type"] == "tool_use":
                told = {
                    "toolCallId": block["id"],
                    "title": block["name"],
                    "kind": KINDS.get(block["name"], "other"),
                }
                update(sessionUpdate="tool_call", status="completed", rawInput=block["input"], **told)


def work(prompt, before=()):
    messages, number = [*before, {"role": "user", "content": prompt}], len(before)
    while True:
        remember(messages)
        blocks, _stop = model(messages, (*KINDS, *SERVED))
        messages.append({"role": "assistant", "content": blocks})
        remember(messages)
        returned = []
        for block in blocks:
            if block["type"] == "text":
                half = len(block["text"]) // 2
                for text in (block["text"][:half], block["text"][half:]):
                    update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": text})
            elif block["type"] == "tool_use":
                number += 1
                output = call(number, block["name"], block["input"])
                returned.append({"type": "tool_result", "tool_use_id": block["id"], "content": output})
        if not returned:
            return "end_turn"
        messages.append({"role": "user", "content": returned})


def join(servers):
    for each in servers:
        assert each["type"] == "http", each
        meet(each["name"], {"url": each["url"], "headers": {h["name"]: h["value"] for h in each["headers"]}})


def main():
    before = []
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        method, params = message["method"], message["params"]
        try:
            if method == "initialize":
                offered = params["clientCapabilities"]
                assert not any(offered["fs"].values()), offered
                assert not offered["terminal"], offered
                result = {
                    "protocolVersion": 1,
                    "agentCapabilities": {
                        "loadSession": "--forgets" not in sys.argv,
                        "mcpCapabilities": {"http": "--no-http" not in sys.argv},
                    },
                }
            elif method == "session/new":
                os.chdir(params["cwd"])
                join(params["mcpServers"])
                result = {"sessionId": "only"}
            elif method == "session/load":
                os.chdir(params["cwd"])
                join(params["mcpServers"])
                before = earlier(Path(os.environ["HOME"]) / "session.json")
                replay(before)
                result = {}
            else:
                result = {"stopReason": work(params["prompt"][0]["text"], before)}
        except (urllib.error.URLError, OSError) as error:
            said = error.read().decode() if isinstance(error, urllib.error.HTTPError) else str(error)
            say({"id": message["id"], "error": {"code": -32603, "message": said}})
            continue
        say({"id": message["id"], "result": result})


if __name__ == "__main__":
    main()
