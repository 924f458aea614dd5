"""Writes test/data/train/*.txt: small records of what independent code makes of losses, optimisers and pictures.

The SSD loss is stated anew in float64 from its description, plainly and slowly; gradients come from PyTorch's autograd
in float64. Optimisers are PyTorch's own, and RMSProp as Paddle 1.x states it in float64. Pictures are Pillow's.
Run: python scripts/make-train-fixtures.py [loss] [optimizers] [pictures]

Made with Python 3.11, numpy 2.4.6, torch 2.15.0 (CPU), Pillow 13.0.0.

One array a line: NAME TYPE DIMS... : VALUES, TYPE one of f32, f64, i32 (decimal) or u8 (hexadecimal digits, no spaces).
"""

import pathlib
import sys

from train_fixtures import losses, optimizers, pictures

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "data" / "train"

if __name__ == "__main__":
    wanted = sys.argv[1:] or ["loss", "optimizers", "pictures"]
    OUT.mkdir(parents=True, exist_ok=True)
    for name, module in (("loss", losses), ("optimizers", optimizers), ("pictures", pictures)):
        if name in wanted:
            module.write(OUT)
