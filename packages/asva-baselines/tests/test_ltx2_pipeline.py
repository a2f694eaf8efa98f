"""LTX-2's pipeline on small random networks of each version: what is held, what changes it, where weights lie."""

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers", "0.42")

from fixtures.ltx2 import write_released
from safetensors.torch import save_file

from asva_pipelines import load_pipeline
from asva_weights import ModelError

SMALL = {"height": 64, "width": 64, "num_frames": 9, "num_inference_steps": 2, "sample_rate": 16000}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {
        version: write_released(tmp_path_factory.mktemp("ltx2") / version, version) for version in ("2.0", "2.3", "2.5")
    }


@pytest.fixture(scope="module")
def pipelines(folders):
    return {version: load_pipeline(folder, device="cpu") for version, folder in folders.items()}


@pytest.fixture(scope="module")
def pipeline(pipelines):
    return pipelines["2.5"]


def sound(seed=0, seconds=0.4, channels=2):
    return 0.3 * torch.randn(channels, round(16000 * seconds), generator=torch.Generator().manual_seed(seed))


def picture(shade):
    return torch.full((3, 64, 64), shade)


def make(pipeline, *, heard=None, image=None, seed=0, **more):
    call = SMALL | {"output_type": "latent", "generator": torch.Generator().manual_seed(seed)} | more
    heard = sound() if heard is None else heard
    return pipeline(image, heard, "a ball", **call).frames


@pytest.mark.parametrize("version", ["2.0", "2.3", "2.5"])
@pytest.mark.parametrize("route", ["distilled", "guided"])
def test_another_sound_makes_another_video(pipelines, version, route):
    made = make(pipelines[version], route=route)
    assert made.shape == (2, 4, 2, 2) and made.isfinite().all()
    assert torch.equal(made, make(pipelines[version], route=route))
    assert (made - make(pipelines[version], heard=sound(1), route=route)).abs().max() > 1e-3
    deaf = [make(pipelines[version], heard=sound(seed), route=route, no_audio=True) for seed in (0, 1)]
    assert torch.equal(*deaf) and (made - deaf[0]).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["text_guidance_scale", "audio_guidance_scale", "stg_scale", "guidance_rescale"])
def test_each_guidance_changes_the_video(pipeline, name):
    assert (make(pipeline, route="guided") - make(pipeline, route="guided", **{name: 0.5})).abs().max() > 1e-4


def test_a_skipped_step_takes_the_prediction_before(pipeline):
    made = [make(pipeline, route="guided", num_inference_steps=3, skip_steps=skip) for skip in (0, 1, 5)]
    assert (made[0] - made[1]).abs().max() > 1e-4 and (made[1] - made[2]).abs().max() > 1e-4


@pytest.mark.parametrize("version", ["2.0", "2.3", "2.5"])
@pytest.mark.parametrize("route", ["distilled", "guided"])
def test_the_first_frame_is_kept(pipelines, version, route):
    """In latents, to the last bits: the picture after H.264, alone, through the autoencoder."""
    pipe = pipelines[version]
    made = make(pipe, image=picture(0.5), route=route)
    settings = pipe.arguments.of(pipe, {"height": 64, "width": 64, "num_frames": 9})
    settings.complete(pipe.transformer)
    with torch.no_grad():
        (seen,) = pipe._pictures(picture(0.5), settings).values()
        clean = pipe.vae.encode(seen[None, :, None]).latent_dist.mode()
    torch.testing.assert_close(made[0], clean[0, :, 0], atol=1e-5, rtol=0)
    assert settings.image_crf == (18 if version == "2.5" else 33)
    assert (made[1] - make(pipe, route=route)[1]).abs().max() > 1e-3, "later frames follow it"


def test_later_pictures_pull_the_video_and_are_no_frames_of_it(pipeline):
    plain = make(pipeline)
    made = {at: make(pipeline, frames={at: picture(0.5)}) for at in (0.125, 0.25, 0.0)}
    assert all(one.shape == plain.shape for one in made.values())
    assert (made[0.125] - plain).abs().max() > 1e-3 and (made[0.125] - made[0.25]).abs().max() > 1e-3
    assert torch.equal(made[0.0], make(pipeline, image=picture(0.5)))
    half = make(pipeline, image=picture(0.5), image_strength=0.5)
    assert (half - made[0.0]).abs().max() > 1e-3 and (half - plain).abs().max() > 1e-3


@pytest.mark.parametrize("count", [1, 2, 8, 9, 10])
def test_any_number_of_frames(pipeline, count):
    made = make(pipeline, num_frames=count, output_type="np")
    assert made.shape == (count, 64, 64, 3)


def test_a_batch_is_its_videos_one_by_one(pipeline):
    seeds = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    both = make(pipeline, heard=[sound(0), sound(1)], generator=seeds)
    for seed, one in enumerate(both):
        assert torch.equal(one, make(pipeline, heard=sound(seed), seed=3 + seed))


def test_one_channel_is_heard_on_both_sides(pipeline):
    alone = sound(channels=1)
    assert torch.equal(make(pipeline, heard=alone), make(pipeline, heard=alone.expand(2, -1)))
    more = torch.cat([alone, alone, alone])
    torch.testing.assert_close(make(pipeline, heard=alone), make(pipeline, heard=more), atol=1e-4, rtol=0)


def model(pipeline):
    pipeline.enable_model_cpu_offload(device=CPU)  # the hooks are those of a GPU


def sequential(pipeline):
    from accelerate import cpu_offload

    for part in networks(pipeline):
        cpu_offload(part, CPU, offload_buffers=bool(part._parameters))


def group(pipeline):
    pipeline.enable_group_offload(CPU, CPU, offload_type="leaf_level")


def networks(pipeline):
    return [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]


@pytest.mark.parametrize("way", [model, sequential, group])
@pytest.mark.parametrize("route", ["distilled", "guided"])
def test_offloaded_weights_make_the_same_video(folders, pipeline, way, route):
    offloaded = load_pipeline(folders["2.5"], device="cpu")
    way(offloaded)
    arguments = {"image": picture(0.5), "route": route, "output_type": "np"}
    np.testing.assert_array_equal(make(offloaded, **arguments), make(pipeline, **arguments))
    if way is sequential:
        assert all(value.is_meta for value in offloaded.transformer.proj_in.parameters())


@pytest.mark.parametrize("route", ["distilled", "guided"])
def test_weights_stored_in_eight_bits(folders, pipeline, route):
    stored = load_pipeline(folders["2.5"], device="cpu")
    stored.transformer.enable_layerwise_casting(torch.float8_e4m3fn, torch.float32)
    assert stored.transformer.transformer_blocks[0].attn1.to_q.weight.dtype == torch.float8_e4m3fn
    made, plain = make(stored, route=route), make(pipeline, route=route)
    assert 0 < (made - plain).abs().max() and (made - plain).abs().mean() < 0.3 * plain.std()


def test_half_precision(folders):
    made = make(load_pipeline(folders["2.5"], device="cpu", dtype="bfloat16"), image=picture(0.5), output_type="np")
    assert made.std() > 0


def test_the_distilled_lora_is_of_the_second_stage(folders, tmp_path):
    pytest.importorskip("peft")
    folder = tmp_path / "LTX-2"
    folder.mkdir()
    for path in folders["2.3"].iterdir():
        (folder / path.name).symlink_to(path)
    names = {"to_q": (16, 16), "to_v": (16, 16)}
    state = {}
    for name, (rows, columns) in names.items():
        generator = torch.Generator().manual_seed(rows)
        for side, shape in (("A", (4, columns)), ("B", (rows, 4))):
            key = f"diffusion_model.transformer_blocks.0.attn1.{name}.lora_{side}.weight"
            state[key] = torch.randn(shape, generator=generator)
    without = load_pipeline(folder, device="cpu")
    save_file(state, folder / "ltx-2-19b-distilled-lora-384.safetensors")
    pipe = load_pipeline(folder, device="cpu")
    scales = []
    layer = pipe.transformer.transformer_blocks[0].attn1.to_q
    layer.register_forward_pre_hook(lambda module, args: scales.append(module.scaling["distilled"]))
    guided = make(pipe, route="guided")
    assert scales == [0.0] * 8 + [1.0] * 2, "four passes of two steps, and the second stage's one"
    assert guided.shape == (2, 4, 2, 2)
    scales.clear()
    made = make(pipe)
    assert pipe.further_weights(folder) == {"transformer": sum(value.numel() for value in state.values())}
    assert scales == [1.0] * 4 and (made - make(without)).abs().max() > 1e-3


def test_memory_is_foretold(folders, pipelines):
    from asva_pipelines.memory.prediction import predict

    lengths = {9: {}, 49: {"route": "guided"}}
    short, long = (
        predict(folders["2.3"], height=64, width=64, num_frames=frames, arguments=more)
        for frames, more in lengths.items()
    )
    held = ((*part.parameters(), *part.buffers()) for part in networks(pipelines["2.3"]))
    assert short.weights == sum(value.numel() * value.element_size() for part in held for value in part)
    assert long.tensors > 2 * short.tensors


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"route": "fast"}, "`route` must be one of distilled, guided"),
        ({"num_inference_steps": 9}, "`num_inference_steps` must be at most 8 on the distilled route"),
        ({"height": 96}, "`height` must be a positive multiple of 64"),
        ({"num_frames": 600}, "`num_frames` must last from 0.04 s"),
        ({"num_frames": 1, "fps": 60}, "`num_frames` must last from 0.04 s"),
        ({"heard": sound(seconds=0.03)}, "`audio` must last at least 0.04 s, a latent of the sound, got 0.03 s"),
        ({"num_inference_steps": 0}, "`num_inference_steps` must be a whole number between 1 and 1000"),
        ({"fps": 0}, "`fps` must be above 0"),
        ({"skip_steps": -1}, "`skip_steps` must be from 0 to 999"),
        ({"image_strength": 1.5}, "`image_strength` must be from 0 to 1"),
        ({"frames": {3.0: picture(0.0)}}, "`frames` must be at times from 0 to"),
        ({"image": picture(0.0), "frames": {0.0: picture(0.0)}}, "`frames` must be one for each frame"),
    ],
)
def test_what_cannot_be(pipeline, arguments, rule):
    with pytest.raises(ValueError, match=rule):
        make(pipeline, **arguments)


def test_parts_of_another_version_are_refused(folders, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for path in folders["2.3"].iterdir():
        (folder / path.name).symlink_to(folders["2.0"] / path.name if path.name == "connectors" else path)
    with pytest.raises(ModelError, match="`connectors` must be of the transformer's version of LTX-2"):
        load_pipeline(folder, device="cpu")
    first = tmp_path / "first"
    first.mkdir()
    (first / "model_index.json").write_text('{"_class_name": "LTXPipeline"}', encoding="utf-8")
    with pytest.raises(ModelError, match="is a LTXPipeline, which no method loads"):
        load_pipeline(first, device="cpu")


def test_a_saved_pipeline_is_read_again(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "saved")
    again = load_pipeline(tmp_path / "saved", device="cpu")
    assert torch.equal(make(again), make(pipeline))
