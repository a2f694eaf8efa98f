"""Schedulers of KeyVID on diffusers' classes: DDIM as released, UniPC and DPM-Solver++ (KeyVID, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, SchedulerMixin, UniPCMultistepScheduler
from diffusers.configuration_utils import register_to_config
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput
from torch import Tensor

from asva_unet import noise_schedule as levels
from asva_unet.noise_schedule import SPACINGS, timestep_grid

PREDICTION_TYPES = ("v_prediction", "epsilon", "sample")


class KeyVIDDDIMScheduler(DDIMScheduler):
    """DDIM whose trajectories equal the released code's (KeyVID, section 4; arXiv 2010.02502, eq. 12 and 16).

    It differs from its parent in four points: the previous timestep is the neighbour on the grid; the last step ends
    at ``alpha_bar[0]``; with `dynamic_rescale` the predicted clean latents are carried from one scale to the next;
    the root under the direction term is clamped at 0 (the original becomes NaN for 20, 25 and other step counts).

    With `dynamic_rescale` the result keeps the scale of the grid's last timestep, as in the original: 0.99 of the
    clean latents after 90 steps, but 0.85 after 5. UniPC and DPM-Solver++ end at scale 1 with any number of steps.

    Args:
        num_train_timesteps: Length of the training schedule.
        beta_start: First beta.
        beta_end: Last beta.
        prediction_type: `"v_prediction"`, `"epsilon"` or `"sample"`.
        timestep_spacing: `"trailing"`, `"leading"` or `"quad"`.
        steps_offset: Added to a `"leading"` grid.
        rescale_betas_zero_snr: Whether the last timestep holds no signal.
        dynamic_rescale: Whether the network was trained on latents scaled by :func:`asva_unet.dynamic_rescale`.
        base_scale: The scale's end.
        turning_step: Timestep at which the scale reaches its end.
        end_at_scale_one: Whether the last step ends at scale 1, as VideoCrafter's does.
    """

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        prediction_type: str = "v_prediction",
        timestep_spacing: str = "trailing",
        steps_offset: int = 0,
        rescale_betas_zero_snr: bool = True,
        dynamic_rescale: bool = False,
        base_scale: float = 0.7,
        turning_step: int = 400,
        end_at_scale_one: bool = False,
    ):
        super().__init__(
            num_train_timesteps=num_train_timesteps,
            beta_start=beta_start,
            beta_end=beta_end,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=steps_offset,
            prediction_type=prediction_type,
            timestep_spacing=timestep_spacing,
            rescale_betas_zero_snr=rescale_betas_zero_snr,
        )
        exact = levels.noise_schedule(
            num_train_timesteps, beta_start, beta_end, zero_terminal_snr=rescale_betas_zero_snr
        )
        previous = torch.cat([torch.ones(1, dtype=torch.float64), exact[:-1]])
        self.alphas_cumprod = exact.float()
        self.alphas = (exact / previous).float()
        self.betas = (1 - exact / previous).float()
        self.final_alpha_cumprod = self.alphas_cumprod[0]
        self.scales = levels.dynamic_rescale(num_train_timesteps, base_scale, turning_step).float()

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        timesteps: Sequence[int] | None = None,
    ) -> None:
        """Lay the grid of `num_inference_steps` timesteps, 1 to 1000 of them, or of the falling ones given."""
        config = self.config
        if timesteps is None:
            of_the_schedule = config.timestep_spacing, config.num_train_timesteps, config.steps_offset
            grid = timestep_grid(num_inference_steps or 0, *of_the_schedule)
        else:
            grid = np.array(timesteps)
        self.num_inference_steps = len(grid)
        self.timesteps = torch.from_numpy(grid).to(device)
        self.grid_alphas = self.alphas_cumprod[grid].double()
        self.grid_alphas_prev = torch.cat([self.grid_alphas[1:], self.alphas_cumprod[:1].double()])
        scales = self.scales[grid]
        last = self.scales[:1] if config.end_at_scale_one else scales[-1:]
        self.grid_rescale = torch.cat([scales[1:], last]) / scales
        self._grid_index = {int(timestep): index for index, timestep in enumerate(grid)}

    def grid_sigmas(self, eta: float) -> Tensor:
        """Standard deviation of the noise that each step of the grid adds, (num_inference_steps,) float64."""
        ratio = (1 - self.grid_alphas_prev) / (1 - self.grid_alphas)
        return eta * (ratio * (1 - self.grid_alphas / self.grid_alphas_prev)).sqrt()

    def step(
        self,
        model_output: Tensor,
        timestep: int,
        sample: Tensor,
        eta: float = 0.0,
        use_clipped_model_output: bool = False,
        generator: torch.Generator | None = None,
        variance_noise: Tensor | None = None,
        return_dict: bool = True,
    ) -> DDIMSchedulerOutput | tuple[Tensor, Tensor]:
        """Go from `timestep` to its neighbour on the grid.

        Args:
            model_output: The network's answer, in the terms of `prediction_type`.
            timestep: A timestep of the grid.
            sample: Noisy latents at that timestep, of the same shape.
            eta: 0 takes no noise (DDIM), 1 as much as DDPM.
            use_clipped_model_output: Not used; here for diffusers' signature.
            generator: Draws the noise on its device where `variance_noise` is not given.
            variance_noise: Unit noise to add.
            return_dict: Whether to return an output object or a tuple.

        Returns:
            The next sample and the predicted clean latents, the latter on the next scale.

        Raises:
            ValueError: If `timestep` is not on the grid, or if `eta` asks for noise and none can be drawn.
        """
        index = self._index_of(timestep)
        alpha, alpha_prev = float(self.grid_alphas[index]), float(self.grid_alphas_prev[index])
        sigma = float(self.grid_sigmas(eta)[index])
        original, noise = self._clean_and_noise(model_output, sample, alpha)
        if self.config.dynamic_rescale:
            original = original * float(self.grid_rescale[index])
        direction = _direction(alpha_prev, sigma)
        previous = alpha_prev**0.5 * original + direction * noise
        if sigma > 0:
            previous = previous + sigma * _unit_noise(model_output, generator, variance_noise)
        if not return_dict:
            return previous, original
        return DDIMSchedulerOutput(prev_sample=previous, pred_original_sample=original)

    def _index_of(self, timestep: int) -> int:
        if self.num_inference_steps is None:
            raise ValueError("`set_timesteps` must be called before `step`.")
        if int(timestep) not in self._grid_index:
            raise ValueError(f"`timestep` must be on the grid of `set_timesteps`, got {int(timestep)}.")
        return self._grid_index[int(timestep)]

    def _clean_and_noise(self, output: Tensor, sample: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
        signal, spread = alpha**0.5, (1 - alpha) ** 0.5
        if self.config.prediction_type == "v_prediction":
            return signal * sample - spread * output, signal * output + spread * sample
        if self.config.prediction_type == "epsilon":
            return (sample - spread * output) / signal, output
        return output, (sample - signal * output) / spread


def _direction(alpha_prev: float, sigma: float) -> float:
    """``sqrt(1 - alpha_prev - sigma^2)`` in float32, as in the original: its rounding is seen in the trajectory."""
    left = np.float32(1) - np.float32(alpha_prev) - np.float32(sigma) * np.float32(sigma)
    return float(np.sqrt(np.maximum(left, np.float32(0))))


def _unit_noise(like: Tensor, generator: torch.Generator | None, given: Tensor | None) -> Tensor:
    if given is not None:
        return given.to(like)
    if generator is None:
        raise ValueError("`generator` or `variance_noise` must be given where `eta` is above 0, got neither.")
    return torch.randn(like.shape, generator=generator, device=generator.device, dtype=torch.float32).to(like)


class _DynamicRescale:
    """The multistep solvers on KeyVID's schedule, with or without dynamic rescale.

    Noisy latents are ``sqrt(ab) * s * z + sqrt(1 - ab) * e`` where ``s`` is the scale of the timestep. Divided by
    ``n = sqrt(ab s^2 + 1 - ab)`` that is again a variance-preserving process, of ``ab s^2 / n^2``: the solver runs
    on that one, the network is given ``n`` times its state, and its answer becomes ``z``.
    """

    config: Any  # these three are those of diffusers' solver beside it
    step_index: Any
    set_begin_index: Callable[[int], None]

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        prediction_type: str = "v_prediction",
        timestep_spacing: str = "trailing",
        steps_offset: int = 0,
        rescale_betas_zero_snr: bool = True,
        dynamic_rescale: bool = False,
        base_scale: float = 0.7,
        turning_step: int = 400,
        solver_order: int = 2,
    ):
        of_the_solver: dict[str, Any] = dict(
            num_train_timesteps=num_train_timesteps,
            beta_start=beta_start,
            beta_end=beta_end,
            beta_schedule="scaled_linear",
            prediction_type=prediction_type,
            timestep_spacing=timestep_spacing,
            steps_offset=steps_offset,
            rescale_betas_zero_snr=rescale_betas_zero_snr,
            solver_order=solver_order,
        )
        super().__init__(**of_the_solver)
        self._use_schedule(self.config)

    def _use_schedule(self, config) -> None:
        exact = levels.noise_schedule(
            config.num_train_timesteps,
            config.beta_start,
            config.beta_end,
            zero_terminal_snr=config.rescale_betas_zero_snr,
        )
        self.scales = torch.ones_like(exact)
        if config.dynamic_rescale:
            self.scales = levels.dynamic_rescale(config.num_train_timesteps, config.base_scale, config.turning_step)
        self.network_alphas_cumprod = exact
        self.norms = (exact * self.scales**2 + 1 - exact).sqrt()
        # 2**-24 in place of 0: the first sigma of the solvers must be finite
        alphas = (exact * self.scales**2 / self.norms**2).clamp(min=2.0**-24).float()
        self.alphas_cumprod = alphas
        self.alpha_t, self.sigma_t = alphas.sqrt(), (1 - alphas).sqrt()
        self.lambda_t = self.alpha_t.log() - self.sigma_t.log()
        self.sigmas = ((1 - alphas) / alphas).sqrt()

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Lay the grid of `num_inference_steps` timesteps, 1 to 1000 of them, ending without noise."""
        config = self.config
        grid = timestep_grid(
            num_inference_steps, config.timestep_spacing, config.num_train_timesteps, config.steps_offset
        )
        self.model_outputs, self.timestep_list = [None] * config.solver_order, [None] * config.solver_order
        self.lower_order_nums, self.last_sample, self._step_index = 0, None, None
        sigmas = ((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()[grid]
        self.sigmas = torch.cat([sigmas, sigmas.new_zeros(1)])
        self.timesteps = torch.from_numpy(grid).to(device)
        self.num_inference_steps = num_inference_steps
        self.set_begin_index(0)

    def scale_model_input(self, sample: Tensor, timestep: int) -> Tensor:
        """The solver's state as the network knows it."""
        return sample * float(self.norms[int(timestep)]) if self.config.dynamic_rescale else sample

    def convert_model_output(self, model_output: Tensor, *args, sample: Tensor, **kwargs) -> Tensor:
        """The network's answer as clean latents on scale 1."""
        timestep = int(self.timesteps[self.step_index])
        alpha = max(float(self.network_alphas_cumprod[timestep]), 2.0**-24)
        signal, spread = alpha**0.5, (1 - alpha) ** 0.5
        sample = sample * float(self.norms[timestep])
        if self.config.prediction_type == "v_prediction":
            clean = signal * sample - spread * model_output
        elif self.config.prediction_type == "epsilon":
            clean = (sample - spread * model_output) / signal
        else:
            clean = model_output
        return clean / float(self.scales[timestep])


class KeyVIDUniPCScheduler(_DynamicRescale, UniPCMultistepScheduler):
    """UniPC (arXiv 2302.04867) of order `solver_order` on KeyVID's schedule. Arguments as the DDIM class."""


class KeyVIDDPMSolverScheduler(_DynamicRescale, DPMSolverMultistepScheduler):
    """DPM-Solver++ (arXiv 2211.01095) of order `solver_order` on KeyVID's schedule. Arguments as the DDIM class."""


SCHEDULERS = {"ddim": KeyVIDDDIMScheduler, "unipc": KeyVIDUniPCScheduler, "dpm++": KeyVIDDPMSolverScheduler}


def make_scheduler(
    name: str = "ddim",
    *,
    prediction_type: str = "v_prediction",
    zero_terminal_snr: bool = True,
    timestep_spacing: str = "trailing",
    dynamic_rescale: bool = False,
    **options: Any,
) -> SchedulerMixin:
    """Build a scheduler by name.

    Args:
        name: `"ddim"` (equal to the released code), `"unipc"` or `"dpm++"` (as good in fewer steps).
        prediction_type: What the network answers: `"v_prediction"`, `"epsilon"`, `"sample"`, or `"residual"`, which
            :func:`asva_unet.denoise` turns into `"sample"`.
        zero_terminal_snr: Whether the last timestep holds no signal.
        timestep_spacing: `"trailing"`, `"leading"` or `"quad"`.
        dynamic_rescale: Whether the network was trained on scaled latents (the released weights: yes).
        **options: Further arguments of the scheduler class.

    Returns:
        A diffusers scheduler.

    Raises:
        ValueError: If a name is unknown.
    """
    if name not in SCHEDULERS:
        raise ValueError(f"`name` must be one of {', '.join(SCHEDULERS)}, got {name}.")
    prediction_type = "sample" if prediction_type == "residual" else prediction_type
    if prediction_type not in PREDICTION_TYPES:
        raise ValueError(f"`prediction_type` must be one of {', '.join(PREDICTION_TYPES)}, got {prediction_type}.")
    if prediction_type == "epsilon" and zero_terminal_snr:
        raise ValueError("`zero_terminal_snr` must be False with epsilon: in pure noise it says nothing, got True.")
    if timestep_spacing not in SPACINGS:
        raise ValueError(f"`timestep_spacing` must be one of {', '.join(SPACINGS)}, got {timestep_spacing}.")
    return SCHEDULERS[name](
        prediction_type=prediction_type,
        rescale_betas_zero_snr=zero_terminal_snr,
        timestep_spacing=timestep_spacing,
        dynamic_rescale=dynamic_rescale,
        **options,
    )
