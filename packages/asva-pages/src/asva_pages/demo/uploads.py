"""Files that strangers send: their names, their first bytes, and never more of them on the disk than allowed."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from asva_pages.requests import Refused

HEAD = 4096  # bytes that are looked at
FREE = 1_000_000_000  # bytes of the disk that stay free
LONGEST = 120  # letters of a name
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]')
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_SOUNDS = (b"fLaC", b"OggS", b"caff", b".snd", b"#!AMR", b"\x1aE\xdf\xa3")


def checked_name(name: str) -> str:
    """A file name that is nothing but a name.

    Raises:
        Refused: If it is empty, hidden, a path, too long, or not allowed on some system.
    """
    if not name or len(name) > LONGEST or len(name.encode(errors="replace")) > 2 * LONGEST:
        raise Refused(400, f"The name of the file must have 1 to {LONGEST} letters: rename it.")
    if _FORBIDDEN.search(name) or name[0] in ".-~" or name[-1] in ". " or name.strip() != name:
        raise Refused(400, "The name of the file must be a plain name, without folders and special signs: rename it.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise Refused(400, "The name of the file must be text: rename it.") from None
    return name


def check_head(head: bytes, kind: str) -> None:
    """Refuse what does not begin like a sound, a picture or a video.

    Playlists and other texts, which can name files of this machine, are among what is refused.

    Args:
        head: The first bytes.
        kind: ``sound`` or ``picture``.

    Raises:
        Refused: If it does not.
    """
    if not head:
        raise Refused(415, "The file is empty.")
    if _is_video(head) or (_is_picture(head) if kind == "picture" else _is_sound(head)):
        return
    wanted = "a picture (PNG, JPEG, WebP) or a video" if kind == "picture" else "a sound (WAV, MP3, FLAC) or a video"
    raise Refused(415, f"The file must be {wanted}; its first bytes are of something else.")


def _is_video(head: bytes) -> bool:
    return head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide") or head[:4] == b"\x1aE\xdf\xa3" or _riff(head) == b"AVI "


def _is_picture(head: bytes) -> bool:
    return head.startswith(_PICTURES) or _riff(head) == b"WEBP"


def _is_sound(head: bytes) -> bool:
    form = head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC")
    return head.startswith((b"ID3", *_SOUNDS)) or _riff(head) == b"WAVE" or form or _is_mpeg(head)


def _check_behind_tags(path: Path) -> None:
    """Refuse a song behind whose tags something else stands: FFmpeg would look there for what the file is."""
    with path.open("rb") as file:
        while (tag := file.read(10))[:3] == b"ID3" and len(tag) == 10:
            file.seek(sum((byte & 127) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True)), 1)
        tagged = file.tell() > 10
    if tagged and not (tag[:1] in (b"", b"\x00") or _is_mpeg(tag) or tag.startswith(_SOUNDS)):
        raise Refused(415, "The file must be a sound; behind its tags stands something else.")


def _riff(head: bytes) -> bytes:
    return head[8:12] if head[:4] in (b"RIFF", b"RF64") else b""


def _is_mpeg(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def check_size(stated: str | None, most: int, folder: Path) -> None:
    """Refuse at once what says itself that it is too large, or what the disk cannot hold.

    Raises:
        Refused: If so.
    """
    size = int(stated) if stated is not None and stated.isdecimal() else 0
    if size > most:
        raise Refused(413, f"The file must have at most {in_words(most)}, got {in_words(size)}.")
    if shutil.disk_usage(folder).free < max(size, 1) + FREE:
        raise Refused(507, "The disk of this server is full: try again later.")


async def store(chunks: AsyncIterator[bytes], path: Path, kind: str, most: int) -> int:
    """Write an upload as it comes, and nothing of it as soon as it is known to be unfit.

    Returns:
        Its bytes.

    Raises:
        Refused: If it is empty, too large, or not of its kind.
    """
    head, size, checked = b"", 0, False
    try:
        with path.open("xb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise Refused(413, f"The file must have at most {in_words(most)}, got more.")
                head += chunk[: HEAD - len(head)]
                if not checked and len(head) >= HEAD:
                    check_head(head, kind)
                    checked = True
                file.write(chunk)
        if not checked:
            check_head(head, kind)
        _check_behind_tags(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return size


def in_words(count: int) -> str:
    """Bytes in words.

    >>> in_words(200_000_000), in_words(1500)
    ('200 MB', '1.5 kB')
    """
    for size, unit in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"
