"""What `asva curate` can judge: which weights feed which scores, made in the process that uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_curate import Recipe


def scores_for(rules: Recipe, weights: Mapping[str, Path], *, text: bool, device: str) -> dict[str, Callable[[], Any]]:
    """Makers of the scores that a recipe's filters ask for and that can be had.

    Raises:
        RequestError: If weights are unknown or missing, or a filter with a bound asks for others.
    """
    _check(rules, weights)
    from asva_curate import FitScore, TextCover

    scores: dict[str, Callable[[], Any]] = {"local_sync": partial(FitScore, _local_sync)}
    if text and find_spec("rapidocr") is not None:
        scores["text"] = TextCover
    elif text and any(rule.measure == "text" and rule.active for rule in rules.filters):
        note("on-screen text is not looked for: pip install 'asva-kit[text]'")
    # One maker for all scores of the same networks: it is called once.
    makers = {kind: partial(kind, dict(weights), device) for kind, _ in NEEDS.values()}
    return scores | {name: makers[kind] for name, (kind, names) in NEEDS.items() if set(names) <= weights.keys()}


def _check(rules: Recipe, weights: Mapping[str, Path]) -> None:
    known = sorted({name for _, names in NEEDS.values() for name in names})
    for name, path in weights.items():
        if name not in known or not path.exists():
            raise RequestError(f"`--weights` must be an existing file of one of {', '.join(known)}, got {name}={path}.")
    if {"demix", "vocals"} & weights.keys() and find_spec("demucs") is None:
        raise RequestError("`--weights` demix and vocals need demucs: pip install 'asva-audio[demucs]'.")
    for rule in rules.filters:
        _, names = NEEDS.get(rule.measure, (None, ()))
        lacking = [f"{name}=PATH" for name in names if name not in weights]
        if rule.active and not rule.optional and lacking:
            raise RequestError(f"`--weights` must give {', '.join(lacking)} for the filter {rule.name}, got none.")


def _local_sync(frames: Any, fps: float, waveform: Any, sample_rate: int) -> float:
    from asva_metrics import local_sync

    return local_sync(waveform, sample_rate, frames, fps).excess


def _meaning(weights: dict[str, Path], device: str) -> Any:
    """Change of CLIP, IA and IT by ImageBind."""
    from asva_curate import SemanticsScore
    from asva_eval.encoders import ImageBindEncoders
    from asva_eval.weights import Networks

    given = {name: path for name, path in weights.items() if name in ("imagebind", "tokenizer")}
    encoders = ImageBindEncoders(Networks(given, device))
    return SemanticsScore(encoders.images, encoders.audio, encoders.text if "tokenizer" in given else None)


def _sync(weights: dict[str, Path], device: str) -> Any:
    """P_sync by the AVSync classifier."""
    from asva_curate import SyncScore
    from asva_eval.encoders import SyncJudge
    from asva_eval.weights import Networks

    return SyncScore(SyncJudge(Networks({"avsync": weights["avsync"]}, device)), clip_seconds=2.0, num_clips=3)


def _voices(weights: dict[str, Path], device: str) -> Any:
    """Two demixings, and with a detector of faces voices whose speakers are not seen."""
    from asva_audio import load_demucs
    from asva_curate import DemixScore, VoiceOverScore, both_scores
    from asva_eval.encoders import Separator, count_faces

    demixers = [load_demucs(weights[name]) for name in ("demix", "vocals")]
    for demixer in demixers:
        demixer.network.to(device)
    first, second = map(Separator, demixers)
    demix = DemixScore(first, second)
    if "faces" not in weights:
        return demix
    return both_scores(demix, VoiceOverScore(first.spoken, count_faces(weights["faces"])))


NEEDS = {
    "semantics": (_meaning, ("imagebind",)),
    "ia": (_meaning, ("imagebind",)),
    "it": (_meaning, ("imagebind", "tokenizer")),
    "sync": (_sync, ("avsync",)),
    "demix_distance": (_voices, ("demix", "vocals")),
    "voice_over": (_voices, ("demix", "vocals", "faces")),
}
"""How each score that a filter may ask for is made, and of which weights."""
