from sandbox.errors import NoSandboxError, SandboxError, StepsError


def test_an_error_says_its_code_its_case_and_its_remedy() -> None:
    error = SandboxError("memory", "Too much.", "Use less.")
    assert (str(error), error.code, error.detail, error.remedy) == (
        "memory: Too much.",
        "memory",
        "Too much.",
        "Use less.",
    )


def test_a_machine_without_a_wall_has_one_code() -> None:
    assert NoSandboxError("bubblewrap is not installed.", "Run: …").code == "no_sandbox"


def test_wrong_steps_say_what_to_do() -> None:
    assert StepsError("Step 1 is none.").remedy
