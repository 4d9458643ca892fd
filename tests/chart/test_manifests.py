"""The house rules, applied to what the chart makes in each mode; and each rule shown to fail on a made-up manifest."""

import copy
import pathlib
import unittest

import manifests

ROOT = pathlib.Path(__file__).parents[2]
RENDERED = [*sorted((ROOT / "charts/gudang/tests/golden").glob("*.yaml")), ROOT / "k8s/gudang.yaml"]


class Rendered(unittest.TestCase):
    def test_every_mode_keeps_the_house_rules(self):
        self.assertGreater(len(RENDERED), 3)
        for path in RENDERED:
            made = manifests.read(path)
            wrong = [said for rule in manifests.RULES for document in made for said in rule(document)] + list(manifests.scaled(made))
            self.assertEqual(wrong, [], path.name)

    def test_knative_services_are_restricted_and_name_variables_of_the_chart(self):
        for document in manifests.read(ROOT / "k8s/knative/services.yaml"):
            as_pod = {"kind": "Pod", "metadata": document["metadata"], "spec": document["spec"]["template"]["spec"]}
            self.assertEqual([*manifests.is_restricted(as_pod), *manifests.is_said_once(as_pod), *manifests.has_fixed_images(as_pod)], [])


GOOD = {
    "kind": "Deployment",
    "metadata": {"name": "stock-api", "labels": dict.fromkeys(manifests.LABELS, "gudang")},
    "spec": {
        "replicas": 1,
        "template": {
            "metadata": {"labels": dict.fromkeys(manifests.LABELS, "gudang")},
            "spec": {
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 30,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": "stock",
                        "image": "gudang-stock:1",
                        "env": [{"name": "PORT"}],
                        "resources": {"limits": {"memory": "1Gi"}},
                        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "readinessProbe": {"httpGet": {"path": "/readyz"}},
                        "livenessProbe": {"httpGet": {"path": "/healthz"}},
                        "startupProbe": {"httpGet": {"path": "/healthz"}},
                    }
                ],
            },
        },
    },
}


def broken(change):
    """The good one, with one thing changed in its pod, its container, or itself."""
    document = copy.deepcopy(GOOD)
    spec = document["spec"]["template"]["spec"]
    change(document, spec, spec["containers"][0])
    return document


class Rules(unittest.TestCase):
    def test_what_is_good_passes(self):
        self.assertEqual([said for rule in manifests.RULES for said in rule(GOOD)], [])
        self.assertEqual(list(manifests.scaled([GOOD])), [])

    def test_each_rule_sees_what_it_is_there_for(self):
        for rule, change in [
            (manifests.is_restricted, lambda document, spec, container: spec["securityContext"].pop("runAsNonRoot")),
            (manifests.is_restricted, lambda document, spec, container: spec["securityContext"].update(runAsUser=0)),
            (manifests.is_restricted, lambda document, spec, container: spec["securityContext"].pop("seccompProfile")),
            (manifests.is_restricted, lambda document, spec, container: spec.update(hostNetwork=True)),
            (manifests.is_restricted, lambda document, spec, container: spec.update(volumes=[{"name": "x", "hostPath": {}}])),
            (manifests.is_restricted, lambda document, spec, container: container["securityContext"].pop("capabilities")),
            (manifests.is_restricted, lambda document, spec, container: container["securityContext"].pop("allowPrivilegeEscalation")),
            (manifests.is_restricted, lambda document, spec, container: spec.update(initContainers=[{"name": "x"}])),
            (manifests.writes_nothing, lambda document, spec, container: container["securityContext"].pop("readOnlyRootFilesystem")),
            (manifests.writes_nothing, lambda document, spec, container: spec.pop("automountServiceAccountToken")),
            (manifests.is_looked_after, lambda document, spec, container: container.pop("livenessProbe")),
            (manifests.is_looked_after, lambda document, spec, container: container["readinessProbe"]["httpGet"].update(path="/healthz")),
            (manifests.is_looked_after, lambda document, spec, container: container.pop("lifecycle")),
            (manifests.is_looked_after, lambda document, spec, container: spec.update(terminationGracePeriodSeconds=19)),
            (manifests.is_labelled, lambda document, spec, container: document["metadata"]["labels"].pop(manifests.LABELS[2])),
            (manifests.is_labelled, lambda document, spec, container: document["metadata"].pop("labels")),
            (manifests.is_said_once, lambda document, spec, container: container["env"].append({"name": "PORT"})),
            (manifests.has_fixed_images, lambda document, spec, container: container.update(image="host:5000/gudang-stock")),
            (manifests.has_fixed_images, lambda document, spec, container: container.update(image="gudang-stock:latest")),
            (manifests.has_bounds, lambda document, spec, container: container["resources"].pop("limits")),
            (manifests.leaves_nothing, lambda document, spec, container: document["metadata"].update(annotations={"helm.sh/hook": "test"})),
        ]:
            self.assertNotEqual(list(rule(broken(change))), [], rule.__name__)

    def test_replicas_that_two_say_and_replicas_that_nobody_says_are_seen(self):
        scaler = {"kind": "ScaledObject", "spec": {"scaleTargetRef": {"name": "stock-api"}}}
        self.assertEqual(len(list(manifests.scaled([GOOD, scaler]))), 1)
        self.assertEqual(len(list(manifests.scaled([broken(lambda document, spec, container: document["spec"].pop("replicas"))]))), 1)
        self.assertEqual(len(list(manifests.scaled([scaler]))), 1)


if __name__ == "__main__":
    unittest.main()
