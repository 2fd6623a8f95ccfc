"""The product and the implementation from the page alone conform; a program that leaves something out does not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def judged(*program: str) -> "subprocess.CompletedProcess[str]":
    """Judge a Python program."""
    command = [sys.executable, "-m", "tests.conformance", sys.executable, *program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.parametrize("name", ["ours", "independent"])
def test_it_conforms(name: str) -> None:
    done = judged("-m", f"tests.conformance.{name}")
    assert done.stdout.endswith("conforms\n"), done.stdout + done.stderr
    assert done.returncode == 0


def test_the_independent_one_loads_nothing_of_the_product() -> None:
    program = "import sys, tests.conformance.independent; print(*sys.modules, sep='\\n')"
    modules = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "cryptography" in modules
    assert [name for name in modules if name.startswith(("dispatch_", "nacl"))] == []


# What is left out of the independent one, and what of the page it then does otherwise.
CARELESS = {
    "forgets what it took in": ("Recipient.deliver = lambda self, envelope: self._opens(self._world, {'device': self._device, 'first_contact': None, 'envelope': envelope, 'standing': self._standing})", "once more"),
    "believes every edge": ("independent_opener.check_grant = lambda *a, **k: None", "kept until the edge ended"),
    "has no clock": ("independent_opener.check_fresh = lambda *a: None", "kept for a week"),
    "verifies no signature": ("independent_opener.signed_by = lambda *a: True", "does not conform"),
    "reads no entry of a household": ("independent_opener.is_document = lambda *a: True", "told: a deed"),
    "compares no commitment": ("independent_pairing.commits = lambda *a: True", "a reveal of another nonce"),
    "believes any sibling": ("independent_household_log.Household.decides = lambda *a: True", "a rule that was removed never returns: document 1"),
    "follows whatever comes": ("independent_household_log.Household.followed = lambda self, by: max(self.documents.get(by, [0]), default=0)", "as far as nothing is missing"),
    "compares no label": ("independent_opener.check_equal = lambda *a: None", "does not conform"),
}  # fmt: skip


@pytest.mark.parametrize("fault", CARELESS)
def test_one_that_leaves_something_out_does_not(fault: str, tmp_path: Path) -> None:
    harm, named = CARELESS[fault]
    source = (ROOT / "tests/conformance/independent.py").read_text(encoding="utf-8")
    program = tmp_path / "careless.py"
    program.write_text(
        source.replace('if __name__ == "__main__":\n', f'if __name__ == "__main__":\n    {harm}\n')
    )
    done = judged(
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); exec(compile(open({str(program)!r}).read(), 'careless', 'exec'))",
    )
    assert named in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    "program", ["pass", "print('hello', flush=True); input()", "import time; print('[]')"]
)
def test_a_program_that_does_not_speak_is_told_so(program: str) -> None:
    done = judged("-c", program)
    assert (done.returncode, "does not conform" in done.stdout) == (1, True), done.stdout + done.stderr
