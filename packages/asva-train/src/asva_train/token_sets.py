"""Which tokens a method's network is told, as far as nothing that learns has touched them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from asva_audio import segment_tokens
from asva_pipelines.keyvid.tokens import audio_tokens
from asva_pipelines.loading.folders import method_of_model
from asva_train.components import read_component
from asva_train.errors import RunError
from asva_train.fields import DataRecipe
from asva_train.task_recipes import AudioWindowRecipe, MTVRecipe
from asva_unet.losses.audio_window import layer_tokens, tap_name

METHOD_OF_TASK = {
    "keyframe": "keyvid",
    "interp": "keyvid",
    "avsyncd": "avsyncd",
    "i2vd": "i2vd",
    "audio-window": "audio-window",
    "mtv": "mtv",
}
_SEEING = ("keyvid", "audio-window")


@dataclass(frozen=True, kw_only=True)
class TokenSet:
    """Tokens of the words, of the first frame where the method looks at it, and of the sound in the method's form.

    Attributes:
        method: ``"keyvid"`` hears the audio trunk, ``"avsyncd"`` its normalised tokens, ``"audio-window"`` layers of
            several encoders, ``"mtv"`` features of each track, ``"hear"`` what a control's ears give, ``"i2vd"``
            nothing.
        taps: For each audio encoder of ``"audio-window"`` the blocks heard, counted from 0.
        tracks: What the tracks of ``"mtv"`` are, as its recipe says.
        stems: How it takes sounds apart, or ``"stored"``.
        voices: Of its speech.
    """

    method: str
    taps: dict[str, list[int]] = field(default_factory=dict)
    tracks: str = ""
    stems: str = ""
    voices: int = 0

    @property
    def ears(self) -> tuple[str, ...]:
        """The audio encoders, by component."""
        if self.method in ("keyvid", "avsyncd", "mtv"):
            return ("audio_encoder",)
        return tuple(self.taps)

    @property
    def towers(self) -> tuple[str, ...]:
        """The encoders of words and picture, by component."""
        return ("text_encoder", "image_encoder") if self.method in _SEEING else ("text_encoder",)

    def hear(self, encoders: Mapping[str, Any], heard: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tokens (b, n, d) by name, of the spectrogram that each audio encoder hears."""
        if self.method == "keyvid":
            return {
                "audio": audio_tokens(
                    encoders["audio_encoder"], heard["audio_encoder"], encoders["audio_encoder"].device
                )
            }
        if self.method == "avsyncd":
            return {"audio": segment_tokens(encoders["audio_encoder"], heard["audio_encoder"])}
        return {
            tap_name(ear, layer): tokens
            for ear, layers in self.taps.items()
            for layer, tokens in zip(layers, layer_tokens(encoders[ear], heard[ear], layers), strict=True)
        }

    def check_holds(self, wanted: TokenSet, root: Path) -> None:
        """See that shards with this set have what a training wants; without sound it may have any.

        Raises:
            ValueError: If they have not.
        """
        if wanted.method not in ("i2vd", self.method):
            raise ValueError(
                f"`data.root` must hold the sound as {wanted.method} hears it, got {root}, made for {self.method}. "
                f"Run `asva data precompute` with this training's recipe."
            )
        for name in ("tracks", "stems", "voices") if wanted.method == "mtv" else ():
            if getattr(self, name) != getattr(wanted, name):
                raise ValueError(f"`{name}` must be {getattr(self, name)}, as in {root}, got {getattr(wanted, name)}.")
        for ear, layers in wanted.taps.items():
            if missing := sorted(set(layers) - set(self.taps.get(ear, ()))):
                raise ValueError(
                    f"`taps.{ear}` must be among the blocks {self.taps.get(ear, [])} that {root} holds, got {missing}. "
                    f"Run `asva data precompute` with these taps."
                )

    def record(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def clip_seconds(data: DataRecipe) -> float:
    """How long a clip and its sound are."""
    return data.num_frames / data.fps


def check_taps(taps: Mapping[str, Sequence[int]], encoders: Mapping[str, Any]) -> None:
    """See that audio encoders have the blocks that are to be heard.

    Raises:
        RunError: If one has not, or none of it is named.
    """
    for ear, layers in taps.items():
        count = encoders[ear].config.num_hidden_layers
        if not layers or min(layers) < 0 or max(layers) >= count:
            raise RunError(f"`taps.{ear}` must name blocks from 0 to {count - 1}, got {list(layers)}.")


def tokens_of_recipe(recipe: Any) -> TokenSet | None:
    """What a training wants; None of one that needs the videos themselves."""
    method = "hear" if recipe.task == "control" else METHOD_OF_TASK.get(recipe.task)
    if method is None:
        return None
    if isinstance(recipe, MTVRecipe):
        stems = str(recipe.stems) if recipe.data.stems is None else "stored"
        return TokenSet(method=method, tracks=recipe.tracks, stems=stems, voices=recipe.data.voices)
    taps = recipe.taps if isinstance(recipe, AudioWindowRecipe) else {}
    return TokenSet(method=method, taps={ear: sorted(set(taps[ear])) for ear in sorted(taps)})


def tokens_of_model(folder: Path) -> TokenSet:
    """What a training would want that goes on from a model.

    Raises:
        ModelError: If the folder is damaged or of no method.
        RunError: If its method does not train from tokens.
    """
    method = method_of_model(folder).name
    if method not in METHOD_OF_TASK.values():
        raise RunError(
            f"`model` must be of {', '.join(sorted(set(METHOD_OF_TASK.values())))}, got {folder}, of {method}. "
            f"Name the training that is wanted by its recipe."
        )
    if method == "mtv":
        return TokenSet(method=method, tracks="separate", stems="masks", voices=1)
    if method != "audio-window":
        return TokenSet(method=method)
    layers = read_component("taps", folder / "taps").layers
    return TokenSet(method=method, taps={ear: sorted(layers[ear]) for ear in sorted(layers)})
