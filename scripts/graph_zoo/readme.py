"""test/graphs/README.md from the records."""

from .common import FOLDER

TEXT = """# Graphs that try to make the group analysis err

Small untrained detectors with seeded weights, written by `scripts/make-graph-zoo.py` (versions at its top); this table
comes from the same records as `zoo.json`. `scripts/check-cut.py ORIGINAL PRUNED REPORT` proves a cut of any of them
from the report alone.

Fields of a record: `expect` is `cut25` (a MAC cut of 25 % with `--pruned-params '.*' --skip-locked --align N` must be
reachable and right, N being `align`), `cut-or-refuse` (a right cut, or exit 3 with the reason), or `refuse: why`
(nothing may be cut). `tied` lists weights whose output channels can only go together, `locked` weights whose output
channels must stay; both are part of the truth, not all of it. `inputs` holds shapes for a noise image; free dimensions
are filled in.

| file | expected | what it has | exporter | opset |
|---|---|---|---|---|
"""


def write(graphs):
    rows = [f"| {g['file']} | {g['expect'].replace('|', '/')} | {g['has']} | {g['exporter']} | {g['opset']} |" for g in graphs]
    (FOLDER / "README.md").write_text(TEXT + "\n".join(rows) + "\n")
