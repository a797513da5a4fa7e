#!/usr/bin/env python3
"""`ember evaluate` and `ember compare` against PyPI's sacrebleu 2.6.0 on the same files: differences and speed.

    pip install sacrebleu==2.6.0 "numpy>=2"
    python scripts/compare_sacrebleu.py [--ember target/release/ember] [--pairs 2000] [--seeds 1,2,3]
    python scripts/compare_sacrebleu.py --speed 5 --hypothesis A B --reference R   # speed on these files, 5 rounds in turn

Without --hypothesis, noisy Unicode text of our own making is written into a temporary folder: three systems, two references,
and a third one with empty lines. Printed are, over all seeds and options, the largest difference of each score, whether the
edits of TER, the p values and the signatures are equal, and how many numbers were compared. The exit code is 1 where an edit
count, a p value or a signature differs, or a score by more than 1e-9. sacreBLEU's command prints scores with as many decimals
as --width says, so that 12 are asked for; what only its Python interface can do is taken from there.
"""

import argparse
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

import freeze_sacrebleu as frozen
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOLERANCE = 1e-9
PAIRED_LINES = 500

# What both commands understand, by metric; `--lowercase` stands for both of sacreBLEU's switches.
OPTIONS = {
    "bleu": [
        "", "--tokenize intl", "--tokenize char", "--tokenize none", "--tokenize zh", "--lowercase",
        "--tokenize intl --lowercase", "--smooth-method none", "--smooth-method floor",
        "--smooth-method floor --smooth-value 0.25", "--smooth-method add-k", "--smooth-method add-k --smooth-value 2 --force",
    ],
    "chrf": [
        "", "--chrf-word-order 2", "--chrf-word-order 1 --chrf-whitespace", "--chrf-lowercase", "--chrf-eps-smoothing",
        "--chrf-char-order 4 --chrf-beta 3", "--chrf-word-order 3 --chrf-eps-smoothing --chrf-beta 1",
    ],
    "ter": [
        "", "--ter-case-sensitive", "--ter-normalized", "--ter-no-punct", "--ter-normalized --ter-asian-support",
        "--ter-no-punct --ter-asian-support", "--ter-normalized --ter-no-punct --ter-asian-support --ter-case-sensitive",
    ],
}  # fmt: skip

# What only the Python interface has: arguments of ember, metric, arguments of its class.
API_OPTIONS = [
    ("--effective-order", BLEU, {"effective_order": True}),
    ("--max-order 2", BLEU, {"max_ngram_order": 2}),
    ("--max-order 6 --effective-order --smooth-method floor", BLEU,
     {"max_ngram_order": 6, "effective_order": True, "smooth_method": "floor"}),
]  # fmt: skip

# Metric, arguments of ember, metrics of sacreBLEU.
PAIRED = [
    ("bleu,chrf,ter", {"BLEU": BLEU(force=True), "CHRF": CHRF(), "TER": TER()}),
    (
        "bleu,chrf++,ter --tokenize intl --smooth-method floor --ter-normalized",
        {
            "BLEU": BLEU(force=True, tokenize="intl", smooth_method="floor"),
            "CHRF": CHRF(word_order=2),
            "TER": TER(normalized=True),
        },
    ),
]


class Findings:
    """The largest differences, and whether anything was unequal that must not be."""

    def __init__(self):
        self.largest, self.counted, self.unequal = {}, {}, []

    def near(self, what, found, expected, where):
        difference = abs(found - expected)
        if difference > self.largest.get(what, (-1.0, ""))[0]:
            self.largest[what] = difference, where
        self.counted[what] = self.counted.get(what, 0) + 1

    def equal(self, what, found, expected, where):
        self.near(what, float(found != expected), 0.0, where)
        if found != expected:
            self.unequal.append(f"{what}: {found!r}, sacreBLEU {expected!r}: {where}")

    def report(self):
        print(f"{'':<22} {'compared':>9} {'largest difference':>20}  at")
        for what, (difference, where) in self.largest.items():
            print(f"{what:<22} {self.counted[what]:>9} {difference:>20.2e}  {where if difference else ''}")
        for line in self.unequal[:20]:
            print(f"unequal: {line}")
        scores = [difference for what, (difference, _) in self.largest.items()]
        return 1 if self.unequal or max(scores) > TOLERANCE else 0


def write(path, lines):
    # A line feed ends a line, and a file has no other way to hold one.
    path.write_text("".join(line.replace("\n", " ") + "\n" for line in lines), newline="\n")


def read(path):
    """As sacreBLEU's command reads it."""
    return [line.rstrip() for line in path.open(newline="\n", encoding="utf-8")]


def make_files(folder, pairs, seed):
    rng = random.Random(seed)
    share = max(1, pairs // 8)
    texts = [
        frozen.corpus(rng, share * 6, 2, 15, False),
        frozen.corpus(rng, share, 2, 40, False),
        frozen.corpus(rng, pairs - share * 7, 2, 6, False),
    ]
    systems = [[], [], []]
    for text in texts:
        for system, lines in zip(systems, frozen.more_systems(rng, text)):
            system.extend(lines)
    references = [[line for text in texts for line in text["references"][r]] for r in range(2)]
    gaps = ["" if rng.random() < 0.4 else line for line in references[1]]
    full = ["x" if not line.strip() else line for line in references[0]]
    files = {"systems": [folder / f"system{i}" for i in range(3)], "references": [folder / f"reference{i}" for i in range(2)]}
    files["gaps"] = [folder / "full", folder / "gaps"]
    for path, lines in zip(files["systems"] + files["references"] + files["gaps"], systems + references + [full, gaps]):
        write(path, lines)
    return files


def run(command, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout


def ember(program, verb, hypotheses, references, arguments, *more):
    command = [program, verb, "--json", "--hypothesis", *hypotheses, "--reference", *references, *arguments.split(), *more]
    return json.loads(run(command))


def sacrebleu(hypothesis, references, metric, arguments):
    if metric == "bleu":
        arguments += " --force"
    command = [sys.executable, "-m", "sacrebleu", *references, "-i", hypothesis, "-m", metric, "-w", "12", "-q"]
    return json.loads(run([*command, *arguments.split()]))


def corpus_scores(program, files, found, where):
    for n_references in (1, 2):
        references = files["references"][:n_references]
        for metric, all_options in OPTIONS.items():
            # What references have to do with each other does not depend on the options.
            for options in all_options if n_references == 1 else all_options[:1]:
                place = f"{where}, {n_references} references, {metric} {options}"
                ours = ember(program, "evaluate", files["systems"][:1], references, f"--metrics {metric} {options}")
                theirs = sacrebleu(files["systems"][0], references, metric, options)
                ours = ours["metrics"][0]
                found.near(metric, ours["score"], theirs["score"], place)
                found.equal("signatures", ours["signature"], theirs["signature"], place)
                if metric == "bleu":
                    found.equal("BLEU in words", ours["details"].partition(" ")[2], theirs["verbose_score"], place)


def api_scores(program, files, found, where):
    """Options that the command lacks, missing references, and edits."""
    system = read(files["systems"][0])
    references = [read(path) for path in files["references"]]
    for options, metric, keywords in API_OPTIONS:
        place = f"{where}, {options}"
        theirs = metric(force=True, **keywords)
        score = theirs.corpus_score(system, references)
        ours = ember(program, "evaluate", files["systems"][:1], files["references"], f"--metrics bleu {options}")["metrics"][0]
        found.near("bleu", ours["score"], score.score, place)
        found.equal("signatures", ours["signature"], str(theirs.get_signature()), place)

    gaps = [[line or None for line in read(path)] for path in files["gaps"]]
    ours = ember(program, "evaluate", files["systems"][:1], files["gaps"], "--empty-is-missing")["metrics"]
    for metric, mine in zip((BLEU(force=True), CHRF(), TER()), ours):
        place = f"{where}, missing references"
        score = metric.corpus_score(system, gaps)
        found.near(f"{mine['name']}, missing", mine["score"], score.score, place)
        found.equal("signatures", mine["signature"], str(metric.get_signature()), place)
        if mine["name"] == "TER":
            edits = re.search(r"(\d+) edits", mine["details"]).group(1)
            found.equal("edits of a corpus", int(edits), score.num_edits, place)


def confidences(program, files, found, where):
    """Of one system; and references with TABs between them."""
    for metric in OPTIONS:
        for seed, samples in ((12345, 1000), (7, 333)):
            os.environ["SACREBLEU_SEED"] = str(seed)
            place = f"{where}, {metric}, seed {seed}"
            arguments = f"--confidence --confidence-n {samples}"
            theirs = sacrebleu(files["systems"][0], files["references"][:1], metric, arguments)
            arguments = f"--metrics {metric} --confidence --samples {samples} --seed {seed}"
            ours = ember(program, "evaluate", files["systems"][:1], files["references"][:1], arguments)["metrics"][0]
            found.near("means of one system", ours["mean"], theirs["confidence_mean"], place)
            found.near("95 % of one system", ours["confidence"], theirs["confidence_var"], place)
            found.equal("signatures", ours["signature"], theirs["signature"], place)
        joined = files["references"][0].with_name("joined")
        write(joined, map("\t".join, zip(*(texts_without_tabs(path) for path in files["references"]))))
        theirs = sacrebleu(files["systems"][0], [joined], metric, "--num-refs 2")
        ours = ember(program, "evaluate", files["systems"][:1], [joined], f"--metrics {metric} --num-refs 2")["metrics"][0]
        found.near(metric, ours["score"], theirs["score"], f"{where}, {metric}, references with TABs")
        found.equal("signatures", ours["signature"], theirs["signature"], f"{where}, {metric}, references with TABs")


def texts_without_tabs(path):
    # An empty last reference would go with its TAB at the line's end, which sacreBLEU takes off.
    return [line.replace("\t", " ").strip() or "x" for line in read(path)]


def sentence_scores(program, files, found, where):
    references = [read(path) for path in files["references"]]
    ours = ember(program, "evaluate", files["systems"][:1], files["references"], "--sentence-level")["sentences"]
    metrics = [BLEU(force=True, effective_order=True), CHRF(), TER()]
    for metric, mine in zip(metrics, ours):
        name = mine["name"]
        for line, (hypothesis, *texts) in enumerate(zip(read(files["systems"][0]), *references)):
            place = f"{where}, line {line + 1}"
            score = metric.sentence_score(hypothesis, texts)
            found.near(f"{name} of sentences", mine["scores"][line], score.score, place)
            if name == "TER" and score.ref_length > 0:
                edits = mine["scores"][line] * score.ref_length / 100
                found.equal("edits of sentences", round(edits), score.num_edits, place)
        found.equal("signatures", mine["signature"], str(metric.get_signature()), f"{where}, sentences")


def paired_tests(program, files, found, where):
    """On the first lines only: sacreBLEU counts every system anew for every test."""
    systems = [read(path)[:PAIRED_LINES] for path in files["systems"]]
    references = [read(path)[:PAIRED_LINES] for path in files["references"][:1]]
    for path, lines in zip(files["systems"] + files["references"], systems + references):
        write(path, lines)
    for kind, name, samples in (("bs", "bootstrap", 1000), ("ar", "randomisation", 500)):
        for seed in (12345, 7):
            for options, metrics in PAIRED[: 2 if seed == 12345 else 1]:
                place = f"{where}, {name}, seed {seed}, {options}"
                os.environ["SACREBLEU_SEED"] = str(seed)
                named = [(str(index), system) for index, system in enumerate(systems)]
                signatures, theirs = PairedTest(named, metrics, references, test_type=kind, n_samples=samples)()
                arguments = f"--metrics {options} --test {name} --samples {samples} --seed {seed}"
                ours = ember(program, "compare", files["systems"], files["references"][:1], arguments)
                for mine, (key, signature) in zip(ours["metrics"], signatures.items()):
                    found.equal("signatures", mine["signature"], str(signature), place)
                    for own, other in zip(mine["systems"], theirs[key]):
                        found.near("scores compared", own["score"], other.score, place)
                        if other.p_value is not None:
                            found.equal("p values", own["p_value"], other.p_value, f"{place}, {key}")
                        if other.mean is not None:
                            found.near("means", own["mean"], float(other.mean), f"{place}, {key}")
                            found.near("95 % intervals", own["confidence"], float(other.ci), f"{place}, {key}")


def speed(program, systems, references, rounds):
    """Seconds of both commands in turn, process start included."""
    theirs = [sys.executable, "-m", "sacrebleu", *references, "-q", "-m", "bleu", "chrf", "ter", "--force"]
    ours = [program, "--metrics", "bleu,chrf,ter", "--reference", *references]
    rivals = {"evaluate": ([*theirs, "-i", systems[0]], [program, "evaluate", "--hypothesis", systems[0], *ours[1:]])}
    if len(systems) > 1:
        paired = [program, "compare", "--hypothesis", *systems, *ours[1:]]
        rivals["compare"] = ([*theirs, "-i", *systems, "--paired-bs", "-f", "text"], paired)
        rivals["compare, randomisation"] = (
            [*theirs, "-i", *systems, "--paired-ar", "-f", "text"],
            [*paired, "--test", "randomisation"],
        )
    print(f"{'seconds, median of ' + str(rounds):<26} {'sacrebleu':>10} {'ember':>10} {'ratio':>8}")
    for name, commands in rivals.items():
        seconds = [[], []]
        for _ in range(rounds):
            for command, times in zip(commands, seconds):
                started = time.perf_counter()
                run(command)
                times.append(time.perf_counter() - started)
        other, own = map(statistics.median, seconds)
        print(f"{name:<26} {other:>10.2f} {own:>10.3f} {other / own:>8.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ember", type=pathlib.Path, default=ROOT / "target/release/ember")
    parser.add_argument("--pairs", type=int, default=2000, help="lines a seed (default 2000)")
    parser.add_argument("--seeds", default="1,2,3", help="list of seeds (default 1,2,3)")
    parser.add_argument("--speed", type=int, default=0, metavar="ROUNDS", help="time both commands as well")
    parser.add_argument("--hypothesis", type=pathlib.Path, nargs="+", default=[], help="time both commands on these instead")
    parser.add_argument("--reference", type=pathlib.Path, nargs="+", default=[])
    args = parser.parse_args()
    frozen.check_versions()
    program = args.ember.resolve()
    if args.hypothesis:
        return speed(program, args.hypothesis, args.reference, args.speed or 3)

    found = Findings()
    with tempfile.TemporaryDirectory() as folder:
        for seed in map(int, args.seeds.split(",")):
            files = make_files(pathlib.Path(folder), args.pairs, seed)
            where = f"seed {seed}"
            for check in (corpus_scores, api_scores, confidences, sentence_scores, paired_tests):
                check(program, files, found, where)
            print(f"{where}: {args.pairs} pairs, {len(found.unequal)} unequal so far", flush=True)
        code = found.report()
        if args.speed:
            files = make_files(pathlib.Path(folder), args.pairs, 0)
            speed(program, files["systems"][:2], files["references"][:1], args.speed)
    return code


if __name__ == "__main__":
    sys.exit(main())
