"""Protocols: every bundled one loads, a copied one says what it measures, a wrong one is refused by name."""

import pytest
import yaml

from asva_eval import ProtocolError, load_protocol, protocol_names, protocol_record


@pytest.fixture
def written(tmp_path):
    """``written(**fields)``: the path of a protocol with one score and the fields given."""

    def write(**fields):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({"description": "mine", "scores": ["motion"]} | fields), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", ["asva", "asva-fixed", "keyvid-12", "keyvid-48", "mtv", "open-6fps"])
def test_bundled_protocols_load(name):
    protocol = load_protocol(name)
    assert name in protocol_names()
    assert {"motion", "event_f1"} <= {score.name for score in protocol.scores}  # motion beside every score
    for score in protocol.scores:
        assert score.title and (score.blind_to or not score.better)
        assert bool(score.chance_rule) == bool(score.chances)


def test_a_resolved_protocol_is_a_protocol(tmp_path):
    protocol = load_protocol("asva-fixed")
    path = tmp_path / "copy.yaml"
    path.write_text(yaml.safe_dump(protocol_record(protocol)), encoding="utf-8")
    assert load_protocol(path).digest == protocol.digest


def test_the_digest_is_of_what_is_measured(written):
    plain = load_protocol(written())
    assert load_protocol(written(description="other words")).digest == plain.digest
    wider = load_protocol(written(tolerance=0.2))
    assert wider.digest != plain.digest and wider.cut_digest == plain.cut_digest
    assert load_protocol(written(frames="official")).cut_digest != plain.cut_digest


def test_the_conventions_are_those_of_their_papers():
    official, fixed, opened = (load_protocol(name) for name in ("asva", "asva-fixed", "open-6fps"))
    fid = {name: next(s for s in p.scores if s.name == "fid") for name, p in (("asva", official), ("fixed", fixed))}
    assert (official.frames, official.stereo, official.text, fid["asva"].settings["resize"]) == (
        *("official", "official", "folder"),
        "avsync",
    )
    assert (fixed.frames, fixed.stereo, fixed.text, fid["fixed"].settings["resize"]) == (
        *("nearest", "correct", "words"),
        "pytorch-fid",
    )
    scales = {score.name: score.scale for score in opened.scores}
    assert (scales["rel_sync"], scales["align_sync"]) == (200, 400)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"fpz": 6}, "fpz"),
        ({"clips": 0}, "clips"),
        ({"frames": "first"}, "frames"),
        ({"scores": []}, "scores"),
        ({"scores": ["beauty"]}, "scores"),
        ({"scores": [{"score": "av_align", "rule": "2024"}]}, "rule"),
        ({"scores": [{"score": "psnr"}, {"score": "psnr"}]}, "twice"),
    ],
)
def test_wrong_fields_are_named(written, fields, named):
    with pytest.raises(ProtocolError, match=named):
        load_protocol(written(**fields))


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(ProtocolError, match=r"asva-fixed, .*keyvid-12.*got asvab"):
        load_protocol("asvab")
    path = tmp_path / "broken.yaml"
    path.write_text("scores: [", encoding="utf-8")
    with pytest.raises(ProtocolError, match="YAML"):
        load_protocol(path)
