"""MTV's noise schedule and sampler: zero terminal SNR, v-prediction, DPM-Solver++ 2M SDE (VPSDE)."""

from __future__ import annotations

import torch
from diffusers import CogVideoXDPMScheduler, SchedulerMixin
from diffusers.schedulers.scheduling_dpm_cogvideox import DDIMSchedulerOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

RELEASED = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "snr_shift_scale": 1.0,
    "timestep_spacing": "trailing",
}


class MTVDPMScheduler(CogVideoXDPMScheduler, SchedulerMixin):  # pipelines look for the base in this module
    """``CogVideoXDPMScheduler`` with three faults of its step mended; takes the same arguments.

    - The next timestep is the next of ``timesteps``. The base subtracts ``1000 // steps``, which is another one where
      the number of steps does not divide 1000, and then its last step leaves noise.
    - Noise is drawn once a step. The base draws twice and throws one away, as the original does; so a generator gives
      other, equally likely clips.
    - `variance_noise` is used where it is given; the base draws all the same.

    Where the steps divide 1000 and the noise is the same, the steps are the base's.
    """

    def set_timesteps(self, num_inference_steps: int, device: torch.device | str | None = None) -> None:
        """Choose the timesteps of a run, and the share of signal at each."""
        if num_inference_steps < 1:
            raise ValueError(f"`num_inference_steps` must be at least 1, got {num_inference_steps}.")
        super().set_timesteps(num_inference_steps, device)
        self.levels = self.alphas_cumprod.cpu()[self.timesteps.cpu()].double()

    def step(
        self,
        model_output: Tensor,
        old_pred_original_sample: Tensor | None,
        timestep: int | Tensor,
        timestep_back: int | Tensor | None,
        sample: Tensor,
        eta: float = 0.0,
        use_clipped_model_output: bool = False,
        generator: torch.Generator | list[torch.Generator] | None = None,
        variance_noise: Tensor | None = None,
        return_dict: bool = False,
    ) -> DDIMSchedulerOutput | tuple[Tensor, Tensor]:
        """One step of DPM-Solver++ 2M SDE in float32.

        Args:
            model_output: (b, ...) velocity.
            old_pred_original_sample: What the step before returned second, None at the first.
            timestep: One of ``timesteps``.
            timestep_back: Not used: it is the one before `timestep`.
            sample: (b, ...) noisy latents.
            eta, use_clipped_model_output: Not used; the base does not use them either.
            generator: Draws the noise; one for each clip, or one for all.
            variance_noise: (b, ...) standard normal noise to use instead.
            return_dict: Return names instead of a tuple.

        Returns:
            The next sample, of the type of `sample`, and the clean latents predicted, float32.

        Raises:
            ValueError: If `timestep` is none of ``timesteps``.
        """
        del timestep_back, eta, use_clipped_model_output
        index = self._index(int(timestep))
        signal, noise = self.levels.sqrt(), (1 - self.levels).sqrt()
        x = sample.float()
        predicted = signal[index] * x - noise[index] * model_output.float()
        if index + 1 == len(self.levels):
            following = predicted
        else:
            log_ratio = torch.log(signal / noise)  # -inf at zero SNR, where the sample is all noise and drawn anew
            h, target = log_ratio[index + 1] - log_ratio[index], predicted
            if old_pred_original_sample is not None and index > 0:
                r = (log_ratio[index] - log_ratio[index - 1]) / h
                target = predicted + (predicted - old_pred_original_sample.float()) / (2 * r)
            if variance_noise is None:
                variance_noise = randn_tensor(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            following = (
                noise[index + 1] / noise[index] * torch.exp(-h) * x
                - signal[index + 1] * torch.expm1(-2 * h) * target
                + noise[index + 1] * torch.sqrt(-torch.expm1(-2 * h)) * variance_noise.float()
            )
        following = following.to(sample.dtype)
        return DDIMSchedulerOutput(following, predicted) if return_dict else (following, predicted)

    def _index(self, timestep: int) -> int:
        timesteps = [] if self.num_inference_steps is None else self.timesteps.tolist()
        if timestep not in timesteps:
            raise ValueError(f"`timestep` must be one of those that `set_timesteps` has set, got {timestep}.")
        return timesteps.index(timestep)


class OfficialMTVDPMScheduler(MTVDPMScheduler):
    """The schedule as the original samples by it, which is not quite the one it was trained on.

    It takes the timesteps of a run first and puts their last to zero SNR then. So the signal at each is scaled by the
    first of the run instead of the first of all: at 20 steps up to 0.0017 more signal than the network was trained for
    at that timestep. Where the steps do not divide 1000, timesteps are cut off instead of rounded.
    """

    def set_timesteps(self, num_inference_steps: int, device: torch.device | str | None = None) -> None:
        """Choose the timesteps of a run, and the share of signal at each."""
        super().set_timesteps(num_inference_steps, device)
        last = self.config.num_train_timesteps - 1
        kept = torch.arange(num_inference_steps, dtype=torch.float64) * last / num_inference_steps
        kept = (last - kept).long()  # cut off
        self.timesteps = kept.to(self.timesteps.device)
        signal = torch.cumprod(1 - self.betas.double(), dim=0)[kept].float().sqrt()  # in float32, as there
        signal = (signal - signal[0]) * (signal[-1] / (signal[-1] - signal[0]))
        self.levels = signal.double() ** 2


def make_scheduler(*, name: str = "mended", snr_shift_scale: float = 1.0) -> MTVDPMScheduler:
    """MTV's schedule: 1000 steps, zero terminal SNR, v-prediction, trailing; made for 20 steps.

    Args:
        name: ``"mended"`` for ``MTVDPMScheduler``, ``"official"`` for ``OfficialMTVDPMScheduler``.
        snr_shift_scale: 1 for a base of 5 billion weights, 3 for one of 2 billion.

    Raises:
        ValueError: If `name` is another, or the official schedule is asked for with a shift that it has not.
    """
    kinds = {"mended": MTVDPMScheduler, "official": OfficialMTVDPMScheduler}
    if name not in kinds:
        raise ValueError(f"`name` must be one of {tuple(kinds)}, got {name!r}.")
    if name == "official" and snr_shift_scale != 1.0:
        raise ValueError(f"`snr_shift_scale` must be 1 for the official schedule, got {snr_shift_scale}.")
    return kinds[name](**{**RELEASED, "snr_shift_scale": snr_shift_scale})
