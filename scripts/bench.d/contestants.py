"""Who takes part: nginx as the limit, Amanat layer by layer, and other FHIR servers.

A contestant has a `name`, the `workloads` that it can run, and
    prepare(bundles)   once, before the rounds: load the records
    start()            -> Server; called once a round
    target(workload)   -> (origin, variables for load.lua)
To add a peer, write such a class and name it in PEERS.
"""

import base64
import http.client
import json
import os
import shutil
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from processes import SERVER_CORE, Failed, Server, output

WORKLOADS = ("read", "search", "create", "transaction")
LAYERS = ("none", "token", "scopes", "consent", "trail")
MEDIA_TYPE = "application/fhir+json"


class Material:
    """What all contestants share: certificate, records, request bodies, the folder they work in."""

    def __init__(self, folder, bundles, patients):
        self.folder = folder
        self.bundles = bundles
        self.patients = patients
        self.certificate = folder / "cert.pem"
        self.key = folder / "key.pem"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        output(["openssl", "req", "-x509", *curve, *subject, "-keyout", str(self.key), "-out", str(self.certificate)])
        self.trust = ssl.create_default_context(cafile=str(self.certificate))
        self.transaction = folder / "transaction.json"
        self.create = folder / "create.json"
        self._bodies()

    def _bodies(self):
        with open(self.bundles, encoding="utf-8") as lines:
            first = next(lines)
        self.transaction.write_text(first, encoding="utf-8")
        entries = json.loads(first)["entry"]
        self.entries = len(entries)
        result = next(
            entry["resource"]
            for entry in entries
            if entry["resource"]["resourceType"] == "Observation"
            and entry["resource"]["category"][0]["coding"][0]["code"] == "laboratory"
        )
        del result["id"]
        self.create.write_text(json.dumps(result, separators=(",", ":")), encoding="utf-8")


def ruled(rules, bundles, path):
    """The same Bundles with so many exceptions in each patient's consent that none of the records meets; without consents for 0."""
    with open(bundles, encoding="utf-8") as lines, open(path, "w", encoding="utf-8") as out:
        for patient, line in enumerate(lines):
            bundle = json.loads(line)
            if rules == 0:
                bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] != "Consent"]
            for entry in bundle["entry"]:
                if entry["resource"]["resourceType"] == "Consent" and rules > 1:
                    # The permit itself is the first rule.
                    entry["resource"]["provision"]["provision"] = [exception(patient, number) for number in range(rules - 1)]
            out.write(json.dumps(bundle, separators=(",", ":")) + "\n")


def exception(patient, number):
    """A denial by label, by code or by date, each number another one, and those by code another for each patient."""
    sensitivities = ("HIV", "PSY", "ETH", "SDV", "STD", "GDIS", "SCA")
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": sensitivities[number % len(sensitivities)]}
    code = {"coding": [{"system": "http://loinc.org", "code": f"none-{patient}-{number}"}]}
    year = 1800 + number
    criteria = ({"securityLabel": [label]}, {"code": [code]}, {"dataPeriod": {"start": f"{year}-01-01", "end": f"{year}-12-31"}})
    return {"type": "deny", **criteria[number % len(criteria)]}


def connect(port, trust):
    if trust is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    return http.client.HTTPSConnection("localhost", port, timeout=120, context=trust)


def ask(port, trust, method, path, token="", body=None):
    """One request outside the measurement: to load, and to see that the answer is the one meant."""
    headers = {"Accept": MEDIA_TYPE}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers["Content-Type"] = MEDIA_TYPE
    connection = connect(port, trust)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status not in (200, 201):
        raise Failed(f"{method} {path} answered {answer.status}: {content[:600].decode(errors='replace')}")
    return content


def post_bundles(material, port, trust, path, token, workers=4):
    """Loads every Bundle; gives back records per second."""
    with open(material.bundles, encoding="utf-8") as lines:
        started = time.monotonic()
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(ask, port, trust, "POST", path or "/", token, line.encode()) for line in lines]
            for job in jobs:
                job.result()
    return len(jobs) * material.entries / (time.monotonic() - started)


def probe(material, port, trust, base, token):
    """The bytes of one read and one search, having seen that they are the right ones."""
    read = ask(port, trust, "GET", f"{base}/Patient/b000001", token)
    if json.loads(read).get("id") != "b000001":
        raise Failed("the read gave back another record")
    query = "/Observation?patient=b000001&category=laboratory&_count=20"
    search = ask(port, trust, "GET", base + query, token)
    matches = [entry for entry in json.loads(search).get("entry", []) if entry["resource"]["resourceType"] == "Observation"]
    if len(matches) != 20:
        raise Failed(f"the search found {len(matches)} of 20 results")
    return {"read": read, "search": search}


def load_variables(material, kind, base, token, run):
    return {
        "BENCH_KIND": kind,
        "BENCH_BASE": base,
        "BENCH_TOKEN": token,
        "BENCH_PATIENTS": str(material.patients),
        "BENCH_BODY": str(material.transaction if kind == "transaction" else material.create),
        "BENCH_RUN": run,
    }


class Nginx:
    """A static file of the same size over TLS, on the same core: as fast as an answer can leave."""

    name = "nginx static"
    workloads = ("read", "search")
    port = 18442

    def __init__(self, material, samples):
        self.material = material
        self.folder = material.folder / "nginx"
        (self.folder / "files").mkdir(parents=True)
        for kind, content in samples.items():
            (self.folder / "files" / f"{kind}.json").write_bytes(content)
        self.configuration = self.folder / "nginx.conf"
        self.configuration.write_text(self._text(), encoding="utf-8")

    def _text(self):
        scratch = "".join(
            f"  {name}_temp_path {self.folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # Started by root, nginx would hand its worker to a user who cannot see this folder.
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""
{user}
daemon off;
worker_processes 1;
pid {self.folder}/pid;
error_log {self.folder}/error.log;
events {{ worker_connections 1024; }}
http {{
{scratch}
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 100000000;
  open_file_cache max=16;
  types {{ {MEDIA_TYPE} json; }}
  server {{
    listen 127.0.0.1:{self.port} ssl;
    ssl_certificate {self.material.certificate};
    ssl_certificate_key {self.material.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    root {self.folder}/files;
  }}
}}
"""

    def prepare(self):
        return {}

    def start(self):
        return Server(self.name, ["nginx", "-p", str(self.folder), "-c", str(self.configuration)], self.port)

    def target(self, workload, _run):
        return f"https://127.0.0.1:{self.port}", {"BENCH_KIND": "fixed", "BENCH_BASE": f"/{workload}.json"}


class Gateway:
    """The commands of `amanat` that the bench needs, all in one place, and one data folder loaded with every layer on."""

    port = 18443
    management = 19443
    core = SERVER_CORE
    base = "/fhir"
    client = "hospital"
    scope = "system/*.cruds"

    def __init__(self, material, binary, extra, name="amanat", policy="Policy-deny", at=0):
        """`at` tells apart gateways that run at the same time."""
        self.material = material
        self.port, self.management = self.port + 10 * at, self.management + 10 * at
        self.binary = str(binary)
        self.folder = material.folder / name
        self.seed = material.folder / f"{name}-loaded"
        self.extra = extra
        self.policy = policy
        self.folder.mkdir()
        self.configuration = self.folder / "amanat.toml"
        self.configuration.write_text(self._text(), encoding="utf-8")
        self._register()

    def _text(self):
        return f"""
[server]
listen = "127.0.0.1:{self.port}"
base_url = "https://localhost:{self.port}{self.base}"
management_listen = "127.0.0.1:{self.management}"
[tls]
certificate = "{self.material.certificate}"
key = "{self.material.key}"
[store]
url = "sqlite:amanat.db"
[consent]
implicit_policy = "{self.policy}"
{self.extra}
"""

    def _register(self):
        key = self.material.folder / "hospital.jwk"
        key.write_text(json.dumps(public_jwk(self.material.folder)), encoding="utf-8")
        place = ["--config", str(self.configuration)]
        # As the consents of the records have it: the hospital, for treatment. Without them nothing would be shown.
        grounds = ["--organization", "Organization/hospital", "--purpose", "TREAT", "--may-choose-ids"]
        output(
            [self.binary, "client", "add", self.client, *place, "--scope", self.scope, "--jwks", str(key), *grounds],
            cwd=self.folder,
        )

    def token(self):
        return output([self.binary, "token", "--config", str(self.configuration), "--client", self.client]).strip()

    def serve(self, layers):
        return Server(
            f"amanat {layers}",
            [self.binary, "serve", "--config", str(self.configuration)],
            self.port,
            environment={"AMANAT_BENCH_LAYERS": layers, "AMANAT_LOG": "warn"},  # as nginx, without an access log
            folder=self.folder,
            log=str(self.material.folder / f"{self.folder.name}.log"),
            core=self.core,
        )

    def load(self):
        """Loads the records through the API as the hospital and keeps the folder as the state that every run begins with."""
        server = self.serve(LAYERS[-1])
        try:
            token = self.token()
            rate = post_bundles(self.material, self.port, self.material.trust, self.base, token)
            samples = probe(self.material, self.port, self.material.trust, self.base, token)
        finally:
            server.stop()
        shutil.copytree(self.folder, self.seed)
        return rate, samples

    def idle(self):
        """Seconds from the command to the first answer, and resident megabytes after two quiet seconds, over the loaded store."""
        started = time.monotonic()
        server = self.serve(LAYERS[-1])
        try:
            # The port takes connections before the store is open, and answers after.
            ask(self.port, self.material.trust, "GET", f"{self.base}/metadata")
            answered = time.monotonic() - started
            time.sleep(2)
            return {"start_seconds": answered, "idle_megabytes": server.resident_megabytes()}
        finally:
            server.stop()

    def rewind(self):
        shutil.rmtree(self.folder)
        shutil.copytree(self.seed, self.folder)


class Amanat:
    """The gateway with its layers of enforcement up to one of them."""

    workloads = WORKLOADS

    def __init__(self, gateway, layers, name=None):
        self.gateway = gateway
        self.layers = layers
        self.name = name or ("amanat bare" if layers == "none" else f"amanat +{layers}")

    def prepare(self):
        return {}

    def start(self):
        self.gateway.rewind()
        server = self.gateway.serve(self.layers)
        self.token = self.gateway.token()
        return server

    def target(self, workload, run):
        gateway = self.gateway
        variables = load_variables(gateway.material, workload, gateway.base, self.token, run)
        return f"https://127.0.0.1:{gateway.port}", variables


class Hfs:
    """Helios FHIR Server, plain HTTP, SQLite, no token and no audit: its quickest form. Building it takes half an hour:
    cargo install helios-hfs --version 0.2.7 --locked --root DIR, then --peer hfs --hfs-binary DIR/bin/hfs
    """

    name = "Helios HFS"
    workloads = WORKLOADS
    port = 18444

    def __init__(self, material, options):
        if not options.hfs_binary:
            raise Failed("--peer hfs needs --hfs-binary; how to build it stands in docs/performance.md")
        self.material = material
        self.binary = options.hfs_binary
        self.folder = material.folder / "hfs"
        self.seed = material.folder / "hfs-loaded"
        self.folder.mkdir()

    def prepare(self):
        server = self._serve()
        try:
            rate = post_bundles(self.material, self.port, None, "", "", workers=1)
            probe(self.material, self.port, None, "", "")
        finally:
            server.stop()
        shutil.copytree(self.folder, self.seed)
        return {"load_records_per_second": rate}

    def _serve(self):
        command = [self.binary, "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--database-url", str(self.folder / "hfs.db"), "--log-level", "error"]
        return Server(self.name, command, self.port, folder=self.folder, log=str(self.material.folder / "hfs.log"))

    def start(self):
        shutil.rmtree(self.folder)
        shutil.copytree(self.seed, self.folder)
        return self._serve()

    def target(self, workload, run):
        return f"http://127.0.0.1:{self.port}", load_variables(self.material, workload, "", "", run)


class Hapi:
    """HAPI FHIR's JPA server over a database in memory (scripts/bench.d/hapi), plain HTTP: nothing durable, no token, no consent, no audit.
    It is loaded anew at each start, and warmed up for longer, since a JVM is slow until it has compiled what is asked often.
    """

    name = "HAPI FHIR"
    workloads = WORKLOADS
    warm_up = 8
    port = 18445
    base = "/fhir"

    def __init__(self, material, options):
        if not options.hapi_folder:
            raise Failed("--peer hapi needs --hapi-folder; how to build it stands in docs/performance.md")
        self.material = material
        self.folder = Path(options.hapi_folder).resolve()

    def prepare(self):
        return {}

    def start(self):
        command = ["java", "-Xmx1500m", "-cp", "classes:lib/*", "Hapi", str(self.port)]
        log = str(self.material.folder / "hapi.log")
        server = Server(self.name, command, self.port, folder=str(self.folder), log=log, patience=180)
        try:
            rate = post_bundles(self.material, self.port, None, self.base, "", workers=1)
            print(f"{self.name} loaded at {rate:,.0f} records a second", file=sys.stderr)
            probe(self.material, self.port, None, self.base, "")
        except BaseException:
            server.stop()
            raise
        return server

    def target(self, workload, run):
        return f"http://127.0.0.1:{self.port}", load_variables(self.material, workload, self.base, "", run)


PEERS = {"hapi": Hapi, "hfs": Hfs}


def public_jwk(folder):
    """The public half of a fresh P-384 key. The point is the last 96 bytes of its DER form."""
    pem = folder / "hospital-key.pem"
    output(["openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", str(pem)])
    der = folder / "hospital-key.der"
    output(["openssl", "ec", "-in", str(pem), "-pubout", "-outform", "DER", "-out", str(der)])
    point = Path(der).read_bytes()[-96:]
    half = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (point[:48], point[48:])]
    return {"kty": "EC", "crv": "P-384", "alg": "ES384", "use": "sig", "kid": "bench", "x": half[0], "y": half[1]}
