"""A control on a loaded transformer of diffusers, by hooks: its class, weights and keys stay what they are."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from asva_dit.backbones import Backbone, backbone_of
from asva_dit.controls import Control, Features

_PLACE = "asva_control"  # in the transformer's dictionary: not a submodule, so no key, LoRA or offload meets it


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """What a transformer hears until it is told otherwise.

    Attributes:
        features: By the names of the control's `sources`.
        fps: Frames per second of the video.
        scale: Factor of what the control adds.
        guidance_scale: Of the prediction with this sound against a weaker one; 1 is none.
        against: The weaker one: ``"off"``, the network without its control, or ``"shifted"``, the same sound at another
            time (off-sync guidance, Syncphony's idea).
        shift: Seconds of that; half of the clip if None.
    """

    features: Mapping[str, Features]
    fps: float
    scale: float = 1.0
    guidance_scale: float = 1.0
    against: Literal["off", "shifted"] = "off"
    shift: float | None = None

    def shifted(self, seconds: float) -> dict[str, Features]:
        """The features turned around by `shift` in a clip of so many seconds."""
        by, turned = seconds / 2 if self.shift is None else self.shift, {}
        for name, part in self.features.items():
            times, order = ((part.times + by) % seconds).sort(stable=True)
            turned[name] = Features(part.tokens[:, order.to(part.tokens.device)], times)
        return turned


class Controlled:
    """Hooks between a transformer and its control, and what is heard now."""

    def __init__(self, transformer: Any, control: Control, backbone: Backbone) -> None:
        self.transformer, self.control, self.backbone = transformer, control, backbone
        self.hearing: Hearing | None = None
        self._weak = False
        self._entered: Any = None
        self._encoded: dict[tuple, Any] = {}
        self._names = list(inspect.signature(type(transformer).forward).parameters)[1:]
        self.hooks = [
            transformer.register_forward_pre_hook(self._begin, with_kwargs=True),
            transformer.register_forward_hook(self._guide, with_kwargs=True),
        ]
        blocks = backbone.blocks_of(transformer)
        for layer, block in enumerate(blocks[:: control.config["interval"]]):
            self._enter_block(layer, block)

    def listen(self, hearing: Hearing | None) -> None:
        """Hear this from now on; None is the base alone.

        Raises:
            ValueError: If it does not fit the control.
        """
        if hearing is not None:
            self.control.check(hearing.features)
            own = self.control.config["fps"]
            if own is not None and abs(own - hearing.fps) > 1e-6:
                raise ValueError(f"`fps` must be {own:g}, at which the control has learned, got {hearing.fps:g}.")
            if hearing.against not in ("off", "shifted"):
                raise ValueError(f"`against` must be off or shifted, got {hearing.against}.")
        self.hearing, self._encoded = hearing, {}

    def _begin(self, _: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Before the blocks: the sound of every latent frame at this noise level."""
        self._entered, hearing = None, self.hearing
        if hearing is None or (self._weak and hearing.against == "off"):
            return
        given = dict(zip(self._names[: len(args)], args, strict=True)) | kwargs
        latents = given["hidden_states"]
        heard = self._encode(hearing, self.backbone.frames_in(given), latents)
        time = torch.as_tensor(given["timestep"], device=latents.device).reshape(-1)
        time = time.unflatten(0, (len(latents), -1)).amax(dim=1) if len(time) > 1 else time.expand(len(latents))
        self._entered = self.control.enter(heard, time)

    def _encode(self, hearing: Hearing, frames: int, latents: Tensor) -> Any:
        """What the control keeps of the sound for so many latent frames; made once for all steps."""
        key = (frames, len(latents), latents.device, self._weak)
        if key not in self._encoded:
            self.control.to(latents.device)
            seconds = self._check_length(hearing, frames)
            features = hearing.shifted(seconds) if self._weak else hearing.features
            dtype = self.control.dtype
            given = {
                name: Features(
                    part.tokens.to(latents.device, dtype)[torch.arange(len(latents)) % len(part.tokens)], part.times
                )
                for name, part in features.items()
            }
            encoded = self.control.encode(given, self.backbone.frame_times(frames, hearing.fps))
            if torch.is_grad_enabled():
                return encoded
            self._encoded[key] = encoded
        return self._encoded[key]

    def _check_length(self, hearing: Hearing, frames: int) -> float:
        """Seconds of so many latent frames, which the features must last."""
        step = self.backbone.frames_per_latent / hearing.fps
        seconds = (frames - 1) * step + 1 / hearing.fps
        for name, part in hearing.features.items():
            last = float(part.times.max())
            if last < min(step, seconds) / 2:
                raise ValueError(f"`features` must last one latent frame, {step:g} s, got {last:g} s of {name}.")
            if abs(last - seconds) > step:
                raise ValueError(f"`features` must last the clip, {seconds:g} s, got {last:g} s of {name}.")
        return seconds

    def _enter_block(self, layer: int, block: Any) -> None:
        """The sound enters ahead of the feed-forward layer: there its norm sees it, and the block's output carries it.

        What follows adds something of the norm's output to what came in, so this equals an addition in between.
        """
        added: list[Tensor] = []

        def before_norm(_: Any, args: tuple) -> tuple | None:
            added.clear()
            if self.hearing is None or self._entered is None:
                return None
            x = args[0]
            addition = self.control.add(layer, x.to(self.control.dtype), self._entered)
            added.append(addition * self.hearing.scale)
            if added[0].requires_grad:  # a block that is computed again stops here, and would keep all it has made
                added[0].register_hook(lambda _: added.clear())
            return (x + added[0].to(x.dtype), *args[1:])

        def after_block(_: Any, __: tuple, output: Any) -> Any:
            if not added:
                return None
            video, rest = (output[0], output[1:]) if isinstance(output, tuple) else (output, None)
            video = video + added.pop().to(video.dtype)
            return video if rest is None else (video, *rest)

        norm = getattr(block, self.backbone.enter)
        self.hooks += [norm.register_forward_pre_hook(before_norm), block.register_forward_hook(after_block)]

    def _guide(self, module: Any, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
        """After the blocks: the prediction again with the weaker sound, and away from it."""
        hearing = self.hearing
        if self._weak or hearing is None or hearing.guidance_scale == 1:
            return None
        self._weak = True
        try:
            weak = module(*args, **kwargs)
        finally:
            self._weak = False
        guided = weak[0] + hearing.guidance_scale * (output[0] - weak[0])
        if isinstance(output, tuple):
            return (guided, *output[1:])
        output.sample = guided
        return output


def control_of(transformer: Any) -> Controlled:
    """The control of a transformer.

    Raises:
        ValueError: If it has none.
    """
    if not is_controlled(transformer):
        raise ValueError("`transformer` must have a control, got one without: see `with_control`.")
    return transformer.__dict__[_PLACE]


def is_controlled(transformer: Any) -> bool:
    """Whether a transformer has a control."""
    return _PLACE in transformer.__dict__


def with_control(transformer: Any, control: Control) -> Any:
    """The same transformer, which hears by a control; until it is told what, it is the base.

    Args:
        transformer: Of diffusers, of a class that :mod:`asva_dit.backbones` describes. Its weights and keys are
            untouched; the control is no part of it and follows it to its device.
        control: For this class and size.

    Raises:
        ValueError: If it has a control, or the control was made for another backbone.
    """
    if is_controlled(transformer):
        raise ValueError("`transformer` must have no control yet, got one that has: see `without_control`.")
    backbone, config = backbone_of(transformer), control.config
    wanted = control_arguments(transformer)
    if different := {name: config[name] for name in wanted if config[name] != wanted[name]}:
        raise ValueError(f"`control` must be made for {wanted}, got {different}.")
    transformer.__dict__[_PLACE] = Controlled(transformer, control, backbone)
    return transformer


def without_control(transformer: Any) -> Any:
    """The base as it was."""
    for hook in control_of(transformer).hooks:
        hook.remove()
    del transformer.__dict__[_PLACE]
    return transformer


def control_arguments(transformer: Any) -> dict[str, Any]:
    """The arguments of a control that follow from the transformer."""
    backbone, config = backbone_of(transformer), transformer.config
    return {
        "backbone": backbone.name,
        "dim": config["num_attention_heads"] * config["attention_head_dim"],
        "num_blocks": len(backbone.blocks_of(transformer)),
        "frames_per_latent": backbone.frames_per_latent,
    }
