"""Training of a control on a small random base of diffusers."""

import json
import shutil

import pytest
import torch
from fixtures.fake_gpu import learn_on_fake_gpu
from safetensors.torch import load_file

from asva_data import write_world
from asva_dit.controls import read_control
from asva_pipelines.hear.pipeline import LORA_FILE, HearPipeline
from asva_train import Run, RunError, load_recipe, make_task
from asva_train.draws import generator_at
from asva_train.precompute import precompute
from asva_train.run_order import collate

SMALL = {
    "data.num_frames": 5,
    "data.fps": 5,
    "loop.max_steps": 2,
    "loop.batch_size": 2,
    "loop.warmup_steps": 0,
    "loop.save_every": 1,
    "arguments": {"audio_dim": 16, "num_heads": 2, "head_dim": 4},
    "ears": {"mel": {"fps": 5, "num_hidden_layers": 2, "hidden_size": 8}},
}
STREAMS = {"audio_dim": 16, "num_heads": 2, "head_dim": 4, "num_tokens": 2} | {
    "interaction_layers": 1,
    "interaction_heads": 2,
}


@pytest.fixture
def base(stock_folder):
    return stock_folder("wan")


def run_in(folder, base, **changes):
    recipe = load_recipe(
        "tiny-control", SMALL | {"base": str(base)} | {k.replace("__", "."): v for k, v in changes.items()}
    )
    return Run(make_task(recipe, folder), folder, device="cpu")


def test_control_and_lora_learn_and_the_run_resumes_exactly(base, tmp_path):
    before = {file.name: file.read_bytes() for file in (base / "transformer").iterdir()}
    whole, halves = run_in(tmp_path / "a", base, lora_rank=2), run_in(tmp_path / "b", base, lora_rank=2)
    names = {name for name, p in whole.task.module.named_parameters() if p.requires_grad}
    assert any(name.startswith("lora.") for name in names)
    assert all(name.startswith(("lora.", "learning.control.")) for name in names)
    whole.train()
    halves.recipe = halves.recipe.__class__(**vars(halves.recipe) | {"max_steps": 1})
    halves.train()
    again = run_in(tmp_path / "b", base, lora_rank=2)
    assert again.resume() == 1
    again.train()
    one, other = (read_control(tmp_path / name / "control").state_dict() for name in "ab")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(value.abs().sum() > 0 for name, value in one.items() if "to_out" in name)
    one, other = (load_file(tmp_path / name / "control" / "lora" / LORA_FILE) for name in "ab")
    assert one
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert {file.name: file.read_bytes() for file in (base / "transformer").iterdir()} == before


def test_what_was_trained_makes_videos(base, tmp_path):
    run = run_in(tmp_path, base, control="MultiStream", hears=["effects"], arguments=STREAMS, loop__learning_rate=0.5)
    run.train()
    pipeline = HearPipeline.from_pretrained(base)
    pipeline.set_progress_bar_config(disable=True)
    picture = run.task.source[0].frames[0]
    sounds = [torch.as_tensor(run.task.source[index].waveform) for index in (0, 1)]
    rest = {
        "sample_rate": 16000,
        "num_inference_steps": 1,
        "height": 32,
        "width": 32,
        "control": str(tmp_path / "control"),
    }
    made = [
        pipeline(picture, sound, "a", generator=torch.Generator().manual_seed(0), **rest).frames for sound in sounds
    ]
    assert made[0].shape == (5, 32, 32, 3)
    assert (made[0] != made[1]).any()


def test_a_base_in_eight_bits_teaches_nearly_the_same(base, tmp_path):
    learned = []
    for name, storage in (("a", "own"), ("b", "float8")):
        run = run_in(tmp_path / name, base, base_storage=storage, loop__gradient_checkpointing=True)
        assert (run.task.module.part("transformer").blocks[0].ffn.net[2].weight.dtype == torch.float8_e4m3fn) == (
            name == "b"
        )
        run.train()
        control = read_control(tmp_path / name / "control")
        learned.append(torch.cat([layer.to_out.weight.flatten() for layer in control.layers]))
    assert torch.corrcoef(torch.stack(learned))[0, 1] > 0.9


def test_the_weight_is_larger_where_the_picture_moves(base, tmp_path):
    task = run_in(tmp_path, base).task
    flow = torch.zeros(1, 5, 32, 32)
    flow[:, 3, :16] = 2.0
    weight = task.module.weight({"flow": flow}, torch.zeros(1, 2, 16, 4, 4))
    assert weight.shape == (1, 2, 1, 4, 4)
    assert weight[0, 0].unique().tolist() == [1.0]
    assert weight[0, 1, 0, :2].unique().tolist() == [5.0]  # all of the movement in a quarter of the cells
    assert weight[0, 1, 0, 2:].unique().tolist() == [1.0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data__num_frames": 6}, "`data.num_frames` must be 4k \\+ 1 for wan, got 6"),
        ({"base": None}, "`base` must be given"),
        ({"base_storage": "float8", "lora_rank": 2}, "`base_storage` must be own with LoRA"),
        ({"expert": "transformer_2"}, "`expert` must be a part of"),
        ({"hears": ["beats.3"]}, "`ears` must hold an encoder for beats.3, got mel"),
    ],
)
def test_what_cannot_be_trained_is_said(base, tmp_path, changes, said):
    with pytest.raises((RunError, ValueError), match=said):
        make_task(
            load_recipe(
                "tiny-control", SMALL | {"base": str(base)} | {k.replace("__", "."): v for k, v in changes.items()}
            ),
            tmp_path,
        )


def test_a_quantised_base_is_refused(base, tmp_path):
    folder = tmp_path / "int8"
    shutil.copytree(base, folder)
    config = json.loads((folder / "transformer" / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = {"quant_method": "torchao", "quant_type": "int8wo"}
    (folder / "transformer" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(RunError, match="`base` must not be quantised"):
        make_task(load_recipe("tiny-control", SMALL | {"base": str(folder)}), tmp_path)


def test_a_base_of_another_method_is_refused(base, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(base, folder)
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": "KeyVIDPipeline"}), encoding="utf-8")
    with pytest.raises(RunError, match=r"`base` must be a .*, got a KeyVIDPipeline\."):
        make_task(load_recipe("tiny-control", SMALL | {"base": str(folder)}), tmp_path)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    write_world(folder / "drawn", 2, seed=5, size=32)
    return folder


def stored(videos, base, output, **changes):
    """Shards of the videos for a training, and the same training from both."""
    drop = {"dropout": {"text": 0.5, "audio": 0.3}, "motion_weight": 2.0, "data.kind": "folder"}
    values = SMALL | drop | {"base": str(base), "data.root": str(videos)} | changes
    recipe = load_recipe("tiny-control", values)
    assert precompute(recipe.data, base, output, recipe=recipe, device="cpu", passes=2)["counts"]["stored"] == 4
    return values, values | {"data.kind": "latents", "data.root": str(output)}


@pytest.mark.parametrize("name", ["cogvideox", "wan", "ltx2"])
def test_losses_of_stored_clips_are_those_of_the_videos(name, stock_folder, videos, tmp_path):
    base = stock_folder(name)
    larger = {"data.num_frames": 9, "data.height": 64, "data.width": 64} if name == "ltx2" else {}
    both = stored(videos, base, tmp_path / "shards", **larger)
    seen, kept = (make_task(load_recipe("tiny-control", values), tmp_path) for values in both)
    assert kept.module.stock.text_encoder is None
    assert kept.module.stock.vae is not None
    for step in range(2):  # two passes
        batches = [
            collate([task.view(task.source[i], generator_at(0, 1, i)) for i in (2 * step, 2 * step + 1)])
            for task in (seen, kept)
        ]
        losses = [
            task.module(batch, generator_at(5, step))["loss"] for task, batch in zip((seen, kept), batches, strict=True)
        ]
        torch.testing.assert_close(losses[0], losses[1], rtol=5e-3, atol=1e-4)
    assert kept.previews()["control"].shape == seen.previews()["control"].shape


def test_shards_of_another_base_or_without_an_ear_are_refused(stock_folder, base, videos, tmp_path):
    _, values = stored(videos, base, tmp_path / "shards")
    with pytest.raises((RunError, ValueError), match="must be the one that"):
        make_task(load_recipe("tiny-control", values | {"base": str(stock_folder("cogvideox"))}), tmp_path)
    with pytest.raises((RunError, ValueError), match="`hears` must be among mel"):
        make_task(load_recipe("tiny-control", values | {"hears": ["effects"]}), tmp_path)


def test_the_loss_mixes_no_devices(base, tmp_path):
    learn_on_fake_gpu(run_in(tmp_path, base, lora_rank=2).task)
