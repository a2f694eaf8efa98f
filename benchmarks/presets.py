"""What fewer operations cost: small models of the published kind, sampled with each lever and with the presets.

    python benchmarks/presets.py --folder runs/presets            # trains, samples; goes on where it stopped
    ASVA_RECORD=1 python benchmarks/presets.py --folder runs/presets --show

KeyVID (two U-Nets, v-prediction with zero terminal SNR and scaled latents, DDIM with noise, three branches of guidance)
and AVSyncD (epsilon, PNDM, two branches) learn drawn drums and hammers: 16 frames of 32 x 32 at 8 per second, patches
for an autoencoder, the bundled model's eyes and ears. Keyframes are every fourth frame. Unlike the released KeyVID the
sound is also in the time embedding, so that minutes suffice. 50 steps a stage are `best`, where the released KeyVID
takes 90; operations are counted for the released jobs, without computing (meta device), with the same levers.

F1 of events read off the frames within one frame, sides counted; PSNR and sharpness (differences of neighbours, those
of the truth being 1) of moving pixels; with `--lpips FOLDER` LPIPS of whole frames. Differences to `best` are paired by
clip, all trainings together, with 95 % of a bootstrap over clips. Margins, fixed before: `good` at most 0.02 F1 and
0.3 dB worse, `fast` at most 0.05 F1 worse.

Expected, written before any lever was tried:

1. DPM-Solver++ and UniPC are within the margins at 12 to 20 steps; DDIM is not.
2. Deep features kept for one step cost less than 0.01 F1; kept for longer they cost more than as many steps left out.
3. Guidance between 0.1 and 0.7 of the steps costs nothing.
4. KeyVID's second stage, which is given keyframes, bears fewer steps than the first.
5. `good` is within its margins at a quarter of the operations, `fast` within its own at an eighth.
"""

import argparse
import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from bundled_model import interval, seeds
from controls import counts, f1
from lpips_distance import lpips_of
from methods_compared import empty, of_keyvid
from results import table
from torch.utils.flop_counter import FlopCounterMode

from asva_audio import encoder_segment_mask, frame_audio_tokens, null_mel, segment_tokens
from asva_data import SyntheticClip, SyntheticWorld
from asva_dit import PatchVideoAutoencoder
from asva_interp import masked_condition
from asva_keyframe import uniform_keyframes
from asva_metrics import moving_psnr
from asva_pipelines import AVSyncDPipeline, KeyVIDPipeline, resolve_model
from asva_pipelines.presets import PRESETS
from asva_train.fields import LoopRecipe
from asva_train.optimizer import make_optimizer
from asva_unet import (
    AVSyncDPNDMScheduler,
    AVSyncDUNet,
    DeepFeatures,
    FeatureCache,
    Guidance,
    KeyVIDUNet,
    TextAudioGuidance,
    denoise,
    make_scheduler,
)
from asva_unet.losses import AVSyncDLoss, KeyVIDLoss, KeyVIDSettings, LossSettings
from asva_unet.pixels import to_pixels
from asva_unet.tokens import image_tokens, text_tokens

SIZE, PATCH, CHANNELS, SECONDS = 32, 8, 16, 2
CLASSES = ("drums", "hammer")
LEARNED, HELD_OUT = 31, 1_000_003
FPS, FRAMES, KEYFRAMES, SAVE = 8, 16, 4, 50
BEST, AT_ONCE, RANGE = 50, 32, ("guidance_start", "guidance_stop")
AUDIO = {"keyvid": 2.0, "avsyncd": 4.0}  # guidance by sound, and by words in KeyVID
OF = {"avsyncd_unet": "avsyncd", "keyframe_unet": "keyvid", "interp_unet": "keyvid"}
LEARN = {"avsyncd_unet": (8, 450), "keyframe_unet": (8, 300), "interp_unet": (4, 250)}  # clips of a step, steps
KEYVID_UNET = {
    "in_channels": 2 * CHANNELS,
    "out_channels": CHANNELS,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "attention_levels": (True, True),
    "attention_head_dim": 32,
    "cross_attention_dim": 128,
    "audio_embed_dim": 128,
    "audio_zero_init": False,
    "audio_in_time_embedding": True,
    "audio_tokens_per_frame": 37,
    "init_attention": False,
    "dropout": 0.0,
    "norm_num_groups": 8,
}
AVSYNCD_UNET = {
    "in_channels": CHANNELS,
    "out_channels": CHANNELS,
    "down_block_types": ("CrossAttnDownBlock2D",) * 2,
    "up_block_types": ("CrossAttnUpBlock2D",) * 2,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "attention_head_dim": 2,
    "cross_attention_dim": 128,
    "audio_cross_attention_dim": 128,
    "norm_num_groups": 8,
    "sample_size": SIZE // PATCH,
}


class FramePatches(PatchVideoAutoencoder):
    """Patches of single frames, as the pipelines of the U-Nets ask their autoencoder."""

    def encode(self, pixels: torch.Tensor) -> SimpleNamespace:
        mean = super().encode(pixels[:, :, None]).latent_dist.mean[:, :, 0]
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean, std=torch.zeros_like(mean)))

    def decode(self, latents: torch.Tensor, return_dict: bool = True) -> SimpleNamespace | tuple[torch.Tensor]:
        pixels = super().decode(latents[:, :, None]).sample[:, :, 0]
        return SimpleNamespace(sample=pixels) if return_dict else (pixels,)


def world(seed: int) -> SyntheticWorld:
    return SyntheticWorld(seed, size=SIZE, num_frames=FRAMES, fps=FPS, classes=CLASSES, two_objects=0.0)


def autoencoder() -> FramePatches:
    """Patches fitted on frames that no training sees."""
    made, vae = world(LEARNED + 1), FramePatches(PATCH, CHANNELS, temporal_compression_ratio=1)
    pixels = to_pixels(torch.as_tensor(np.concatenate([made[i].frames for i in range(96)])))
    vae.fit(pixels.unflatten(0, (-1, 2)).movedim(1, 2).flip(0))
    vae.register_to_config(block_out_channels=(1, 1, 1, 1))
    return vae


def small_parts() -> dict:
    """What sees, reads and hears: the bundled model's, frozen."""
    bundled = KeyVIDPipeline.from_pretrained(resolve_model("tiny"))
    names = ("text_encoder", "image_encoder", "image_projector", "audio_encoder")
    return {name: getattr(bundled, name) for name in names} | {"tokenizer": bundled.tokenizer, "vae": autoencoder()}


@torch.no_grad()
def stored(method: str, parts: dict, options) -> dict:
    """Clips as the losses take stored ones: mean and deviation of latents, tokens of words, picture and sound."""
    file, made = options.folder / f"clips-{method}-{options.different}.pt", world(LEARNED)
    if not file.is_file():
        rows = [_stored_clip(method, made[index], parts) for index in range(options.different)]
        torch.save({name: torch.stack([row[name] for row in rows]) for name in rows[0]}, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
    return torch.load(file, weights_only=True)


def _stored_clip(method: str, clip: SyntheticClip, parts: dict) -> dict[str, torch.Tensor]:
    pixels, sound = to_pixels(torch.as_tensor(clip.frames)), torch.as_tensor(clip.waveform)
    latents = parts["vae"].encode(pixels).latent_dist
    hear = segment_tokens if method == "avsyncd" else lambda ear, mel: ear(mel).last_hidden_state
    mel = parts["audio_encoder"].spectrogram(sound[:1], clip.sample_rate)
    row = {
        "frames": torch.stack([latents.mean, latents.std], dim=1),
        "caption": text_tokens(parts["tokenizer"], parts["text_encoder"], [clip.caption])[0],
        "picture": image_tokens(parts["image_encoder"], pixels[:1])[0],
        "audio": hear(parts["audio_encoder"], mel)[0],
    }
    return {name: value.half() for name, value in row.items()}


def make_loss(name: str, parts: dict, seed: int):
    """The loss of one network, which holds it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = (
            AVSyncDUNet(**AVSYNCD_UNET)
            if name == "avsyncd_unet"
            else KeyVIDUNet(**KEYVID_UNET, frame_index_embedding=name == "keyframe_unet")
        )
    networks = {part: value for part, value in parts.items() if part != "tokenizer"} | {name: network}
    common = (networks, parts["tokenizer"], scheduler_of(OF[name]), [name])
    ear, nothing = parts["audio_encoder"], torch.zeros(1, 3, SIZE, SIZE)
    with torch.no_grad():
        words = text_tokens(parts["tokenizer"], parts["text_encoder"], [""])
        if name == "avsyncd_unet":
            silence = ear.null_spectrogram(seconds=SECONDS)
            loss = AVSyncDLoss(
                LossSettings(dropout={"audio": 0.2}, motion_weight=4.0, noise_bias=1.5),
                *common,
                heard=encoder_segment_mask(ear, silence, FRAMES),
            )
            loss.nothing = {"text": words, "audio": segment_tokens(ear, silence)}
            return loss
        settings = KeyVIDSettings(
            task=name.split("_")[0],
            keyframe_fps=KEYFRAMES // SECONDS,
            dynamic_rescale=True,
            dropout={"p": 0.05},
            dropout_rule="official",
            motion_weight=4.0,
            noise_bias=1.5,
            keyframe_noise=0.1,
        )
        loss = KeyVIDLoss(
            settings,
            *common,
            frame_tokens=partial(frame_audio_tokens, grid=ear.grid, num_frames=FRAMES),
            lay_out=masked_condition,
        )
        silence = ear(null_mel(num_mel_bins=ear.config.num_mel_bins, num_frames=ear.config.num_frames))
        picture = image_tokens(parts["image_encoder"], nothing)
        loss.nothing = {"text": words, "image": picture, "audio": silence.last_hidden_state}
    return loss


def batch_of(name: str, clips: dict, chosen: torch.Tensor) -> dict:
    """Some stored clips, with what the stage of KeyVID is told about its frames."""
    batch = {key: value[chosen].float() for key, value in clips.items()}
    if name == "avsyncd_unet":
        return batch
    places = torch.as_tensor(uniform_keyframes(FRAMES, KEYFRAMES))
    shown, fps = torch.arange(FRAMES), FPS
    if name == "keyframe_unet":
        batch["frames"], shown, fps = batch["frames"][:, places], places, KEYFRAMES // SECONDS
    known = torch.isin(shown, places)
    told = {"frame_indices": shown, "known": known, "fps": torch.tensor(fps)}
    return (
        batch | {key: value.expand(len(chosen), *value.shape) for key, value in told.items()} | {"mel": batch["audio"]}
    )


def scheduler_of(method: str):
    """Noise levels and steps as published."""
    if method == "keyvid":
        return make_scheduler("ddim", dynamic_rescale=True)
    return AVSyncDPNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )


def train(name: str, seed: int, parts: dict, options) -> torch.nn.Module:
    """A trained network, from the last state that was kept."""
    loss, file = make_loss(name, parts, seed), options.folder / f"{name}-{seed}.pt"
    learning = list(loss.unet.parameters())
    size, steps = LEARN[name]
    recipe = LoopRecipe(batch_size=size, learning_rate=options.rate, optimizer="muon")
    optimizer, begun = make_optimizer(recipe, learning), 0
    if file.is_file():
        kept = torch.load(file, weights_only=True)
        loss.unet.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        begun = kept["step"]
    clips = stored(OF[name], parts, options) if begun < steps else {}
    for step in range(begun, steps):
        generator = torch.Generator().manual_seed(1000 * seed + step + 1_000_000)
        chosen = torch.randint(options.different, (size,), generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1, (step + 1) / 50) * (1 - 0.98 * step / steps)
        losses = loss(batch_of(name, clips, chosen), generator)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % SAVE == 0 or step + 1 == steps:
            state = {"network": loss.unet.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(state, file.with_suffix(".part"))
            file.with_suffix(".part").replace(file)
            told = " ".join(f"{key} {value.item():.4f}" for key, value in losses.items())
            print(name, seed, step + 1, told, flush=True)
    return loss.unet.eval()


def pipeline_of(method: str, seed: int, parts: dict, options):
    """A pipeline of the networks of one training."""
    networks = {name: train(name, seed, parts, options) for name, kind in OF.items() if kind == method}
    common = {name: parts[name] for name in ("vae", "tokenizer", "text_encoder", "audio_encoder")}
    common |= {"scheduler": scheduler_of(method), "num_frames": FRAMES, "fps": FPS, "height": SIZE, "width": SIZE}
    common |= {"vae_sample": "mode", "num_inference_steps": BEST}
    if method == "avsyncd":
        return AVSyncDPipeline(**common, unet=networks["avsyncd_unet"], audio_guidance_scale=AUDIO[method])
    seen = {name: parts[name] for name in ("image_encoder", "image_projector")}
    scales = {"text_guidance_scale": AUDIO[method], "image_guidance_scale": 1.5, "audio_guidance_scale": AUDIO[method]}
    return KeyVIDPipeline(
        **common,
        **seen,
        **networks,
        localizer=None,
        num_keyframes=KEYFRAMES,
        keyframe_fps=KEYFRAMES // SECONDS,
        selection="uniform",
        dynamic_rescale=True,
        interp_num_inference_steps=BEST,
        **scales,
        **{f"interp_{name}": value for name, value in scales.items()},
    )


def run(method: str, seed: int, lever: str, parts: dict, options) -> None:
    """Sample with a lever, unless that was done; frames are kept, with the CPU seconds of a clip."""
    file = options.folder / f"{method}-{seed}-{lever}.npz"
    count = options.clips if lever in PRESETS[method] or lever == "best" else options.tried
    kept = (
        np.load(file) if file.is_file() else {"frames": np.zeros((0, FRAMES, SIZE, SIZE, 3), np.uint8), "seconds": 0.0}
    )
    frames, seconds, made = kept["frames"], float(kept["seconds"]), world(HELD_OUT)
    pipeline = pipeline_of(method, seed, parts, options) if len(frames) < count else None
    while len(frames) < count:
        batch, begun = range(len(frames), min(len(frames) + AT_ONCE, count)), time.process_time()
        clips = [made[place] for place in batch]
        found = pipeline(
            [clip.frames[0] for clip in clips],
            [torch.as_tensor(clip.waveform) for clip in clips],
            [clip.caption for clip in clips],
            sample_rate=clips[0].sample_rate,
            generator=seeds(batch),
            **levers(method)[lever],
        ).frames
        seconds += time.process_time() - begun
        frames = np.concatenate([frames, np.stack(list(found))])
        with open(file.with_suffix(".part"), "wb") as stream:
            np.savez_compressed(stream, frames=frames, seconds=seconds)
        file.with_suffix(".part").replace(file)
    told = scores(file)
    print(
        method,
        seed,
        lever,
        len(frames),
        f"F1 {f1(told['counts']):.3f}",
        *(f"{told[name].mean():.2f}" for name in ("psnr", "sharp")),
        flush=True,
    )


@cache
def held_out(place: int) -> SyntheticClip:
    return world(HELD_OUT)[place]


@cache
def scores(file: Path, lpips: Path | None) -> dict[str, np.ndarray]:
    """Matches of events of each clip, decibels of its moving pixels, how sharp they are, truth being 1, and LPIPS."""
    frames = np.load(file)["frames"]
    clips = [held_out(place) for place in range(len(frames))]
    both, distance = list(zip(frames, clips, strict=True)), lpips_of(lpips)
    return {
        "lpips": np.array([distance(shown, clip.frames) for shown, clip in both]),
        "counts": np.array([counts(shown, clip, FPS) for shown, clip in both]),
        "psnr": np.array([float(moving_psnr(shown, clip.frames, clip.mask)) for shown, clip in both]),
        "sharp": np.array([edges(shown, clip.mask) / edges(clip.frames, clip.mask) for shown, clip in both]),
    }


def edges(frames: np.ndarray, mask: np.ndarray) -> float:
    """Mean difference of neighbours in a row, of pixels that move."""
    return float(np.abs(np.diff(frames.astype(float), axis=2)).mean(-1)[mask[:, :, 1:]].mean())


@cache
def of_one_call(stage: str, level: int | None) -> float:
    """Operations of a released network's call, on the meta device; with `level` of one that is not whole."""
    with torch.device("meta"):
        network = AVSyncDUNet() if stage == "frames" else KeyVIDUNet(frame_index_embedding=stage == "keyframe")
    deep = DeepFeatures(2, level or 1)
    if stage == "frames":
        ask = partial(network.eval(), empty(1, 12, 4, 32, 32), empty(1), empty(1, 77, 768), empty(1, 229, 768))
    else:
        frames = 12 if stage == "keyframe" else 48
        more = {"image_embeds": empty(1, frames, 16, 1024), "audio_embeds": empty(1, frames, 12, 768)}
        ask = partial(of_keyvid, network.eval(), frames=frames, size=(40, 64), **more)
    with torch.no_grad():
        if level is not None:
            ask(deep_features=deep)
        with FlopCounterMode(display=False) as counter:
            ask(deep_features=deep)
    return counter.get_total_flops()


def operations(method: str, arguments: dict) -> float:
    """Of the networks in a released job with these arguments: the sampling loop with networks that only count."""
    if method == "avsyncd":
        return _of_stage("frames", TextAudioGuidance(audio=4.0), arguments, 50, False)
    first = _of_stage("keyframe", Guidance(), arguments, 90, True)
    second = {name.removeprefix("interp_"): value for name, value in arguments.items() if name.startswith("interp_")}
    shared = {name: value for name, value in arguments.items() if name in ("sampler", *RANGE)}
    return first + _of_stage("interp", Guidance(audio=9.0), shared | second, 90, True)


def _of_stage(stage: str, guidance, arguments: dict, steps: int, keyvid: bool) -> float:
    interval, level = arguments.get("cache_interval", 1), arguments.get("cache_level", 1)
    kept, total = FeatureCache(interval, level), 0.0
    kind, sampler = "v_prediction" if keyvid else "epsilon", arguments.get("sampler", "own")

    def predict(sample: torch.Tensor, timestep: torch.Tensor, branches: tuple[str, ...]) -> torch.Tensor:
        nonlocal total
        deep = kept.of(branches)
        if deep is not None:
            deep.begin(4)
        total += of_one_call(stage, None if deep is None or deep.whole else level)
        return sample

    own = sampler == "own" or not arguments
    scheduler = (
        scheduler_of("keyvid" if keyvid else "avsyncd")
        if own
        else make_scheduler(sampler, prediction_type=kind, zero_terminal_snr=keyvid, dynamic_rescale=keyvid)
    )
    denoise(
        predict,
        torch.zeros(1, 1, 4, 1, 1),
        scheduler,
        arguments.get("num_inference_steps", steps),
        guidance=guidance,
        guidance_range=tuple(arguments.get(name, place) for place, name in enumerate(RANGE)),
        prediction_type=kind,
    )
    return total


def levers(method: str) -> dict[str, dict]:
    """Arguments of the call by the names of rows: one lever after another, some together, then the presets."""
    stages = ("", "interp_") if method == "keyvid" else ("",)

    def each(**arguments) -> dict:
        return {f"{stage}{name}": value for stage in stages for name, value in arguments.items()}

    def steps(count: int, sampler: str = "dpm++") -> dict:
        return {"sampler": sampler} | each(num_inference_steps=count)

    tried = {f"own-{count}": each(num_inference_steps=count) for count in (25, 12, 6, 3)}
    tried |= {f"dpm++-{count}": steps(count) for count in (12, 6, 3)}
    tried |= {f"{name}-6": steps(6, name) for name in ("ddim", "unipc")}
    tried |= {f"cache-{every}": each(cache_interval=every) for every in (2, 5)}
    tried |= {"guidance-early": {"guidance_stop": 0.5}}
    tried |= {"own-12 cache-5": tried["own-12"] | tried["cache-5"]}
    tried |= {"dpm++-12 cache-2": tried["dpm++-12"] | tried["cache-2"]}
    if method == "keyvid":
        for first, second in ((12, 6), (6, 12)):
            tried[f"dpm++-{first}-{second}"] = steps(first) | {"interp_num_inference_steps": second}
    return {"best": {}} | tried | PRESETS[method]


def rows(method: str, names: Sequence[str], options) -> list[tuple[str, ...]]:
    """A row for each lever that was run, beside `best` on the same clips and trainings."""
    told = [("what", "trainings, clips", "operations", "CPU time", "F1", "to `best`")]
    told[0] += ("PSNR", "to `best`", "LPIPS", "to `best`", "sharpness")
    for name in names:
        files = [
            [options.folder / f"{method}-{seed}-{one}.npz" for one in (name, "best")] for seed in range(options.seeds)
        ]
        pairs = [pair for pair in files if all(file.is_file() for file in pair)]
        if pairs:
            share = operations(method, levers(method)[name]) / operations(method, {})
            told.append((f"`{name}`", *_row(pairs, share, options.lpips)))
            if name in PRESETS[method]:  # which were picked on the clips that every lever was tried on
                told.append((f"`{name}`, other clips", *_row(pairs, share, options.lpips, options.tried)))
    return told


def _row(pairs: list[list[Path]], share: float, lpips: Path | None, first: int = 0) -> tuple[str, ...]:
    found = [[scores(file, lpips) for file in pair] for pair in pairs]
    size = min(len(one["psnr"]) for pair in found for one in pair)
    mine, best = (
        {name: np.stack([pair[side][name][first:size] for pair in found]) for name in found[0][0]} for side in (0, 1)
    )
    seconds = np.mean(
        [[float(np.load(file)["seconds"]) / len(np.load(file)["frames"]) for file in pair] for pair in pairs], 0
    )
    both = list(zip(mine["counts"].sum(0), best["counts"].sum(0), strict=True))
    less = interval(both, lambda some: f1([one for one, _ in some]) - f1([other for _, other in some]))
    decibels, farther = (interval(list((mine[name] - best[name]).mean(0))) for name in ("psnr", "lpips"))
    is_best = pairs[0][0] == pairs[0][1]
    return (
        f"{len(pairs)}, {size - first}",
        f"{share:.3f}",
        f"{seconds[0] / seconds[1]:.2f}",
        f"{interval(list(mine['counts'].sum(0)), f1):.3f}",
        "" if is_best else f"{less:+.3f}",
        f"{mine['psnr'].mean():.2f}",
        "" if is_best else f"{decibels:+.2f}",
        f"{mine['lpips'].mean():.3f}",
        "" if is_best else f"{farther:+.3f}",
        f"{mine['sharp'].mean():.2f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="states and scores; a stopped run goes on from them")
    parser.add_argument("--different", type=int, default=800, help="clips that are learned from")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=128, help="held-out clips of the presets")
    parser.add_argument("--tried", type=int, default=32, help="held-out clips of single levers")
    parser.add_argument("--show", action="store_true", help="only the tables of what is done")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--lpips", type=Path, help="folder with alexnet-owt-7be5be79.pth and alex.pth")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for method in PRESETS:
        if not options.show:
            sample_all(method, options)
        chosen = ("best", *PRESETS[method])
        print(
            table(
                f"presets/{method}-levers", rows(method, [one for one in levers(method) if one not in chosen], options)
            )
        )
        print(table(f"presets/{method}", rows(method, chosen, options)))


def sample_all(method: str, options) -> None:
    """Every lever on the first training, `best` and the presets on all."""
    parts = small_parts()
    for seed in range(options.seeds):
        for lever in levers(method) if seed == 0 else ("best", *PRESETS[method]):
            run(method, seed, lever, parts, options)


if __name__ == "__main__":
    main()
