"""One measured run of wrk against a running server."""

import os
import subprocess
from pathlib import Path

from processes import LOAD_CORE, Failed

HERE = Path(__file__).parent


def run_wrk(origin, variables, connections, seconds):
    """wrk on the load core; the figures that load.lua prints at the end."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "--latency", "-s", str(HERE / "load.lua"), origin],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("BENCH ")]
    if done.returncode != 0 or not lines:
        raise Failed(f"wrk ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return {name: int(value) for name, value in (pair.split("=") for pair in lines[0].split()[1:])}


def measure(server, origin, variables, connections, seconds, warm_up=1):
    """Warm up for some seconds, then measure. Refused or broken requests make the run worthless, so they end it."""
    word = variables.get("BENCH_RUN", "r")
    run_wrk(origin, {**variables, "BENCH_RUN": word + "w"}, connections, warm_up)
    before = server.cpu()
    figures = run_wrk(origin, {**variables, "BENCH_RUN": word + "m"}, connections, seconds)
    if not (figures["requests"] or figures["refused"] or figures["broken"]):
        # Slower than the window is long: once more, in one that is ten times as long.
        before = server.cpu()
        figures = run_wrk(origin, {**variables, "BENCH_RUN": word + "l"}, connections, 10 * seconds)
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
