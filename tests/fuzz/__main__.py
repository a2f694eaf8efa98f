"""Give bad files to every reader for some seconds: ``python -m fuzz 60``; each in a process of its own with limits."""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from fuzz.mutations import invented, mutated
from fuzz.readers import Reader, readers

CORPUS = Path(__file__).parent / "corpus"
SECONDS, MEMORY = 20, 2 << 30
FINE = ("read", "refused")


class Outcome(NamedTuple):
    """What became of a file: read or refused, or else a fault; words, seconds, bytes at the peak of the process."""

    kind: str
    words: str
    seconds: float
    peak: int


def attempt(reader: Reader, files: list[bytes]) -> list[Outcome]:
    """Files read one after the other in a fork of this process, and in another one behind one that ends it."""
    found: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        while len(found) < len(files):
            told, tell = os.pipe()
            child = os.fork()
            if not child:
                os.close(told)
                _read_all(reader, Path(folder), files[len(found) :], tell)
            os.close(tell)
            with os.fdopen(told, "rb") as answers:
                found += [Outcome(*json.loads(line)) for line in answers.read().splitlines()]
            _, status, used = os.wait4(child, 0)
            if os.WIFSIGNALED(status):
                hung = os.WTERMSIG(status) == signal.SIGALRM
                words = f"signal {os.WTERMSIG(status)}"
                found.append(Outcome("hang" if hung else "crash", words, SECONDS * hung, used.ru_maxrss * 1024))
    return found


def _read_all(reader: Reader, folder: Path, files: list[bytes], tell: int) -> None:
    """In the child, which ends here."""
    for number in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    resource.setrlimit(resource.RLIMIT_DATA, (12 << 30, 12 << 30))
    gc.disable()
    for number, data in enumerate(files):
        path = folder / f"sub{os.getpid()}-{number}" / reader.file
        path.parent.mkdir()
        path.write_bytes(data)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)  # without a handler it ends the process, wherever it hangs
        begun = time.monotonic()
        kind, words = _read(reader, path)
        seconds, peak = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        full = peak > MEMORY and kind in FINE
        os.write(tell, json.dumps(("memory" if full else kind, words[:2000], seconds, peak)).encode() + b"\n")
        if peak > MEMORY:
            break
    os._exit(0)


def _read(reader: Reader, path: Path) -> tuple[str, str]:
    try:
        reader.read(path)
        return "read", ""
    except (ValueError, OSError) as error:
        line = str(error).strip()
        named = path.name in line or str(path.parent) in line
        return ("refused", "") if named and "\n" not in line else ("nameless", f"{type(error).__name__}: {line}")
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return "unexpected", f"{type(error).__name__}: {error} at {last.filename}:{last.lineno}"


def seeds(known: dict[str, Reader]) -> dict[str, bytes]:
    """A good file for each reader, which must be read."""
    made = {}
    for name, reader in known.items():
        with tempfile.TemporaryDirectory() as folder:
            reader.seed(Path(folder, reader.file))
            made[name] = Path(folder, reader.file).read_bytes()
    return made


def run(
    seconds: float, number: int = 0, names: list[str] | None = None, batch: int = 20, corpus: Path | None = CORPUS
) -> dict[str, Any]:
    """Fuzz for some seconds.

    Args:
        seconds: How long; the batch of a reader is finished.
        number: Seed of all that is drawn.
        names: Of readers; None is all.
        batch: Files of one process.
        corpus: Folder for what fails.

    Returns:
        Counts by reader and outcome, failures in words, the longest time and the highest peak.
    """
    known = {name: reader for name, reader in readers().items() if names is None or name in names}
    good, draw, end = seeds(known), random.Random(number), time.monotonic() + seconds
    counts: dict[str, Counter[str]] = {name: Counter() for name in known}
    failures, longest, highest, rounds = [], 0.0, 0, 0
    while time.monotonic() < end:
        for name, reader in known.items():
            of_kind = [data for other, data in good.items() if known[other].file == reader.file] + [good[name]] * 3
            files = [mutated(of_kind, reader.text, draw) for _ in range(batch)]
            files += invented(good[name], number + rounds, batch) if reader.text else []
            for data, outcome in zip(files, attempt(reader, files), strict=True):
                counts[name][outcome.kind] += 1
                longest, highest = max(longest, outcome.seconds), max(highest, outcome.peak)
                if outcome.kind not in FINE:
                    failures.append(f"{name}: {outcome.kind} {outcome.words}")
                    if corpus is not None:
                        (corpus / f"{name}.{hashlib.sha256(data).hexdigest()[:10]}").write_bytes(data)
            if time.monotonic() > end:
                break
        rounds += 1
    return {"counts": counts, "failures": failures, "longest": longest, "highest": highest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", nargs="*")
    options = parser.parse_args()
    found = run(options.seconds, options.seed, options.readers)
    print("\n".join(found["failures"]))
    total = sum(found["counts"].values(), Counter())
    for name, outcomes in found["counts"].items():
        print(f"| {name} | {sum(outcomes.values()):,} | {outcomes['read']:,} | {outcomes['refused']:,} |")
    print(json.dumps({"inputs": sum(total.values()), **total, "longest": found["longest"], "peak": found["highest"]}))
    sys.exit(bool(found["failures"]))


if __name__ == "__main__":
    main()
