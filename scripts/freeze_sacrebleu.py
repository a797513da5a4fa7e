#!/usr/bin/env python3
"""Writes crates/metrics/tests/frozen.json: noisy text of our own making, and what sacreBLEU says about it: scores of each
corpus and sentence, and paired significance tests of three systems.

    pip install sacrebleu==2.6.0 "numpy>=2"
    python scripts/freeze_sacrebleu.py

For a differential test on other and more text, write elsewhere and point the test there:

    python scripts/freeze_sacrebleu.py --lines 5000 --seed 7 --output /tmp/frozen.json
    EMBER_FROZEN_JSON=/tmp/frozen.json cargo test -p ember-metrics --test frozen

scripts/compare_sacrebleu.py does the same with the commands as users call them, and measures their speed.
"""

import argparse
import json
import os
import pathlib
import random
import unicodedata

import numpy
import sacrebleu
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

VERSION = "2.6.0"

WORDS = (
    "a the man dog house runs red It's U.S.A. e.g. state-of-the-art don't Größe Straße ÇA École naïve ΣΊΣΥΦΟΣ ΟΔΌΣ "
    "İstanbul DŽ ǅ ﬁn 3.5 1,000 10-20 2,5% 1984 1984. ٣٫٥ Ⅳ ½ x² $5 €20 #tag @user a/b C++ <b> &amp; &lt;i&gt; &quot; "
    "<skipped> &amp;lt; 서울은 한국의 수도이다. 我喜欢苹果 吃，。 我 ひらがな カタカナ 東京・大阪 「引用」 ＡＢＣ！ مرحبا، السلام "
    "привет Москва́ שלום नमस्ते। ไทย 👩‍💻 🙂 → ≈ e\u0301 ﷽ Ǆungla 㐀 𠀀 ㍿ 豈 ㈱ man's dogs' 'quoted' "
    "man's, O'Neil's. - -- --- – — … ... . , ; : ! ? ?! ( ) (so) [x] {y} ~ ^ _ ` | \\ * + = / @ \" ' ’ “ ” „ » «"
).split()
GLUE = [".", ",", "!", "?", ";", ":", "-", "'", '"', ")", "(", "…", "。", "，", "、", "'s", "%", "“", "¿", "5", "٣"]
SPACES = ["  ", "\t", "\u00a0", "\u3000", "\u2028", "\u0085", "\u001c", "\u001f", "\u2009", "\u200b", "\ufeff", " \n", "-\n", "\n-", "\r"]


def character(rng):
    """Any assigned character that Python and Rust agree on, mostly from the lower planes."""
    while True:
        code = rng.choice([rng.randrange(0x20, 0x250), rng.randrange(0x250, 0x3100), rng.randrange(0x20, 0x1FAFF)])
        c = chr(code)
        # Python 3.11 knows Unicode 14; later characters may be classified differently.
        if not 0xD800 <= code <= 0xDFFF and known(c):
            return c


def known(c):
    return unicodedata.category(c) not in ("Cn", "Cs", "Co")


def sentence(rng, longest):
    length = rng.choice([0, 1, 2, 3]) if rng.random() < 0.15 else rng.randrange(3, longest)
    vocabulary = rng.sample(WORDS, min(len(WORDS), rng.choice([3, 8, 30, 100])))
    words = []
    for _ in range(length):
        word = rng.choice(vocabulary)
        if rng.random() < 0.2:
            word += rng.choice(GLUE)
        if rng.random() < 0.05:
            word = rng.choice(GLUE) + word
        if rng.random() < 0.03:
            word += character(rng)
        words.append(word)
    return words


def spaced(rng, words):
    text = "".join(word + (rng.choice(SPACES) if rng.random() < 0.04 else " ") for word in words)
    return text if rng.random() < 0.1 else text.rstrip(" ")


def noisy(rng, words):
    """Drops, repeats, replaces, recases and moves words about."""
    words = list(words)
    for _ in range(rng.choice([0, 1, 2, 4, 8])):
        if not words:
            break
        at = rng.randrange(len(words))
        kind = rng.randrange(6)
        if kind == 0:
            del words[at]
        elif kind == 1:
            words.insert(at, rng.choice(words))
        elif kind == 2:
            words[at] = rng.choice(WORDS)
        elif kind == 3:
            words[at] = rng.choice([str.upper, str.lower, str.title])(words[at])
        else:
            end = min(len(words), at + rng.randrange(1, 12))
            run = words[at:end]
            del words[at:end]
            to = rng.randrange(len(words) + 1)
            words[to:to] = run
    return words


def corpus(rng, lines, n_references, longest, missing):
    hypotheses, references = [], [[] for _ in range(n_references)]
    for _ in range(lines):
        words = sentence(rng, longest)
        hypotheses.append(spaced(rng, noisy(rng, words)))
        for r, reference in enumerate(references):
            gone = missing and r > 0 and rng.random() < 0.4
            reference.append(None if gone else spaced(rng, words if rng.random() < 0.3 else noisy(rng, words)))
    return {"hypotheses": hypotheses, "references": references}


# The keys are the field names of BleuOptions, ChrfOptions and TerOptions.
BLEU_OPTIONS = [
    {},
    {"tokenizer": "intl"},
    {"tokenizer": "char"},
    {"tokenizer": "none"},
    {"tokenizer": "zh"},
    {"lowercase": True},
    {"tokenizer": "intl", "lowercase": True},
    {"smoothing": "none"},
    {"smoothing": "floor"},
    {"smoothing": "floor[0.25]"},
    {"smoothing": "add-k"},
    {"smoothing": "add-k[2]", "max_order": 3},
    {"effective_order": True, "max_order": 6},
]
CHRF_OPTIONS = [
    {},
    {"word_order": 2},
    {"lowercase": True},
    {"whitespace": True, "word_order": 1},
    {"eps_smoothing": True, "word_order": 2},
    {"char_order": 4, "beta": 3},
]
TER_OPTIONS = [
    {},
    {"case_sensitive": True},
    {"normalized": True},
    {"no_punct": True},
    {"normalized": True, "asian_support": True},
    {"no_punct": True, "asian_support": True},
    {"normalized": True, "no_punct": True, "asian_support": True},
]


def bleu(options, **more):
    name, _, value = options.get("smoothing", "exp").rstrip("]").partition("[")
    return BLEU(
        tokenize=options.get("tokenizer", "13a"),
        smooth_method=name,
        smooth_value=float(value) if value else None,
        lowercase=options.get("lowercase", False),
        max_ngram_order=options.get("max_order", 4),
        **{"effective_order": options.get("effective_order", False), "force": True, **more},
    )


def bleu_values(options, hypotheses, references, sentences):
    metric = bleu(options)
    score = metric.corpus_score(hypotheses, references)
    values = {
        "options": options,
        "signature": str(metric.get_signature()),
        "score": score.score,
        "precisions": score.precisions,
        "brevity_penalty": score.bp,
        "hypothesis_length": score.sys_len,
        "reference_length": score.ref_len,
        "printed": str(score).partition(" = ")[2],
    }
    if not options.get("smoothing", "").startswith("add-k"):
        # sacreBLEU adds k to its counts before it reports them.
        values["counts"], values["totals"] = score.counts, score.totals
    if sentences:
        metric = bleu(options, effective_order=True)
        values["sentences"] = [metric.sentence_score(h, r).score for h, r in by_line(hypotheses, references)]
    return values


def chrf_values(options, hypotheses, references, sentences):
    metric = CHRF(**options)
    score = metric.corpus_score(hypotheses, references)
    values = {"options": options, "signature": str(metric.get_signature()), "name": score.name, "score": score.score}
    if sentences:
        values["sentences"] = [metric.sentence_score(h, r).score for h, r in by_line(hypotheses, references)]
    return values


def ter_values(options, hypotheses, references, sentences):
    metric = TER(**options)
    score = metric.corpus_score(hypotheses, references)
    values = {
        "options": options,
        "signature": str(metric.get_signature()),
        "score": score.score,
        "edits": score.num_edits,
        "reference_length": score.ref_length,
    }
    if sentences:
        values["sentences"] = [metric.sentence_score(h, r).num_edits for h, r in by_line(hypotheses, references)]
    return values


# Metric, options, test, samples, seed; the first system is the baseline.
PAIRED = [
    ("bleu", {}, "bs", 1000, 12345),
    ("bleu", {}, "ar", 500, 12345),
    ("bleu", {"tokenizer": "intl", "smoothing": "floor"}, "bs", 123, 7),
    ("bleu", {"tokenizer": "char", "smoothing": "add-k", "lowercase": True}, "bs", 77, 2**40 + 3),
    ("bleu", {"smoothing": "none", "max_order": 3}, "ar", 333, 2**63 + 11),
    ("bleu", {"effective_order": True, "max_order": 6}, "bs", 39, 99),
    ("chrf", {}, "bs", 1000, 12345),
    ("chrf", {}, "ar", 500, 12345),
    ("chrf", {"word_order": 2, "eps_smoothing": True}, "bs", 200, 1),
    ("chrf", {"whitespace": True, "beta": 1, "char_order": 3}, "ar", 200, 1),
    ("ter", {}, "bs", 1000, 12345),
    ("ter", {}, "ar", 500, 12345),
    ("ter", {"normalized": True, "no_punct": True}, "bs", 129, 5),
]


def paired_values(systems, references, name, options, test, samples, seed):
    """What sacreBLEU's paired tests give; signatures are those of its command."""
    os.environ["SACREBLEU_SEED"] = str(seed)
    metric = {"bleu": lambda: bleu(options), "chrf": lambda: CHRF(**options), "ter": lambda: TER(**options)}[name]()
    named = [(f"system {index}", system) for index, system in enumerate(systems)]
    signatures, results = PairedTest(named, {name: metric}, references, test_type=test, n_samples=samples)()
    (key, signature), = signatures.items()
    number = lambda value: None if value is None else float(value)
    return {
        "metric": name,
        "options": options,
        "test": test,
        "samples": samples,
        "seed": seed,
        "signature": str(signature),
        "systems": [
            {"score": number(r.score), "mean": number(r.mean), "ci": number(r.ci), "p": number(r.p_value)}
            for r in results[key]
        ],
    }


def more_systems(rng, corpus):
    """The hypotheses, and two systems more: one is a slight change of them, one is made from the first reference."""
    near = [spaced(rng, noisy(rng, line.split(" "))) if rng.random() < 0.3 else line for line in corpus["hypotheses"]]
    far = [spaced(rng, noisy(rng, line.split(" "))) for line in corpus["references"][0]]
    return [corpus["hypotheses"], near, far]


def by_line(hypotheses, references):
    for hypothesis, refs in zip(hypotheses, zip(*references)):
        yield hypothesis, [reference for reference in refs if reference is not None]


def check_versions():
    if sacrebleu.__version__ != VERSION:
        raise SystemExit(f"sacrebleu {sacrebleu.__version__} is installed, {VERSION} is wanted")
    # Before, sums and quotients of single numbers were rounded by other rules.
    if int(numpy.__version__.partition(".")[0]) < 2:
        raise SystemExit(f"numpy {numpy.__version__} is installed, 2 or newer is wanted")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100, help="lines over all corpora (default 100)")
    parser.add_argument("--seed", type=int, default=1)
    home = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--output", default=home / "crates/metrics/tests/frozen.json")
    args = parser.parse_args()
    check_versions()
    rng = random.Random(args.seed)
    share = max(1, args.lines // 10)
    corpora = {
        "one reference": corpus(rng, share * 4, 1, 20, False),
        "two references": corpus(rng, share * 3, 2, 15, False),
        "some references missing": corpus(rng, share * 2, 3, 10, True),
        "long lines": corpus(rng, share, 1, 90, False),
    }
    for text in corpora.values():
        metrics = (("bleu", bleu_values, BLEU_OPTIONS), ("chrf", chrf_values, CHRF_OPTIONS), ("ter", ter_values, TER_OPTIONS))
        for name, values, all_options in metrics:
            text[name] = [values(o, text["hypotheses"], text["references"], True) for o in all_options]
    for text in corpora.values():
        systems = more_systems(rng, text)
        text["systems"] = systems[1:]
        # Thirds of words, which TER has with three references, are summed in an order that depends on NumPy's build, and
        # randomisation counts trials that differ in the last bit.
        tests = [test for test in PAIRED if (test[0], test[2]) != ("ter", "ar") or len(text["references"]) < 3]
        text["paired"] = [paired_values(systems, text["references"], *test) for test in tests]
    frozen = {"made_with": f"sacrebleu {VERSION}", "seed": args.seed, "corpora": corpora}
    pathlib.Path(args.output).write_text(json.dumps(frozen, indent=0) + "\n")


if __name__ == "__main__":
    main()
