"""Clips of a training, from the synthetic world or from a folder of videos with sound."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from asva_audio import load_audio
from asva_data import SyntheticWorld, VideoFolder
from asva_data.synthetic.catalogue import CLASSES
from asva_keyframe import motion_curve
from asva_train.draws import generator_at
from asva_train.fields import DataRecipe
from asva_train.mtv_clips import TrackClips, read_stems, stems_folder
from asva_train.shots import choose_shots, draw_shots, endless_draws, epoch_place
from asva_train.sound_noise import NoisySounds
from asva_train.stored_clips import StoredClips
from asva_train.training_clip import SAMPLE_RATE, ClipSource, TrainingClip


class SyntheticClips:
    """Clips of the synthetic world: without end, or some of each class that come again in an order of their own."""

    def __init__(self, recipe: DataRecipe):
        self.recipe = recipe
        if recipe.height != recipe.width:
            raise ValueError(f"`height` must equal `width` in the synthetic world, got {recipe.height}x{recipe.width}.")
        self.world = SyntheticWorld(
            recipe.seed,
            size=recipe.height,
            num_frames=recipe.num_frames,
            fps=recipe.fps,
            classes=recipe.classes or None,
            two_objects=recipe.two_objects,
        )
        self.class_names = tuple(CLASSES)
        self.chosen = None
        if recipe.shots is not None:
            draws = endless_draws(recipe.shots_seed, self.world.class_of)
            self.chosen = choose_shots(draws, self.world.classes, recipe.shots)
        self.num_clips = None if self.chosen is None else len(self.chosen)

    def __getitem__(self, index: int) -> TrainingClip:
        clip = self.world[self._place(index)]
        return TrainingClip(
            frames=clip.frames,
            waveform=clip.waveform[0],
            caption=clip.caption,
            motion_curve=motion_at(self.recipe, clip.motion_score, len(clip.frames)),
            class_index=self.class_names.index(clip.class_name),
            moving=clip.mask,
            visible=tuple(self.class_names.index(thing["class"]) for thing in clip.scene["objects"]),
        )

    def class_at(self, index: int) -> int:
        return self.class_names.index(self.world.class_of(self._place(index)))

    def _place(self, index: int) -> int:
        if self.chosen is None:
            return index
        return self.chosen[epoch_place(index, len(self.chosen), self.recipe.seed)[1]]


class FolderClips:
    """Clips of a folder of videos with sound; every epoch visits each video once, in an order of its own.

    `remark` says which of the videos are taken.
    """

    def __init__(self, recipe: DataRecipe):
        if recipe.root is None:
            raise ValueError("`data.root` must be a folder of videos, got none. Give it with --data.")
        self.recipe = recipe
        self.folder = VideoFolder(
            recipe.root,
            split=recipe.split,
            caption=recipe.captions,
            num_frames=recipe.num_frames,
            fps=recipe.fps,
            size=(recipe.height, recipe.width),
            framing=recipe.framing,
            motion_scores=recipe.motion_scores,
            load_audio=partial(load_audio, sample_rate=SAMPLE_RATE, stereo=recipe.stereo),
            seed=recipe.seed,
            as_uint8=True,
        )
        self.remark = _remark(self.folder, recipe.split)
        names = [entry.class_name for entry in self.folder.entries]
        self.class_names = tuple(sorted(set(names)))
        if recipe.shots is not None:
            chosen = draw_shots(names.__getitem__, len(names), self.class_names, recipe.shots, recipe.shots_seed)
            self.folder.entries = [self.folder.entries[place] for place in chosen]
        self.num_clips = len(self.folder)
        if recipe.stems is not None:
            for entry in self.folder.entries:
                stems_folder(entry.path, self.folder.root, recipe.stems)  # raises where there are none

    def __getitem__(self, index: int) -> TrainingClip:
        epoch, place = epoch_place(index, len(self.folder), self.recipe.seed)
        self.folder.set_epoch(epoch)
        return self.clip_of(self.folder[place], index)

    def clip_of(self, sample: dict, index: int) -> TrainingClip:
        """The clip of a piece of the folder that comes at ``index`` of the run."""
        frames = sample["frames"].numpy()
        if self.recipe.flip and torch.rand((), generator=generator_at(self.recipe.seed, 6, index)) < self.recipe.flip:
            frames = np.ascontiguousarray(frames[:, :, ::-1])
        score = sample.get("motion_score")
        pairs = motion_curve(frames) if score is None else score[1:].numpy()
        class_index, stems = self.class_names.index(sample["class_name"]), None
        if self.recipe.stems is not None:
            home = stems_folder(Path(sample["path"]), self.folder.root, self.recipe.stems)
            stems = read_stems(home, sample["start"], self.folder.duration, self.recipe.voices)
        return TrainingClip(
            frames=frames,
            waveform=sample["waveform"][0].numpy(),
            caption=sample["caption"],
            motion_curve=motion_at(self.recipe, pairs, len(frames)),
            class_index=class_index,
            moving=np.ones(frames.shape[:3], bool),
            visible=(class_index,),
            stems=stems,
        )

    def class_at(self, index: int) -> int:
        place = epoch_place(index, len(self.folder), self.recipe.seed)[1]
        return self.class_names.index(self.folder.entries[place].class_name)


def _remark(folder: VideoFolder, split: str) -> str:
    """Which videos of a folder are taken, in words."""
    taken, broken = folder.taken, len(folder.broken)
    said = f"{len(folder)} videos of {taken.listed or taken.videos}"
    if broken:
        said += f", {broken} more that cannot be used"
    if taken.listed is not None:
        return f"{said}; {taken.left_out} others of the folder are left out"
    return said if split == "all" else f"{said}; no list keeps any for a test (`asva data prepare` writes one)"


def motion_at(recipe: DataRecipe, curve: np.ndarray, num_frames: int) -> np.ndarray:
    """Motion from each frame to the next, counted as the recipe says, (num_frames,) float32."""
    pairs = np.asarray(curve, np.float32)[: num_frames - 1]
    return np.r_[pairs, pairs[-1:]] if recipe.motion_at == "start" else np.r_[pairs[:1], pairs]


def clip_source(recipe: DataRecipe) -> ClipSource:
    """The clips that a recipe names.

    Raises:
        ValueError: If there are none, or fewer of a class than the recipe wants.
    """
    makers = {"synthetic": SyntheticClips, "folder": FolderClips, "tracks": TrackClips, "latents": StoredClips}
    source = makers[recipe.kind](recipe)
    noisy = recipe.wrong_sound or recipe.off_screen_sound or recipe.shifted_sound
    return NoisySounds(source, recipe) if noisy and recipe.kind in ("synthetic", "folder") else source
