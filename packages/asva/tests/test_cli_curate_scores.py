"""`asva curate -w NAME=PATH`: the scores that the recipes of the papers name, by networks in their files."""

import csv
from fractions import Fraction

import numpy as np
import pytest
import torch

pytest.importorskip("pyarrow")

from asva_curate.curation.table import iter_measurements
from asva_data import SyntheticWorld, write_video

LOOSE = [
    "--no-text",
    *("--set", "filters.pixel.min=0", "--set", "filters.amplitude.min=0", "--set", "whole.min_per_class=1"),
]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A bell that moves, and one that is frozen, 4 s each."""
    folder = tmp_path_factory.mktemp("raw")
    clip = SyntheticWorld(seed=3, size=96, num_frames=96, two_objects=0.0)[3]
    for name, frames in (("a", clip.frames), ("b", np.repeat(clip.frames[:1], 96, axis=0))):
        (folder / "raw/bells").mkdir(parents=True, exist_ok=True)
        write_video(folder / f"raw/bells/{name}.mp4", frames, fps=24, waveform=clip.waveform, sample_rate=16000)
    return folder / "raw"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Small random networks in files of the published forms."""
    from transformers import CLIPTokenizer

    from asva_audio import ImageBindAudioEncoder, ImageBindAudioHead
    from asva_metrics import AVSyncClassifier, ImageBind, ImageBindTextTower, ImageBindVisionTower
    from asva_metrics.networks.imagebind_convert import invert_imagebind

    home, width = tmp_path_factory.mktemp("weights"), {"hidden_size": 48, "num_hidden_layers": 1}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ImageBind(
            ImageBindVisionTower(**width, num_attention_heads=16, embedding_size=8, image_size=28),
            ImageBindTextTower(**width, num_attention_heads=16, embedding_size=8, vocab_size=600),
            ImageBindAudioEncoder(**width, num_attention_heads=12, stride=(10, 10), num_frames=204),
            ImageBindAudioHead(48, 8),
        )
        for parameter in model.parameters():
            parameter.data.add_(0.1 * torch.randn(parameter.shape))
        torch.save(invert_imagebind(model), home / "imagebind.pth")
        AVSyncClassifier((4, 4, 8, 8), (8, 4)).save_pretrained(home / "avsync")
        CLIPTokenizer().train_new_from_iterator(["bells"], 600, show_progress=False).save_pretrained(home / "tokenizer")
    return home


@pytest.fixture(scope="module")
def separators(tmp_path_factory):
    """Two small random HTDemucs, one of films and one of songs."""
    HTDemucs = pytest.importorskip("demucs.htdemucs", reason="needs the extra asva-audio[demucs]").HTDemucs
    home = tmp_path_factory.mktemp("separators")
    tiny = {"channels": 8, "dconv_comp": 4, "depth": 4, "t_layers": 1, "t_heads": 2, "bottom_channels": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, sources in (("demix", ["music", "effect", "dialog"]), ("vocals", ["drums", "vocals"])):
            network = HTDemucs(sources, **tiny, nfft=1024, segment=Fraction(1, 2), samplerate=16000)
            args, kwargs = network._init_args_kwargs
            package = {"klass": HTDemucs, "args": args, "kwargs": kwargs, "state": network.state_dict()}
            torch.save(package | {"training_args": {}}, home / f"{name}.th")
    return home


def curves(folder):
    return {item.path.rsplit("/", 1)[1][0]: item.curves for item in iter_measurements(folder / "measurements.parquet")}


def test_the_filters_of_avsync_ac_are_measured_and_bounded(asva, raw, weights, tmp_path):
    given = [
        f"imagebind={weights / 'imagebind.pth'}",
        f"avsync={weights / 'avsync'}",
        f"tokenizer={weights / 'tokenizer'}",
    ]
    words = [word for one in given for word in ("-w", one)]
    ran = asva("curate", "--recipe", "avsync-ac", *LOOSE, *words, raw, "out")
    assert ran.code == 0, ran.err
    found = curves(tmp_path / "out")
    for name in ("semantics", "ia", "it", "sync"):
        assert len(found["a"][name].values) == len(found["b"][name].values) == 4, name  # 2.5 s every 0.5 s of 4 s
        assert np.isfinite(found["a"][name].values).all()
    assert found["b"]["semantics"].values.max() < 1e-4 < found["a"]["semantics"].values.min()
    assert ((found["a"]["sync"].values > 0) & (found["a"]["sync"].values < 1)).all()
    assert (np.abs(found["a"]["ia"].values) <= 1).all() and np.ptp(found["a"]["it"].values) > 0
    again = asva(
        "curate", "--again", "--recipe", "avsync-ac", *LOOSE, "--set", "filters.semantics.min=0.0001", "out", "stricter"
    )
    assert again.code == 0, again.err
    with (tmp_path / "stricter/clips.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["a"]


def test_demix_runs_two_separators_and_tells_subsets(asva, raw, separators, tmp_path, monkeypatch):
    import asva_eval.encoders as encoders

    monkeypatch.setattr(encoders, "face_detector", lambda path: lambda frame: [[4, 4, 40, 40, 0.9]])
    heard = []
    call = encoders.Separator.__call__
    monkeypatch.setattr(encoders.Separator, "__call__", lambda self, *given: heard.append(self) or call(self, *given))
    (tmp_path / "faces.onnx").touch()
    words = [word for name in ("demix", "vocals") for word in ("-w", f"{name}={separators / f'{name}.th'}")]
    bounds = ["--no-text", "--set", "filters.demix.max=1000"]
    ran = asva("curate", "--recipe", "demix", *bounds, *words, "-w", "faces=faces.onnx", raw, "out")
    assert ran.code == 0, ran.err
    assert len(set(map(id, heard))) == 2
    found = curves(tmp_path / "out")["a"]
    assert len(found["demix_distance"].values) == 2, "one in 2 s"
    assert (found["demix_distance"].values > 0).all() and (found["people"].values == 1).all()
    assert (found["voice_over"].values == 0).all(), "somebody is seen all the time"
    with (tmp_path / "out/clips.csv").open(encoding="utf-8", newline="") as file:
        (clip, *_) = csv.DictReader(file)
    levels = {name: found[f"{name}_level"].values.max() for name in ("effects", "music")}
    loud = {"sound-event": levels["effects"] >= -45, "visual-mood": levels["music"] >= -45}
    assert clip["subsets"].split() == ["single", *(name for name, is_loud in loud.items() if is_loud)]
    ran = asva("data", "prepare", raw, "data", "--table", "out/clips.csv", "--test-share", 0)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--recipe", "demix"), "must give demix=PATH, vocals=PATH for the filter demix"),
        (
            ("--recipe", "avsync-ac", "--set", "filters.sync.min=0.3", "--set", "filters.sync.optional=false"),
            "avsync=PATH",
        ),
        (("-w", "i3d=x.pt"), "one of avsync, demix, faces"),
        (("-w", "avsync=none"), "existing file"),
    ],
)
def test_weights_that_lack_are_named(asva, raw, words, named):
    ran = asva("curate", *words, raw, "out")
    assert ran.code == 2 and named in ran.complaint
