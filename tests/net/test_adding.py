# SPDX-License-Identifier: Apache-2.0
"""A stage and an output are each one file and one row: a copy of the source gets some, and they run in the programs."""

import json
import shutil
import subprocess

import pytest

from lib.farspan import Collector, Tap, drops, farspan, one, own_name, own_port, status, tap_stages
from lib.proc import run, wait_until
from lib.tools import BUILD, ROOT, framegen

FRAMES = 1000

STAGE = """/* SPDX-License-Identifier: Apache-2.0
 *
 * Drops every other frame.
 */
#include <errno.h>
#include <stdlib.h>

#include "data/stage.h"

struct odd_stage {
    struct stage stage;
    const struct pass *pass;
    uint32_t n;
};

static bool keep(const struct frame *f, void *user)
{
    struct odd_stage *o = user;
    if (o->n++ % 2 == 0) {
        return true;
    }
    stage_count_drop(&o->stage, o->pass, f);
    return false;
}

static void odd_run(struct stage *s, struct batch *b, const struct pass *p)
{
    struct odd_stage *o = (struct odd_stage *)s;
    o->pass = p;
    (void)batch_filter(b, keep, o);
}

static void odd_free(struct stage *s)
{
    free(s);
}

static const struct stage_ops ops = {.run = odd_run, .free = odd_free};

int odd_stage_new(const struct stage_conf *conf, struct stage **ret)
{
    struct odd_stage *o = calloc(1, sizeof(*o));
    (void)conf;
    if (!o) {
        return -ENOMEM;
    }
    o->stage.ops = &ops;
    *ret = &o->stage;
    return 0;
}
"""
ROW = 'DROPS(X, ODD, odd, BOTH, 200, "every other frame")'


def insert(path, after, text):
    """Puts a line behind the one that has `after` in it, in a file of the copy."""
    lines = path.read_text().split("\n")
    at = [i for i, line in enumerate(lines) if after in line]
    assert len(at) == 1, (path, after, at)
    lines.insert(at[0] + 1, text)
    path.write_text("\n".join(lines))


def add_row(tree):
    """The row is the last of the list, whose lines end in a backslash."""
    path = tree / "src/base/stages.h"
    text = path.read_text().rstrip("\n")
    path.write_text(f"{text} \\\n    {ROW}\n")


def add_stage(tree):
    (tree / "src/data/stage/odd.c").write_text(STAGE)
    insert(tree / "src/data/meson.build", "'stage/cut.c'", "  'stage/odd.c',")
    add_row(tree)


@pytest.fixture(scope="module")
def other_farspan():
    """The program with what this file adds."""
    tree = BUILD / "adding"
    shutil.rmtree(tree, ignore_errors=True)
    listed = run(["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z"]).stdout.split("\0")
    for name in listed:
        if name.startswith(("src/", "tests/", "completion/", "man/")) or name in ("meson.build", "meson_options.txt"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    add_stage(tree)
    for argv in (["meson", "setup", "-Dtests=false", "--werror", tree / "build", tree], ["ninja", "-C", tree / "build", "farspan"]):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    yield tree / "build/farspan"
    shutil.rmtree(tree)


def test_a_stage_runs_at_both_ends(lab, other_farspan, monkeypatch):
    """The tap drops every other frame and the collector every other one of these, and both tell so while they run."""
    monkeypatch.setenv("FARSPAN", str(other_farspan))
    name, port = own_name("odd"), own_port()
    collector = Collector(lab, key=None, port=port, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, key=None, name=name, to=f"10.77.0.2:{port}")
    framegen(lab, FRAMES, pps=5000)
    half, quarter = FRAMES // 2, FRAMES // 4

    def arrived():
        there = one(one(status(f"collector-{port}")["taps"])["interfaces"])
        return there["stages"]["link_rx"]["out"] == half and there["tap_stages"].get("stages", {}).get("out") == half

    wait_until(arrived, 20)
    told = run([farspan(), "status", name]).stdout
    assert f"{half} dropped: every other frame" in " ".join(told.split()), told
    told = run([farspan(), "status", f"collector-{port}"]).stdout
    assert f"{quarter} dropped: every other frame" in " ".join(told.split()), told
    assert " ".join(told.split()).count("dropped: every other frame") == 2, told  # the tap's own, and the collector's
    tap_ledger, collector_ledger = tap.finish(), collector.finish()

    here = tap_stages(tap_ledger)
    assert list(here) == ["ring", "select", "cut", "stages", "link_tx"]
    expected = {"in": FRAMES, "drops": {"odd": half}, "out": half, "in_flight": 0}
    assert here["stages"] == expected
    assert (here["link_tx"]["in"], here["link_tx"]["out"]) == (half, half)
    there = one(one(collector_ledger["taps"])["interfaces"])
    assert there["tap_stages"]["stages"] == expected
    assert there["stages"]["stages_rx"] == {"in": half, "drops": {"odd": half - quarter}, "out": quarter, "in_flight": 0}
    written = one(there["outputs"])
    assert (written["in"], written["out"], drops(written)) == (quarter, quarter, 0), json.dumps(written)
