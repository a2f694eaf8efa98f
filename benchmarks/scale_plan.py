"""A plan on paper: hours, machines and storage of curating and precomputing many videos, from replaceable rates.

Nothing is measured here. The ratios to decoding and the bytes per second are those of docs/scale.md; the
rate of decoding, the share that is kept and the rate of the GPU are assumptions, each an option.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

PIXELS = 456 * 256  # of the clips that decoding was timed on
HEIGHTS = {256: PIXELS, 360: 640 * 360, 480: 854 * 480, 720: 1280 * 720, 1080: 1920 * 1080}
MEASURE, TEXT, CUT = 1.68, 4.25, 11.9  # CPU time over that of decoding the same seconds
RECORD, PARQUET = 1430, 1170  # bytes of measurements per second of video
SETTLE = 0.4e-3  # seconds of the end step per second of video, in one process: read twice, judge, write
LATENT = 3.4e6  # bytes of a clip of 48 frames at 320 x 512: latents 2.0, image 0.7, audio 0.4, text 0.2, picture 0.3
FRAMES = 48


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done, and with what."""

    videos: float
    seconds: float
    height: int
    kept: float
    bitrate: float
    decode: float
    cores: int
    gpus: int
    gpu_frames: float

    @property
    def real_time(self) -> float:
        """Seconds of video that a core decodes in a second: as many as its pixels allow."""
        return self.decode * PIXELS / HEIGHTS[self.height]

    def core_hours(self, ratio: float, share: float = 1.0) -> float:
        """Of a stage that costs `ratio` times the decoding, on a share of the seconds."""
        return self.videos * self.seconds * share / self.real_time * ratio / 3600

    def rows(self) -> list[tuple[str, str, str]]:
        """Stage, work, hours on the machines."""
        found = []
        for name, ratio, share in (
            ("measure and judge", MEASURE, 1.0),
            ("the same with on-screen text", TEXT, 1.0),
            ("cut what is kept (`--shards`)", CUT, self.kept),
        ):
            hours = self.core_hours(ratio, share)
            found.append((name, f"{hours:,.0f} core hours", f"{hours / self.cores:,.1f} h"))
        settle = self.videos * self.seconds * SETTLE / 3600
        found.append(("settle, one process", f"{settle:,.1f} core hours", f"{settle:,.1f} h"))
        encode = self.videos * FRAMES / self.gpu_frames / 3600
        found.append(("precompute, a clip each", f"{encode:,.0f} GPU hours", f"{encode / self.gpus:,.1f} h"))
        raw = self.videos * self.seconds * self.bitrate * 1e6 / 8
        rate = raw / (self.core_hours(MEASURE) / self.cores * 3600) / 1e6
        found.append(("videos on disk", f"{raw / 1e12:,.2f} TB", f"read at {rate:,.0f} MB/s while measuring"))
        tables = self.videos * self.seconds * (RECORD + PARQUET)
        found.append(("records and measurements", f"{tables / 1e9:,.1f} GB", ""))
        found.append(("kept clips, as sources", f"{raw * self.kept / 1e12:,.2f} TB", ""))
        found.append(("shards of latents", f"{self.videos * LATENT / 1e12:,.2f} TB", ""))
        return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=float, default=170e3)
    parser.add_argument("--seconds", type=float, default=10, help="of each video")
    parser.add_argument("--height", type=int, default=360, choices=sorted(HEIGHTS), help="pixels")
    parser.add_argument("--kept", type=float, default=0.5, help="share of the seconds")
    parser.add_argument("--bitrate", type=float, default=0.8, help="megabits per second")
    parser.add_argument("--decode", type=float, default=90, help="seconds of 256p that a core decodes in a second")
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--gpu-frames", type=float, default=200, help="frames of 320 x 512 a GPU encodes in a second")
    plan = Plan(**vars(parser.parse_args()))
    print(f"a core decodes {plan.real_time:.0f} s of {plan.height}p in a second\n")
    print(f"| stage | in all | on {plan.cores} cores, {plan.gpus} GPU |\n|---|---|---|")
    for row in plan.rows():
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
