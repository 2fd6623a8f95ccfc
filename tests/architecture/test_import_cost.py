"""`dispatch --help` and every quick command start fast because the heavy libraries are not there at all."""

import json
import subprocess
import sys

import pytest

from tests.architecture.tree import ROOT

HEAVY = {"aiohttp", "asyncio", "keyring", "nacl", "pydantic", "rich", "uvloop", "websockets", "yaml"}


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["send", "--help"]], ids=" ".join)
def test_the_command_line_starts_without_heavy_imports(arguments: list[str]) -> None:
    program = (
        "import json, sys\n"
        "from dispatch_cli.main import main\n"
        f"sys.argv = ['dispatch', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    code = end.code or 0\n"
        "print('\\n' + json.dumps([code, sorted(sys.modules)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout + done.stderr
    assert HEAVY & set(modules) == set()
