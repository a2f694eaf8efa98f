"""torchmetrics classes, one for each score of single clips; ``update`` takes a clip, ``compute`` gives the mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asva_metrics.audio_events import audio_events
from asva_metrics.av_align import av_align, flow_trajectory, motion_peaks
from asva_metrics.desync import desync
from asva_metrics.lip_sync import lip_sync
from asva_metrics.local_sync import local_sync
from asva_metrics.onsets import onset_times
from asva_metrics.psnr import psnr
from asva_metrics.relative_sync import align_sync, relative_sync
from asva_metrics.similarity import cosine_similarity, temporal_consistency
from asva_metrics.small_sync import small_sync_profile
from asva_metrics.ssim import ssim
from asva_metrics.steadiness import steadiness
from asva_metrics.streaming_clips import ClipMean, EventF1
from asva_metrics.video_events import motion_change, video_events


class EventsHeardF1(EventF1):
    """F1 of seen events against heard ones, those of all clips counted together; see `video_events`, `audio_events`."""

    def update(self, *clip: Any) -> None:
        """Add a clip: (t, h, w, 3) uint8 frames, their rate, (s,) sound, its rate."""
        frames, fps, waveform, sample_rate = clip
        super().update([video_events(motion_change(frames), fps)], [audio_events(waveform, sample_rate)])


class Motion(ClipMean):
    """Amount of motion of (frames, fps): mean flow in percent of the shorter side per second."""

    def score(self, frames: np.ndarray, fps: float) -> float:
        return 100 * fps * float(np.mean(flow_trajectory(frames))) / min(frames.shape[1:3])


class AVAlign(ClipMean):
    """`av_align` of (frames, fps, waveform, sample_rate).

    Args:
        rule: Whose rule.
        **options: Of ``torchmetrics.Metric``.
    """

    higher_is_better = True

    def __init__(self, *, rule: Any = "2025", **options: Any) -> None:
        super().__init__(**options)
        self.rule = rule

    def score(self, frames: Any, fps: float, waveform: Any, sample_rate: int) -> float:
        peaks = motion_peaks(flow_trajectory(frames), fps, rule=self.rule)
        return av_align(onset_times(waveform, sample_rate), peaks, fps, rule=self.rule)


class LocalSync(ClipMean):
    """`local_sync` of (waveform, sample_rate, frames, fps): standard deviations above the mean shift."""

    higher_is_better = True

    def score(self, *clip: Any) -> float:
        return local_sync(*clip).excess


class LocalOffset(ClipMean):
    """Distance in ms of the best shift by `local_sync` of (waveform, sample_rate, frames, fps)."""

    higher_is_better = False

    def score(self, *clip: Any) -> float:
        return 1000 * abs(local_sync(*clip).offset)


class SmallSync(ClipMean):
    """`small_sync_profile` of (waveform, sample_rate, frames, fps): share of shifts that fit worse than none."""

    higher_is_better = True

    def score(self, *clip: Any) -> float:
        return small_sync_profile(*clip).probability


class PSNR(ClipMean):
    """`psnr` of (generated, reference) frames in dB."""

    higher_is_better = True
    score = staticmethod(psnr)


class SSIM(ClipMean):
    """`ssim` of (generated, reference) frames."""

    higher_is_better = True
    score = staticmethod(ssim)


class LPIPS(ClipMean):
    """Mean LPIPS distance of (generated, reference) frames (t, 3, h, w) in [0, 1].

    Args:
        trunk: `LPIPSTrunk` with its weights.
        heads: `LPIPSHeads` with theirs.
        **options: Of ``torchmetrics.Metric``.
    """

    higher_is_better = False

    def __init__(self, trunk: nn.Module, heads: nn.Module, **options: Any) -> None:
        super().__init__(**options)
        self.trunk, self.heads = trunk, heads

    @torch.no_grad()
    def score(self, generated: Tensor, reference: Tensor) -> Tensor:
        return self.heads(self.trunk(generated), self.trunk(reference)).mean()


class Flicker(ClipMean):
    """Change of what stands still in (frames), in grey levels; see `steadiness`."""

    higher_is_better = False

    def score(self, frames: Any) -> float:
        return steadiness(frames).flicker


class WarpError(ClipMean):
    """Warping error of (frames), in grey levels; see `steadiness`."""

    higher_is_better = False

    def score(self, frames: Any) -> float:
        return steadiness(frames).warp_error


class Jerk(ClipMean):
    """Change of motion over motion of (frames); see `steadiness`."""

    higher_is_better = False

    def score(self, frames: Any) -> float:
        return steadiness(frames).jerk


class FrozenShare(ClipMean):
    """Share of frozen videos among (frames); see `steadiness`."""

    higher_is_better = False

    def score(self, frames: Any) -> float:
        return float(steadiness(frames).frozen)


class DeSync(ClipMean):
    """`desync` of Synchformer's logits (first, last), in seconds."""

    higher_is_better = False
    score = staticmethod(desync)


class Cosine(ClipMean):
    """Mean cosine of embeddings: IA (frames, sound), IT (frames, text), Text-C (video, text), PE-AV (audio, video)."""

    higher_is_better = True

    def score(self, first: Any, second: Any) -> float:
        return float(np.mean(cosine_similarity(first, second)))


class TempC(ClipMean):
    """`temporal_consistency` of CLIP's embeddings of the frames (t, d)."""

    higher_is_better = True
    score = staticmethod(temporal_consistency)


class RelSync(ClipMean):
    """`relative_sync` of the classifier's phi for (generated, reference)."""

    higher_is_better = True
    score = staticmethod(relative_sync)


class AlignSync(ClipMean):
    """`align_sync` of (relative, image_audio, reference_image_audio)."""

    higher_is_better = True
    score = staticmethod(align_sync)


class SyncC(ClipMean):
    """Sync-C of SyncNet's (audio, video) vectors; see `lip_sync`."""

    higher_is_better = True

    def score(self, audio: Any, video: Any) -> float:
        return lip_sync(audio, video).sync_c


class SyncD(ClipMean):
    """Sync-D of SyncNet's (audio, video) vectors; see `lip_sync`."""

    higher_is_better = False

    def score(self, audio: Any, video: Any) -> float:
        return lip_sync(audio, video).sync_d


class PEAVMatch(ClipMean):
    """PE-AV's probability that (audio, video) embeddings belong together.

    Args:
        network: `PEAV`.
        **options: Of ``torchmetrics.Metric``.
    """

    higher_is_better = True

    def __init__(self, network: Any, **options: Any) -> None:
        super().__init__(**options)
        self.network = network

    @torch.no_grad()
    def score(self, audio: Tensor, video: Tensor) -> Tensor:
        return self.network.match(audio, video)


class SyncRewardScore(ClipMean):
    """SyncReward's rating, from 0 to 2, of embedded windows (audio, video).

    Args:
        head: `SyncRewardHead` with its weights.
        **options: Of ``torchmetrics.Metric``.
    """

    higher_is_better = True

    def __init__(self, head: nn.Module, **options: Any) -> None:
        super().__init__(**options)
        self.head = head

    @torch.no_grad()
    def score(self, audio: Tensor, video: Tensor) -> Tensor:
        return self.head(audio, video)
