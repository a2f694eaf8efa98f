"""The method `warp` on recordings: every first frame with its sound, the region that is found, and what it costs.

Recordings are found in ``ASVA_CLIPS_DIR`` (default ``../shared/clips`` beside the repository), folder ``real``.
``--videos FOLDER`` makes a video of each without an option and checks it; ``--cost`` times two seconds at 720p against
decoding and encoding the same frames, in turns. Without either the regions are measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from results import table

from asva_data import MediaError, first_frame, iter_frames, read_video, write_video
from asva_keyframe import flow_pairs
from asva_metrics import bootstrap_interval
from asva_pipelines import Request, make_video
from asva_pipelines.warp.framing import Framing
from asva_pipelines.warp.moving import Moving
from asva_pipelines.warp.parts import Part
from asva_pipelines.warp.region import find_region
from asva_pipelines.warp.rule import warped

CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", Path(__file__).resolve().parents[2] / "shared" / "clips"))
SHORT, BOXES = 96, 20  # pixels at which motion is measured; random boxes of each picture


def recordings() -> list[Path]:
    return sorted((CLIPS / "real").glob("*.mp4"))


def make_all(folder: Path, share: slice) -> None:
    """A video of every recording's first frame and sound, no option given; each is read back and checked."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"made": 0, "valid": 0, "by warp": 0, "still outside the region": 0}
    for path in recordings()[share]:
        picture = first_frame(path, 0.0)
        still, video = folder / f"{path.stem}.png", folder / f"{path.stem}.mp4"
        Image.fromarray(picture).save(still)
        request = Request(image=still, audio=path)
        try:
            record, _ = make_video(request, {"json": video.with_suffix(".json"), "video": video}, overwrite=True)
        except (MediaError, ValueError) as error:
            print(f"{path.name}: {error}", flush=True)
            continue
        counts["made"] += 1
        counts["by warp"] += record["method"] == "warp"
        clip, size = read_video(video), Framing.of(picture.shape[:2], None).size
        seconds = clip.waveform.shape[1] / clip.sample_rate
        fits = abs(seconds - record["duration"]) < 0.05 and len(clip.frames) == record["num_frames"]
        counts["valid"] += fits and (record["method"] != "warp" or clip.frames.shape[1:3] == size)
        counts["still outside the region"] += stands_still(picture)
    print(counts)


def stands_still(picture: np.ndarray) -> bool:
    """Whether no pixel outside the region differs in any frame before it is encoded."""
    framing = Framing.of(picture.shape[:2], None)
    rest = framing.crop(picture)
    area = Moving(rest, *framing.place(rest, Part())).area
    frames = warped(rest, framing, (Part(),), np.linspace(0, 1, 5, dtype=np.float32)[None])
    return all((frame[~area] == rest[~area]).all() for frame in frames)


def motion_map(path: Path) -> np.ndarray:
    """(h, w) mean length of the flow of a recording."""
    frames = [frame for _, frame in iter_frames(path, fps=12)]
    scale = SHORT / min(frames[0].shape[:2])
    small = np.stack([cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for frame in frames])
    return np.mean([np.hypot(*flow) for flow in flow_pairs(small, "dis", preset="fast")], axis=0)


def box_of(shape: tuple[int, int], area: float, top: float, left: float) -> np.ndarray:
    """A box of a share of the picture, its place from 0 to 1 each way."""
    height, width = (round(size * np.sqrt(area)) for size in shape)
    mask = np.zeros(shape, bool)
    first, second = round(top * (shape[0] - height)), round(left * (shape[1] - width))
    mask[first : first + height, second : second + width] = True
    return mask


def measure_regions() -> None:
    """How much of a region moves in the recording, and how much of the recording's motion a region holds."""
    rng, rows = np.random.default_rng(0), []
    for path in recordings():
        motion = motion_map(path)
        moving = cv2.dilate((motion > np.median(motion)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        found = find_region(first_frame(path, 0.0)).astype(np.uint8)
        found = cv2.resize(found, motion.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        area = found.mean()
        middle = box_of(motion.shape, area, 0.5, 0.5)
        boxes = [box_of(motion.shape, area, *rng.uniform(size=2)) for _ in range(BOXES)]
        shares = [
            [moving[mask].mean(), motion[mask].sum() / max(motion.sum(), 1e-9), mask.mean()]
            for mask in (found, middle, *boxes)
        ]
        rows.append([shares[0], shares[1], np.mean(shares[2:], axis=0)])
    rows = np.array(rows)
    print(f"{len(rows)} recordings; a region is {100 * rows[:, 0, 2].mean():.0f} % of the picture on average\n")
    told = [["region", "share of it that moves", "share of the motion inside"]]
    for place, name in enumerate(("found", "box in the middle, as large", "random box, as large")):
        told.append([name, *(interval(rows[:, place, score]) for score in (0, 1))])
    for place, name in ((1, "the box in the middle"), (2, "a random box")):
        told.append([f"found less {name}", *(interval(rows[:, 0, s] - rows[:, place, s]) for s in (0, 1))])
    print(table("warp/regions", told))


def interval(values: np.ndarray) -> str:
    """Mean and 95 % interval over recordings."""
    return f"{bootstrap_interval(values.tolist(), generator=np.random.default_rng(0)):.3f}"


def measure_cost(rounds: int) -> None:
    """CPU time of two seconds at 720p over that of decoding the picture and encoding as many frames."""
    rng = np.random.default_rng(0)
    photograph = np.asarray(Image.fromarray(rng.integers(0, 255, (45, 80, 3), dtype=np.uint8)).resize((1280, 720)))
    sound = Path(__file__).resolve().parents[1] / "examples" / "hammer.wav"
    with tempfile.TemporaryDirectory() as folder:
        still, video = Path(folder, "photo.png"), Path(folder, "video.mp4")
        Image.fromarray(photograph).save(still)
        request = Request(image=still, audio=sound, method="warp")
        targets = {"json": Path(folder, "video.json"), "video": video}
        make_video(replace(request, size=(64, 64)), targets, overwrite=True)  # imports
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        make_video(request, targets, overwrite=True)
        above = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"peak memory above the imports: {above / 1e3:.0f} MB")
        ratios = []
        for _ in range(rounds):
            took = [cpu(lambda: make_video(request, targets, overwrite=True))]
            frames = read_video(video).frames
            took.append(cpu(lambda frames=frames: (Image.open(still).load(), write_video(video, frames, fps=24))))
            ratios.append(took[0] / took[1])
    told = f"median {np.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}"
    print(f"CPU time over decoding and encoding: {told}")


def cpu(work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--share", type=int, nargs=2, default=(0, 1), help="each STEP-th recording from FIRST on")
    parser.add_argument("--cost", type=int, default=0, metavar="ROUNDS")
    arguments = parser.parse_args()
    if arguments.videos is not None:
        make_all(arguments.videos, slice(arguments.share[0], None, arguments.share[1]))
    elif arguments.cost:
        measure_cost(arguments.cost)
    else:
        measure_regions()


if __name__ == "__main__":
    main()
