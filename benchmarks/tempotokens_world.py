"""What does a mapper alone hear, on a text-to-video network that stands still? Event F1 of TempoTokens, as a table.

    python benchmarks/tempotokens_world.py --folder runs/tempotokens            # goes on where it stopped
    ASVA_RECORD=1 python benchmarks/tempotokens_world.py --folder runs/tempotokens

A small network of the method's class (`UNet3DConditionModel`) and CLIP's text encoder learn by captions alone to make
clips of 24 frames of 32 x 32 at 12 per second; the autoencoder is that of the bundled model. Both then stand still, and
`asva train tempotokens` trains the mapper, three times, behind small random ears of the method's class, BEATs, which
nothing trains.

A text-to-video network is given no first frame, so where its objects stand could not be known. Therefore each of the
two captions has one scene here, and what differs between its clips is what happens. Events are read by the poses of the
true clip's scene, as in the other tables, so also of true frames and of a still picture. The network answers clean
latents: as many steps towards noise, as released, taught it textures and no scene.

Hypothesis, written before any score was seen: the mapper hears which object sounds and roughly when. Two frames share a
moment of BEATs (0.16 s), the even one its low bands and the odd one its high ones, and the network never learned that
words may change from frame to frame. So with its own sound it is above another clip's sound, and far below methods
whose networks learn (0.5 to 0.9 in the same world). Reference dropout changes what is seen throughout the clip, and
hardly when. The released guidance of 25 is too much for a small network.

F1 of events within one frame, sides counted, over all seeds of training; intervals are 95 % of a bootstrap over clips.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from bundled_model import interval
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet3DConditionModel
from results import table
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from asva_audio import BEATsEncoder
from asva_baselines.tempotokens.mapper import TempoTokensMapper
from asva_baselines.tempotokens.network import FrameWordsNetwork, predict_noise
from asva_baselines.tempotokens.pipeline import TempoTokensPipeline
from asva_data import detect_events, write_video
from asva_data.synthetic.catalogue import OBJECT_CLASSES
from asva_data.synthetic.render import render
from asva_data.synthetic.scenery import caption, draw_scene
from asva_data.synthetic.script import draw_script
from asva_metrics import chance_level, match_events
from asva_pipelines import load_pipeline, resolve_model
from asva_train import Run, load_recipe, make_task
from asva_train.fields import LoopRecipe
from asva_train.optimizer import make_optimizer
from asva_train.trainings import ADDED
from asva_unet import TextAudioGuidance, denoise, draw_noise
from asva_unet.pixels import decode_latents, encode_pixels, to_frames, to_pixels
from asva_unet.tokens import text_tokens

FRAMES, FPS, SIZE, RATE, WIDTH, WORDS = 24, 12.0, 32, 16000, 64, 16
CLASSES = ("drums", "hammer")
SCENES, LEARNED, HELD_OUT = 11, 31, 1_000_003
BATCH, SAVE = 4, 50
GUIDANCE = (1.0, 25.0)


class Clip(NamedTuple):
    """What happens in a scene."""

    scene: dict
    frames: np.ndarray
    waveform: np.ndarray
    times: np.ndarray
    labels: list[str]


def scenes() -> list[dict]:
    """One for each class, and so for each caption."""
    return [draw_scene(np.random.default_rng([SCENES, index]), [name]) for index, name in enumerate(CLASSES)]


def clip_of(seed: int, index: int) -> Clip:
    """Clip `index` of endless ones, scenes taking turns."""
    scene, rng = scenes()[index % len(CLASSES)], np.random.default_rng([seed, index])
    script = draw_script(rng, OBJECT_CLASSES[scene["objects"][0]["class"]], FRAMES / FPS)
    times = np.arange(FRAMES) / FPS
    shown = render(scene, SIZE, 0, script.poses(times), script.sparks(times))
    return Clip(scene, shown.frames, script.waveform(rng, RATE)[0], script.times, script.labels)


def untrained() -> TempoTokensPipeline:
    """All parts of the method, small: random ones, and the autoencoder of the bundled model."""
    captions = [caption(scene) for scene in scenes()]
    tokenizer = CLIPTokenizer(model_max_length=WORDS).train_new_from_iterator(captions, 300, show_progress=False)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    tower = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}
    ears = {"hidden_size": WIDTH, "embed_dim": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TempoTokensPipeline(
            vae=AutoencoderKL.from_pretrained(resolve_model("tiny"), subfolder="vae"),
            tokenizer=tokenizer,
            text_encoder=CLIPTextModel(
                CLIPTextConfig(vocab_size=len(tokenizer), max_position_embeddings=WORDS, **ids, **tower)
            ),
            unet=UNet3DConditionModel(
                in_channels=16,
                out_channels=16,
                block_out_channels=(32, 64),
                down_block_types=("DownBlock3D", "CrossAttnDownBlock3D"),
                up_block_types=("CrossAttnUpBlock3D", "UpBlock3D"),
                layers_per_block=1,
                cross_attention_dim=WIDTH,
                attention_head_dim=8,
            ),
            scheduler=DPMSolverMultistepScheduler(
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="sample"
            ),
            audio_encoder=BEATsEncoder(**ears, intermediate_size=2 * WIDTH, conv_pos=8, conv_pos_groups=2),
            mapper=TempoTokensMapper(2 * WIDTH, 2 * WIDTH, WIDTH, FRAMES),
            num_frames=FRAMES,
            fps=FPS,
            height=SIZE,
            width=SIZE,
        )


def told(pipeline: TempoTokensPipeline, captions: list[str]) -> torch.Tensor:
    """Hidden states (b, t, n, d) of captions, the same for every frame."""
    return text_tokens(pipeline.tokenizer, pipeline.text_encoder, captions)[:, None].expand(-1, FRAMES, -1, -1)


def keep(file: Path, state: dict) -> None:
    torch.save(state, file.with_suffix(".part"))
    file.with_suffix(".part").replace(file)


@torch.no_grad()
def latents_of(pipeline: TempoTokensPipeline, options) -> torch.Tensor:
    """(n, t, c, h, w) of the clips of the base, made once."""
    file = options.folder / f"latents-{options.different}.pt"
    if not file.is_file():
        made = (to_pixels(torch.as_tensor(clip_of(LEARNED, i).frames)) for i in range(options.different))
        keep(file, {"latents": torch.stack([encode_pixels(pipeline.vae, pixels, None) for pixels in made])})
    return torch.load(file, weights_only=True)["latents"]


def train_base(options) -> Path:
    """Folder of the model whose network and text encoder have learned captions alone, from the last state kept."""
    home, file = options.folder / "base", options.folder / "base.pt"
    if (home / "model_index.json").is_file():
        return home
    pipeline = untrained()
    known, captions = latents_of(pipeline, options), [caption(scene) for scene in scenes()]
    network, words = pipeline.unet.eval(), pipeline.text_encoder
    learning = [*network.parameters(), *words.parameters()]
    optimizer = make_optimizer(LoopRecipe(batch_size=BATCH, learning_rate=options.rate, optimizer="muon"), learning)
    begun = 0
    if file.is_file():
        kept = torch.load(file, weights_only=True)
        for part, name in ((network, "network"), (words, "words"), (optimizer, "optimizer")):
            part.load_state_dict(kept[name])
        begun = kept["step"]
    for step in range(begun, options.base_steps):
        generator = torch.Generator().manual_seed(step)
        chosen = torch.randint(len(known), (BATCH,), generator=generator)
        silent = torch.rand(BATCH, generator=generator) < 0.1
        contexts = told(
            pipeline, ["" if off else captions[i % len(captions)] for i, off in zip(chosen, silent, strict=True)]
        )
        clean = known[chosen]
        noise = torch.randn(clean.shape, generator=generator)
        time = torch.randint(1000, (BATCH,), generator=generator)
        answer = predict_noise(network, pipeline.scheduler.add_noise(clean, noise, time), time, contexts)
        moving = (clean - clean.median(1, keepdim=True).values).square().mean(2, keepdim=True)
        error = ((answer - clean).square() * (1 + 4 * moving / moving.mean())).mean()
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1, (step + 1) / 50, 2.5 * (1 - step / options.base_steps))
        error.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % SAVE == 0 or step + 1 == options.base_steps:
            state = {"network": network.state_dict(), "words": words.state_dict(), "optimizer": optimizer.state_dict()}
            keep(file, state | {"step": step + 1})
            print("base", step + 1, f"{error.item():.4f}", flush=True)
    pipeline.save_pretrained(home)
    return home


def write_clips(options) -> Path:
    """Folder of the videos with sound that the mapper learns from."""
    home = options.folder / "clips"
    home.mkdir(exist_ok=True)
    for index in range(options.videos):
        file = home / f"{index:04}.mp4"
        if not file.is_file():
            clip = clip_of(LEARNED + 1, index)
            write_video(file, clip.frames, fps=FPS, waveform=clip.waveform, sample_rate=RATE, crf=4)
    return home


def train_mapper(base: Path, seed: int, options) -> Path:
    """Folder of the model with a mapper that learned as `asva train tempotokens --resume` lets it learn."""
    home = options.folder / f"mapper-{seed}"
    if (home / "model_index.json").is_file():
        return home
    data = {"root": str(write_clips(options)), "height": SIZE, "width": SIZE, "num_frames": FRAMES, "fps": FPS}
    loop = {"max_steps": options.steps, "batch_size": BATCH, "learning_rate": options.mapper_rate, "optimizer": "muon"}
    loop |= {"schedule": "cosine", "warmup_steps": 20, "seed": seed, "save_every": SAVE}
    fields = {f"data.{name}": value for name, value in (data | {"workers": 0}).items()}
    fields |= {f"loop.{name}": value for name, value in loop.items()} | {"base": str(base)}
    run = Run(make_task(load_recipe(str(ADDED["tempotokens"].default), fields), home), home, device="cpu")
    run.resume()
    run.train(lambda done: print("mapper", seed, done.step, done.losses, flush=True))
    return home


def of_batches(clips: list) -> Iterator[tuple[list, torch.Generator]]:
    """Pieces of clips, each with its draws."""
    for first in range(0, len(clips), BATCH):
        yield clips[first : first + BATCH], torch.Generator().manual_seed(first)


def by_sound(pipeline: TempoTokensPipeline, clips: list[Clip], options, **asked) -> list[np.ndarray]:
    """Frames of each clip, of its sound alone."""
    frames: list = []
    for some, generator in of_batches(clips):
        sounds = [torch.as_tensor(clip.waveform) for clip in some]
        asked |= {"num_inference_steps": options.sampling, "sample_rate": RATE, "generator": generator}
        frames += list(pipeline(audio=sounds, **asked).frames)
    return frames


@torch.no_grad()
def by_words(pipeline: TempoTokensPipeline, clips: list[Clip], options) -> list[np.ndarray]:
    """Frames of each clip, of its caption alone: what the network does without a mapper."""
    frames: list = []
    for some, generator in of_batches(clips):
        contexts = {
            True: told(pipeline, [caption(clip.scene) for clip in some]),
            False: told(pipeline, [""] * len(some)),
        }
        latents = denoise(
            FrameWordsNetwork(pipeline.unet, contexts),
            draw_noise((len(some), FRAMES, 16, SIZE // 4, SIZE // 4), generator),
            pipeline.scheduler,
            options.sampling,
            guidance=TextAudioGuidance(audio=1.0),
            prediction_type="sample",
            generator=generator,
        )
        frames += list(to_frames(decode_latents(pipeline.vae, latents, FRAMES)).numpy())
    return frames


def read(frames: list[np.ndarray], clips: list[Clip]) -> dict[str, list]:
    """Of each clip: events matched within a frame, wrong ones and missed ones; when they are; whether in its scene."""
    found: dict[str, list] = {"counts": [], "seen": [], "scene": []}
    still = [render(one, SIZE, 0, np.zeros((1, 2))).frames[0] for one in scenes()]
    for shown, clip in zip(frames, clips, strict=True):
        seen = detect_events(shown, clip.scene, fps=FPS)
        labels = {"predicted_labels": seen.labels, "target_labels": clip.labels}
        match = match_events(seen.times, clip.times, 1 / FPS, **labels)
        apart = [float(np.square(np.median(shown, axis=0) - one).mean()) for one in still]
        found["counts"].append([match.tp, match.fp, match.fn])
        found["seen"].append(seen.times.tolist())
        found["scene"].append(scenes()[int(np.argmin(apart))] == clip.scene)
    return found


def read_once(file: Path, clips: list[Clip], frames_of: Callable[[], list[np.ndarray]]) -> dict[str, list]:
    """What was read of frames, which are made if it is not on disk."""
    if not file.is_file():
        file.with_suffix(".part").write_text(json.dumps(read(frames_of(), clips)), encoding="utf-8")
        file.with_suffix(".part").replace(file)
    return json.loads(file.read_text(encoding="utf-8"))


def score(home: Path, clips: list[Clip], options) -> dict[str, dict[str, list]]:
    """Each row of the table for one model with a mapper."""
    rows = {}
    others = clips[len(CLASSES) :] + clips[: len(CLASSES)]  # of the same class
    pipeline = load_pipeline(home, method="tempotokens", device="cpu", dtype="float32")
    for scale in GUIDANCE:
        kinds = {"its own sound": (clips, False), "another clip's sound": (others, False)}
        for kind, (heard, dropout) in (kinds | {"its own sound, reference dropout": (clips, True)}).items():
            asked = {"audio_guidance_scale": scale, "reference_dropout": dropout}
            file = home / f"{kind.replace(' ', '-')}-{scale:g}.json"
            rows[kind, f"{scale:g}"] = read_once(file, clips, partial(by_sound, pipeline, heard, options, **asked))
    return rows


def f1(counts: list) -> float:
    right, wrong, missed = np.sum(counts, axis=0)
    return 2 * right / max(2 * right + wrong + missed, 1)


def row(name: tuple[str, str], clips: list[Clip], runs: list[dict[str, list]]) -> tuple[str, ...]:
    """All seeds together, a clip's events of all of them counted as one.

    Chance, of the same events shifted, knows no sides: it stands beside an F1 that does not count them either.
    """
    summed = np.sum([run["counts"] for run in runs], axis=0)
    times = [clip.times for clip in clips] * len(runs)
    seen = [np.array(one) for run in runs for one in run["seen"]]
    found = [match_events(one, true, 1 / FPS) for one, true in zip(seen, times, strict=True)]
    sideless = np.array([(one.tp, one.fp, one.fn) for one in found]).reshape(len(runs), len(clips), 3).sum(0)
    chance = chance_level(seen, times, 1 / FPS, duration=FRAMES / FPS).f1
    scene = interval(list(np.mean([run["scene"] for run in runs], axis=0)))
    each = ", ".join(f"{f1(run['counts']):.3f}" for run in runs) if len(runs) > 1 else ""
    scores = (f"{interval(list(summed), f1):.3f}", each, f"{interval(list(sideless), f1):.3f}", f"{chance:.3f}")
    return (*name, *scores, f"{scene:.2f}")


def given(base: Path, clips: list[Clip], options) -> dict[tuple[str, str], dict[str, list]]:
    """Rows of frames that no sound made."""
    pipeline = load_pipeline(base, method="tempotokens", device="cpu", dtype="float32")
    told = {"its caption, no mapper": partial(by_words, pipeline, clips, options)}
    told |= {"a still picture": lambda: [np.repeat(clip.frames[:1], FRAMES, 0) for clip in clips]}
    told |= {"true frames": lambda: [clip.frames for clip in clips]}
    return {(kind, ""): read_once(base / f"{kind.replace(' ', '-')}.json", clips, made) for kind, made in told.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="states and scores; a stopped run goes on from them")
    parser.add_argument("--base-steps", type=int, default=300)
    parser.add_argument("--steps", type=int, default=120, help="of the mapper")
    parser.add_argument("--different", type=int, default=400, help="clips of the base, which come again")
    parser.add_argument("--videos", type=int, default=300, help="clips of the mapper, which come again")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--sampling", type=int, default=6)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--mapper-rate", type=float, default=3e-3)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    base, clips = train_base(options), [clip_of(HELD_OUT, index) for index in range(options.clips)]
    alone = given(base, clips, options)
    models = [score(train_mapper(base, seed, options), clips, options) for seed in range(options.seeds)]
    rows = [row(name, clips, [model[name] for model in models]) for name in models[0]]
    rows += [row(name, clips, [one]) for name, one in alone.items()]
    head = (
        "frames from",
        "guidance",
        "F1 within 1 frame",
        "each seed",
        "sides not counted",
        "chance of that",
        "its own scene",
    )
    print(table("tempotokens_world/mapper", [head, *rows]))


if __name__ == "__main__":
    main()
