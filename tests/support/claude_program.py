"""A program that speaks Claude Code's stream-json and has its habits, the bad ones too: a program of its own.

Unless its flags, its environment and the message forbid it, it does what the real one does: it runs the hooks that lie in
the task's folder, starts the tool servers that are named there, tells its model what CLAUDE.md says, puts the file in the
place of an @ that names it, makes calls that only read without asking, and asks a small model of its own choice. So a
setting that is forgotten shows. Its calls are carried out as those of `acp_agent`, which lies beside it; `Silently` makes
one without asking, `Garble` writes a line of its own choice, `Leave` ends it.
"""

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import urllib.error
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import acp_agent  # beside this file, which is started in isolated mode

SESSION = "11111111-2222-4333-8444-555555555555"
NUMBERS = itertools.count(1)
READING = ("Read", "Glob", "Grep")


def options():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("input-format", "output-format"):
        parser.add_argument(f"--{name}", choices=["stream-json"], required=True)
    for name in (
        "permission-prompt-tool",
        "permission-mode",
        "tools",
        "settings",
        "model",
        "resume",
        "mcp-config",
    ):
        parser.add_argument(f"--{name}")
    parser.add_argument("--setting-sources", default="user,project,local")
    for name in ("verbose", "strict-mcp-config", "disable-slash-commands"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser.parse_args()


OPTIONS = options()
ASKED_FOR = json.loads(OPTIONS.settings or "{}").get("permissions", {}).get("ask", [])
TOOLS = (OPTIONS.tools or "Bash,Edit,Read,WebFetch").split(",")
TRUSTS_FOLDER = "project" in OPTIONS.setting_sources


def say(message):
    sys.stdout.write(json.dumps(message | {"session_id": SESSION}) + "\n")
    sys.stdout.flush()


def hear():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def ask(request):
    number = f"cli-{next(NUMBERS)}"
    say({"type": "control_request", "request_id": number, "request": request})
    while True:
        message = hear()
        if message["type"] == "control_request" and message["request"]["subtype"] == "interrupt":
            sys.exit(0)
        if message["type"] == "control_response" and message["response"]["request_id"] == number:
            return message["response"]


def meet_servers():
    """Greet the tool servers of its command, with what its environment holds in the place of `${NAME}`."""
    for name, server in json.loads(OPTIONS.mcp_config or '{"mcpServers": {}}')["mcpServers"].items():
        headers = {key: os.path.expandvars(value) for key, value in server["headers"].items()}
        acp_agent.meet(name, {"url": server["url"], "headers": headers})
    TOOLS.extend(acp_agent.SERVED)


def obey_folder():
    """Do what a folder asks of whoever trusts it."""
    place = Path(".claude/settings.json")
    if TRUSTS_FOLDER and place.is_file():
        for group in json.loads(place.read_text()).get("hooks", {}).get("SessionStart", []):
            for hook in group["hooks"]:
                subprocess.run(hook["command"], shell=True, check=False)
    if not OPTIONS.strict_mcp_config and Path(".mcp.json").is_file():
        for server in json.loads(Path(".mcp.json").read_text())["mcpServers"].values():
            subprocess.run([server["command"], *server["args"]], check=False)


def composed(message):
    """Return what its model is told of a message."""
    text = message["message"]["content"]
    if not message.get("client_composed"):
        if text.startswith("/") and not OPTIONS.disable_slash_commands:
            return None
        if not os.environ.get("CLAUDE_CODE_DISABLE_FILE_MENTIONS"):
            text = re.sub(r"@(\S+)", lambda found: _file(found[1]), text)
    if TRUSTS_FOLDER and Path("CLAUDE.md").is_file():
        text = Path("CLAUDE.md").read_text() + text
    return text


def _file(name):
    return Path(name).read_text() if Path(name).is_file() else name


def permitted(name, tool, given, hooks):
    """Ask as far as it was told to; return whether the call is made, and what is said if not."""
    decision = "ask" if tool in ASKED_FOR else "allow" if tool in READING else "ask"
    for hook in hooks:
        told = {"hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": given, "tool_use_id": name}
        answer = ask({"subtype": "hook_callback", "callback_id": hook, "input": told, "tool_use_id": name})
        decision = answer["response"]["hookSpecificOutput"]["permissionDecision"]
    if decision == "ask":
        answer = ask({"subtype": "can_use_tool", "tool_name": tool, "input": given, "tool_use_id": name})
        said = answer["response"]
        return said["behavior"] == "allow", said.get("message", "")
    return decision == "allow", "a hook says no"


def call(name, tool, given, hooks):
    silently = tool == "Silently"
    if silently:
        tool, given = given["tool"], given["input"]
    if tool == "Leave":
        sys.stderr.write("leaving early\n")
        sys.exit(3)
    if tool == "Garble":
        print(given["line"], flush=True)
        return "", False
    if tool == "Ask":
        return json.dumps(ask(given)), True
    if tool not in TOOLS and not given.get("insists"):
        return f"No such tool available: {tool}", True
    if not silently:
        allowed, why = permitted(name, tool, given, hooks)
        if not allowed:
            return f"not allowed: {why}", True
    try:
        return acp_agent.carry_out("Eval" if "code" in given else tool, given), False
    except Exception as error:  # noqa: BLE001 - whatever the model asked for, the agent goes on
        return f"{type(error).__name__}: {error}", True


def remember(messages):
    place = Path(os.environ["HOME"]) / ".claude" / "projects"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{SESSION}.json").write_text(json.dumps(messages))


def earlier():
    if OPTIONS.resume is None:
        return []
    place = Path(os.environ["HOME"]) / ".claude" / "projects" / f"{OPTIONS.resume}.json"
    if not place.is_file():
        sys.stderr.write(f"No conversation found with session ID: {OPTIONS.resume}\n")
        sys.exit(1)
    return acp_agent.earlier(place)


def work(prompt, hooks):
    messages = [*earlier(), {"role": "user", "content": prompt}]
    while True:
        blocks, stop = acp_agent.model(messages, TOOLS)
        messages.append({"role": "assistant", "content": blocks})
        remember(messages)
        for block in blocks:
            say({"type": "assistant", "message": {"role": "assistant", "content": [block]}})
        returned = []
        for block in blocks:
            if block["type"] == "tool_use":
                output, is_error = call(block["id"], block["name"], block["input"], hooks)
                returned.append(
                    {
                        "type": "tool_result",
                        "tool_use_id": block["id"],
                        "content": output,
                        "is_error": is_error,
                    }
                )
                say({"type": "user", "message": {"role": "user", "content": returned[-1:]}})
        if not returned:
            texts = [block["text"] for block in blocks if block["type"] == "text"]
            return {"is_error": False, "stop_reason": stop, "result": "".join(texts)}
        messages.append({"role": "user", "content": returned})
        remember(messages)


def main():
    hooks = []
    obey_folder()
    meet_servers()
    while True:
        message = hear()
        if message["type"] == "control_request":
            for group in (message["request"].get("hooks") or {}).get("PreToolUse", []):
                hooks += group["hookCallbackIds"]
            answer = {"subtype": "success", "request_id": message["request_id"], "response": {"commands": []}}
            say({"type": "control_response", "response": answer})
            continue
        say({"type": "system", "subtype": "init", "tools": TOOLS})
        prompt = composed(message)
        if prompt is None:
            ended = {"is_error": False, "result": "a command was obeyed"}
        else:
            try:
                ended = work(prompt, hooks)
            except (urllib.error.URLError, OSError) as error:
                said = error.read().decode() if isinstance(error, urllib.error.HTTPError) else str(error)
                ended = {"is_error": True, "api_error_status": 500, "result": f"API Error: {said}"}
        say({"type": "result", "subtype": "success"} | ended)


if __name__ == "__main__":
    main()
