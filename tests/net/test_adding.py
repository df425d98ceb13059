# SPDX-License-Identifier: Apache-2.0
"""A stage, an output and a source are each one file and one row, and a kind of resource is its table, a row, its routes and their document:
a copy of the tree gets some, and they run in the programs."""

import json
import shutil
import subprocess

import pytest

from lib.farspan import Collector, Tap, counts, drops, farspan, one, own_name, own_port, status, tap_stages
from lib.openapi import Document
from lib.proc import run, wait_until
from lib.serve import Service
from lib.tools import BUILD, ROOT, framegen

FRAMES = 1000

# where tests run side by side, these have the built program in common
pytestmark = pytest.mark.xdist_group("adding")

STAGE = """/* SPDX-License-Identifier: Apache-2.0
 *
 * Drops every other frame.
 */
#include <errno.h>
#include <stdlib.h>

#include "data/stage.h"

struct odd_stage {
    struct stage stage;
    uint32_t n;
};

static bool keep(const struct frame *f, void *stage)
{
    (void)f;
    return ((struct odd_stage *)stage)->n++ % 2 == 0;
}

static void odd_run(struct stage *s, struct batch *b, const struct pass *p)
{
    const struct odd_stage *o = (const struct odd_stage *)s;
    const bool whole = o->n < 2;
    stage_filter(s, b, p, keep);
    if (whole && o->n >= 2) {
        p->event(p->user, HISTORY_STAGE, "the first one is dropped");
    }
}

static const struct stage_ops ops = {.run = odd_run, .free = stage_free};

int odd_stage_read(const char *text, void **ret, struct error *err)
{
    *ret = NULL;
    return text[0] ? error_set(err, EINVAL, "nothing is wanted here") : 0;
}

int odd_stage_new(const void *wish, struct stage **ret)
{
    struct odd_stage *o = calloc(1, sizeof(*o));
    (void)wish;
    if (!o) {
        return -ENOMEM;
    }
    o->stage.ops = &ops;
    *ret = &o->stage;
    return 0;
}
"""
STAGE_ROW = 'USER(X, ODD, odd, DROP, 200, "odd", "every other frame", "odd", "drops every other frame")'

OUTPUT = """/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts frames and throws them away, those of more than 1000 bytes as too long.
 */
#include <errno.h>
#include <stdlib.h>

#include "data/outputs.h"

enum {
    LONGEST = 1000,
};

static int tally_point_add(struct sink *s, const struct point_offer *p, struct error *err)
{
    struct ledger *l;
    return sink_point_open(s, p, &l, err);
}

static void tally_point_stats(struct sink *s, uint32_t index, const struct ledger *figures)
{
    (void)s;
    (void)index;
    (void)figures;
}

static void tally_write(struct sink *s, const struct batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        struct ledger *l = sink_ledger(s, b->f[i].point);
        sink_count_in(s, l);
        ledger_add(l, b->f[i].caplen > LONGEST ? LEDGER_SINK_LONG : LEDGER_SINK_OUT, 1);
    }
}

static void tally_flush(struct sink *s)
{
    (void)s;
}

static int tally_check(struct sink *s, struct error *err)
{
    (void)s;
    (void)err;
    return 0;
}

static void tally_free(struct sink *s)
{
    sink_done(s);
    free(s);
}

static const struct sink_ops ops = {
    .kind = "tally",
    .counts = LEDGER_SINK,
    .point_add = tally_point_add,
    .point_stats = tally_point_stats,
    .point_remove = sink_point_close,
    .write = tally_write,
    .flush = tally_flush,
    .check = tally_check,
    .finish = tally_check,
    .free = tally_free,
};

int tally_output_read(const char *text, void **ret, struct error *err)
{
    *ret = NULL;
    return text[0] == 0 ? 0 : error_set(err, EINVAL, "it counts, and has no settings");
}

int tally_output_open(const void *own, const struct resolve_conf *names, int *ret_fd, struct error *err)
{
    (void)own;
    (void)names;
    (void)ret_fd;
    (void)err;
    return 0;
}

int tally_output(const struct output_wish *w, struct sink **ret, struct error *err)
{
    (void)w;
    struct sink *s = calloc(1, sizeof(*s));
    if (!s || sink_init(s, &ops, "tally") < 0) {
        free(s);
        return error_sys(err, ENOMEM, "tally");
    }
    *ret = s;
    return 0;
}
"""
OUTPUT_ROW = 'USER(X, TALLY, tally, "tally:", "", "counts frames")'

SOURCE = """/* SPDX-License-Identifier: Apache-2.0
 *
 * Interfaces whose names begin with "pattern" give frames of this file's own: as many as it says,
 * from the first filter on, which the tap sets once it has a session.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/sources.h"

enum {
    LEN = 100,
    EACH = 10, /* in a batch, every EVERY_MS */
    EVERY_MS = 5,
};

struct pattern_source {
    struct source source;
    struct ledger *ledger;
    unsigned left;
    struct mono next;
    uint8_t frame[LEN];
};

static int pattern_run(struct source *s, struct batch_out *o, unsigned batches, struct mono now)
{
    struct pattern_source *p = (struct pattern_source *)s;
    (void)batches;
    if (!mono_due(now, p->next)) {
        return SOURCE_DRY;
    }
    while (p->left > 0 && o->batch->n < EACH) {
        o->batch->f[o->batch->n++] =
            (struct frame){.data = p->frame, .datalen = LEN, .caplen = LEN, .origlen = LEN};
        p->left--;
    }
    ledger_add(p->ledger, LEDGER_RING_IN, o->batch->n);
    ledger_add(p->ledger, LEDGER_RING_OUT, o->batch->n);
    o->push(o);
    p->next = p->left > 0 ? mono_add_ms(now, EVERY_MS) : (struct mono){0};
    return SOURCE_DRY;
}

static struct mono pattern_due(const struct source *s)
{
    return ((const struct pattern_source *)s)->next;
}

static int pattern_fd(const struct source *s)
{
    (void)s;
    return -1;
}

static int pattern_filter(struct source *s, const struct filter_prog *prog)
{
    struct pattern_source *p = (struct pattern_source *)s;
    (void)prog; /* it takes all */
    if (p->left > 0 && p->next.ns == 0) {
        p->next = mono_now();
    }
    return 0;
}

static void pattern_free(struct source *s)
{
    free(s);
}

static const struct source_ops ops = {
    .kind = "pattern",
    .counts = LEDGER_RING,
    .run = pattern_run,
    .due = pattern_due,
    .fd = pattern_fd,
    .free = pattern_free,
    .filter = pattern_filter,
};

int pattern_source(const struct source_wishes *w, struct source **ret)
{
    if (strncmp(w->name, "pattern", 7) != 0) {
        return 0;
    }
    struct pattern_source *p = calloc(1, sizeof(*p));
    if (!p) {
        return -ENOMEM;
    }
    p->source.ops = &ops;
    p->ledger = w->ledger;
    p->left = 1000;
    memset(p->frame, 0xff, 6);
    memcpy(p->frame + 6, "\\2\\0\\0\\0\\0\\1\\x88\\xb5 a pattern", 18);
    *ret = &p->source;
    return 0;
}
"""
SOURCE_ROW = "X(PATTERN, pattern)"


KIND = """/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kinds.h"

static const struct field fields[] = {
    KIND_COMMON,
    {.name = "title",
     .type = FIELD_TEXT,
     .flags = FIELD_CREATE | FIELD_CHANGE | FIELD_MUST | FIELD_FILTER | FIELD_SORT,
     .min = 1,
     .max = 40,
     .title = "TITLE",
     .help = "what it is about"},
    {.name = "stars",
     .type = FIELD_INT,
     .flags = FIELD_CREATE | FIELD_CHANGE | FIELD_FILTER | FIELD_SORT,
     .max = 5,
     .dflt = "1",
     .title = "STARS",
     .help = "how many it has"},
    {.name = "due",
     .type = FIELD_TIME,
     .flags = FIELD_CREATE | FIELD_CHANGE | FIELD_NULL,
     .title = "DUE",
     .help = "until when"},
};

const struct kind kind_note = {"note", "notes", fields, ARRAY_SIZE(fields)};
"""
KIND_ROUTES = """    {HTTP_GET, "/v1/notes", API_READ, &kind_note, api_list, 0, api_list_parameters},
    {HTTP_POST, "/v1/notes", API_CAPTURE, &kind_note, api_create, API_CHANGES},
    {HTTP_GET, "/v1/notes/{id}", API_READ, &kind_note, api_show},
    {HTTP_PATCH, "/v1/notes/{id}", API_CAPTURE, &kind_note, api_update, API_CHANGES},
    {HTTP_DELETE, "/v1/notes/{id}", API_CAPTURE, &kind_note, api_delete, API_CHANGES},"""
KIND_PATHS = """  /v1/notes:
    get:
      summary: A page of notes
      operationId: listNotes
      x-role: read
      parameters:
        - {$ref: "#/components/parameters/limit"}
        - {$ref: "#/components/parameters/marker"}
        - {$ref: "#/components/parameters/sort"}
        - {$ref: "#/components/parameters/fields"}
        - {name: project, in: query, schema: {type: string}}
        - {name: owner, in: query, schema: {type: string}}
        - {name: title, in: query, schema: {type: string}}
        - {name: stars, in: query, schema: {type: integer}}
      responses:
        "200":
          description: The page.
          content:
            application/json:
              schema:
                type: object
                required: [notes]
                properties:
                  notes: {type: array, items: {$ref: "#/components/schemas/Note"}}
                  next: {$ref: "#/components/schemas/Next"}
    post:
      summary: Make a note
      operationId: createNote
      x-role: capture
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/NewNote"}}}}
      responses:
        "201": {description: The note., content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}
        "422": {$ref: "#/components/responses/InvalidFields"}
  /v1/notes/{id}:
    parameters: [{$ref: "#/components/parameters/id"}]
    get:
      summary: A note
      operationId: showNote
      x-role: read
      responses: {"200": {description: The note., content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}}
    patch:
      summary: Change a note
      operationId: updateNote
      x-role: capture
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/NoteChange"}}}}
      responses: {"200": {description: The note as it is now., content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}}
    delete:
      summary: Delete a note
      operationId: deleteNote
      x-role: capture
      responses: {"204": {description: It is gone.}}
"""
KIND_SCHEMAS = """    Note:
      type: object
      properties:
        id: {type: string}
        project: {type: string}
        owner: {type: string}
        generation: {type: integer}
        created: {type: string}
        title: {type: string}
        stars: {type: integer}
        due: {type: [string, "null"]}
    NewNote: &given
      type: object
      required: [title]
      additionalProperties: false
      properties:
        title: {type: string, minLength: 1, maxLength: 40}
        stars: {type: integer, minimum: 0, maximum: 5}
        due: {type: [string, number, "null"]}
    NoteChange: {<<: *given}
"""


def insert(path, after, text):
    """Puts a line behind the one that has `after` in it, in a file of the copy."""
    lines = path.read_text().split("\n")
    at = [i for i, line in enumerate(lines) if after in line]
    assert len(at) == 1, (path, after, at)
    lines.insert(at[0] + 1, text)
    path.write_text("\n".join(lines))


def put_before(path, first, row):
    """Puts the row before the one that has to be the last."""
    text = path.read_text()
    assert text.count(first) == 1, (path, first)
    path.write_text(text.replace(first, f"{row} {first}"))


def add(tree, name, text, beside):
    """A file beside another one of the same kind."""
    (tree / "src/data" / name).write_text(text)
    insert(tree / "src/data/meson.build", f"'{beside}'", f"  '{name}',")


def replace(path, what, by):
    text = path.read_text()
    assert text.count(what) == 1, (path, what)
    path.write_text(text.replace(what, by))


def add_kind(tree):
    """Four files, none of which pages, asks a store, or reads or writes JSON."""
    (tree / "src/model/kind_note.c").write_text(KIND)
    replace(tree / "src/model/kinds.h", "    X(tap_flow)\n", "    X(tap_flow) \\\n    X(note)\n")
    replace(tree / "src/control/v1.c", '    {HTTP_GET, "/v1/events",', f'{KIND_ROUTES}\n    {{HTTP_GET, "/v1/events",')
    replace(tree / "api/openapi.yaml", "  /v1/events:\n", f"{KIND_PATHS}  /v1/events:\n")
    replace(tree / "api/openapi.yaml", "    NewCapture:\n", f"{KIND_SCHEMAS}    NewCapture:\n")


@pytest.fixture(scope="module")
def other_farspan():
    """The program with what this file adds."""
    tree = BUILD / "adding"
    shutil.rmtree(tree, ignore_errors=True)
    for folder in ("src", "man", "completion", "api", "scripts"):
        shutil.copytree(ROOT / folder, tree / folder)
    for name in ("meson.build", "meson_options.txt"):
        shutil.copy2(ROOT / name, tree / name)
    add(tree, "stage/odd.c", STAGE, "stage/cut.c")
    put_before(tree / "src/base/stages.h", "USER(X, SLICE, slice,", STAGE_ROW)
    add(tree, "sink/tally.c", OUTPUT, "sink/device.c")
    put_before(tree / "src/data/outputs.h", 'USER(X, PORT, port, "",', OUTPUT_ROW)
    add(tree, "source/pattern.c", SOURCE, "source/ring.c")
    put_before(tree / "src/data/sources.h", "X(RING, ring)", SOURCE_ROW)
    add_kind(tree)
    for argv in (["meson", "setup", "-Dtests=false", "--werror", tree / "build", tree], ["ninja", "-C", tree / "build", "farspan"]):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    yield tree / "build/farspan"
    shutil.rmtree(tree)


def test_a_stage_runs_at_both_ends(lab, other_farspan, monkeypatch):
    """The tap drops every other frame and the collector every other one of these, and both tell so while they run."""
    monkeypatch.setenv("FARSPAN", str(other_farspan))
    name, port = own_name("odd"), own_port()
    for command in ("tap", "collector"):
        assert "\n                            odd\n" in run([farspan(), command, "--help"]).stdout
    odd = ("--stage", "odd")
    collector = Collector(lab, *odd, key=None, port=port, device=None, file=lab.folder / "collector.pcapng")
    tap = Tap(lab, *odd, key=None, name=name, to=f"10.77.0.2:{port}")
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
    for program, subject in ((name, "mon0"), (f"collector-{port}", "stages")):
        event = one([e for e in status(program)["history"] if e["kind"] == "stage"])
        assert (event["subject"], event["words"]) == (subject, "the first one is dropped")
    tap_ledger, collector_ledger = tap.finish(), collector.finish()

    here = tap_stages(tap_ledger)
    assert list(here) == ["ring", "select", "cut", "stages", "link_tx"]
    assert counts(here["stages"]) == {"in": FRAMES, "odd": half, "out": half}
    assert (here["link_tx"]["in"], here["link_tx"]["out"]) == (half, half)
    there = one(one(collector_ledger["taps"])["interfaces"])
    assert there["tap_stages"]["stages"] == here["stages"]
    assert counts(there["stages"]["stages_rx"]) == {"in": half, "odd": half - quarter, "out": quarter}
    written = one([o for o in there["outputs"] if o["kind"] == "file"])
    assert (written["in"], written["out"], drops(written)) == (quarter, quarter, 0), json.dumps(written)


def test_an_output_stands_beside_the_others(lab, other_farspan, monkeypatch):
    """It gets what the others get, counts its drops by reason, and is in the ledger and in what `status` prints."""
    monkeypatch.setenv("FARSPAN", str(other_farspan))
    name, port = own_name("tally"), own_port()
    collector = Collector(lab, "-o", "tally:", key=None, port=port)
    tap = Tap(lab, key=None, name=name, to=f"10.77.0.2:{port}")
    framegen(lab, FRAMES, pps=5000)

    def counted():
        outputs = one(one(status(f"collector-{port}")["taps"])["interfaces"])["outputs"]
        return all(o["in"] == FRAMES for o in outputs) and len(outputs) == 2

    wait_until(counted, 20)
    told = run([farspan(), "status", f"collector-{port}"]).stdout
    assert "tally" in told and "dropped: too long for the output" in told, told
    tap.finish()
    ledger = collector.finish()
    there = one(one(ledger["taps"])["interfaces"])
    written = one([o for o in there["outputs"] if o["kind"] == "tally"])
    device = one([o for o in there["outputs"] if o["kind"] == "tap-device"])
    assert (device["in"], device["out"]) == (FRAMES, FRAMES)
    assert (written["in"], written["in_flight"]) == (FRAMES, 0)
    assert 0 < written["drops"]["too_long"] == written["in"] - written["out"] < written["in"]
    assert one(ledger["outputs"], "tally")["state"] == "ok"


def test_a_source_stands_beside_the_ring(lab, other_farspan, monkeypatch):
    """The interface that it takes gives its frames, and the other one what its ring has; either is carried and counted as usual."""
    monkeypatch.setenv("FARSPAN", str(other_farspan))
    name, port = own_name("pattern"), own_port()
    lab.ip(lab.tap, "link", "add", "pattern0", "type", "veth", "peer", "name", "other0")
    lab.ip(lab.tap, "link", "set", "pattern0", "up")
    written = lab.folder / "collector.pcapng"
    collector = Collector(lab, key=None, port=port, device=None, file=written)
    tap = Tap(lab, key=None, name=name, to=f"10.77.0.2:{port}", interfaces=["pattern0", "mon0"])
    framegen(lab, FRAMES, pps=5000)

    def arrived():
        interfaces = one(status(f"collector-{port}")["taps"])["interfaces"]
        return [i["stages"]["link_rx"]["out"] for i in interfaces] == [FRAMES] * 2

    wait_until(arrived, 20, lambda: status(name)["interfaces"])
    ledger, there = tap.finish(), one(collector.finish()["taps"])
    for interface in ("pattern0", "mon0"):
        here = one(ledger["interfaces"], interface)["stages"]
        assert (here["ring"]["in"], here["ring"]["out"], drops(here["ring"])) == (FRAMES, FRAMES, 0), here
        assert (here["link_tx"]["in"], here["link_tx"]["out"]) == (FRAMES, FRAMES), here
        file = one([o for o in one(there["interfaces"], interface)["outputs"] if o["kind"] == "file"])
        assert (file["in"], file["out"]) == (FRAMES, FRAMES), file
    assert written.read_bytes().count(b"\x88\xb5 a pattern") == FRAMES


def test_a_kind_has_all_verbs(lab, other_farspan, monkeypatch):
    """The store keeps it, the API makes, shows, changes, lists and deletes it, the client has its columns, and the document is checked."""
    monkeypatch.setenv("FARSPAN", str(other_farspan))
    done = run([other_farspan.parents[1] / "scripts/check-openapi", other_farspan.parents[1]], check=False)
    assert done.returncode == 0, done.stdout
    service = Service(lab, document=Document(other_farspan.parents[1] / "api/openapi.yaml"))
    for n in range(25):
        got = service.ask("POST", "/v1/notes", {"title": f"note {n:02}", "stars": n % 5})
        assert got.status == 201 and got.json()["due"] is None, got
    page = service.get("/v1/notes?stars=3&sort=-title&limit=2")
    assert [n["title"] for n in page["notes"]] == ["note 23", "note 18"]
    page = service.get(page["next"])
    assert [n["title"] for n in page["notes"]] == ["note 13", "note 08"]
    for wrong, pointer in (({}, "/title"), ({"title": "a", "stars": 6}, "/stars"), ({"title": "a", "starz": 1}, "/starz"), ({"title": "a", "due": "soon"}, "/due")):
        got = service.ask("POST", "/v1/notes", wrong)
        assert got.status == 422 and got.json()["errors"][0]["pointer"] == pointer, got

    def client(*words, status=0):
        done = run(["ip", "netns", "exec", service.ns, farspan(), "objects", *words], check=False)
        assert done.returncode == status, (words, done)
        return done.stdout if status == 0 else done.stderr

    made = json.loads(client("notes", "create", "title=by hand", "stars=4", "due=2030-01-01T00:00:00Z", "--json"))
    assert (made["title"], made["stars"], made["generation"]) == ("by hand", 4, 1) and made["due"].startswith("2030-01-01T00:00:00"), made
    client("note", "set", made["id"], "stars=5", "due=")
    assert "stars 5" in " ".join(client("notes", "show", made["id"]).replace(":", "").split()) and service.get(f"/v1/notes/{made['id']}")["due"] is None
    head, *rows = client("notes").splitlines()
    assert head.split() == ["ID", "TITLE", "STARS", "DUE"] and len(rows) == 26
    assert [r.split()[1:] for r in rows if made["id"] in r] == [["by", "hand", "5", "-"]]
    assert "stars" in client("notes", "set", made["id"], "stars=9", status=2)
    assert 'did you mean "stars"?' in client("notes", "create", "title=x", "star=1", status=2)
    assert "captures, tokens, ports, tap_services, tap_flows, notes" in client("memo", status=2)
    client("notes", "delete", made["id"])
    client("notes", "show", made["id"], status=1)
    service.stop()
    service.start()  # it is in the store
    assert len(service.get("/v1/notes")["notes"]) == 25
