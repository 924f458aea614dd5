"""Arrays as lines of text; see ../make-train-fixtures.py."""

import numpy as np

TYPES = {"float32": "f32", "float64": "f64", "int32": "i32", "uint8": "u8"}


class Record:
    """One file of named arrays, in the order in which they are added."""

    def __init__(self, path, title):
        self.path = path
        self.lines = [f"# {title}; made by scripts/make-train-fixtures.py"]

    def add(self, name, values):
        values = np.asarray(values)
        kind = TYPES[str(values.dtype)]
        dims = " ".join(str(d) for d in values.shape)
        if kind == "u8":
            text = values.tobytes().hex()
        elif kind == "i32":
            text = " ".join(str(v) for v in values.ravel())
        else:
            # float32: the shortest text that reads back to the same bits; adding 0 turns -0 into 0.
            text = " ".join(str(v) if kind == "f32" else f"{v:.12g}" for v in values.ravel() + 0)
        self.lines.append(f"{name} {kind} {dims} : {text}")

    def save(self):
        self.path.write_text("\n".join(self.lines) + "\n")
