"""Opens one box, makes some calls and tells what came of them, as JSON; also a program of its own.

It needs nothing but the standard library and `sandbox`, so an ordinary user without our environment can run it
with the system's Python.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.gate.dialling import Dialler
from sandbox.gate.hosts import Decision, HostGate, hosts
from sandbox.job import Limits, PathGrant, Policy, ToolCall
from sandbox.wall.policy import PROXY_PORT
from sandbox.wall.runner import Box, open_box


async def drive(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job: {state, paths: [[path, mode, identity?]], cwd, tools, limits, calls: [[tool, input]], beside?, network?}.

    `beside` is a shell script that runs on this side of the wall, after the calls and before the box is closed.
    """
    state = Path(job["state"])
    policy = Policy(
        paths=tuple(
            PathGrant(path, mode, tuple(*identity) or None) for path, mode, *identity in job["paths"]
        ),
        cwd=job["cwd"],
        tools=frozenset(job["tools"]),
        limits=Limits(**job["limits"]),
        network=tuple(job.get("network", ())),
    )
    told: dict[str, Any] = {"results": [], "error": None, "detail": "", "confinement": None}
    box = None
    try:
        async with open_box(policy, state, "test") as box:
            told["confinement"] = [
                box.confinement.layers,
                box.confinement.limits_by,
                box.confinement.warnings,
            ]
            async with gate_of(policy, box):
                for number, (tool, given) in enumerate(job["calls"]):
                    result = await box.call(ToolCall(str(number), tool, given))
                    told["results"].append([result.ok, result.output, result.error, result.exit_code])
            if job.get("beside"):
                told["beside"] = await beside(job["beside"])
    except SandboxError as error:
        told["error"], told["detail"] = error.code, f"{error.detail} {error.remedy}"
    if box is not None:
        told["scratch"] = box.frozen.scratch_files
        told["left"] = box.frozen.artifacts_left
        told["artifacts"] = sorted(path.name for path in box.frozen.artifacts_dir.iterdir())
        told["upper"] = sorted(name for layer in box.frozen.layers for name in names_below(str(layer.upper)))
    return told


@contextlib.asynccontextmanager
async def gate_of(policy: Policy, box: Box) -> AsyncIterator[None]:
    """Serve the way out to the hosts of a policy, if it has any, with nothing opened by an owner."""
    if not policy.network:
        yield
        return

    async def tell(_decision: Decision) -> None: ...

    async with HostGate(hosts(policy.network), Dialler(), tell).serve(box.listener(PROXY_PORT)):
        yield


async def beside(script: str) -> str:
    """Run a script unconfined and return what it printed."""
    shell = await asyncio.create_subprocess_exec("bash", "-c", script, stdout=asyncio.subprocess.PIPE)
    output, _ = await shell.communicate()
    return output.decode()


def names_below(top: str) -> list[str]:
    """Name everything below a directory that can be looked at."""
    return [
        os.path.relpath(os.path.join(directory, name), top)
        for directory, directories, files in os.walk(top)
        for name in (*directories, *files)
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(drive(json.load(sys.stdin)))))
