"""Writes test/data/map/*.json: seeded random objects and detections with what independent code says of them.

COCO's numbers come from pycocotools; detection_map and the VOC devkit's rules are stated anew below, plainly and
slowly, one picture and one detection at a time. Run: python scripts/make-map-fixtures.py (numpy, pycocotools).
"""

import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "data" / "map"


def scene(seed, images, classes, coco):
    """Objects of all sizes, and detections near them, doubled, of wrong classes and from nowhere; many scores tie."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    sizes = [[int(v) for v in rng.integers(200, 640, 2)] for _ in range(images)]
    for image, (width, height) in enumerate(sizes):
        objects = 0 if rng.random() < 0.15 else int(rng.integers(1, 9))
        for _ in range(objects):
            # COCO's small, medium and large; VOC's coordinates are whole pixels from 1.
            w, h = np.minimum(2 ** rng.uniform(3, 8, 2), [width - 2, height - 2])
            x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
            box = [round(float(v), 2) for v in (x, y, w, h)]
            if not coco:
                x, y = int(x) + 1, int(y) + 1
                box = [x, y, max(1, min(int(w), width - x)), max(1, min(int(h), height - y))]
            label = int(rng.integers(1, classes + 1))
            flag = int(rng.random() < 0.12)
            truth.append({"image": image, "label": label, "bbox": box, "flag": flag})
            for _ in range(int(rng.integers(0, 4))):
                shift = rng.normal(0, rng.choice([0.02, 0.08, 0.25]), 4) * [box[2], box[3], box[2], box[3]]
                near = [float(v) for v in np.array(box) + shift]
                near[2:] = [max(v, 1.0) for v in near[2:]]
                wrong = rng.random() < 0.1
                found.append([image, int(rng.integers(1, classes + 1)) if wrong else label, near])
            if rng.random() < 0.3:
                found.append([image, label, [float(v) for v in box]])
        for _ in range(int(rng.integers(0, 12))):
            w, h = rng.uniform(5, 200, 2)
            found.append([image, int(rng.integers(1, classes + 1)), [float(rng.uniform(0, 300)), float(rng.uniform(0, 300)), float(w), float(h)]])
    order = rng.permutation(len(found))
    found = [found[i] for i in order]
    # Half the scores lie on a coarse grid, so that ties within and across pictures are common.
    scores = [float(rng.integers(1, 17)) / 16 if rng.random() < 0.5 else float(rng.random()) for _ in found]
    detections = [{"image": i, "label": l, "bbox": b, "score": s} for (i, l, b), s in zip(found, scores)]
    return {"sizes": sizes, "classes": classes, "truth": truth, "detections": detections}


def coco_expected(data):
    areas = [t["bbox"][2] * t["bbox"][3] * 0.8 for t in data["truth"]]
    document = {
        "images": [{"id": i + 1, "width": w, "height": h} for i, (w, h) in enumerate(data["sizes"])],
        "categories": [{"id": c} for c in range(1, data["classes"] + 1)],
        "annotations": [
            {"id": k + 1, "image_id": t["image"] + 1, "category_id": t["label"], "bbox": t["bbox"], "area": a, "iscrowd": t["flag"]}
            for k, (t, a) in enumerate(zip(data["truth"], areas))
        ],
    }
    results = [{"image_id": d["image"] + 1, "category_id": d["label"], "bbox": d["bbox"], "score": d["score"]} for d in data["detections"]]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = document
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    precision = run.eval["precision"][:, :, :, 0, 2]
    per_class = [None if (precision[:, :, k] == -1).all() else float(precision[:, :, k].mean()) for k in range(data["classes"])]
    return {"stats": [float(v) for v in run.stats], "classes": per_class}


def ranked(detections, label):
    """By falling score; ties by picture, then as given."""
    mine = [(-d["score"], d["image"], k, d) for k, d in enumerate(detections) if d["label"] == label]
    return [entry[3] for entry in sorted(mine, key=lambda entry: entry[:3])]


def match(data, label, overlap, is_match, evaluate_difficult):
    objects = [dict(t, used=False) for t in data["truth"] if t["label"] == label]
    outcome = []
    for detection in ranked(data["detections"], label):
        best, best_overlap = None, -np.inf
        for t in objects:
            if t["image"] == detection["image"]:
                value = overlap(detection["bbox"], t["bbox"], data["sizes"][t["image"]])
                if value > best_overlap:
                    best, best_overlap = t, value
        if best is None or not is_match(best_overlap):
            outcome.append(0)
        elif best["flag"] and not evaluate_difficult:
            continue
        else:
            outcome.append(0 if best["used"] else 1)
            best["used"] = True
    return outcome, sum(1 for t in objects if evaluate_difficult or not t["flag"])


def normalised_overlap(d, t, size):
    f = np.float32
    w, h = size
    a = [min(max(f(v), f(0)), f(1)) for v in (d[0] / w, d[1] / h, (d[0] + d[2]) / w, (d[1] + d[3]) / h)]
    b = [f(v) for v in (t[0] / w, t[1] / h, (t[0] + t[2]) / w, (t[1] + t[3]) / h)]
    if b[0] > a[2] or b[2] < a[0] or b[1] > a[3] or b[3] < a[1]:
        return f(0)
    both = (min(a[2], b[2]) - max(a[0], b[0])) * (min(a[3], b[3]) - max(a[1], b[1]))
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def pixel_overlap(d, t, _):
    """The devkit's: pixels from 1, the last one inside. Detections come as COCO has them, from 0 and by their edges."""
    d = (d[0] + 1, d[1] + 1, d[0] + d[2], d[1] + d[3])
    t = (t[0], t[1], t[0] + t[2], t[1] + t[3])
    iw = min(d[2], t[2]) - max(d[0], t[0]) + 1
    ih = min(d[3], t[3]) - max(d[1], t[1]) + 1
    if iw <= 0 or ih <= 0:
        return -1.0
    both = iw * ih
    return both / ((d[2] - d[0] + 1) * (d[3] - d[1] + 1) + (t[2] - t[0] + 1) * (t[3] - t[1] + 1) - both)


def average_precision(outcome, positives, protocol, version):
    f = np.float32 if protocol == "detection_map" else np.float64
    hits = np.cumsum(outcome)
    total = np.arange(1, len(outcome) + 1)
    precision, recall = hits.astype(f) / total.astype(f), hits.astype(f) / f(positives)
    if version == "11point":
        levels = [j / 10 for j in range(11)] if protocol == "detection_map" else np.arange(0, 1.1, 0.1)
        return float(sum(max((float(p) for p, r in zip(precision, recall) if float(r) >= level), default=0.0) for level in levels) / 11)
    if protocol == "detection_map":
        area, before = f(0), f(0)
        for p, r in zip(precision, recall):
            if abs(r - before) > 1e-6:
                area += p * abs(r - before)
                before = r
        return float(area)
    area, before = 0.0, 0.0
    for i, r in enumerate(recall):
        area += (r - before) * max(precision[i:])
        before = r
    return float(area)


def simple_expected(data):
    expected = []
    for protocol, overlap in (("detection_map", normalised_overlap), ("voc", pixel_overlap)):
        for threshold in (0.5, 0.3):
            accept = (lambda v: v > np.float32(threshold)) if protocol == "detection_map" else (lambda v: v >= threshold)
            for difficult in (False, True):
                matched = [match(data, label, overlap, accept, difficult) for label in range(1, data["classes"] + 1)]
                for version in ("11point", "integral"):
                    ap = [average_precision(o, n, protocol, version) if n else None for o, n in matched]
                    expected.append({"protocol": protocol, "overlapThreshold": threshold, "evaluateDifficult": difficult,
                                     "apVersion": version, "ap": ap, "positives": [n for _, n in matched]})
    return expected


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for seed in (1, 2, 3):
        data = scene(seed, 12, 3 + seed, coco=True)
        data["areaShare"] = 0.8
        data["expected"] = coco_expected(data)
        (OUT / f"coco-{seed}.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")
        data = scene(100 + seed, 12, 3 + seed, coco=False)
        data["expected"] = simple_expected(data)
        (OUT / f"voc-{seed}.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
