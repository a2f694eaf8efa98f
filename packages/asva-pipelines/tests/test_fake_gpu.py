"""Every network as on a GPU, without one; what a pipeline sends to its networks is tested in ``test_offload.py``."""

import numpy as np
import pytest
import torch
from fixtures.fake_gpu import fake, on_fake_gpu
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from asva_pipelines.settings import call_arguments

METHODS = ["keyvid", "avsyncd", "i2vd", "audio-window", "dynamicrafter", "mtv", "mtv-as-released"]
CALLED = ("forward", "encode", "decode")


@pytest.fixture(scope="module", params=METHODS)
def pipeline(request, method_model):
    from asva_pipelines import load_pipeline

    return load_pipeline(method_model(request.param), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def calls(pipeline):
    """The first call of each way into each network while a video is made: network, function, arguments."""
    found, inside = {}, []

    def record(name, part, way):
        function = getattr(part, way)

        def call(*args, **kwargs):
            if name not in inside:
                found.setdefault((name, way), (args, kwargs))
            inside.append(name)
            try:
                return function(*args, **kwargs)
            finally:
                inside.pop()

        setattr(part, way, call)

    networks = {name: part for name, part in pipeline.components.items() if isinstance(part, nn.Module)}
    for name, part in networks.items():
        for way in CALLED:
            if hasattr(part, way):
                record(name, part, way)
    side = pipeline.config.height
    picture = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    sound = 0.3 * torch.randn(1, 32000, generator=torch.Generator().manual_seed(0))
    steps = {name: 1 for name in call_arguments(pipeline) if name.endswith("num_inference_steps")}
    given = {"height": side, "width": side, "generator": torch.Generator().manual_seed(0), **steps}
    pipeline(image=picture, audio=sound, prompt="a ball", sample_rate=16000, **given)
    for part in networks.values():
        for way in CALLED:
            vars(part).pop(way, None)
    return found


def test_no_network_mixes_devices(pipeline, calls):
    assert {name for name, _ in calls} >= {"vae", "text_encoder"}
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        for (name, way), (args, kwargs) in calls.items():
            part = on_fake_gpu(getattr(pipeline, name))
            answer = getattr(part, way)(*fake(args), **fake(kwargs))
            found = [one.device.type for one in tensors_in(answer) if one.dim()]
            assert found and set(found) == {"cuda"}, f"{name}.{way}"


def tensors_in(answer):
    """Every tensor of an answer, whatever holds it."""
    if isinstance(answer, torch.Tensor):
        return [answer]
    inside = answer if isinstance(answer, list | tuple | dict) else getattr(answer, "__dict__", ())
    parts = inside.values() if isinstance(inside, dict) else inside
    return [one for part in parts for one in tensors_in(part)]


def test_a_tensor_left_behind_is_found():
    class Careless(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.scale = nn.Parameter(torch.ones(2)), torch.ones(2)

        def forward(self, x):
            return x * self.weight * self.scale

    module = Careless()
    with FakeTensorMode(allow_non_fake_inputs=True), pytest.raises(Exception, match="device"):
        on_fake_gpu(module)(torch.empty(2, device="cuda"))
