"""Opens one box, makes some calls and tells what came of them, as JSON; also a program of its own.

It needs nothing but the standard library and `sandbox`, so an ordinary user without our environment can run it
with the system's Python.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.job import Limits, PathGrant, Policy, ToolCall
from sandbox.wall.runner import open_box


async def drive(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job: {state, paths: [[path, mode, identity?]], cwd, tools, limits, calls: [[tool, input]], beside?}.

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
