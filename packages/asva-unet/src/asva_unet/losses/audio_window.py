"""Audio windows on DynamiCrafter: each frame learns to hear the sound around it (open-domain, section 4)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from asva_unet.losses.denoising import DenoisingLoss, Question


def tap_name(encoder: str, layer: int) -> str:
    """What the tokens of a block of an audio encoder are called.

    >>> tap_name("beats", 3)
    'beats.3'
    """
    return f"{encoder}.{layer}"


def layer_tokens(encoder: Any, spectrogram: Tensor, layers: Sequence[int]) -> list[Tensor]:
    """Outputs (b, n, d) of blocks, counted from 0, without class tokens, which hear the whole sound."""
    states = encoder(spectrogram, output_hidden_states=True).hidden_states
    count = len(encoder.token_times(spectrogram))
    return [states[layer + 1][:, -count:] for layer in layers]


class AudioWindowLoss(DenoisingLoss):
    """Noising of all frames beside the first one, given everywhere, and the error of the answer.

    Args:
        common: Those of :class:`DenoisingLoss`; ``taps`` among the parts projects the blocks that it names.
        num_frames: Frames of a clip.
        fps: Their rate.
        radius: Of a frame's window, in frames.
    """

    def __init__(self, *common: Any, num_frames: int, fps: float, radius: float):
        super().__init__(*common)
        self.num_frames, self.fps, self.radius = num_frames, fps, radius

    def audio(self, sound: Tensor | dict[str, Tensor], drop: Tensor) -> tuple[Tensor, Tensor]:
        """Tapped tokens (b, n, d) of sounds, see ``hear``, and the window of each frame (t, n)."""
        timed = self.hear(sound, drop)
        centres = (torch.arange(self.num_frames, dtype=torch.float64) + 0.5) / self.fps
        return timed.tokens, timed.mask(centres, self.radius / self.fps)

    def hear(self, sound: Tensor | dict[str, Tensor], drop: Tensor) -> Any:
        """Tokens of sounds with their times; a dropped one gives the null features, those of a spectrogram of zeros.

        As ``asva_audio.multi_feature_tokens``, but sounds may be dropped and encoders may learn.

        Args:
            sound: (b, s), or the tokens (b, n, d) of each block by :func:`tap_name`, where they are stored.
            drop: (b,) bool.
        """
        features, times, taps = {}, {}, self.part("taps")
        for name, layers in taps.layers.items():
            encoder = self.part(name)
            if isinstance(sound, Tensor):
                heard = encoder.spectrogram(sound)
                heard = heard * ~drop.view(-1, *[1] * (heard.ndim - 1)).to(heard.device)
                features[name] = layer_tokens(encoder, heard, layers)
            else:
                stored = [tap_name(name, layer) for layer in layers]
                features[name] = [self.stored(each, sound[each], drop) for each in stored]
                heard = encoder.null_spectrogram(seconds=self.num_frames / self.fps).to(features[name][0].device)
            times[name] = encoder.token_times(heard)
        return taps(features, times)

    def question(self, batch: dict, drop: dict[str, Tensor], generator: torch.Generator) -> Question:
        latents = self.encode(batch["frames"], generator)
        size, num_frames = latents.shape[:2]
        indices = torch.arange(num_frames, device=latents.device).expand(size, -1)
        text = self.text(batch["caption"], drop["text"])
        image = self.image(self.picture(batch), drop["image"], indices)
        tokens, mask = self.audio(batch["waveform"] if "waveform" in batch else batch, drop["audio"])
        reference = latents[:, :1].expand_as(latents)

        def answer(noisy: Tensor, step: Tensor) -> Tensor:
            return self.unet(
                torch.cat([noisy, reference], dim=2),
                step,
                text,
                image,
                fps=int(self.fps),
                frame_indices=indices,
                audio_window_embeds=tokens,
                audio_window_mask=mask,
            ).sample

        return Question(latents, reference, answer)
