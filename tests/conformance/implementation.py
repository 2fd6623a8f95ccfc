"""The program that is judged, at the other end of a pipe: one JSON object a line goes in, one comes out."""

import json
import select
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Self

Json = dict[str, Any]
PATIENCE_S = 60


class Implementation:
    """One program; it lives as long as it is judged."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def ask(self, act: str, **what: Any) -> Json:
        """Ask one thing. A program that dies, or says nothing in time, has answered wrongly, and so has all that follows."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": act, **what}) + "\n")
            self._process.stdin.flush()
        except OSError:
            return {"error": "it has ended"}
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            self._process.kill()
            return {"error": "it says nothing"}
        line = self._process.stdout.readline()
        try:
            answer = json.loads(line)
        except ValueError:
            return {"error": f"no JSON object: {line[:80]!r}"}
        return answer if isinstance(answer, dict) else {"error": "no JSON object"}


def serve(acts: Mapping[str, Callable[..., Json]]) -> None:
    """Be the program at the other end: answer each line by one of these."""
    for line in sys.stdin:
        asked = json.loads(line)
        act = acts.get(asked.pop("do"))
        print(json.dumps({"error": "unsupported"} if act is None else act(**asked)), flush=True)
