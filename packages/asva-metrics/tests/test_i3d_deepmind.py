"""DeepMind's weights: names both ways, refusal of code, and real classes of real clips."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from asva_metrics import I3D, fvd_video, load_i3d_deepmind
from asva_metrics.networks.i3d_deepmind import convert_i3d_deepmind, invert_i3d_deepmind

# Kinetics-400 classes that the clips of AVSync15 show, in the alphabetical order of the 400.
CLASSES = {
    "baby_crying": 79,
    "playing_cello": 223,
    "playing_trombone": 247,
    "playing_trumpet": 248,
    "playing_violin": 250,
    "sharpen_knife": 290,
    "striking_bowling": 31,
}


@pytest.fixture(scope="module")
def state():
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in I3D().state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    made = {key: torch.rand(shape, generator=generator) for key, shape in shapes.items()}
    for key in made:
        if key.endswith("norm.weight"):
            made[key] = torch.ones(shapes[key])
        elif key.endswith("num_batches_tracked"):
            made[key] = torch.tensor(0)
    return made


def test_names_and_axes_are_strict_both_ways(state):
    arrays = invert_i3d_deepmind(state)
    assert len(arrays) == 230  # as the published file
    assert arrays["params/Conv3d_1a_7x7/Conv_0/kernel"].shape == (7, 7, 7, 3, 64)
    back = convert_i3d_deepmind(arrays)
    assert back.keys() == state.keys() and all(torch.equal(back[key], state[key]) for key in state)
    name = "batch_stats/Mixed_5b/Branch_2/Conv3d_0b_3x3/BatchNorm_0/mean"
    with pytest.raises(ValueError, match="1 missing"):
        convert_i3d_deepmind({key: value for key, value in arrays.items() if key != name})
    with pytest.raises(ValueError, match="1 unknown"):
        convert_i3d_deepmind({**arrays, "params/other": arrays[name]})
    with pytest.raises(ValueError, match="must have the shapes"):
        convert_i3d_deepmind({**arrays, name: arrays[name][..., 1:]})
    with pytest.raises(ValueError, match="norms without scale"):
        invert_i3d_deepmind({**state, "stem.0.norm.weight": 2 * state["stem.0.norm.weight"]})


class Trap:
    def __reduce__(self):
        return print, ("run",)


def test_nothing_but_arrays_is_read(tmp_path):
    for name, content, text in (
        ("trap.ckpt", {"params": Trap()}, "which could run code"),
        ("list.ckpt", [np.zeros(2)], "must hold NumPy arrays by name only"),
        ("other.ckpt", {"params": {"x": np.zeros(2)}}, "1 unknown: params/x"),
    ):
        (tmp_path / name).write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match=text):
            load_i3d_deepmind(tmp_path / name)
    with pytest.raises(ValueError, match="does not exist"):
        load_i3d_deepmind(tmp_path / "none.ckpt")


@torch.no_grad()
@pytest.mark.slow
def test_real_weights_know_real_clips():
    import cv2

    weights, clips = os.environ.get("ASVA_I3D_WEIGHTS"), Path(os.environ.get("ASVA_CLIPS_DIR", SHARED_CLIPS)) / "real"
    if not weights or not clips.exists():
        pytest.skip("set `ASVA_I3D_WEIGHTS` to i3d-kinetics-400.ckpt and `ASVA_CLIPS_DIR` to the real clips")
    network = load_i3d_deepmind(weights)
    for name, index in CLASSES.items():
        reader, frames = cv2.VideoCapture(str(clips / f"avsync15_{name}.mp4")), []
        while len(frames) < 32 and (read := reader.read())[0]:
            frames.append(read[1][..., ::-1])
        video = torch.from_numpy(np.stack(frames)).movedim(-1, 1)[None]
        confidence, found = network(fvd_video(video, resize="common-metrics")).softmax(-1).max(-1)
        assert int(found) == index, name
        assert float(confidence) > 0.95, name


SHARED_CLIPS = (Path(__file__).parent / "../../../../shared/clips").resolve()
