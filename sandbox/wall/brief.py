"""What the helper is told before anything else: its tools, its bounds, its second wall.

The brief is the first line the helper reads. From then on it is only ever given calls, so nothing that happens
inside can widen it.
"""

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Brief:
    """The helper's instructions, as they travel.

    `rules` are Landlock's (path, rights); `rlimits` are (name, soft, hard) with the names of the `resource`
    module; `kept` are the directories whose files outlive the run, `scratch` those whose files do not. `program` is an agent that
    lives inside, empty for none, with its whole environment; `ports` are where gates outside are to be listened for.
    """

    cwd: str
    tools: tuple[str, ...]
    environment: dict[str, str]
    output_bytes: int
    kept: tuple[str, ...]
    scratch: tuple[str, ...]
    rules: tuple[tuple[str, int], ...]
    rlimits: tuple[tuple[str, int, int], ...]
    program: tuple[str, ...] = ()
    program_environment: dict[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> "Brief":
        value = json.loads(line)
        for name in ("tools", "kept", "scratch", "program", "ports"):
            value[name] = tuple(value[name])
        for name in ("rules", "rlimits"):
            value[name] = tuple(tuple(row) for row in value[name])
        return cls(**value)
