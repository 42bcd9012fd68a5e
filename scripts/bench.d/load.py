"""One measured run against a running server: by wrk as fast as it can, or by `pace` at a rate."""

import os
import subprocess
from pathlib import Path

from processes import LOAD_CORE, Failed

HERE = Path(__file__).parent


class Steady:
    """So many requests a second, each due at a time drawn by lot, whatever became of those before it: what `pace` does."""

    def __init__(self, program, certificate, rate):
        self.program, self.certificate, self.rate = str(program), str(certificate), rate

    def run(self, origin, variables, connections, seconds):
        arguments = [origin.replace("127.0.0.1", "localhost"), self.certificate, f"{self.rate:.1f}", str(connections), str(seconds)]
        return figures_of(["taskset", "-c", LOAD_CORE, self.program, *arguments], variables)


def run_wrk(origin, variables, connections, seconds):
    """wrk on the load core; the figures that load.lua prints at the end."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    return figures_of([*command, "--latency", "-s", str(HERE / "load.lua"), origin], variables)


def figures_of(command, variables):
    """What the line says that the load prints at its end."""
    done = subprocess.run(
        command,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("BENCH ")]
    if done.returncode != 0 or not lines:
        raise Failed(f"{command[3]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return {name: int(value) for name, value in (pair.split("=") for pair in lines[0].split()[1:])}


def measure(server, origin, variables, connections, seconds, warm_up=1, load=run_wrk):
    """Warm up for some seconds, then measure. Refused or broken requests make the run worthless, so they end it."""
    word = variables.get("BENCH_RUN", "r")
    load(origin, {**variables, "BENCH_RUN": word + "w"}, connections, warm_up)
    before = server.cpu()
    figures = load(origin, {**variables, "BENCH_RUN": word + "m"}, connections, seconds)
    if not (figures["requests"] or figures["refused"] or figures["broken"]):
        # Slower than the window is long: once more, in one that is ten times as long.
        before = server.cpu()
        figures = load(origin, {**variables, "BENCH_RUN": word + "l"}, connections, 10 * seconds)
    cpu = server.cpu() - before
    if figures["refused"] or figures["broken"] or not figures["requests"]:
        raise Failed(f"{server.name}, {variables['BENCH_KIND']}: {figures}")
    return {
        "requests_per_second": figures["requests"] / (figures["microseconds"] / 1e6),
        # A server that only stands for nobody has no time of its own.
        "requests_per_cpu_second": figures["requests"] / max(cpu, 0.01),
        "p50_ms": figures["p50"] / 1000,
        "p99_ms": figures["p99"] / 1000,
        "requests": figures["requests"],
        "cpu_seconds": cpu,
        "peak_megabytes": server.peak_megabytes(),
    }
