"""Guidance by text and sound, without the picture: AVSyncD's (AVSyncD, section 4, equation 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from asva_unet.guidance import WeightedBranches, checked_scale, counts, scale_at

# Whether each branch is given (text, sound).
BRANCHES = {"none": (False, False), "text": (True, False), "audio": (False, True), "full": (True, True)}


@dataclass(frozen=True)
class TextAudioGuidance(WeightedBranches):
    """Scales of the two guidances, for :func:`asva_unet.guided_prediction`.

    With both, ``N + text * (T - N) + audio * (F - T)``, N given nothing, T the text, F both; with one of them alone,
    the other condition is given on both sides. A scale of 1 takes none.

    Raises:
        ValueError: If a scale is not a finite number.

    >>> TextAudioGuidance(audio=4.0).weights
    {'text': -3.0, 'full': 4.0}
    >>> TextAudioGuidance(text=3.0).weights
    {'audio': -2.0, 'full': 3.0}
    """

    text: float | Tensor = 1.0
    audio: float | Tensor = 1.0
    rescale: float = 0.0

    def __post_init__(self) -> None:
        for name in ("text", "audio"):
            object.__setattr__(self, name, checked_scale(getattr(self, name), f"{name}_guidance_scale"))

    def at(self, frame_indices: Tensor) -> TextAudioGuidance:
        """The same for some frames, where the scales differ from frame to frame."""
        return replace(self, text=scale_at(self.text, frame_indices), audio=scale_at(self.audio, frame_indices))

    @property
    def weights(self) -> dict[str, float | Tensor]:
        """Weight of each branch that counts; they sum to 1."""
        if not counts(self.audio - 1.0):
            shares = {"audio": 1.0 - self.text, "full": self.text}
        else:
            shares = {"none": 1.0 - self.text, "text": self.text - self.audio, "full": self.audio}
        return {name: share for name, share in shares.items() if counts(share)}
