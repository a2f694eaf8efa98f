"""Published recipes in small sizes, from the files of a dataset to a video, through the command line."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from asva_data import SyntheticWorld, read_video, write_video

SIZE = {"data.height": 16, "data.width": 16, "data.workers": 0}
LOOP = {"loop.batch_size": 1, "loop.gradient_accumulation_steps": 1, "loop.mixed_precision": "no"}
EARS = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two videos to train on and one that no training may see, in AVSync15's layout."""
    home = tmp_path_factory.mktemp("AVSync15")
    world = SyntheticWorld(seed=0, size=32, num_frames=49, fps=24.0)
    for number in range(3):
        clip, path = world[number], home / "videos" / "a_bell" / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, clip.frames, fps=24, waveform=clip.waveform, sample_rate=16000)
        np.save(path.with_suffix(".npy"), clip.motion_score[: len(clip.frames) - 1])
    (home / "train.txt").write_text("a_bell/0.mp4\na_bell/2.mp4\n", encoding="utf-8")
    (home / "test.txt").write_text("a_bell/1.mp4\n", encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def ears(tmp_path_factory):
    """ImageBind's ears as `asva models convert` writes them."""
    from asva_audio import ImageBindAudioEncoder

    folder = tmp_path_factory.mktemp("ears") / "imagebind"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        ImageBindAudioEncoder(**EARS, stride=(10, 10), num_frames=204).save_pretrained(folder)
    return folder


@pytest.fixture
def train(asva, dataset):
    """``train("keyframe", "keyvid-keyframe", folder, base=...)`` in one step of a small size."""

    def run(task, recipe, folder, data=dataset, **fields):
        words = [f"{name}={json.dumps(value)}" for name, value in (SIZE | LOOP | fields).items()]
        ran = asva("train", task, "--recipe", recipe, "--folder", folder, "--data", data, "--steps", 1,
                   "--device", "cpu", *(word for pair in words for word in ("--set", pair)))  # fmt: skip
        assert ran.code == 0, ran.err
        assert "2 videos of" in ran.err and "train.txt; 1 others of the folder are left out" in ran.err
        return ran

    return run


@pytest.fixture
def assembled(asva, dataset, tmp_path):
    """``assembled(folder, *words)``: what `assemble` wrote, and the measured video that it makes of a test video."""

    def put(folder, *words, steps=("--steps", 2)):
        model, test = tmp_path / "model", dataset / "videos" / "a_bell" / "1.mp4"
        ran = asva("train", "assemble", "--folder", folder, "--output", model, *words)
        assert "shards" not in ran.err, "bars of the libraries between our lines"
        assert ran.code == 0, ran.err
        made = tmp_path / "made" / "a_bell" / "1.mp4"
        made.parent.mkdir(parents=True)
        ran = asva("sample", "--model", model, "--image", test, "--audio", test, "--output", made, "--duration", 2,
                   "--device", "cpu", *steps)  # fmt: skip
        assert ran.code == 0, ran.err
        Path("mine.yaml").write_text("description: mine\nclips: 1\nsize: [16, 16]\nscores: [psnr]", encoding="utf-8")
        ran = asva("evaluate", "-g", tmp_path / "made", "-r", dataset / "videos", "-p", "mine.yaml", "-o", "report",
                   "--json", "--no-html")  # fmt: skip
        assert ran.code == 0, ran.err
        (psnr,) = json.loads(ran.out)["scores"]
        assert psnr["systems"]["made"]["num_clips"] == 1 and 3 < psnr["systems"]["made"]["value"] < 30
        return model, json.loads((model / "model_index.json").read_text(encoding="utf-8")), read_video(made)

    return put


def weights(folder):
    """The weights of a part by name; older versions of transformers write some names otherwise."""
    from safetensors.torch import load_file

    found = {name: value for path in sorted(folder.glob("*.safetensors")) for name, value in load_file(path).items()}
    former = {
        "text_model.": "",
        "parametrizations.weight.original0": "weight_g",
        "parametrizations.weight.original1": "weight_v",
    }
    for old, new in former.items():
        found = {name.replace(old, new): value for name, value in found.items()}
    return found


def same_part(name, model, other, called=None):
    """Whether two folders hold the same weights of a part, but for the half precision of the first."""
    ours, theirs = weights(model / name), weights(other / (called or name))
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k].to(ours[k].dtype)) for k in ours)


def assert_scheduler(model, wanted):
    """The stored scheduler is that one."""
    stored = json.loads((model / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    assert stored["_class_name"] == type(wanted).__name__
    assert {name: stored[name] for name in wanted.config if not name.startswith("_")} == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in wanted.config.items()
        if not name.startswith("_")
    }


def assert_moves(video, num_frames):
    """It has so many frames, which are not all the same."""
    assert len(video.frames) == num_frames and (video.frames != video.frames[:1]).any()


@pytest.fixture(scope="module")
def dynamicrafter(method_model, tmp_path_factory):
    """DynamiCrafter as it is converted, with a projector for 16 frames as the released one has."""
    from asva_unet import ImageResampler

    folder = tmp_path_factory.mktemp("base") / "dynamicrafter"
    shutil.copytree(method_model("dynamicrafter"), folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        ImageResampler(16, 2, dim=16, embedding_dim=16, output_dim=16, depth=1, heads=2, dim_head=8).save_pretrained(
            folder / "image_projector"
        )
    return folder


def test_keyvid(train, assembled, dynamicrafter, ears, tmp_path):
    """Both stages in one folder, from DynamiCrafter and ImageBind; each keeps the projector that it trained."""
    from asva_pipelines.keyvid.released import RELEASED_SETTINGS
    from asva_unet import make_scheduler

    folder, start = tmp_path / "runs", {"base": str(dynamicrafter), "init.audio_encoder": str(ears)}
    small = {"model.audio_encoder": EARS | {"num_frames": 198, "stride": [4, 4], "class_token": False}}
    train("localizer", "keyvid-localizer", folder, init=str(ears), **small)
    learned, told = weights(folder / "localizer"), weights(ears)
    for name in ("patch.weight", "blocks.0.attention.to_qkv.weight"):
        assert 0 < (learned[f"encoder.{name}"] - told[name]).abs().max() < 1e-4
    assert learned["encoder.positions"].shape[1] == 29 * 46
    train("keyframe", "keyvid-keyframe", folder, **start)
    train("interp", "keyvid-interp", folder, **start)
    model, index, video = assembled(folder, steps=("--steps", 2, "--interp-steps", 2))
    wanted = RELEASED_SETTINGS | {"height": 16, "width": 16, "num_frames": 48}
    assert {name: index[name] for name in wanted} == wanted
    assert_scheduler(model, make_scheduler("ddim", dynamic_rescale=True))
    for name in ("vae", "text_encoder", "image_encoder"):
        assert same_part(name, model, dynamicrafter), name
    for name in ("image_projector", "interp_image_projector", "keyframe_unet", "interp_unet", "localizer"):
        assert same_part(name, model, folder), name
    assert not same_part("interp_image_projector", model, folder, "image_projector")
    heard = weights(model / "audio_encoder")
    assert heard["positions"].shape[1] == 1 + 12 * 48 and torch.equal(
        heard["patch.weight"], told["patch.weight"].half()
    )
    assert_moves(video, 48)


def test_keyvid_on_uniform_frames(train, assembled, dynamicrafter, ears, tmp_path):
    """Table 2: no localizer is needed, keyframes stand at equal distances."""
    folder, start = tmp_path / "runs", {"base": str(dynamicrafter), "init.audio_encoder": str(ears)}
    train("keyframe", "keyvid-uniform-keyframe", folder, **start)
    train("interp", "keyvid-uniform-interp", folder, **start)
    _, index, video = assembled(folder, steps=("--steps", 2, "--interp-steps", 2))
    assert index["selection"] == "uniform" and index["num_inference_steps"] == 90 and index["localizer"] == [None, None]
    made = json.loads((tmp_path / "made" / "a_bell" / "1.json").read_text(encoding="utf-8"))
    assert made["keyframes"]["seconds"] == pytest.approx([frame / 24 for frame in range(0, 48, 4)], abs=1e-3)
    assert_moves(video, 48)


@pytest.fixture(scope="module")
def other_ears(tmp_path_factory):
    """Folders of ears that may stand in for ImageBind's, by name."""
    from asva_audio import BEATsEncoder, CLAPAudioEncoder

    home = tmp_path_factory.mktemp("ears")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        beats = BEATsEncoder(**EARS, embed_dim=16, intermediate_size=32, conv_pos=8, conv_pos_groups=2)
        beats.save_pretrained(home / "beats")
        clap = {"hidden_size": EARS["hidden_size"], "patch_embeds_hidden_size": EARS["hidden_size"] // 8}
        CLAPAudioEncoder(**clap, depths=(1,) * 4, num_attention_heads=(1,) * 4).save_pretrained(home / "clap")
    return home


@pytest.mark.parametrize(
    ("method", "hears"),
    [
        ("avsyncd", "imagebind"),
        ("avsyncd", "beats"),
        pytest.param("avsyncd", "clap", marks=pytest.mark.slow),
        ("i2vd", ""),
    ],
)
def test_avsyncd(train, assembled, method_model, ears, other_ears, tmp_path, method, hears):
    from asva_pipelines.avsyncd.released import RELEASED_SETTINGS
    from asva_unet import AVSyncDPNDMScheduler

    ears = ears if hears == "imagebind" else other_ears / hears
    folder, base = tmp_path / "runs", method_model("aadiff")  # Stable Diffusion
    train(method, method, folder, base=str(base), **{"init.audio_encoder": str(ears)} if method == "avsyncd" else {})
    model, index, video = assembled(folder)
    wanted = RELEASED_SETTINGS | {"height": 16, "width": 16}
    assert {name: index[name] for name in wanted} == wanted
    assert_scheduler(
        model,
        AVSyncDPNDMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
        ),
    )
    assert same_part("vae", model, base) and same_part("text_encoder", model, base)
    assert index["audio_encoder"] == [None, None] or same_part("audio_encoder", model, ears.parent, ears.name)
    assert_moves(video, 12)


def test_audio_window(train, assembled, asva, dynamicrafter, ears, tmp_path, monkeypatch):
    """Much data first, then one clip of each class on the model that came of it.

    Paths are relative to where a training was started, and it is assembled elsewhere.
    """
    from asva_audio import BEATsEncoder
    from asva_unet import make_scheduler

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        beats = BEATsEncoder(**EARS, embed_dim=16, intermediate_size=32, conv_pos=8, conv_pos_groups=2)
        beats.save_pretrained(tmp_path / "beats")
    taps = {"taps": {"imagebind": [0], "beats": [0]}}
    given = {"init.imagebind": os.path.relpath(ears), "init.beats": "beats", "base": os.path.relpath(dynamicrafter)}
    train("audio-window", "audio-window-pretrain", tmp_path / "first", **given, **taps)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    ran = asva("train", "assemble", "--folder", tmp_path / "first", "--output", tmp_path / "pretrained")
    assert ran.code == 0, ran.err
    more = {"base": str(tmp_path / "pretrained"), "data.shots": 1, **taps}
    train("audio-window", "audio-window-finetune", tmp_path / "second", **more)
    model, index, video = assembled(tmp_path / "second")
    wanted = {"num_inference_steps": 20, "eta": 0.0, "text_guidance_scale": 2.0, "image_guidance_scale": 2.0,
              "audio_guidance_scale": 4.0, "guidance_rescale": 0.0, "radius": 1.5, "dynamic_rescale": True,
              "num_frames": 12, "fps": 6, "height": 16, "width": 16}  # fmt: skip
    assert {name: index[name] for name in wanted} == wanted
    assert_scheduler(model, make_scheduler("ddim", dynamic_rescale=True))
    assert same_part("imagebind", model, ears.parent, ears.name) and same_part("beats", model, tmp_path)
    for name in ("vae", "text_encoder", "image_encoder"):
        assert same_part(name, model, dynamicrafter), name
    assert same_part("taps", model, tmp_path / "second")
    assert not same_part("taps", model, tmp_path / "first")
    assert_moves(video, 12)


@pytest.fixture(scope="module")
def cogvideox(tmp_path_factory):
    """CogVideoX's folder in small, with wav2vec 2.0 put beside its parts."""
    from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
    from transformers import CLIPTokenizer, T5Config, T5EncoderModel, Wav2Vec2Config, Wav2Vec2Model

    folder = tmp_path_factory.mktemp("base") / "CogVideoX-5b"
    tokenizer = CLIPTokenizer().train_new_from_iterator(["a bell rings"], 300, show_progress=False)
    tokenizer.model_max_length = 16
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        parts = {
            "vae": AutoencoderKLCogVideoX(
                down_block_types=("CogVideoXDownBlock3D",) * 4,
                up_block_types=("CogVideoXUpBlock3D",) * 4,
                block_out_channels=(8, 8, 8, 8),
                latent_channels=4,
                layers_per_block=1,
                norm_num_groups=2,
            ),
            "text_encoder": T5EncoderModel(
                T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
            ),
            "transformer": CogVideoXTransformer3DModel(
                num_attention_heads=2,
                attention_head_dim=16,
                in_channels=4,
                out_channels=4,
                time_embed_dim=16,
                text_embed_dim=16,
                num_layers=1,
                sample_width=4,
                sample_height=4,
                max_text_seq_length=16,
                use_rotary_positional_embeddings=True,
            ),
            "audio_encoder": Wav2Vec2Model(
                Wav2Vec2Config(
                    hidden_size=16,
                    num_hidden_layers=2,
                    num_attention_heads=2,
                    intermediate_size=16,
                    conv_dim=(8,) * 7,
                    num_conv_pos_embeddings=4,
                    num_conv_pos_embedding_groups=2,
                )
            ),
            "tokenizer": tokenizer,
        }
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    return folder


def test_mtv(train, asva, dataset, cogvideox, tmp_path):
    """Five stages, each from the one before; the third tells two voices apart, which a model of it then speaks with."""
    from asva_dit import make_scheduler
    from asva_pipelines.mtv.released import RELEASED_SETTINGS

    assert asva("data", "stems", dataset).code == 0
    for tracks in (dataset / "videos" / "a_bell").glob("*/speech.wav"):
        shutil.copy(tracks.with_name("effects.wav"), tracks.with_name("speech2.wav"))
    small = {"audio_layers": 2, "audio_channels": 16, "audio_hidden_dim": 16, "audio_tokens": 2, "audio_dim": 16,
             "interaction_layers": 1, "interaction_heads": 2}  # fmt: skip
    size = {"data.height": 32, "data.width": 32, "data.num_frames": 9}
    start = cogvideox / "transformer"
    for stage in ("face", "single", "multiple", "sound-event", "mood"):
        more = {"control": small} if stage == "face" else {}
        folder = tmp_path / stage
        train(
            "mtv", f"mtv-{stage}", folder, base=str(cogvideox), **size, **more, **{"init.mtv_transformer": str(start)}
        )
        assert not same_part("mtv_transformer", folder, start.parent, start.name)
        start = folder / "mtv_transformer"
    model = tmp_path / "model"
    ran = asva("train", "assemble", "--folder", tmp_path / "mood", "--output", model)
    assert ran.code == 0, ran.err
    index = json.loads((model / "model_index.json").read_text(encoding="utf-8"))
    wanted = RELEASED_SETTINGS | {"height": 32, "width": 32, "num_frames": 9, "prediction_type": "v_prediction"}
    assert {name: index[name] for name in wanted} == wanted
    assert_scheduler(model, make_scheduler())
    for name in ("vae", "text_encoder", "audio_encoder"):
        assert same_part(name, model, cogvideox), name
    assert same_part("transformer", model, tmp_path / "mood", "mtv_transformer")
    home, videos = dataset / "videos" / "a_bell" / "1", []
    for second in ("speech", "speech2"):
        made = tmp_path / f"{second}.mp4"
        ran = asva("sample", "--model", model, "--prompt", "a bell rings", "--speech", home / "speech.wav", "--speech2",
                   home / f"{second}.wav", "--music", home / "music.wav", "--duration", 0.5, "--steps", 2, "--device",
                   "cpu", "--output", made)  # fmt: skip
        assert ran.code == 0, ran.err
        videos.append(read_video(made).frames)
    assert videos[0].shape == (12, 32, 32, 3) and (videos[0] != videos[1]).any()


def test_sync_classifier(asva, train, tmp_path):
    """Trained on videos of six seconds, then a judge: a video against itself is as much in time as itself."""
    from asva_metrics import AVSyncClassifier

    home, clip = tmp_path / "AVSync15", SyntheticWorld(seed=0, size=32, num_frames=150, fps=24.0)
    for number in range(3):
        path = home / "videos" / "a_bell" / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, clip[number].frames, fps=24, waveform=clip[number].waveform, sample_rate=16000)
    (home / "train.txt").write_text("a_bell/0.mp4\na_bell/2.mp4\n", encoding="utf-8")
    (home / "test.txt").write_text("a_bell/1.mp4\n", encoding="utf-8")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        start = AVSyncClassifier((4, 4, 8, 8), (8, 4))
        for weight in start.parameters():
            weight.data.mul_(2.4 if weight.ndim > 1 else 1)  # so that scores do not fade
        start.save_pretrained(tmp_path / "start")
    small = {"model": {"widths": [4, 4, 8, 8], "hidden": [8, 4]}, "data.height": 32, "data.width": 32}
    train("sync", "sync-avsync", tmp_path / "runs", data=home, init=str(tmp_path / "start"), **small)
    assert not same_part("sync", tmp_path / "runs", tmp_path, "start")
    (tmp_path / "true").mkdir()
    shutil.copy(home / "videos" / "a_bell" / "1.mp4", tmp_path / "true" / "1.mp4")
    ran = asva("evaluate", "--generated", f"true={tmp_path / 'true'}", "--reference", tmp_path / "true", "--protocol",
               "asva", "-w", f"avsync={tmp_path / 'runs' / 'sync'}", "--device", "cpu", "--output",
               tmp_path / "report")  # fmt: skip
    assert ran.code == 0, ran.err
    scores = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))["scores"]
    judged = next(score for score in scores if score["name"] == "rel_sync")["systems"]["true"]
    assert judged["value"] == pytest.approx(50.0) and judged["num_clips"] == 3
    assert abs(judged["shifted"]["chance"] - 50.0) > 1e-3  # it does hear something
