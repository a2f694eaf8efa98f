"""Clips with three tracks of sound: of the synthetic world, or of a folder, taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from asva_audio import MaskDemixer, fit, load_audio, load_demucs
from asva_audio.mtv_features import level_voices
from asva_data import TrackWorld
from asva_train.fields import DataRecipe
from asva_train.stored_clips import StoredClip
from asva_train.training_clip import SAMPLE_RATE, TrainingClip

TRACKS, SECOND = ("speech", "effects", "music"), "speech2"


class TrackClips:
    """Clips of the three-track world, without end."""

    class_names = ("stage",)
    num_clips = None

    def __init__(self, recipe: DataRecipe) -> None:
        if recipe.height != recipe.width:
            raise ValueError(f"`height` must equal `width` in the synthetic world, got {recipe.height}x{recipe.width}.")
        self.world = TrackWorld(recipe.seed, size=recipe.height, num_frames=recipe.num_frames, fps=recipe.fps)

    def __getitem__(self, index: int) -> TrainingClip:
        clip = self.world[index]
        return TrainingClip(
            frames=clip.frames,
            waveform=clip.waveform[0],
            caption=clip.caption,
            motion_curve=clip.moving.mean(axis=(1, 2)).astype(np.float32),
            class_index=0,
            moving=clip.moving,
            visible=(0,),
            stems=np.concatenate([clip.stems[name] for name in TRACKS]),
        )

    def class_at(self, index: int) -> int:
        del index
        return 0

    def caption_at(self, index: int) -> str:
        """Words of a clip, without making it."""
        return self.world.caption_of(index)


def stems_of(clip: TrainingClip, tracks: Literal["separate", "mix"], demixer: str | Path = "masks") -> np.ndarray:
    """(3, s) the tracks of a clip at MTV's levels, (4, s) with a second voice: as they are known, or taken apart.

    Args:
        clip: With a sound at 16 kHz.
        tracks: "mix" gives the whole sound three times.
        demixer: What takes a sound apart whose tracks are not known: masks, or an HTDemucs checkpoint.
    """
    waveform = torch.as_tensor(clip.waveform)[None]
    if tracks == "mix":
        sounds = dict.fromkeys(TRACKS, waveform)
    elif clip.stems is not None:
        sounds = named_tracks(torch.as_tensor(clip.stems)[:, None])
    else:
        sounds = dict((MaskDemixer() if demixer == "masks" else _network(demixer))(waveform, SAMPLE_RATE).items())
    return torch.cat(list(level_voices(sounds).values())).numpy()


def named_tracks(stems: Sequence[torch.Tensor] | torch.Tensor) -> dict[str, torch.Tensor]:
    """Three tracks by their names, or four with a second voice."""
    return dict(zip((*TRACKS, SECOND)[: len(stems)], stems, strict=True))


_network = lru_cache(maxsize=1)(load_demucs)  # once in each process that prepares clips


def mtv_view(
    clip: TrainingClip | StoredClip,
    generator: torch.Generator,
    tracks: Literal["separate", "mix"] = "separate",
    demixer: str | Path = "masks",
) -> dict:
    """A clip as MTV trains on it: ``frames`` (t, h, w, 3), ``stems`` (3 or 4, s), ``caption``, ``moving`` (t, h, w).

    Of a stored clip, latents as ``frames``, ``text`` and features of each track.
    """
    del generator
    if isinstance(clip, StoredClip):
        return {"frames": clip.frames} | clip.tokens
    return {
        "frames": clip.frames,
        "stems": stems_of(clip, tracks, demixer),
        "caption": clip.caption,
        "moving": clip.moving,
    }


def stems_folder(video: Path, root: Path, stems: str) -> Path:
    """Where the tracks of a video's sound lie, as `asva demix` writes them; of `root`'s videos at the same places.

    Raises:
        ValueError: If there are none.
    """
    place = video if stems == "beside" else Path(stems) / video.relative_to(root)
    folder = place.with_suffix("")
    if lacking := [name for name in TRACKS if not (folder / f"{name}.wav").is_file()]:
        raise ValueError(
            f"`data.stems` must hold speech.wav, effects.wav and music.wav of each video, got no {lacking[0]}.wav in "
            f"{folder}. `asva data stems` writes them."
        )
    return folder


def read_stems(folder: Path, start: float, seconds: float, voices: int) -> np.ndarray:
    """(2 + voices, s) a piece of the stored tracks: speech, effects, music, and ``speech2.wav`` of a second person.

    Raises:
        ValueError: If one is missing or cannot be read.
    """
    names = (*TRACKS, SECOND)[: 2 + voices]
    sounds = [
        load_audio(folder / f"{name}.wav", sample_rate=SAMPLE_RATE, start=start, duration=seconds) for name in names
    ]
    return torch.cat([fit(sound, seconds).waveform for sound in sounds]).numpy()
