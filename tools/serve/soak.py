#!/usr/bin/env python3
"""hone serve under mixed traffic for a long time: nothing may leak, nothing unexpected may be answered.

    tools/serve/soak.py [--minutes 30] [--model MODEL] [--json FILE]

Traffic: hone-load (streams at a Poisson rate; some clients leave, some send nonsense, some say nothing), and beside it every route,
streamed and whole, with cancellations, departures and malformed bodies; SIGHUP reloads every minute. Each second the memory,
descriptors and threads of the server are read from /proc and the pages in use from /metrics.

At the end: memory of the second half as a line over time, with a 95 % interval of its slope (means of each minute between two
reloads count as one sample each, as neighbours are alike); descriptors and threads as before the traffic; pages back to zero;
statuses by route, of which only those listed below may occur. Ends with 1 when a bound fails.
"""
import argparse, collections, math, random, statistics, threading
from common import *

# Two-sided 95 % quantiles of Student's t by degrees of freedom; what lies between takes the one before.
T95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23, 12: 2.18, 15: 2.13, 20: 2.09, 30: 2.04, 60: 2.00}


def line_of(points):
    """(slope, half width of its 95 % interval) of the least-squares line through [(x, y)]; at least 3 points."""
    n = len(points)
    mean_x, mean_y = (statistics.fmean(p[i] for p in points) for i in (0, 1))
    square = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / square
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    return slope, T95[max(k for k in T95 if k <= n - 2)] * math.sqrt(rest / (n - 2) / square)


def blocks(samples, seconds):
    """Means of [(second, value)] over blocks of so many seconds: [(middle, mean)]; a block that is not whole is left out."""
    found = collections.defaultdict(list)
    for at, value in samples:
        found[int(at // seconds)].append((at, value))
    whole = [b for b in found.values() if b[-1][0] - b[0][0] > 0.8 * (seconds - 1)]
    return [tuple(statistics.fmean(p[i] for p in block) for i in (0, 1)) for block in whole]


class Traffic:
    """Threads that ask for everything there is, at random."""

    def __init__(self, server, texts, a):
        self.server, self.texts, self.a = server, texts, a
        self.counts, self.lock, self.ends = collections.Counter(), threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(random.Random(a.seed + i),)) for i in range(a.clients)]

    def begin(self):
        for thread in self.threads:
            thread.start()

    def end(self):
        self.ends.set()
        for thread in self.threads:
            thread.join(120)

    def count(self, what, result):
        with self.lock:
            self.counts[what, result] += 1

    def run(self, rng):
        kinds = [self.generate] * 10 + [self.look] * 5 + [self.tokens, self.cancel, self.cancel, self.leave, self.leave, self.bad, self.bad]
        while not self.ends.is_set():
            kind = rng.choice(kinds)
            try:
                kind(rng)
            except (OSError, http.client.HTTPException) as error:
                self.count(kind.__name__, type(error).__name__)
            self.ends.wait(rng.expovariate(self.a.clients / self.a.rate))

    def call(self, rng):
        """(path, body) of some request that generates."""
        text, name, most = rng.choice(self.texts), self.server.name, rng.randint(4, 40)
        options = {"max_tokens": most, "min_tokens": rng.choice([0, most])}
        if rng.random() < 0.3:
            options |= rng.choice([{"num_beams": 4}, {"temperature": 0.8, "seed": rng.randint(0, 9)}, {"temperature": 0.7, "n": 2}, {"stop": ["."]},
                                   {"priority": rng.randint(0, 9)}, {"cache_salt": str(rng.randint(0, 5))}, {"no_repeat_ngram_size": 3}])
        stream = {"stream": rng.random() < 0.5}
        more = {"parameters": {"max_new_tokens": most}}
        return rng.choice([
            ("/v1/completions", {"prompt": text, **options, **stream}),
            ("/v1/completions", {"prompt": [0, 5, 6, 7, 2], **options, **stream}),
            ("/v1/completions", {"prompt": [text[:100], text[100:200]], **options, **stream}),
            ("/v1/completions", {"prompt": text * 12, "truncation": rng.choice(["start", "end", "chunk"]), **options, **stream}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": text}], **options, **stream}),
            ("/v1/summarize", {"input": text, "length": "short", **stream}),
            ("/v1/summarize", {"inputs": text, "parameters": {"max_length": most + 1}}),
            (f"/v2/models/{name}/infer", {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}], "parameters": {"max_tokens": most}}),
            (f"/v2/models/{name}/generate", {"text_input": text, "parameters": {"max_tokens": most}}),
            (f"/v2/models/{name}/generate_stream", {"text_input": text, "parameters": {"max_tokens": most}}),
            ("/generate", {"inputs": text, **more}), ("/generate_stream", {"inputs": text, **more})])

    def generate(self, rng):
        path, body = self.call(rng)
        status, answer = self.server.ask("POST", path, body)
        told = status
        if status == 200 and (not answer or b'data: {"error"' in answer):
            told = f"200 with {answer[:200]!r}"
        self.count("generate", told)

    def look(self, rng):
        name = self.server.name
        path = rng.choice(["/v1/models", f"/v1/models/{name}", "/v2", "/v2/health/live", "/v2/health/ready", f"/v2/models/{name}", f"/v2/models/{name}/ready",
                           "/info", "/health", "/ping", "/metrics", "/openapi.json", "/", "/nowhere"])
        self.count("look at nothing" if path == "/nowhere" else "look", self.server.ask("GET", path)[0])

    def tokens(self, rng):
        if rng.random() < 0.5:
            self.count("tokens", self.server.ask("POST", "/tokenize", {"text": rng.choice(self.texts)})[0])
        else:
            self.count("tokens", self.server.ask("POST", "/detokenize", {"tokens": [rng.randint(4, 200) for _ in range(20)]})[0])

    def cancel(self, rng):
        path, body = self.call(rng)
        name, answer = f"soak-{rng.getrandbits(60):x}", []

        def ask():
            try:
                answer.append(self.server.ask("POST", path, body, {"X-Request-Id": name})[0])
            except (OSError, http.client.HTTPException) as error:
                answer.append(type(error).__name__)
        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(rng.random() * 0.05)
        self.count("cancel", self.server.ask("POST", f"/v1/requests/{name}/cancel", "")[0])
        thread.join(60)
        self.count("cancelled", answer[0] if answer else "no answer")

    def leave(self, rng):
        path, body = self.call(rng)
        body = json.dumps(body).encode()
        with socket.create_connection((self.server.host, self.server.port), timeout=30) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            whole = head + body
            connection.sendall(whole[:rng.randint(1, len(whole))] if rng.random() < 0.3 else whole)
            time.sleep(rng.random() * 0.1)
            if rng.random() < 0.5:  # a reset instead of an end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.count("leave", "left")

    def bad(self, rng):
        path, body = self.call(rng)
        text = json.dumps(body).encode()
        wrong = rng.choice([text[:rng.randint(0, len(text) - 1)], b"\xff" + text, json.dumps({**body, "max_tokens": "many", "parameters": 7}).encode(),
                            b"[" * 5000, b"{}", json.dumps({"prompt": 7, "inputs": 7, "input": 7}).encode()])
        self.count("bad", self.server.ask("POST", path, wrong)[0])


# What may be answered. A cancelled request gets what there is; one that is cancelled before it is known finds nothing.
EXPECTED = {"generate": {200}, "look": {200}, "look at nothing": {404}, "tokens": {200}, "cancel": {200, 404}, "cancelled": {200}, "leave": {"left"},
            "bad": {400}}


def sample(server, begun, samples):
    figures = server.metrics()
    samples.append({"s": time.monotonic() - begun, "rss_mb": server.rss_mb(), "descriptors": server.descriptors(), "threads": server.threads(),
                    "pages": figures["hone_kv_pages_used"], "running": figures["hone_requests_running"], "connections": figures["hone_http_connections"]})


def watch(server, a, samples):
    """A sample each second and a reload each minute, until the time is up or the server is gone."""
    begun = time.monotonic()
    reload = begun + a.reload
    while time.monotonic() - begun < 60 * a.minutes and server.process.poll() is None:
        sample(server, begun, samples)
        if time.monotonic() >= reload and time.monotonic() - begun < 60 * a.minutes - 5:
            server.signal(signal.SIGHUP)
            reload += a.reload
        time.sleep(max(0, 1 - (time.monotonic() - begun) % 1))


class Bounds:
    def __init__(self):
        self.failed = 0

    def check(self, holds, what, found):
        self.failed += not holds
        print(f"{'ok    ' if holds else 'FAILED'} {what}: {found}", flush=True)


def judge(server, a, quiet, samples, traffic, told):
    bounds = Bounds()
    bounds.check(server.process.poll() is None, "the server lives", f"{samples[-1]['s']:.0f} s")
    rests = wait_until(server.rests, 30)
    bounds.check(rests, "pages are back to zero", f"most in use {max(s['pages'] for s in samples):.0f}")
    wait_until(lambda: server.metrics()["hone_http_connections"] <= 1, 10)
    wait_until(lambda: server.threads() <= quiet["threads"] and server.descriptors() <= quiet["descriptors"], 30)
    for what in ("descriptors", "threads"):
        now = getattr(server, what)()
        bounds.check(now <= quiet[what], what, f"{quiet[what]} before, at most {max(s[what] for s in samples)}, {now} after")
        if now > quiet[what] and what == "descriptors":
            print("       " + ", ".join(sorted(server.open_files())), flush=True)
    half = [(s["s"], s["rss_mb"]) for s in samples if s["s"] > samples[-1]["s"] / 2]
    points = blocks(half, a.reload if len(half) > 8 * a.reload else max(10, len(half) / 12))
    slope, width = line_of(points) if len(points) > 2 else (0, math.inf)
    slope, width = 60 * slope, 60 * width
    mean = statistics.fmean(y for _, y in half)
    bounds.check(slope - width <= a.most_growth, f"memory in the second half, MB a minute (at most {a.most_growth:g}, as far as noise tells)",
                 f"{slope:+.3f} ({slope - width:+.3f} .. {slope + width:+.3f}) of {mean:.0f} MB")
    unexpected = {f"{what}: {result}": n for (what, result), n in sorted(traffic.counts.items(), key=str) if result not in EXPECTED[what]}
    bounds.check(not unexpected, "statuses of all routes", unexpected or {f"{w} {r}": n for (w, r), n in sorted(traffic.counts.items(), key=str)})
    bounds.check(not told["errors"] and not told["accepted_bad"], "statuses of the load", {k: told[k] for k in ("requests", "good", "left", "bad", "errors")})
    reloads = server.metrics()["hone_model_reloads_total"]
    bounds.check(reloads >= int(a.minutes * 60 / a.reload) - 1, "reloads", f"{reloads:.0f}")
    errors = server.log_lines("error")
    bounds.check(not errors, "no error in the log", errors[:2] or "none")
    bounds.check(server.is_well(), "answers at the end", "yes")
    code = server.stop()
    bounds.check(code == 0, "exit code", code)
    return bounds.failed, {"slope_mb_per_minute": slope, "interval": width, "mean_rss_mb": mean}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(ap)
    ap.add_argument("--minutes", type=float, default=30)
    ap.add_argument("--rate", type=float, default=10, help="of the mixed requests, a second (default: 10)")
    ap.add_argument("--load-rate", type=float, default=5, help="of hone-load's requests, a second (default: 5)")
    ap.add_argument("--clients", type=int, default=8, help="threads of the mixed traffic (default: 8)")
    ap.add_argument("--reload", type=float, default=60, help="seconds between reloads (default: 60); 0: none, which shows memory alone at its best")
    ap.add_argument("--most-growth", type=float, default=0.1, help="of memory, MB a minute (default: 0.1)")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--json", help="write all samples and counts there")
    a = ap.parse_args()
    a.reload = a.reload or math.inf
    folder = tempfile.mkdtemp(prefix="hone-soak-")
    workload = a.workload or make_workload(folder)
    with open(make_workload(folder)) as f:
        texts = [json.loads(line)["text"] for line in f]
    with Server(a.hone, a.model, folder) as server:
        server.is_well()
        time.sleep(2)
        quiet, samples = {"descriptors": server.descriptors(), "threads": server.threads()}, []
        traffic = Traffic(server, texts, a)
        load = Load(server, workload, "--rate", a.load_rate, "--duration", 60 * a.minutes, "--lengths", "5:40", "--leave", 0.1, "--bad", 0.05, "--idle", 20)
        traffic.begin()
        try:
            watch(server, a, samples)
        finally:
            traffic.end()
            told = load.end(seconds=120)
        failed, figures = judge(server, a, quiet, samples, traffic, told)
    if a.json:
        with open(a.json, "w") as f:
            json.dump({"minutes": a.minutes, "figures": figures, "counts": {f"{w} {r}": n for (w, r), n in traffic.counts.items()}, "load": told,
                       "samples": samples}, f)
    if failed:
        print(f"{failed} bounds failed; log and history are in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
