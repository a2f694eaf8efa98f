"""Ten commands killed, on full and read-only disks, beside a second run: then as if nothing had been."""

import contextlib
import ctypes
import hashlib
import multiprocessing
import os
import random
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.inputs import write_wav

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and forks")]

KILLS = int(os.environ.get("ASVA_KILLS", "10"))
FIELDS = {
    "data.height": 32,
    "data.width": 32,
    "data.workers": 0,
    "loop.batch_size": 1,
    "loop.mixed_precision": "no",
    "loop.save_every": 1,
    "loop.log_every": 1,
    "model.block_out_channels": [8, 8],
    "model.down_block_types": ["DownEncoderBlock2D"] * 2,
    "model.up_block_types": ["UpDecoderBlock2D"] * 2,
}
MADE = {".mp4", ".wav", ".tar", ".csv", ".parquet", ".safetensors", ".png", ".txt"}
"""Files that must be the same byte for byte; others tell times, or are named by them."""
COMMANDS = {
    "sample": "sample --image ball.png --audio knocks.wav --model {model} --steps 2 --output out/a.mp4",
    "sample, long": "sample --image ball.png --audio long.wav --model {model} --steps 1 --output out/a.mp4",
    "sample --batch": "sample --batch rows.csv --model {model} --steps 1 --output out",
    "keyframes": "keyframes knocks.wav --model {model} --output out/a.csv --plot out/a.png",
    "demix": "demix knocks.wav --output out",
    "evaluate": "evaluate --generated raw/a --reference raw/a --protocol mine.yaml --output out",
    "curate": "curate raw out --no-text",
    "data prepare": "data prepare raw out",
    "data precompute": "data precompute raw --model {model} --recipe tiny-keyframe --output out --device cpu "
    "--set data.height=16 --set data.width=16 --set data.workers=0",
    "train": "train vae --folder out --steps 4 --device cpu --resume "
    + " ".join(f"--set {name}={str(value).replace(' ', '')}" for name, value in FIELDS.items()),
}
WHOLE = ("keyframes", "demix")
"""Those that take no lock: whatever they write is moved to its name whole, at their end."""
ALONE = [name for name in COMMANDS if name not in WHOLE]
YEAR = 365 * 24 * 3600


@pytest.fixture(scope="module")
def home(tmp_path_factory, inputs, small_model, write_ball, knocks):
    """A folder of inputs, and the lines of COMMANDS as words."""
    import cv2

    torch.set_num_threads(1)  # more do not survive a fork
    cv2.setNumThreads(1)
    folder = tmp_path_factory.mktemp("faults")
    for name in ("ball.png", "knocks.wav"):
        (folder / name).write_bytes((inputs / name).read_bytes())
    write_wav(folder / "long.wav", np.tile(knocks, 3))
    for label in ("a", "b"):
        (folder / "raw" / label).mkdir(parents=True)
        for number in range(2):
            write_ball(folder / "raw" / label / f"{label}{number}.mp4", 0.3 + 0.1 * number, 0.6)
    (folder / "rows.csv").write_text(
        "image,audio,output\nball.png,knocks.wav,1.mp4\nball.png,knocks.wav,2.mp4\n", encoding="utf-8"
    )
    (folder / "mine.yaml").write_text("description: mine\nscores: [motion, event_f1]\n", encoding="utf-8")
    words = {name: line.format(model=small_model).split() for name, line in COMMANDS.items()}
    return folder, words


def start(words, folder, limit=None, bound=False):
    """`asva` in a fork of this process, which has imported everything; its output in ``said``."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(words, folder, limit, bound))
    process.start()
    return process


def obey_modes():
    """Give up what lets root write anywhere (Linux: an empty effective set; version 3, of two words)."""
    if os.geteuid() == 0:
        header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None, use_errno=True).capset(header, nothing) == 0, ctypes.get_errno()


def run(words, folder, limit, bound):
    from asva.cli import app

    os.chdir(folder)
    sys.stdout = sys.stderr = open("said", "w", buffering=1, encoding="utf-8")
    if limit is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    if bound:
        obey_modes()
    app(words, prog_name="asva")


def said(folder):
    return (folder / "said").read_text(encoding="utf-8")


def finish(words, folder):
    """Run to the end; one that had been finished may say that its files exist."""
    process = start(words, folder)
    process.join(120)
    assert process.exitcode == 0 or "exists" in said(folder), said(folder)


def made(folder):
    """Names of all files below ``out``, and what of them must be the same."""
    names, digests = set(), {}
    for path in sorted((folder / "out").rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and "/log/" not in name and "tfevents" not in name:
            names.add(name)
            if path.suffix in MADE:
                digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return names, digests


@pytest.fixture
def fresh(home, tmp_path):
    """``fresh()``: another copy of the inputs, by links, with an empty folder ``out`` where the command wants one."""

    def make(name):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for path in home[0].iterdir():
            if path.name not in ("out", "said"):
                (folder / path.name).symlink_to(path)
        if COMMANDS[name].startswith(("sample", "keyframes")):
            (folder / "out").mkdir()
        return folder

    return make


@pytest.fixture
def undisturbed(home, fresh, request):
    """Words of the command, what it makes, and how long it takes."""
    name = request.node.callspec.params["name"]
    words = home[1][name]
    from asva.cli import app

    with contextlib.chdir(fresh(name)), pytest.raises(SystemExit):  # here, so that forks need not import it
        app(words, prog_name="asva")
    times = []
    for _ in range(2):
        folder, begun = fresh(name), time.monotonic()
        finish(words, folder)
        times.append(time.monotonic() - begun)
    assert made(folder)[0]
    return words, made(folder), min(times)


@pytest.mark.parametrize("name", COMMANDS)
def test_kills(name, undisturbed, fresh):
    words, whole, seconds = undisturbed
    draw, hits = random.Random(name), 0
    for _ in range(KILLS):
        folder = fresh(name)
        process = start(words, folder)
        time.sleep(draw.uniform(0.05, seconds))
        process.kill()
        process.join()
        hits += process.exitcode == -signal.SIGKILL
        finish(words, folder)
        assert made(folder) == whole
    assert hits >= KILLS // 2
    print(f"| {name} | {hits} of {KILLS} |")


@pytest.mark.parametrize("name", COMMANDS)
def test_full_disks(name, undisturbed, fresh):
    """Files may have 2 kB: one line says so, no final file is cut short, and the next run succeeds."""
    words, whole, _ = undisturbed
    folder = fresh(name)
    process = start(words, folder, 2000)
    process.join(120)
    lines = [line for line in said(folder).splitlines() if line.strip()]
    assert process.exitcode == 1 and "The disk is full" in " ".join(lines[-6:]), lines
    assert "Traceback" not in said(folder) and "defect" not in said(folder)
    names, digests = made(folder)
    assert not {one for one in names if Path(one).name.startswith(".") and ".records" not in one}, names
    assert all(digests[one] == whole[1].get(one, digests[one]) for one in digests)
    finish(words, folder)
    assert made(folder) == whole


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
@pytest.mark.parametrize("name", COMMANDS)
def test_read_only_disks(name, undisturbed, fresh):
    words, whole, _ = undisturbed
    folder = fresh(name)
    closed = [folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())]
    (folder / "said").touch()
    for path in closed:
        path.chmod(0o555)
    process = start(words, folder, bound=True)
    process.join(120)
    for path in closed:
        path.chmod(0o755)
    lines = [line for line in said(folder).splitlines() if line.strip()]
    assert process.exitcode in (1, 2) and re.fullmatch(
        r"'out(/a.mp4)?': Permission denied\.|Folder 'out' may not be written to: write elsewhere\.", lines[-1]
    ), lines
    assert "Traceback" not in said(folder) and "defect" not in said(folder)
    assert made(folder)[0] == set()
    finish(words, folder)
    assert made(folder) == whole


def halve(path, wanted):
    """As a crash of the machine would; what stands under its final name was whole."""
    if path.is_file() and not wanted:
        os.truncate(path, path.stat().st_size // 2)


def date_ahead(path, wanted):
    """As a clock that is set back shows it."""
    os.utime(path, (time.time() + YEAR,) * 2)


@pytest.mark.parametrize("harm", [halve, date_ahead])
@pytest.mark.parametrize("name", COMMANDS)
def test_harmed_leftovers(name, harm, undisturbed, fresh):
    words, whole, seconds = undisturbed
    folder = fresh(name)
    process = start(words, folder)
    time.sleep(0.7 * seconds)
    process.kill()
    process.join()
    for path in (folder / "out").rglob("*"):
        harm(path, path.relative_to(folder).as_posix() in whole[0])
    finish(words, folder)
    assert made(folder) == whole


@pytest.mark.parametrize("name", WHOLE)
def test_two_at_once(name, undisturbed, fresh):
    words, whole, _ = undisturbed
    folder = fresh(name)
    both = [start(words, folder) for _ in range(2)]
    for process in both:
        process.join(120)
    assert 0 in [process.exitcode for process in both] and made(folder) == whole


@pytest.mark.parametrize("name", ALONE)
def test_a_second_run_beside_it(name, undisturbed, fresh):
    from asva_data.many import only_run

    words, whole, _ = undisturbed
    folder = fresh(name)
    target = folder / {"sample": "out/a.mp4", "sample, long": "out/a.mp4", "train": "out/training/vae"}.get(name, "out")
    target = folder / "out/clips" if name == "evaluate" else target
    (target.parent if target.suffix else target).mkdir(parents=True, exist_ok=True)
    with only_run(target):
        process = start(words, folder)
        process.join(120)
        assert process.exitcode == 1 and "one run at a time" in " ".join(said(folder).split())
    finish(words, folder)
    assert made(folder) == whole
