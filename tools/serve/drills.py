#!/usr/bin/env python3
"""Drills of hone serve: what must hold when it is killed, reloaded, told to end, deserted, or runs out of something.

    tools/serve/drills.py [--model MODEL] [NAME...]

Speaks TAP; ends with 1 when something does not hold. Everything is on loopback and bounded in time. Drills that need root or room
that is not there are skipped, and say what was missing.
"""
import argparse
from common import *


class Skip(Exception):
    pass


class Drill:
    """The lines of one drill."""

    def __init__(self, a, name, folder):
        self.a, self.name, self.folder, self.lines = a, name, folder, []

    def check(self, holds, what, found=""):
        self.lines.append((bool(holds), f"{self.name}: {what}", str(found)))

    def server(self, *options, **more):
        return Server(self.a.hone, self.a.model, self.folder, *options, **more)

    def load(self, server, *options):
        return Load(server, self.a.workload, *options)

    def check_clean(self, told, what):
        self.check(not told["errors"] and told["good"] == told["requests"] > 0, what, f"{told['good']} of {told['requests']}, errors {told['errors']}")

    def check_end(self, server, what="ends with 0 when told to"):
        code = server.stop()
        self.check(code == 0, what, f"exit {code}")


def drill_kill(d):
    """Killed under load: the next one takes its place, at the same port and socket, with its history."""
    path = os.path.join(d.folder, "socket")
    with d.server("--socket", path) as server:
        load = d.load(server, "--concurrency", 16, "--duration", 10, "--lengths", "5:20")
        d.check(wait_until(lambda: server.metrics()["hone_requests_finished_total"] > 20, 30), "answers under load")
        time.sleep(2)  # a few seconds of history
        server.signal(signal.SIGKILL)
        server.process.wait()
        with d.server("--socket", path, port=server.port) as again:
            told = load.end()
            d.check(set(told["errors"]) <= {"connect", "reset", "cut"}, "clients see connections that end, nothing else", told["errors"])
            told = d.load(again, "--concurrency", 8, "--requests", 50, "--lengths", "5:20").end()
            d.check_clean(told, "the next one at the same port and socket answers all")
            d.check(not again.log_lines("error"), "the next one finds nothing wrong", again.log_lines("error")[:1])
            d.check_end(again)


def drill_reload(d):
    """SIGHUP under load: no request fails."""
    with d.server() as server:
        load = d.load(server, "--concurrency", 16, "--duration", 8, "--lengths", "5:40")
        for count in range(1, 4):
            time.sleep(1)
            server.signal(signal.SIGHUP)
            done = lambda: server.metrics().get('hone_model_reloads_total{model_name="%s",result="done"}' % server.name,
                                                server.metrics()["hone_model_reloads_total"]) == count
            d.check(wait_until(done, 60), f"reload {count} is done", server.metrics()["hone_model_reloads_total"])
        d.check_clean(load.end(), "no request failed")
        d.check(wait_until(server.rests, 10), "pages are back to zero")
        d.check(not server.log_lines("error"), "no error in the log", server.log_lines("error")[:1])
        d.check_end(server)


def drill_drain(d):
    """SIGTERM under load: what was taken is answered, what comes later is told so, and the exit code is 0."""
    with d.server("--drain-timeout", "60") as server:
        load = d.load(server, "--concurrency", 32, "--duration", 60, "--lengths", "20:60")
        d.check(wait_until(lambda: server.metrics()["hone_requests_finished_total"] > 32, 60), "answers under load")
        server.signal(signal.SIGTERM)
        code = server.process.wait(90)
        told = load.end(stop=True)
        d.check(code == 0, "exit code 0", code)
        lost = {k: v for k, v in told["errors"].items() if k not in ("503", "connect", "unfinished")}
        d.check(not lost, "no answer was cut off", told["errors"])
        d.check(told["errors"].get("unfinished", 0) == 0, "nobody waits for an answer that does not come", told["errors"])
        lines = [line for line in map(json.loads, open(server.log)) if line["event"] == "stop"]
        d.check(lines and "everything was answered" in lines[-1]["message"], "the log says that everything was answered", lines)


def drill_crowd(d):
    """1000 connections that say nothing and 256 that stream."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 4096:
        raise Skip(f"at most {hard} descriptors may be open here")
    with d.server(files=4096) as server:
        quiet = server.rss_mb()
        load = d.load(server, "--concurrency", 256, "--requests", 1024, "--lengths", "10:30", "--idle", 1000)
        most = 0
        while load.process.poll() is None:
            most = max(most, server.metrics()["hone_http_connections"])
            time.sleep(0.2)
        told = load.end()
        d.check_clean(told, "all are answered")
        d.check(most >= 1256, "1256 connections at once", most)
        d.check(told["idle_closed"] == 0, "none of the silent ones was dropped", told["idle_closed"])
        d.check(server.rss_mb() - quiet < 1500, "memory", f"{quiet:.0f} MB before, {server.rss_mb():.0f} MB after")
        d.check(wait_until(lambda: server.metrics()["hone_http_connections"] <= 1, 10), "connections are back to one")
        d.check(wait_until(server.rests, 10), "pages are back to zero")
        d.check_end(server)


def drill_departure(d):
    """100 clients that leave at once are cancelled within two steps."""
    with d.server("--max-batch-size", "128") as server:
        load = d.load(server, "--concurrency", 100, "--duration", 60, "--lengths", d.a.longest)

        def is_busy():
            figures = server.metrics()
            return figures["hone_requests_running"] + figures["hone_requests_queued"] >= 98 and figures["hone_decode_steps_total"] > 100
        d.check(wait_until(is_busy, 30), "100 requests are in progress")
        before = server.metrics()
        load.process.send_signal(signal.SIGINT)  # it closes all connections and ends
        told = load.end()
        left = told["errors"].get("unfinished", 0)
        d.check(wait_until(server.rests, 10, 0.005), "pages are back to zero")
        after = server.metrics()
        cancelled = after["hone_requests_cancelled_total"] - before["hone_requests_cancelled_total"]
        finished = after["hone_requests_finished_total"] - before["hone_requests_finished_total"]
        d.check(left == 100 and 90 <= cancelled <= 100 <= cancelled + finished, "those that left are cancelled",
                f"{left} left, {cancelled:.0f} cancelled, {finished:.0f} finished between the readings")
        # The figures were read a moment before they left: the steps of that moment count, too.
        steps = after["hone_decode_steps_total"] - before["hone_decode_steps_total"]
        seconds = after["hone_step_actual_seconds_total"] - before["hone_step_actual_seconds_total"]
        each = seconds / steps if steps else 0
        moment = d.a.moment_s
        d.check(steps <= 2 + moment / each if each else True, f"within two steps (and those of the {1000 * moment:.0f} ms between reading and leaving)",
                f"{steps:.0f} steps of {1000 * each:.1f} ms")
        d.check(server.is_well(), "answers afterwards")
        d.check_end(server)


def drill_descriptors(d):
    """No descriptor is left: it goes on with those it has, and takes new connections again once there are some."""
    with d.server(files=96) as server:
        held, refused = [], 0
        stream = http.client.HTTPConnection(server.host, server.port, timeout=60)
        stream.connect()
        try:
            for _ in range(150):
                try:
                    held.append(socket.create_connection((server.host, server.port), timeout=0.2))
                except OSError:
                    refused += 1
            time.sleep(0.5)
            d.check(server.descriptors() >= 94, "all descriptors are taken", server.descriptors())
            stream.request("POST", "/v1/completions", json.dumps({"prompt": [0, 5, 6, 2], "max_tokens": 8}))
            d.check(stream.getresponse().status == 200, "who is connected is answered")
            ticks = lambda: sum(map(int, open(f"/proc/{server.pid}/stat").read().rsplit(")", 1)[1].split()[11:13]))
            begun = ticks()
            time.sleep(1)
            d.check(ticks() - begun < 50, "does not spin meanwhile", f"{ticks() - begun} ticks in a second")
        finally:
            for one in held:
                one.close()
            stream.close()
        d.check(wait_until(server.is_well, 10), "takes connections again")
        told = d.load(server, "--concurrency", 16, "--requests", 64, "--lengths", "5:10").end()
        d.check_clean(told, "answers all afterwards")
        d.check_end(server)


def drill_disk(d):
    """The disk of log and history is full: it goes on, and writes again once there is room."""
    room = os.path.join(d.folder, "small")
    os.mkdir(room)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "hone-drill", room], capture_output=True, text=True)
    if mount.returncode:
        raise Skip(f"no tmpfs can be mounted: {mount.stderr.strip()}")
    try:
        filler = os.path.join(room, "filler")
        with d.server(log=os.path.join(room, "log"), history=os.path.join(room, "history.sqlite")) as server:
            time.sleep(2)
            with open(filler, "wb", buffering=0) as f:
                try:
                    while f.write(b"x" * 512):
                        pass
                except OSError as error:
                    d.check(error.errno == 28, "the disk is full", error)
            told = d.load(server, "--concurrency", 8, "--duration", 8, "--lengths", "5:10").end()
            d.check_clean(told, "answers all without room")
            d.check(server.metrics()["hone_log_lines_dropped_total"] > 0, "lines that were lost are counted", server.metrics()["hone_log_lines_dropped_total"])
            d.check(server.ask("GET", "/health")[0] == 200, "is in health")
            os.unlink(filler)
            size = os.path.getsize(server.log)
            told = d.load(server, "--concurrency", 4, "--requests", 20, "--lengths", "5:10").end()
            d.check_clean(told, "answers all with room")
            d.check(os.path.getsize(server.log) > size, "logs again")
            d.check_end(server)
            with open(server.log) as f:
                broken = sum(1 for line in f if not line.endswith("\n") or not is_json(line))
            d.check(broken <= 1, "at most the line that met the end of the disk is cut", f"{broken} broken lines")
    finally:
        subprocess.run(["umount", room], check=False)
    with d.server(log="/dev/full") as server:
        told = d.load(server, "--concurrency", 4, "--requests", 20, "--lengths", "5:10").end()
        d.check_clean(told, "answers all with a log that takes nothing")
        d.check_end(server)


def is_json(line):
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def make_cgroup(bytes_limit):
    """(folder, file that tells what was used at most): a memory cgroup below this process's, version 2 or 1."""
    for base, limit, most in (("/sys/fs/cgroup", "memory.max", "memory.peak"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes")):
        folder = os.path.join(base, f"hone-drill-{os.getpid()}")
        try:
            os.mkdir(folder)
        except OSError:
            continue
        try:
            with open(os.path.join(folder, limit), "r+") as f:  # made by the kernel where the folder is a cgroup
                f.write(str(bytes_limit))
            return folder, os.path.join(folder, most)
        except OSError:
            os.rmdir(folder)
    raise Skip("no memory cgroup can be made here")


def drill_memory(d):
    """A memory limit that the kernel holds it to: it is never killed for what it takes."""
    try:
        d.server("--memory-limit", "1M")
        raise RuntimeError("a server started with a limit of 1 MB")
    except RuntimeError as refusal:
        least = re.search(r"ended with 4: .*takes at least (\d+) MB", str(refusal))
        d.check(least, "says what it takes at least", str(refusal)[:200])
    limit_mb = int(least[1]) + 8
    folder, most = make_cgroup(limit_mb << 20)

    def enter():
        with open(os.path.join(folder, "cgroup.procs"), "w") as f:
            f.write(str(os.getpid()))
    try:
        with d.server("--memory-limit", f"{limit_mb}M", before=enter) as server:
            load = d.load(server, "--concurrency", 128, "--requests", 512, "--lengths", d.a.longest, "--idle", 200)
            time.sleep(1)
            server.signal(signal.SIGHUP)  # the model that comes and the one that goes together, too
            told = load.end()
            d.check(set(told["errors"]) <= {"503"} and told["good"] > 0, "answers, or says that it has no room",
                    f"{told['good']} of {told['requests']}, errors {told['errors']}")
            d.check(server.process.poll() is None, "lives")
            with open(most) as f:
                used = int(f.read()) >> 20
            d.check(used <= limit_mb, "stays below its limit", f"{used} of {limit_mb} MB; {server.rss_mb():.0f} MB resident")
            d.check_end(server)
    finally:
        wait_until(lambda: not open(os.path.join(folder, "cgroup.procs")).read(), 10)
        os.rmdir(folder)


DRILLS = {name[6:]: function for name, function in list(globals().items()) if name.startswith("drill_")}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(ap)
    ap.add_argument("--longest", default="60", help="tokens of long answers (default: 60)")
    ap.add_argument("--moment-s", type=float, default=0.05, help="between two looks from outside (default: 0.05)")
    ap.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DRILLS))
    a = ap.parse_args()
    unknown = [name for name in a.names if name not in DRILLS]
    if unknown:
        ap.error(f"there is no drill '{unknown[0]}': {', '.join(DRILLS)}")
    number = failed = 0
    sources = tempfile.TemporaryDirectory(prefix="hone-drill-")
    a.workload = a.workload or make_workload(sources.name)
    for name in a.names or DRILLS:
        print(f"# {DRILLS[name].__doc__.strip()}", flush=True)
        folder = tempfile.mkdtemp(prefix="hone-drill-")
        drill = Drill(a, name, folder)
        try:
            DRILLS[name](drill)
        except Skip as reason:
            drill.lines.append((True, f"{name} # SKIP {reason}", ""))
        except Exception as error:  # a drill that breaks off does not hold
            drill.check(False, "breaks off", f"{type(error).__name__}: {error}")
        for holds, what, found in drill.lines:
            number += 1
            failed += not holds
            print(f"{'ok' if holds else 'not ok'} {number} - {what}{f' ({found})' if found else ''}", flush=True)
        if all(line[0] for line in drill.lines):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"# what it left is in {folder}", flush=True)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
