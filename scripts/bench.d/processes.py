"""Servers under measurement: started on their core, watched through /proc, stopped by their own id."""

import os
import signal
import socket
import subprocess
import time

SERVER_CORE = "0"
LOAD_CORE = "1"
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """The bench cannot go on; the text says why."""


def family(root):
    """The process and all that descend from it: a server may fork workers."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, []))
    return found


def cpu_seconds(pid):
    """User and system time of a process, all its threads together, so far."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def status_megabytes(pid, field):
    """A size from /proc/PID/status: `VmHWM` is the peak, `VmRSS` is now."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def answers(port):
    """Whether somebody listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Server:
    """One server process with its descendants, pinned to a core: the server's, unless it only stands behind one."""

    def __init__(self, name, command, port, environment=None, folder=None, log=None, patience=60, core=SERVER_CORE):
        self.name = name
        self.port = port
        self.log = log or os.devnull
        self.patience = patience
        if port and answers(port):
            raise Failed(f"{name} cannot be started: something else listens on port {port}")
        started = time.monotonic()
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                ["taskset", "-c", core, *command],
                env={**os.environ, **(environment or {})},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._wait(started)
        self.seconds_to_start = time.monotonic() - started

    def _wait(self, started):
        while time.monotonic() - started < self.patience:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode} while starting:\n{self._tail()}")
            if not self.port or answers(self.port):
                return
            time.sleep(0.005)
        self.stop()
        raise Failed(f"{self.name} did not listen on port {self.port} within {self.patience} seconds:\n{self._tail()}")

    def _tail(self):
        if self.log == os.devnull:
            return ""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-20:])

    def cpu(self):
        return sum(cpu_seconds(pid) for pid in family(self.process.pid))

    def peak_megabytes(self):
        return sum(status_megabytes(pid, "VmHWM") for pid in family(self.process.pid))

    def resident_megabytes(self):
        return sum(status_megabytes(pid, "VmRSS") for pid in family(self.process.pid))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def output(command, **options):
    """What a command prints; its own words when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
