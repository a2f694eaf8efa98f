"""Reading a picture of any kind as upright 8-bit RGB."""

from __future__ import annotations

import logging
import os
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from asva_weights.limits import limits

from .clip import MediaError
from .resize import resize_crop

logger = logging.getLogger(__name__)

REFUSED = ("EPS", "WMF")  # formats that Pillow draws by starting another program
HEIC = (b"heic", b"heix", b"heim", b"heis", b"mif1")  # how telephones' photographs begin, behind their first 8 bytes
BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, RuntimeError, struct.error, OverflowError)


def read_image(path: str | os.PathLike, size: int | tuple[int, int] | None = None) -> np.ndarray:
    """Read a picture as upright RGB.

    The EXIF turn is applied, transparency is laid over white, 16-bit and float greys are scaled to 8 bit, CMYK and
    palettes are converted, and of an animation the first frame is taken. A colour profile is applied, such as the wide
    one of telephones (Display P3): what comes out is sRGB.

    Args:
        path: A file of any format that Pillow reads, except EPS and WMF; a telephone's HEIC with ``asva-data[heic]``.
        size: Height and width, or one number for a square: the middle of that aspect, resized. None keeps the size.

    Returns:
        (h, w, 3) uint8.

    Raises:
        MediaError: If the file is missing, empty, truncated, no picture, or larger than 179 million pixels.
    """
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"`path` must be an existing picture, got {path}.")
    if path.stat().st_size == 0:
        raise MediaError(f"`path` must be a picture, got the empty file {path}.")
    try:
        frame = _read(path)
    except MediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(f"`path` must hold at most {limits().pixels} pixels, got {path}; make it smaller.") from error
    except Image.UnidentifiedImageError as error:
        raise MediaError(f"`path` must be a picture such as PNG or JPEG, got {path}.") from error
    except BROKEN as error:
        raise MediaError(f"`path` must be a whole picture, got {path}, which is damaged or cut short.") from error
    return frame if size is None else resize_crop(frame, size)


def _read(path: Path) -> np.ndarray:
    with _open(path) as image:
        if image.width * image.height > limits().pixels:
            raise Image.DecompressionBombError
        if image.format in REFUSED:
            raise MediaError(f"`path` must be a picture of pixels such as PNG or JPEG, got {image.format} in {path}.")
        image.load()
        return _to_rgb(_upright(image))


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except Image.UnidentifiedImageError:
        with path.open("rb") as file:
            head = file.read(12)
        if head[4:8] != b"ftyp" or head[8:] not in HEIC:
            raise
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise MediaError(
            f"`path` must be a picture such as PNG or JPEG, got the HEIC photograph {path}: save it as JPEG, or "
            "install what reads it: pip install 'asva-data[heic]'."
        ) from error
    if not _is_whole(path):
        raise EOFError  # libheif would leave grey what is missing
    return HeifImageFile(path)


def _is_whole(path: Path) -> bool:
    """Whether the boxes (ISO 14496-12) of a picture end within the file; makers append what is none."""
    end, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while end < size:
            file.seek(end)
            head = file.read(16)
            if head[4:8] not in (b"ftyp", b"meta", b"mdat", b"free"):
                return True
            length = int.from_bytes(head[:4])
            if length < 8:  # 1: it stands behind; 0: up to the end of the file
                length = int.from_bytes(head[8:]) if length == 1 else size - end
            end += max(length, 8)
    return end == size


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except BROKEN:  # a damaged EXIF block says nothing about the pixels
        logger.warning("The EXIF block is damaged; the picture is taken as it lies.")
        return image


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        return np.repeat(_grey_to_8_bit(image)[..., None], 3, axis=2)
    profile = image.info.get("icc_profile")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode not in ("L", "CMYK"):
        image = image.convert("RGB")
    return np.array((_in_srgb(image, profile) if profile else image).convert("RGB"))


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours by the meaning that a profile gives them; a profile of sRGB changes nothing."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        wanted = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, wanted, outputMode="RGB") or image
    except (ImageCms.PyCMSError, *BROKEN):
        logger.warning("The colour profile does not fit the picture; its colours are taken as they lie.")
        return image


def _grey_to_8_bit(image: Image.Image) -> np.ndarray:
    """Scale deep greys; Pillow's own conversion would clip everything above 255 to white."""
    grey = np.asarray(image)
    low, high = float(grey.min()), float(grey.max())
    if not np.isfinite([low, high]).all() or low < 0:
        raise MediaError("`path` must hold finite, non-negative greys, got others; convert the picture to 8 bit.")
    top = 65535.0 if image.mode.startswith("I") else 1.0
    if high > top:
        raise MediaError(f"`path` must hold greys up to {top:g}, got {high:g}; convert the picture to 8 bit.")
    flat = np.empty(grey.shape, np.uint8)
    for row in range(len(grey)):  # the whole as float64 would take eight times the memory
        flat[row] = np.round(grey[row].astype(np.float64) * (255 / top))
    return flat
