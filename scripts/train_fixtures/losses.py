"""Losses of a small detector. Matching, mining and encoding are stated in numpy, box by box, in float64."""

import numpy as np
import torch
import torch.nn.functional as F

from .record import Record

VARIANCES = [0.1, 0.1, 0.2, 0.2]


def make_priors():
    boxes = []
    for cells, sizes in ((4, (0.2, 0.3)), (2, (0.45, 0.6)), (1, (0.8, 0.95))):
        for y in range(cells):
            for x in range(cells):
                for size in sizes:
                    boxes.append([(x + 0.5) / cells, (y + 0.5) / cells, size, size])
                boxes.append([(x + 0.5) / cells, (y + 0.5) / cells, sizes[0] * 2**0.5, sizes[0] / 2**0.5])
    return np.array(boxes, np.float32)


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return w * h / (area(a) + area(b) - w * h)


def match(truth, priors):
    """Index of the box of each prior, -1 for none: bipartite, then per prediction."""
    corners = [(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2) for cx, cy, w, h in priors.astype(np.float64)]
    overlap = np.array([[iou(t, c) for c in corners] for t in truth.astype(np.float64)]).reshape(len(truth), len(priors))
    matched = [-1] * len(priors)
    left = set(range(len(truth)))
    while left:
        pairs = [(overlap[t, p], -p, -t) for t in left for p in range(len(priors)) if matched[p] < 0 and overlap[t, p] >= 1e-6]
        if not pairs:
            break
        _, p, t = max(pairs)
        matched[-p] = -t
        left.remove(-t)
    for p in range(len(priors)):
        if matched[p] < 0 and len(truth) > 0 and overlap[:, p].max() >= 0.5:
            matched[p] = int(overlap[:, p].argmax())
    return matched


def mine(matched, losses, ratio=3.0):
    positives = sum(m >= 0 for m in matched)
    candidates = [p for p, m in enumerate(matched) if m < 0]
    candidates.sort(key=lambda p: (-losses[p], p))
    return candidates[: min(int(positives * ratio), len(candidates))]


def encode(box, prior):
    box, prior = box.astype(np.float64), prior.astype(np.float64)
    cx, cy, w, h = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]
    raw = [(cx - prior[0]) / prior[2], (cy - prior[1]) / prior[3], np.log(w / prior[2]), np.log(h / prior[3])]
    return [r / v for r, v in zip(raw, VARIANCES)]


def class_terms(kind, scores, labels, chosen, options):
    if kind == "softmax":
        return (F.cross_entropy(scores.flatten(0, 1), labels.flatten(), reduction="none") * chosen.flatten()).sum()
    margins = scores[..., 1:] - scores[..., :1]
    there = F.one_hot(labels, scores.shape[-1])[..., 1:].double()
    p = torch.sigmoid(margins)
    p_t = p * there + (1 - p) * (1 - there)
    cross = F.binary_cross_entropy_with_logits(margins, there, reduction="none")
    alpha = options["alpha"] * there + (1 - options["alpha"]) * (1 - there)
    return (alpha * (1 - p_t) ** options["gamma"] * cross).sum()


def teacher_terms(kind, scores, teacher, options):
    t = options["temperature"]
    if kind == "softmax":
        distance = F.kl_div(F.log_softmax(scores / t, -1), F.log_softmax(teacher / t, -1), log_target=True, reduction="none")
        return t * t * distance.sum(-1)
    m, y = (scores[..., 1:] - scores[..., :1]) / t, (teacher[..., 1:] - teacher[..., :1]) / t
    q = torch.sigmoid(y)
    cross = F.binary_cross_entropy_with_logits(m, q, reduction="none")
    least = F.binary_cross_entropy_with_logits(y, q, reduction="none")
    return t * t * (cross - least).sum(-1)


CASES = {
    "paddle": dict(kind="softmax"),
    "focal": dict(kind="focal", alpha=0.25, gamma=2.0),
    "focal_other": dict(kind="focal", alpha=0.75, gamma=1.5),
    "teacher_softmax": dict(kind="softmax", teacher="softmax", temperature=2.0, weights=(1.0, 1.0, 0.7, 0.4), background=0.25),
    "teacher_sigmoid": dict(kind="focal", alpha=0.75, gamma=2.0, teacher="sigmoid", temperature=1.5, weights=(0.5, 2.0, 1.3, 0.6), background=1.0),
}


def write(out):
    rng = np.random.default_rng(5)
    priors, classes = make_priors(), 5
    counts = [3, 0, 1, 6]
    pictures = len(counts)
    record = Record(out / "loss.txt", "SSD losses, float64 reference")
    truth, truth_labels = [], []
    for count in counts:
        low = rng.uniform(0, 0.7, (count, 2))
        size = rng.uniform(0.1, 0.6, (count, 2))
        truth.append(np.concatenate([low, np.minimum(low + size, 1)], 1).astype(np.float32))
        truth_labels.append(rng.integers(1, classes, count).astype(np.int32))
    shape = (pictures, len(priors))
    scores = rng.normal(0, 2, shape + (classes,)).astype(np.float32)
    offsets = rng.normal(0, 1.5, shape + (4,)).astype(np.float32)
    teacher = (scores + rng.normal(0, 1, scores.shape)).astype(np.float32)
    teacher_offsets = (offsets + rng.normal(0, 1, offsets.shape)).astype(np.float32)
    # Equal rows: mined losses that tie.
    scores[3, 32:48] = scores[3, :16]
    matched = np.array([match(t, priors) for t in truth])
    record.add("priors", priors)
    record.add("counts", np.array(counts, np.int32))
    record.add("truth", np.concatenate(truth))
    record.add("labels", np.concatenate(truth_labels))
    for name, values in (("scores", scores), ("offsets", offsets), ("teacher", teacher), ("teacher_offsets", teacher_offsets)):
        record.add(name, values)
    record.add("matched", matched.astype(np.int32))

    positive = torch.tensor(matched >= 0)
    labels = np.zeros(shape, np.int64)
    targets = np.zeros(shape + (4,))
    for i in range(pictures):
        for p, t in enumerate(matched[i]):
            if t >= 0:
                labels[i, p] = truth_labels[i][t]
                targets[i, p] = encode(truth[i][t], priors[p])
    labels, targets = torch.tensor(labels), torch.tensor(targets)
    x64 = scores.astype(np.float64)
    background_loss = np.log(np.exp(x64).sum(-1)) - x64[..., 0]
    mined = np.zeros(shape, np.int32)
    for i in range(pictures):
        mined[i, mine(matched[i], background_loss[i])] = 1
    record.add("mined", mined)
    chosen = positive | torch.tensor(mined, dtype=torch.bool)
    y, y_offsets = torch.tensor(teacher, dtype=torch.float64), torch.tensor(teacher_offsets, dtype=torch.float64)
    confidence = torch.softmax(y, -1)[..., 1:].max(-1).values
    confident = confidence >= 0.5
    mass = float((confidence * confident).sum())
    record.add("teacher_mass", np.array([mass]))

    for name, options in CASES.items():
        x = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
        b = torch.tensor(offsets, dtype=torch.float64, requires_grad=True)
        w = options.get("weights", (1.0, 1.0, 0.0, 0.0))
        positives = float(positive.sum())
        parts = [
            w[0] * class_terms(options["kind"], x, labels, chosen, options) / positives,
            w[1] * (F.smooth_l1_loss(b, targets, reduction="none").sum(-1) * positive).sum() / positives,
        ]
        if "teacher" in options:
            weight = options["background"] + (1 - options["background"]) * confidence
            parts.append(w[2] * (weight * teacher_terms(options["teacher"], x, y, options)).sum() / mass)
            distance = F.smooth_l1_loss(b, y_offsets, reduction="none").sum(-1)
            parts.append(w[3] * (distance * confidence * confident).sum() / mass)
        sum(parts).backward()
        values = [float(part.detach()) for part in parts] + [0.0] * (4 - len(parts))
        record.add(f"{name}.parts", np.array(values))
        record.add(f"{name}.score_gradient", x.grad.numpy().astype(np.float32))
        record.add(f"{name}.offset_gradient", b.grad.numpy().astype(np.float32))
    record.save()
