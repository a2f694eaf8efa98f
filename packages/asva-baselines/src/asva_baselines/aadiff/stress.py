"""A text-to-image U-Net that attends more to some words in some frames, and its way back from a picture to noise."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from asva_baselines.aadiff.region import WordRegion, text_attentions
from asva_unet.text_audio import BRANCHES


class StressedNetwork:
    """``predict`` of :func:`asva_unet.denoise` for frames that share a prompt but stress its words differently.

    Args:
        unet: A text-to-image network; each frame is a picture of its own to it.
        text: (b, n, d) text tokens, given (True) and left out (False).
        stress: (b, t, n) what attention to each token is multiplied by; left-out text is never stressed.
        region: Is shown what the first frame attends to under the prompt, if given.
    """

    def __init__(
        self, unet: UNet2DConditionModel, text: dict[bool, Tensor], stress: Tensor, region: WordRegion | None = None
    ) -> None:
        self.unet, self.text, self.stress, self.region = unet, text, stress, region
        self.dtype = unet.dtype  # asked once: diffusers walks through all modules for it

    def calm(self) -> StressedNetwork:
        """The same for one frame that stresses nothing."""
        return StressedNetwork(self.unet, dict(self.text), torch.ones_like(self.stress[:, :1]))

    def __call__(self, sample: Tensor, timestep: Tensor, branches: tuple[str, ...]) -> Tensor:
        """Answer for the named branches, laid one behind the other along the batch."""
        given = [BRANCHES[branch][0] for branch in branches]
        t = sample.shape[1]
        text = torch.cat([self.text[words] for words in given]).to(sample.device, self.dtype)
        stress = torch.cat([self.stress if words else torch.ones_like(self.stress) for words in given])
        with stressed(self.unet, stress.flatten(0, 1)), self._watch(given, sample):
            answer = self.unet(
                sample.flatten(0, 1).to(self.dtype),
                timestep.repeat_interleave(t),
                encoder_hidden_states=text.repeat_interleave(t, dim=0),
                return_dict=False,
            )[0]
        return answer.unflatten(0, (-1, t)).float()

    def _watch(self, given: list[bool], sample: Tensor) -> AbstractContextManager[None]:
        """The region looks on where the prompt is given."""
        if self.region is None or True not in given:
            return nullcontext()
        b, t = len(self.stress), sample.shape[1]
        rows = torch.arange(b, device=sample.device) * t + given.index(True) * b * t
        return self.region.watch(self.unet, rows, (sample.shape[-2], sample.shape[-1]))


@contextmanager
def stressed(unet: UNet2DConditionModel, stress: Tensor) -> Generator[None]:
    """Multiply the cross attention probabilities of a U-Net's text tokens while the block lasts.

    ``sum_n (stress_n p_n) v_n = sum_n p_n (stress_n v_n)``: values are scaled in place of probabilities, which need
    not be computed one by one then, and are not normalised again (Prompt-to-Prompt, section 4).

    Args:
        unet: The network.
        stress: (b, n) factors, b as the pictures that it is about to be given.
    """

    def scale(layer: Any, inputs: Any, values: Tensor) -> Tensor:
        del layer, inputs
        return values * stress[..., None].to(values)

    hooks = [layer.to_v.register_forward_hook(scale) for layer in text_attentions(unet)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def invert(
    predict: Callable[[Tensor, Tensor, tuple[str, ...]], Tensor],
    latents: Tensor,
    scheduler: Any,
    num_inference_steps: int,
    report: Callable[[int, int, Tensor], None] | None = None,
) -> list[Tensor]:
    """DDIM backwards: the noise from which a picture would come, and all that lies between (arXiv 2010.02502, eq. 13).

    Args:
        predict: See :func:`asva_unet.denoise`; asked for the branch `"full"`.
        latents: (b, t, c, h, w) clean latents.
        scheduler: DDIM, whose prediction type is `"epsilon"` or `"v_prediction"`.
        num_inference_steps: Steps.
        report: ``report(step, num_steps, latents)`` after each.

    Returns:
        The given latents, then those after each step: one more than steps, the noise last.

    Raises:
        ValueError: If the network predicts something else.
    """
    kind = scheduler.config.prediction_type
    if kind not in ("epsilon", "v_prediction"):
        raise ValueError(f"`scheduler` must be for a network that predicts epsilon or v_prediction, got {kind}.")
    scheduler.set_timesteps(num_inference_steps)
    timesteps = scheduler.timesteps.tolist()[::-1]
    trail, alpha = [latents], float(scheduler.final_alpha_cumprod)
    for step, timestep in enumerate(timesteps):
        target = float(scheduler.alphas_cumprod[timestep])
        here = trail[-1]
        noise = predict(here, torch.full((len(here),), timestep, device=here.device), ("full",))
        if kind == "v_prediction":
            noise = target**0.5 * noise + (1 - target) ** 0.5 * here
        clean = (here - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        trail.append(target**0.5 * clean + (1 - target) ** 0.5 * noise)
        alpha = target
        if report is not None:
            report(step, len(timesteps), trail[-1])
    return trail
