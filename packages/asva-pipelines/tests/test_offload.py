"""Every pipeline with its weights somewhere else: what is offloaded gives the same pixels."""

import numpy as np
import pytest
import torch

from asva_pipelines.settings import call_arguments

METHODS = ["keyvid", "avsyncd", "i2vd", "audio-window", "dynamicrafter", "mtv", "mtv-as-released"]
CPU = torch.device("cpu")
KEYFRAMES = [0, 4, 9, 14, 20, 24, 28, 31, 35, 40, 43, 47]  # else a random localizer's peaks move with the precision


def model(pipeline):
    pipeline.enable_model_cpu_offload(device=CPU)  # the hooks are those of a GPU


def sequential(pipeline):
    """Weights lie on the meta device but while a layer works, as diffusers does it layer by layer."""
    from accelerate import cpu_offload

    for part in networks(pipeline):
        cpu_offload(part, CPU, offload_buffers=True)


def group(pipeline):
    if not hasattr(pipeline, "enable_group_offload"):
        pytest.skip("diffusers of a year ago offloads groups of a network alone")
    pipeline.enable_group_offload(CPU, CPU, offload_type="leaf_level")


def networks(pipeline):
    return [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]


@pytest.fixture(scope="module", params=METHODS)
def folder(request, method_model):
    return method_model(request.param)


@pytest.fixture(scope="module")
def make(folder):
    """``make(prepare)``: the frames of a pipeline that is prepared after it is loaded, and the pipeline."""
    from asva_pipelines import load_pipeline

    def frames(prepare=lambda pipeline: None, dtype="float32", **more):
        pipeline = load_pipeline(folder, device="cpu", dtype=dtype)
        prepare(pipeline)
        side = pipeline.config.height
        picture = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
        sound = 0.3 * torch.randn(1, 32000, generator=torch.Generator().manual_seed(0))
        call = {"height": side, "width": side, "generator": torch.Generator().manual_seed(0)}
        takes = call_arguments(pipeline)
        call |= {name: 2 for name in takes if name.endswith("num_inference_steps")}
        call |= {name: value for name, value in more.items() if name in takes}
        made = pipeline(image=picture, audio=sound, prompt="a ball", sample_rate=16000, **call)
        return made.frames, pipeline

    return frames


@pytest.fixture(scope="module")
def plain(make):
    return make()[0]


@pytest.fixture(scope="module")
def plain_at_keyframes(make):
    return make(keyframe_indices=KEYFRAMES)[0]


@pytest.mark.parametrize("way", [model, sequential, group])
def test_offloaded_networks_make_the_same_pixels(make, plain, way):
    frames, pipeline = make(way)
    np.testing.assert_array_equal(frames, plain)
    if way is sequential:
        denoiser = max(networks(pipeline), key=lambda part: sum(value.numel() for value in part.parameters()))
        assert all(value.is_meta for value in denoiser.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("way", [model, sequential, group])
def test_offloaded_halves_make_the_same_pixels(make, way, dtype):
    np.testing.assert_array_equal(make(way, dtype)[0], make(dtype=dtype)[0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_makes_almost_the_same(make, plain_at_keyframes, dtype):
    frames, pipeline = make(dtype=dtype, keyframe_indices=KEYFRAMES)
    assert {value.dtype for part in networks(pipeline) for value in part.parameters()} >= {getattr(torch, dtype)}
    assert np.abs(frames.astype(float) - plain_at_keyframes).mean() < 12
