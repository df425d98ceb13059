# SPDX-License-Identifier: Apache-2.0
"""Names for what differs from run to run, in requests and answers."""


def put_in(text, variables):
    """"$x" becomes its value, in any text of a path or body; the longest name that fits."""
    if isinstance(text, str):
        for name in sorted(variables, key=len, reverse=True):
            text = text.replace("$" + name, variables[name])
        return text
    if isinstance(text, dict):
        return {k: put_in(v, variables) for k, v in text.items()}
    return [put_in(v, variables) for v in text] if isinstance(text, list) else text


def take_out(value, variables):
    """The other way around."""
    if isinstance(value, str):
        for name, is_ in variables.items():
            value = value.replace(is_, "$" + name)
        return value
    if isinstance(value, dict):
        return {k: take_out(v, variables) for k, v in value.items()}
    return [take_out(v, variables) for v in value] if isinstance(value, list) else value


def find(value, path):
    for part in path.split("."):
        value = value[int(part) if part.isdigit() else part]
    return value
