"""Pictures of every kind."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from asva_data import MediaError, probe, read_image


def save(path, image, **options):
    image.save(path, **options)
    return path


@pytest.fixture
def gradient():
    ramp = np.arange(60, dtype=np.uint8).reshape(6, 10) * 4
    return np.stack([ramp, 255 - ramp, ramp // 2], axis=-1)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5000), (5000, 7), (3, 2)])
def test_any_size(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    path = save(tmp_path / "a.png", Image.fromarray(pixels))
    np.testing.assert_array_equal(read_image(path), pixels)
    assert read_image(path, size=64).shape == (64, 64, 3)
    assert read_image(path, size=(40, 64)).shape == (40, 64, 3)


@pytest.mark.parametrize("ending", ["png", "webp", "bmp", "tiff", "ppm", "gif"])
def test_formats(tmp_path, gradient, ending):
    options = {"lossless": True} if ending == "webp" else {}
    image = read_image(save(tmp_path / f"a.{ending}", Image.fromarray(gradient), **options))
    assert image.dtype == np.uint8 and image.flags.writeable
    np.testing.assert_allclose(image.astype(int), gradient, atol=0 if ending != "gif" else 3)


def test_cmyk(tmp_path):
    cmyk = Image.merge("CMYK", [Image.new("L", (8, 8), value) for value in (0, 255, 255, 0)])
    image = read_image(save(tmp_path / "a.jpg", cmyk, quality=100))
    assert np.abs(image.astype(int) - (255, 0, 0)).max() < 12


@pytest.fixture(scope="module")
def exchanged():
    """A profile that calls red what is green elsewhere, and green what is red."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(data[at : at + 4]): at + 4 for at in range(132, 132 + 12 * int.from_bytes(data[128:132]), 12)}
    red, green = (tags[name] for name in (b"rXYZ", b"gXYZ"))
    data[red : red + 8], data[green : green + 8] = data[green : green + 8], data[red : red + 8]
    for name in ("sRGB", "sRGB".encode("utf-16-be").decode("latin-1")):
        data = data.replace(name.encode("latin-1"), name.replace("R", "X").encode("latin-1"))
    return bytes(data)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_a_colour_profile_is_applied(tmp_path, exchanged, ending):
    options = {"lossless": True} if ending == "webp" else {"quality": 100}
    picture = Image.new("RGB", (8, 8), (200, 100, 50))
    image = read_image(save(tmp_path / f"a.{ending}", picture, icc_profile=exchanged, **options))
    np.testing.assert_allclose(image[0, 0].astype(int), (100, 200, 50), atol=4)


def test_a_colour_profile_and_alpha(tmp_path, exchanged):
    picture = Image.new("RGBA", (2, 1), (200, 100, 50, 0))
    picture.putpixel((1, 0), (200, 100, 50, 255))
    image = read_image(save(tmp_path / "a.png", picture, icc_profile=exchanged))
    np.testing.assert_allclose(image[0].astype(int), [[255] * 3, [100, 200, 50]], atol=2)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("profile", [b"", b"no profile", "of sRGB", "cut short"])
def test_a_profile_that_says_nothing_changes_nothing(tmp_path, exchanged, mode, profile):
    if profile == "of sRGB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = exchanged[:300] if profile == "cut short" else profile
    picture = Image.new(mode, (8, 8), 77 if mode == "L" else (200, 100, 50))
    image = read_image(save(tmp_path / "a.png", picture, icc_profile=profile))
    np.testing.assert_array_equal(image[0, 0], [77] * 3 if mode == "L" else (200, 100, 50))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_laid_over_white(tmp_path, mode):
    clear, full = {"RGBA": ((0, 0, 0, 0), (0, 0, 0, 255)), "LA": ((0, 0), (0, 255))}[mode]
    picture = Image.new(mode, (2, 1), clear)
    picture.putpixel((1, 0), full)
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", picture))[0], [[255] * 3, [0] * 3])


def test_a_transparent_palette_is_laid_over_white(tmp_path):
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    path = save(tmp_path / "a.png", picture, transparency=0)
    np.testing.assert_array_equal(read_image(path)[0], [[255] * 3, [200, 100, 50]])


@pytest.mark.parametrize(("ending", "mode"), [("png", "I;16"), ("tiff", "I;16"), ("tiff", "F"), ("tiff", "I")])
def test_deep_greys_are_scaled(tmp_path, ending, mode):
    values = np.array([[0, 257, 32768, 65535]])
    kind = {"I;16": np.uint16, "F": np.float32, "I": np.int32}[mode]
    pixels = (values / 65535).astype(kind) if mode == "F" else values.astype(kind)
    image = read_image(save(tmp_path / f"a.{ending}", Image.fromarray(pixels)))
    np.testing.assert_array_equal(image[0, :, 0], [0, 1, 128, 255])


def test_greys_out_of_range_are_refused(tmp_path):
    with pytest.raises(MediaError, match="greys"):
        read_image(save(tmp_path / "a.tiff", Image.fromarray(np.full((2, 2), 300.0, np.float32))))


def test_sixteen_bit_colour(tmp_path):
    row = b"\0" + struct.pack(">6H", 65535, 32768, 0, 257, 514, 65535)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(png)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], [[255, 128, 0], [1, 2, 255]])


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, 3), (8, 1)])
def test_exif_turn(tmp_path, gradient, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(save(tmp_path / "a.png", Image.fromarray(gradient), exif=exif))
    np.testing.assert_array_equal(image, np.rot90(gradient, turn))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_block_is_ignored(tmp_path, gradient):
    path = save(tmp_path / "a.png", Image.fromarray(gradient), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    np.testing.assert_array_equal(read_image(path), gradient)


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(path)[0, 0], (255, 0, 0))


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "gif", "tiff"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.8])
def test_truncated(tmp_path, ending, share):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"a.{ending}", Image.fromarray(pixels))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(MediaError, match=r"a\.") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "match"), [(b"", "empty"), (b"<html></html>", "such as PNG"), (b"\x89PNG", "PNG")])
def test_not_a_picture(tmp_path, content, match):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(MediaError, match=match):
        read_image(tmp_path / "a.png")


def test_a_video_is_not_a_picture(media, tmp_path):
    with pytest.raises(MediaError, match="must be a picture"):
        read_image(media.write_media(tmp_path / "a.mp4", num_frames=2))


@pytest.fixture
def photograph(tmp_path):
    """A telephone's: HEIC in tiles of 64 pixels, each of which is a track of a video to FFmpeg."""
    from pillow_heif import from_pillow

    rows, columns = np.mgrid[:120, :200].astype(np.uint8)
    pixels = np.stack([rows, columns, 200 - columns], axis=-1)
    from_pillow(Image.fromarray(pixels)).save(tmp_path / "IMG_1.HEIC", quality=95, tile_size=64)
    return tmp_path / "IMG_1.HEIC", pixels


def test_the_photograph_of_a_telephone(photograph):
    path, pixels = photograph
    np.testing.assert_allclose(read_image(path).astype(int), pixels, atol=8)
    with pytest.raises(MediaError, match="must be a video, got the photograph"):
        probe(path)


def test_what_reads_it_is_named_where_it_lacks(photograph, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MediaError, match=r"HEIC photograph .*IMG_1\.HEIC: save it as JPEG.*asva-data\[heic\]"):
        read_image(photograph[0])


def test_a_photograph_with_its_makers_trailer(photograph):
    path, pixels = photograph
    path.write_bytes(path.read_bytes() + b"SEFH and what else a maker appends SEFT")
    np.testing.assert_allclose(read_image(path).astype(int), pixels, atol=8)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_photograph_cut_short(photograph, share):
    whole = photograph[0].read_bytes()
    photograph[0].write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(MediaError, match="damaged or cut short"):
        read_image(photograph[0])


def test_a_photograph_of_no_size(photograph):
    whole = photograph[0].read_bytes()
    sizes = b"ispe" + struct.pack(">III", 0, 200, 120)
    assert sizes in whole
    photograph[0].write_bytes(whole.replace(sizes, b"ispe" + bytes(12)))
    with pytest.raises(MediaError, match="damaged or cut short"):
        read_image(photograph[0])


def test_missing(tmp_path):
    with pytest.raises(MediaError, match="existing picture"):
        read_image(tmp_path / "nowhere.png")


def test_a_decompression_bomb_is_refused(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    with pytest.raises(MediaError, match="at most 178956970 pixels"):
        read_image(tmp_path / "a.png")


def test_postscript_starts_no_program(tmp_path, gradient):
    path = save(tmp_path / "a.eps", Image.fromarray(gradient))
    with pytest.raises(MediaError, match="EPS"):
        read_image(path)
