"""What a GPU makes of KeyVID's generator: a forward pass against the measured peak of the matrix product, and jobs.

    ASVA_RECORD=1 python benchmarks/gpu.py                         full size, bfloat16, about ten minutes on one GPU
    python benchmarks/gpu.py --device cpu --small --backend eager  the same script on a small network, to try it

Random weights; 12 keyframes, 320 x 512 pixels. Each way of running is warmed up, then timed in turns with the others;
operations are counted, not estimated, and the peak is the best of three products of square matrices. Jobs are
denoising alone, three branches a step. A row that cannot be run says why.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from full_size_step import random_network
from results import table
from torch.utils.flop_counter import FlopCounterMode

from asva_unet import Guidance, KeyVIDUNet, denoise, make_scheduler

FRAMES, LATENTS, SMALL = 12, (40, 64), {"block_out_channels": (64, 128), "attention_levels": (True, True)}
SIDES = (4096, 8192, 16384)


def seconds(call: Callable[[], object], device: str) -> float:
    """Seconds of the clock of one call, from an idle device to an idle device."""
    idle = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    idle()
    began = time.perf_counter()
    call()
    idle()
    return time.perf_counter() - began


def in_turns(ways: dict[str, Callable[[], object]], device: str, rounds: int) -> dict[str, float | str]:
    """Median seconds of each way after two calls that do not count, or why it cannot be run."""
    found: dict[str, list[float] | str] = {}
    for name, call in ways.items():
        try:
            found[name] = [seconds(call, device) for _ in range(2)][:0]
        except Exception as error:
            found[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
    for _ in range(rounds):
        for name, times in found.items():
            if isinstance(times, list):
                times.append(seconds(ways[name], device))
    return {name: times if isinstance(times, str) else statistics.median(times) for name, times in found.items()}


def peak(device: str, dtype: torch.dtype, sides: tuple[int, ...]) -> float:
    """Operations per second of the best product of two square matrices."""
    rates = []
    for side in sides:
        a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        times = [seconds(lambda a=a, b=b: a @ b, device) for _ in range(10)]
        rates.append(2 * side**3 / min(times))
    return max(rates)


def inputs(network: KeyVIDUNet, device: str, dtype: torch.dtype, latents: tuple[int, int]) -> dict:
    """Conditions of one clip and the rest of a call."""
    generator = torch.Generator().manual_seed(1)
    width = network.config.cross_attention_dim
    shapes = (1, 77, width), (1, FRAMES, 16, width), (1, FRAMES, 12, 768)
    text, image, audio = (torch.randn(shape, generator=generator).to(device, dtype) for shape in shapes)
    told = {"fps": 6, "frame_indices": torch.arange(FRAMES, device=device)[None] * 4}
    return told | {"conditions": network.encode_conditions(text, image, audio)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--backend", default="inductor", help="of torch.compile; eager to try the script quickly")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=90)
    options = parser.parse_args()
    device, dtype = options.device, torch.bfloat16
    with torch.inference_mode():
        network = KeyVIDUNet(**SMALL).to(dtype).eval() if options.small else random_network(dtype)
        network.to(device)
        latents = (8, 8) if options.small else LATENTS
        given = inputs(network, device, dtype, latents)
        sample = torch.randn(1, FRAMES, network.config.in_channels, *latents, device=device, dtype=dtype)
        forward_table(network, sample, given, options)
        job_table(network, sample, given, options)


def forward_table(network: KeyVIDUNet, sample: torch.Tensor, given: dict, options: argparse.Namespace) -> None:
    """One forward pass, every way of running it."""
    device = options.device
    best = peak(device, sample.dtype, SIDES[:1] if options.small else SIDES)
    with FlopCounterMode(display=False) as counter:
        network(sample, 500, **given)
    operations, networks = counter.get_total_flops(), {"as it is": network}
    networks["channels last"] = copy.deepcopy(network).to(memory_format=torch.channels_last)
    networks["blocks compiled"] = copy.deepcopy(network)
    networks["blocks compiled"].compile_repeated_blocks(fullgraph=True, backend=options.backend)
    networks["compiled whole, CUDA graphs"] = torch.compile(
        copy.deepcopy(network),
        backend=options.backend,
        **({"mode": "reduce-overhead"} if options.backend == "inductor" else {}),
    )
    ways = {name: lambda one=one: one(sample, 500, **given) for name, one in networks.items()}
    rows = [["forward pass", "seconds", "TFLOP", "share of the matrix product's peak", "ratio"]]
    found = in_turns(ways, device, options.rounds)
    for name, took in found.items():
        if isinstance(took, str):
            rows.append([name, took, "", "", ""])
        else:
            share, ratio = operations / took / best, took / found["as it is"]
            rows.append([name, f"{took:.4f}", f"{operations / 1e12:.2f}", f"{share:.3f}", f"{ratio:.3f}"])
    print(f"{_name(device)}, {sample.dtype}, measured peak {best / 1e12:.1f} TFLOP/s")
    print(table("gpu/forward", rows))


def job_table(network: KeyVIDUNet, sample: torch.Tensor, given: dict, options: argparse.Namespace) -> None:
    """Denoising from noise, three branches a step, with fewer calls in each row."""
    kind, channels = network.config.prediction_type, network.config.out_channels
    noise = torch.randn(1, FRAMES, channels, *sample.shape[-2:], device=sample.device)
    known = sample[:, :, channels:].float() if sample.shape[2] > channels else None

    def predict(latents: torch.Tensor, timestep: torch.Tensor, branches: tuple[str, ...]) -> torch.Tensor:
        b = len(latents) // len(branches)
        parts = [network(part.to(sample.dtype), timestep[:b], **given).sample for part in latents.split(b)]
        return torch.cat(parts).float()

    def job(steps: int, **more: object) -> Callable[[], object]:
        guidance = Guidance(text=7.5, image=2.0, audio=4.0)
        scheduler = make_scheduler(prediction_type=kind)
        return lambda: denoise(
            predict, noise, scheduler, steps, guidance=guidance, condition_latents=known, prediction_type=kind, **more
        )

    steps = 4 if options.small else options.steps
    jobs = {
        f"{steps} steps": job(steps),
        f"{steps} steps, guided in the first 0.6": job(steps, guidance_range=(0.0, 0.6)),
        f"{steps // 2} steps": job(steps // 2),
        f"{steps // 4} steps, guided in the first 0.6": job(max(steps // 4, 1), guidance_range=(0.0, 0.6)),
    }
    took = {name: seconds(call, options.device) for name, call in jobs.items()}
    whole = next(iter(took.values()))
    rows = [["job", "seconds", "ratio"], *([name, f"{t:.2f}", f"{t / whole:.3f}"] for name, t in took.items())]
    print(table("gpu/jobs", rows))


def _name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "CPU"


if __name__ == "__main__":
    main()
