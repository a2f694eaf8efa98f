"""Sound written to a WAV file, sample for sample."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from asva_audio.sound import Audio
from asva_weights import staged

LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
BLOCK = 1 << 16


def write_sound(path: str | os.PathLike[str], audio: Audio) -> Path:
    """Write a sound as 32-bit float WAV: nothing is rounded or clipped, and tracks still sum to their mix.

    The file appears under its name when it is whole; one that exists is replaced.

    Args:
        path: Ends in ``.wav``; its folder must exist.
        audio: 1 to 8 channels.

    Returns:
        The path.

    Raises:
        ValueError: If the ending is another one, or there is no sample or an unknown number of channels.
    """
    path, channels = Path(path), len(audio.waveform)
    if path.suffix.lower() != ".wav":
        raise ValueError(f"`path` must end in .wav, got {path}.")
    if channels not in LAYOUTS or not audio.waveform.shape[-1]:
        raise ValueError(f"`audio` must hold 1 to 8 channels of samples, got shape {tuple(audio.waveform.shape)}.")
    with staged(path) as (draft,), av.open(str(draft), "w", format="wav") as container:
        stream = container.add_stream("pcm_f32le", rate=audio.sample_rate, layout=LAYOUTS[channels])
        for first in range(0, audio.waveform.shape[-1], BLOCK):
            samples = audio.waveform[:, first : first + BLOCK].cpu().numpy()
            packed = np.ascontiguousarray(samples.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=LAYOUTS[channels])
            frame.sample_rate, frame.pts, frame.time_base = audio.sample_rate, first, Fraction(1, audio.sample_rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
