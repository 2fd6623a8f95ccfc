"""One decoder under the fuzzer: its corpus of seeds, its dictionary, and what became of it, in a process of its own.

libFuzzer never returns to its caller, so each target runs in a fork of one process that has been instrumented once; the
counters lie in memory that both share, and a target that never ran cannot pass for one that found nothing.
"""

import hashlib
import mmap
import os
import re
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from tests.support.decoders.decoder import Decoder

FOUND: Final = Path(__file__).parent / "found"
_COUNTERS: Final = struct.Struct("QQ")
_WORD: Final = re.compile(rb'"([A-Za-z0-9_.:/+-]{1,40})"')
_COVERAGE: Final = re.compile(r"cov: (\d+)")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one target. `edges` is the coverage that libFuzzer saw, `found` a file with what broke it."""

    name: str
    runs: int
    taken: int
    edges: int
    seconds: float
    found: Path | None
    log: str

    def __str__(self) -> str:
        word = "ok   " if self.found is None else "FOUND"
        return f"{word} {self.name}: {self.runs} runs, {self.taken} taken, {self.edges} edges, {self.seconds:.1f} s"


def folder(name: str) -> Path:
    """Return where the found cases of a decoder are kept."""
    return FOUND / re.sub(r"[^\w.-]", ".", name)


def attack(decoder: Decoder, *, runs: int, seconds: int, keep: Path | None = None) -> Report:
    """Fuzz one decoder in a fork of this process, which has been instrumented; wait for its end."""
    counters = mmap.mmap(-1, _COUNTERS.size)
    kept = keep or folder(decoder.name)
    before = set(kept.glob("*")) if kept.is_dir() else set()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        log = Path(place, "log")
        child = os.fork()
        if child == 0:
            _be_fuzzed(decoder, Path(place), kept, counters, runs=runs, seconds=seconds)
        _, status = os.waitpid(child, 0)
        said = log.read_text(errors="replace") if log.exists() else ""
    count, taken = _COUNTERS.unpack(counters[:])
    found = next(iter(set(kept.glob("*")) - before), None) if kept.is_dir() else None
    if status != 0 and found is None:
        raise RuntimeError(f"the fuzzer of {decoder.name} ended with {status}:\n{said[-4000:]}")
    edges = max(map(int, _COVERAGE.findall(said)), default=0)
    return Report(decoder.name, count, taken, edges, time.monotonic() - began, found, said)


def _be_fuzzed(
    decoder: Decoder, place: Path, kept: Path, counters: mmap.mmap, *, runs: int, seconds: int
) -> NoReturn:
    """Become the fuzzer of one decoder; never returns."""
    import atheris  # the processes that fuzz have it anyway; those that only read reports need not

    descriptor = os.open(place / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    try:
        corpus, dictionary = _prepared(decoder, place)
        options = [f"-runs={runs or -1}", f"-max_total_time={seconds}", "-timeout=30", "-rss_limit_mb=4096"]
        options += [f"-artifact_prefix={place}/", f"-dict={dictionary}", "-max_len=16384", "-detect_leaks=0"]
        options += ["-seed=1"] if runs else []
        atheris.Setup([sys.argv[0], *options, str(corpus)], _counted(decoder, counters, kept))
        atheris.Fuzz()
    except SystemExit as end:
        os._exit(int(end.code or 0))
    finally:
        traceback.print_exc()
        os._exit(3)


def _prepared(decoder: Decoder, place: Path) -> tuple[Path, Path]:
    """Write the seeds, and a dictionary of the words that stand in them."""
    corpus, dictionary = place / "corpus", place / "words"
    corpus.mkdir()
    words: set[bytes] = set()
    for number, seed in enumerate(decoder.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
        words.update(_WORD.findall(seed))
    dictionary.write_bytes(b'"{}"\n' + b"".join(b'"\\"%b\\""\n' % word for word in sorted(words)[:400]))
    return corpus, dictionary


def _counted(decoder: Decoder, counters: mmap.mmap, kept: Path) -> Callable[[bytes], None]:
    """Return what libFuzzer calls: it counts, and ends this process at the first input that breaks the decoder."""
    count = taken = 0

    def one(data: bytes) -> None:
        nonlocal count, taken
        count += 1
        counters[:] = _COUNTERS.pack(count, taken)
        try:
            taken += decoder.takes(data)
        except BaseException:  # noqa: BLE001 - an exit that a decoder makes is a finding too
            traceback.print_exc()
            kept.mkdir(parents=True, exist_ok=True)
            (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
            os._exit(77)
        counters[:] = _COUNTERS.pack(count, taken)

    return one
