"""Keyframe selection against the original code's indices: exact."""

import numpy as np

from asva_keyframe import (
    OfficialDraws,
    find_keypoints,
    keyframe_mask,
    select_keyframes,
    training_frames,
    uniform_training_frames,
)


def as_signs(keypoints, length):
    signs = np.zeros(length, int)
    signs[keypoints.peaks] = 1
    signs[keypoints.valleys] = -1
    return signs.tolist()


def cases(fixture, kind):
    return [case for case in fixture["cases"] if case["kind"].startswith(kind)]


def test_keypoints(select_fixture):
    for case in select_fixture["cases"]:
        taps = 1 if case["kind"].startswith("infer") else 5
        assert as_signs(find_keypoints(case["curve"], taps=taps), len(case["curve"])) == case["keypoints"]


def test_inference_rule(select_fixture):
    for case in cases(select_fixture, "infer"):
        chosen = select_keyframes(
            case["curve"],
            case["target_length"],
            rule="inference",
            fps=case["fps_ori"],
            start=case["start_idx"],
            duration=case["target_length"] / case["target_fps"],
            generator=OfficialDraws.from_seed(case["seed"]),
        )
        assert chosen.tolist() == case["indices"] == case["utils_keyframe_indices"]


def official_training(case):
    return training_frames(
        case["curve"],
        case["target_length"],
        fps=case["fps_ori"],
        start=case["start_idx"],
        generator=OfficialDraws.from_seed(case["seed"]),
    )


def test_training_frames(select_fixture):
    for case in cases(select_fixture, "train"):
        frames = official_training(case)
        assert frames.frame_indices.tolist() == case["frame_indices_abs"], case["id"]
        assert frames.condition_indices.tolist() == case["cond_indices"]
        assert frames.frame_strides.tolist() == case["frame_strides"]
        assert frames.fps == case["fps_clip_keyframe"]


def test_training_rule_differs_only_where_the_original_repeats_a_frame(select_fixture):
    for case in cases(select_fixture, "train"):
        chosen = select_keyframes(
            case["curve"],
            case["target_length"],
            rule="training",
            fps=case["fps_ori"],
            start=case["start_idx"],
            duration=2.0,
            generator=OfficialDraws.from_seed(case["seed"]),
        )
        official = [i - case["start_idx"] for i in case["frame_indices_abs"]]
        assert set(official) <= set(chosen.tolist())
        assert len(set(chosen.tolist())) == case["target_length"]
        assert len(set(official)) < len(official) or chosen.tolist() == official


def test_uniform_training_frames(select_fixture):
    for case in cases(select_fixture, "train"):
        frames = uniform_training_frames(case["target_length"], fps=case["fps_ori"], start=case["start_idx"])
        expected = case["uniform_train"]
        assert frames.frame_indices.tolist() == expected["abs"]
        assert frames.condition_indices.tolist() == expected["cond"]
        assert frames.frame_strides.tolist() == expected["strides"]
        assert frames.fps == expected["fps_clip"]


def test_interpolator_masks(select_fixture):
    for case in cases(select_fixture, "train"):
        expected = case["interp_train"]
        stride = expected["abs"][1] - expected["abs"][0]
        frames = uniform_training_frames(
            case["target_length"], fps=case["fps_ori"], start=case["start_idx"], stride=stride
        )
        assert frames.frame_indices.tolist() == expected["abs"]
        assert frames.condition_indices.tolist() == expected["cond"]
        mask = keyframe_mask(frames.condition_indices, np.asarray(expected["key_frame_indices"]))
        assert mask.astype(int).tolist() == expected["is_keyframe"]
