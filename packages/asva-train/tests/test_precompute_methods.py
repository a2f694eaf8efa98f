"""AVSyncD, I2VD and the audio windows from stored tokens: as from the videos, with the video network alone."""

import json
import shutil
from functools import cache

import pytest
import torch

from asva_data import write_world
from asva_train import DataRecipe, RunError, load_recipe, make_task
from asva_train.draws import generator_at
from asva_train.encoders import plan_encoders
from asva_train.precompute import precompute
from asva_train.run_order import collate
from asva_train.stored_clips import read_index
from asva_train.token_sets import TokenSet

CLIPS = {"height": 16, "width": 16, "num_frames": 12, "fps": 6.0, "seed": 3, "workers": 0}
METHODS = ("avsyncd", "i2vd", "audio-window")
TAPS = {"imagebind": [0], "beats": [0, 1]}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    write_world(folder / "drawn", 3, seed=5, size=32)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory, method_model):
    """Folder of a model by method; the audio windows' one has a BEATs of two blocks beside it."""
    from asva_audio import BEATsEncoder

    @cache
    def folder(method):
        if method != "audio-window":
            return method_model(method)
        home = tmp_path_factory.mktemp("window") / "model"
        shutil.copytree(method_model(method), home)
        shutil.rmtree(home / "beats")
        sizes = {"hidden_size": 16, "num_attention_heads": 2, "embed_dim": 16, "intermediate_size": 32}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            BEATsEncoder(**sizes, num_hidden_layers=2, conv_pos=8, conv_pos_groups=2).save_pretrained(home / "beats")
        return home

    return folder


def network(model):
    """Config of a model's video network, for one that is built anew."""
    config = json.loads((model / "unet" / "config.json").read_text(encoding="utf-8"))
    return {name: value for name, value in config.items() if not name.startswith("_")}


def recipe(method, base, **fields):
    """A training that goes on from the network of a model; taps and windows are new ones."""
    name = "keyframe" if method == "keyvid" else method
    chosen = {f"data.{name}": value for name, value in CLIPS.items()}
    chosen |= {"base": str(base), "train": [], "models": {}, "loop.mixed_precision": "no", "loop.max_steps": 1}
    chosen |= {"dropout": {"text": 0.4, "image": 0.4, "audio": 0.4}, "loop.batch_size": 2}
    chosen["motion_weight"] = 0.0  # its mask has a threshold, at which the rounding of stored latents would weigh
    if method == "audio-window":
        still = {"dropout": 0.0, "prediction_type": "residual"}
        chosen |= {"taps": TAPS, "models": {"audio_window_unet": network(base) | still}}
    return load_recipe(f"tiny-{name}", chosen | {name.replace("__", "."): value for name, value in fields.items()})


@pytest.fixture(scope="module")
def shards(tmp_path_factory, raw, model):
    """Folder of shards by method, made for its recipe."""

    @cache
    def folder(method):
        output = tmp_path_factory.mktemp("out") / method
        training = recipe(method, model(method))
        data = DataRecipe(kind="folder", root=raw, **CLIPS)
        assert precompute(data, model(method), output, recipe=training, device="cpu")["counts"]["stored"] == 3
        return output

    return folder


def tasks(method, model, raw, shards, tmp_path, **fields):
    """The same training from videos and from shards."""
    kinds = (("folder", raw), ("latents", shards))
    made = [
        make_task(recipe(method, model, data__kind=kind, data__root=str(root), **fields), tmp_path)
        for kind, root in kinds
    ]
    for task in made:  # layers that start at zero shall count
        draws = generator_at(9)
        for parameter in task.module.unet.parameters():
            parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=draws))
    return made


def batch(task, indices):
    return collate([task.view(task.source[index], generator_at(0, 1, index)) for index in indices])


def forbid(*args, **kwargs):
    raise AssertionError("only the video network and what learns may run")


def forbid_encoders(module):
    module.part("vae").encode = forbid
    for name, part in module.frozen.items():
        if name not in ("vae", "image_projector"):
            part.forward = forbid


@pytest.mark.parametrize("method", METHODS)
def test_losses_are_those_of_the_videos(method, model, raw, shards, tmp_path):
    seen, kept = tasks(method, model(method), raw, shards(method), tmp_path)
    assert kept.source.num_clips == seen.source.num_clips == 3
    forbid_encoders(kept.module)
    for step in range(3):  # two epochs
        indices = [2 * step, 2 * step + 1]
        losses = [task.module(batch(task, indices), generator_at(5, step))["loss"] for task in (seen, kept)]
        torch.testing.assert_close(losses[0], losses[1], rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("method", ["avsyncd", "audio-window"])
def test_sounds_are_those_of_the_videos_and_dropped_ones_nothing(method, model, raw, shards, tmp_path):
    seen, kept = tasks(method, model(method), raw, shards(method), tmp_path)
    drop = torch.tensor([False, True, False])
    one, two = batch(seen, range(3)), batch(kept, range(3))
    whole, mask = seen.module.audio(one["waveform"], drop)
    stored, same = kept.module.audio(two["audio"] if method == "avsyncd" else two, drop)
    torch.testing.assert_close(whole, stored, rtol=0, atol=5e-3)
    assert torch.equal(mask, same)
    assert (whole[0] - whole[2]).abs().amax() > 0.05 < (whole[0] - whole[1]).abs().amax()  # else this says nothing


@pytest.mark.parametrize("method", METHODS)
def test_words_and_pictures_are_dropped(method, model, raw, shards, tmp_path):
    seen, kept = tasks(method, model(method), raw, shards(method), tmp_path)
    drop, indices = torch.tensor([False, True, True]), torch.arange(12).expand(3, -1)
    one, two = batch(seen, range(3)), batch(kept, range(3))
    texts = [task.module.text(each["caption"], drop) for task, each in ((seen, one), (kept, two))]
    torch.testing.assert_close(*texts, rtol=0, atol=5e-3)
    assert torch.equal(texts[1][1], texts[1][2]) and not torch.allclose(texts[1][0], texts[1][1], atol=0.05)
    if method != "audio-window":
        return
    images = [
        seen.module.image(one["frames"][:, 0], drop, indices),
        kept.module.image(two["picture"], drop, indices),
    ]
    torch.testing.assert_close(*images, rtol=0, atol=5e-3)
    assert torch.equal(images[1][1], images[1][2]) and not torch.allclose(images[1][0], images[1][1], atol=0.01)


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("keyvid", {"audio", "image", "text"}),
        ("avsyncd", {"audio", "text"}),
        ("i2vd", {"text"}),
        ("audio-window", {"imagebind.0", "beats.0", "beats.1", "image", "text"}),
    ],
)
def test_what_is_stored_follows_from_the_method(method, names, shards):
    from safetensors import safe_open

    with safe_open(shards(method) / "nothing.safetensors", "pt") as nothing:
        assert set(nothing.keys()) == names
    assert read_index(shards(method))["settings"]["tokens"]["method"] == method


def test_a_model_says_its_method_itself(method_model):
    plan = plan_encoders(method_model("audio-window"))
    assert plan.tokens.taps == {"imagebind": [0], "beats": [0]}
    assert set(plan.folders) == {"vae", "text_encoder", "image_encoder", "imagebind", "beats"}
    assert set(plan_encoders(method_model("i2vd")).folders) == {"vae", "text_encoder"}
    assert plan_encoders(method_model("avsyncd")).tokens.method == "avsyncd"
    with pytest.raises(RunError, match=r"`model` must be of .* of dynamicrafter\. Name the training"):
        plan_encoders(method_model("dynamicrafter"))


def test_towers_that_learn_see_words_and_picture(model, shards, tmp_path):
    fields = {"train": ["text_encoder", "image_encoder"], "data__kind": "latents"}
    task = make_task(
        recipe("audio-window", model("audio-window"), data__root=str(shards("audio-window")), **fields), tmp_path
    )
    given = batch(task, [0, 1])
    assert given["picture"].shape == (2, 16, 16, 3) and isinstance(given["caption"][0], str)
    task.module(given, generator_at(0))["loss"].backward()
    for name in ("text_encoder", "image_encoder", "taps"):
        assert any(p.grad is not None for p in task.module.part(name).parameters()), name


@pytest.mark.parametrize(
    ("held", "method"),
    [
        ("keyvid", "avsyncd"),
        ("keyvid", "audio-window"),
        ("avsyncd", "keyvid"),
        ("avsyncd", "audio-window"),
        ("i2vd", "avsyncd"),
        ("audio-window", "avsyncd"),
    ],
)
def test_the_sound_of_another_method_is_refused(held, method, model, shards, tmp_path):
    fields = {"data__kind": "latents", "data__root": str(shards(held))}
    with pytest.raises(ValueError, match=f"as {method} hears it, got .*, made for {held}") as caught:
        make_task(recipe(method, model(method), **fields), tmp_path)
    assert "\n" not in str(caught.value)


def test_without_sound_shards_of_any_method_do(model, shards, tmp_path):
    fields = {
        "models": {"i2vd_unet": network(model("i2vd"))},
        "data__kind": "latents",
        "data__root": str(shards("avsyncd")),
    }
    task = make_task(recipe("i2vd", model("avsyncd"), **fields), tmp_path)
    assert torch.isfinite(task.module(batch(task, [0, 1]), generator_at(0))["loss"])


def test_shards_from_before_there_were_methods_are_keyvids(shards, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(shards("keyvid"), old)
    index = json.loads((old / "index.json").read_text(encoding="utf-8"))
    del index["settings"]["tokens"]
    (old / "index.json").write_text(json.dumps(index), encoding="utf-8")
    ours, theirs = ({"tokens": TokenSet(**index["settings"].pop("tokens")), **index}
                    for index in map(read_index, (old, shards("keyvid"))))  # fmt: skip
    assert ours == theirs


def test_some_of_the_taps_do_and_others_are_refused(model, raw, shards, tmp_path):
    seen, kept = tasks(
        "audio-window", model("audio-window"), raw, shards("audio-window"), tmp_path, taps={"beats": [1]}
    )
    losses = [task.module(batch(task, [0, 1]), generator_at(5))["loss"] for task in (seen, kept)]
    torch.testing.assert_close(losses[0], losses[1], rtol=2e-3, atol=1e-4)
    few = tmp_path / "few"
    training = recipe("audio-window", model("audio-window"), taps={"beats": [1]})
    data = DataRecipe(kind="folder", root=raw, **CLIPS)
    precompute(data, model("audio-window"), few, recipe=training, device="cpu")
    for taps, ear in ({"beats": [0, 1]}, "beats"), ({"beats": [1], "imagebind": [0]}, "imagebind"):
        fields = {"data__kind": "latents", "data__root": str(few), "taps": taps}
        with pytest.raises(ValueError, match=rf"`taps.{ear}` must be among the blocks \[.*\] that .* got \[0\]"):
            make_task(recipe("audio-window", model("audio-window"), **fields), tmp_path)
    with pytest.raises(RunError, match=r"`taps.beats` must name blocks from 0 to 1, got \[2\]"):
        training = recipe("audio-window", model("audio-window"), taps={"beats": [2]})
        precompute(data, model("audio-window"), tmp_path / "none", recipe=training, device="cpu")


@pytest.mark.parametrize(
    ("method", "component", "field"),
    [
        ("avsyncd", "audio_encoder", "drop_path_rate"),
        ("audio-window", "beats", "max_distance"),
        ("i2vd", "vae", "scaling_factor"),
    ],
)
def test_other_encoders_are_refused(method, component, field, model, shards, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(model(method), other)
    path = other / component / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {field: 1}), encoding="utf-8")
    fields = {"data__kind": "latents", "data__root": str(shards(method))}
    with pytest.raises(ValueError, match=f"`{component}` must be the one that .* was made with"):
        make_task(recipe(method, other, **fields), tmp_path / "run")


@pytest.mark.parametrize(
    ("method", "fields", "message"),
    [
        ("avsyncd", {"encoder_drop_path": "official"}, "`encoder_drop_path` must be none with stored tokens"),
        ("avsyncd", {"train": ["audio_encoder"]}, "`train` must leave audio_encoder out"),
        ("audio-window", {"train": ["beats"]}, "`train` must leave beats out"),
    ],
)
def test_encoders_that_would_change_are_refused(method, fields, message, model, shards, tmp_path):
    fields |= {"data__kind": "latents", "data__root": str(shards(method))}
    with pytest.raises(RunError, match=message):
        make_task(recipe(method, model(method), **fields), tmp_path)


@pytest.mark.parametrize("name", ["vae", "localizer", "sync"])
def test_trainings_that_need_the_videos_say_so(name, small_model, shards, raw, tmp_path):
    fields = {"data.kind": "latents", "data.root": str(shards("keyvid"))}
    with pytest.raises(RunError, match=f"must not be latents to train {name}, which needs the videos") as caught:
        make_task(load_recipe(f"tiny-{name}", fields), tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match=f"`recipe` must be of a training that takes tokens, got {name}"):
        precompute(DataRecipe(kind="folder", root=raw, **CLIPS), small_model, tmp_path / "new",
                   recipe=load_recipe(f"tiny-{name}"), device="cpu")  # fmt: skip
    assert not (tmp_path / "new").exists()


def test_frozen_parts_follow_to_a_device(model, tmp_path):
    task = make_task(recipe("avsyncd", model("avsyncd"), data__height=32, data__width=32), tmp_path)
    moved = task.module.to("meta")
    assert all(p.is_meta for name in ("vae", "text_encoder", "audio_encoder") for p in moved.part(name).parameters())
