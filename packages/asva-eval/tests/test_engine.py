"""The evaluation of folders: what a bouncing ball should score, bad input, resuming, processes, shards."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
import yaml

from asva_data import read_video, write_video
from asva_eval import MatchError, evaluate, load_protocol, write_report
from asva_eval.records import RecordStore

BALLS = {"wood/a": (0.30, 0.60), "wood/b": (0.45, 0.50), "iron/c": (0.20, 0.70), "iron/d": (0.55, 0.65)}
OFFLINE = [
    *("motion", "event_f1", "event_error", "reference_event_f1", "local_sync", "local_offset", "psnr"),
    {"score": "av_align", "rule": "2023"},
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory, write_ball) -> Path:
    """``true``, ``good`` (the same files), ``late`` (sound 0.3 s late) and ``still``."""
    home = tmp_path_factory.mktemp("balls")
    for name, (first, gap) in BALLS.items():
        write_ball(home / f"true/{name}.mp4", first, gap)
        sound = read_video(home / f"true/{name}.mp4").waveform[0]
        write_ball(home / f"late/{name}.mp4", first, gap, sound=np.roll(sound, round(0.3 * 16000)))
        write_ball(home / f"still/{name}.mp4", first, gap, still=True)
    shutil.copytree(home / "true", home / "good")
    return home


@pytest.fixture(scope="module")
def protocol(tmp_path_factory):
    """All scores without weights."""
    path = tmp_path_factory.mktemp("protocols") / "offline.yaml"
    path.write_text(yaml.safe_dump({"description": "offline", "scores": OFFLINE}), encoding="utf-8")
    return load_protocol(path)


@pytest.fixture(scope="module")
def report(folders, protocol, tmp_path_factory):
    output = tmp_path_factory.mktemp("report")
    systems = {name: folders / name for name in ("good", "late", "still")}
    return write_report(
        evaluate(systems, folders / "true", output, protocol=protocol), output, command=["test"]
    ), output


def test_scores_across_alone_record_the_true_side_too(folders, tmp_path):
    """PSNR asks nothing of the true clip by itself, and FVD has no weights: clips are measured all the same."""
    protocol = load_protocol("asva-fixed")
    for name in ("psnr", "fvd"):
        chosen = replace(protocol, scores=tuple(score for score in protocol.scores if score.name == name))
        found = evaluate({"still": folders / "still"}, folders / "true", tmp_path / name, protocol=chosen)
        assert found.complete and not list(found.broken()) and len(found.clips("still")) == len(BALLS)


def scores(report):
    return {score["name"]: score for score in report["scores"]}


def value(report, score, system):
    return scores(report)[score]["systems"][system]["value"]


def run(generated, true, output, protocol, **options):
    """The report of one system."""
    return write_report(evaluate({"it": generated}, true, output, protocol=protocol, **options), output, command=[])


def test_a_ball_that_knocks_in_time_beats_a_late_and_a_still_one(report):
    report, _ = report
    assert value(report, "event_f1", "good") > 0.8 > 0.4 > value(report, "event_f1", "late")
    assert value(report, "event_f1", "still") == 0
    assert value(report, "event_error", "good") < 60
    assert value(report, "local_sync", "good") > 1 > value(report, "local_sync", "late")
    assert value(report, "local_sync", "still") == 0
    assert value(report, "local_offset", "good") < value(report, "local_offset", "late")
    assert scores(report)["local_offset"]["systems"]["still"]["value"] is None
    assert value(report, "motion", "still") < 1 < value(report, "motion", "good")
    assert value(report, "reference_event_f1", "late") > 0.9  # it looks, and does not listen
    assert value(report, "event_f1", "good") == value(report, "event_f1", "reference")


def test_chance_and_excess_stand_beside_every_synchronization_score(report):
    for name in ("event_f1", "local_sync", "av_align_2023"):
        good = scores(report[0])[name]["systems"]["good"]
        for chance in ("shifted", "swapped"):
            assert good[chance]["excess"]["value"] == pytest.approx(good["value"] - good[chance]["chance"])
            assert good[chance]["excess"]["low"] <= good[chance]["excess"]["value"] <= good[chance]["excess"]["high"]
    good = scores(report[0])["event_f1"]["systems"]["good"]
    assert good["shifted"]["excess"]["low"] > 0.2
    late = scores(report[0])["event_f1"]["systems"]["late"]
    assert late["shifted"]["excess"]["value"] < 0.2


def test_intervals_classes_and_counts(report):
    good = scores(report[0])["event_f1"]["systems"]["good"]
    assert (good["num_clips"], good["num_videos"]) == (4, 4) and good["low"] <= good["value"] <= good["high"]
    assert set(good["classes"]) == {"iron", "wood"} and good["classes"]["iron"]["num_clips"] == 2
    assert len(good["per_clip"]) == 4


def test_systems_are_compared_on_the_same_clips(report):
    pairs = {(one["first"], one["second"]): one for one in scores(report[0])["event_f1"]["comparisons"]}
    one = pairs["good", "late"]
    assert one["difference"]["value"] > 0.4 and one["num_clips"] == 4
    assert one["p"] == pytest.approx(2 / 16) and one["p_holm"] == pytest.approx(min(1, 3 * one["p"]))


def test_what_equals_the_truth_has_no_decibels(report):
    good = scores(report[0])["psnr"]["systems"]["good"]
    assert good["value"] is None and "equal" in good["reason"]
    assert "reference" not in scores(report[0])["psnr"]["systems"]


def test_the_report_says_how_it_was_made_and_where_the_records_are(report):
    report, output = report
    stored = json.loads((output / "report.json").read_text(encoding="utf-8"))
    assert stored["schema"] == 1 and stored["protocol"]["digest"] == report["protocol"]["digest"]
    side = stored["clips"][0]["sides"]["good"]
    record = json.loads((output / side["record"]).read_text(encoding="utf-8"))
    assert record["head"]["sha256"] == side["sha256"] and record["observed"]["SoundEvents"]["envelope"]["peaks"]
    text = (output / "report.md").read_text(encoding="utf-8")
    assert "events seen when heard" in text and "What the scores cannot see" in text and "nan" in text


def test_a_stopped_run_goes_on_and_records_are_not_made_twice(folders, protocol, tmp_path, monkeypatch):
    import asva_eval.measuring as measuring

    cuts = []
    cut_clip = measuring.cut_clip

    def stopping(path, *args, **options):
        if len(cuts) == 5:
            raise KeyboardInterrupt
        cuts.append(path)
        return cut_clip(path, *args, **options)

    monkeypatch.setattr(measuring, "cut_clip", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(folders / "late", folders / "true", tmp_path, protocol)
    monkeypatch.setattr(measuring, "cut_clip", lambda *a, **o: cuts.append(a[0]) or cut_clip(*a, **o))
    whole = run(folders / "late", folders / "true", tmp_path, protocol)
    assert len(cuts) == 8 + 1  # one true clip is read again for the generated clip that was not reached
    again = run(folders / "late", folders / "true", tmp_path, protocol)
    assert len(cuts) == 9 and again["scores"] == whole["scores"]
    assert not list(tmp_path.rglob("*.part"))


def test_a_changed_file_is_measured_again(folders, protocol, tmp_path, write_ball):
    generated = tmp_path / "generated"
    shutil.copytree(folders / "good", generated)
    before = run(generated, folders / "true", tmp_path, protocol)
    write_ball(generated / "wood/a.mp4", 0.3, 0.6, still=True)
    after = run(generated, folders / "true", tmp_path, protocol)
    key = "wood/a@0.000"
    motion = [scores(report)["motion"]["systems"]["it"]["per_clip"][key] for report in (before, after)]
    assert motion[1] < 0.1 * motion[0]


def test_two_processes_and_two_shards_give_the_numbers_of_one(folders, protocol, tmp_path):
    expected = run(folders / "late", folders / "true", tmp_path / "one", protocol)["scores"]
    assert run(folders / "late", folders / "true", tmp_path / "two", protocol, workers=2)["scores"] == expected
    systems, options = {"it": folders / "late"}, {"protocol": protocol}
    first = evaluate(systems, folders / "true", tmp_path / "parts", **options, shard=(0, 2))
    assert not first.complete
    second = evaluate(systems, folders / "true", tmp_path / "parts", **options, shard=(1, 2))
    assert second.complete and write_report(second, tmp_path / "parts", command=[])["scores"] == expected


def test_a_broken_file_is_listed_and_the_rest_goes_on(folders, protocol, tmp_path):
    generated = tmp_path / "generated"
    shutil.copytree(folders / "good", generated)
    (generated / "wood/a.mp4").write_bytes(b"not a video")
    whole = (generated / "iron/c.mp4").read_bytes()
    (generated / "iron/c.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    report = run(generated, folders / "true", tmp_path, protocol)
    assert len(report["broken"]) == 2 and all(one["reason"] for one in report["broken"])
    assert scores(report)["motion"]["systems"]["it"]["num_clips"] == 2
    assert "wood/a" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_silent_and_soundless_clips_are_undefined_with_the_reason(protocol, tmp_path, write_ball):
    for place, sound in enumerate((None, np.zeros(32000), False)):
        write_ball(tmp_path / f"true/{place}.mp4", 0.3, 0.6)
        write_ball(tmp_path / f"made/{place}.mp4", 0.3, 0.6, sound=sound)
    report = run(tmp_path / "made", tmp_path / "true", tmp_path, protocol)
    for name in ("event_f1", "local_sync", "av_align_2023"):
        figures = scores(report)[name]["systems"]["it"]
        assert figures["num_clips"] == 1 and figures["undefined"] == {"the sound is silent": 1, "no sound track": 1}
    assert scores(report)["motion"]["systems"]["it"]["num_clips"] == 3


def test_all_silent_gives_nan_and_no_number(protocol, tmp_path, write_ball):
    for place in range(2):
        write_ball(tmp_path / f"true/{place}.mp4", 0.3, 0.6)
        write_ball(tmp_path / f"made/{place}.mp4", 0.3, 0.6, sound=False)
    report = run(tmp_path / "made", tmp_path / "true", tmp_path, protocol)
    figures = scores(report)["event_f1"]["systems"]["it"]
    assert figures["value"] is None and "no sound track" in figures["reason"]


def test_generated_clips_can_be_judged_with_the_true_sound(folders, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"description": "", "sound": "reference", "scores": ["event_f1"]}), encoding="utf-8")
    report = run(folders / "late", folders / "true", tmp_path, load_protocol(path))
    assert value(report, "event_f1", "it") == value(report, "event_f1", "reference")


def test_one_clip_has_a_figure_and_no_interval(protocol, tmp_path, write_ball):
    write_ball(tmp_path / "true/a.mp4", 0.3, 0.6)
    write_ball(tmp_path / "made/a.mp4", 0.3, 0.6, side=48)
    report = run(tmp_path / "made", tmp_path / "true", tmp_path, protocol)
    figures = scores(report)["event_f1"]["systems"]["it"]
    assert figures["value"] > 0.8 and figures["low"] is None and figures["swapped"]["chance"] is None
    assert "one video: no interval" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_mixed_sizes_and_rates_are_measured_and_said(protocol, tmp_path, write_ball):
    for place, (side, fps) in enumerate(((48, 24), (64, 12), (48, 30))):
        write_ball(tmp_path / f"true/{place}.mp4", 0.3, 0.6)
        write_ball(tmp_path / f"made/{place}.mp4", 0.3, 0.6, side=side, fps=fps)
    report = run(tmp_path / "made", tmp_path / "true", tmp_path, protocol)
    figures = scores(report)["psnr"]["systems"]["it"]
    assert figures["undefined"] == {
        "the frames equal the true ones": 2,
        "the sizes differ, 64x64 and 48x48 pixels: give the protocol a `size`": 1,
    }
    assert scores(report)["event_f1"]["systems"]["it"]["num_clips"] == 3
    assert report["files"]["it"]["fps"] == {"24": 1, "12": 1, "30": 1}
    assert "Frame rates differ" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_frames_of_other_sizes_are_compared_after_the_crop(protocol, tmp_path, write_ball):
    """The middle of each picture at one size: a larger true picture of the same scene has a figure, and a high one."""
    write_ball(tmp_path / "true/a.mp4", 0.3, 0.6, side=96)
    write_ball(tmp_path / "made/a.mp4", 0.3, 0.6, side=48)
    report = run(tmp_path / "made", tmp_path / "true", tmp_path, replace(protocol, size=(48, 48)))
    figures = scores(report)["psnr"]["systems"]["it"]
    assert figures["undefined"] == {} and figures["value"] > 20


def cut_track(source, target, kind, seconds):
    """A copy of a file of which one track ends early."""
    with av.open(str(source)) as taken, av.open(str(target), "w") as made:
        tracks = {one.index: made.add_stream_from_template(one) for one in taken.streams}
        for packet in taken.demux():
            if packet.dts is None or (packet.stream.type == kind and packet.pts * packet.time_base >= seconds):
                continue
            packet.stream = tracks[packet.stream.index]
            made.mux(packet)


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_a_sound_of_another_length_than_its_picture(kind, protocol, tmp_path, write_ball):
    """A clip of which either ends early is left out, and that is said."""
    for name in ("a", "b"):
        write_ball(tmp_path / f"true/{name}.mp4", 0.3, 0.6)
        write_ball(tmp_path / f"made/{name}.mp4", 0.3, 0.6)
    cut_track(tmp_path / "true/a.mp4", tmp_path / "made/a.mp4", kind, 1.0)
    report = run(tmp_path / "made", tmp_path / "true", tmp_path / "out", protocol)
    (left_out,) = report["broken"]
    assert scores(report)["event_f1"]["systems"]["it"]["num_clips"] == 1
    assert left_out["clip"] == "a" and "2 s" in left_out["reason"], left_out


def test_every_table_can_be_copied_into_a_paper(report):
    report, output = report
    latex = (output / "tables" / "scores.tex").read_text(encoding="utf-8")
    assert r"events seen when heard, F1 & higher & " in latex
    for name in ("scores", "chance", "comparisons", "inputs"):
        assert ElementTree.parse(output / "tables" / f"{name}.svg").getroot().tag.endswith("svg")
    assert len(list((output / "tables").glob("*.tex"))) == len(list((output / "tables").glob("*.svg")))


def test_nothing_usable_is_an_error(protocol, tmp_path, write_ball):
    write_ball(tmp_path / "true/a.mp4", 0.3, 0.6)
    (tmp_path / "made").mkdir()
    (tmp_path / "made/a.mp4").write_bytes(b"no")
    with pytest.raises(MatchError, match="all 1 were left out"):
        run(tmp_path / "made", tmp_path / "true", tmp_path, protocol)


def test_a_clip_beyond_the_protocol_is_an_error(protocol, tmp_path, write_ball):
    write_ball(tmp_path / "true/a.mp4", 0.3, 0.6)
    write_ball(tmp_path / "made/a_clip-01.mp4", 0.3, 0.6)
    with pytest.raises(MatchError, match="`clips`"):
        run(tmp_path / "made", tmp_path / "true", tmp_path, protocol)


@pytest.mark.parametrize("name", ["reference", "a/b", ".hidden", ""])
def test_names_of_systems_are_checked(folders, protocol, tmp_path, name):
    with pytest.raises(MatchError, match="`generated`"):
        evaluate({name: folders / "good"}, folders / "true", tmp_path, protocol=protocol)


@pytest.mark.parametrize("seconds", [2.0, 2.0004])
def test_numbered_clips_of_a_video_of_two_seconds_stay_three(protocol, tmp_path, write_ball, seconds):
    write_ball(tmp_path / "true/a.mp4", 0.3, 0.6)
    for clip in range(3):
        write_ball(tmp_path / f"made/a_clip-0{clip}.mp4", 0.2 + 0.1 * clip, 0.6)
    write_ball(tmp_path / "whole/a.mp4", 0.3, 0.6)
    plan = evaluate(
        {"made": tmp_path / "made", "whole": tmp_path / "whole"},
        tmp_path / "true",
        tmp_path / "out",
        protocol=replace(protocol, clips=3, scores=protocol.scores[:1], seconds=4 - seconds),
    ).plan
    assert sorted(task.generated["made"].path.name for task in plan.tasks) == [f"a_clip-0{i}.mp4" for i in range(3)]
    assert [sorted(task.generated) for task in plan.tasks] == [["made", "whole"], ["made"], ["made"]]


def test_a_system_without_sound_is_told_what_would_serve(protocol, tmp_path, write_ball):
    for place in range(2):
        write_ball(tmp_path / f"true/{place}.mp4", 0.3, 0.6)
        write_ball(tmp_path / f"made/{place}.mp4", 0.3, 0.6, sound=False)
    figures = scores(run(tmp_path / "made", tmp_path / "true", tmp_path, protocol))["event_f1"]["systems"]["it"]
    assert "`sound: reference` in the protocol takes that of the true clips" in figures["reason"]
    judged = replace(protocol, sound="reference")
    assert value(run(tmp_path / "made", tmp_path / "true", tmp_path, judged), "event_f1", "it") > 0.8


def test_each_system_may_have_its_manifest(protocol, tmp_path, write_ball):
    for name in ("true/a", "elsewhere/b", "one/x", "two/y", "three/a"):
        write_ball(tmp_path / f"{name}.mp4", 0.3, 0.6)
    (tmp_path / "one.csv").write_text("generated,reference,class\nx.mp4,a.mp4,dog\n", encoding="utf-8")
    row = {"generated": "y.mp4", "reference": str(tmp_path / "elsewhere/b.mp4"), "class": "cat"}
    (tmp_path / "two.jsonl").write_text(json.dumps(row), encoding="utf-8")
    plan = evaluate(
        {name: tmp_path / name for name in ("one", "two", "three")},
        tmp_path / "true",
        tmp_path / "out",
        protocol=replace(protocol, scores=protocol.scores[:1]),
        manifest={"one": tmp_path / "one.csv", "two": tmp_path / "two.jsonl"},
    ).plan
    found = {task.key: (task.class_name, sorted(task.generated)) for task in plan.tasks}
    assert found == {"a@0.000": ("dog", ["one", "three"]), "b@0.000": ("cat", ["two"])}
    with pytest.raises(MatchError, match="`manifest` must name systems, got four"):
        evaluate(
            {"one": tmp_path / "one"}, tmp_path / "true", tmp_path / "out", manifest={"four": tmp_path / "one.csv"}
        )


def test_files_of_almost_the_same_length_are_cut_at_the_same_moments(protocol, tmp_path):
    frames, sound = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 3), np.uint8), np.zeros(60000)
    for name, count in (("true", 40), ("one", 39), ("two", 40), ("brief", 24)):
        (tmp_path / name).mkdir()
        write_video(tmp_path / name / "a.mp4", frames[:count], fps=12, waveform=sound, sample_rate=16000)
    systems = {name: tmp_path / name for name in ("one", "two", "brief")}
    plan = evaluate(systems, tmp_path / "true", tmp_path / "out", protocol=replace(protocol, clips=2)).plan
    assert {task.key: sorted(task.generated) for task in plan.tasks} == {
        "a@0.000": ["brief", "one", "two"],
        "a@1.333": ["one", "two"],
    }


def test_a_damaged_record_is_made_anew(folders, protocol, tmp_path):
    run(folders / "good", folders / "true", tmp_path, protocol)
    path = RecordStore(tmp_path / "clips").path("it", "wood/a@0.000")
    path.write_text("{", encoding="utf-8")
    assert value(run(folders / "good", folders / "true", tmp_path, protocol), "event_f1", "it") > 0.8
