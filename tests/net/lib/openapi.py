# SPDX-License-Identifier: Apache-2.0
"""Requests and answers, held against api/openapi.yaml: a service may neither take what the document refuses, nor answer otherwise than
the document says."""

import json
import re
import urllib.parse

import jsonschema
import yaml

from .tools import ROOT

FORMATS = jsonschema.FormatChecker(formats=("uuid",))
NUMBER = re.compile(r"-?\d+\Z")
# statuses of requests that are refused before there is a route, or that any route may have; "What is refused" of the document has them
ANYWHERE = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 413: "ContentTooLarge", 414: "UriTooLong", 429: "TooManyRequests",
            431: "HeadersTooLarge", 503: "Unavailable"}


@FORMATS.checks("date-time")
def is_time(value):
    return not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value) is not None


class Document:
    """The document, and which of its operations and answers were met."""

    def __init__(self, path=ROOT / "api/openapi.yaml"):
        self.document = yaml.safe_load(path.read_text())
        self.resolver = jsonschema.RefResolver("", self.document)
        self.met = set()
        self.paths = [(re.compile("".join(r"[^/]+" if p.startswith("{") else re.escape(p) for p in re.split(r"(\{\w+\})", path))), path)
                      for path in self.document["paths"]]

    def faults(self, schema, value):
        judge = jsonschema.Draft202012Validator(schema, resolver=self.resolver, format_checker=FORMATS)
        return [f"/{'/'.join(str(p) for p in e.absolute_path)}: {e.message[:300]}" for e in judge.iter_errors(value)]

    def follow(self, node):
        return self.resolver.resolve(node["$ref"])[1] if "$ref" in node else node

    def operation(self, method, path):
        """Its path in the document and the operation; None: there is none, and the status that says so."""
        for form, name in self.paths:
            if form.fullmatch(path):
                item = self.document["paths"][name]
                found = item.get("get" if method == "HEAD" else method.lower())
                if found is None:
                    return name, None, 405
                return name, {**found, "parameters": item.get("parameters", []) + found.get("parameters", [])}, None
        return path, None, 404

    def wrong_with_request(self, operation, path, query, body):
        """Its faults by the document, in words."""
        given = [self.follow(p) for p in operation["parameters"]]
        found = []
        names = [p for p in given if p["in"] == "path"]
        for p in names:
            found += self.faults(p["schema"], path.split("/")[3]) if p["name"] == "id" else []
        known = {p["name"]: p for p in given if p["in"] == "query"}
        seen = set()
        for name, text in query:
            found += [f"{name}: is not in the document"] if name not in known else []
            found += [f"{name}: is there twice"] if name in seen else []
            seen.add(name)
            if name in known:
                kind = known[name]["schema"].get("type")
                value = int(text) if kind == "integer" and NUMBER.match(text) else {"true": True, "false": False}.get(text, text) if kind == "boolean" else text
                found += self.faults(known[name]["schema"], value)
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            try:
                found += self.faults(schema, json.loads(body or b""))
            except (ValueError, RecursionError):
                found.append("the body is no JSON")
        return found

    def check(self, method, target, body, answer):
        """Fails where the service and the document differ."""
        path, _, query = target.partition("?")
        if not path.startswith("/v1") and path != "/healthz":
            return  # another program's routes
        name, operation, status = self.operation(method, urllib.parse.unquote(path))
        what = f"{method} {target[:200]} {str(body)[:300]} -> {answer}"
        if operation is None:
            assert answer.status in (status, *ANYWHERE), f"not in the document: {what}"
            return
        wrong = self.wrong_with_request(operation, urllib.parse.unquote(path), urllib.parse.parse_qsl(query, keep_blank_values=True), body)
        assert not wrong or answer.status >= 400, f"the document refuses it ({wrong}): {what}"
        responses = operation["responses"]
        if str(answer.status) in responses:
            said = self.follow(responses[str(answer.status)])
        else:
            assert answer.status in ANYWHERE, f"no such answer in the document: {what}"
            said = self.document["components"]["responses"][ANYWHERE[answer.status]]
        self.met.add((method, name, answer.status))
        kind = (answer.headers["Content-Type"] or "").partition(";")[0]
        content = said.get("content")
        if content is None:
            assert not answer.body and not kind, f"it has no body in the document: {what}"
            return
        assert kind in content, f"{kind} is not in the document: {what}"
        if (kind == "application/json" or kind.endswith("+json")) and method != "HEAD":
            faults = self.faults(content[kind].get("schema", {}), answer.json())
            assert not faults, f"{faults}: {what}"


DOCUMENT = Document()
