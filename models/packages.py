"""Harmless texts out of packages. `train.py` learns those of `learnt.txt`; those of others are printed as rows for `sluicegate eval`:
what a judge says of them is a mistake.

    venv/bin/pip install --no-deps --target target/packages -r models/packages.txt
    venv/bin/python models/packages.py target/packages > packages.jsonl
    cargo vendor target/crates
    venv/bin/python models/packages.py target/crates --most 6 --without hyper,rustls,tantivy,linkerd,pingora > crates.jsonl

Packages are read, never run: code, comments, documentation, messages, their translations, prompts that programs give to models. The same
packages and seed give the same rows.
"""

import argparse
import ast
import json
import pathlib
import re
import warnings

import numpy as np

SEED = 1
SIZES = [300, 600, 1500, 3000]
"""Letters of code and documents are cut to one of these."""
LARGEST = 300_000
"""Bytes of the largest file that is read."""
MODELS = re.compile(r"prompt|template|tmpl|system|instruction|role|goal|message", re.IGNORECASE)
"""Names of what is said to a model."""


def texts(folder, most, without):
    """(package, kind, text), of each kind so many of a package at most."""
    rng = np.random.default_rng(SEED)
    for package in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.endswith(("-info", "__", "bin"))):
        if package.name.startswith(tuple(without)):
            continue
        kinds = {}
        for path in sorted(package.rglob("*")):
            if path.suffix in READERS and "test" not in path.name and path.is_file() and path.stat().st_size < LARGEST:
                for kind, text in READERS[path.suffix](path.read_text(errors="replace"), path):
                    if len(text.strip()) > 3:
                        kinds.setdefault(kind, {})[text.strip()] = None
        for kind, found in sorted(kinds.items()):
            found = list(found)
            for at in rng.permutation(len(found))[:most]:
                text = found[at]
                yield package.name, kind, piece(text, rng) if kind in ("code", "document", "markup, script") or len(text) > 2 * SIZES[-1] else text


def piece(text, rng):
    """Some of a text, from the start of a line."""
    size = int(rng.choice(SIZES))
    start = int(rng.integers(0, max(1, len(text) - size)))
    start = text.rfind("\n", 0, start) + 1
    return text[start : start + size]


def comments(text, sign):
    for comment in re.findall(rf"(?:^[ \t]*{sign} .*\n)+", text, re.MULTILINE):
        if len(comment) > 60:
            yield "comment", re.sub(rf"^[ \t]*{sign} ", "", comment, flags=re.MULTILINE)


def python(text, path):
    yield "code", text
    yield from comments(text, "#")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError:
        return
    names, documented = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if documentation := ast.get_docstring(node):
                documented.add(id(node.body[0].value))
                yield "docstring", documentation
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value:
            target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            names |= {id(part): target for part in ast.walk(node.value)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            said = node.value
            if len(said) > 150 and ("prompt" in path.name or MODELS.search(names.get(id(node), ""))):
                yield "prompt", said
            elif 1 <= said.count(" ") <= 30 and len(said) < 200 and "\n" not in said and said[:1].isalpha():
                yield "message", said


def rust(text, _path):
    yield "code", text
    yield from comments(text, "//[/!]?")


def catalogue(text, _path):
    """Messages of a program and their translations."""
    for which, said in re.findall(r'^msg(id|str)(?:\[0\])? "(.+)"$', text, re.MULTILINE):
        yield "translation" if which == "str" else "message", re.sub(r"\\(.)", r"\1", said)


READERS = {".py": python, ".rs": rust, ".po": catalogue}
READERS |= dict.fromkeys((".md", ".rst"), lambda text, path: [("document", text)])
READERS |= dict.fromkeys((".html", ".js", ".ts", ".css", ".toml"), lambda text, path: [("markup, script", text)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--most", type=int, default=500, help="texts of a kind and package, at most")
    parser.add_argument("--without", type=lambda names: names.split(","), default=[], help="packages whose names begin so")
    chosen = parser.parse_args()
    for package, kind, text in texts(chosen.folder, chosen.most, chosen.without):
        text = text.encode("utf-8", "replace").decode()
        print(json.dumps({"text": text, "label": "benign", "source": package, "kind": kind}, ensure_ascii=False))
