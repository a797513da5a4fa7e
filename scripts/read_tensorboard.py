#!/usr/bin/env python3
"""Reads the TensorBoard events of a run back with TensorBoard's own reader and compares them with the run's tables.

    python3 -m venv tensorboard-env && tensorboard-env/bin/pip install tensorboard==2.21.0 "setuptools<81"
    tensorboard-env/bin/python scripts/read_tensorboard.py RUN [RUN ...]

RUN is a run folder of `ember train`. Every point of the events must stand in metrics.jsonl (tags `train/...`) or validations.tsv
(tags `valid/...`) and the other way round, with the same number: events hold fp32, so the tables' numbers are rounded to that
first. A run that was stopped and resumed has several files of events; TensorBoard joins them, and forgets what an older file says
of updates that were made again.

Prints the points of every tag and the largest relative difference. Exit code 1 when a point is missing, too many, or another number.
"""

import csv
import json
import math
import struct
import sys
from pathlib import Path

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    sys.exit("this script needs PyPI's tensorboard; its first lines say how to install it")

# What the events say of an update, and under which name the tables do.
UPDATE_TAGS = {
    "train/loss": "loss",
    "train/nll": "nll",
    "train/perplexity": "perplexity",
    "train/learning_rate": "learning_rate",
    "train/gradient_norm": "gradient_norm",
    "train/target_tokens_per_second": "target_tokens_per_second",
    "train/kl": "kl",
}
VALIDATION_TAGS = {
    "valid/loss": "loss",
    "valid/nll": "nll",
    "valid/perplexity": "perplexity",
    "valid/bleu": "bleu",
    "valid/chrf": "chrf",
}


def fp32(number):
    """The fp32 number nearest to a number; what is beyond the largest one becomes infinite."""
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)


def tables(run):
    """What the tables hold: {tag: {update: number}}. A number that was not finite stands there as None."""
    points = {tag: {} for tag in UPDATE_TAGS | VALIDATION_TAGS}
    with open(run / "metrics.jsonl", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            for tag, field in UPDATE_TAGS.items():
                if field in record:  # kl is there with R-Drop only
                    points[tag][record["update"]] = record[field]
    with open(run / "validations.tsv", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            for tag, field in VALIDATION_TAGS.items():
                if row[field]:
                    points[tag][int(row["update"])] = float(row[field])
    return points


def events(run):
    """What TensorBoard reads, in the same form; a tag with two points of one update is told."""
    accumulator = EventAccumulator(str(run), size_guidance={"scalars": 0})
    accumulator.Reload()
    points, faults = {}, []
    for tag in accumulator.Tags()["scalars"]:
        found = points.setdefault(tag, {})
        for scalar in accumulator.Scalars(tag):
            if scalar.step in found:
                faults.append(f"{tag}: two points of update {scalar.step}")
            found[scalar.step] = scalar.value
    return points, faults


def difference(expected, found):
    """The relative difference of two numbers, 0 where they are the same fp32 number."""
    if expected is None or math.isnan(expected):
        return 0.0 if not math.isfinite(found) else math.inf
    expected = fp32(expected)
    if expected == found:
        return 0.0
    return abs(expected - found) / max(abs(expected), abs(found))


def compare(run):
    """Prints what was found of a run and returns its faults."""
    expected, (found, faults) = tables(run), events(run)
    files = len(list(run.glob("events.out.tfevents.*")))
    print(f"{run}: {files} file{'s' if files > 1 else ''} of events")
    for tag in sorted(expected.keys() | found.keys()):
        ours, theirs = expected.get(tag, {}), found.get(tag, {})
        for update in sorted(ours.keys() - theirs.keys()):
            faults.append(f"{tag}: update {update} is missing in the events")
        for update in sorted(theirs.keys() - ours.keys()):
            faults.append(f"{tag}: update {update} is in the events only")
        differences = {update: difference(ours[update], theirs[update]) for update in ours.keys() & theirs.keys()}
        faults += [
            f"{tag}: update {update} is {theirs[update]} in the events, {ours[update]} in the table"
            for update, found_difference in sorted(differences.items())
            if found_difference > 0
        ]
        largest = max(differences.values(), default=0.0)
        print(f"  {tag:<32} {len(theirs):>7} points of {len(ours):>7}, largest relative difference {largest:.3g}")
    return faults


def main():
    runs = [Path(argument) for argument in sys.argv[1:]]
    if not runs or any(argument.startswith("-") for argument in sys.argv[1:]):
        print(__doc__.strip())
        sys.exit(0 if sys.argv[1:] in (["--help"], ["-h"]) else 2)
    failed = False
    for run in runs:
        if not (run / "metrics.jsonl").is_file():
            sys.exit(f"{run} is no run folder: it has no metrics.jsonl")
        faults = compare(run)
        for fault in faults[:10]:
            print(f"  {fault}")
        if len(faults) > 10:
            print(f"  and {len(faults) - 10} more")
        failed |= bool(faults)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
