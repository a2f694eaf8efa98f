"""RAFT with the user's weights: names of the original checkpoint, padding, errors."""

import numpy as np
import pytest
import torch

pytest.importorskip("torchvision", reason="needs the extra asva-keyframe[raft]")

from torchvision.models.optical_flow import raft_large

from asva_keyframe import convert_raft, load_raft, optical_flow


def encoder_names(prefix, norm):
    """Names in princeton-vl's checkpoint: instance norms hold no tensors; shortcut norms are kept twice."""
    norms = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"] if norm else []
    convs, names = ["conv1", "conv2"], []
    for layer, block in [(a, b) for a in (1, 2, 3) for b in (0, 1)]:
        where = f"layer{layer}.{block}"
        convs += [f"{where}.conv1", f"{where}.conv2"]
        names += [f"{where}.norm{i}.{part}" for i in (1, 2) for part in norms]
        if layer > 1 and block == 0:
            convs.append(f"{where}.downsample.0")
            names += [f"{where}.{twin}.{part}" for twin in ("norm3", "downsample.1") for part in norms]
    names += [f"norm1.{part}" for part in norms]
    names += [f"{conv}.{part}" for conv in convs for part in ("weight", "bias")]
    return [f"module.{prefix}.{name}" for name in names]


def update_names():
    convs = [f"encoder.{c}" for c in ("convc1", "convc2", "convf1", "convf2", "conv")]
    convs += [f"gru.conv{gate}{i}" for gate in "zrq" for i in (1, 2)]
    convs += ["flow_head.conv1", "flow_head.conv2", "mask.0", "mask.2"]
    return [f"module.update_block.{conv}.{part}" for conv in convs for part in ("weight", "bias")]


NAMES = encoder_names("fnet", norm=False) + encoder_names("cnet", norm=True) + update_names()


def shortcut(name):
    """torchvision's name, written out independently of the table under test."""
    name = name.removeprefix("module.")
    for old, new in {"fnet.": "feature_encoder.", "cnet.": "context_encoder.", ".norm3.": ".downsample.1."}.items():
        name = name.replace(old, new)
    head, _, rest = name.partition(".")
    if head.endswith("_encoder"):
        if not rest.startswith("layer"):
            rest = rest.replace("conv1.", "convnormrelu.0.").replace("norm1.", "convnormrelu.1.")
            return f"{head}.{rest.replace('conv2.', 'conv.')}"
        for i in "12":
            rest = rest.replace(f".conv{i}.", f".convnormrelu{i}.0.").replace(f".norm{i}.", f".convnormrelu{i}.1.")
        return f"{head}.{rest}"
    if ".mask." in name:
        return name.replace("update_block.mask.0", "mask_predictor.convrelu.0").replace(
            "update_block.mask.2", "mask_predictor.conv"
        )
    if ".gru." in name:
        part = name.split(".")
        return f"update_block.recurrent_block.convgru{part[2][-1]}.{part[2][:-1]}.{part[3]}"
    if ".encoder." in name:
        part = name.split(".")
        inner = part[2].replace("convc", "convcorr").replace("convf", "convflow")
        return f"update_block.motion_encoder.{inner}.0.{part[3]}"
    return name


@pytest.fixture(scope="module")
def target():
    torch.manual_seed(0)
    return raft_large(weights=None, progress=False).eval()


@pytest.fixture(scope="module")
def original(target):
    state = target.state_dict()
    return {name: state[shortcut(name)] for name in NAMES}


def test_every_name_of_the_original_has_a_place(original, target):
    converted = convert_raft(original)
    assert converted.keys() == target.state_dict().keys()
    for key, value in target.state_dict().items():
        assert converted[key] is value or torch.equal(converted[key], value)


def test_strict(original):
    with pytest.raises(ValueError, match=r"1 missing: fnet\.conv1\.bias"):
        convert_raft({k: v for k, v in original.items() if k != "module.fnet.conv1.bias"})
    with pytest.raises(ValueError, match=r"1 unknown: extra"):
        convert_raft(original | {"module.extra": torch.zeros(1)})
    with pytest.raises(ValueError, match="equal copies"):
        convert_raft(original | {"module.cnet.layer2.0.norm3.bias": torch.full((96,), 9.0)})
    with pytest.raises(ValueError, match="must have the shapes"):
        load_raft(original | {"module.fnet.conv1.bias": torch.zeros(65)})


def test_same_flow_from_file_and_network(tmp_path, original, target):
    path = tmp_path / "raft-things.pth"
    torch.save(original, path)
    frames = np.random.default_rng(0).integers(0, 256, (2, 128, 136, 3), dtype=np.uint8)
    flow = optical_flow(frames, "raft", model=load_raft(path), num_updates=2)
    images = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        expected = target(images[:1], images[1:], num_flow_updates=2)[-1]
    np.testing.assert_allclose(flow, expected.numpy(), atol=1e-4)


def test_odd_and_small_sizes(target):
    frames = np.random.default_rng(0).integers(0, 256, (2, 60, 77, 3), dtype=np.uint8)
    assert optical_flow(frames, "raft", model=target, num_updates=1).shape == (1, 2, 60, 77)
