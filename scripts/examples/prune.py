#!/usr/bin/env python3
"""Prunes a detector from Python and times it before and after. Needs nothing but the standard library.

    python3 prune.py ssd.onnx small.onnx --pruned-params 'conv2d_[1-9].w_0' --targets 0.9 0.5 0.2

The first target that the model can reach is taken. SSD_PRUNE names the command to run; by default `npx ssd-prune`.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import threading


class SsdPruneError(Exception):
    """A run that failed. `code` is stable (ERR_NO_MATCH, ...); `exit_code` says what kind of failure it is."""

    def __init__(self, code, message, exit_code):
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code


def ssd_prune(*args, on_event=None):
    """Runs a command of ssd-prune and returns its result as a dict.

    `on_event` gets every line of progress, every note and every warning as a dict while the command runs.
    """
    command = shlex.split(os.environ.get("SSD_PRUNE", "npx ssd-prune"))
    process = subprocess.Popen(
        [*command, *args, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    failure = {}
    raised = []

    def read_events():
        for line in process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if not isinstance(event, dict):  # Node itself, or npx, has something to say.
                event = {"event": "note", "message": line.rstrip()}
            if "error" in event:
                failure.update(event["error"])
            elif on_event and not raised:
                try:
                    on_event(event)
                except BaseException as error:  # Raised below: who stopped reading here would block the command.
                    raised.append(error)
                    process.terminate()

    # In a thread of its own: a result longer than a pipe holds would block the command while we wait for stderr.
    reader = threading.Thread(target=read_events)
    reader.start()
    result = process.stdout.read()
    reader.join()
    exit_code = process.wait()
    if raised:
        raise raised[0]
    if exit_code != 0:
        raise SsdPruneError(
            failure.get("code", "ERR_INTERNAL"), failure.get("message", "it died without a word"), exit_code
        )
    return json.loads(result)


def show(event):
    if event["event"] == "progress":
        print(f"{event['label']}: {event['done']} of {event['total']}")
    elif "message" in event:
        print(f"{event['event']}: {event['message']}")


def prune_first_reachable(model, output, pruned_params, targets):
    """Cuts to the first of the targets that can be reached; any other failure is the caller's."""
    for target in targets:
        try:
            return ssd_prune(
                *("prune", model, "-o", output, "--pruned-params", pruned_params, "--target-ratio", str(target)),
                on_event=show,
            )
        except SsdPruneError as error:
            if error.code != "ERR_TARGET_UNREACHABLE":
                raise
            print(f"target {target} is out of reach")
    raise SystemExit("no target can be reached")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("output")
    parser.add_argument("--pruned-params", required=True)
    parser.add_argument("--targets", type=float, nargs="+", default=[0.2])
    parser.add_argument("--runs", type=int, default=20)
    args = parser.parse_args()
    try:
        report = prune_first_reachable(args.model, args.output, args.pruned_params, args.targets)
        print(f"{report['macs']['cut']:.1%} of the multiplications are gone")
        timed = ssd_prune(
            *("bench", args.model, args.output, "--batch-sizes", "1", "--runs", str(args.runs)), on_event=show
        )
    except SsdPruneError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return error.exit_code
    before, after = (row["medianMilliseconds"] for row in timed["results"])
    print(f"{before:.2f} ms before, {after:.2f} ms after")
    return 0


if __name__ == "__main__":
    sys.exit(main())
