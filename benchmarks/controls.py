"""Which idea carries over? Event F1 of each backbone with each control on the synthetic world, as a table in Markdown.

    python benchmarks/controls.py --folder runs/controls            # goes on where it stopped
    ASVA_RECORD=1 python benchmarks/controls.py --folder runs/controls --show

Small random transformers of diffusers' classes (CogVideoX, Wan, LTX-2) learn with an audio-windows or a multi-stream
control on clips of 25 frames of 32 x 32 at 12 per second, with patches for an autoencoder. Everything learns, in every
run alike: the same clips, steps, widths and optimizer; the sound is left out of one clip in ten. Then each makes videos
of held-out first frames: with the clip's sound, with the control off, and with another clip's sound, each scored
against the clip's own events. F1 of events within one frame, sides counted, over all seeds of training; intervals are
95 % of a bootstrap over clips. The papers' U-Nets stand beside them, of about as many operations; they hear by layers
of their own, and their latents are those of single frames.

Expected before they were trained: with latents of every frame the U-Nets are at least as much in time as the
transformers; KeyVID and AVSyncD, each frame of which hears its own piece alone, are ahead of audio windows; without its
lookups in the first frame AVSyncD is as much in time, and worse to look at (its paper: both fall).
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import diffusers
import numpy as np
import torch
from bundled_model import interval
from results import table
from torch.utils.flop_counter import FlopCounterMode
from unet_backbones import FRAMES_OF_THEIR_OWN, UNETS, HearingUNet

from asva_audio import LogMelFrames
from asva_data import SyntheticClip, SyntheticWorld, detect_events
from asva_dit import PatchVideoAutoencoder
from asva_dit.backbones import BACKBONES, Question
from asva_dit.controls import AudioWindows, Features, MultiStream
from asva_dit.flow import loss, sample
from asva_dit.pixels import decode_video, encode_video
from asva_dit.with_control import Hearing, control_arguments, control_of, with_control
from asva_metrics import match_events
from asva_train.fields import LoopRecipe
from asva_train.optimizer import make_optimizer
from asva_unet.pixels import to_frames, to_pixels

BACKBONES["unet"] = FRAMES_OF_THEIR_OWN
FRAMES, FPS, SIZE, PATCH, CHANNELS = 25, 12.0, 32, 8, 16
CLASSES = ("drums", "hammer")
LEARNED, HELD_OUT = 31, 1_000_003
BATCH, SAVE = 8, 100
EAR = LogMelFrames(fps=FPS, num_hidden_layers=2, hidden_size=64)
WIDTH = {"num_attention_heads": 3, "attention_head_dim": 32, "num_layers": 3}
CONTROL = {"audio_dim": 96, "num_heads": 4, "head_dim": 32}
CONTROLS = {
    "audio windows": lambda arguments: AudioWindows(**arguments, **CONTROL, sources={"mel": 64}),
    "multi-stream": lambda arguments: MultiStream(
        **arguments,
        **CONTROL,
        sources={"effects": 64},
        num_tokens=4,
        hidden_dim=192,
        interaction_layers=1,
        interaction_heads=4,
    ),
}
RUNS = [(name, kind) for name in BACKBONES for kind in (UNETS if name == "unet" else CONTROLS)]


def transformer_of(name: str):
    """A small random transformer of the class of a backbone, with its image-to-video inputs."""
    if name == "cogvideox":
        return diffusers.CogVideoXTransformer3DModel(
            **WIDTH,
            in_channels=2 * CHANNELS,
            out_channels=CHANNELS,
            time_embed_dim=128,
            text_embed_dim=16,
            sample_width=SIZE // PATCH,
            sample_height=SIZE // PATCH,
            patch_size=1,
            max_text_seq_length=1,
            use_rotary_positional_embeddings=True,
        )
    if name == "wan":
        return diffusers.WanTransformer3DModel(
            **WIDTH, patch_size=(1, 1, 1), in_channels=CHANNELS, out_channels=CHANNELS, text_dim=16, ffn_dim=384
        )
    return diffusers.LTX2VideoTransformer3DModel(
        **WIDTH,
        in_channels=2 * CHANNELS,
        out_channels=2 * CHANNELS,
        cross_attention_dim=96,
        audio_in_channels=4,
        audio_out_channels=4,
        audio_num_attention_heads=2,
        audio_attention_head_dim=8,
        audio_cross_attention_dim=16,
        caption_channels=16,
        vae_scale_factors=(8, PATCH, PATCH),
    )


@dataclass
class Clips:
    """Clips as networks see them."""

    latents: torch.Tensor
    sound: torch.Tensor

    @classmethod
    def of(cls, clips: list[SyntheticClip], vae) -> "Clips":
        pixels = to_pixels(torch.as_tensor(np.stack([clip.frames for clip in clips])))
        waves = torch.as_tensor(np.stack([clip.waveform[0] for clip in clips]))
        return cls(encode_video(vae, pixels), EAR(waves, FRAMES).flatten(1, 2))

    def question(self, noisy: torch.Tensor, time: torch.Tensor) -> Question:
        text = torch.zeros(len(noisy), 1, 16)
        return Question(noisy=noisy, time=time, text=text, first=self.latents[:, :1], fps=FPS)

    def heard(self, name: str, kept: torch.Tensor | float = 1.0) -> Hearing:
        pieces = self.sound.shape[1]
        times = (torch.arange(pieces, dtype=torch.float64) + 0.5) * FRAMES / FPS / pieces
        return Hearing(features={name: Features(self.sound * kept, times)}, fps=FPS)


def world(seed: int) -> SyntheticWorld:
    return SyntheticWorld(seed, size=SIZE, num_frames=FRAMES, fps=FPS, classes=CLASSES, two_objects=0.0)


def autoencoder(slot: int) -> PatchVideoAutoencoder:
    """Patches fitted on clips that no training sees; those of LTX-2 hold eight frames in twice as many numbers."""
    vae = PatchVideoAutoencoder(PATCH, max(CHANNELS * slot // 4, CHANNELS), temporal_compression_ratio=slot)
    made = world(LEARNED + 1)
    vae.fit(to_pixels(torch.as_tensor(np.stack([made[i].frames for i in range(96)]))).movedim(1, 2))
    return vae


def batches(options, vae) -> list[Clips]:
    """The clips of all steps, the same for every run, which come again; made once and kept."""
    slot = vae.config.temporal_compression_ratio
    file, made = options.folder / f"clips-{slot}-{options.different}.pt", world(LEARNED)
    if not file.is_file():
        kept = []
        for first in range(0, options.different * BATCH, BATCH):
            clips = Clips.of([made[first + i] for i in range(BATCH)], vae)
            kept.append((clips.latents, clips.sound))
        torch.save(kept, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
    return [Clips(*pair) for pair in torch.load(file, weights_only=True)]


@dataclass
class Learner:
    """A network, what it hears by, and how it is told to listen."""

    network: torch.nn.Module
    control: torch.nn.Module
    listen: Callable[[Hearing | None], None]
    source: str = "mel"

    @classmethod
    def new(cls, name: str, kind: str, seed: int) -> "Learner":
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            if name == "unet":
                network = HearingUNet(kind, CHANNELS, EAR.config.hidden_size, FPS)
                return cls(network, torch.nn.Identity(), network.listen)
            network = transformer_of(name)
            control = CONTROLS[kind](control_arguments(network))
        with_control(network, control)
        return cls(network, control, control_of(network).listen, next(iter(control.config["sources"])))


def train(name: str, kind: str, seed: int, options) -> tuple[Learner, PatchVideoAutoencoder]:
    """A trained network with its control, from the last state that was kept."""
    learner = Learner.new(name, kind, seed)
    network, control = learner.network, learner.control
    vae = autoencoder(BACKBONES[name].frames_per_latent)
    learning = [*network.parameters(), *control.parameters()]
    recipe = LoopRecipe(batch_size=BATCH, learning_rate=options.rate, optimizer="muon")
    optimizer = make_optimizer(recipe, learning)
    file = place(options, name, kind, seed, ".pt")
    begun, known = 0, batches(options, vae)
    if file.is_file():
        kept = torch.load(file, weights_only=True)
        network.load_state_dict(kept["network"])
        control.load_state_dict(kept["control"])
        optimizer.load_state_dict(kept["optimizer"])
        begun = kept["step"]
    for step in range(begun, options.steps):
        generator = torch.Generator().manual_seed(1000 * seed + step + 1_000_000)
        clips = known[step % len(known)]
        time = 1 - torch.rand(BATCH, generator=generator) ** options.bias
        kept = (torch.rand(BATCH, 1, 1, generator=generator) > 0.1).float()
        noise = torch.randn(clips.latents.shape, generator=generator)
        learner.listen(clips.heard(learner.source, kept))
        moving = (clips.latents - clips.latents[:, :1]).square().mean(2, keepdim=True)
        losses = loss(network, clips.question(noise, time), clips.latents, noise, 1 + 4 * moving / moving.mean())
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1, (step + 1) / 50) * (1 - 0.95 * step / options.steps)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % SAVE == 0 or step + 1 == options.steps:
            state = {"network": network.state_dict(), "control": control.state_dict()}
            state |= {"optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(state, file.with_suffix(".part"))
            file.with_suffix(".part").replace(file)
            print(name, kind, seed, step + 1, f"{losses['error'].item():.4f}", flush=True)
    network.eval()
    return learner, vae


def place(options, name: str, kind: str, seed: int | str, ending: str) -> Path:
    """Where the state or the scores of one training lie."""
    return options.folder / f"{name}-{kind.replace(',', '').replace(' ', '-')}-{seed}{ending}"


@torch.no_grad()
def score(learner: Learner, vae, options) -> dict[str, list]:
    """Matches of events of each clip, with its own sound, with the control off and with another clip's sound."""
    clips, found = [world(HELD_OUT)[i] for i in range(options.clips)], {}
    others = clips[1:] + clips[:1]
    own, swapped = Clips.of(clips, vae), Clips.of(others, vae)
    noise = torch.randn(own.latents.shape, generator=torch.Generator().manual_seed(7))
    question = own.question(noise, torch.ones(len(clips)))
    hearings = {"own": own.heard(learner.source), "off": None, "another": swapped.heard(learner.source)}
    for name, hearing in hearings.items():
        learner.listen(hearing)
        pixels = decode_video(vae, sample(learner.network, question, options.sampling))
        frames = [to_frames(clip).numpy() for clip in pixels]
        found[name] = [counts(shown, clip) for shown, clip in zip(frames, clips, strict=True)]
        if name == "own":
            found["psnr"] = [psnr(shown, clip.frames) for shown, clip in zip(frames, clips, strict=True)]
    return found


def psnr(frames: np.ndarray, true: np.ndarray) -> float:
    """Decibels, of the frames behind the first."""
    error = np.square(frames[1:].astype(float) - true[1:]).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def counts(frames: np.ndarray, clip: SyntheticClip, fps: float = FPS) -> list[int]:
    """Events of a clip that frames show within a frame, those that are not its own, and those that they lack."""
    seen = detect_events(frames, clip.scene, fps=fps)
    labels = {"predicted_labels": seen.labels, "target_labels": clip.event_labels}
    match = match_events(seen.times, clip.event_times, 1 / fps, **labels)
    return [match.tp, match.fp, match.fn]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="states and scores; a stopped run goes on from them")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--different", type=int, default=100, help="batches of clips, which come again")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--sampling", type=int, default=2)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--bias", type=float, default=3.0)
    parser.add_argument("--show", action="store_true", help="only the table of what is done")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name, kind, seed in [(*run, seed) for seed in range(options.seeds) for run in RUNS]:
        file = place(options, name, kind, seed, ".json")
        if not file.is_file() and not options.show:
            found = score(*train(name, kind, seed, options), options)
            file.with_suffix(".part").write_text(json.dumps(found), encoding="utf-8")
            file.with_suffix(".part").replace(file)
            print(name, kind, seed, f"F1 {f1(found['own']):.3f}, off {f1(found['off']):.3f}", flush=True)
    print(table("controls/backbones", rows(options)))


def f1(counts: list) -> float:
    right, wrong, missed = np.sum(counts, axis=0)
    return 2 * right / max(2 * right + wrong + missed, 1)


def ceiling(name: str, options) -> float:
    """F1 of true frames that went through the autoencoder: what no network can pass but by luck."""
    vae, clips = autoencoder(BACKBONES[name].frames_per_latent), [world(HELD_OUT)[i] for i in range(options.clips)]
    shown = decode_video(vae, Clips.of(clips, vae).latents)
    return f1([counts(to_frames(frames).numpy(), clip) for frames, clip in zip(shown, clips, strict=True)])


def operations(name: str, kind: str) -> float:
    """Millions of multiplications and additions of one call for one clip that is heard."""
    learner, vae, clips = Learner.new(name, kind, 0), autoencoder(BACKBONES[name].frames_per_latent), [world(0)[0]]
    own = Clips.of(clips, vae)
    learner.listen(own.heard(learner.source))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        BACKBONES[name].ask(learner.network.eval(), own.question(own.latents, torch.ones(1)))
    return counter.get_total_flops() / 1e6


def rows(options) -> list[tuple[str, ...]]:
    """A row for each network; a clip's events and decibels are the mean of all seeds."""
    known = ("network", "hears by", "operations", "true frames, encoded")
    told = [(*known, "its own sound", "each seed", "off", "another's", "PSNR")]
    for name, kind in RUNS:
        kept = [
            json.loads(file.read_text(encoding="utf-8"))
            for file in sorted(options.folder.glob(place(options, name, kind, "[0-9]", ".json").name))
        ]
        if kept:
            pooled = {key: list(np.mean([one[key] for one in kept], axis=0)) for key in kept[0]}
            scores = [f"{interval(pooled[key], f1):.3f}" for key in ("own", "off", "another")]
            looks = f"{interval(pooled['psnr'], np.mean):.1f}"
            each = ", ".join(f"{f1(one['own']):.3f}" for one in kept)
            known = (f"{operations(name, kind):.0f} M", f"{ceiling(name, options):.2f}")
            told.append(("U-Net" if name == "unet" else name, kind, *known, scores[0], each, *scores[1:], looks))
    return told


if __name__ == "__main__":
    main()
