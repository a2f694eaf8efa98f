"""Every score that a protocol can name: what it is, what it needs, what it cannot see.

Other packages add their own by an entry point of the group ``asva.scores``, whose name is the score's and whose object
is a `Score`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from asva_eval import clip_scores as clips
from asva_eval.metrics import desync, pe_av, picture, sync_reward
from asva_eval.network_observations import (
    ClipFeatures,
    FrameFeatures,
    ImageFeatures,
    JointFeatures,
    LipVectors,
    SmallSyncFeatures,
    SyncFeatures,
    WholeFeatures,
)
from asva_eval.observations import LocalSignals, MotionChange, MotionCurve, PixelError, SoundEvents
from asva_eval.score import CHANCES, Score
from asva_metrics import temporal_consistency
from asva_metrics.frechet import VARIANTS

GROUP = "asva.scores"

EVENTS: dict[str, Any] = {
    "observations": (MotionChange(), SoundEvents()),
    "chance_rule": "events of the sound shifted circularly by equal steps; events of the sounds of other clips",
    "chances": CHANCES,
}
LIPS: dict[str, Any] = {
    "blind_to": "everything but a frontal face and a voice; short clips suffer from the zeros at their ends",
    "chance_rule": "the voice moved circularly, further than the 0.6 s of the search; voices of other clips",
    "observations": (LipVectors(),),
    "chances": CHANCES,
}
RELATIVE: dict[str, Any] = {
    "better": "higher",
    "chance_rule": "the generated clip's sound shifted circularly (8 steps); sounds of other clips",
    "chances": CHANCES,
}
FORMS = ("frechet", "kernel")


def _fid_name(options: Mapping[str, Any]) -> tuple[str, str]:
    name = "FID" if options["form"] == "frechet" else "KID"
    return name.lower(), name + (", 229 pixels" if options["resize"] == "avsync" else "")


def _fvd_name(options: Mapping[str, Any]) -> tuple[str, str]:
    name = "FVD" if options["form"] == "frechet" else "KVD"
    return name.lower(), name


def _av_align_name(options: Mapping[str, Any]) -> tuple[str, str]:
    rule = options["rule"]
    return f"av_align_{rule}", f"AV-Align, rule of {'JavisBench' if rule == 'javis' else rule}"


def _psnr_name(options: Mapping[str, Any]) -> tuple[str, str]:
    return ("psnr", "PSNR") if options["where"] == "all" else ("psnr_moving", "PSNR of what moves")


SCORES = (
    Score(
        name="motion",
        title="amount of motion",
        unit="% of the shorter side per second",
        blind_to="whether the motion is right; noise and flicker count as motion",
        observations=(MotionCurve(),),
        of_clip=lambda clip: clip.generated.facts(MotionCurve())["amount"],
    ),
    Score(
        name="av_align",
        variant=_av_align_name,
        better="higher",
        blind_to="which event belongs to which sound; dense peaks score high by chance, and in a frozen video the "
        "noise of its file has peaks; the tolerance is one frame, so figures of different frame rates cannot be "
        "compared",
        chance_rule="onsets shifted circularly by equal steps; onsets of other clips",
        options={"rule": ("2025", "2023", "javis")},
        observations=(MotionCurve(), SoundEvents()),
        of_clip=clips.alignment,
        chances=CHANCES,
    ),
    Score(
        name="event_f1",
        title="events seen when heard, F1",
        better="higher",
        blind_to="what happens: any motion will do for any sound; events off screen and steady sounds",
        of_clip=lambda clip: clips.events(clip, clips.f1),
        **EVENTS,
    ),
    Score(
        name="event_error",
        title="time from seen to heard events",
        unit="ms",
        better="lower",
        blind_to="events without a partner: read it beside the F1; it lies below the tolerance by definition",
        of_clip=lambda clip: clips.events(clip, clips.distance),
        **EVENTS,
    ),
    Score(
        name="reference_event_f1",
        title="events seen when the true clip shows them, F1",
        better="higher",
        blind_to="the sound; what happens; good motion at other times than in the true clip counts as wrong",
        chance_rule="true events shifted circularly by equal steps",
        of_reference=False,
        observations=(MotionChange(),),
        of_clip=lambda clip: clips.events(clip, clips.f1, of_truth=True),
        chances=("shifted",),
    ),
    Score(
        name="local_sync",
        title="local sync",
        unit="standard deviations above the mean shift",
        better="higher",
        blind_to="what happens; steady sounds and motions; regular rhythms, which fit at several shifts",
        chance_rule="0, the mean over all shifts, by definition; sounds of other clips",
        observations=(LocalSignals(),),
        of_clip=clips.local,
        chances=CHANCES,
    ),
    Score(
        name="local_offset",
        title="time to the best shift of the sound",
        unit="ms",
        better="lower",
        blind_to="how well it fits there; regular rhythms, which fit at several shifts; still pictures",
        chance_rule="a quarter of the clip, the mean over all shifts; sounds of other clips",
        observations=(LocalSignals(),),
        of_clip=clips.local_offset,
        chances=CHANCES,
    ),
    Score(
        name="psnr",
        variant=_psnr_name,
        unit="dB",
        better="higher",
        blind_to="good motion that is not the true one; a blurred or still picture is rewarded",
        of_reference=False,
        frozen_wins=True,
        options={"where": ("all", "moving")},
        observations=(PixelError(),),
        of_clip=clips.pixels,
    ),
    Score(
        name="small_sync",
        title="small sync classifier",
        better="higher",
        blind_to="what happens; it was trained on a synthetic world; this is not RelSync",
        chance_rule="0.5, the share for a sound of any shift; sounds of other clips",
        observations=(SmallSyncFeatures(),),
        of_clip=clips.small_sync,
        chances=CHANCES,
    ),
    Score(
        name="fid",
        variant=_fid_name,
        better="lower",
        blind_to="time and sound; it depends on the number of clips, the resize and the network's file",
        needs=("inception",),
        frozen_wins=True,
        options={
            "form": FORMS,
            "variant": ("pytorch-fid", *(name for name in VARIANTS if name != "pytorch-fid")),
            "resize": ("pytorch-fid", "avsync"),
        },
        features=lambda protocol, options: FrameFeatures(options["resize"], protocol.skip_first),
    ),
    Score(
        name="fvd",
        variant=_fvd_name,
        better="lower",
        blind_to="the sound; it depends on the numbers of clips and frames, and favours pictures over motion",
        needs=("i3d",),
        options={"form": FORMS, "variant": tuple(VARIANTS), "resize": ("avsync", "common-metrics")},
        features=lambda protocol, options: ClipFeatures(options["resize"]),
    ),
    Score(
        name="ia",
        title="IA, frames with sound",
        better="higher",
        blind_to="time: a still picture of the right thing does well",
        chance_rule="sounds of other clips (a shifted sound has the same content)",
        frozen_wins=True,
        observations=(JointFeatures(),),
        of_clip=clips.frames_with_sound,
        chances=("swapped",),
    ),
    Score(
        name="it",
        title="IT, frames with text",
        better="higher",
        blind_to="time and sound: a still picture of the right thing does well",
        needs=("tokenizer",),
        frozen_wins=True,
        observations=(JointFeatures(),),
        of_clip=clips.frames_with_text,
    ),
    Score(
        name="rel_sync",
        title="RelSync",
        blind_to="what the classifier was not trained on; the truth itself reaches 0.5 (times the scale)",
        observations=(SyncFeatures(),),
        of_clip=clips.relative,
        **RELATIVE,
    ),
    Score(
        name="align_sync",
        title="AlignSync",
        blind_to="what its networks were not trained on; the truth itself reaches 0.25 (times the scale)",
        observations=(SyncFeatures(), JointFeatures()),
        of_clip=clips.aligned,
        **RELATIVE,
    ),
    Score(
        name="temp_c",
        title="Temp-C, frame with frame",
        better="higher",
        blind_to="everything but sudden change: less motion scores higher, a frozen video highest",
        frozen_wins=True,
        observations=(ImageFeatures(),),
        of_clip=lambda clip: float(temporal_consistency(clip.generated.tensor(ImageFeatures(), "frames"))),
    ),
    Score(
        name="text_c",
        title="Text-C, clip with text",
        better="higher",
        blind_to="the sound, and what 8 frames do not show",
        needs=("tokenizer",),
        frozen_wins=True,
        observations=(WholeFeatures(),),
        of_clip=clips.clip_with_text,
    ),
    Score(
        name="sync_c",
        title="Sync-C, lips with voice",
        better="higher",
        of_clip=lambda clip: clips.lips(clip, "sync_c"),
        **LIPS,
    ),
    Score(
        name="sync_d",
        title="Sync-D, lips from voice",
        better="lower",
        of_clip=lambda clip: clips.lips(clip, "sync_d"),
        **LIPS,
    ),
    desync.SCORE,
    *pe_av.SCORES,
    *picture.SCORES,
    sync_reward.SCORE,
)


def score_names() -> list[str]:
    """Names of all scores that protocols may hold: ours, and those of installed packages."""
    return [score.name for score in SCORES] + sorted(point.name for point in entry_points(group=GROUP))


def find_score(name: str) -> Score:
    """A score by its name in protocols.

    Raises:
        ValueError: If there is none, or a package's entry point of that name holds another thing.
    """
    for score in SCORES:
        if score.name == name:
            return score
    for point in entry_points(group=GROUP, name=name):
        score = point.load()
        if not isinstance(score, Score) or score.name != name:
            raise ValueError(f"`{GROUP}` must name an asva_eval.Score called {name!r}, got {point.value}.")
        return score
    raise ValueError(f"`score` must be one of {', '.join(score_names())}, got {name!r}.")


def choose(value: Any) -> Score:
    """The score of one entry of a protocol: a name, a name with settings, or a `Score` itself.

    Raises:
        ValueError: If there is no such score, or a setting is wrong.
    """
    if isinstance(value, Score):
        return value if value.settings else value.chosen({})
    fields = {"score": value} if isinstance(value, str) else value
    if not isinstance(fields, Mapping) or not isinstance(fields.get("score"), str):
        raise ValueError(f"`scores` must hold names, or mappings with a `score`, got {value!r}.")
    return find_score(fields["score"]).chosen(fields)
