"""Lengths that a file states about itself where FFmpeg reports the length of what is left of it."""

import struct
from pathlib import Path

# Writers to a pipe cannot know the length and put one of these or something close.
UNKNOWN_SIZE = 0x7FFF0000


def wav_seconds(path: Path) -> float:
    """Length in the header of a RIFF file, or 0 if it states none."""
    byte_rate = 0
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return 0.0
        file.seek(12)
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                return size / byte_rate if byte_rate and size < UNKNOWN_SIZE else 0.0
            body = file.read(size + size % 2) if name == b"fmt " else b""
            if len(body) >= 12:
                byte_rate = struct.unpack_from("<I", body, 8)[0]
            elif name != b"fmt ":
                file.seek(size + size % 2, 1)
    return 0.0


def mp3_states_length(path: Path) -> bool:
    """Whether the first frame counts the frames (Xing or Info tag); otherwise FFmpeg guesses from the bit rate."""
    with path.open("rb") as file:
        head = file.read(10)
        tagged = head[:3] == b"ID3" and len(head) == 10
        # The size of an ID3 tag has seven bits per byte.
        file.seek(10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:10])) if tagged else 0)
        frame = file.read(512)
    return b"Xing" in frame or b"Info" in frame
