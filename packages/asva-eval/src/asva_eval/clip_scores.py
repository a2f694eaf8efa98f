"""What one clip adds to each score, by the functions of asva-metrics: from its records, never from its files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asva_eval.network_observations import (
    LIP_SEARCH,
    JointFeatures,
    LipVectors,
    SmallSyncFeatures,
    SyncFeatures,
    WholeFeatures,
    small_shifts,
)
from asva_eval.observations import LocalSignals, MotionChange, MotionCurve, PixelError, SoundEvents
from asva_eval.records import Record, Undefined
from asva_eval.score import ScoredClip
from asva_metrics import (
    EventMatch,
    ShiftProfile,
    align_sync,
    av_align,
    av_align_score,
    cosine_similarity,
    lip_sync,
    local_sync_profile,
    match_events,
    motion_peaks,
    relative_sync,
    shift_rank,
    shifted_lip_sync,
    shifted_times,
)

Counted = Callable[[EventMatch], tuple[float, float]]


def pixels(clip: ScoredClip) -> float:
    value = clip.generated.facts(PixelError())[clip.options["where"]]
    if isinstance(value, str):
        raise Undefined(value)
    return value


def alignment(clip: ScoredClip) -> float:
    curve, onsets, rule = (
        clip.generated.facts(MotionCurve()),
        clip.sound.facts(SoundEvents())["onsets"],
        clip.options["rule"],
    )
    fps, peaks = curve["fps"], motion_peaks(curve["curve"], curve["fps"], rule=rule)
    if clip.shifted:
        options = {"duration": clip.protocol.seconds, "num_shifts": clip.protocol.num_shifts}
        return av_align_score(onsets, peaks, fps, rule=rule, **options).chance
    value = av_align(onsets, peaks, fps, rule=rule)
    if np.isnan(value):
        raise Undefined("neither the sound nor the motion has a peak")
    return value


def events(clip: ScoredClip, ratio: Counted, *, of_truth: bool = False) -> tuple[float, float]:
    """Events of the generated picture against those of the sound, or of the true picture.

    Args:
        clip: The clip.
        ratio: Numerator and denominator of matched events.
        of_truth: Whether they are matched with the true picture's events.
    """
    protocol = clip.protocol
    target = clip.reference.facts(MotionChange()) if of_truth else clip.sound.facts(SoundEvents())
    times, generated = np.asarray(target["events"]), np.asarray(clip.generated.facts(MotionChange())["events"])
    moves = shifted_times(times, protocol.seconds, protocol.num_shifts) if clip.shifted else [times]
    counts = [ratio(match_events(generated, moved, protocol.tolerance)) for moved in moves]
    return tuple(np.sum(counts, axis=0))


def f1(match: EventMatch) -> tuple[float, float]:
    """Numerator and denominator of F1."""
    return 2 * match.tp, 2 * match.tp + match.fp + match.fn


def distance(match: EventMatch) -> tuple[float, float]:
    """Sum of the distances in milliseconds, and the number of pairs."""
    return 1000 * float(np.abs(match.errors).sum()), match.tp


def local(clip: ScoredClip) -> float:
    profile = None if clip.shifted else _local_profile(clip)
    return 0.0 if profile is None else profile.excess  # the mean over all shifts is 0 by definition


def local_offset(clip: ScoredClip) -> float:
    if clip.shifted:
        return 1000 * clip.protocol.seconds / 4
    profile = _local_profile(clip)
    if profile is None:
        raise Undefined("nothing moves, or nothing begins to sound")
    return 1000 * abs(profile.offset)


def _local_profile(clip: ScoredClip) -> ShiftProfile | None:
    """The profile of the picture with the sound; None where one of them is flat."""
    signals = LocalSignals()
    growth, changes = clip.sound.tensor(signals, "growth"), clip.generated.tensor(signals, "changes")
    profile = local_sync_profile(growth, changes, clip.generated.facts(signals)["fps"])
    return None if profile.reason else profile


def small_sync(clip: ScoredClip) -> float:
    observation, seconds = SmallSyncFeatures(), clip.protocol.seconds
    if clip.sound is clip.generated:
        scores = clip.generated.facts(observation)["scores"]
    else:
        vectors = clip.sound.tensor(observation, "sound"), clip.generated.tensor(observation, "video")
        scores = clip.networks.small_profile(*vectors, small_shifts(seconds))
    if np.ptp(scores) == 0:
        return 0.5  # a still picture fits at its own time as well as at any other
    places = range(1, len(scores)) if clip.shifted else [0]
    return float(np.mean([shift_rank(scores, seconds, place=place) for place in places]))


def relative(clip: ScoredClip) -> float:
    # The first of the recorded sounds is not shifted.
    phi = _phi(clip, clip.sound, clip.generated, slice(1, None) if clip.shifted else slice(1))
    true = _phi(clip, clip.reference, clip.reference, slice(1))
    return float(relative_sync(phi, np.broadcast_to(true, phi.shape)).mean())


def _phi(clip: ScoredClip, sound: Record, picture: Record, shifts: slice) -> np.ndarray:
    sounds, video = sound.tensor(SyncFeatures(), "sounds")[shifts], picture.tensor(SyncFeatures(), "video")
    return clip.networks.sync_score(sounds, video)


def aligned(clip: ScoredClip) -> float:
    timing = relative(clip)
    # A shifted sound has the same content, so only the timing changes.
    images = cosine_similarity(_frames(clip), _sound(clip.sound))[None]
    first = clip.reference.tensor(JointFeatures(), "frames")[0]
    true = cosine_similarity(first, _sound(clip.reference))
    return timing * float(align_sync([1.0], images, [float(true)])[0])


def frames_with_sound(clip: ScoredClip) -> float:
    return float(cosine_similarity(_frames(clip), _sound(clip.sound)).mean())


def frames_with_text(clip: ScoredClip) -> float:
    text = clip.networks.embed_text("imagebind", _text(clip))
    return float(cosine_similarity(_frames(clip), text).mean())


def clip_with_text(clip: ScoredClip) -> float:
    text = clip.networks.embed_text("videoclip", _text(clip))
    return float(cosine_similarity(clip.generated.tensor(WholeFeatures(), "video"), text))


def _frames(clip: ScoredClip) -> np.ndarray:
    """ImageBind's vectors of the frames, without the first if the protocol leaves it out."""
    return clip.generated.tensor(JointFeatures(), "frames")[int(clip.protocol.skip_first) :]


def _sound(record: Record) -> np.ndarray:
    """ImageBind's vector of a sound."""
    if "silent" in (facts := record.facts(JointFeatures())):
        raise Undefined(facts["silent"])
    return record.tensor(JointFeatures(), "sound")


def _text(clip: ScoredClip) -> str:
    if not clip.text:
        raise Undefined("no text: put the clips into folders named by class, or give captions in a manifest")
    return clip.text


def lips(clip: ScoredClip, score: str) -> float | tuple[float, float]:
    """``sync_c`` or ``sync_d`` of lips and voice; shifted, nothing for clips too short to go beyond the search."""
    voice, video = clip.sound.tensor(LipVectors(), "voice"), clip.generated.tensor(LipVectors(), "lips")
    count = min(len(voice), len(video))
    if not clip.shifted:
        return getattr(lip_sync(voice[:count], video[:count], max_shift=LIP_SEARCH), score)
    found = shifted_lip_sync(voice[:count], video[:count], max_shift=LIP_SEARCH)
    return float(np.mean([getattr(one, score) for one in found])) if found else (0.0, 0.0)
