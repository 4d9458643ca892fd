"""Prints a chart's README with the table of its values made anew, of the comments `# -- ...` in values.yaml.

    readme.py values.yaml README.md

A value without such a comment, its own or that of what it is a part of, is an error.
"""

import json
import pathlib
import re
import sys

import yaml

BEGIN = "<!-- begin: values, made by `make k8s` -->\n"
END = "<!-- end: values -->\n"
KEY = re.compile(r"^( *)([A-Za-z][A-Za-z0-9]*):")
COMMENT = re.compile(r"^ *# -- (.*)$")


def comments(text):
    """What is said of which value, by its path."""
    said, path, comment = {}, [], None
    for line in text.splitlines():
        if found := COMMENT.match(line):
            comment = found.group(1)
        elif found := KEY.match(line):
            depth = len(found.group(1)) // 2
            path = [*path[:depth], found.group(2)]
            if comment:
                said[".".join(path)] = comment
            comment = None
        else:
            comment = None
    return said


def rows(values, said, path=""):
    """One row a value, in their order."""
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if here in said:
            yield here, value, said[here]
        elif isinstance(value, dict) and value:
            yield from rows(value, said, here)
        else:
            sys.exit(f"readme.py: no comment `# -- ...` says what {here} is")


def table(text):
    lines = ["| value | default | what it is |", "|---|---|---|"]
    for path, default, comment in rows(yaml.safe_load(text), comments(text)):
        shown = json.dumps(default).replace("|", "\\|")
        lines.append(f"| `{path}` | `{shown}` | {comment.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    values_file, readme = (pathlib.Path(name).read_text() for name in sys.argv[1:])
    before, rest = readme.split(BEGIN)
    print(before + BEGIN + table(values_file) + END + rest.split(END)[1], end="")
