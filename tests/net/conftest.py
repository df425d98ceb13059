# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the network tests. Each test has a folder for what its programs write; that of a failed test is kept."""

import atexit
import os
import re
import shutil
import signal

import pytest

from lib import lab as labs
from lib.farspan import farspan
from lib.tools import BUILD, TOOLS

# for `make test-long` only
collect_ignore = [] if os.environ.get("FARSPAN_LONG") else ["test_soak.py"]
WORK = BUILD / "net-work"
FAILURES = BUILD / "net-failures"


def pytest_configure(config):
    for line in ("harness: proves the tests' own instruments, without the product",
                 "product: runs farspan (FARSPAN names it, else the build folder's)",
                 "big: sends a million frames (FARSPAN_NET_FRAMES changes that)",
                 "xdist_group(name): for pytest-xdist: tests of a group follow each other",
                 "background(begin, **options of Lab): begin(lab) is called at the start of the run, and the test, which comes last, judges "
                 "what became of it while the others ran"):
        config.addinivalue_line("markers", line)


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the network tests make namespaces: run them as root", 2)
    if not (TOOLS / "framegen").exists():
        pytest.exit(f"build first: {TOOLS} is not there (meson setup build && ninja -C build)", 2)
    if not farspan().exists():
        pytest.exit(f"build first: {farspan()} is not there", 2)
    # in the background of a script interrupts are ignored, and so they would be by all that is started here
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # a polite request to end is an interrupt too, so that everything is taken away
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    labs.own_folders()
    labs.remove_leftovers()
    atexit.register(labs.close_all)


def pytest_sessionfinish(session):
    left = labs.close_all()
    if left:
        print(f"\nnamespaces that a test left behind, now removed: {' '.join(left)}")


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker("harness" if "test_harness" in item.nodeid else "product")
    items.sort(key=lambda item: item.get_closest_marker("background") is not None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.net_failed = True
        where = FAILURES / folder_name(item)
        report.sections.append(("network", f"captures, logs and ledgers are kept in {where}"))


def folder_name(item):
    return re.sub(r"[^\w.-]+", "_", item.nodeid.removeprefix("tests/net/").replace(".py::", "-"))


def make_folder(item):
    where = WORK / folder_name(item)
    for old in (where, FAILURES / folder_name(item)):
        shutil.rmtree(old, ignore_errors=True)
    where.mkdir(parents=True)
    return where


def done_with_folder(item, where):
    if getattr(item, "net_failed", False):
        FAILURES.mkdir(parents=True, exist_ok=True)
        shutil.move(where, FAILURES / folder_name(item))
    else:
        shutil.rmtree(where, ignore_errors=True)


@pytest.fixture
def folder(request):
    """An empty folder for the test."""
    where = make_folder(request.node)
    yield where
    done_with_folder(request.node, where)


@pytest.fixture(scope="session", autouse=True)
def in_background(request):
    """The work that the tests marked `background` have begun: a lab and the result of `begin`, or the error, for each of them."""
    begun = {}
    for item in request.session.items:
        marker = item.get_closest_marker("background")
        if not marker:
            continue
        try:
            lab = labs.Lab(make_folder(item), **marker.kwargs)
            begun[item.nodeid] = lab, marker.args[0](lab, **(item.callspec.params if hasattr(item, "callspec") else {})), None
        except Exception as error:  # the test itself tells it
            begun[item.nodeid] = None, None, error
    return begun


@pytest.fixture
def begun(request, in_background):
    """(lab, what begin returned) of a test marked `background`."""
    lab, result, error = in_background[request.node.nodeid]
    if error:
        raise error
    yield lab, result
    lab.close()
    done_with_folder(request.node, lab.folder)


@pytest.fixture
def make_lab(folder):
    """make_lab(name='', **options of Lab): labs that are taken down after the test, whatever happens."""
    made = []

    def make(name="", **options):
        made.append(labs.Lab(folder / name, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def lab(make_lab):
    """The usual laboratory: one tap host, one watched interface."""
    return make_lab()
