"""Trains the classifiers of the binary and writes their weights, thresholds and golden scores into this folder.

    python -m venv venv && venv/bin/pip install -r models/requirements.txt
    cargo build --release --example features
    venv/bin/pip install --no-deps --target target/learnt -r models/learnt.txt
    venv/bin/python models/train.py --data FOLDER [--task injection|toxicity] [--leave-out]

FOLDER holds `injection_train.jsonl.gz` and so on, one JSON object a line: text, label, source, kind, and where known `payload` (the
span of an instruction inside a document, in characters) and `noisy`. The packages are read as harmless text (`packages.py`). The same seed and data give the same files. `--leave-out` writes
nothing: it trains without families of sources and says what is found of them, an estimate of what other data would show.

The features are the binary's own: `examples/features.rs` prints them, so this file cannot come to differ from it.
"""

import argparse
import gzip
import json
import pathlib
import struct
import re
import subprocess
import threading
import zlib

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, SGDClassifier

import authored
import packages

HERE = pathlib.Path(__file__).resolve().parent
BITS = 19
SEED = 1
ALPHA = 2e-7
EPOCHS = 4
SENTENCE = 0.7
"""What a single sentence must say more than many together: without its neighbours it is easily misread."""
FEW, BRIEF = 150, 4.0
"""A window of no features must say so much more; the more it has, the less, and nothing from `FEW` on: a few words are often no attack."""
PRIOR = {"injection": 0.1, "toxicity": 0.5}
"""The share of attacks that probabilities stand for."""
SPREAD, LEAST, MOST = 0.5, 0.4, 2.5
"""A feature of many sources weighs as that power of their number less than one of few, within these bounds: see `spread`."""
FLAG, ACT = 0.01, 0.0015
"""Shares of ordinary text above the two thresholds."""

OPAQUE = {"obf:" + kind for kind in "b64 b64_wrap hex rot13 reverse url uesc htmlent spaced dotted".split()}
"""Forms that decoding undoes before the judge reads: as they are, they say nothing of an attack."""
EVERYDAY = set("openassistant gpteacher-roleplay self-instruct ifeval mt-bench arena-hard gsm8k m-ifeval tau-bench gpteacher-roleplay-resp gpteacher-codegen mbpp humaneval".split())
FAMILIES = {
    "lakera": "lakera-gandalf lakera-mosscap giskard protectai-validation",
    "contests": "hackaprompt satml-ctf-2024 garak-sysprompt-extraction",
    "jailbreaks": "jailbreakhub-website jailbreakhub-reddit jackhhao-jailbreak-classification pyrit-templates garak-dan garak-tap gptfuzzer self-reminder-data spikee-standalone",
    "mail": "llmail-inject synth-email",
    "indirect": "synth-indirect spikee-compose synth-benign-insert",
    "mixed": "neuralchemy s-labs",
    "languages": "yanismiraoui authored-multilingual",
    "negatives": "authored-hardneg cyberseceval-frr sent fabric-patterns awesome-chatgpt-prompts",
}
FAMILIES = {source: family for family, sources in FAMILIES.items() for source in sources.split()}
DOUBTFUL = set("jackhhao-jailbreak-classification jailbreakhub-website jailbreakhub-reddit".split())
"""Sources that call many ordinary tasks and roles a jailbreak: `cleaned` leaves out what a judge trained without them finds harmless."""
LEFT_OUT = [("lakera", "mail"), ("contests", "languages"), ("jailbreaks", "negatives"), ("indirect",), ("mixed",), ("authored 1", "projects 1")]
"""Families that are left out together; "authored 1" is every other template of this project's ordinary texts, "projects 1" the code and documentation of half of the projects."""
BENIGN = {"benign", "nontoxic"}
PACKAGES = {"code": 1.5, "document": 1.5, "markup, script": 1.5, "prompt": 2.0}
"""What harmless texts of packages weigh, by kind; others 0.7."""
RESEMBLING = set("hard short words joined tools harness mail languages authored-hardneg fabric-patterns sent".split())
"""Sources of ordinary text in the words of attacks."""
KEPT, AGAIN = 0.5, 0.25
"""The share of its features that a window has when it is shown again; the share of other ordinary windows that are."""
ATTACKS = re.compile(r"jailbreak|(ignore|disregard) (all|any|the|your)? ?(previous|prior|above)|\bDAN\b|developer mode", re.IGNORECASE)
"""Texts of packages that say this may hold an attack."""


def rows(data, name):
    with gzip.open(data / f"{name}.jsonl.gz") as lines:
        return [json.loads(line) for line in lines]


def source(row):
    return row["source"].split(":")[0].split("(")[0]


def family_of(row):
    if source(row) in ("code", "docs"):
        return f"projects {zlib.crc32(row['source'].split(':')[1].encode()) % 2}"
    return FAMILIES.get(source(row), "other")


class Row:
    """A text to learn from."""

    def __init__(self, text, attack, weight, family, crop=False, payload=None, source=None):
        self.text, self.attack, self.weight, self.family, self.crop, self.payload = text, attack, weight, family, crop, payload
        self.source = f"{source or family} {attack}"


def windows(texts, program):
    """The windows of texts: a matrix of their features over the root of their number, and for each text, many, start, end."""
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    process = subprocess.Popen([program, str(BITS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def feed():
        for text in texts:
            process.stdin.write(json.dumps(text).encode() + b"\n")
        process.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    numbers = np.frombuffer(process.stdout.read(), dtype="<u4")
    feeder.join()
    if process.wait():
        raise SystemExit(f"{program} failed")
    heads, at = [], 0
    while at < len(numbers):
        heads.append(at)
        at += 5 + int(numbers[at + 4])
    heads = np.array(heads, dtype=np.int64)
    place = np.stack([numbers[heads + k] for k in range(5)], 1).astype(np.int64)
    entry = np.ones(len(numbers), bool)
    for k in range(5):
        entry[heads + k] = False
    counts = place[:, 4]
    values = np.repeat((1 / np.sqrt(np.maximum(counts, 1))).astype(np.float32), counts)
    shape = (len(counts), 1 << BITS)
    matrix = sp.csr_matrix((values, numbers[entry].astype(np.int32), np.concatenate([[0], np.cumsum(counts)])), shape=shape)
    return matrix, place[:, :4]


def cleaned(train, program):
    doubtful = [row for row in train if source(row) in DOUBTFUL and row["label"] not in BENIGN]
    others = [row for row in train if FAMILIES.get(source(row)) != "jailbreaks"]
    matrix, wanted, weight, _, sources = design(injection_rows(others, np.random.default_rng(SEED)), program)
    coefficients, bias = fit(matrix, wanted, weight, spread(matrix, sources))
    doubtful_matrix, place = windows([row["text"] for row in doubtful], program)
    scores = worst(doubtful_matrix @ coefficients.astype(np.float32) + bias, place, len(doubtful))
    harmless = {row["id"] for row, score in zip(doubtful, scores) if score < 0}
    print(f"{len(harmless)} of {len(doubtful)} doubtful rows left out", flush=True)
    return [row for row in train if row["id"] not in harmless]


def injection_rows(train, rng):
    made = []
    for row in train:
        attack, text, family, name = row["label"] not in BENIGN, row["text"], family_of(row), source(row)
        if attack and row["kind"] in OPAQUE:
            continue
        span = row.get("payload") if attack else None
        if attack:
            weight = 0.15 if row.get("noisy") else 1.0
        else:
            weight = {"hard-negative": 2.0, "code": 2.0, "document": 2.0, "coding": 1.0}.get(row["kind"], 1.5)
            weight *= 2 if name == "authored-hardneg" else 1
        payload = tuple(len(text[:end].encode()) for end in span) if span else None
        made.append(Row(text, attack, weight, family, payload=payload, source=name))
        if span:
            made.append(Row(text[span[0] : span[1]], True, 0.5, family, source=name))
        crops = 2 if attack and len(text) > 250 and not row.get("noisy") else 1 if not attack and len(text) > 600 else 0
        for _ in range(crops):
            length = int(rng.choice([120, 250, 500, 900]))
            if span:
                start = max(0, int(rng.integers(max(0, span[0] - length), span[0] + 1)))
                crop = text[start : max(span[1], start + length)]
            else:
                start = int(rng.integers(0, max(1, len(text) - length)))
                crop = text[start : start + length]
            made.append(Row(crop, attack, weight * (0.5 if attack else 0.7), family, crop=True, source=name))
    return made + authored_rows(train, rng)


def package_rows(folder):
    texts = packages.texts(folder, 500, ["backend", "evals", "tests", "typings"])
    return [Row(text, False, PACKAGES.get(kind, 0.7), "packages", source=f"{package}:{kind}") for package, kind, text in texts if not ATTACKS.search(text)]


def authored_rows(train, rng):
    made = [row for which in (0, 1) for row in ordinary_rows(rng, which)]
    made += [Row(text, False, 2.0, "authored", source="tools") for text in authored.tool_results(300, rng)]
    made += [Row(text, False, 2.0, "authored", source="noise") for text in authored.noise(1500, rng)]
    made += [Row(text, True, 0.5, "authored", source="attacks") for text in authored.attacks(3000, rng)]
    made += [Row(text, True, 1.0, "authored", source="brief") for text in authored.brief_attacks(4000, rng)]
    made += [Row(text, True, 0.3, "authored", source="jailbreaks") for text in authored.jailbreaks(600, rng)]
    kinds = ("document", "tool-output", "chat", "benign", "response")
    hosts = [row["text"] for row in train if row["label"] == "benign" and row["kind"] in kinds and 100 < len(row["text"]) < 3000 and row["source"] != "s-labs"]
    for text in authored.hidden(2500, rng):
        host = hosts[int(rng.integers(len(hosts)))]
        start = max(0, int(rng.integers(0, max(1, len(host) - 400))))
        host = host[start : start + int(rng.choice([150, 300, 600]))]
        cut = host.find(" ", int(rng.integers(0, len(host) + 1)))
        cut = cut if cut > 0 else len(host)
        made.append(Row(text, True, 0.3, "authored", source="hidden"))
        made.append(Row(f"{host[:cut]} {text} {host[cut:]}", True, 0.5, "authored", source="hidden"))
        made.append(Row(host, False, 1.0, "authored", source="hidden"))
    texts = authored.multilingual(90, rng)
    made += [Row(text, attack, 0.5 if attack else 3.0, "authored", source="languages") for _, text, attack in texts]
    # In the middle of a text of the same language.
    for language, text, attack in texts[::3]:
        hosts = [row["text"] for row in train if row["lang"] == language and row["label"] == "benign" and source(row) in ("xquad", "m-ifeval")]
        if hosts and language != "en":
            host = hosts[int(rng.integers(len(hosts)))][:400]
            made.append(Row(f"{host} {text}" if rng.random() < 0.5 else f"{text} {host}", attack, 0.5 if attack else 1.5, "authored", source="languages"))
    return made


def ordinary_rows(rng, which):
    """Ordinary text in the words of attacks, of one half of the templates."""
    family = f"authored {which}"
    hard, words = authored.hard_negatives(4500, rng, which), authored.in_other_company(5000, rng, which)
    short = authored.short_texts(6000, rng, which)
    kinds = (("hard", hard, 6.0), ("short", short, 1.0), ("words", words, 1.0))
    made = [Row(text, False, weight, family, source=kind) for kind, texts, weight in kinds for text in texts]
    for few, weight in ((hard, 3.0), (words, 0.75)):
        for _ in range(750):
            text = " ".join(few[at] for at in rng.integers(0, len(few), int(rng.integers(2, 7))))
            made.append(Row(text, False, weight, family, source="joined"))
    made += [Row(text, False, 2.0, family, source="agents") for text in authored.agent_prompts(900, rng, which)]
    made += [Row(text, False, 1.25, family, source="harness") for text in authored.harness_texts(1500, rng, which)]
    return made + [Row(text, False, 1.0, family, source="mail") for text in authored.mails(1000, rng, which)]


def design(made, program):
    """What to fit: single sentences teach only what is no attack, for a sentence of an attack may be harmless."""
    matrix, place = windows([row.text for row in made], program)
    of = lambda name: np.array([getattr(row, name) for row in made])[place[:, 0]]
    attack, weight, family, crop, sources = of("attack"), of("weight"), of("family"), of("crop"), of("source")
    payload = np.array([row.payload or (0, 1 << 40) for row in made], dtype=np.int64)[place[:, 0]]
    inside = np.array([row.payload is not None for row in made])[place[:, 0]]
    many = place[:, 1] == 1
    common = np.minimum(place[:, 3], payload[:, 1]) - np.maximum(place[:, 2], payload[:, 0])
    share = common / np.maximum(1, np.minimum(payload[:, 1] - payload[:, 0], place[:, 3] - place[:, 2]))
    # Of a document with an instruction inside, the windows without it are ordinary; those with a part of it are neither.
    attack = attack & ~(inside & (common <= 5))
    unclear = inside & (common > 5) & (share < 0.5)
    keep = (many | ~attack | (inside & (share >= 0.8))) & ~unclear & ~(crop & ~many)
    weight = np.where(many, weight, np.minimum(weight, 1.0))
    return matrix[keep], attack[keep], weight[keep], family[keep], sources[keep]


def spread(matrix, sources):
    """What to multiply features by. What nearly all sources hold says little of an attack and drowns what few hold: the more sources
    share a feature (their effective number, each counted alike), the less it weighs."""
    rng, total, squares = np.random.default_rng(SEED), 0, 0
    for name in sorted(set(sources)):
        chosen = np.flatnonzero(sources == name)
        if len(chosen) >= 8:
            chosen = rng.permutation(chosen)[:1500]
            share = np.bincount(matrix[chosen].indices, minlength=matrix.shape[1]) / len(chosen)
            total, squares = total + share, squares + share**2
    number = np.maximum(total**2 / np.maximum(squares, 1e-12), 1)
    return np.clip((np.median(number) / number) ** SPREAD, LEAST, MOST).astype(np.float32)


def thinned(matrix, wanted, weight, sources):
    """The windows, and once more those of attacks and of what resembles them, with half of their features: no few of them may decide."""
    rng = np.random.default_rng(SEED)
    resembling = np.isin([name.rsplit(" ", 1)[0] for name in sources], list(RESEMBLING))
    chosen = np.flatnonzero(wanted | resembling | (rng.random(len(wanted)) < AGAIN))
    part = matrix[chosen]
    keep = rng.random(part.nnz) < KEPT
    ends = np.concatenate([[0], np.cumsum(keep)])[part.indptr]
    part = sp.csr_matrix((part.data[keep] / np.float32(KEPT**0.5), part.indices[keep], ends), shape=part.shape)
    return sp.vstack([matrix, part], format="csr"), np.concatenate([wanted, wanted[chosen]]), np.concatenate([weight, weight[chosen] * 0.5])


def fit(matrix, wanted, weight, scale=None):
    if scale is not None:
        matrix = sp.csr_matrix((matrix.data * scale[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape)
    model = SGDClassifier(loss="log_loss", alpha=ALPHA, max_iter=EPOCHS, tol=None, average=True, random_state=SEED)
    model.fit(matrix, wanted, sample_weight=weight)
    return model.coef_[0] * (1 if scale is None else scale), float(model.intercept_[0])


def quantised(coefficients):
    """Signed bytes and their scale; the few largest weights are cut."""
    limit = np.quantile(np.abs(coefficients[coefficients != 0]), 0.9995)
    return np.clip(np.round(coefficients / limit * 127), -127, 127).astype(np.int8), np.float32(limit / 127)


def scored(matrix, coefficients, bias, brief=BRIEF):
    """The scores of windows."""
    counts = np.diff(matrix.indptr)
    return matrix @ coefficients.astype(np.float32) + bias - brief * np.maximum(0, 1 - counts / FEW)


def worst(scores, place, texts):
    scores = np.where(place[:, 1] == 1, scores, scores - SENTENCE)
    result = np.full(texts, -30.0)
    np.maximum.at(result, place[:, 0], scores)
    return result


def platt(scores, attack, prior):
    """Slope and offset that make scores probabilities where so many are attacks."""
    weight = np.where(attack, prior / attack.mean(), (1 - prior) / (1 - attack.mean()))
    model = LogisticRegression(C=1e6).fit(scores[:, None], attack, sample_weight=weight)
    return np.float32(model.coef_[0, 0]), np.float32(model.intercept_[0])


def probability(scores, slope, offset):
    return 1 / (1 + np.exp(-(float(slope) * scores + float(offset))))


def thresholds(values):
    return [float(np.quantile(values, 1 - share, method="higher")) + 1e-4 for share in (FLAG, ACT)]


def write(name, heads, tables, defaults):
    """`src/scan/classifier/weights.rs` says what stands where."""
    body = b"SGW2" + struct.pack("<II", len(heads), BITS)
    body += b"".join(struct.pack("<2f", *pair) for pair in defaults) + b"".join(struct.pack("<6f", *head) for head in heads)
    (HERE / f"{name}.bin").write_bytes(body + np.stack(tables, 1).tobytes())


def read(name):
    """The head of a judge's first label, and its table."""
    body = (HERE / f"{name}.bin").read_bytes()
    labels = struct.unpack_from("<I", body, 4)[0]
    table = np.frombuffer(body, np.int8, labels << BITS, 12 + 32 + 24 * labels).reshape(-1, labels)[:, 0]
    return struct.unpack_from("<6f", body, 12 + 32), table


def golden(name, texts, program, head, table):
    """Texts and the probabilities that the binary must find."""
    matrix, place = windows(texts, program)
    scale, bias, _, brief, slope, offset = (float(value) for value in head)
    counts = np.diff(matrix.indptr)
    sums = np.add.reduceat(table.astype(np.int64)[matrix.indices], matrix.indptr[:-1])
    scores = worst(bias + scale * sums / np.sqrt(counts) - brief * np.maximum(0, 1 - counts / FEW), place, len(texts))
    cases = [{"text": text, "probability": round(float(value), 6)} for text, value in zip(texts, probability(scores, slope, offset))]
    (HERE / f"{name}_golden.json").write_text(json.dumps(cases, ensure_ascii=False, indent=0) + "\n")


def injection(data, program, leave_out, folder):
    rng = np.random.default_rng(SEED)
    train, dev = cleaned(rows(data, "injection_train"), program), rows(data, "injection_dev")
    matrix, wanted, weight, family, sources = design(injection_rows(train, rng) + package_rows(folder), program)
    print(f"{matrix.shape[0]} windows, {matrix.nnz} features, {wanted.mean():.3f} attacks", flush=True)
    if leave_out:
        return left_out((matrix, wanted, weight, family, sources), dev + unseen(data), program)
    dev_matrix, place = windows([row["text"] for row in dev], program)
    attack = np.array([row["label"] not in BENIGN for row in dev])
    coefficients, bias = fit(*thinned(matrix, wanted, weight, sources), spread(matrix, sources))
    table, scale = quantised(coefficients)
    scores = worst(scored(dev_matrix, table * float(scale), bias), place, len(dev))
    seen = np.array([row["kind"] not in OPAQUE and not row.get("noisy") for row in dev])
    slope, offset = platt(scores[seen], attack[seen], PRIOR["injection"])
    values = probability(scores, slope, offset)
    kinds = np.array([row["kind"] for row in dev])
    plain = ~attack & seen
    # Prompts of operators are few in the data: those that this project's generator makes from another seed stand for them.
    other = np.random.default_rng(SEED + 1)
    prompts = authored.system_prompts(1000, other) + authored.agent_prompts(500, other, None)
    prompt_matrix, prompt_place = windows(prompts, program)
    prompt_values = probability(worst(scored(prompt_matrix, table * float(scale), bias), prompt_place, len(prompts)), slope, offset)
    system = np.concatenate([prompt_values, values[np.isin([source(row) for row in dev], ["fabric-patterns", "awesome-chatgpt-prompts"])]])
    tool = values[plain & np.isin(kinds, ["document", "code", "tool-output", "tool-schema"])]
    assistant = values[plain & np.isin(kinds, ["response", "document", "code"])]
    user = values[plain & ~np.isin(kinds, ["tool-output", "tool-schema"])]
    defaults = [thresholds(group) for group in (system, user, assistant, tool)]
    print("thresholds of system, user, assistant, tool:", defaults)
    head = (scale, np.float32(bias), np.float32(SENTENCE), np.float32(BRIEF), slope, offset)
    write("injection", [head], [table], defaults)
    chosen = [row["text"] for row in dev if len(row["text"]) < 1500][::150]
    golden("injection", chosen + [text for _, text, _ in authored.multilingual(1, rng)][::9], program, head, table)


def unseen(data):
    """Rows more for where their family is left out: training rows, of attacks 500 of a source, and texts of the second half of the templates."""
    rng = np.random.default_rng(SEED + 1)
    made = {
        "templates: hard": authored.hard_negatives(1500, rng, 1), "templates: in other company": authored.in_other_company(1500, rng, 1),
        "templates: short": authored.short_texts(1500, rng, 1), "templates: prompts of agents": authored.agent_prompts(500, rng, 1),
        "templates: programs around agents": authored.harness_texts(500, rng, 1), "templates: mail": authored.mails(500, rng, 1),
    }
    FAMILIES["templates"] = "authored 1"
    train, attacks = rows(data, "injection_train"), {}
    rest = [row for row in train if row["label"] == "benign" and family_of(row) in ("negatives", "projects 1")]
    for at in rng.permutation(len(train)):
        if train[at]["label"] not in BENIGN and train[at]["kind"] not in OPAQUE and source(train[at]) in FAMILIES:
            attacks.setdefault(source(train[at]), []).append(train[at])
    rest += [row for of in attacks.values() for row in of[:500]]
    return rest + [{"text": text, "label": "benign", "source": name} for name, texts in made.items() for text in texts]


def left_out(learnt, dev, program):
    matrix, wanted, weight, family, sources = learnt
    dev_matrix, place = windows([row["text"] for row in dev], program)
    attack = np.array([row["label"] not in BENIGN for row in dev])
    names = np.array([row["source"] if source(row) == "templates" else source(row) for row in dev])
    families = np.array([family_of(row) for row in dev])
    everyday = ~attack & np.isin(names, list(EVERYDAY))
    found = []
    for fold in LEFT_OUT:
        keep = ~np.isin(family, fold)
        part = matrix[keep]
        coefficients, bias = fit(*thinned(part, wanted[keep], weight[keep], sources[keep]), spread(part, sources[keep]))
        scores = worst(scored(dev_matrix, coefficients, bias), place, len(dev))
        limits = np.quantile(scores[everyday], [0.99, 1 - ACT])
        for name in sorted(set(names[np.isin(families, fold)])):
            for is_attack in (True, False):
                chosen = (names == name) & (attack == is_attack) & np.isin(families, fold)
                if chosen.sum() >= 8:
                    shares = [(scores[chosen] >= limit).mean() for limit in limits]
                    found.append((is_attack, shares))
                    print(f"{'attack' if is_attack else 'benign'} {name:34} {chosen.sum():5}", *(f"{share:.3f}" for share in shares), flush=True)
    for is_attack in (True, False):
        print("mean over", "attacks" if is_attack else "benign", np.mean([shares for kind, shares in found if kind == is_attack], 0))


def toxicity(data, program, leave_out, _folder):
    train, dev = rows(data, "toxicity_train"), rows(data, "toxicity_dev")
    ordinary = [row for row in rows(data, "injection_train") if row["label"] == "benign" and row["kind"] not in OPAQUE and row["source"] != "neuralchemy"]
    ordinary_dev = [row for row in rows(data, "injection_dev") if row["label"] == "benign" and row["kind"] not in OPAQUE and row["source"] != "neuralchemy"]
    toxic = lambda row: row["label"] == "toxic"
    category = lambda row: category_of(row) if toxic(row) else ""
    texts = [Row(row["text"], toxic(row), 1.0, category(row)) for row in train]
    texts += [Row(row["text"], False, 0.7, "") for row in ordinary[::2]]
    matrix, place = windows([row.text for row in texts], program)
    of = lambda name: np.array([getattr(row, name) for row in texts])[place[:, 0]]
    many = place[:, 1] == 1
    wanted, weight, kind = of("attack"), of("weight"), of("family")
    keep = many | (~wanted & (weight < 1))
    matrix, wanted, weight, kind = matrix[keep], wanted[keep], np.where(many, weight, 0.4)[keep], kind[keep]
    print(f"{matrix.shape[0]} windows, {matrix.nnz} features, {wanted.mean():.3f} toxic", flush=True)
    both = dev + ordinary_dev
    dev_matrix, dev_place = windows([row["text"] for row in both], program)
    heads, tables = [], []
    dev_toxic = np.array([toxic(row) for row in both])
    for label in ("toxic", "hate", "sexism", "profanity"):
        if label == "toxic":
            known, aim, goal = np.ones(len(kind), bool), wanted, dev_toxic
        else:
            # A text of an unnamed category may well be of this one.
            known, aim = ~wanted | (kind != "toxic"), kind == label
            goal = np.array([toxic(row) and category_of(row) == label for row in both])
        coefficients, bias = fit(matrix[known], aim[known], weight[known])
        table, scale = quantised(coefficients)
        scores = worst(dev_matrix @ (table * float(scale)) + bias, dev_place, len(both))
        clear = np.array([label == "toxic" or not toxic(row) or category_of(row) != "toxic" for row in both])
        slope, offset = platt(scores[clear], goal[clear], PRIOR["toxicity"])
        heads.append((scale, np.float32(bias), np.float32(SENTENCE), np.float32(0), slope, offset))
        tables.append(table)
        if label == "toxic":
            values = probability(scores, slope, offset)
        print(label, "area under curve", area(scores[clear], goal[clear]), flush=True)
    plain = values[len(dev) :]
    nontoxic = values[: len(dev)][~dev_toxic[: len(dev)]]
    flag, act = thresholds(plain)
    # The harmless half of social media is nearer to the line than everyday text: acting leaves 98 of 100 of it alone.
    act = max(act, float(np.quantile(nontoxic, 0.98)))
    print("thresholds:", flag, act)
    if not leave_out:
        write("toxicity", heads, tables, [(flag, act)] * 4)
        golden("toxicity", [row["text"] for row in dev][::300], program, heads[0], tables[0])


def category_of(row):
    """The category of a toxic row as far as its source says one; else `toxic`."""
    if row["kind"] in ("hate", "sexism", "profanity"):
        return row["kind"]
    return "profanity" if source(row) == "davidson" else "toxic"


def area(scores, wanted):
    order = np.argsort(scores)
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    positive = wanted.sum()
    return (ranks[wanted].sum() - positive * (positive + 1) / 2) / (positive * (len(wanted) - positive))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--task", choices=["injection", "toxicity"])
    parser.add_argument("--leave-out", action="store_true")
    parser.add_argument("--packages", type=pathlib.Path, default=HERE.parent / "target/learnt")
    parser.add_argument("--features", default=str(HERE.parent / "target/release/examples/features"))
    chosen = parser.parse_args()
    for name, train_one in (("injection", injection), ("toxicity", toxicity)):
        if chosen.task in (None, name):
            train_one(chosen.data, chosen.features, chosen.leave_out, chosen.packages)
