"""A small picture as Pillow distorts, pastes, crops, resizes and mirrors it, in the order of Paddle's SSD reader."""

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

from .record import Record

# brightness, contrast, saturation, hue, contrast last
SHIFTS = [
    (1.1, 1.0, 1.0, 0.0, False),
    (0.9, 1.0, 1.0, 0.0, False),
    (1.0, 1.45, 1.0, 0.0, False),
    (1.0, 0.55, 1.0, 0.0, True),
    (1.0, 1.0, 1.5, 0.0, False),
    (1.0, 1.0, 0.5, 0.0, False),
    (1.0, 1.0, 1.0, 17.3, False),
    (1.0, 1.0, 1.0, -17.3, False),
    (1.12, 1.3, 0.7, -9.6, False),
    (1.12, 1.3, 0.7, -9.6, True),
    (0.88, 0.6, 1.4, 12.2, True),
]
# Crops shrink no more in height than in width: where they do, newer Pillows run the vertical pass first, which rounds
# differently; Paddle's time knew only horizontal first.
# canvas width, height, left, top of the picture; crop left, top, width, height; mirrored; index of a shift or -1
CROPS = [
    (40, 30, 0, 0, 0, 0, 40, 30, 0, -1),
    (40, 30, 0, 0, 7, 4, 21, 17, 1, -1),
    (90, 77, 31, 20, 0, 0, 90, 77, 0, 9),
    (90, 77, 31, 20, 12, 3, 60, 40, 1, 8),
    (90, 77, 31, 20, 45, 30, 3, 2, 0, 10),
]
SIZE = (24, 20)


def distort(image, brightness, contrast, saturation, hue, contrast_last):
    def turn(image):
        if hue == 0:
            return image
        hsv = np.array(image.convert("HSV"))
        turned = np.trunc(hsv[:, :, 0].astype(np.float64) + hue).astype(np.int64) % 256
        return Image.fromarray(np.dstack([turned.astype(np.uint8), hsv[:, :, 1:]]), mode="HSV").convert("RGB")

    change = lambda kind, factor: lambda i: i if factor == 1 else kind(i).enhance(factor)
    b, c, s = change(ImageEnhance.Brightness, brightness), change(ImageEnhance.Contrast, contrast), change(ImageEnhance.Color, saturation)
    for step in (b, s, turn, c) if contrast_last else (b, c, s, turn):
        image = step(image)
    return image


def scene(rng, width, height):
    """Smooth colours under noise, some grey, some saturated."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.dstack([128 + 127 * np.sin(x / 5 + k) * np.cos(y / (4 + k)) for k in range(3)])
    waves[:, : width // 6] = waves[:, : width // 6].mean(-1, keepdims=True)
    return np.clip(waves + rng.normal(0, 12, waves.shape), 0, 255).astype(np.uint8)


def write(out):
    rng = np.random.default_rng(3)
    record = Record(out / "pictures.txt", "pictures by Pillow, and bilinear without antialiasing by torch")
    source = scene(rng, 40, 30)
    record.add("source", source)
    image = Image.fromarray(source)
    record.add("shifts", np.array(SHIFTS, np.float32))
    for i, shift in enumerate(SHIFTS):
        record.add(f"shift.{i}", np.asarray(distort(image, *shift)))
    colours = rng.integers(0, 256, (1, 600, 3), dtype=np.uint8)
    colours[0, :40] = np.minimum(colours[0, :40], 3)
    record.add("rgb", colours)
    record.add("rgb.hsv", np.asarray(Image.fromarray(colours).convert("HSV")))
    record.add("hsv.rgb", np.asarray(Image.fromarray(colours, mode="HSV").convert("RGB")))
    record.add("crops", np.array(CROPS, np.int32))
    for i, (width, height, left, top, x, y, w, h, mirrored, shift) in enumerate(CROPS):
        canvas = Image.fromarray(np.full((height, width, 3), [127, 120, 110], np.uint8))
        canvas.paste(image if shift < 0 else distort(image, *SHIFTS[shift]), (left, top))
        crop = canvas.crop((x, y, x + w, y + h))
        finish = ImageOps.mirror if mirrored else lambda i: i
        record.add(f"crop.{i}.lanczos", np.asarray(finish(crop.resize(SIZE, Image.LANCZOS))))
        planes = torch.tensor(np.asarray(crop).astype(np.float32)).permute(2, 0, 1)[None]
        plain = torch.nn.functional.interpolate(planes, SIZE[::-1], mode="bilinear", align_corners=False)
        plain = plain[0].permute(1, 2, 0).numpy()
        record.add(f"crop.{i}.bilinear", plain[:, ::-1] if mirrored else plain)
    record.save()
