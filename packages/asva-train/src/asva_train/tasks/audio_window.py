"""Audio windows on DynamiCrafter: each frame learns to hear the sound around it (open-domain, section 4)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from asva_audio import TimedTokens
from asva_train.components import build_component
from asva_train.diffusion_task import DenoisingTask
from asva_train.draws import generator_at
from asva_train.loop import RunError
from asva_train.token_sets import check_taps, clip_seconds, layer_tokens, tap_name
from asva_unet.losses import DenoisingLoss, Question


class AudioWindowLoss(DenoisingLoss):
    """Noising of all frames beside the first one, given everywhere, and the error of the answer."""

    def audio(self, sound: Tensor | dict[str, Tensor], drop: Tensor) -> tuple[Tensor, Tensor]:
        """Tapped tokens (b, n, d) of sounds, see ``hear``, and the window of each frame (t, n)."""
        from asva_audio import frame_times

        recipe, taps = self.recipe, self.part("taps")
        timed = self.hear(sound, drop, taps)
        times = frame_times(recipe.data.num_frames, recipe.data.fps)
        return timed.tokens, timed.mask(times, recipe.radius / recipe.data.fps)

    def hear(self, sound: Tensor | dict[str, Tensor], drop: Tensor, taps: nn.Module) -> TimedTokens:
        """Tokens of sounds; a dropped one gives the null features, those of a spectrogram of zeros.

        As :func:`asva_audio.multi_feature_tokens`, but sounds may be dropped and encoders may learn.

        Args:
            sound: (b, s), or the tokens (b, n, d) of each block by :func:`tap_name`, where they are stored.
            drop: (b,) bool.
            taps: Which blocks, and their projections.
        """
        features, times = {}, {}
        for name, layers in taps.layers.items():
            encoder = self.part(name)
            if isinstance(sound, Tensor):
                heard = encoder.spectrogram(sound)
                heard = heard * ~drop.view(-1, *[1] * (heard.ndim - 1)).to(heard.device)
                features[name] = layer_tokens(encoder, heard, layers)
            else:
                stored = [tap_name(name, layer) for layer in layers]
                features[name] = [self.stored(each, sound[each], drop) for each in stored]
                heard = encoder.null_spectrogram(seconds=clip_seconds(self.recipe.data)).to(features[name][0].device)
            times[name] = encoder.token_times(heard)
        return taps(features, times)

    def question(self, batch: dict, drop: dict[str, Tensor], generator: torch.Generator) -> Question:
        latents = self.encode(batch["frames"], generator)
        size, num_frames = latents.shape[:2]
        indices = torch.arange(num_frames, device=latents.device).expand(size, -1)
        text = self.text(batch["caption"], drop["text"])
        image = self.image(batch["picture"] if "picture" in batch else batch["frames"][:, 0], drop["image"], indices)
        tokens, mask = self.audio(batch["waveform"] if "waveform" in batch else batch, drop["audio"])
        reference = latents[:, :1].expand_as(latents)

        def answer(noisy: Tensor, step: Tensor) -> Tensor:
            return self.unet(
                torch.cat([noisy, reference], dim=2),
                step,
                text,
                image,
                fps=int(self.recipe.data.fps),
                frame_indices=indices,
                audio_window_embeds=tokens,
                audio_window_mask=mask,
            ).sample

        return Question(latents, reference, answer)


class AudioWindowTask(DenoisingTask):
    """Trains the taps and a DynamiCrafter network, or of it what the recipe lets learn."""

    loss = AudioWindowLoss
    unet_name = "audio_window_unet"

    @property
    def conditioners(self) -> tuple[str, ...]:
        return ("text_encoder", "image_encoder", "image_projector", *sorted(self.recipe.taps))

    def learning(self) -> tuple[str, ...]:
        return (*super().learning(), *(() if "taps" in self.recipe.train else ("taps",)))

    def parts(self) -> dict[str, nn.Module]:
        parts = super().parts()
        return parts | {"taps": self._taps(parts)}

    def read(self, name: str, folder: Path) -> nn.Module:
        """A component out of its folder; a DynamiCrafter without windows is given some."""
        part = super().read(name, folder)
        if name != self.unet_name or part.config.audio_window_attention:
            return part
        from asva_unet import with_audio_window

        seed = generator_at(self.recipe.loop.seed, 6)
        return with_audio_window(part, audio_window_dim=part.config.cross_attention_dim, generator=seed)

    def _taps(self, parts: dict[str, nn.Module]) -> nn.Module:
        """Projections of the layers that the recipe names, as they are or at random."""
        wanted = {name: list(layers) for name, layers in sorted(self.recipe.taps.items())}
        check_taps(wanted, parts)
        folder = self._taps_folder()
        if folder is None:
            return self._new_taps(wanted, parts)
        taps = self.read("taps", folder)
        if taps.layers != wanted:
            raise RunError(f"`taps` must be those of {folder}, {taps.layers}, got {wanted}.")
        return taps

    def _taps_folder(self) -> Path | None:
        """Where taps lie that belong to the network which this training starts from."""
        if "taps" in self.recipe.init:
            return self.recipe.init["taps"]
        goes_on = self.base is not None and self.unet_name not in {**self.recipe.models, **self.recipe.init}
        return self.base / "taps" if goes_on and (self.base / "taps").is_dir() else None

    def _new_taps(self, layers: dict[str, list[int]], parts: dict[str, nn.Module]) -> nn.Module:
        sources = {name: {"width": parts[name].config.hidden_size, "layers": layers[name]} for name in layers}
        config = {"sources": sources, "output_dim": parts[self.unet_name].config.audio_window_dim}
        return build_component("taps", config | {"normalize": self.recipe.normalize_taps}, self.recipe.loop.seed)
