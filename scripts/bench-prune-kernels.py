"""NumPy's figures for bench-prune-kernels.js: the same tensors ranked by L1 and sliced with fancy indexing."""
import json
import sys
import time

import numpy as np

job = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
widths, inputs = job["widths"], [job["input"], *job["widths"][:-1]]


def weights(*shape):
    return rng.standard_normal(shape, dtype=np.float32)


pointwise = [weights(w, i, 1, 1) for w, i in zip(widths, inputs)]
followers = [[weights(w, 1, 3, 3), *(weights(w) for _ in range(8))] for w in widths]
last = weights(widths[11], widths[11], 1, 1)
heads = [weights(w, widths[10], 1, 1) for w in (12, 63)]


def rank():
    return [np.abs(w).sum(axis=(1, 2, 3)) for w in pointwise]


def select(scores):
    return [np.sort(np.argsort(s, kind="stable")[s.size - s.size * 7 // 8 :]) for s in scores]


def cut(kept):
    out = [w[k][:, kept[i - 1]] if i else w[k] for i, (w, k) in enumerate(zip(pointwise, kept))]
    out += [f[k] for layer, k in zip(followers, kept) for f in layer]
    return [*out, last[:, kept[11]], *(head[:, kept[10]] for head in heads)]


kept = select(rank())
cases = {"rank l1": rank, "slice": lambda: cut(kept), "rank, select and slice": lambda: cut(select(rank()))}
times = {name: [] for name in cases}
for _ in range(job["rounds"]):
    for name, run in cases.items():
        start = time.perf_counter()
        run()
        times[name].append(1e3 * (time.perf_counter() - start))
print(json.dumps([{"name": n, "min": min(t), "median": sorted(t)[len(t) // 2]} for n, t in times.items()]))
