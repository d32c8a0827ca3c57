#!/usr/bin/env python3
"""Runs every query of packaging/grafana/snug.json, and of the alerts that docs/metrics.md advises, in a Prometheus
that watches a service while it makes pictures: each must be valid, and answer something where the service has its
metrics. Before that, and without Prometheus: every name and label is in the list of docs/metrics.md, and the
file is what Grafana 9 and later load. `./dev test` fetches Prometheus where it is not installed.

usage: grafana_test.py SNUG
"""

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True  # no folder of it beside the sources
from crash_test import Server  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
DASHBOARD = ROOT / "packaging" / "grafana" / "snug.json"
OLDEST_SCHEMA = 36  # of Grafana 9.0
GRID_COLUMNS = 24
SCRAPES = 6

problems: list[str] = []


def check(condition: bool, text: str) -> None:
    if not condition:
        problems.append(text)


def metric_list() -> dict[str, set[str]]:
    """Label names by metric; the parts of histograms too."""
    metrics = {}
    for line in (ROOT / "docs/metrics.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `snug_") or len(cells) != 6:
            continue
        name, labels = cells[0].strip("`"), set(re.findall(r"`(\w+)`", cells[4]))
        if cells[1] == "histogram":
            metrics[name + "_bucket"] = labels | {"le"}
            metrics[name + "_sum"] = metrics[name + "_count"] = labels
        else:
            metrics[name] = labels
    return metrics


def panels_of(board: dict) -> list[dict]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions(board: dict) -> list[tuple[str, str]]:
    found = [(panel["title"], target["expr"]) for panel in panels_of(board) for target in panel["targets"]]
    document = (ROOT / "docs/metrics.md").read_text()
    found += [("docs/metrics.md", expr.strip()) for expr in re.findall(r"^  expr: (.*)$", document, re.M)]
    return found


def names_of(expr: str) -> set[str]:
    return set(re.findall(r"\bsnug_\w+", expr))


def check_names(title: str, expr: str, metrics: dict[str, set[str]]) -> None:
    names = names_of(expr)
    check(bool(names), f"{title}: no metric in {expr}")
    for name in names:
        check(name in metrics, f"{title}: there is no metric {name}")
    known = {"instance"}.union(*(metrics.get(name, set()) for name in names))
    used = set()
    for matchers in re.findall(r"\{([^}]*)\}", expr):
        used |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    for grouping in re.findall(r"\b(?:by|without) \(([^)]*)\)", expr):
        used |= {label.strip() for label in grouping.split(",")}
    check(used <= known, f"{title}: no label {used - known} in {expr}")


def check_board(board: dict) -> None:
    check(board["schemaVersion"] >= OLDEST_SCHEMA, "the schema is older than Grafana 9")
    check(board["uid"] == "snug" and board["title"] == "Snug" and "id" not in board, "not as it is imported")
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    check(variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus",
          "the data source is no variable")
    ids = [panel["id"] for panel in board["panels"]]
    check(len(ids) == len(set(ids)), "two panels have one id")
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                check(x < GRID_COLUMNS and (x, y) not in taken, f"{panel['title']} lies on {taken.get((x, y))}")
                taken[x, y] = panel["title"]
    for panel in panels_of(board):
        title = panel["title"]
        check(bool(panel["description"]) and bool(panel["fieldConfig"]["defaults"]["unit"]), f"{title} says too little")
        check(bool(panel["targets"]), f"{title} asks nothing")
        for part in [panel, *panel["targets"]]:
            check(part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, f"{title}: a fixed data source")
        references = [target["refId"] for target in panel["targets"]]
        check(len(references) == len(set(references)), f"{title}: two queries have one name")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Prometheus:
    def __init__(self, program: str, folder: Path, target_port: int):
        self.port = free_port()
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n"
            f"scrape_configs: [{{job_name: snug, static_configs: [{{targets: ['127.0.0.1:{target_port}']}}]}}]\n")
        self.log = (folder / "prometheus.log").open("w")
        self.process = subprocess.Popen(
            [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)

    def query(self, expr: str) -> list:
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": expr})
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None

    def scrapes(self) -> int:
        try:
            result = self.query("count_over_time(snug_build_info[5m])")
        except OSError:
            return 0
        return int(result[0]["value"][1]) if result else 0

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()


def make_pictures(server: Server, seed: int) -> None:
    request = {"prompt": "a castle", "seed": seed, "steps": 2, "width": 64, "height": 64}
    status, body = server.call("POST", "/api/v1/jobs", request)
    check(status in (200, 202), f"a job was refused: {status} {body!r}")


def filled_in(expr: str) -> str:
    return expr.replace("$__rate_interval", "1m").replace("$instance", ".*")


# Examples of alerts have no answer while nothing is wrong; nor has the rate of what did not happen.
MAY_BE_EMPTY = ("docs/metrics.md", "Errors of the service a second")


def run_queries(prometheus: Prometheus, board: dict, page: str) -> None:
    there = set(re.findall(r"^(snug_\w+)", page, re.M))
    answered = absent = 0
    for title, expr in expressions(board):
        try:
            result = prometheus.query(filled_in(expr))
        except ValueError as error:
            check(False, f"{title}: {expr}\n  {error}")
            continue
        if names_of(expr) <= there and title not in MAY_BE_EMPTY:
            check(bool(result), f"{title}: no answer to {expr}")
            answered += 1
        else:
            absent += 1
    check(answered >= 30, f"only {answered} queries had metrics to ask for")
    print(f"grafana_test: {answered} queries answered, {absent} valid ones ask for what is not there now")


def check_page(page: str) -> None:
    promtool = shutil.which("promtool")
    if promtool:
        checked = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True)
        check(checked.returncode == 0, f"promtool check metrics: {checked.stdout}{checked.stderr}")


def watch(program: str, snug: str, board: dict, folder: Path) -> None:
    server = Server(snug, folder)
    server.start()
    try:
        prometheus = Prometheus(program, folder, server.port)
        try:
            deadline = time.monotonic() + 120
            seed = 0
            while prometheus.scrapes() < SCRAPES and time.monotonic() < deadline:
                make_pictures(server, seed // 2)  # each twice: the second comes from the cache
                seed += 1
                time.sleep(0.5)
            check(prometheus.scrapes() >= SCRAPES, "Prometheus does not read the page")
            page = server.call("GET", "/metrics")[1].decode()
            check_page(page)
            run_queries(prometheus, board, page)
        finally:
            prometheus.stop()
    finally:
        server.stop()


def main() -> None:
    board = json.loads(DASHBOARD.read_text())
    metrics = metric_list()
    check_board(board)
    for title, expr in expressions(board):
        check_names(title, expr, metrics)
    program = shutil.which("prometheus")
    if program and not problems:
        with tempfile.TemporaryDirectory(prefix="snug-grafana-") as folder:
            watch(program, sys.argv[1], board, Path(folder))
    elif not program:
        print("grafana_test: prometheus is not here, the queries are checked by the list of metrics alone")
    for problem in problems:
        print(f"grafana_test: {problem}", file=sys.stderr)
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
