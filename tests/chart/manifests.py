"""House rules of Kubernetes manifests. Each is a function of one document that says what is wrong with it, as sentences; none knows the chart's insides."""

import yaml

WORKLOADS = ("Deployment", "StatefulSet", "Job", "Pod")
LABELS = tuple(f"app.kubernetes.io/{label}" for label in ("name", "instance", "component"))


def read(path):
    """The documents in a file."""
    return [document for document in yaml.load_all(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if document]


def pod(document):
    """The pod's metadata and spec in a workload; nothing in anything else."""
    if document["kind"] == "Pod":
        return document["metadata"], document["spec"]
    if document["kind"] in WORKLOADS:
        template = document["spec"]["template"]
        return template["metadata"], template["spec"]
    return None, None


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


def name(document):
    return f"{document['kind']} {document['metadata']['name']}"


def is_restricted(document):
    """Pod Security's profile `restricted`, https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    _, spec = pod(document)
    if spec is None:
        return
    whole = spec.get("securityContext", {})
    for flag in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(flag):
            yield f"{name(document)}: {flag}"
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}:
            yield f"{name(document)}: volume {volume['name']} is of {kinds}"
    for container in containers(spec):
        own = container.get("securityContext", {})
        where = f"{name(document)}, container {container['name']}"
        if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
            yield f"{where}: it may gain privileges"
        if own.get("capabilities", {}) != {"drop": ["ALL"]}:
            yield f"{where}: it has capabilities"
        if not own.get("runAsNonRoot", whole.get("runAsNonRoot")) or own.get("runAsUser", whole.get("runAsUser")) == 0:
            yield f"{where}: it may be root"
        if own.get("seccompProfile", whole.get("seccompProfile")) != {"type": "RuntimeDefault"}:
            yield f"{where}: it has no seccomp profile"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"{where}: it takes a port of the node"


def is_gudangs(document):
    """Whether its pod runs a program of Gudang's."""
    metadata, _ = pod(document)
    return metadata is not None and metadata["labels"].get("app.kubernetes.io/name") == "gudang"


def writes_nothing(document):
    """Gudang's own containers have a root file system that is only read, and no token of the cluster."""
    if not is_gudangs(document):
        return
    _, spec = pod(document)
    for container in containers(spec):
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{name(document)}, container {container['name']}: its root file system can be written"
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{name(document)}: it has a token of the cluster"


def is_looked_after(document):
    """Every service says when it is ready and whether it lives, and has the time that an orderly stop takes."""
    if document["kind"] != "Deployment" or not is_gudangs(document):
        return
    _, spec = pod(document)
    for container in spec["containers"]:
        for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/healthz"), ("startupProbe", "/healthz")):
            if container.get(probe, {}).get("httpGet", {}).get("path") != path:
                yield f"{name(document)}, container {container['name']}: its {probe} is not {path}"
        sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if spec.get("terminationGracePeriodSeconds", 30) < sleep + 15:
            yield f"{name(document)}: it is killed before an orderly stop is over"
        if name(document).endswith("-api") and sleep < 1:
            yield f"{name(document)}: it stops listening while others still call it"


def is_labelled(document):
    """Everything and every pod has the three labels that people look for things by."""
    metadata, _ = pod(document)
    for where, labels in (("", document["metadata"].get("labels", {})), (" (its pods)", (metadata or {"labels": dict.fromkeys(LABELS)})["labels"])):
        for label in LABELS:
            if label not in labels:
                yield f"{name(document)}{where}: no label {label}"


def is_said_once(document):
    """Helm 4 applies on the server, which refuses a variable that is there twice."""
    _, spec = pod(document)
    for container in containers(spec) if spec else []:
        names = [variable["name"] for variable in container.get("env", [])]
        for twice in sorted({found for found in names if names.count(found) > 1}):
            yield f"{name(document)}, container {container['name']}: {twice} is there twice"


def has_fixed_images(document):
    """No image whose meaning changes by itself; those have another pull policy, too."""
    _, spec = pod(document)
    for container in containers(spec) if spec else []:
        last = container["image"].rsplit("/", 1)[-1]
        if "@sha256:" not in last and (":" not in last or last.endswith(":latest")):
            yield f"{name(document)}: the image {container['image']} has no fixed version"


def has_bounds(document):
    """Nothing takes all of a node's memory."""
    _, spec = pod(document)
    for container in containers(spec) if spec else []:
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"{name(document)}, container {container['name']}: no limit of memory"


def leaves_nothing(document):
    """Helm removes no hook by itself, so each must remove itself."""
    annotations = document["metadata"].get("annotations", {})
    policy = annotations.get("helm.sh/hook-delete-policy", "").split(",")
    if "helm.sh/hook" in annotations and not {"hook-succeeded", "before-hook-creation"} <= set(policy):
        yield f"{name(document)}: a hook that stays"


RULES = (
    is_restricted,
    writes_nothing,
    is_looked_after,
    is_labelled,
    is_said_once,
    has_fixed_images,
    has_bounds,
    leaves_nothing,
)


def scaled(documents):
    """What a scaler owns and says its replicas all the same, or nobody owns and does not say them."""
    owned = {
        document["spec"]["scaleTargetRef"]["name"] for document in documents if document["kind"] in ("ScaledObject", "HorizontalPodAutoscaler")
    }
    for document in documents:
        if document["kind"] == "Deployment" and ("replicas" in document["spec"]) == (document["metadata"]["name"] in owned):
            yield f"{name(document)}: replicas are for {'its scaler' if document['metadata']['name'] in owned else 'the chart'} to say"
    there = {document["metadata"]["name"] for document in documents if document["kind"] == "Deployment"}
    yield from (f"{target} is scaled and is not there" for target in sorted(owned - there))
