"""The same runs on Ray: killed workers and drivers, a full disk, files that kill; one local cluster for all."""

import errno
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from asva_curate import Item, Records, run_items
from asva_curate.scale.on_ray import started
from asva_data import MediaError

ray = pytest.importorskip("ray", reason="needs asva-data[scale]")


@pytest.fixture(scope="module")
def cluster():
    """Two CPUs of this machine; workers know this file by its content."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with started(2, None):
        yield ray.get_runtime_context().gcs_address


def items(count):
    return [Item(f"{number:04x}", f"{number}.mp4", facts={"n": number}) for number in range(count)]


def work(folder, kills=(), always=(), full=(), slow=0.0):
    """Notes what it is asked for; some items kill their worker, once or always, or find the disk full."""

    def one(item):
        number = item.facts["n"]
        with (Path(folder) / "asked").open("a", encoding="utf-8") as file:
            file.write(f"{item.key}\n")
        time.sleep(slow)
        struck = Path(folder) / f"struck-{number}"
        if number in always or (number in kills and not struck.exists()):
            struck.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number in full and not struck.exists():
            struck.touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if number % 20 == 7:
            raise ValueError(f"`path` must be good, got {item.path}.")
        return {"bin": bytes([number]) * 9, "json": {"square": number**2}}

    return one


def contents(records):
    return {key: (records.read(key), records.read(key, "bin")) for key in sorted(records)}


def test_killed_workers_lose_nothing(cluster, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    tmp_path.joinpath("a").mkdir()
    alone = run_items(items(40), one, partial(work, tmp_path / "a"), {})
    seen = []
    make = partial(work, tmp_path, kills=(9,), always=(21,))
    shared = run_items(items(40), two, make, {}, workers=2, attempts=2, on_done=seen.append)
    assert seen == list(range(41))
    assert shared.facts("0015")["failure"] == "it killed its worker 2 times"
    there, wanted = contents(shared), contents(alone)
    assert {key for key in wanted if there[key] != wanted[key]} == {"0015"} and len(there) == 40
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert sorted(asked) == sorted([item.key for item in items(40)] + ["0009", "0015"])  # each victim once more
    assert len(list(two.glob("part-*.tar"))) >= 2


def test_a_full_disk_stops_all_workers(cluster, tmp_path):
    make = partial(work, tmp_path, full=(12,), slow=0.05)
    with pytest.raises(OSError, match="No space left") as stopped:
        run_items(items(24), tmp_path, make, {}, workers=2)
    assert stopped.value.errno == errno.ENOSPC
    before = set(Records(tmp_path))
    assert 0 < len(before) < 24
    (tmp_path / "asked").write_text("", encoding="utf-8")
    assert len(run_items(items(24), tmp_path, make, {}, workers=2)) == 24
    assert not before & set((tmp_path / "asked").read_text(encoding="utf-8").split())


def test_a_killed_driver_goes_on(cluster, tmp_path):
    script = f"""
import importlib.util, sys
from functools import partial
spec = importlib.util.spec_from_file_location("scale_on_ray", {__file__!r})
module = importlib.util.module_from_spec(spec)
sys.modules["scale_on_ray"] = module
spec.loader.exec_module(module)
module.ray.cloudpickle.register_pickle_by_value(module)
make = partial(module.work, {str(tmp_path)!r}, slow=0.3)
module.run_items(module.items(30), {str(tmp_path)!r}, make, {{}}, workers=2, ray_address={cluster!r})
"""
    driver = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 180
    while len(Records(tmp_path)) < 4 and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    driver.kill()
    assert driver.wait() == -signal.SIGKILL
    wait_for_free_workers()
    before = set(Records(tmp_path))
    assert 4 <= len(before) < 30
    (tmp_path / "asked").write_text("", encoding="utf-8")
    assert len(run_items(items(30), tmp_path, partial(work, tmp_path), {}, workers=2)) == 30
    assert not before & set((tmp_path / "asked").read_text(encoding="utf-8").split())


def test_an_address_must_lead_somewhere(tmp_path):
    for address in ("127.0.0.1:1", "127.0.0.1:port", "127.0.0.1:99999"):
        with pytest.raises(MediaError, match="`ray_address` must lead to a Ray cluster"):
            run_items(items(2), tmp_path, partial(work, tmp_path), {}, ray_address=address)


def wait_for_free_workers():
    """Until the actors of a dead driver are gone."""
    deadline = time.monotonic() + 60
    while ray.available_resources().get("CPU", 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
