# SPDX-License-Identifier: Apache-2.0
"""For the tests of the scripts: the tree, and a way to run a script in it."""
import os
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def run():
    """run(script, *words, env={…}, cwd=…) → the finished process, with its output as text."""

    def run_script(script, *words, env=None, cwd=TOP, timeout=60):
        return subprocess.run(
            [str(TOP / "scripts" / script), *map(str, words)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run_script


@pytest.fixture
def tree(tmp_path):
    """tree({path: text}) → a folder with these files."""

    def make(files):
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return make
