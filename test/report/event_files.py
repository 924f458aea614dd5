"""Wrote tensorboard.tfevents by TensorBoard's own writer (tensorboard 2.21.0), and reads what a folder's event files say.

python event_files.py write FILE      the events of tensorboard.test.ts
python event_files.py read FOLDER     scalars by tag as JSON, [[step, value], …], as TensorBoard shows them
"""

import json
import sys

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


def scalars(step, **values):
    value = [summary_pb2.Summary.Value(tag=tag, simple_value=number) for tag, number in values.items()]
    return event_pb2.Event(wall_time=1700000000.25, step=step, summary=summary_pb2.Summary(value=value))


def write(file):
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    step = {
        "loss/total": 8.75,
        "loss/classes": 5.25,
        "loss/boxes": 2.25,
        "loss/teacherClasses": 1,
        "loss/teacherBoxes": 0,
        "loss/teacherFeatures": 0.25,
        "rate": 0.0005,
        "gradientNorm": 3.75,
        "imagesPerSecond": 41.5,
    }
    events = [
        event_pb2.Event(wall_time=1700000000.25, file_version="brain.Event:2"),
        event_pb2.Event(wall_time=1700000000.25, session_log=start),
        scalars(0, **{"mAP/evaluation": 0.75, "mAP/evaluation, classes with 20 objects": 0.5}),
        scalars(0, **{"model/MACs": 1146240000, "model/parameters": 6837056}),
        scalars(1, **step),
        scalars(1, **{"mAP/held back": 0.625}),
        scalars(1, **{"mAP/evaluation": 0}),
    ]
    with open(file, "wb") as out:
        writer = RecordWriter(out)
        for event in events:
            writer.write(event.SerializeToString())


def read(folder):
    found = event_accumulator.EventAccumulator(folder, size_guidance={event_accumulator.SCALARS: 0}).Reload()
    tags = found.Tags()["scalars"]
    json.dump({tag: [[one.step, one.value] for one in found.Scalars(tag)] for tag in tags}, sys.stdout)


{"write": write, "read": read}[sys.argv[1]](sys.argv[2])
