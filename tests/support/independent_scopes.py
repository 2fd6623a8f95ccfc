"""Scopes a second time, from chapter 7 of docs/PROTOCOL.md and docs/protocol/FIELDS.md: their one form, and how two of them meet."""

import re
from typing import Any

from tests.support.independent_bytes import Json
from tests.support.independent_shapes import Holds, exactly, flag, listed, nullable, number, one_of, text

BUDGET = exactly({name: nullable(number()) for name in ("tokens", "turns", "cost_microusd")})
APPROVAL, RETURNS = ("manual", "review", "auto"), ("status", "result", "trace")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
ROOT = [{"path": "/", "mode": "rw"}]


def between(least: int, most: int) -> Holds:
    return lambda value: number(least)(value) and value <= most


def normal(value: Any) -> bool:
    """An absolute path in its one spelling."""
    if not text(4_096)(value) or not value.startswith("/"):
        return False
    return value == "/" or not {"", ".", ".."} & set(value[1:].split("/"))


def name(value: Any) -> bool:
    return text(64)(value) and NAME.fullmatch(value) is not None


def host(value: Any) -> bool:
    if not text(255)(value):
        return False
    place, colon, port = value.partition(":")
    labels = place.split(".")
    if not all(LABEL.fullmatch(label) for label in labels) or not "a" <= labels[-1][0] <= "z":
        return False
    return not colon or (re.fullmatch(r"[1-9][0-9]{0,4}", port) is not None and int(port) <= 65_535)


SHAPE = exactly(
    {
        "tools": listed(name, 64),
        "mcp_servers": listed(lambda value: value == "*" or name(value), 64),
        "paths": listed(exactly({"path": normal, "mode": one_of("ro", "rw")}), 64),
        "run_directory_only": flag,
        "network": listed(host, 64),
        "approval": one_of(*APPROVAL),
        "returns": one_of(*RETURNS),
        "max_per_day": nullable(between(1, 10_000)),
        "budget": BUDGET,
        "max_runtime": nullable(between(1, 604_800)),
        "approval_timeout": nullable(between(1, 86_400)),
        "expires_at": nullable(number(1)),
        "subject": lambda value: isinstance(value, dict) and text(64)(value.get("kind")),
        "via": listed(text(255), 64),
        "secrets": listed(text(255), 64),
    }
)


def code_of(value: Any) -> str | None:
    """Why scopes are refused, or None."""
    if not SHAPE(value):
        return "malformed"
    if value["subject"]["kind"] != "peer" or value["via"] or value["secrets"]:
        return "unsupported"
    if set(value["subject"]) != {"kind"} or settled(value) != value:
        return "malformed"
    return None


def mode_at(paths: list[Json], path: str) -> str | None:
    """The mode of the deepest listed path that contains this one, by whole names."""
    found = [each for each in paths if (path + "/").startswith(each["path"].rstrip("/") + "/")]
    return max(found, key=lambda each: len(each["path"]))["mode"] if found else None


def shortest(paths: list[Json]) -> list[Json]:
    """The shortest set that says the same at every path; of two modes for one path the lower."""
    modes: dict[str, str] = {}
    for each in paths:
        modes[each["path"]] = min(each["mode"], modes.get(each["path"], "rw"))
    kept: list[Json] = []
    for path in sorted(modes):
        if mode_at(kept, path) != modes[path]:
            kept.append({"path": path, "mode": modes[path]})
    return kept


def settled(scopes: Json) -> Json:
    """Scopes in their one form."""
    made = {**scopes, "paths": shortest(scopes["paths"])}
    for field in ("tools", "network"):
        made[field] = sorted(set(scopes[field]))
    made["mcp_servers"] = ["*"] if "*" in scopes["mcp_servers"] else sorted(set(scopes["mcp_servers"]))
    if made["run_directory_only"] and made["paths"] == ROOT:
        made |= {"run_directory_only": False, "paths": []}
    elif made["run_directory_only"] and not made["paths"]:
        made |= {"tools": [], "mcp_servers": []}
    return made


def meet(left: Json, right: Json) -> Json:
    """What both allow."""
    (paths, only), (others, too) = seen(left), seen(right)
    both = []
    for path in {each["path"] for each in (*paths, *others)}:
        modes = {mode_at(paths, path), mode_at(others, path)}
        if None not in modes:
            both.append({"path": path, "mode": "ro" if "ro" in modes else "rw"})
    made = {**left, "paths": both, "run_directory_only": only or too or not both}
    for field in ("tools", "network"):
        made[field] = [each for each in left[field] if each in right[field]]
    made["mcp_servers"] = servers(left["mcp_servers"], right["mcp_servers"])
    for field, order in (("approval", APPROVAL), ("returns", RETURNS)):
        made[field] = min(left[field], right[field], key=order.index)
    for field in ("max_per_day", "max_runtime", "approval_timeout", "expires_at"):
        made[field] = lower(left[field], right[field])
    made["budget"] = {field: lower(left["budget"][field], right["budget"][field]) for field in left["budget"]}
    return settled(made)


def seen(scopes: Json) -> tuple[list[Json], bool]:
    """The paths for a meet: none stand for everything, one directory only."""
    if scopes["paths"] or scopes["run_directory_only"]:
        return scopes["paths"], scopes["run_directory_only"]
    return ROOT, True


def servers(left: list[str], right: list[str]) -> list[str]:
    if left == ["*"]:
        return right
    return left if right == ["*"] else [each for each in left if each in right]


def lower(left: int | None, right: int | None) -> int | None:
    known = [each for each in (left, right) if each is not None]
    return min(known) if known else None
