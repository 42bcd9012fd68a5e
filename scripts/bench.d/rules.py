"""What consent rules cost: one loaded gateway for each number of rules, all of them running, asked in turns for moments.

A machine that others share is twice as fast in one minute as in the next. What is compared here was measured within seconds of each
other, and of many such comparisons the middle one counts. Each window begins where the last left off: no store is copied, no page is cold.
"""

import statistics
import sys

import contestants
from load import measure


def compare(folder, binary, options):
    """A row for each window."""
    numbers = [int(number) for number in options.rules.split(",")]
    entrants = [entrant(folder, binary, options, at, rules) for at, rules in enumerate(numbers)]
    servers = [gateway.serve(contestants.LAYERS[-1]) for gateway, _ in entrants]
    try:
        # Each page of each store once, before anything counts.
        for server, one in zip(servers, entrants):
            for workload in ("read", "search"):
                window(server, one, workload, "warm", options, 3)
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
    """Every gateway once for each workload; every other round in the opposite order."""
    order = list(range(len(numbers)))
    if number % 2:
        order.reverse()
    for workload in ("read", "search"):
        for at in order:
            figures = window(servers[at], entrants[at], workload, f"n{number}", options, options.seconds)
            print(f"round {number + 1}  {numbers[at]:4} rules  {workload:8} {figures['requests_per_cpu_second']:12,.0f} per CPU-second", file=sys.stderr)
            yield {"round": number, "rules": numbers[at], "workload": workload, **figures}


def window(server, one, workload, run, options, seconds):
    gateway, material = one
    variables = contestants.load_variables(material, workload, gateway.base, gateway.token(), run)
    return measure(server, f"https://127.0.0.1:{gateway.port}", variables, options.connections, seconds)


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
