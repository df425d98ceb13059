# SPDX-License-Identifier: Apache-2.0
"""The changes that `mutate` makes: which lines, into what, and that the same seed makes the same ones."""
import importlib.machinery
import importlib.util
import re
import subprocess

import pytest
from conftest import TOP

LOADER = importlib.machinery.SourceFileLoader("mutate", str(TOP / "scripts" / "mutate"))
mutate = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutate", LOADER))
LOADER.exec_module(mutate)

SOURCE = """/* if (a < b) { in a comment */
enum {
    ROOM = 8,
};

static int f(const struct x *p, int n)
{
    int r = p->n + 1;
    /* return n == 1; in a comment
     * of two lines */
    if (n < 0 && strcmp(p->s, " < ") != 0) {
        drop(p, n);
        ledger_add(p->ledger, LEDGER_X, 2);
        p->n = 0;
        secure_wipe(p, n + 1);
        return -1;
    }
    while (n > 0) { /* why */
        n--;
    }
    total =
        add(n, r + 1);
    return n == r ? true : f(p, 3);
}
"""


def changes(text):
    return [(c.line, c.kind, c.new) for c in mutate.changes_of("x.c", text)]


def test_a_percent_sign_is_part_of_the_line():
    line = '    int n = snprintf(out, sizeof(out), "%u%%", a + b);'
    several = [mutate.Change("x.c", 0, "+ to -", line, line.replace("+", "MUTANT(%d) ? -").replace("b)", "b : + b)"))]
    assert mutate.switched(line, [(7, several[0])]) == line.replace("a + b", "a MUTANT(7) ? - b : + b")


def test_every_kind_of_change():
    found = {(line, kind) for line, kind, _ in changes(SOURCE)}
    assert found == {
        (7, "+ to -"), (7, "1 to 2"),
        (10, "< to <="), (10, "&& to ||"), (10, "!= to =="), (10, "0 to 1"), (10, "turned"),
        (11, "dropped"), (12, "dropped"), (12, "twice"), (13, "dropped"), (13, "0 to 1"),
        (17, "> to >="), (17, "0 to 1"), (17, "turned"),
        (18, "dropped"),
        (22, "== to !="), (22, "true to false"), (22, "3 to 4"),
    }  # fmt: skip


def test_a_change_is_a_line_that_is_switched_on():
    lines = {(line, kind): new for line, kind, new in changes(SOURCE)}
    assert lines[10, "< to <="] % 7 == (
        '    if (MUTANT(7) ? (n <= 0 && strcmp(p->s, " < ") != 0) : (n < 0 && strcmp(p->s, " < ") != 0)) {'
    )
    assert lines[11, "dropped"] % 8 == "        if (!MUTANT(8)) { drop(p, n); }"
    assert lines[13, "0 to 1"] % 9 == "        if (MUTANT(9)) { p->n = 1; } else { p->n = 0; }"
    assert lines[7, "+ to -"] % 1 == "    int r = MUTANT(1) ? (p->n - 1) : (p->n + 1);"


def test_a_seed_chooses():
    text = [("x.c", SOURCE), ("y.c", SOURCE)]
    assert mutate.choose(text, 1, 4, None) == mutate.choose(text, 1, 4, None)
    assert len({str(mutate.choose(text, seed, 2, None)) for seed in range(10)}) > 1
    chosen = mutate.choose(text, 1, 100, None)
    assert len({(c.file, c.line) for c in chosen}) == len(chosen), "one change on a line"
    assert len(mutate.choose(text, 1, 100, 3)) == 6, "twice as many, as some may not compile"


def test_only_some_lines_with_all_their_changes():
    chosen = mutate.choose([("x.c", SOURCE)], 1, 100, None, "LEDGER_")
    assert [(c.line, c.kind) for c in chosen] == [(12, "dropped"), (12, "twice")]
    line = mutate.switched(SOURCE.split("\n")[12], list(enumerate(chosen, 1)))
    call = "ledger_add(p->ledger, LEDGER_X, 2);"
    assert " ".join(line.split()) == (
        f"if (MUTANT(1)) {{ if (!1) {{ {call} }} }} else if (MUTANT(2)) {{ if (1) {{ {call} }} {call} }} else {{ {call} }}"
    )


def test_what_only_tests_are_linked_with_stays_as_it_is(monkeypatch):
    """The tests, what several of them share (test_libraries of the build), and the fuzz targets' frame."""
    monkeypatch.chdir(TOP)
    changed = {name for name, _ in mutate.sources([])}
    assert {"src/base/ledger.c", "src/data/source/file.c", "src/data/sink/port.c"} < changed
    lists = [p.read_text().split("test_libraries")[1:] for p in (TOP / "src").rglob("meson.build")]
    libraries = [re.split(r"^\]", part, flags=re.MULTILINE)[0] for several in lists for part in several]
    shared = {name for part in libraries for name in re.findall(r"[\w/]+\.c", part)}
    assert {"testing.c", "source/file_testing.c", "link/world/world.c"} <= shared
    assert not [c for c in changed for name in [*shared, "fake.c", "fuzz_main.c"] if c.endswith("/" + name)]
    assert not [c for c in changed if c.endswith(("_test.c", "_fuzz.c"))]


def test_changes_that_change_nothing_are_of_lines_that_there_are(monkeypatch):
    monkeypatch.chdir(TOP)
    made = {mutate.key(c) for file, text in mutate.sources([]) for c in mutate.changes_of(file, text)}
    assert sorted(mutate.equal_ones() - made) == []


@pytest.mark.parametrize("file, only", [("src/base/ledger.c", None), ("src/data/link/send/tx.c", "ledger_add")])
def test_the_changed_tree_compiles(tmp_path, file, only):
    """All changes of a real file together, each behind its number."""
    numbered = dict(enumerate(mutate.choose([(file, (TOP / file).read_text())], 1, 100, None, only), 1))
    assert len(numbered) > 5
    (tmp_path / "src/base").mkdir(parents=True)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "src/base/mutant.h").write_text(mutate.HEADER)
    mutate.write(tmp_path, numbered)
    argv = ["gcc", "-std=gnu17", "-w", "-fsyntax-only", "-I", tmp_path / "src", "-I", TOP / "src", tmp_path / file]
    assert subprocess.run(argv, check=False).returncode == 0
