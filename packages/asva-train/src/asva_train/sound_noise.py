"""Sounds that do not fit their pictures, as in noisily curated data (open-domain, section 3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asva_train.fields import DataRecipe
from asva_train.training_clip import ClipSource, TrainingClip

LAST = 2**31


class NoisySounds:
    """Clips of a source, some with another clip's sound, with their own at other times, or with one more mixed in.

    What happens to a clip depends on the seed and its index alone; the three are drawn independently and happen in
    this order. A shift is a rotation by an eighth to seven eighths of the clip. A sound mixed in is of a class that is
    not in the picture, as loud as it is; the mix is scaled down where it would clip.

    Raises:
        ValueError: If sounds off screen are wanted and there is but one class.
    """

    def __init__(self, source: ClipSource, recipe: DataRecipe):
        self.source, self.recipe = source, recipe
        self.class_names, self.num_clips = source.class_names, source.num_clips
        self.remark = getattr(source, "remark", "")
        names = recipe.classes if recipe.kind == "synthetic" and recipe.classes else self.class_names
        self.heard = {self.class_names.index(name) for name in names}
        if recipe.off_screen_sound and len(self.heard) < 2:
            raise ValueError(
                f"`data.off_screen_sound` must be 0 where there is but one class, got {recipe.off_screen_sound}."
            )

    def __getitem__(self, index: int) -> TrainingClip:
        recipe, clip = self.recipe, self.source[index]
        draws = np.random.default_rng([recipe.seed, 7, index])
        wrong, shifted, mixed = draws.random(3) < (recipe.wrong_sound, recipe.shifted_sound, recipe.off_screen_sound)
        sound = clip.waveform
        if wrong:
            sound = self.source[int(draws.integers(LAST))].waveform
        if shifted:
            sound = np.roll(sound, round(draws.uniform(1 / 8, 7 / 8) * len(sound)))
        if mixed and (other := self._off_screen(clip, draws)) is not None:
            sound = sound + other
            sound = sound / max(1.0, float(np.abs(sound).max()))
        return replace(clip, waveform=sound.astype(np.float32, copy=False))

    def class_at(self, index: int) -> int:
        return self.source.class_at(index)

    def _off_screen(self, clip: TrainingClip, draws: np.random.Generator) -> np.ndarray | None:
        """A sound of a class that is not in the picture; none if the picture holds all."""
        if self.heard <= set(clip.visible):
            return None
        while True:
            index = int(draws.integers(LAST))
            if self.source.class_at(index) not in clip.visible:
                return self.source[index].waveform
