"""The agent without a model: it follows a list of tool calls that was signed with the task.

`parse_steps` reads the list as strictly as anything that was signed by somebody else; `run_steps` puts each
call to the gate and then into the box, and stops at the first one that is denied or fails. There is no judgement
here, which is the point: what the sender signed and the person read is what runs.
"""

from collections.abc import Mapping, Sequence

from sandbox.agents.agent import Emit, Gate, Session, Tools
from sandbox.errors import SandboxError, SessionError, StepsError
from sandbox.events import CallFinished, CallProposed, Ended, Started
from sandbox.job import ToolCall
from sandbox.names import is_plain_name
from sandbox.tools import foreign, inputs

MAX_STEPS = 1000
_FIELDS = {"tool", "input", "save_as", "allow_failure"}


def parse_steps(value: object) -> tuple[ToolCall, ...]:
    """Read a list of steps as YAML or JSON gives it; the calls are named `step-1`, `step-2` and so on.

    Raises:
        StepsError: Not a list, empty, too long, or a step that is not exactly a known tool's call.
    """
    if not isinstance(value, list):
        raise StepsError("Steps must be a list.")
    if not 1 <= len(value) <= MAX_STEPS:
        raise StepsError(f"There must be between 1 and {MAX_STEPS} steps, not {len(value)}.")
    return tuple(_parse_step(number, step) for number, step in enumerate(value, start=1))


async def run_steps(
    calls: Sequence[ToolCall], box: Tools, gate: Gate, emit: Emit, session: Session | None = None
) -> Ended:
    """Follow the list; emits `Started`, then `CallProposed` and `CallFinished` for each call that got so far.

    Args:
        calls: As `parse_steps` made them.
        box: An open box.
        gate: Asked before each call; may take as long as a person takes.
        emit: Told of each event before the next thing happens, so that a journal is never behind.
        session: Where an earlier run of this list was set aside.

    Returns:
        The end, not emitted: `blocked` when a tool is not granted (then nothing ran at all) or the gate said no,
        `failed` when a call failed or the run was killed, else `success`.

    Raises:
        SessionError: The session is not one of this list.
    """
    first = 0 if session is None else _next_step(session, len(calls))
    await emit(Started(box.confinement))
    for call in calls:
        if call.tool not in box.tools:
            return Ended(
                "blocked",
                "tool_not_granted",
                f"{_name(call)} needs the tool {call.tool}, which is not granted.",
            )
    for number, call in enumerate(calls[first:], start=first):
        await emit(CallProposed(call))
        verdict = await gate(call)
        if verdict.park:
            where = {"next": number}
            return Ended("blocked", "parked", f"{_name(call)} was not answered.", session=where)
        if not verdict.allow:
            return Ended(
                "blocked", "denied", f"{_name(call)} was denied: {verdict.reason or 'no reason given'}."
            )
        try:
            result = await box.call(call)
        except SandboxError as error:
            return Ended("failed", error.code, error.detail)
        await emit(CallFinished(result))
        if not (result.ok or call.allow_failure):
            return Ended("failed", "step_failed", f"{_name(call)} failed: {result.error}.")
    return Ended("success")


def _next_step(session: Session, count: int) -> int:
    number = session.get("next")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < count:
        raise SessionError("it names no step of this list")
    return number


def _name(call: ToolCall) -> str:
    return f"{call.call_id} ({call.tool})"


def _parse_step(number: int, step: object) -> ToolCall:
    if not isinstance(step, Mapping) or not all(isinstance(key, str) for key in step):
        raise StepsError(f"Step {number} must be a mapping with the fields tool and input.")
    unknown = sorted(set(step) - _FIELDS)
    if unknown:
        raise StepsError(f"Step {number} has an unknown field {unknown[0]!r}.")
    tool, given = step.get("tool"), step.get("input")
    if (
        not isinstance(tool, str)
        or not isinstance(given, Mapping)
        or not all(isinstance(key, str) for key in given)
    ):
        raise StepsError(f"Step {number} needs a tool name and an input mapping.")
    try:
        (foreign if foreign.is_foreign(tool) else inputs).check(tool, given)
    except inputs.InputError as error:
        raise StepsError(f"Step {number}: {error}.") from None
    return ToolCall(
        call_id=f"step-{number}",
        tool=tool,
        input=dict(given),
        save_as=_parse_save_as(number, step.get("save_as")),
        allow_failure=_parse_allow_failure(number, step.get("allow_failure", False)),
    )


def _parse_save_as(number: int, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not is_plain_name(value):
        raise StepsError(f"Step {number}: save_as must be a plain file name.")
    return value


def _parse_allow_failure(number: int, value: object) -> bool:
    if not isinstance(value, bool):
        raise StepsError(f"Step {number}: allow_failure must be true or false.")
    return value
