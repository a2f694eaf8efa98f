"""Audio tokens per second of the full-size trunk and cost of the mel, as ratios to a plain version of each.

    OMP_NUM_THREADS=1 python benchmarks/audio_tokens.py

The plain trunk writes softmax attention out for the whole batch at once; the plain mel calls torchaudio's Kaldi filter
bank clip by clip. Weights are random: time does not depend on them. CPU time, in turns in one process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torchaudio.compliance.kaldi import fbank

import asva_audio.imagebind as imagebind
from asva_audio import ImageBindAudioEncoder, imagebind_mel

ROUNDS, CLIPS = 5, 16
SMALL = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4}  # the bundled model's
FULL_SIZE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
fused = imagebind.attend


def plain_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return (query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)).softmax(-1) @ value


def plain_mel(waveform: Tensor) -> Tensor:
    options = {"htk_compat": True, "window_type": "hanning", "num_mel_bins": 128, "dither": 0.0}
    return torch.stack([fbank(clip[None] - clip.mean(), **options) for clip in waveform])


def tokens(encoder: ImageBindAudioEncoder, mel: Tensor, attend: Callable, dtype: torch.dtype) -> None:
    imagebind.attend = attend
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        output = encoder(mel).last_hidden_state
    if encoder.training:
        output.float().square().mean().backward()
        encoder.zero_grad()


def compare(name: str, count: int, unit: str, ours: Callable[[], object], plain: Callable[[], object]) -> None:
    """Both in turns, so that the load of the machine falls on both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 1):
        for function, column in zip((ours, plain), times, strict=True):
            begin = time.process_time()
            function()
            column.append(time.process_time() - begin)
    first, second = (statistics.median(column[1:]) for column in times)
    ratio = statistics.median(b / a for a, b in zip(*times, strict=True))
    print(f"{name:48} {count / first:8.0f} {unit}/s, plain {count / second:8.0f}, ratio {ratio:.2f}", flush=True)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    waveform = torch.randn(CLIPS, 32000, generator=generator) * 0.1
    mel = imagebind_mel(waveform)
    compare("mel of 2 s", CLIPS, "clips", lambda: imagebind_mel(waveform), lambda: plain_mel(waveform))
    for name, config, clips, dtype, training in (
        ("full size, float32", FULL_SIZE, 1, torch.float32, False),
        ("full size, bfloat16", FULL_SIZE, 1, torch.bfloat16, False),
        ("small, float32", SMALL, CLIPS, torch.float32, False),
        ("small, bfloat16, forward and backward", SMALL, CLIPS, torch.bfloat16, True),
    ):
        encoder = ImageBindAudioEncoder(**config).train(training)
        with torch.set_grad_enabled(training):
            compare(
                name,
                577 * clips,
                "tokens",
                lambda: tokens(encoder, mel[:clips], fused, dtype),  # noqa: B023
                lambda: tokens(encoder, mel[:clips], plain_attention, dtype),  # noqa: B023
            )


if __name__ == "__main__":
    main()
