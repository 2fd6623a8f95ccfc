"""What holds for every test: no test sees this machine's own Dispatch, and slow machines may ask for time."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TIME_SCALE = float(os.environ.get("DISPATCH_TEST_TIME_SCALE", "1"))

# The time of one example says nothing about a property; pytest-timeout bounds the whole test.
settings.register_profile("dispatch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Under coverage: fewer examples, and always the same ones, so that the verdict does not depend on luck.
settings.register_profile("brisk", settings.get_profile("dispatch"), max_examples=20, derandomize=True)
settings.load_profile("dispatch")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background deaf to Ctrl-C, and every program under test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Multiply every test's time limit by DISPATCH_TEST_TIME_SCALE."""
    if TIME_SCALE == 1:
        return
    default_s = float(config.getini("timeout"))
    for item in items:
        marker = item.get_closest_marker("timeout")
        limit_s = float(marker.args[0]) if marker and marker.args else default_s
        item.add_marker(pytest.mark.timeout(limit_s * TIME_SCALE), append=False)


def pytest_collection_finish() -> None:
    """Set what all tests are made of aside: else it is gone through, half a million objects, after each file of them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def nothing_left_open() -> Iterator[None]:
    """Collect what each file of tests leaves behind, so that what was never closed is told where it was opened."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def nobodys_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Point every DISPATCH_ setting away from the person who runs the tests; keys never reach a keychain."""
    for name in [name for name in os.environ if name.startswith("DISPATCH_")]:
        if not name.startswith("DISPATCH_TEST_"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp() / "nobodys-home"
    monkeypatch.setenv("DISPATCH_HOME", str(home))
    monkeypatch.setenv("DISPATCH_KEY_BACKEND", "file")
    return home
