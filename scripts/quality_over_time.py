#!/usr/bin/env python3
"""BLEU of every checkpoint of a run over the minutes that training it took, as a table between tabs.

    scripts/quality_over_time.py runs/multi30k-tiny test2016 > curve.tsv
    cargo run -p ember-pictures --example curves -- "BLEU over minutes" BLEU < curve.tsv > curve.svg

Each checkpoint translates the split with the run's own beam and is scored with the run's own tokenizer. The minutes are
what updates and validations took by metrics.jsonl and validations.tsv, whatever stopped the run in between. Only kept
checkpoints can be judged: set validation.keep_last high enough. One that was saved when the run was interrupted has no
validation, so its time is not known: it is left out, and named on stderr.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys


def seconds_by_update(run):
    """Seconds of training up to each validated update, that validation included."""
    validations = {}
    with open(run / "validations.tsv", encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            validations[int(row["update"])] = float(row["loss_seconds"]) + float(row["decode_seconds"])
    passed, at = 0.0, {}
    with open(run / "metrics.jsonl", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            passed += record["seconds"]
            if record["update"] in validations:
                passed += validations[record["update"]]
                at[record["update"]] = passed
    return at


def bleu(ember, run, split, update):
    """The BLEU of one checkpoint."""
    command = [ember, "evaluate", str(run), "--split", split, "--checkpoint", str(update), "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return next(metric["score"] for metric in report["metrics"] if metric["name"] == "BLEU")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("split")
    parser.add_argument("--ember", default="target/release/ember")
    arguments = parser.parse_args()
    at = seconds_by_update(arguments.run)
    kept = sorted(int(path.name) for path in (arguments.run / "checkpoints").iterdir() if path.name.isdigit())
    for update in kept:
        if update not in at:
            print(f"checkpoint {update} is left out: it has no validation", file=sys.stderr)
    print("minutes", arguments.run.name, sep="\t")
    for update in filter(at.__contains__, kept):
        score = bleu(arguments.ember, arguments.run, arguments.split, update)
        print(f"{at[update] / 60:.2f}", f"{score:.2f}", sep="\t", flush=True)


if __name__ == "__main__":
    main()
