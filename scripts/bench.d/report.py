"""From the rounds to a table and a JSON document."""

import json
import os
import platform
from statistics import median

FIGURES = ("requests_per_cpu_second", "requests_per_second", "p50_ms", "p99_ms", "peak_megabytes")


def medians(rounds):
    """{contestant: {workload: {figure: median}}} out of the list of (contestant, workload, figures)."""
    grouped = {}
    for name, workload, figures in rounds:
        grouped.setdefault(name, {}).setdefault(workload, []).append(figures)
    return {
        name: {workload: {figure: median(run[figure] for run in runs) for figure in FIGURES} for workload, runs in workloads.items()}
        for name, workloads in grouped.items()
    }


def ratios(middle):
    """What the goals are stated in: parts of nginx, and the cost of all layers against none."""
    found = {}
    full, bare, limit = (middle.get(name, {}) for name in ("amanat +trail", "amanat bare", "nginx static"))
    for workload, figures in full.items():
        mine = figures["requests_per_cpu_second"]
        row = found.setdefault(workload, {})
        if workload in limit:
            row["of_nginx"] = mine / limit[workload]["requests_per_cpu_second"]
        if workload in bare:
            row["cost_of_layers"] = bare[workload]["requests_per_cpu_second"] / mine
        for name, workloads in middle.items():
            if not name.startswith(("amanat", "nginx")) and workload in workloads:
                row[f"times {name}"] = mine / workloads[workload]["requests_per_cpu_second"]
    return found


def table(middle, entries):
    """The table as Markdown, so that it can be pasted into docs/performance.md."""
    lines = ["| workload | server | per CPU-second | per second | p50 ms | p99 ms | peak MB |", "|---|---|---:|---:|---:|---:|---:|"]
    workloads = sorted({workload for row in middle.values() for workload in row}, key=("read", "search", "create", "transaction").index)
    for workload in workloads:
        for name, row in middle.items():
            if workload in row:
                lines.append(line(workload, name, row[workload], entries if workload == "transaction" else 1))
    return "\n".join(lines)


def line(workload, name, figures, weight):
    label = f"{workload}, records" if weight > 1 else workload
    each = figures["requests_per_cpu_second"] * weight, figures["requests_per_second"] * weight
    rest = f"{figures['p50_ms']:.2f} | {figures['p99_ms']:.2f} | {figures['peak_megabytes']:.0f}"
    return f"| {label} | {name} | {each[0]:,.0f} | {each[1]:,.0f} | {rest} |"


def goals(document):
    """The goals beside what was measured, all layers on. A goal that this run did not measure has no row."""
    full = document["medians"].get("amanat +trail", {})
    ratio = document["ratios"]
    facts = document["facts"].get("amanat", {})

    def rate(workload, weight=1):
        figures = full.get(workload)
        return figures and figures["requests_per_cpu_second"] * weight

    worst = max((row["cost_of_layers"] for row in ratio.values() if "cost_of_layers" in row), default=None)
    rows = [
        ("read, per CPU-second", "at least 20,000", rate("read"), "{:,.0f}"),
        ("read, part of nginx static", "at least 0.5", ratio.get("read", {}).get("of_nginx"), "{:.2f}"),
        ("search, per CPU-second", "at least 2,500", rate("search"), "{:,.0f}"),
        ("create, per CPU-second", "at least 4,000", rate("create"), "{:,.0f}"),
        ("transaction, records per CPU-second", "at least 7,000", rate("transaction", document["transaction_records"]), "{:,.0f}"),
        ("layers together, worst workload", "at most 1.5 times bare", worst, "{:.2f}"),
        ("start, seconds", "under 1", facts.get("start_seconds"), "{:.2f}"),
        ("idle memory, MB", "under 50", facts.get("idle_megabytes"), "{:.0f}"),
    ]
    lines = ["| goal | wanted | measured |", "|---|---|---:|"]
    lines += [f"| {name} | {wanted} | {shape.format(value)} |" for name, wanted, value, shape in rows if value is not None]
    return "\n".join(lines) if len(lines) > 2 else ""


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((text.split(":", 1)[1].strip() for text in lines if text.startswith("model name")), platform.machine())
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release(), "load_average": os.getloadavg()[0]}


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
