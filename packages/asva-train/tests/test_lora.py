"""LoRA layers: trained beside frozen networks of each method, exported, resumed, and heard in a pipeline."""

import pytest
import torch
from fixtures.fake_gpu import learn_on_fake_gpu
from safetensors.torch import load_file

from asva_pipelines import load_pipeline
from asva_train import Run, RunError, load_recipe, make_task
from asva_train.checkpoint import checkpoints, load_checkpoint

CLIPS = {"height": 32, "width": 32, "num_frames": 12, "fps": 6, "workers": 0}
METHODS = {
    "keyframe": ("keyvid", "keyframe_unet", CLIPS | {"num_frames": 48, "fps": 24}),
    "avsyncd": ("avsyncd", "unet", CLIPS),
    "audio-window": ("audio-window", "unet", CLIPS),
    "mtv": ("mtv", "transformer", CLIPS | {"num_frames": 9, "fps": 8, "kind": "tracks"}),
}
OWN = {"mtv": {"stage": "world"}, "audio-window": {"taps": {"imagebind": [0], "beats": [0]}}}


def recipe(method, model, **more):
    data = METHODS[method][2]
    fields = {f"data.{name}": value for name, value in data.items()} | {"training": OWN.get(method, {})}
    fields |= {"loop.max_steps": 2, "loop.batch_size": 1, "loop.warmup_steps": 0, "loop.mixed_precision": "no"}
    return load_recipe("tiny-lora", {"base": str(model), "method": method, "rank": 2} | fields | more)


@pytest.mark.parametrize("method", METHODS)
def test_layers_learn_alone_and_change_what_the_model_makes(method, method_model, tmp_path):
    family, part, _ = METHODS[method]
    model = method_model(family)
    run = Run(make_task(recipe(method, model), tmp_path), tmp_path, device="cpu")
    before = {name: value.clone() for name, value in run.task.module.state_dict().items()}
    run.train()
    for name, value in run.task.module.state_dict().items():
        assert torch.equal(value, before[name]) or "lora_" in name, f"{name} has moved"
    layers = load_file(tmp_path / "pytorch_lora_weights.safetensors")
    assert {name.partition(".")[0] for name in layers} == {part}
    assert run.num_trainable == sum(value.numel() for value in layers.values())
    assert any(value.any() for name, value in layers.items() if "lora_B" in name)
    pipeline = load_pipeline(model, device="cpu", lora=[(tmp_path, 0.5)])
    network = getattr(pipeline, part)
    assert network.peft_config and pipeline.get_list_adapters() == {part: ["lora_0"]}
    learned = {name for name, _ in network.named_parameters() if "lora_B" in name}
    assert len(learned) == sum("lora_B" in name for name in layers)


def test_a_run_goes_on_exactly(method_model, tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    model = method_model("avsyncd")
    Run(make_task(recipe("avsyncd", model), whole), whole, device="cpu").train()
    first = Run(make_task(recipe("avsyncd", model, **{"loop.save_every": 1}), halves), halves, device="cpu")
    with pytest.raises(InterruptedError):
        first.train(_stop)
    kept, _, _ = load_checkpoint(checkpoints(first.home)[-1])
    assert kept and all("lora_" in name for name in kept)  # the network itself lies in the model
    again = Run(make_task(recipe("avsyncd", model, **{"loop.save_every": 1}), halves), halves, device="cpu")
    assert again.resume() == 1
    again.train()
    one, other = (load_file(folder / "pytorch_lora_weights.safetensors") for folder in (whole, halves))
    assert all(torch.equal(one[name], other[name]) for name in one)


def _stop(progress):
    raise InterruptedError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"targets": ["nowhere"]}, "`targets` must name layers"),
        ({"loop.sharding": "full"}, "`loop.sharding` must be none"),
    ],
)
def test_bad_recipes_are_told(method_model, tmp_path, fields, message):
    with pytest.raises(RunError, match=message):
        make_task(recipe("avsyncd", method_model("avsyncd"), **fields), tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_mixes_no_devices(method, method_model, tmp_path):
    learn_on_fake_gpu(make_task(recipe(method, method_model(METHODS[method][0])), tmp_path))
