"""The moving picture of the README: a video beside the sound that it was made for, as a GIF.

asva sample --image examples/cat.jpg --audio examples/drums.wav --output sample.mp4
python docs/readme_gif.py sample.mp4 docs/images/cat.gif
"""

import sys

import numpy as np
from PIL import Image, ImageDraw

from asva_data import read_video

WIDTH, HEIGHT, EVERY = 300, 40, 2
INK, PLAYED, PAPER = (150, 160, 170), (220, 80, 40), (255, 255, 255)


def main(source: str, target: str) -> None:
    """Write the GIF of a video."""
    clip = read_video(source)
    height = round(WIDTH * clip.frames.shape[1] / clip.frames.shape[2])
    frames = [Image.fromarray(frame).resize((WIDTH, height)) for frame in clip.frames[::EVERY]]
    pieces = np.array_split(np.abs(clip.waveform).max(axis=0), len(frames))
    loudness = np.array([piece.max() for piece in pieces]) / max(float(np.abs(clip.waveform).max()), 1e-6)
    drawn = [draw(frame, loudness, now) for now, frame in enumerate(frames)]
    palette = Image.fromarray(np.concatenate([np.asarray(one) for one in drawn[::6]])).quantize(
        192, method=Image.Quantize.MAXCOVERAGE
    )
    pictures = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in drawn]
    duration = round(1000 * EVERY / clip.fps / 10) * 10  # GIF counts in hundredths of a second
    pictures[0].save(target, save_all=True, append_images=pictures[1:], duration=duration, loop=0, optimize=True)


def draw(frame: Image.Image, loudness: np.ndarray, now: int) -> Image.Image:
    """A frame, and below it how loud each frame is, those that were heard in colour."""
    picture = Image.new("RGB", (WIDTH, frame.height + HEIGHT), PAPER)
    picture.paste(frame, (0, 0))
    pen, middle, step = ImageDraw.Draw(picture), frame.height + HEIGHT // 2, WIDTH // len(loudness)
    left = (WIDTH - step * len(loudness)) // 2
    for place, loud in enumerate(loudness):
        x, half = left + step * place, round(1 + loud * (HEIGHT // 2 - 4))
        pen.rectangle((x, middle - half, x + step - 2, middle + half), fill=PLAYED if place <= now else INK)
    return picture


if __name__ == "__main__":
    main(*sys.argv[1:])
