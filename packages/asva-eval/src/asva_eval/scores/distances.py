"""FID, FVD and their kernel forms between all generated and all true clips.

The interval is a jackknife over blocks of videos: drawing with replacement would repeat clips, which by itself moves
these distances up, so that a bootstrap interval need not hold its own estimate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from asva_eval.network_observations import ClipFeatures, FrameFeatures
from asva_eval.scores.base import Score, Undefined, strict
from asva_metrics import FeatureStatistics, Interval, frechet_distance, jackknife_interval, kernel_distance

if TYPE_CHECKING:
    from asva_eval.protocol import Protocol
    from asva_eval.records import MeasuredClip

BLOCKS = 20
"""Blocks of videos that are left out in turn."""
Variant = Literal["stylegan-v", "videogpt", "common-metrics", "cd-fvd", "pytorch-fid", "clean-fid", "avsync"]


@strict
class Distance(Score):
    """Base of scores of sets.

    Attributes:
        form: The Frechet distance, or the unbiased kernel distance.
    """

    form: Literal["frechet", "kernel"] = "frechet"
    variant: Variant = "stylegan-v"

    better: ClassVar = "lower"

    def observation(self, protocol: Protocol) -> Any:
        """What is observed in the clips of both sides."""
        raise NotImplementedError

    def observations(self, protocol):
        return (self.observation(protocol),)

    def measure(self, clips: Sequence[MeasuredClip], protocol: Protocol) -> dict[str, Any]:
        """The distance of a system's clips with its interval, as it stands in the report."""
        usable, undefined = self._usable(clips, protocol)
        videos = sorted({clip.video for clip in usable})
        figures: dict[str, Any] = {"num_clips": len(usable), "num_videos": len(videos), "undefined": undefined}
        try:
            value, left_out, facts = self._jackknife(usable, protocol)
        except ValueError as error:
            return figures | {"value": None, "low": None, "high": None, "reason": _reason(error, undefined)}
        return figures | facts | _written(jackknife_interval(value, left_out)[0], self.scale)

    def compare(self, clips: dict[str, list[MeasuredClip]], protocol: Protocol) -> list[dict[str, Any]]:
        """Differences between systems on the clips that they share, with jackknife intervals and p."""
        from itertools import combinations

        from asva_eval.measuring import REFERENCE

        found = []
        for first, second in combinations([name for name in clips if name != REFERENCE], 2):
            usable = [self._usable(clips[name], protocol)[0] for name in (first, second)]
            shared = {clip.key for clip in usable[0]} & {clip.key for clip in usable[1]}
            one = {"first": first, "second": second, "num_clips": len(shared)}
            try:
                found.append(one | self._difference([[c for c in s if c.key in shared] for s in usable], protocol))
            except ValueError as error:
                found.append(one | {"difference": None, "p": None, "reason": _reason(error, {})})
        return found

    def _difference(self, sides: list[list[MeasuredClip]], protocol: Protocol) -> dict[str, Any]:
        (first, first_out, _), (second, second_out, _) = (self._jackknife(side, protocol) for side in sides)
        interval, p = jackknife_interval(first - second, np.subtract(first_out, second_out))
        return {"difference": _written(interval, self.scale), "p": None if np.isnan(p) else p}

    def _usable(self, clips: Sequence[MeasuredClip], protocol: Protocol) -> tuple[list[MeasuredClip], dict[str, int]]:
        usable, undefined = [], {}
        observation = self.observation(protocol)
        for clip in clips:
            try:
                clip.generated.facts(observation), clip.reference.facts(observation)
                usable.append(clip)
            except Undefined as error:
                undefined[str(error)] = undefined.get(str(error), 0) + 1
        return usable, undefined

    def _jackknife(self, clips: Sequence[MeasuredClip], protocol: Protocol) -> tuple[float, list[float], dict]:
        """The distance of all clips, those with each block left out, and what is to be said of the numbers."""
        videos = sorted({clip.video for clip in clips})
        place = {video: i for i, video in enumerate(videos)}
        num_blocks = min(BLOCKS, len(videos))
        blocks = [[clip for clip in clips if place[clip.video] % num_blocks == b] for b in range(num_blocks)]
        if len(clips) < 2:
            raise ValueError(f"a distance needs at least 2 clips, got {len(clips)}")
        distance = self._frechet if self.form == "frechet" else self._kernel
        value, left_out, count, width = distance(blocks, protocol)
        facts = {"num_features": count, "num_dimensions": width}
        if count <= width and self.form == "frechet":
            facts["warning"] = (
                f"{count} features do not span {width} dimensions: exact for these clips, but biased upwards; compare "
                "only with figures of equal counts"
            )
        return value, left_out, facts

    def _frechet(self, blocks: list[list[MeasuredClip]], protocol: Protocol) -> tuple[float, list[float], int, int]:
        """Features are read block by block and only added up, so that memory does not grow with the clips."""
        import warnings

        def added(skipped: int | None) -> float:
            sides = (FeatureStatistics(), FeatureStatistics())
            for number, block in enumerate(blocks):
                if number != skipped:
                    for ours, theirs in self._features(block, protocol):
                        sides[0].update(theirs)
                        sides[1].update(ours)
            counts.append((sides[0].count, len(sides[0].mean)))
            return frechet_distance(*sides, variant=self.variant)

        counts: list[tuple[int, int]] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few samples are said in the report
            value = added(None)
            left_out = [added(number) for number in range(len(blocks))] if len(blocks) > 2 else []
        return value, left_out, *counts[0]

    def _kernel(self, blocks: list[list[MeasuredClip]], protocol: Protocol) -> tuple[float, list[float], int, int]:
        pairs = [[np.concatenate(x) for x in zip(*self._features(block, protocol), strict=True)] for block in blocks]

        def of(kept: list) -> float:
            return kernel_distance(*(np.concatenate(x) for x in zip(*((b[1], b[0]) for b in kept), strict=True)))

        left_out = [of(pairs[:i] + pairs[i + 1 :]) for i in range(len(pairs))] if len(pairs) > 2 else []
        return of(pairs), left_out, sum(len(p[0]) for p in pairs), pairs[0][0].shape[1]

    def _features(self, clips: Sequence[MeasuredClip], protocol: Protocol) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        observation = self.observation(protocol)
        for clip in clips:
            yield tuple(record.tensor(observation, "features") for record in (clip.generated, clip.reference))


@strict
class FID(Distance):
    """Frechet distance of Inception features of the frames.

    Attributes:
        resize: Of the frames, see `asva_metrics.fid_images`: 299 pixels, or 229 as AVSyncD.
    """

    score: Literal["fid"] = "fid"
    resize: Literal["avsync", "pytorch-fid"] = "pytorch-fid"
    variant: Variant = "pytorch-fid"

    blind_to: ClassVar = "time and sound; it depends on the number of clips, the resize and the network's file"
    needs: ClassVar = ("inception",)
    frozen_wins: ClassVar = True

    @property
    def title(self):
        return ("FID" if self.form == "frechet" else "KID") + (", 229 pixels" if self.resize == "avsync" else "")

    @property
    def name(self):
        return self.label or ("fid" if self.form == "frechet" else "kid")

    def observation(self, protocol):
        return FrameFeatures(resize=self.resize, skip_first=protocol.skip_first)


@strict
class FVD(Distance):
    """Frechet distance of I3D logits of the clips.

    Attributes:
        resize: Of the frames, see `asva_metrics.fvd_video`.
    """

    score: Literal["fvd"] = "fvd"
    resize: Literal["avsync", "common-metrics"] = "avsync"

    blind_to: ClassVar = "the sound; it depends on the numbers of clips and frames, and favours pictures over motion"
    needs: ClassVar = ("i3d",)

    @property
    def title(self):
        return "FVD" if self.form == "frechet" else "KVD"

    @property
    def name(self):
        return self.label or ("fvd" if self.form == "frechet" else "kvd")

    def observation(self, protocol):
        return ClipFeatures(resize=self.resize)


def _reason(error: ValueError, undefined: dict[str, int]) -> str:
    return "; ".join(f"{reason} ({count} clips)" for reason, count in undefined.items()) or str(error)


def _written(interval: Interval, scale: float) -> dict[str, float | None]:
    values = {"value": interval.estimate, "low": interval.low, "high": interval.high}
    return {name: None if np.isnan(value) else float(value) * scale for name, value in values.items()}
