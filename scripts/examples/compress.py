#!/usr/bin/env python3
"""Runs a configuration from Python, however often it is ended, and shows mAP by epoch. Standard library only.

    python3 compress.py compress.yaml

SSD_PRUNE names the command to run; by default `npx ssd-prune`. An earlier run's checkpoints are gone on from.
"""

import sys

from prune import SsdPruneError, ssd_prune


def show(event):
    if event["event"] == "metric":
        print(f"{event['stage']} {event['epoch']}: mAP {event['map']:.4f}")
    elif event["event"] == "progress" and event["label"] == "steps":
        left = event.get("secondsLeft")
        print(f"step {event['done']} of {event['total']}" + (f", {left:.0f} s left" if left is not None else ""))
    elif event["event"] == "warning":
        print(f"warning: {event['message']}")


def main():
    if len(sys.argv) != 2:
        print("usage: compress.py CONFIG", file=sys.stderr)
        return 2
    try:
        report = ssd_prune("run", sys.argv[1], "--resume", on_event=show)
    except SsdPruneError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return error.exit_code
    found = "not measured" if report["map"] is None else f"{report['map']:.4f}"
    print(f"{report['macs']['cut']:.1%} of the multiplications are gone, mAP {found}")
    for parameter in report["shapes"]:
        if parameter["before"] != parameter["after"]:
            print(parameter["name"], parameter["before"], parameter["after"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
