"""How well the picture moves and how near it is to the true one: flicker, warping error, jerk, SSIM, LPIPS, stills."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from asva_eval.cutting import Cut
from asva_eval.observations import Observation, Observed, check_sizes
from asva_eval.records import Undefined
from asva_eval.score import Score, ScoredClip
from asva_eval.weights import Networks
from asva_metrics import ssim, steadiness


class Steadiness(Observation):
    """Flicker, warping error, jerk, and whether anything moves."""

    def observe(self, cut: Cut, reference: Cut | None, networks: Networks) -> Observed:
        found = steadiness(cut.moving)
        return Observed({name: value for name, value in vars(found).items() if math.isfinite(value)})


class Similarity(Observation):
    """Mean SSIM of the frames with the true ones, of their brightness."""

    pair: ClassVar = True

    def observe(self, cut: Cut, reference: Any, networks: Networks) -> Observed:
        check_sizes(cut, reference)
        return Observed({"ssim": ssim(cut.frames, reference.frames)})


class Perception(Observation):
    """Mean LPIPS distance of the frames from the true ones."""

    pair: ClassVar = True
    needs: ClassVar = ("lpips_trunk", "lpips_heads")

    def observe(self, cut: Cut, reference: Any, networks: Networks) -> Observed:
        import torch

        check_sizes(cut, reference)
        trunk, heads = networks["lpips_trunk"], networks["lpips_heads"]
        images = (torch.from_numpy(x.frames).to(networks.device).permute(0, 3, 1, 2) / 255 for x in (cut, reference))
        return Observed({"lpips": float(heads(*(trunk(one) for one in images)).mean())})


def _fact(observation: Observation, name: str, why: str = "") -> dict[str, Any]:
    def of_clip(clip: ScoredClip) -> float:
        facts = clip.generated.facts(observation)
        if name not in facts:
            raise Undefined(why)
        return float(facts[name])

    return {"observations": (observation,), "of_clip": of_clip}


SCORES = (
    Score(
        name="frozen",
        title="frozen videos",
        better="lower",
        blind_to="how much the others move; below 4 of 255 grey levels in every cell counts as frozen",
        **_fact(Steadiness(), "frozen"),
    ),
    Score(
        name="flicker",
        title="flicker of what stands still",
        unit="grey levels",
        better="lower",
        blind_to="everything that moves; steady blur; real sparkle counts as flicker",
        frozen_wins=True,
        **_fact(Steadiness(), "flicker", "no pixel stands still"),
    ),
    Score(
        name="warp_error",
        title="warping error",
        unit="grey levels",
        better="lower",
        blind_to="motion that its flow does not see, and where it is unsure; a blurred picture has less",
        frozen_wins=True,
        **_fact(Steadiness(), "warp_error"),
    ),
    Score(
        name="jerk",
        title="jerk, change of motion over motion",
        better="lower",
        blind_to="whether the change is right: a strike that stops dead is jerk too; compare with the true clips",
        **_fact(Steadiness(), "jerk", "nothing moves"),
    ),
    Score(
        name="ssim",
        title="SSIM",
        better="higher",
        blind_to="good motion that is not the true one; a still picture is rewarded",
        of_reference=False,
        frozen_wins=True,
        **_fact(Similarity(), "ssim"),
    ),
    Score(
        name="lpips",
        title="LPIPS",
        better="lower",
        blind_to="time, and good motion that is not the true one",
        of_reference=False,
        frozen_wins=True,
        **_fact(Perception(), "lpips"),
    ),
)
