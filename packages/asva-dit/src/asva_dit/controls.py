"""Layers by which a video transformer hears: audio windows (open-domain, section 4) and MTV's streams (section 4.2)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor, nn

from asva_dit.audio_tokens import AudioTokens
from asva_dit.from_transformer import draw_layers
from asva_dit.injection import BlockAudio, BlockControl, IntervalInjection
from asva_dit.interval_interaction import IntervalInteraction
from asva_weights.text import reading

_EMBEDDED = 64  # numbers that a time is told by


class Features(NamedTuple):
    """Audio features of clips, of one layer of an encoder or of one track.

    Attributes:
        tokens: (b, n, d).
        times: (n,) seconds from the beginning of the clip.
    """

    tokens: Tensor
    times: Tensor


class Control(ModelMixin, ConfigMixin):
    """What all controls share: which blocks of a backbone hear, and the widths on both sides.

    Args:
        backbone: Name of the :class:`asva_dit.backbones.Backbone`.
        dim: Width of its tokens.
        num_blocks: Its blocks.
        frames_per_latent: Frames of its latent frames.
        fps: Frames per second that the control has learned at; None takes any.
        num_frames: Frames of the clips that it has learned on, if known; it takes others.
        sources: Width of the features by name: layers of encoders, or tracks.
        interval: Every how many blocks the sound enters, from block 0 on.
        audio_dim: Width of an audio token.
        num_heads: Heads of the attention to the sound.
        head_dim: Width of a head.
    """

    config_name = "config.json"
    layers: Any  # a list of modules, one for each block that hears

    def encode(self, features: Mapping[str, Features], frame_times: Tensor) -> Any:
        """All that does not depend on the noise: features of each source for latent frames at (t,) seconds."""
        raise NotImplementedError

    def enter(self, heard: Any, time: Tensor) -> Any:
        """The same at one noise level (b,) of the backbone, out of 1000."""
        del time
        return heard

    def add(self, layer: int, hidden_states: Tensor, heard: Any) -> Tensor:
        """What a layer adds to (b, t * n, d) video tokens."""
        raise NotImplementedError

    def silence_(self) -> None:
        """Put what writes into the video tokens to zero, so that nothing is added."""
        raise NotImplementedError

    def check(self, features: Mapping[str, Features]) -> None:
        """Raise ValueError if the features are not those that this control was made for."""
        wanted = dict(self.config["sources"])
        got = {name: part.tokens.shape[-1] for name, part in features.items()}
        if got != wanted:
            raise ValueError(f"`features` must have the widths {wanted}, got {got}.")


class AudioWindows(Control):
    """Each latent frame attends to the audio tokens within a radius of its time (open-domain, section 4).

    Features of several encoders and layers are projected to one width. A token also carries how far it is from the
    middle of the latent frame, ours: one latent frame shows several frames, and features need not know their time.

    Args:
        radius: Of the window, in latent frames to each side of the middle.
        rest: See :class:`Control`.
    """

    @register_to_config
    def __init__(
        self,
        backbone: str,
        dim: int,
        num_blocks: int,
        frames_per_latent: int,
        sources: dict[str, int],
        fps: float | None = None,
        num_frames: int | None = None,
        interval: int = 1,
        audio_dim: int = 512,
        num_heads: int = 16,
        head_dim: int = 64,
        radius: float = 1.5,
    ) -> None:
        super().__init__()
        self.projections = nn.ModuleDict({_key(name): nn.Linear(width, audio_dim) for name, width in sources.items()})
        self.distance = nn.Sequential(nn.Linear(_EMBEDDED, audio_dim), nn.SiLU(), nn.Linear(audio_dim, audio_dim))
        self.norm = nn.LayerNorm(audio_dim)
        self.layers = nn.ModuleList(
            IntervalInjection(dim, audio_dim, num_heads, head_dim) for _ in range(0, num_blocks, interval)
        )
        self.silence_()

    @torch.no_grad()
    def silence_(self) -> None:
        """See :class:`Control`."""
        for layer in self.layers:
            layer.to_out.weight.zero_()
            layer.to_out.bias.zero_()

    def encode(self, features: Mapping[str, Features], frame_times: Tensor) -> tuple[Tensor, Tensor]:
        """(b, t, w, d) tokens of each latent frame's window, and (t, w) which of them are there."""
        tokens = torch.cat([self.projections[_key(name)](part.tokens) for name, part in features.items()], dim=1)
        away = torch.cat([part.times for part in features.values()]).to(frame_times)[None] - frame_times[:, None]
        away = away / _step(frame_times)  # (t, n) latent frames
        inside = away.abs() <= self.config["radius"] + 1e-6
        if not inside.any(dim=1).all():
            raise ValueError(f"`radius` must leave every latent frame a token, got {self.config['radius']}: widen it.")
        place = (~inside).byte().argsort(dim=1, stable=True)[:, : int(inside.sum(dim=1).max())]  # (t, w)
        told = get_timestep_embedding(away.gather(1, place).flatten().float(), _EMBEDDED, scale=100.0)
        told = self.distance(told.to(tokens)).unflatten(0, place.shape)
        return self.norm(tokens[:, place.to(tokens.device)] + told), inside.gather(1, place).to(tokens.device)

    def add(self, layer: int, hidden_states: Tensor, heard: tuple[Tensor, Tensor]) -> Tensor:
        """See :class:`Control`."""
        return self.layers[layer](hidden_states, heard[0], inside=heard[1])


class MultiStream(Control):
    """MTV's streams on any backbone: speech and effects meet in each latent frame, music sets a style (section 4.2).

    Of each track the features around a latent frame are read at equal distances, whatever their rate.

    Args:
        sources: Tracks, any of speech, effects and music; one that is not among them stays silent. See :class:`Control`
            for the others.
        samples: Places at which the features of a latent frame are read.
        context: Latent frames before and behind that are read too, as a share of one.
        num_tokens: Tokens of a latent frame and track.
        hidden_dim: Width between the linear layers that make them.
        interaction_layers: Blocks in which speech and effects look at each other.
        interaction_heads: Their heads.
    """

    @register_to_config
    def __init__(
        self,
        backbone: str,
        dim: int,
        num_blocks: int,
        frames_per_latent: int,
        sources: dict[str, int],
        fps: float | None = None,
        num_frames: int | None = None,
        interval: int = 1,
        audio_dim: int = 512,
        num_heads: int = 16,
        head_dim: int = 64,
        samples: int = 16,
        context: float = 0.5,
        num_tokens: int = 16,
        hidden_dim: int = 512,
        interaction_layers: int = 4,
        interaction_heads: int = 16,
    ) -> None:
        super().__init__()
        if unknown := sorted(set(sources) - {"speech", "effects", "music"}):
            raise ValueError(f"`sources` must be among speech, effects and music, got {unknown}.")
        shape: dict[str, Any] = {
            "hidden_dim": hidden_dim,
            "num_tokens": num_tokens,
            "dim": audio_dim,
            "temporal": "latent",
        }
        self.tracks = nn.ModuleDict(
            {name: AudioTokens(window=samples, layers=1, channels=width, **shape) for name, width in sources.items()}
        )
        self.time = nn.Sequential(nn.Linear(_EMBEDDED, audio_dim), nn.SiLU(), nn.Linear(audio_dim, audio_dim))
        self.interaction = IntervalInteraction(interaction_layers, audio_dim, interaction_heads, audio_dim)
        self.layers = nn.ModuleList(
            BlockControl(dim, audio_dim, num_heads, head_dim) for _ in range(0, num_blocks, interval)
        )
        self.silence_()

    def silence_(self) -> None:
        """See :class:`Control`."""
        for layer in self.layers:
            layer.zero_()

    def encode(self, features: Mapping[str, Features], frame_times: Tensor) -> dict[str, Tensor]:
        """(b, t, n, d) tokens of each track; of music their mean, (b, d)."""
        count, step = self.config["samples"], _step(frame_times)
        spread = (torch.arange(count, dtype=torch.float64) + 0.5) / count - 0.5
        places = frame_times[:, None] + spread * (1 + 2 * self.config["context"]) * step
        heard = {name: self.tracks[name](_read(part, places)[:, :, :, None]) for name, part in features.items()}
        return heard | ({"music": heard["music"].mean(dim=(1, 2))} if "music" in heard else {})

    def enter(self, heard: dict[str, Tensor], time: Tensor) -> BlockAudio:
        """See :class:`Control`."""
        speech, effects, music = (heard.get(name) for name in ("speech", "effects", "music"))
        one = next((track for track in (speech, effects) if track is not None), None)
        if one is not None:
            told = get_timestep_embedding(time, _EMBEDDED).to(one.dtype)
            quiet = torch.zeros_like(one)
            speech, effects = (quiet if track is None else track for track in (speech, effects))
            speech, effects = self.interaction(speech[:, None], effects, self.time(told))
        return BlockAudio(speech, effects, music)

    def add(self, layer: int, hidden_states: Tensor, heard: BlockAudio) -> Tensor:
        """See :class:`Control`."""
        return self.layers[layer](hidden_states, heard) - hidden_states


def _read(part: Features, places: Tensor) -> Tensor:
    """(b, t, s, d) features at (t, s) seconds, in straight lines between those that are there."""
    times, flat = part.times.double().cpu(), places.flatten()
    right = torch.searchsorted(times, flat).clamp(1, len(times) - 1)
    left = right - 1
    share = ((flat - times[left]) / (times[right] - times[left])).clamp(0, 1).to(part.tokens)[None, :, None]
    left, right = (place.to(part.tokens.device) for place in (left, right))
    read = part.tokens[:, left] * (1 - share) + part.tokens[:, right] * share
    return read.unflatten(1, places.shape)


def _step(frame_times: Tensor) -> float:
    """Seconds from one latent frame to the next; of a single one, twice its middle."""
    return float(frame_times[-1] - frame_times[-2]) if len(frame_times) > 2 else 2 * float(frame_times[-1])


def _key(name: str) -> str:
    return name.replace(".", "-")


CONTROLS: dict[str, type[Control]] = {"AudioWindows": AudioWindows, "MultiStream": MultiStream}


def make_control(kind: str, wanted: Mapping[str, Any], generator: torch.Generator | None = None) -> Control:
    """A control that adds nothing yet, on the CPU.

    Args:
        kind: A name of :data:`CONTROLS`.
        wanted: Its arguments.
        generator: Draws its layers; a fresh one if None.

    Raises:
        ValueError: If there is no such control.
    """
    if kind not in CONTROLS:
        raise ValueError(f"`control` must be one of {', '.join(CONTROLS)}, got {kind!r}.")
    with torch.device("meta"):
        control = CONTROLS[kind](**wanted)
    draw_layers(control, generator)
    control.silence_()
    return control


def read_control(folder: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> Control:
    """A control as `save_pretrained` wrote it, its folder whole.

    Raises:
        ValueError: If it is none, or is damaged.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise ValueError(f"`control` must be the folder of a control, got '{folder}', which has no config.json.")
    with reading(path, "`control` must hold a configuration"):
        kind = json.loads(path.read_text(encoding="utf-8")).get("_class_name")
    if kind not in CONTROLS:
        raise ValueError(f"`control` must be one of {', '.join(CONTROLS)}, got {kind} in '{folder}'.")
    control, told = CONTROLS[kind].from_pretrained(folder, torch_dtype=dtype, output_loading_info=True)
    if wrong := sorted(name for part in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in told[part]):
        raise ValueError(f"`control` must hold the weights of its configuration, got '{folder}': {wrong[:3]}.")
    return control
