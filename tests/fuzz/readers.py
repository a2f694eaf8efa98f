"""Every reader of files that others wrote, with seeds made by our own code."""

from __future__ import annotations

import json
import logging
import pickle
import shutil
import warnings
from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from fixtures.inputs import write_wav
from fixtures.media import write_media


class Reader(NamedTuple):
    """A reader: the name of its file, what makes a good one, and the call."""

    file: str
    seed: Callable[[Path], Any]
    read: Callable[[Path], Any]
    text: bool = False


STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.float16)}
ROWS = [{"path": "a.mp4", "caption": "a dog"}, {"path": "b, c.mp4", "caption": "a\ncat"}]


def picture(**how: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        from PIL import Image

        kind = np.uint16 if how.get("deep") else np.uint8
        shape = (20, 30) if how.get("deep") else (20, 30, how.get("bands", 3))
        Image.fromarray(np.random.default_rng(0).integers(0, 255, shape).astype(kind)).save(path)

    return write


def video(**how: Any) -> Callable[[Path], None]:
    return lambda path: write_media(path, **{"num_frames": 8, "size": (32, 48), "seconds": 0.4, "clicks": ()} | how)


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content, encoding="utf-8")


def packaged(package: str, name: str) -> Callable[[Path], None]:
    from importlib.resources import files

    return text(files(package).joinpath(name).read_text(encoding="utf-8"))


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def torchscript(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))).save(path)


def safetensors(path: Path, **metadata: str) -> None:
    from safetensors.torch import save_file

    save_file(STATE, path, metadata)


def parquet(path: Path) -> None:
    from asva_curate.curation.curve import Curve
    from asva_curate.curation.measurements import Measurements
    from asva_curate.curation.table import write_measurements

    write_measurements(path, [Measurements(path="a.mp4", curves={"flow": Curve.of([(0.0, 0.1, 2.0)])})])


def shard(path: Path) -> None:
    from asva_data.datasets.shards import write_shards

    write_shards(path.parent, [("a", {"json": {"x": 1}, "png": b"png"}), ("b", {"json": {"x": 2}})])


def demucs(path: Path) -> None:
    from demucs.htdemucs import HTDemucs

    sizes = {"channels": 8, "dconv_comp": 4, "t_layers": 1, "t_heads": 2, "bottom_channels": 16, "nfft": 1024}
    sizes |= {"depth": 4, "segment": Fraction(1, 2), "samplerate": 16000}
    state = HTDemucs(["vocals"], **sizes).state_dict()
    torch.save({"klass": HTDemucs, "args": [["vocals"]], "kwargs": sizes, "state": state}, path)


def index(path: Path) -> None:
    from asva_train.stored_clips import FORMAT

    path.write_text(json.dumps({"format": FORMAT, "settings": {"tokens": {}}}), encoding="utf-8")


def samples(path: Path) -> None:
    path.write_text("key,shard,place\nk,shard-000000.tar,0,1,dog,a dog,a.mp4,1,2,3,4\n", encoding="utf-8")


def readers() -> dict[str, Reader]:
    """By name."""
    from asva_audio import load_audio
    from asva_audio.demix_networks import load_demucs
    from asva_curate import load_recipe as curation_recipe
    from asva_curate.curation.results import read_verdicts
    from asva_curate.curation.table import read_measurements
    from asva_curate.review.decisions import read_decisions
    from asva_data import load_text_encodings, probe, read_image, read_video
    from asva_data.datasets.layouts import LAYOUTS
    from asva_data.datasets.shards import TarShards
    from asva_data.datasets.splits import read_split
    from asva_data.listing import Captions, read_scores
    from asva_data.wanted import read_wanted
    from asva_dit.control_file import FORMAT, read_control_config
    from asva_eval.matching import read_manifest
    from asva_eval.protocol import load_protocol
    from asva_eval.records import RecordStore
    from asva_interp.windows.over_time import parse_strengths
    from asva_keyframe.curve_files import read_curve_file
    from asva_metrics.features import FeatureStatistics
    from asva_pages.demo.uploads import _check_behind_tags, check_head
    from asva_pages.requests import Refused
    from asva_pipelines import resolve_model
    from asva_pipelines.batch.table import read_rows
    from asva_pipelines.loading.folders import method_of_model, model_settings, stored_parts
    from asva_pipelines.loading.folders import read_index as read_model_index
    from asva_pipelines.long.folder import PartFolder
    from asva_train import load_recipe as training_recipe
    from asva_train.stored_clips import read_index
    from asva_train.stored_clips import read_rows as stored_rows
    from asva_weights import read_arrays, read_checkpoint

    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)  # more do not survive a fork

    def watch(path: Path) -> None:
        probe(path)
        read_video(path)
        load_audio(path)

    def upload(path: Path) -> None:
        try:
            check_head(path.read_bytes()[:4096], "sound")
            _check_behind_tags(path)
        except Refused as error:
            raise ValueError(f"{path.name}: {error}") from None
        load_audio(path)

    def model_folder(path: Path) -> None:
        folder = path.parent
        read_model_index(folder)
        model_settings(folder, method_of_model(folder))

    def tar(path: Path) -> None:
        shards = TarShards([path])
        for key in shards.keys:
            shards.read_json(key)

    def manifest(path: Path) -> None:
        (path.parent / "x.mp4").touch()
        read_manifest(path, path.parent, path.parent)

    def window(path: Path) -> None:
        PartFolder(path.parent, {}).load(0)

    def record(path: Path) -> None:
        RecordStore(path.parent.parent).load(path.parent.name, path.stem, lean=True)

    table = 'path,caption\na.mp4,a dog\n"b, c.mp4","a\ncat"\n'
    wanted = "id,start,end,label,split\nabc,1.5,4,dog,train\n"
    curve = {"fps": 24, "motion_curve": [0.1, 0.5, 2], "keyframes": {"seconds": [0.1, 1.0]}}
    listed = "dog/a.mp4\ndog/b.mp4,1.0,3.0\n"
    pairs = "generated,reference,class,start\nx.mp4,x.mp4,dog,1.0\n"
    plan = "path,label,kind,start,end,reason\na.mp4,dog,file,,,kept\na.mp4,dog,clip,0.1,2.0,kept\n"
    decision = {"key": "a", "kind": "keep", "start": 0.0, "end": 1.0, "at": "2026"}
    facts = {"head": {"fps": 24}, "observed": {"flow": {"values": [1.0, 2.0]}}}
    audio = dict(size=(16, 16), num_frames=2)
    found = {
        "png": Reader("a.png", picture(), read_image),
        "png-alpha": Reader("a.png", picture(bands=4), read_image),
        "png-deep": Reader("a.png", picture(deep=True), read_image),
        "tiff-deep": Reader("a.tiff", picture(deep=True), read_image),
        "jpeg": Reader("a.jpg", picture(), read_image),
        "gif": Reader("a.gif", picture(), read_image),
        "webp": Reader("a.webp", picture(), read_image),
        "bmp": Reader("a.bmp", picture(), read_image),
        "wav": Reader("a.wav", lambda path: write_wav(path, np.sin(np.arange(4000))), load_audio),
        "wav-24": Reader("a.wav", lambda path: write_wav(path, np.ones((999, 2)) / 3, width=3), load_audio),
        "flac": Reader("a.flac", video(picture=False, audio_codec="flac"), load_audio),
        "mp3": Reader("a.mp3", video(picture=False, audio_codec="mp3", sample_rate=44100), upload),
        "ogg": Reader("a.ogg", video(picture=False, audio_codec="libopus", sample_rate=48000), load_audio),
        "m4a": Reader("a.m4a", video(picture=False, channels=6), load_audio),
        "mp4": Reader("a.mp4", video(), watch),
        "mp4-mpeg4": Reader("a.mp4", video(codec="mpeg4", channels=2, clock=24), watch),
        "mkv": Reader("a.mkv", video(codec="ffv1", audio_codec="pcm_s16le"), watch),
        "webm": Reader("a.webm", video(codec="libvpx", audio_codec="libopus", sample_rate=48000), watch),
        "avi": Reader("a.avi", video(codec="mjpeg", pix_fmt="yuvj420p", audio_codec="mp3", sample_rate=44100), watch),
        "ts": Reader("a.ts", video(codec="mpeg2video", clock=24, audio_codec="mp2", sample_rate=44100), watch),
        "checkpoint": Reader("a.pt", lambda path: torch.save({"state_dict": STATE, "epoch": 1}, path), read_checkpoint),
        "checkpoint-old": Reader(
            "a.pt", lambda path: torch.save(STATE, path, _use_new_zipfile_serialization=False), read_checkpoint
        ),
        "torchscript": Reader("a.pt", torchscript, read_checkpoint),
        "safetensors": Reader("a.safetensors", safetensors, read_checkpoint),
        "arrays": Reader(
            "a.ckpt", lambda path: path.write_bytes(pickle.dumps({"a": {"b": np.ones(3)}}, 4)), read_arrays
        ),
        "demucs": Reader("a.th", demucs, load_demucs),
        "encodings": Reader("a.pt", lambda path: torch.save({"dog": torch.ones(7, 8)}, path), load_text_encodings),
        "control": Reader(
            "a.safetensors", lambda path: safetensors(path, format=FORMAT, config='{"a": 1}'), read_control_config
        ),
        "window": Reader("window-000000.safetensors", safetensors, window),
        "scores": Reader("a.npy", lambda path: np.save(path, np.ones(9, np.float32)), read_scores),
        "features": Reader(
            "a.npz",
            lambda path: np.savez(path, count=3, mean=np.ones(2), scatter=np.eye(2)),
            FeatureStatistics.load,
        ),
        "parquet": Reader("a.parquet", parquet, read_measurements),
        "shard": Reader("shard-000000.tar", shard, tar),
        "header": Reader("a.safetensors", safetensors, lambda path: stored_parts(path.parent.parent)),
        "curve-json": Reader("a.json", text(json.dumps(curve)), read_curve_file, True),
        "curve-csv": Reader("a.csv", text("second,motion,keyframe\n0.0,0.1,1\n0.1,0.5,0\n"), read_curve_file, True),
        "captions-csv": Reader("a.csv", text(table), lambda path: Captions(path.parent, path), True),
        "captions-jsonl": Reader("a.jsonl", text(lines(*ROWS)), lambda path: Captions(path.parent, path), True),
        "wanted-csv": Reader("a.csv", text(wanted), read_wanted, True),
        "wanted-vggsound": Reader("a.csv", text("abc,30,dog barking,train\n"), read_wanted, True),
        "wanted-jsonl": Reader("a.jsonl", text(lines({"id": "a", "start": 1, "end": 2.5})), read_wanted, True),
        "split": Reader(
            "train.txt", text(listed), lambda path: read_split(path.parent, LAYOUTS["avsync15"], "train"), True
        ),
        "vggsound": Reader(
            "vggsound.csv",
            text("abc,30,dog barking,train\n"),
            lambda path: read_split(path.parent, LAYOUTS["vggsound"], "train"),
            True,
        ),
        "mapping": Reader(
            "class_mapping.json",
            text('{"dog": "a dog"}'),
            lambda path: read_split(path.parent, LAYOUTS["avsync15"], "train", listed=path),
            True,
        ),
        "manifest-csv": Reader("pairs.csv", text(pairs), manifest, True),
        "manifest-jsonl": Reader(
            "a.jsonl", text(lines({"generated": "x.mp4", "reference": "x.mp4", "start": 1})), manifest, True
        ),
        "batch-csv": Reader("a.csv", text("image,audio,seed\na.png,a.wav,3\n"), read_rows, True),
        "batch-jsonl": Reader("a.jsonl", text(lines({"image": "a.png", "seed": 3})), read_rows, True),
        "points": Reader("a.csv", text("second,value\n0,1\n2.5,3\n"), lambda p: parse_strengths(str(p), "--at"), True),
        "recipe": Reader("a.yaml", packaged("asva_train", "recipes/tiny-keyframe.yaml"), training_recipe, True),
        "recipe-mtv": Reader("a.yaml", packaged("asva_train", "recipes/mtv-face.yaml"), training_recipe, True),
        "rules": Reader("a.yaml", packaged("asva_curate", "curation/recipes/open-asva.yaml"), curation_recipe, True),
        "protocol": Reader("a.yaml", packaged("asva_eval", "protocols/asva-fixed.yaml"), load_protocol, True),
        "model": Reader(
            "model_index.json",
            lambda path: shutil.copyfile(resolve_model("tiny") / "model_index.json", path),
            model_folder,
            True,
        ),
        "verdicts": Reader("a.csv", text(plan), read_verdicts, True),
        "decisions": Reader("a.jsonl", text(lines(decision)), read_decisions, True),
        "record": Reader("a.json", text(json.dumps(facts)), record, True),
        "stored-index": Reader("index.json", index, lambda path: read_index(path.parent), True),
        "stored-rows": Reader("samples.csv", samples, lambda path: stored_rows(path.parent), True),
        "mono-m4a": Reader("a.m4a", video(**audio, picture=False), load_audio),
    }
    if find_spec("demucs") is None:
        del found["demucs"]
    return found
