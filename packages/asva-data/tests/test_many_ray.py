"""The same on Ray: killed workers and drivers, a full disk, items that kill; one local cluster for all."""

import errno
import os
import signal
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from asva_data import MediaError
from asva_data.datasets.shards import find_members
from asva_data.many import ATTEMPTS, ray_running, run_many, store_many

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs asva-data[scale]")


@pytest.fixture(scope="module")
def cluster():
    """Two CPUs of this machine; workers know this file by its content."""
    with ray_running(2, None):
        import ray  # after its settings, which it reads as it is imported

        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield ray.get_runtime_context().gcs_address


def items(count):
    return {f"{number:04x}": number for number in range(count)}


def work(folder, kills=(), always=(), full=(), slow=0.0):
    """Notes what it is asked for; some items kill their worker, once or always, or find the disk full."""

    def one(number):
        with (Path(folder) / "asked").open("a", encoding="utf-8") as file:
            file.write(f"{number}\n")
        time.sleep(slow)
        struck = Path(folder) / f"struck-{number}"
        if number in always or (number in kills and not struck.exists()):
            struck.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number in full and not struck.exists():
            struck.touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if number % 20 == 7:
            raise ValueError(f"`path` must be good, got {number}.mp4.")
        return {"bin": bytes([number]) * 9, "json": {"square": number**2}}

    return one


def asked(folder):
    return [int(word) for word in (folder / "asked").read_text(encoding="utf-8").split()]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_workers_are_of_this_environment_also_where_uv_started_it(cluster, tmp_path):
    """Else Ray starts them by `uv run`, which installs the project in its folder over what was installed here."""
    import ray

    assert "py_executable" not in ray.get_runtime_context().runtime_env
    outcomes = run_many(range(4), lambda: lambda number: sys.prefix, workers=2)
    assert [outcome.result for outcome in outcomes] == [sys.prefix] * 4


def test_killed_workers_cost_the_items_they_held_and_nothing_else(cluster, tmp_path):
    tmp_path.joinpath("a").mkdir()
    alone = store_many(items(40), tmp_path / "one", partial(work, tmp_path / "a"), per_shard=8)
    seen = []
    make = partial(work, tmp_path, kills=(9,))
    shared = store_many(items(40), tmp_path / "two", make, per_shard=8, workers=2, on_done=seen.append)
    assert seen == list(range(41)) and shared == alone
    assert contents(tmp_path / "one") == contents(tmp_path / "two"), "the same bytes by two workers"
    assert sorted(asked(tmp_path)) == sorted([*range(40), 9]), "the victim once more, and nothing else"


def test_an_item_that_always_kills_is_given_up(cluster, tmp_path):
    outcomes = list(run_many(range(12), partial(work, tmp_path, always=(5,)), workers=2))
    assert sorted(outcome.index for outcome in outcomes) == list(range(12))
    failures = {outcome.index: outcome.failure for outcome in outcomes if outcome.failure}
    assert failures == {5: f"it killed its worker {ATTEMPTS} times", 7: "`path` must be good, got 7.mp4."}
    assert sorted(asked(tmp_path)) == sorted([*range(12), *[5] * (ATTEMPTS - 1)])


def test_outcomes_wait_for_their_turn_only_if_they_must(cluster, tmp_path):
    def make():
        return lambda number: time.sleep(1.5 * (number == 0)) or number

    started = list(run_many(range(6), make, workers=2))
    assert [outcome.index for outcome in started][-1] == 0
    ordered = list(run_many(range(6), make, workers=2, in_order=True))
    assert [outcome.result for outcome in ordered] == list(range(6))


def test_a_full_disk_stops_all_workers(cluster, tmp_path):
    make, out = partial(work, tmp_path, full=(12,), slow=0.02), tmp_path / "out"
    with pytest.raises(OSError, match="No space left") as stopped:
        store_many(items(24), out, make, per_shard=4, workers=2)
    assert stopped.value.errno == errno.ENOSPC
    before = {int(key, 16) for key in find_members(sorted(out.glob("shard-*")))}
    assert not before & {7, *range(12, 24)}
    (tmp_path / "asked").write_text("", encoding="utf-8")
    store_many(items(24), out, make, per_shard=4, workers=2)
    assert sorted(asked(tmp_path)) == sorted(set(range(24)) - before)
    store_many(items(24), tmp_path / "whole", partial(work, tmp_path), per_shard=4)
    assert contents(out) == contents(tmp_path / "whole")


def test_a_killed_driver_goes_on(cluster, tmp_path):
    script = f"""
import importlib.util, sys
from functools import partial
import ray
spec = importlib.util.spec_from_file_location("many_on_ray", {__file__!r})
module = importlib.util.module_from_spec(spec)
sys.modules["many_on_ray"] = module
spec.loader.exec_module(module)
ray.cloudpickle.register_pickle_by_value(module)
make, out = partial(module.work, {str(tmp_path)!r}, slow=0.3), {str(tmp_path / "out")!r}
module.store_many(module.items(30), out, make, per_shard=2, workers=2, ray_address={cluster!r})
"""
    driver = subprocess.Popen([sys.executable, "-c", script])
    out, deadline = tmp_path / "out", time.monotonic() + 180
    while len(list(out.glob("shard-*"))) < 2 and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    driver.kill()
    assert driver.wait() == -signal.SIGKILL
    wait_for_free_workers()
    before = len(list(out.glob("shard-*")))
    assert 2 <= before < 14
    (tmp_path / "asked").write_text("", encoding="utf-8")
    store_many(items(30), out, partial(work, tmp_path), per_shard=2, workers=2)
    store_many(items(30), tmp_path / "whole", partial(work, tmp_path / "out"), per_shard=2)
    assert not set(range(2 * before)) & (set(asked(tmp_path)) - {7})
    (out / "asked").unlink()
    assert contents(out) == contents(tmp_path / "whole")


def test_an_address_must_lead_somewhere(tmp_path):
    for address in ("127.0.0.1:1", "127.0.0.1:port", "127.0.0.1:99999"):
        with pytest.raises(MediaError, match="`ray_address` must lead to a Ray cluster"):
            list(run_many([1, 2], partial(work, tmp_path), ray_address=address))


def wait_for_free_workers():
    """Until the actors of a dead driver are gone."""
    import ray

    deadline = time.monotonic() + 60
    while ray.available_resources().get("CPU", 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
