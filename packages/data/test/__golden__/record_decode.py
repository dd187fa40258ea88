"""Writes decode/: small picture files of every kind, and decode.json with what Pillow makes of them.

Needs pillow 13.0.0 and numpy: python record_decode.py
"""

import base64
import hashlib
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageCms, ImageOps

HERE = Path(__file__).parent
FOLDER = HERE / "decode"
WIDTH, HEIGHT = 17, 11


def levels(seed, channels, top=255, dtype=np.uint8):
    """Smooth, with all corners of the range: JPEG stays close."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [
        0.5 + 0.5 * np.sin(seed + c * 1.7 + x * (0.21 + 0.05 * c) + y * (0.17 + 0.03 * seed)) for c in range(channels)
    ]
    values = np.stack(planes, axis=-1) * top
    return np.rint(values).astype(dtype).squeeze()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(bits, kind, rows, extra=()):
    """A PNG of any depth: Pillow writes 16 bits of gray only."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, 0)
    lines = b"".join(b"\0" + bytes(row) for row in rows)
    parts = [chunk(b"IHDR", header), *(chunk(*item) for item in extra), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def saved(image, **options):
    target = io.BytesIO()
    image.save(target, **options)
    return target.getvalue()


def wide_rgb_profile():
    """sRGB's profile with red and green exchanged: whoever follows it sees other colours."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    for i in range(count):
        at = 132 + 12 * i
        name = bytes(profile[at : at + 4])
        if name in (b"rXYZ", b"gXYZ"):
            profile[at : at + 4] = b"gXYZ" if name == b"rXYZ" else b"rXYZ"
    return bytes(profile)


def without_adobe(jpeg):
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0] :]


def files():
    rgb = Image.fromarray(levels(1, 3))
    rgba = Image.fromarray(levels(2, 4))
    cmyk = Image.fromarray(levels(3, 4), "CMYK")
    gray16 = levels(4, 1, 65535, np.uint16)
    low16 = levels(4, 1, 400, np.uint16)
    rgb16 = levels(5, 3, 65535, np.uint16)
    rgba16 = levels(6, 4, 65535, np.uint16)
    la16 = levels(7, 2, 65535, np.uint16)
    big = lambda array: [row.astype(">u2").tobytes() for row in array]
    yield "rgb.png", saved(rgb, format="PNG")
    yield "rgba.png", saved(rgba, format="PNG")
    yield "gray_alpha.png", saved(Image.fromarray(levels(8, 2), "LA"), format="PNG")
    yield "bilevel.png", saved(Image.fromarray(levels(9, 1)).convert("1"), format="PNG")
    for bits in (2, 4):
        values = levels(bits, 1, 2**bits - 1)
        packed = [bytes(pack(row, bits)) for row in values]
        yield f"gray{bits}.png", png(bits, 0, packed)
    yield "gray16.png", png(16, 0, big(gray16))
    yield "gray16_low.png", png(16, 0, big(low16))
    yield "gray16_transparent.png", png(16, 0, big(low16), [(b"tRNS", struct.pack(">H", int(low16[0, 0])))])
    yield "gray_transparent.png", png(8, 0, list(levels(4, 1)), [(b"tRNS", struct.pack(">H", int(levels(4, 1)[0, 0])))])
    yield "rgb16.png", png(16, 2, big(rgb16.reshape(HEIGHT, -1)))
    yield "rgba16.png", png(16, 6, big(rgba16.reshape(HEIGHT, -1)))
    yield "gray_alpha16.png", png(16, 4, big(la16.reshape(HEIGHT, -1)))
    yield "gray16.tif", saved(Image.fromarray(gray16), format="TIFF")
    palette = rgb.quantize(7)
    yield "palette.png", saved(palette, format="PNG")
    yield "palette_transparent.png", saved(palette, format="PNG", transparency=3)
    yield "palette_alpha.png", saved(palette, format="PNG", transparency=bytes([0, 40, 80, 120, 160, 200, 255]))
    yield "profile.png", saved(rgb, format="PNG", icc_profile=wide_rgb_profile())
    yield "profile.jpg", saved(rgb, format="JPEG", quality=95, icc_profile=wide_rgb_profile())
    yield "gray.jpg", saved(Image.fromarray(levels(4, 1)), format="JPEG", quality=95)
    yield "progressive.jpg", saved(rgb, format="JPEG", quality=90, progressive=True)
    yield "cmyk.jpg", saved(cmyk, format="JPEG", quality=95)
    yield "cmyk_plain.jpg", without_adobe(saved(cmyk, format="JPEG", quality=95))
    yield "cmyk.tif", saved(cmyk, format="TIFF", compression="tiff_lzw")
    yield "rgb.tif", saved(rgb, format="TIFF", compression="tiff_deflate")
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"turned_{orientation}.png", saved(rgb, format="PNG", exif=exif)
    frames = [Image.fromarray(levels(seed, 3)).quantize(16) for seed in (1, 2, 3)]
    yield "still.gif", saved(palette, format="GIF")
    yield "moving.gif", saved(frames[0], format="GIF", save_all=True, append_images=frames[1:], duration=50)
    yield "transparent.gif", saved(palette, format="GIF", transparency=3)
    yield "small_frame.gif", on_larger_canvas(saved(palette, format="GIF"))
    yield "small_frame_transparent.gif", on_larger_canvas(saved(palette, format="GIF", transparency=3))
    faint = [Image.fromarray(levels(seed, 4)) for seed in (1, 2)]
    yield "moving_alpha.webp", saved(
        faint[0], format="WEBP", save_all=True, append_images=faint[1:], lossless=True, exact=True
    )
    yield "lossless.webp", saved(rgb, format="WEBP", lossless=True)
    yield "lossless_alpha.webp", saved(rgba, format="WEBP", lossless=True, exact=True)
    yield "lossy.webp", saved(rgb, format="WEBP", quality=90)
    moving = [Image.fromarray(levels(seed, 3)) for seed in (1, 2, 3)]
    yield "moving.webp", saved(moving[0], format="WEBP", save_all=True, append_images=moving[1:], lossless=True)


def on_larger_canvas(gif):
    """The first frame in a corner of a screen that is 3 pixels wider and 2 higher."""
    return gif[:6] + struct.pack("<HH", WIDTH + 3, HEIGHT + 2) + gif[10:]


def pack(row, bits):
    """Levels of a line, several a byte, first in the high bits."""
    each = 8 // bits
    padded = list(row) + [0] * (-len(row) % each)
    for start in range(0, len(padded), each):
        byte = 0
        for value in padded[start : start + each]:
            byte = byte << bits | int(value)
        yield byte


def encoded(image):
    return base64.b64encode(np.asarray(image).tobytes()).decode()


def on_white(image):
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255)), rgba).convert("RGB")


def main():
    FOLDER.mkdir(exist_ok=True)
    cases = []
    for name, data in files():
        (FOLDER / name).write_bytes(data)
        image = Image.open(FOLDER / name)
        mode = image.mode
        image.seek(0)
        turned = ImageOps.exif_transpose(image)
        rgb = turned.convert("RGB")
        case = {"name": name, "mode": mode, "size": rgb.size, "rgb": encoded(rgb)}
        if mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            case["white"] = encoded(on_white(turned))
        cases.append(case)
    y, x = np.mgrid[0:256, 0:256].astype(np.uint8)
    alpha = Image.fromarray(np.stack([x, x, x, y], axis=-1))
    ink = Image.fromarray(np.stack([x, x, x, y], axis=-1), "CMYK")
    tables = {
        "white": hashlib.sha256(on_white(alpha).tobytes()).hexdigest(),
        "cmyk": hashlib.sha256(ink.convert("RGB").tobytes()).hexdigest(),
    }
    head = json.dumps({"source": f"Pillow {PIL.__version__}", "tables": tables})[:-1]
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "decode.json").write_text(f'{head}, "cases": [\n{lines}\n]}}\n')


main()
