"""Writes test/data/resize.json: a small noise picture, and what independent code makes of it at two sizes.

Widening kernels (`antialias`) come from Pillow; the others are stated anew below, one output value at a time, in float64
(half-pixel centres, edges repeated, cubic with a = -0.75, Lanczos weights divided by their sum).
Run: python scripts/make-resize-fixtures.py (numpy, pillow).
"""

import json
import pathlib

import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "data" / "resize.json"
PILLOW = {"nearest": 0, "bilinear": 2, "bicubic": 3, "lanczos3": 1, "area": 4}


def weight(kernel, x):
    x = abs(x)
    if kernel == "bilinear":
        return max(0.0, 1 - x)
    if kernel == "lanczos3":
        return float(np.sinc(x) * np.sinc(x / 3)) if x < 3 else 0.0
    a = -0.75
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def resize_axis(values, size, kernel):
    """Along the first axis."""
    count, reach = len(values), {"bilinear": 1, "bicubic": 2, "lanczos3": 3}[kernel]
    rows = []
    for i in range(size):
        at = (i + 0.5) * count / size - 0.5
        places = range(int(np.floor(at)) - reach + 1, int(np.floor(at)) + reach + 1)
        weights = [weight(kernel, p - at) for p in places]
        rows.append(sum(w * values[min(max(p, 0), count - 1)] for w, p in zip(weights, places)) / sum(weights))
    return np.array(rows)


def main():
    rng = np.random.default_rng(5)
    # Smooth parts and sharp ones; 0 and 255 beside each other make kernels with negative lobes overshoot.
    picture = (rng.random((11, 17, 3)) * 256).astype(np.uint8)
    picture[:4, :6] = [0, 255, 0]
    picture[4:7, :6] = [255, 0, 128]
    cases = []
    for width, height in ((7, 5), (23, 14)):
        for kernel, number in PILLOW.items():
            values = np.asarray(Image.fromarray(picture).resize((width, height), number))
            cases.append({"kernel": kernel, "antialias": True, "width": width, "height": height, "values": values.ravel().tolist()})
        for kernel in ("bilinear", "bicubic", "lanczos3"):
            across = resize_axis(picture.astype(np.float64).transpose(1, 0, 2), width, kernel).transpose(1, 0, 2)
            values = np.round(resize_axis(across, height, kernel), 4)
            cases.append({"kernel": kernel, "antialias": False, "width": width, "height": height, "values": values.ravel().tolist()})
    document = {"width": picture.shape[1], "height": picture.shape[0], "pixels": picture.ravel().tolist(), "cases": cases}
    OUT.write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
