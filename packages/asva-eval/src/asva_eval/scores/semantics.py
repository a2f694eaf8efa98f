"""Whether pictures show what the sound and the words say: IA, IT, Audio-C, Text-C, and Temp-C beside them."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from asva_eval.network_observations import ImageFeatures, JointFeatures, WholeFeatures
from asva_eval.scores.base import Ratio, Score, Undefined, strict
from asva_metrics import cosine_similarity, temporal_consistency


@strict
class ImageAudio(Score):
    """Mean cosine of the frames with the sound in ImageBind's space (IA of AVSyncD, Audio-C of MTV)."""

    score: Literal["ia"] = "ia"

    title: ClassVar = "IA, frames with sound"
    better: ClassVar = "higher"
    blind_to: ClassVar = "time: a still picture of the right thing does well"
    chance_rule: ClassVar = "sounds of other clips (a shifted sound has the same content)"
    chances: ClassVar = ("swapped",)
    needs: ClassVar = ("imagebind",)
    frozen_wins: ClassVar = True

    def observations(self, protocol):
        return (JointFeatures(stereo=protocol.stereo),)

    def of_clip(self, clip, sound, protocol, networks):
        return Ratio(float(cosine_similarity(frames_of(clip.generated, protocol), sound_of(sound, protocol)).mean()))


@strict
class ImageText(Score):
    """Mean cosine of the frames with the text in ImageBind's space (IT of AVSyncD)."""

    score: Literal["it"] = "it"

    title: ClassVar = "IT, frames with text"
    better: ClassVar = "higher"
    blind_to: ClassVar = "time and sound: a still picture of the right thing does well"
    needs: ClassVar = ("imagebind", "tokenizer")
    frozen_wins: ClassVar = True

    def observations(self, protocol):
        return (JointFeatures(stereo=protocol.stereo),)

    def of_clip(self, clip, sound, protocol, networks):
        text = networks.embed_text("imagebind", text_of(clip))
        return Ratio(float(cosine_similarity(frames_of(clip.generated, protocol), text).mean()))


@strict
class TextConsistency(Score):
    """Cosine of the clip with the text by VideoCLIP-XL (Text-C of MTV)."""

    score: Literal["text_c"] = "text_c"

    title: ClassVar = "Text-C, clip with text"
    better: ClassVar = "higher"
    blind_to: ClassVar = "the sound, and what 8 frames do not show"
    needs: ClassVar = ("videoclip", "tokenizer")
    frozen_wins: ClassVar = True

    def observations(self, protocol):
        return (WholeFeatures(),)

    def of_clip(self, clip, sound, protocol, networks):
        text = networks.embed_text("videoclip", text_of(clip))
        return Ratio(float(cosine_similarity(clip.generated.tensor(WholeFeatures(), "video"), text)))


@strict
class TemporalConsistency(Score):
    """Mean cosine of neighbouring frames by CLIP (Temp-C of MTV)."""

    score: Literal["temp_c"] = "temp_c"

    title: ClassVar = "Temp-C, frame with frame"
    better: ClassVar = "higher"
    blind_to: ClassVar = "everything but sudden change: less motion scores higher, a frozen video highest"
    needs: ClassVar = ("clip",)
    frozen_wins: ClassVar = True

    def observations(self, protocol):
        return (ImageFeatures(),)

    def of_clip(self, clip, sound, protocol, networks):
        return Ratio(float(temporal_consistency(clip.generated.tensor(ImageFeatures(), "frames"))))


def frames_of(record, protocol) -> np.ndarray:
    """ImageBind's vectors of a clip's frames, without the first if the protocol leaves it out."""
    frames = record.tensor(JointFeatures(stereo=protocol.stereo), "frames")
    return frames[int(protocol.skip_first) :]


def sound_of(record, protocol) -> np.ndarray:
    """ImageBind's vector of a clip's sound.

    Raises:
        Undefined: If there is none.
    """
    observation = JointFeatures(stereo=protocol.stereo)
    if "silent" in record.facts(observation):
        raise Undefined(record.facts(observation)["silent"])
    return record.tensor(observation, "sound")


def text_of(clip) -> str:
    """The text of a clip.

    Raises:
        Undefined: If it has none.
    """
    if not clip.text:
        raise Undefined("no text: put the clips into folders named by class, or give captions in a manifest")
    return clip.text
