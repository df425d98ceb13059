# SPDX-License-Identifier: Apache-2.0
"""check-openapi finds each way in which the document and the code can differ."""
import pathlib
import shutil

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path):
    (tmp_path / "src/model").mkdir(parents=True)
    (tmp_path / "src/control").mkdir()
    (tmp_path / "api").mkdir()
    for name in ["api/openapi.yaml", "src/control/v1.c", "src/model/kinds.h"]:
        shutil.copy(TOP / name, tmp_path / name)
    for file in (TOP / "src/model").glob("kind_*.c"):
        shutil.copy(file, tmp_path / "src/model")
    return tmp_path


def change(top, name, old, new):
    file = top / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_tree_is_in_step(run):
    done = run("check-openapi", TOP)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "name, old, new, why",
    [
        ("api/openapi.yaml", "  /v1/audit:\n", "  /v1/audits:\n", "GET /v1/audit: is not in the document"),
        ("api/openapi.yaml", "  /v1/audit:\n", "  /v1/audits:\n", "GET /v1/audits: is in the document only"),
        ("api/openapi.yaml", "x-role: capture", "x-role: read", "needs capture, the document says read"),
        ("src/control/v1.c", '"/v1/tokens/{id}", API_ADMIN', '"/v1/tokens/{id}", API_READ', "needs read"),
        ("api/openapi.yaml", "operationId: listPorts", "operationId: listTokens", "listTokens: is missing or there"),
        ("api/openapi.yaml", "{name: agent, in: query", "{name: agents, in: query", "GET /v1/ports: takes"),
        ("api/openapi.yaml", "        sha256:", "        sha512:", "Capture: lacks sha256"),
        ("api/openapi.yaml", "        sha256:", "        sha512:", "Capture: has sha512"),
        ("api/openapi.yaml", "enum: [both, in, out]", "enum: [both, in]", "Capture.direction: has the words"),
        ("api/openapi.yaml", "maximum: 262144", "maximum: 65535", "NewCapture.snaplen: has at most 262144"),
        ("api/openapi.yaml", "maxItems: 16", "maxItems: 17", "NewCapture.points: has at most 16"),
        ("api/openapi.yaml", "required: [type]", "required: [type, points]", "NewCapture: must have"),
        ("api/openapi.yaml", "up: {type: boolean", "up: {type: string", "Port.up: is BOOL"),
        ("api/openapi.yaml", 'mtu: {type: [integer, "null"]', "mtu: {type: integer", "Port.mtu: the document is wrong"),
        ("api/openapi.yaml", "additionalProperties: false", "additionalProperties: true", "takes other fields"),
        ("api/openapi.yaml", "responses/Conflict", "responses/Conflicts", "responses/Conflicts: leads nowhere"),
    ],
)
def test_differences(run, copy, name, old, new, why):
    change(copy, name, old, new)
    done = run("check-openapi", copy)
    assert done.returncode == 1
    assert why in done.stdout
