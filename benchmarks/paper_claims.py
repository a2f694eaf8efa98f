"""Four claims of the papers on the synthetic world, three trainings each: frame rate, curation twice, keyframes.

    python benchmarks/paper_claims.py --folder runs/claims            # goes on where it stopped
    ASVA_RECORD=1 python benchmarks/paper_claims.py --folder runs/claims --show

The small U-Nets of controls.py learn drums and hammers, 49 frames of 32 x 32 at 24 per second or every second or fourth
of them, in 300 steps of 8 clips out of 600; all of a network learns. Raw clips have a fault in 6 of 10: another clip's
sound, a shifted one, a cut to another clip, or a picture that stands still from 0.8 s on. Curated are those raw clips
that asva_curate's rhythm score keeps (0 or more); right ones have no fault. Every set is of one size and seen equally
often. Finetuning takes 60 steps, on 5 right clips of each class; with a pretraining of 150 steps, a first try, neither
set taught anything (0.30 and 0.29, finetuned 0.29 and 0.32, another clip's sound 0.28 to 0.30, one training). KeyVID
makes 13 keyframes of 49 frames, which lie where the true motion says in training and where the bundled localizer's
curve of the sound says in sampling, or uniformly in both; one second stage, learned on 4 clips a step, which hears and
knows either kind, fills in the rest. A keyframe hears a sixth of a second, so that uniform ones miss nothing of the
sound, which is in the time embedding too: as published, with the sound in its cross-attention alone, a first try had
not learned to hear in 300 steps (0.18 and 0.21 on every frame, another clip's sound 0.13 and 0.11).

Then each makes videos of 48 held-out first frames in two steps without guidance. F1 of events within one frame of the
rate at which it is judged, sides counted: with the clip's own sound, and with another clip's, which is the level of
chance. All trainings together; intervals are 95 % of a bootstrap over clips, differences are paired by clip. True
frames have 1.00 at 24 and 12 per second and 0.86 at 6; a first frame that stands still has 0.

Expected, written before anything was trained. A claim holds where the difference is at least 0.03 in each training and
its interval is above 0:

1. Audio windows of 12 frames a second beat those of 6 when both are judged at 6 (Scaling up, table 1).
2. AVSyncD: curated beats raw, right beats curated by less (AVSyncD, table 2b).
3. Audio windows: curated pretraining beats raw; finetuning helps both and halves the distance (Scaling up, table 2).
4. Keyframes beat uniform ones judged on every frame, and by less on 13 of them (KeyVID, table 2).
"""

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from bundled_model import interval
from controls import CLASSES, HELD_OUT, LEARNED, autoencoder, counts, f1
from results import table
from unet_backbones import HearingUNet

from asva_audio import Audio, LogMelFrames
from asva_curate.curation.excerpts import Excerpt
from asva_curate.curation.rhythm import RhythmScore
from asva_data import SyntheticClip, SyntheticWorld
from asva_data.synthetic.faults import freeze, other_picture, shift_sound
from asva_dit.controls import Features
from asva_dit.pixels import decode_video, encode_video
from asva_dit.with_control import Hearing
from asva_keyframe import select_keyframes, sound_curve, uniform_keyframes
from asva_train.fields import LoopRecipe
from asva_train.optimizer import make_optimizer
from asva_unet import KeyVIDUNet
from asva_unet.pixels import to_frames, to_pixels

FPS, FRAMES, SIZE, KEYFRAMES, SAVE = 24, 49, 32, 13, 100
CLIPS, SHOTS, STEPS, RATE = 600, 5, 300, 3e-3
EAR = LogMelFrames(fps=FPS, num_hidden_layers=2, hidden_size=64)
FAULTS = ("another sound", "shifted sound", "cut", "frozen")
KEYVID = {
    "in_channels": 32,
    "out_channels": 16,
    "block_out_channels": (16, 32),
    "norm_num_groups": 8,
    "attention_levels": (False, True),
    "layers_per_block": 1,
    "attention_head_dim": 16,
    "cross_attention_dim": 16,
    "audio_embed_dim": 64,
    "audio_zero_init": False,
    "audio_in_time_embedding": True,
    "audio_tokens_per_frame": 8,
    "init_attention": False,
    "dropout": 0.0,
}


class Run(NamedTuple):
    """One training: which network, which clips, every how many frames, from which other training."""

    kind: str
    clips: str = "right"
    every: int = 2
    start: str = ""
    steps: int = STEPS
    size: int = 8


RUNS = {
    "windows": Run("audio windows"),
    "windows-6": Run("audio windows", every=4),
    "avsyncd-raw": Run("AVSyncD", "raw"),
    "avsyncd-curated": Run("AVSyncD", "curated"),
    "avsyncd-right": Run("AVSyncD"),
    "uniform": Run("KeyVID", every=4),
    "keyframes": Run("KeyVID", every=0),
    "between": Run("KeyVID", every=1, size=4),
    "windows-raw": Run("audio windows", "raw"),
    "windows-curated": Run("audio windows", "curated"),
    "windows-raw-tuned": Run("audio windows", "few", start="windows-raw", steps=60),
    "windows-curated-tuned": Run("audio windows", "few", start="windows-curated", steps=60),
}


NAMES = {
    "windows": ("audio windows, 12 frames a second", "right"),
    "windows-6": ("audio windows, 6 frames a second", "right"),
    "avsyncd-raw": ("AVSyncD", "raw"),
    "avsyncd-curated": ("AVSyncD", "curated"),
    "avsyncd-right": ("AVSyncD", "right"),
    "uniform": ("KeyVID, uniform frames", "right"),
    "keyframes": ("KeyVID, keyframes", "right"),
    "windows-raw": ("audio windows, pretrained", "raw"),
    "windows-curated": ("audio windows, pretrained", "curated"),
    "windows-raw-tuned": ("the same", "raw, then few right ones"),
    "windows-curated-tuned": ("the same", "curated, then few right ones"),
}
CLAIMS = (
    ("1. 12 frames a second against 6", "windows", "windows-6", 6),
    ("2. AVSyncD, curated against raw", "avsyncd-curated", "avsyncd-raw", 12),
    ("2. AVSyncD, right against curated", "avsyncd-right", "avsyncd-curated", 12),
    ("3. audio windows, curated against raw", "windows-curated", "windows-raw", 12),
    ("3. the same, both finetuned", "windows-curated-tuned", "windows-raw-tuned", 12),
    ("3. finetuned against raw alone", "windows-raw-tuned", "windows-raw", 12),
    ("3. finetuned against curated alone", "windows-curated-tuned", "windows-curated", 12),
    ("4. keyframes against uniform frames", "keyframes", "uniform", 24),
    ("4. the same, on 13 frames", "keyframes", "uniform", 6),
)


class Clips(NamedTuple):
    """Latents (n, t, c, h, w), sounds (n, pieces, d) and keyframes (n, k) of clips at 24 frames per second."""

    latents: torch.Tensor
    sound: torch.Tensor
    places: torch.Tensor

    def take(self, chosen) -> "Clips":
        return Clips(self.latents[chosen].float(), self.sound[chosen].float(), self.places[chosen])


def world(seed: int) -> SyntheticWorld:
    return SyntheticWorld(seed, size=SIZE, num_frames=FRAMES, fps=FPS, classes=CLASSES, two_objects=0.0)


def raw(
    clip: SyntheticClip, other: SyntheticClip, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, str]:
    """Frames, sound and fault of a clip as it may be found."""
    fault = generator.choice(("", *FAULTS), p=(0.4, *[0.15] * 4))
    frames, sound = clip.frames, clip.waveform[0]
    if fault == "another sound":
        sound = other.waveform[0]
    elif fault == "shifted sound":
        sound = shift_sound(sound, generator.uniform(1 / 8, 7 / 8) * FRAMES / FPS, clip.sample_rate)
    elif fault == "cut":
        frames = other_picture(frames, other.frames, 0.5)
    elif fault == "frozen":
        frames = freeze(frames, 0.6)
    return frames, sound, str(fault)


def is_kept(frames: np.ndarray, sound: np.ndarray, rate: int) -> bool:
    """Whether the curation without a network keeps a clip."""
    times, whole = np.arange(FRAMES) / FPS, {"path": "", "label": "", "start": 0.0, "seconds": FRAMES / FPS}
    found = RhythmScore()(Excerpt(**whole, frames=frames, times=times, waveform=sound[None], sample_rate=rate))
    return found.get("rhythm", -1.0) >= 0


def gather(name: str) -> tuple[list[tuple[np.ndarray, np.ndarray, np.ndarray]], dict[str, int]]:
    """Frames, sound and motion of the clips of a set, and how many have which fault."""
    made, found, faults, index = world(LEARNED), [], {}, 0
    left = dict.fromkeys(CLASSES, SHOTS)
    while len(found) < (SHOTS * len(CLASSES) if name == "few" else CLIPS):
        clip, generator = made[index], np.random.default_rng([LEARNED, 7, index])
        frames, sound, fault = clip.frames, clip.waveform[0], ""
        if name in ("raw", "curated"):
            frames, sound, fault = raw(clip, made[100_000 + index], generator)
        index += 1
        if name == "few":
            left[clip.class_name] -= 1
        if (name == "curated" and not is_kept(frames, sound, clip.sample_rate)) or left[clip.class_name] < 0:
            continue
        found.append((frames, sound, np.r_[clip.motion_score[:1], clip.motion_score[:-1]]))  # for the frame it leads to
        faults[fault] = faults.get(fault, 0) + 1
    return found, faults


@torch.no_grad()
def encode(vae, frames: Sequence[np.ndarray], sounds: Sequence[np.ndarray], curves: Sequence[np.ndarray]) -> Clips:
    """Clips as networks see them."""
    chosen = [select_keyframes(curve, KEYFRAMES, rule="even", generator=i) for i, curve in enumerate(curves)]
    latents = torch.cat([encode_video(vae, to_pixels(torch.as_tensor(one)[None])) for one in frames])
    heard = EAR(torch.as_tensor(np.stack(sounds)), FRAMES).flatten(1, 2)
    return Clips(latents.half(), heard.half(), torch.as_tensor(np.stack(chosen)))


@cache
def learned(name: str, folder: Path) -> Clips:
    """The clips of a set, made once and kept."""
    file = folder / f"clips-{name}.pt"
    if not file.is_file():
        found, faults = gather(name)
        keep(file, {"clips": tuple(encode(autoencoder(1), *zip(*found, strict=True))), "faults": faults})
    return Clips(*torch.load(file, weights_only=True)["clips"])


def keep(file: Path, value) -> None:
    """Write whole or not at all."""
    torch.save(value, file.with_suffix(".part"))
    file.with_suffix(".part").replace(file)


class Learner:
    """A network and how it is asked about some frames of a clip."""

    def __init__(self, run: Run, seed: int) -> None:
        self.run, self.keyvid = run, run.kind == "KeyVID"
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            width, self.fps = EAR.config.hidden_size, FPS / (run.every or 4)
            self.network = KeyVIDUNet(**KEYVID) if self.keyvid else HearingUNet(run.kind, 16, width, self.fps)

    def frames(self, clips: Clips) -> torch.Tensor:
        """(b, t) which frames it makes."""
        even = torch.arange(0, FRAMES, self.run.every or 4)
        return clips.places if self.run.every == 0 else even.expand(len(clips.sound), -1)

    def ask(self, noisy: torch.Tensor, time: torch.Tensor, given: torch.Tensor, clips: Clips) -> torch.Tensor:
        """Its answer, noise less clean latents; `given` are the first frame's, or of KeyVID those of every frame."""
        text = torch.zeros(len(noisy), 1, 16)
        if not self.keyvid:
            pieces = clips.sound.shape[1]
            times = (torch.arange(pieces, dtype=torch.float64) + 0.5) / (2 * FPS)
            self.network.listen(Hearing(features={"mel": Features(clips.sound, times)}, fps=self.fps))
            return self.network(noisy, 999 * time, text, given[:, :1])
        places = self.frames(clips)
        around = torch.nn.functional.pad(clips.sound, (0, 0, 3, 3)).unfold(1, 8, 2).transpose(2, 3)
        heard = torch.stack([one[place] for one, place in zip(around, places, strict=True)])
        shown = torch.cat([noisy, given.expand_as(noisy)], dim=2)
        told = {"fps": self.fps, "frame_indices": places, "return_dict": False}
        return self.network(shown, 999 * time, text, audio_embeds=heard, **told)[0]

    def loss(self, clips: Clips, generator: torch.Generator) -> torch.Tensor:
        """Error of the answer, more where something moves."""
        clean = at(clips.latents, self.frames(clips))
        noise = torch.randn(clean.shape, generator=generator)
        time = 1 - torch.rand(len(clean), generator=generator) ** 3
        kept = (torch.rand(len(clean), 1, 1, generator=generator) > 0.1).float()
        given = clean[:, :1]
        if self.run.every == 1:
            even = torch.as_tensor(uniform_keyframes(FRAMES, KEYFRAMES)).expand_as(clips.places)
            places = torch.where(torch.rand(len(clean), 1, generator=generator) < 0.5, even, clips.places)
            given = lay_out(at(clean + 0.1 * torch.randn(clean.shape, generator=generator), places), places)
        share = time.view(-1, 1, 1, 1, 1)
        answer = self.ask(share * noise + (1 - share) * clean, time, given, clips._replace(sound=clips.sound * kept))
        moving = (clean - clean[:, :1]).square().mean(2, keepdim=True)
        return ((answer - noise + clean).square() * (1 + 4 * moving / moving.mean()))[:, 1:].mean()

    @torch.no_grad()
    def sample(self, given: torch.Tensor, clips: Clips, steps: int) -> torch.Tensor:
        """Latents of its frames; `given` as in `ask`."""
        count = self.frames(clips).shape[1]
        x = torch.randn(len(given), count, *given.shape[2:], generator=torch.Generator().manual_seed(7))
        for step in range(steps):
            x = x - self.ask(x, torch.full((len(x),), 1 - step / steps), given, clips) / steps
        return torch.cat([given[:, :1], x[:, 1:]], dim=1)


def at(latents: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Frames (b, k, ...) of (b, t, ...) at places (b, k)."""
    return torch.stack([one[place] for one, place in zip(latents, places, strict=True)])


def lay_out(latents: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Keyframes (b, k, ...) at their places among all frames, zeros elsewhere."""
    whole = latents.new_zeros(len(latents), FRAMES, *latents.shape[2:])
    for one, place, known in zip(whole, places, latents, strict=True):
        one[place] = known
    return whole


def train(name: str, seed: int, folder: Path) -> Learner:
    """A trained network, from the last state that was kept."""
    run, file = RUNS[name], folder / f"{name}-{seed}.pt"
    learner = Learner(run, seed)
    network, begun = learner.network, 0
    recipe = LoopRecipe(batch_size=run.size, learning_rate=RATE, optimizer="muon")
    optimizer = make_optimizer(recipe, list(network.parameters()))
    if file.is_file():
        kept = torch.load(file, weights_only=True)
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        begun = kept["step"]
    elif run.start:
        network.load_state_dict(torch.load(folder / f"{run.start}-{seed}.pt", weights_only=True)["network"])
    for step in range(begun, run.steps):
        clips, generator = learned(run.clips, folder), torch.Generator().manual_seed(1000 * seed + step + 1_000_000)
        chosen = torch.randint(len(clips.sound), (run.size,), generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = RATE * (0.3 if run.start else 1) * min(1, (step + 1) / 50) * (1 - 0.95 * step / run.steps)
        loss = learner.loss(clips.take(chosen), generator)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % SAVE == 0 or step + 1 == run.steps:
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            keep(file, state)
            print(name, seed, step + 1, f"{loss.item():.4f}", flush=True)
    network.eval()
    return learner


@cache
def held_out(number: int) -> list[SyntheticClip]:
    return [world(HELD_OUT)[i] for i in range(number)]


@cache
def heard_motion(number: int) -> list[np.ndarray]:
    """What the bundled localizer hears of the held-out clips."""
    return [sound_curve(Audio(torch.as_tensor(clip.waveform), clip.sample_rate)) for clip in held_out(number)]


def score(name: str, seed: int, options) -> dict[str, list]:
    """Matches of events of each held-out clip, by sound and rate at which they are judged."""
    learner, clips, vae = train(name, seed, options.folder), held_out(options.clips), autoencoder(1)
    motion = heard_motion(options.clips) if learner.keyvid else [clip.motion_score for clip in clips]
    heard, found = [(clip.waveform[0], curve) for clip, curve in zip(clips, motion, strict=True)], {}
    for sound, pairs in {"own": heard, "another": heard[1:] + heard[:1]}.items():
        asked = encode(vae, [clip.frames for clip in clips], *zip(*pairs, strict=True)).take(slice(None))
        latents, every = learner.sample(asked.latents[:, :1], asked, options.sampling), learner.run.every
        shown = {every: latents, 4: latents[:, :: 4 // max(every, 1)]}
        if learner.keyvid:
            second, places = train("between", seed, options.folder), learner.frames(asked)
            whole = second.sample(lay_out(latents, places), asked, options.sampling)
            shown = {1: whole, 4: latents if every else whole[:, ::4]}
        for rate, part in shown.items():
            found[f"{sound} at {FPS // rate}"] = judge(vae, part, rate, clips)
    return found


def judge(vae, latents: torch.Tensor, every: int, clips: list[SyntheticClip]) -> list[list[int]]:
    """Matches of events of videos that have every n-th frame."""
    shown = decode_video(vae, latents)
    return [counts(to_frames(one).numpy(), clip, FPS / every) for one, clip in zip(shown, clips, strict=True)]


def kept(name: str, options) -> list[dict[str, list]]:
    """Scores of every training of a run."""
    files = [options.folder / f"{name}-{seed}.json" for seed in range(options.seeds)]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]


def pooled(found: list[dict[str, list]], key: str) -> list:
    """Matches of each clip, the mean of all trainings."""
    return list(np.mean([one[key] for one in found], axis=0))


def sets(options) -> list[tuple[str, ...]]:
    """How many clips of the sets have which fault."""
    told = [("clips", "without a fault", *FAULTS)]
    for name in ("raw", "curated"):
        faults = torch.load(options.folder / f"clips-{name}.pt", weights_only=True)["faults"]
        told.append((name, *(f"{faults.get(fault, 0) / CLIPS:.0%}" for fault in ("", *FAULTS))))
    return told


def trainings(options) -> list[tuple[str, ...]]:
    """A row for each run and rate."""
    told = [("network", "clips", "judged at", "its own sound", "each training", "another's")]
    for name in NAMES:
        found = kept(name, options)
        for rate in sorted({int(key.split()[-1]) for key in (found[0] if found else ())}, reverse=True):
            own, another = (f"{interval(pooled(found, f'{kind} at {rate}'), f1):.3f}" for kind in ("own", "another"))
            each = ", ".join(f"{f1(one[f'own at {rate}']):.3f}" for one in found)
            told.append((*NAMES[name], f"{rate} per second", own, each, another))
    return told


def differences(options) -> list[tuple[str, ...]]:
    """A row for each claim: by how much one run is ahead of another."""
    told = [("", "judged at", "difference", "each training", "holds, of three trainings")]
    for what, first, second, rate in CLAIMS:
        found = [kept(name, options) for name in (first, second)]
        count = min(map(len, found))  # what both have so far
        trained = list(zip(*(one[:count] for one in found), strict=True))
        if trained:
            one, other = (pooled(one[:count], f"own at {rate}") for one in found)
            both = list(zip(one, other, strict=True))
            ahead = interval(both, lambda some: f1([a for a, _ in some]) - f1([b for _, b in some]))
            each = [f1(a[f"own at {rate}"]) - f1(b[f"own at {rate}"]) for a, b in trained]
            holds = "yes" if ahead.low > 0 and min(each) >= 0.03 else "**no**"
            holds += "" if len(each) >= 3 else f", of {len(each)}"
            told.append((what, f"{rate} per second", f"{ahead:+.3f}", ", ".join(f"{x:+.3f}" for x in each), holds))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="states and scores; a stopped run goes on from them")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS), help="which trainings")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--sampling", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="only the table of what is done")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name, seed in [(name, seed) for seed in range(options.seeds) for name in options.runs if name != "between"]:
        file = options.folder / f"{name}-{seed}.json"
        if not file.is_file() and not options.show:
            found = score(name, seed, options)
            file.with_suffix(".part").write_text(json.dumps(found), encoding="utf-8")
            file.with_suffix(".part").replace(file)
            print(name, seed, *(f"{key} {f1(value):.3f}" for key, value in found.items()), flush=True)
    for name, rows in (("sets", sets(options)), ("trainings", trainings(options)), ("claims", differences(options))):
        print(table(f"paper_claims/{name}", rows) + "\n")


if __name__ == "__main__":
    main()
