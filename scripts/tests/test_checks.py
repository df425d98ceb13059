# SPDX-License-Identifier: Apache-2.0
"""Each check of `make lint` that is our own, seen passing and seen failing."""
import json
import stat
import subprocess

import pytest
from conftest import TOP

ALLOWED = {
    "src/base/bytes.h": "#include <stdint.h>\n",
    "src/base/cleanup.h": "#include <unistd.h>\n",
    "src/proto/ether.c": '#include <linux/filter.h>\n#include "base/bytes.h"\n#include "proto/ether.h"\n',
    "src/sys/ring.c": '#include <sys/socket.h>\n#include <pcap.h>\n#include "base/bytes.h"\n',
    "src/data/pipeline.c": '#include "data/sink.h"\n#include "sys/ring.h"\n',
    "src/data/sink/queue/queue.c": '#include "data/sink/queue/queue.h"\n#include "data/sink.h"\n',
    "src/data/sink/device.c": '#include "data/sink/file/form.h"\n',
    "src/data/link/send/tx.c": '#include "data/link/send/tx.h"\n#include "data/link/clock.h"\n',
    "src/data/link/listen/listener.c": '#include "data/link/receive/receiver.h"\n',
    "src/data/link/world/world.h": '#include "data/link/dial/dialer.h"\n#include "data/link/clock.h"\n',
    "src/node/capture.c": '#include "data/source/ring.h"\n#include "data/link/send/tx.h"\n',
    "src/control/store.c": '#include "model/plan.h"\n#include "proto/ether.h"\n#include "sys/ring.h"\n',
    "src/cmd/tap.c": '#include "data/pipeline.h"\n#include "control/store.h"\n#include <jansson.h>\n',
    "src/proto/ether_test.c": "#include <fcntl.h>\n",
}


def test_layers_allow_what_is_below(run, tree):
    done = run("check-layers", tree(ALLOWED) / "src")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "path, line, why",
    [
        ("src/base/x.c", '#include "proto/ether.h"', "base/ must not include proto/"),
        ("src/proto/x.c", '#include "sys/ring.h"', "proto/ must not include sys/"),
        ("src/sys/x.c", '#include "model/plan.h"', "sys/ must not include model/"),
        ("src/model/x.c", '#  include "data/sink.h"', "model/ must not include data/"),
        ("src/data/x.c", '#include "cmd/tap.h"', "data/ must not include cmd/"),
        ("src/data/x.c", '#include "node/capture.h"', "data/ must not include node/"),
        ("src/node/x.c", '#include "cmd/tap.h"', "node/ must not include cmd/"),
        ("src/node/x.c", '#include "control/store.h"', "node/ must not include control/"),
        ("src/control/x.c", '#include "node/capture.h"', "control/ must not include node/"),
        ("src/control/x.c", '#include "data/sink.h"', "control/ must not include data/"),
        ("src/data/x.c", '#include "data/sink/device.h"', "data/ must not include data/sink/"),
        ("src/data/link/x.c", '#include "data/sink/file/file.h"', "link/ must not include data/sink/file/"),
        ("src/data/stage/x.c", '#include "data/source/ring.h"', "stage/ must not include data/source/"),
        ("src/data/link/x.c", '#include "data/link/send/tx.h"', "link/ must not include data/link/send/"),
        ("src/data/link/send/x.c", '#include "data/link/receive/reasm.h"', "send/ must not include"),
        ("src/data/link/dial/x.c", '#include "data/link/listen/listener.h"', "dial/ must not include"),
        ("src/data/link/dial/x.c", '#include "data/link/send/tx.h"', "dial/ must not include"),
        ("src/data/link/listen/x.c", '#include "data/link/dial/dialer.h"', "listen/ must not include"),
        ("src/proto/x.c", "#include <sys/socket.h>", "does no I/O"),
        ("src/model/x.h", "#include <linux/rtnetlink.h>", "does no I/O"),
        ("src/base/x.h", "#include <unistd.h>", "does no I/O"),
        ("src/data/x.c", "#include <sodium.h>", "belongs to sys/"),
        ("src/data/x.c", "#include <jansson.h>", "belongs to cmd, control, node/"),
        ("src/sys/x.c", '#include "ring.h"', "not a path from src/"),
        ("src/extra/x.c", "", "not in a layer"),
    ],
)
def test_layers_refuse(run, tree, path, line, why):
    done = run("check-layers", tree({**ALLOWED, path: f"/* */\n{line}\n"}) / "src")
    assert done.returncode == 1
    assert path in done.stdout and why in done.stdout
    assert len(done.stdout.splitlines()) == 1


# a needs b, and both need low; world is a helper of b's test.
STRAIGHT = {
    "src/m/impl.h": '#include "m/a.h"\nint b_run(int n);\nint low(int n);\n',
    "src/m/a.h": "int a_run(int n);\nint b_late(int n);\n",
    "src/m/a.c": '#include "m/impl.h"\n\nint a_run(int n)\n{\n    return b_run(n) + low(1);\n}\n',
    "src/m/b.c": '#include "m/impl.h"\n\nint b_run(int n)\n{\n    return low(n);\n}\n',
    "src/m/low.c": '#include "m/impl.h"\n\nint low(int n)\n{\n    return n;\n}\n',
    "src/m/world.h": '#include "m/a.h"\nstatic inline int world(int n)\n{\n    return a_run(n);\n}\n',
    "src/m/world.c": '#include "m/world.h"\n\nint low(int n)\n{\n    return b_run(n);\n}\n',
    "src/m/b_test.c": '#include "m/world.h"\n\nint b_run(int n)\n{\n    return a_run(n);\n}\n',
}


def body(line, name="low"):
    return f'#include "m/impl.h"\n\nint {name}(int n)\n{{\n    {line}\n    return n;\n}}\n'


def test_circles_allow_arrows_of_one_way(run, tree):
    done = run("check-circles", tree(STRAIGHT) / "src")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "changed",
    [
        {"src/m/low.c": body("/* b_run(n) calls this */")},
        {"src/m/low.c": body('puts("b_run(n)");')},
        {"src/m/low.c": body("ops->b_run(n);")},
        {"src/m/low.c": body("n = ops.b_run(n);")},
        {"src/m/low.c": body("const struct b_run *p = 0;")},
        {"src/m/low.c": "static int b_run(int n)\n{\n    return n;\n}\n\n" + body("b_run(n);")},
        {"src/m/low.c": "static int b_run(int n,\n                 int m);\n\n" + body("b_run(n, 1);")},
        {"src/m/b.c": STRAIGHT["src/m/b.c"].replace("int b_run", "static int b_run"), "src/m/low.c": body("b_run(n);")},
        {"src/m/a.h": STRAIGHT["src/m/a.h"] + "int low(int n); /* declared beside its kin */\n"},
    ],
)
def test_circles_see_what_is_no_call(run, tree, changed):
    done = run("check-circles", tree({**STRAIGHT, **changed}) / "src")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "changed, files, why",
    [
        ({"src/m/low.c": body("b_run(n);")}, "m/b.c, m/low.c", "m/low.c -> m/b.c: b_run() at line 5"),
        ({"src/m/low.c": body("a_run(n);")}, "m/a.c, m/b.c, m/low.c", "m/low.c -> m/a.c: a_run() at line 5"),
        ({"src/m/low.c": body("add(n, b_run);")}, "m/b.c, m/low.c", "m/low.c -> m/b.c: b_run() at line 5"),
        (
            {"src/m/low.c": "static const struct ops ops = {.run = b_run};\n" + body("")},
            "m/b.c, m/low.c",
            "m/low.c -> m/b.c: b_run() at line 1",
        ),
        (
            {"src/m/low.c": '#include "m/a.h"\n' + body("")},
            "m/a.c, m/b.c, m/low.c",
            "m/low.c -> m/a.h: included at line 1",
        ),
        (
            {"src/m/low.h": "static inline int x(int n)\n{\n    return b_run(n);\n}\n"},
            "m/b.c, m/low.c",
            "m/low.h -> m/b.c: b_run() at line 3",
        ),
    ],
)
def test_circles_are_found(run, tree, changed, files, why):
    done = run("check-circles", tree({**STRAIGHT, **changed}) / "src")
    assert done.returncode == 1
    first, *arrows = done.stdout.splitlines()
    assert first == f"circle: {files}"
    assert f"    {why}" in arrows


def test_circles_are_told_one_by_one(run, tree):
    other = {path.replace("/m/", "/k/"): text.replace("m/", "k/").replace("_run", "_go").replace("low", "deep")
             for path, text in STRAIGHT.items()}  # fmt: skip
    other["src/k/low.c"] = body("b_go(n);", "deep")
    done = run("check-circles", tree({**STRAIGHT, **other, "src/m/low.c": body("b_run(n);")}) / "src")
    assert done.returncode == 1
    heads = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert heads == ["circle: k/b.c, k/low.c", "circle: m/b.c, m/low.c"]


def function(name, lines):
    """A function of exactly so many lines."""
    body = "".join(f"    call({i});\n" for i in range(lines - 4))
    return f"static int {name}(int a, struct x *b,\n        void (*c)(int))\n{{\n{body}}}\n"


def size_tree(tree, source, ratchet=""):
    top = tree({"src/base/a.c": source, "ratchet": ratchet})
    return top / "src", top / "ratchet"


def test_size_allows_sixty_lines(run, tree):
    table = "static const int table[] = {\n" + "    1,\n" * 80 + "};\n\n"
    source = table + function("longest", 60) + "\n" + function("other", 10)
    done = run("check-size", *size_tree(tree, source))
    assert (done.returncode, done.stdout) == (0, "")


def test_size_refuses_longer_functions(run, tree):
    source = "struct x {\n    int a;\n};\n\n" + function("short", 9) + "\n" + function("long", 61)
    done = run("check-size", *size_tree(tree, source))
    assert done.returncode == 1
    assert done.stdout == "src/base/a.c:long: 61 lines, at most 60\n"


def test_size_refuses_longer_files(run, tree):
    done = run("check-size", *size_tree(tree, "int a;\n" * 601))
    assert done.stdout == "src/base/a.c: 601 lines, at most 600\n"


def test_size_refuses_commands_that_are_more_than_wiring(run, tree):
    sizes = {"src/cmd/a.c": 150, "src/cmd/b.h": 151, "src/cmd/a_test.c": 151, "src/node/cmd/c.c": 151}
    top = tree({**{path: "int a;\n" * lines for path, lines in sizes.items()}, "ratchet": ""})
    done = run("check-size", top / "src", top / "ratchet")
    assert (done.returncode, done.stdout) == (1, "src/cmd/b.h: 151 lines, at most 150\n")


def test_size_ratchet_only_shrinks(run, tree):
    source = function("long", 70)
    assert run("check-size", *size_tree(tree, source, "src/base/a.c:long 70\n")).returncode == 0
    grown = run("check-size", *size_tree(tree, source, "src/base/a.c:long 69\n"))
    assert "70 lines, at most 69" in grown.stdout and grown.returncode == 1
    loose = run("check-size", *size_tree(tree, source, "src/base/a.c:long 75\n"))
    assert "the ratchet says 75" in loose.stdout and loose.returncode == 1
    stale = run("check-size", *size_tree(tree, function("long", 60), "src/base/a.c:long 70\n"))
    assert "no longer needs its entry" in stale.stdout and stale.returncode == 1


def test_size_lower_never_raises(run, tree):
    src, ratchet = size_tree(
        tree,
        function("long", 70) + "\n" + function("more", 90),
        "# why\nsrc/base/a.c:long 75\nsrc/base/a.c:more 80\nsrc/base/a.c:gone 99\n",
    )
    assert run("check-size", "--lower", src, ratchet).returncode == 1  # `more` is still too long
    assert ratchet.read_text() == "# why\nsrc/base/a.c:long 70\nsrc/base/a.c:more 80\n"


LICENCE = "SPDX-License-" + "Identifier: Apache-2.0"
STYLED = {
    "src/base/a.h": f"/* {LICENCE}\n *\n * A thing for tests.\n */\n",
    "src/base/a.c": f"/* {LICENCE} */\n",
    "scripts/packages": "# packages\nbuild gcc\nbuild liba-dev amd64\n",
    "scripts/x": f"#!/bin/sh\n# {LICENCE}\n",
    "docs/dependencies.md": "| Package |\n|---|\n| `gcc` | x |\n| `liba-dev` | x |\n",
}


@pytest.fixture
def style(run, tree):
    def check(changed):
        files = {**STYLED, **changed}
        files["scripts/packages"] = f"# {LICENCE}\n" + files["scripts/packages"]
        top = tree(files)
        subprocess.run(["git", "init", "-q", str(top)], check=True)
        return run("check-style", top)

    return check


@pytest.mark.parametrize(
    "path, text",
    [
        ("src/base/a.c", f"/* {LICENCE} */\nint a; /* NOLINT(cert-x): the kernel's name */\n"),
        ("src/base/a.c", f"/* {LICENCE} */\n/* What does a peer know? */\n/* Whatever comes. What it is. */\n"),
        ("src/base/a.c", f'/* {LICENCE} */\nconst char *a = "What is it"; /* whose? */\n'),
        ("scripts/y.py", f'# {LICENCE}\n"""Who does it?"""\n# a rest of a line,\n# What is more\na = "What"\n'),
    ],
)
def test_style_allows(style, path, text):
    done = style({path: text})
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "path, text, why",
    [
        ("src/base/a.c", "int a;\n", "does not say"),
        ("src/base/b.h", f"/* {LICENCE} */\nint a;\n", "without a comment"),
        ("src/base/c.c", f"/* {LICENCE} */\nint a;\n", "c.c:1: starts without a comment"),
        ("scripts/y", "#!/bin/sh\ntrue\n", "does not say"),
        ("src/base/b.h", f"/* {LICENCE}\n *\n * What it is for.\n */\n", "b.h:1: a comment begins without the noun"),
        ("src/base/a.c", f"/* {LICENCE} */\n\n/* Who calls\n * it. */\n", "a.c:3: a comment begins without the noun"),
        ("src/base/a.c", f"/* {LICENCE} */\nint a; // Whoever has it\n", "a.c:2: a comment begins without the noun"),
        ("scripts/y.py", f'# {LICENCE}\n"""What it does,\n\nat length."""\n', "y.py:2: a comment begins without"),
        ("scripts/y.py", f"# {LICENCE}\n\n\n# Who has it\n", "y.py:4: a comment begins without the noun"),
        ("src/base/a.c", f"/* {LICENCE} */\nint a; // NOLINT\n", "without giving the reason"),
        ("src/base/a.c", f"/* {LICENCE} */\n// cppcheck-suppress x\n", "without giving the reason"),
        ("scripts/z", f"# {LICENCE}\n# shellcheck disable=SC1\n", "without giving the reason"),
        ("scripts/packages", "build gcc\nbuild liba-dev\nbuild libb-dev\n", "no row for libb-dev"),
        ("scripts/packages", "build gcc\n", "liba-dev of docs/dependencies.md is not in it"),
    ],
)
def test_style_refuses(style, path, text, why):
    done = style({path: text})
    assert done.returncode == 1
    assert why in done.stdout
    assert len(done.stdout.splitlines()) == 1


HELP = {
    "": "usage: farspan COMMAND\n\n  go      do it\n\n  -h, --help     these words\n",
    "go": "usage: farspan go -i IF\n\n  -i IF          interface\n  -h, --help     these words\n",
}
BASH = """
_farspan() {
    COMPREPLY=(-h --help)
    if [ "$COMP_CWORD" = 1 ]; then COMPREPLY+=(go); else COMPREPLY+=(-i); fi
}
complete -F _farspan farspan
"""
ZSH = """#compdef farspan
_farspan_go() {
    _arguments \\
        '*-i[interface]:interface:' \\
        '(-h --help)'{-h,--help}'[words]'
}
_farspan() {
    _arguments -C \\
        '(-h --help)'{-h,--help}'[words]' \\
        '1:command:((go\\:"do it"))'
}
"""
MAN = "farspan(1)\n\n# COMMANDS\n\n*go*\n\tDo it.\n\n# OPTIONS\n\n*-h*, *--help*\n\tWords.\n"
MAN_GO = "farspan-go(1)\n\n# OPTIONS\n\n*-i* _IF_\n\tIt. *-x* is no option.\n\n*-h*, *--help*\n\tWords.\n"


@pytest.fixture
def check_help(run, tree):
    def check(texts=None, **changed):
        files = {
            "man/farspan.1.scd": MAN,
            "man/farspan-go.1.scd": MAN_GO,
            "completion/farspan": BASH,
            "completion/_farspan": ZSH,
        }
        files.update({name.replace("__", "/"): text for name, text in changed.items()})
        top = tree(files)
        program = top / "farspan"
        program.write_text(
            "#!/usr/bin/python3\nimport sys\n"
            f"print({ {**HELP, **(texts or {})}!r}[' '.join(sys.argv[1:-1])])\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return run("check-help", program, top)

    return check


def test_help_in_step(check_help):
    done = check_help()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_help_knows_more(check_help):
    done = check_help({"go": HELP["go"] + "  -n, --new N    new\n"})
    assert done.returncode == 1
    for place in ("man/farspan-go.1.scd", "bash, go:", "zsh, go:"):
        for option in ("-n", "--new"):
            assert f"{place} lacks {option}, which --help has" in done.stdout


def test_help_knows_less(check_help):
    done = check_help({"go": HELP["go"].replace("  -i IF          interface\n", "")})
    assert done.returncode == 1
    for place in ("man/farspan-go.1.scd", "bash, go:", "zsh, go:"):
        assert f"{place} has -i, which --help lacks" in done.stdout


def test_help_new_command(check_help):
    done = check_help({"": HELP[""] + "  stop    end it\n"})
    assert done.returncode == 1
    for place in ("man/farspan.1.scd", "completion/farspan", "completion/_farspan", "pages"):
        assert any(place in line and "stop" in line for line in done.stdout.splitlines())


def test_tally_of_meson(run, tmp_path):
    log = tmp_path / "testlog.json"
    entries = [
        {"result": "OK", "stderr": "[  PASSED  ] 5 test(s).\n"},
        {"result": "FAIL", "stdout": "", "stderr": "[  PASSED  ] 2 test(s).\n[  FAILED  ] 3 test(s), listed below:\n"},
        {"result": "TIMEOUT"},
        {"result": "ERROR", "stderr": "[  PASSED  ] 4 test(s).\n"},  # a leak found at the end
        {"result": "OK", "stdout": "12 inputs\n"},
        {"result": "OK", "stderr": "[  PASSED  ] 1 test(s).\n[  SKIPPED ] 2 test(s), listed below:\n"},
        {"result": "SKIP"},
    ]
    log.write_text("".join(json.dumps(e) + "\n" for e in entries))
    assert run("tally", "meson", log).stdout == "13 5 3\n"


def test_tally_of_junit(run, tmp_path):
    log = tmp_path / "x.xml"
    log.write_text('<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>')
    assert run("tally", "junit", log).stdout == "3 3 3\n"


def test_names_of_failed_tests(run, tmp_path):
    log = tmp_path / "x.xml"
    case = '<testcase classname="tests.net.test_%s" name="%s">%s</testcase>'
    cases = [case % (*words, inside) for words, inside in (
        (("a", "test_one"), ""), (("a", "test_two[tcp port 5]"), "<failure/>"), (("a", "test_two[a@b]"), "<failure/>"), (("a", "test_two[a@b]"), "<error/>"), (("b", "test_three@group"), "<error/>"), (("b", "test_four"), "<skipped/>"))]
    log.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    assert run("tally", "failed", log).stdout == "tests/net/test_a.py::test_two[tcp port 5]\ntests/net/test_a.py::test_two[a@b]\ntests/net/test_b.py::test_three\n"
    log.write_text(f"<testsuites><testsuite>{cases[0]}</testsuite></testsuites>")
    assert run("tally", "failed", log).stdout == ""


@pytest.mark.parametrize("text", [None, "", "{", "<a/>"])
@pytest.mark.parametrize("kind", ["meson", "junit"])
def test_tally_of_nothing_is_a_failure(run, tmp_path, kind, text):
    log = tmp_path / "log"
    if text is not None:
        log.write_text(text)
    assert run("tally", kind, log).stdout == "0 1 0\n"


def test_dependencies_are_there_now(run):
    """Packages that are installed need neither a network nor a word."""
    done = run("install-deps", "build")
    assert (done.returncode, done.stdout) == (0, "")
    assert run("install-deps", "nonsense").returncode == 1


def test_ratchet_of_the_tree_is_kept():
    assert (TOP / "scripts/size-ratchet").is_file()


def defined(*files):
    """Global functions and objects that these objects or libraries define."""
    done = subprocess.run(["nm", "-g", "--defined-only", *files], check=True, capture_output=True, text=True)
    return {fields[2] for line in done.stdout.splitlines() if len(fields := line.split()) == 3}


def test_no_function_is_defined_twice():
    """Tests and tools put nothing of their own in the place of a library's function at link time."""
    build = TOP / "build"
    libraries = {lib.name: defined(lib) for lib in (build / "src").glob("lib*.a")}
    assert len(libraries) > 5
    ours = set().union(*libraries.values())
    assert sum(map(len, libraries.values())) == len(ours), "no two libraries define the same"
    objects = [o for o in build.glob("**/*.o") if ".a.p" not in o.parent.name and "main" not in o.name]
    assert len(objects) > 50
    twice = {o.name: both for o in objects if (both := (defined(o) & ours))}
    assert not twice
