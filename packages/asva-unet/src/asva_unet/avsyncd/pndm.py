"""The sampler of the released AVSyncD, a slip included."""

from diffusers import PNDMScheduler
from diffusers.schedulers.scheduling_utils import SchedulerMixin, SchedulerOutput
from torch import Tensor


# diffusers knows a scheduler in a pipeline's folder by the name of this base in the module.
class AVSyncDPNDMScheduler(PNDMScheduler, SchedulerMixin):
    """PNDM as the original code runs it.

    The second evaluation of PNDM corrects the first step from where that step began. The original writes each step
    into the same memory, so that there it goes on from where the first step ended; released figures were made so.
    diffusers' own ``PNDMScheduler`` has the step as it is meant.
    """

    def step_plms(
        self, model_output: Tensor, timestep: int, sample: Tensor, return_dict: bool = True
    ) -> SchedulerOutput | tuple:
        """One linear multistep step; see diffusers."""
        if self.counter == 1:
            self.cur_sample = sample
        return super().step_plms(model_output, timestep, sample, return_dict)
