"""What consent rules cost: one loaded gateway for each number of rules, all of them asked at the same time on the same core.

A machine that others share is twice as fast in one moment as in the next, and that falls on all alike here: what is compared is how many
requests each answered for the processor's time that it used, in the same seconds. No store is copied before, and no page is cold.
"""

import statistics
import sys
from concurrent.futures import ThreadPoolExecutor

import contestants
from load import measure


def compare(folder, binary, options):
    """A row for each window."""
    numbers = [int(number) for number in options.rules.split(",")]
    entrants = [entrant(folder, binary, options, at, rules) for at, rules in enumerate(numbers)]
    servers = [gateway.serve(contestants.LAYERS[-1]) for gateway, _ in entrants]
    try:
        # Each page of each store once, before anything counts.
        for workload in ("read", "search"):
            together(servers, entrants, workload, "warm", options)
        return [row for number in range(options.rounds) for row in one_round(number, numbers, entrants, servers, options)]
    finally:
        for server in servers:
            server.stop()


def entrant(folder, binary, options, at, rules):
    """A gateway whose patients have so many rules, loaded. Without rules everything is open by policy."""
    place = folder / f"rules-{rules}"
    place.mkdir()
    contestants.ruled(rules, folder / "bundles.ndjson", place / "bundles.ndjson")
    material = contestants.Material(place, place / "bundles.ndjson", options.patients)
    policy = "Policy-all-normal" if rules == 0 else "Policy-deny"
    gateway = contestants.Gateway(material, binary, options.config_extra, policy=policy, at=at)
    gateway.load()
    return gateway, material


def one_round(number, numbers, entrants, servers, options):
    """All gateways at the same time, for each workload."""
    for workload in ("read", "search"):
        for rules, figures in zip(numbers, together(servers, entrants, workload, f"n{number}", options)):
            print(f"round {number + 1}  {rules:4} rules  {workload:8} {figures['requests_per_cpu_second']:12,.0f} per CPU-second", file=sys.stderr)
            yield {"round": number, "rules": rules, "workload": workload, **figures}


def together(servers, entrants, workload, run, options):
    def asked(server, one):
        gateway, material = one
        variables = contestants.load_variables(material, workload, gateway.base, gateway.token(), run)
        connections = max(options.connections // len(servers), 1)
        return measure(server, f"https://127.0.0.1:{gateway.port}", variables, connections, options.seconds, warm_up=2)

    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(asked, servers, entrants))


def table(rows):
    """Medians, and of the ratios to the first number of rules in the same round the median and the quartiles."""
    numbers = list(dict.fromkeys(row["rules"] for row in rows))
    rates = {(row["round"], row["workload"], row["rules"]): row["requests_per_cpu_second"] for row in rows}
    lines = ["| workload | rules | per CPU-second | of that without | quartiles |", "|---|---:|---:|---:|---|"]
    for workload in dict.fromkeys(row["workload"] for row in rows):
        for rules in numbers:
            mine = {turn: rate for (turn, kind, count), rate in rates.items() if (kind, count) == (workload, rules)}
            ratios = sorted(rate / rates[turn, workload, numbers[0]] for turn, rate in mine.items())
            low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
            lines.append(f"| {workload} | {rules} | {statistics.median(mine.values()):,.0f} | {middle:.3f} | {low:.3f} to {high:.3f} |")
    return "\n".join(lines)
