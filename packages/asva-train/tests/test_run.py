"""Runs: the loss falls, a stopped run goes on exactly, killed or not, with one process or two."""

import json
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from asva_train import Run, RunError, load_recipe, make_task
from asva_train.checkpoint import checkpoints
from asva_train.loop import learning_rate
from asva_train.run_order import RunClips

SMALL = {
    "data.height": 32,
    "data.width": 32,
    "data.workers": 0,
    "loop.max_steps": 6,
    "loop.warmup_steps": 0,
    "loop.batch_size": 2,
    "loop.log_every": 1,
    "loop.save_every": 2,
    "loop.preview_every": 100,
    "loop.mixed_precision": "no",
    "model.block_out_channels": [16, 16],
    "model.down_block_types": ["DownEncoderBlock2D"] * 2,
    "model.up_block_types": ["UpDecoderBlock2D"] * 2,
}
SCRIPT = """
import sys, yaml
from pathlib import Path
from asva_train import Run, load_recipe, make_task
for folder, overrides in yaml.safe_load(sys.argv[1]):
    folder = Path(folder)
    say = lambda text: print(folder.name, text, flush=True)
    run = Run(make_task(load_recipe("tiny-vae", overrides), folder), folder, device="cpu")
    run.resume()
    run.train(lambda progress: say(f"loss {progress.losses['loss']:.7f}"))
    say(f"weights are {' '.join(sorted({type(weight).__name__ for weight in run.module.parameters()}))}")
"""
SHORT = {
    "loop.batch_size": 1,
    "loop.ema_decay": None,
    "loop.max_steps": 4,
    "loop.preview_every": 4,
    "loop.schedule": "constant",
}


def _run(folder, **overrides):
    return Run(make_task(load_recipe("tiny-vae", SMALL | overrides), folder), folder, device="cpu")


def _weights(folder):
    return load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    seen, run = [], _run(folder)
    before = _loss(run)
    run.train(seen.append)
    return folder, seen, (before, _loss(run))


@torch.no_grad()
def _loss(run):
    """Loss of clips that stay the same."""
    batch = {"frames": run.task._clips(2)[:, ::12], "moving": torch.zeros(2, 4, 32, 32)}
    return run.task.module(batch, torch.Generator().manual_seed(0))["loss"].item()


def test_a_run_reports_saves_and_exports(undisturbed):
    folder, seen, (before, after) = undisturbed
    assert [progress.step for progress in seen] == [1, 2, 3, 4, 5, 6]
    assert after < 0.95 * before
    assert [path.name for path in checkpoints(folder / "training" / "vae")] == ["step-00000004", "step-00000006"]
    assert list((folder / "training" / "vae" / "previews").glob("*.mp4"))
    assert any((folder / "training" / "vae").rglob("events.out.tfevents*"))


class Stop(Exception):
    """Ends a run in the middle."""


def _stop_at_five(progress):
    if progress.step == 5:
        raise Stop


def test_a_resumed_run_ends_with_the_same_weights(undisturbed, tmp_path):
    with pytest.raises(Stop):
        _run(tmp_path).train(_stop_at_five)
    again = _run(tmp_path)
    assert again.resume() == 4
    again.train()
    for name, tensor in _weights(undisturbed[0]).items():
        assert torch.equal(tensor, _weights(tmp_path)[name]), name


def test_a_resumed_run_with_muon_ends_with_the_same_weights(tmp_path):
    _run(tmp_path / "whole", **{"loop.optimizer": "muon"}).train()
    with pytest.raises(Stop):
        _run(tmp_path / "parts", **{"loop.optimizer": "muon"}).train(_stop_at_five)
    again = _run(tmp_path / "parts", **{"loop.optimizer": "muon"})
    assert again.resume() == 4
    again.train()
    for name, tensor in _weights(tmp_path / "whole").items():
        assert torch.equal(tensor, _weights(tmp_path / "parts")[name]), name


def _start(script, jobs, *launcher):
    """A process that runs jobs one after the other: pairs of a folder and fields of the recipe."""
    script.write_text(SCRIPT, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, *launcher, str(script), json.dumps([[str(name), SMALL | job] for name, job in jobs])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """Folder with a model of each of the jobs, and what the two processes said of it; they are started once."""
    folder = tmp_path_factory.mktemp("two-processes")
    full, gradients = (SHORT | {"loop.sharding": name} for name in ("full", "gradients"))
    jobs = [
        ("two", {"loop.batch_size": 1, "kl_weight": 0.0}),
        *(("none", SHORT), ("full", full), ("gradients", gradients)),
        *(("parts", full | {"loop.max_steps": 2}), ("parts", full)),
    ]
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    process = _start(folder / "script.py", [(folder / name, job) for name, job in jobs], *torchrun)
    output, _ = process.communicate(timeout=480)
    assert process.returncode == 0, output
    return folder, {name: re.findall(rf"^{name} (.*)", output, flags=re.M) for name, _ in jobs}


def test_a_killed_run_ends_with_the_same_weights(undisturbed, tmp_path):
    process = _start(tmp_path / "script.py", [(tmp_path, {"loop.save_every": 1})])
    while not checkpoints(tmp_path / "training" / "vae") and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = _run(tmp_path, **{"loop.save_every": 1})
    assert 0 < again.resume() <= 6
    again.train()
    for name, tensor in _weights(undisturbed[0]).items():
        assert torch.equal(tensor, _weights(tmp_path)[name]), name


def test_a_killed_worker_is_one_line_and_the_run_goes_on_without_workers(undisturbed, tmp_path):
    def kill_the_worker(progress):
        multiprocessing.active_children()[0].kill()
        time.sleep(60)  # torch says it at once

    fields = {"loop.save_every": 1, "loop.log_every": 2}
    with pytest.raises(RunError, match="worker that reads clips was killed"):
        _run(tmp_path, **fields, **{"data.workers": 1}).train(kill_the_worker)
    again = _run(tmp_path, **{"loop.save_every": 3, "data.workers": 0})
    assert again.resume() == 1
    again.train()
    for name, tensor in _weights(undisturbed[0]).items():
        assert torch.equal(tensor, _weights(tmp_path)[name]), name


def test_a_process_that_reads_clips_does_without_networks(tmp_path):
    """A worker's start is that of torch and little else, whatever is trained."""
    whole = {"base": "tiny", "models": {}, "train": []}
    for name in ("vae", "localizer", "keyframe", "avsyncd", "audio-window", "mtv"):
        recipe = load_recipe(f"tiny-{name}", whole if name == "keyframe" else {})
        clips = RunClips(recipe.data, make_task(recipe, tmp_path).view)
        (tmp_path / f"{name}.pickle").write_bytes(pickle.dumps(clips))
    code = "import pickle, sys, pathlib as p; [pickle.loads(f.read_bytes()) for f in p.Path().glob('*.pickle')]"
    heavy = "print({'diffusers', 'transformers', 'accelerate', 'torchaudio'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", f"{code}; {heavy}"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.stdout == "set()\n" and len(list(tmp_path.glob("*.pickle"))) == 6, ran.stdout + ran.stderr


def test_two_processes_train_as_one_with_twice_the_batch(undisturbed, two_processes):
    two = two_processes[0] / "two"
    states = torch.load(
        checkpoints(two / "training" / "vae")[-1] / "optimizer.pt", map_location="cpu", weights_only=True
    )
    assert states["optimizer"]["state"][0]["step"] == 6
    assert _weights(two).keys() == _weights(undisturbed[0]).keys()


def test_spread_weights_learn_as_whole_ones(two_processes):
    """FSDP on two processes: what each holds is a part, and losses, checkpoints and exports are those of DDP."""
    folder, said = two_processes
    kinds = ("none", "full", "gradients")
    assert "weights are Parameter" in said["none"]
    assert all("weights are DTensor" in said[name] for name in ("full", "gradients"))
    losses = [[float(line.removeprefix("loss ")) for line in said[name] if line.startswith("loss")] for name in kinds]
    assert len(losses[0]) >= 4 and all(sorted(found) == pytest.approx(sorted(losses[0]), rel=1e-4) for found in losses)
    whole, spread, gradients, parts = (_weights(folder / name) for name in (*kinds, "parts"))
    for name, weight in whole.items():
        torch.testing.assert_close(spread[name], weight, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(gradients[name], weight, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(parts[name], spread[name], rtol=1e-5, atol=1e-6)  # stopped at 2, gone on from there


def test_another_recipe_may_not_go_on(undisturbed):
    with pytest.raises(RunError, match=r"`loop\.learning_rate` must be .* to go on from .*, got 0\.5"):
        _run(undisturbed[0], **{"loop.learning_rate": 0.5}).resume()


def test_a_run_goes_on_for_longer_where_its_rate_does_not_follow_the_length(tmp_path):
    constant = {"loop.schedule": "constant"}
    for folder, steps in (("whole", 4), ("longer", 2)):
        _run(tmp_path / folder, **constant, **{"loop.max_steps": steps}).train()
    longer = _run(tmp_path / "longer", **constant, **{"loop.max_steps": 4})
    assert longer.resume() == 2
    longer.train()
    for name, tensor in _weights(tmp_path / "whole").items():
        assert torch.equal(tensor, _weights(tmp_path / "longer")[name]), name
    _run(tmp_path / "cosine", **{"loop.schedule": "cosine", "loop.max_steps": 2}).train()
    with pytest.raises(RunError, match=r"`loop\.max_steps` must be 2"):
        _run(tmp_path / "cosine", **{"loop.schedule": "cosine", "loop.max_steps": 4}).resume()


def _keep_gradients(vae, kept, *_):
    kept.update({name: p.grad.clone() for name, p in vae.named_parameters() if "decoder" in name})


def test_accumulated_gradients_equal_one_large_batch(tmp_path):
    small = {"loop.max_steps": 1, "loop.ema_decay": None, "loop.max_grad_norm": None, "kl_weight": 0.0}
    runs = [_run(tmp_path / "a", **small, **{"loop.batch_size": 4})]
    runs += [_run(tmp_path / "b", **small, **{"loop.batch_size": 2, "loop.gradient_accumulation_steps": 2})]
    gradients = []
    for run in runs:
        # The posterior's noise is drawn per micro step; without it both runs see the same numbers.
        run.task.module.vae.quant_conv.weight.data[16:] = 0
        run.task.module.vae.quant_conv.bias.data[16:] = -30
        kept = {}
        run.optimizer.optimizer.register_step_pre_hook(partial(_keep_gradients, run.task.vae, kept))
        run.train()
        gradients.append(kept)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-3, atol=1e-5)


def test_the_learning_rate_warms_up_and_falls():
    recipe = load_recipe("tiny-vae", {"loop.warmup_steps": 10, "loop.max_steps": 100, "loop.learning_rate": 1.0}).loop
    rates = [learning_rate(recipe, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == pytest.approx(rates[9], rel=0.02)
    assert rates[100] == pytest.approx(0.01)


def test_the_published_localizer_learns_slower_in_stairs():
    loop = load_recipe("keyvid-localizer", {"loop.decay_steps": 20}).loop
    assert [learning_rate(loop, step) for step in (0, 19, 20, 39, 40)] == pytest.approx(
        [1.5e-5, 1.5e-5, 1.2e-5, 1.2e-5, 9.6e-6]
    )


def test_a_tracker_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("asva_train.loop.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"`loop.tracker` must be a package that is installed, got trackio"):
        _run(tmp_path, **{"loop.tracker": "trackio"})
