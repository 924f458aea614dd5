#!/usr/bin/env python3
"""Writes test/graphs/*.onnx, zoo.json and README.md: small detectors that try to make the group analysis err.

Needs Python 3.11 and, for the same bytes, torch 2.15.0, onnx 1.23.2, onnxruntime 1.32.0, onnxscript 0.7.2 and numpy
2.4.6 (`pip install torch onnx onnxruntime onnxscript numpy`); the product and its tests need none of them.

    python scripts/make-graph-zoo.py             # all
    python scripts/make-graph-zoo.py shuffle se  # only those whose name contains one of the words

Every weight is drawn from a generator seeded by the graph's name. Each graph passes onnx.checker and runs in ONNX
Runtime before it is written. The fields of zoo.json are described in test/graphs/README.md.
"""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from graph_zoo import derived_zoo, hand_detectors, hand_neighbours, hand_shapes, hand_tails, readme, torch_zoo  # noqa: E402
from graph_zoo.common import Zoo  # noqa: E402


def main():
    zoo = Zoo(sys.argv[1:])
    for room in (torch_zoo, derived_zoo, hand_neighbours, hand_shapes, hand_tails, hand_detectors):
        room.fill(zoo)
    readme.write(zoo.write())


if __name__ == "__main__":
    main()
