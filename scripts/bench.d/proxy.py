"""What a gateway in front of a FHIR server adds: Amanat with all layers on beside nginx as a plain TLS reverse proxy, both before the same
server, and the server by itself.

The server behind is nginx that serves FHIR answers from files, so that it costs next to nothing itself; or, with `--behind amanat`, a FHIR
server: a second Amanat without its layers, in the clear. It runs on the load generator's core: what is measured is the core of whoever
stands in front.
"""

import json
import os
import sys
from statistics import median

from contestants import LAYERS, MEDIA_TYPE, Gateway, ask, load_variables, post_bundles, probe
from load import Steady, measure, run_wrk
from processes import LOAD_CORE, Server

BEHIND = 18440
WORKLOADS = ("read", "search")


class Behind:
    """The records as files, and the nginx that serves them."""

    def __init__(self, material):
        self.material = material
        self.folder = material.folder / "behind"
        self.files = self.folder / "files"
        (self.files / "found").mkdir(parents=True)
        self.statement = {}
        self._write()
        self.configuration = self.folder / "nginx.conf"
        self.configuration.write_text(server_text(self.folder, f"listen 127.0.0.1:{BEHIND};", self._locations()), encoding="utf-8")

    def _write(self):
        consents = []
        with open(self.material.bundles, encoding="utf-8") as lines:
            for line in lines:
                results, patient = [], ""
                for entry in json.loads(line)["entry"]:
                    record = entry["resource"]
                    record.setdefault("meta", {}).update(versionId="1", lastUpdated="2026-01-01T00:00:00Z")
                    kind = record["resourceType"]
                    self.statement.setdefault(kind, None)
                    if kind == "Consent":
                        consents.append(record)
                    if kind == "Patient":
                        patient = record["id"]
                    if kind == "Observation" and record["category"][0]["coding"][0]["code"] == "laboratory":
                        results.append(record)
                    (self.files / kind).mkdir(exist_ok=True)
                    (self.files / kind / f"{record['id']}.json").write_text(compact(record), encoding="utf-8")
                own = f"http://127.0.0.1:{BEHIND}/fhir/Observation?patient=Patient/{patient}&category=laboratory"
                (self.files / "found" / f"{patient}.json").write_text(bundle(results[:20], own), encoding="utf-8")
        own = f"http://127.0.0.1:{BEHIND}/fhir"
        (self.files / "consents.json").write_text(bundle(consents, f"{own}/Consent"), encoding="utf-8")
        (self.files / "nothing.json").write_text(bundle([], own), encoding="utf-8")
        types = [{"type": kind, "interaction": [{"code": "read"}, {"code": "search-type"}],
                  "searchParam": [{"name": name, "type": "token"} for name in ("patient", "category", "subject")]}
                 for kind in self.statement]
        statement = {"resourceType": "CapabilityStatement", "status": "active", "kind": "instance", "fhirVersion": "4.0.1",
                     "rest": [{"mode": "server", "resource": types}]}
        (self.files / "metadata.json").write_text(compact(statement), encoding="utf-8")

    def _locations(self):
        return """
    location = /fhir/metadata { try_files /metadata.json =404; }
    location = /fhir/Consent { try_files /consents.json =404; }
    location = /fhir/Observation { try_files /found/$asked.json /nothing.json; }
    location ~ ^/fhir/([A-Z][A-Za-z]+)/([a-z0-9-]+)$ { try_files /$1/$2.json =404; }
    location /fhir/ { try_files /nothing.json =404; }
"""

    def start(self):
        command = ["nginx", "-p", str(self.folder), "-c", str(self.configuration)]
        return Server("the server behind", command, BEHIND, core=LOAD_CORE)


class BehindAmanat(Gateway):
    """The records in a second Amanat, which stands open on this machine alone."""

    port = BEHIND
    management = BEHIND + 1000
    core = LOAD_CORE

    def __init__(self, material, binary, extra):
        super().__init__(material, binary, extra, name="behind")
        server = self.start()
        try:
            post_bundles(material, self.port, None, self.base, "")
        finally:
            server.stop()

    def _text(self):
        return f"""
[server]
listen = "127.0.0.1:{self.port}"
base_url = "http://127.0.0.1:{self.port}{self.base}"
management_listen = "127.0.0.1:{self.management}"
[store]
url = "sqlite:amanat.db"
[consent]
implicit_policy = "Policy-all-normal"
"""

    def start(self):
        return self.serve("none")


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def bundle(records, own):
    entries = [{"fullUrl": f"http://127.0.0.1:{BEHIND}/fhir/{one['resourceType']}/{one['id']}", "resource": one,
                "search": {"mode": "match"}} for one in records]
    return compact({"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "self", "url": own}], "entry": entries})


def server_text(folder, listen, locations, upstream=""):
    """nginx with one worker, as in `contestants.Nginx`."""
    scratch = "".join(f"  {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
{scratch}
  access_log off;
  tcp_nodelay on;
  keepalive_requests 100000000;
  open_file_cache max=20000;
  types {{ {MEDIA_TYPE} json; }}
  map $args $asked {{ "~patient=(?:Patient(?:%2F|/))?(?<who>[a-z0-9]+)" $who; default none; }}
{upstream}
  server {{
    {listen}
    root {folder}/files;
{locations}
  }}
}}
"""


class Direct:
    """The server behind, asked without anybody in between, in the clear."""

    name = "direct"
    workloads = WORKLOADS

    def __init__(self, material):
        self.material = material

    def start(self):
        return Server("nothing", ["sleep", "3600"], None)

    def target(self, workload, run):
        return f"http://127.0.0.1:{BEHIND}", load_variables(self.material, workload, "/fhir", "", run)


class ReverseProxy:
    """nginx that takes TLS off and passes on, over connections that stay."""

    name = "nginx reverse proxy"
    workloads = WORKLOADS
    port = 18441

    def __init__(self, material):
        self.material = material
        self.folder = material.folder / "reverse"
        self.folder.mkdir()
        upstream = f"  upstream behind {{ server 127.0.0.1:{BEHIND}; keepalive 64; keepalive_requests 100000000; }}"
        listen = f"listen 127.0.0.1:{self.port} ssl; ssl_certificate {material.certificate}; ssl_certificate_key {material.key};"
        locations = 'location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }'
        self.configuration = self.folder / "nginx.conf"
        self.configuration.write_text(server_text(self.folder, listen, locations, upstream), encoding="utf-8")

    def start(self):
        server = Server(self.name, ["nginx", "-p", str(self.folder), "-c", str(self.configuration)], self.port)
        probe(self.material, self.port, self.material.trust, "/fhir", "")
        return server

    def target(self, workload, run):
        return f"https://127.0.0.1:{self.port}", load_variables(self.material, workload, "/fhir", "", run)


class Front(Gateway):
    """The gateway in front of the server; only its ledger is its own."""

    def _text(self):
        text = super()._text()
        store = f'url = "http://127.0.0.1:{BEHIND}/fhir"\nledger = "sqlite:amanat.db"'
        return text.replace('url = "sqlite:amanat.db"', store)


class Amanat:
    """All layers on, each record decided by its patient's own consent."""

    workloads = WORKLOADS

    def __init__(self, material, gateway, layers):
        self.material = material
        self.gateway = gateway
        self.layers = layers
        self.name = "amanat in front" if layers == LAYERS[-1] else f"amanat in front, {layers}"

    def start(self):
        server = self.gateway.serve(self.layers)
        try:
            self.token = self.gateway.token()
            ask(self.gateway.port, self.material.trust, "GET", "/fhir/metadata")
            probe(self.material, self.gateway.port, self.material.trust, "/fhir", self.token)
        except BaseException:
            server.stop()
            raise
        return server

    def target(self, workload, run):
        return f"https://localhost:{self.gateway.port}", load_variables(self.material, workload, "/fhir", self.token, run)


def compare(material, binary, options, pace):
    """Rows of {server, workload, load, figures}: as fast as each can, then each at half of what the gateway can."""
    behind = Behind(material) if options.behind == "files" else BehindAmanat(material, binary, options.config_extra)
    layers = options.layers.split(",") if options.layers != ",".join(LAYERS) else [LAYERS[-1]]
    rows, beneath = [], behind.start()
    try:
        gateway = Front(material, binary, options.config_extra)
        entrants = [Direct(material), ReverseProxy(material), *(Amanat(material, gateway, one) for one in layers)]
        for number in range(options.rounds):
            most = {}
            for entrant in entrants:
                rows += each(entrant, number, options, "all it can", lambda _: run_wrk, most)
            # The same for everybody.
            half = {workload: Steady(pace, material.certificate, most[("amanat in front", workload)] / 2).run for workload in WORKLOADS}
            for entrant in entrants:
                rows += each(entrant, number, options, "half", half.get, {})
    finally:
        beneath.stop()
    return rows


def each(entrant, number, options, load, by, most):
    rows, server = [], entrant.start()
    try:
        for workload in WORKLOADS:
            origin, variables = entrant.target(workload, f"n{number}")
            figures = measure(server, origin, variables, options.connections, options.seconds, load=by(workload))
            most[(entrant.name, workload)] = figures["requests_per_second"]
            rows.append({"server": entrant.name, "workload": workload, "load": load, **figures})
            told = f"{figures['requests_per_second']:8,.0f}/s {figures['requests_per_cpu_second']:8,.0f}/CPU-s p99 {figures['p99_ms']:.2f}"
            print(f"round {number + 1}  {entrant.name:22} {workload:8} {load:10} {told}", file=sys.stderr)
    finally:
        server.stop()
    return rows


def table(rows):
    """Medians of the rounds as Markdown."""
    lines = ["| workload | load | server | per CPU-second | per second | p50 ms | p99 ms | peak MB |", "|---|---|---|---:|---:|---:|---:|---:|"]
    seen = dict.fromkeys((row["workload"], row["load"], row["server"]) for row in rows)
    for workload, load, server in sorted(seen, key=lambda one: (one[0], one[1])):
        same = [row for row in rows if (row["workload"], row["load"], row["server"]) == (workload, load, server)]
        middle = {name: median(row[name] for row in same) for name in ("requests_per_cpu_second", "requests_per_second", "p50_ms", "p99_ms", "peak_megabytes")}
        rate = "" if server == "direct" else f"{middle['requests_per_cpu_second']:,.0f}"
        rest = f"{middle['requests_per_second']:,.0f} | {middle['p50_ms']:.2f} | {middle['p99_ms']:.2f} | {middle['peak_megabytes']:.0f}"
        lines.append(f"| {workload} | {load} | {server} | {rate} | {rest} |")
    return "\n".join(lines)
