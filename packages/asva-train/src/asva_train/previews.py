"""Short sample videos of a run: files beside the log, animations inside it."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def log_previews(accelerator: Any, videos: dict[str, Tensor], step: int, folder: Path, fps: float = 24.0) -> None:
    """Write videos (t, h, w, 3) uint8 as mp4 files and, with TensorBoard, as animations in the log."""
    from asva_data import write_video

    folder.mkdir(parents=True, exist_ok=True)
    for name, frames in videos.items():
        write_video(folder / f"{name}-{step:08d}.mp4", frames.cpu().numpy(), fps=fps)
        for tracker in accelerator.trackers:
            if tracker.name == "tensorboard":
                _log_animation(tracker.tracker, name, frames, step, fps)


def _log_animation(writer, name: str, frames: Tensor, step: int, fps: float) -> None:
    from tensorboard.compat.proto.summary_pb2 import Summary

    image = Summary.Image(height=frames.shape[1], width=frames.shape[2], encoded_image_string=_gif(frames, fps))
    writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), step)


def _gif(frames: Tensor, fps: float) -> bytes:
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames.cpu().to(torch.uint8).numpy()]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=round(1000 / fps), loop=0)
    return file.getvalue()
