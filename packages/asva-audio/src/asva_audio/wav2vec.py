"""wav2vec 2.0 as MTV hears through it: every layer at the frame rate of the video, in windows of five frames."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from asva_weights import ConversionError

if TYPE_CHECKING:
    from transformers import Wav2Vec2Model

SAMPLE_RATE = 16000
WINDOW = 5
# Added to the variance by the feature extractor of the released encoder: silence stays silence.
VARIANCE_FLOOR = 1e-7
# What a checkpoint with a head for speech recognition lacks or has beyond the encoder.
UNUSED = ("masked_spec_embed", "lm_head")


def load_wav2vec(folder: str | os.PathLike[str]) -> "Wav2Vec2Model":
    """The encoder from a local folder of transformers' form, such as a copy of ``facebook/wav2vec2-base-960h``.

    Args:
        folder: Holds ``config.json`` and ``model.safetensors``; a head for speech recognition is left out.

    Returns:
        The encoder in float32 and evaluation mode.

    Raises:
        ConversionError: If the folder is missing, its weights are damaged, or they are not those of the encoder.
        ImportError: If transformers is not installed.
    """
    from safetensors import SafetensorError
    from transformers import Wav2Vec2Model

    if not Path(folder, "config.json").is_file():
        raise ConversionError(
            f"`folder` must hold config.json and model.safetensors of wav2vec 2.0, got {folder}; "
            "fetch one with `hf download facebook/wav2vec2-base-960h --local-dir wav2vec2`."
        )
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "dtype": torch.float32}
    try:
        loaded: Any = Wav2Vec2Model.from_pretrained(folder, output_loading_info=True, **options)
        model, report = loaded
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ConversionError(f"`folder` must hold a whole model.safetensors of wav2vec 2.0, got {folder}.") from error
    wrong = [key for part in ("missing_keys", "unexpected_keys") for key in report[part] if not key.startswith(UNUSED)]
    if wrong:
        raise ConversionError(
            f"`folder` must hold the encoder's weights and no others, got {folder}: {sorted(wrong)[:3]}."
        )
    return model.eval()


def num_video_frames(num_samples: int, fps: float, sample_rate: int = SAMPLE_RATE) -> int:
    """Frames that a sound lasts, the last perhaps not whole: ``ceil(seconds * fps)`` as in the released code.

    Example:
        >>> num_video_frames(32640, 24)  # 2.04 s
        49
    """
    return math.ceil(num_samples / sample_rate * fps)


@torch.no_grad()
def wav2vec_features(
    encoder: "Wav2Vec2Model", waveform: Tensor, num_frames: int, *, num_samples: int | None = None
) -> Tensor:
    """What every layer hears at every frame (MTV, section 4; wav2vec.py of the released code).

    The sound is normalised to mean 0 and variance 1. The output of the convolutions, 50 a second, is interpolated to
    ``num_frames`` (ends on ends) *before* the projection, so that the transformer runs at the frame rate. All frames of
    a sound see one another: make the features of a long clip at once and cut them afterwards.

    Args:
        encoder: transformers' ``Wav2Vec2Model`` (:func:`load_wav2vec`), in evaluation mode.
        waveform: (b, s) mono sound at 16 kHz that lasts ``num_frames / fps`` seconds (:func:`asva_audio.fit`).
        num_frames: Number t of video frames.
        num_samples: Length to which silence is added after normalisation, where the published planner wants a whole
            number of windows; None adds none.

    Returns:
        (b, t, layers, d) float32 outputs of the layers, first to last.

    Raises:
        ValueError: If a shape is wrong, the sound is shorter than one step of the convolutions or not finite,
            ``num_samples`` cuts it, or the encoder is in training mode or has an adapter.
    """
    _check(encoder, waveform, num_frames, num_samples)
    heard = waveform.float()
    heard = (heard - heard.mean(-1, keepdim=True)) / (heard.var(-1, correction=0, keepdim=True) + VARIANCE_FLOOR).sqrt()
    heard = F.pad(heard, (0, (num_samples or heard.shape[-1]) - heard.shape[-1]))

    def to_frames(module: torch.nn.Module, inputs: tuple[Tensor], features: Tensor) -> Tensor:
        return F.interpolate(features, num_frames, mode="linear", align_corners=True)

    with encoder.feature_extractor.register_forward_hook(to_frames):
        output = encoder(heard.to(encoder.dtype), output_hidden_states=True)
    states = output.hidden_states[-encoder.config.num_hidden_layers : -1]
    # Encoders with a norm after the last layer have it in their output alone.
    return torch.stack((*states, output.last_hidden_state), dim=2).float()


def frame_windows(features: Tensor, size: int = WINDOW) -> Tensor:
    """Each frame with its neighbours, the first and last frame repeated at the ends.

    Args:
        features: (..., t, layers, d) such as those of :func:`wav2vec_features`.
        size: Number w of frames in a window, odd; 5 in MTV, offsets -2 to 2.

    Returns:
        (..., t, w, layers, d).

    Raises:
        ValueError: If ``size`` is not odd or there is no frame.

    Example:
        >>> frame_windows(torch.arange(4.0).view(4, 1, 1), 3)[:, :, 0, 0].tolist()
        [[0.0, 0.0, 1.0], [0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 3.0]]
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"`size` must be odd and positive, got {size}.")
    if features.ndim < 3 or features.shape[-3] == 0:
        raise ValueError(f"`features` must have shape (..., t, layers, d) with a frame, got {tuple(features.shape)}.")
    count = features.shape[-3]
    offsets = torch.arange(size, device=features.device) - size // 2
    indices = (torch.arange(count, device=features.device)[:, None] + offsets).clamp(0, count - 1)
    return features[..., indices, :, :]


def _check(encoder: "Wav2Vec2Model", waveform: Tensor, num_frames: int, num_samples: int | None) -> None:
    if waveform.ndim != 2:
        raise ValueError(f"`waveform` must have shape (b, s), got {tuple(waveform.shape)}.")
    shortest = _receptive_field(encoder)
    if waveform.shape[-1] < shortest:
        raise ValueError(
            f"`waveform` must hold at least {shortest} samples, got {waveform.shape[-1]}; pad it with `fit`."
        )
    if not waveform.isfinite().all():
        raise ValueError("`waveform` must be finite, got NaN or infinity.")
    if num_frames < 1:
        raise ValueError(f"`num_frames` must be at least 1, got {num_frames}.")
    if num_samples is not None and num_samples < waveform.shape[-1]:
        raise ValueError(f"`num_samples` must be at least the sound's {waveform.shape[-1]}, got {num_samples}.")
    if encoder.training:
        raise ValueError("`encoder` must be in evaluation mode, got training mode, which masks at random; call eval().")
    if encoder.adapter is not None:
        raise ValueError("`encoder` must have no adapter, got one, which changes the number of frames.")


def _receptive_field(encoder: "Wav2Vec2Model") -> int:
    """Samples that one output of the convolutions hears: 400 in the released encoders."""
    size = 1
    for kernel, stride in zip(reversed(encoder.config.conv_kernel), reversed(encoder.config.conv_stride), strict=True):
        size = (size - 1) * stride + kernel
    return size
