# SPDX-License-Identifier: Apache-2.0
"""All that the documents name is there: files that they link to or mention, and tests that they call as witnesses."""

import re
import subprocess

import pytest
from conftest import TOP

DOCUMENTS = sorted(p for p in [*TOP.glob("*.md"), *TOP.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(p.relative_to(TOP)) for p in DOCUMENTS])
def test_files_exist(document):
    text = document.read_text()
    linked = [(document.parent, name) for name in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    named = [(TOP, name) for name in re.findall(r"`((?:src|tests|scripts|docs|man)/[\w./-]+\.\w+)`", text)]
    sources = [(TOP / "src", name) for name in re.findall(r"`((?:base|proto|sys|model|data|node|cmd)/[\w./-]+\.[ch])`", text)]
    missing = [name for where, name in linked + named + sources if not (where / name).exists() and "/x" not in name]
    assert not missing


# Headers of the system, and placeholders for a module's name.
FOREIGN = re.compile(r"(linux|net|sys|netinet)/\w+\.h|netdb\.h|if_arp\.h|(\w+/)*[xy](_test|_fuzz)?\.[ch]")


def test_named_sources_exist():
    """A C file that a document or a comment names, with all of its path or the end of it, is there."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, check=True, capture_output=True, text=True).stdout.split()
    files = [f for f in listed if (TOP / f).exists()]
    ends = {f[i:] for f in files for i in range(len(f)) if i == 0 or f[i - 1] == "/"}
    missing = []
    for file in files:
        if file.endswith(".md") and not file.startswith("docs/adr/"):
            texts = re.findall(r"`([^`\n]*)`", (TOP / file).read_text())
        elif file.startswith(("src/", "tests/")) and file.endswith((".c", ".h")):
            texts = re.findall(r"/\*.*?\*/", (TOP / file).read_text(), re.S)
        else:
            continue
        named = re.findall(r"(?<![\w./<-])([a-z][\w/]*\.[ch])\b", "\n".join(texts))
        missing += [f"{file}: {name}" for name in named if name not in ends and not FOREIGN.fullmatch(name)]
    assert not missing


def test_witnesses_exist():
    """Each `file: test, test` of the threat model is a test, and each `x_fuzz` a target."""
    text = (TOP / "docs/threat-model.md").read_text()
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, check=True, capture_output=True, text=True).stdout.split()
    missing, n = [], 0
    for file, tests in re.findall(r"`(\w*test\w*): ([\w, ]+)`", text):
        found = [f for f in files if f.endswith((f"/{file}.c", f"/{file}.py"))]
        code = "\n".join((TOP / one).read_text() for one in found)  # layers may have tests of one name
        for test in tests.split(", "):
            n += 1
            if not re.search(rf"^(static void|def) {test}\(", code, re.M):
                missing.append(f"{file}: {test}")
    missing += [name for name in re.findall(r"`(\w+_fuzz)`", text) if not any(f.endswith(f"/{name}.c") for f in files)]
    assert not missing and n > 60
