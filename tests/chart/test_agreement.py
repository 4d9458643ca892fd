"""What the chart must say as others say it: the programs' settings and metrics, the images of the Dockerfile, the servers of docker-compose.yml."""

import json
import pathlib
import re
import unittest

import manifests
import yaml

ROOT = pathlib.Path(__file__).parents[2]
CHART = ROOT / "charts/gudang"
GOLDEN = sorted((CHART / "tests/golden").glob("*.yaml"))
SERVICES = ("product", "stock", "notification", "analytics")


def text(path):
    return (ROOT / path).read_text()


def settings(*paths):
    """The environment variables of a program's configuration: fields whose flag has an `env`."""
    flag = re.compile(r"#\[arg\((?:[^()]|\([^()]*\))*?\benv\b(?:[^()]|\([^()]*\))*\)\]\s*(?:#\[[^\n]*\]\s*)*(?:pub(?:\(\w+\))? )?(\w+):")
    return {name.upper() for path in paths for name in flag.findall(text(path).split("#[cfg(test)]")[0])}


def values():
    return yaml.safe_load((CHART / "values.yaml").read_text())


def environment(container):
    return {variable["name"] for variable in container.get("env", [])}


class Agreement(unittest.TestCase):
    def test_every_setting_of_the_programs_is_a_value(self):
        # By K_SERVICE Knative says that it is there.
        shared = settings("crates/host/src/flags.rs") - {"K_SERVICE"}
        self.assertTrue({"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_GROUP_ID", "RUST_LOG"} <= shared, shared)
        deployments = [document for path in GOLDEN for document in manifests.read(path) if document["kind"] == "Deployment"]
        containers = [container for document in deployments for container in document["spec"]["template"]["spec"]["containers"]]
        everywhere = set().union(*map(environment, containers))
        for service in SERVICES:
            own = settings(f"functions/{service}/src/config.rs")
            if service == "notification":
                own |= settings("functions/notification/src/flags.rs")
            self.assertTrue(own, service)
            said = set().union(*(environment(container) for container in containers if container["name"] == service))
            missing = (own - said) | (shared - everywhere)
            self.assertEqual(missing, set(), f"{service} has settings that no mode in charts/gudang/ci sets: add a value, and set it in one of them")

    def test_every_metric_that_alerts_and_dashboard_name_is_measured(self):
        code = "".join(path.read_text() for folder in ("crates", "functions") for path in (ROOT / folder).glob("*/src/**/*.rs"))
        measured = set(re.findall(r'"(gudang_[a-z_]+)"', code))
        named = set(re.findall(r"gudang_[a-z_]+", text("charts/gudang/templates/prometheusrule.yaml") + text("charts/gudang/dashboards/gudang.json")))
        self.assertGreater(len(named), 10)
        self.assertEqual({name for name in named if name not in measured and re.sub("_(bucket|sum|count)$", "", name) not in measured}, set())

    def test_versions_are_those_of_the_programs(self):
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        workspace = re.search(r'^version = "(.*)"$', text("Cargo.toml"), re.M).group(1)
        self.assertEqual((chart["appVersion"], chart["version"]), (workspace, workspace))
        for document in yaml.safe_load_all(text("k8s/knative/services.yaml")):
            image = document["spec"]["template"]["spec"]["containers"][0]["image"]
            self.assertTrue(image.endswith(f":{workspace}"), image)

    def test_images_and_ports_are_those_of_the_dockerfile(self):
        dockerfile = text("Dockerfile")
        targets = set(re.findall(r"^FROM base AS (\w+)$", dockerfile, re.M))
        named = {service: values()[service]["image"]["repository"] for service in SERVICES}
        self.assertEqual(set(named), targets - {"gudang"})
        self.assertEqual(set(named.values()), {f"gudang-{service}" for service in SERVICES})
        for service in SERVICES:
            self.assertIn(f"ENV PORT={values()[service]['port']}\n", dockerfile)

    def test_the_servers_of_dev_are_those_of_docker_compose(self):
        composed = {service.get("image") for service in yaml.safe_load(text("docker-compose.yml"))["services"].values()}
        for server in ("postgresql", "kafka", "redis", "elasticsearch"):
            image = values()["dev"][server]["image"].removeprefix("docker.io/").removeprefix("library/")
            self.assertIn(image, composed)

    def test_who_consumes_what_is_what_the_command_line_prepares(self):
        helper = text("charts/gudang/templates/_names.tpl")
        consumed = json.loads(re.search(r'^\{"product".*\}$', helper, re.M).group(0))
        prepared = text("functions/gudang/src/topics.rs")
        names = {"ProductEvents": "product-events", "StockChanges": "stock-changes"}
        for service, topics in re.findall(r'\("(\w+)", &(\[[\w, ]+\]|both)\)', prepared):
            wanted = sorted(names.values()) if topics == "both" else [names[topic] for topic in topics.strip("[]").split(", ")]
            self.assertEqual(sorted(consumed[service]), wanted, service)
        sources = {document["metadata"]["name"]: document["spec"]["topics"] for document in yaml.safe_load_all(text("k8s/knative/sources.yaml"))}
        self.assertEqual(sources, {f"gudang-{service}": topics for service, topics in consumed.items()})

    def test_kind_and_minikube_have_the_ports_that_people_know(self):
        given = yaml.safe_load(text("k8s/node-ports-values.yaml"))
        ports = {given[service]["service"]["nodePort"]: values()[service]["port"] for service in SERVICES}
        mapped = yaml.safe_load(text("k8s/kind.yaml"))["nodes"][0]["extraPortMappings"]
        self.assertEqual({mapping["containerPort"]: mapping["hostPort"] for mapping in mapped}, ports)

    def test_knative_services_are_told_only_what_the_programs_know(self):
        known = settings("crates/host/src/flags.rs", *(f"functions/{service}/src/config.rs" for service in SERVICES))
        for document in yaml.safe_load_all(text("k8s/knative/services.yaml")):
            self.assertLessEqual(environment(document["spec"]["template"]["spec"]["containers"][0]), known, document["metadata"]["name"])

    def test_nothing_in_values_is_open_to_typing_errors(self):
        schema = json.loads((CHART / "values.schema.json").read_text())

        def resolved(part):
            reference = part.get("$ref", "").removeprefix("#/definitions/")
            return schema["definitions"][reference] if reference else part

        def walk(part, given, path):
            part = resolved(part)
            if isinstance(given, dict) and "properties" in part:
                self.assertIs(part.get("additionalProperties"), False, f"{path} takes anything")
                for key, value in given.items():
                    walk(part["properties"][key], value, f"{path}.{key}")
                if given:
                    self.assertEqual(set(part["properties"]) - {"global"} - set(given), set(), f"{path} has values that values.yaml does not show")

        walk(schema, values(), "values")


if __name__ == "__main__":
    unittest.main()
