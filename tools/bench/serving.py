#!/usr/bin/env python3
"""hone serve under load against CTranslate2 INT8 on the same requests, in turns.

    ./dev bench serving [--rounds 5] [--requests 384] [--in-progress 128]

hone: the server over loopback HTTP, every answer streamed, hone-load as its clients (a closed loop: so many requests are always in
progress). CTranslate2: no HTTP at all; its own asynchronous batching, called from one Python process that keeps as many requests in
progress. Both get the plan of hone-load for the round's seed: the same sources in the same order, the same forced lengths. The clock
runs from the first request to the last answer. Output lengths: uniform 10..80, and geometric with mean 45, at most 200.

How CTranslate2 is asked, so that it does its best:
- One call takes one length for all. Its per-token callback (greedy search has one) ends each row at its own length instead: rows
  leave the batch when they are done, as they do at an end token, so calls hold requests of any lengths in order of arrival. Without
  it requests of one call must be of one length: of 64 about one is, with it batches are full. Both are tried.
- One call holds half of the requests in progress and the next is queued while it runs; inside, CTranslate2 sorts by source length
  and cuts batches, by examples or by tokens.
- Batch sizes and its two ways to use two threads (one batch on both, or two batches on one each) are tried first; the best one
  counts, for each distribution of lengths its own.

Sources repeat in the workload, so hone's cache of encoded sources is off: CTranslate2 has none. One process a run; models are loaded, and a few requests answered, before the clock starts.
"""
import argparse, os, signal, subprocess, sys, time
from common import *

LENGTHS = {"uniform": "10:80", "geometric": "geometric:45:200"}
LOAD = os.path.join(ROOT, "build", "bench", "hone-load")
# name: (max_batch_size, batch_type, inter_threads, "callback" or "groups")
WAYS = {f"{size} {kind}, {inter} x {2 // inter}": (size, kind, inter, "callback") for inter in (1, 2)
        for size, kind in ((4, "examples"), (8, "examples"), (16, "examples"), (32, "examples"), (64, "examples"), (1024, "tokens"), (2048, "tokens"),
                           (4096, "tokens"))}
WAYS["groups of one length, 2 x 1"] = (64, "examples", 2, "groups")
WAYS["each request alone, 2 x 1"] = (1, "examples", 2, "each")


def plan(lengths, requests, seed, workload):
    run = subprocess.run([LOAD, "--plan", "--workload", workload, "--requests", str(requests), "--lengths", lengths, "--seed", str(seed)],
                         stdout=subprocess.PIPE, check=True, text=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


# hone


class Served:
    """A server of its own for one run."""

    def __init__(self, a, model, more=()):
        self.process = subprocess.Popen([a.hone, "serve", model, "--port", "0", "--threads", str(a.threads), "--no-history", "--log", "/dev/null",
                                         "--encoder-cache", "0", "--max-queue", str(max(1024, a.in_progress))] + (["--cpu", a.cpu] if a.cpu else [])
                                        + list(more), stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"hone serve did not start: {line!r}")
        self.url = line.split()[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(60):
            raise RuntimeError(f"hone serve ended with {self.process.returncode}")


def run_hone(a, model, lengths, seed):
    with Served(a, model, a.serve_options.split()) as server:
        common = [LOAD, "--url", server.url, "--workload", a.workload, "--lengths", lengths]
        last_json(common + ["--concurrency", "4", "--requests", "8", "--seed", "99"])
        told = last_json(common + ["--concurrency", str(a.in_progress), "--requests", str(a.requests), "--seed", str(seed), "--pid",
                                   str(server.process.pid)])
    if told["good"] != a.requests or told["errors"]:
        raise RuntimeError(f"{told['good']} of {a.requests} requests were answered; errors: {told['errors']}")
    return {"tokens": told["output_tokens"], "seconds": told["duration_s"], "tokens_per_s": told["output_tokens"] / told["duration_s"],
            "requests_per_s": a.requests / told["duration_s"], **{k: told[k] for k in ("ttft_ms", "tpot_ms", "itl_ms", "e2e_ms", "server", "own")}}


# CTranslate2, in a process of its own


class Peer:
    def __init__(self, model, inter, threads):
        import ctranslate2
        with open(os.path.join(model, "tokenizer.json")) as f:
            vocabulary = json.load(f)["model"]["vocab"]
        self.word = {i: w for w, i in vocabulary.items()}
        self.word.update(enumerate(["<s>", "<pad>", "</s>", "<unk>"]))  # as ../shared/bench/peer.py has them
        self.translator = ctranslate2.Translator(model + "-ct2-int8", device="cpu", compute_type="int8", inter_threads=inter,
                                                 intra_threads=threads // inter, max_queued_batches=-1)

    def read(self, workload):
        with open(workload) as f:
            return [[self.word[i] for i in json.loads(line)["input_ids"]] for line in f]

    def submit(self, sources, lengths, size, kind, callback):
        """Asynchronous results, one per source; with the callback each row ends at its own length."""
        stop = (lambda result: result.step + 1 >= lengths[result.batch_id]) if callback else None
        return self.translator.translate_batch(sources, beam_size=1, min_decoding_length=max(lengths), max_decoding_length=max(lengths),
                                               max_batch_size=size, batch_type=kind, asynchronous=True, callback=stop)

    def chunks(self, requests, in_progress, how):
        """What goes into one call each: half of what may be in progress, that by lengths, or one."""
        half = max(1, in_progress // 2)
        for at in range(0, len(requests), half):
            chunk = requests[at:at + half]
            if how == "callback":
                yield [chunk]
            elif how == "groups":
                yield [[r for r in chunk if r["tokens"] == n] for n in sorted({r["tokens"] for r in chunk})]
            else:
                yield [[r] for r in chunk]

    def run(self, requests, sources, in_progress, size, kind, how):
        begin, tokens, waiting = time.perf_counter(), 0, []
        for calls in self.chunks(requests, in_progress, how):
            waiting.append([(r, result) for call in calls for r, result in zip(call, self.submit(
                [sources[r["source"]] for r in call], [r["tokens"] for r in call], size, kind, how == "callback"))])
            if len(waiting) == 2:
                tokens += self.take(waiting.pop(0))
        for rest in waiting:
            tokens += self.take(rest)
        seconds = time.perf_counter() - begin
        return {"tokens": tokens, "seconds": seconds, "tokens_per_s": tokens / seconds, "requests_per_s": len(requests) / seconds}

    @staticmethod
    def take(pairs):
        tokens = 0
        for request, pending in pairs:
            got = len(pending.result().hypotheses[0])
            if got != request["tokens"]:
                raise RuntimeError(f"CTranslate2 gave {got} tokens where {request['tokens']} were asked for")
            tokens += got
        return tokens


def peer_main(a):
    size, kind, inter, how = WAYS[a.way]
    os.environ["OMP_NUM_THREADS"] = str(a.threads // inter)
    peer = Peer(a.model, inter, a.threads)
    sources = peer.read(a.workload)
    requests = plan(LENGTHS[a.lengths], a.requests, a.seed, a.workload)
    peer.run(requests[:8], sources, 8, size, kind, how)  # threads and pages
    print(json.dumps(peer.run(requests, sources, a.in_progress, size, kind, how)))
    sys.stdout.flush()
    os._exit(0)  # its threads may not outlive the interpreter that they call back


def run_peer(a, model, way, name, requests, seed):
    return last_json([sys.executable, os.path.abspath(__file__), "--peer", "--model", model, "--way", way, "--lengths", name, "--requests",
                      str(requests), "--seed", str(seed), "--in-progress", str(a.in_progress), "--threads", str(a.threads), "--workload",
                      a.workload])


# Both


def try_ways(a, model, name, ways):
    """{way: tokens/s} of one run each; those within 7 % of the best are run once more, on other requests."""
    def rate(way, seed):
        found = run_peer(a, model, way, name, a.tune_requests, seed)["tokens_per_s"]
        say(f"CTranslate2, {name}, {way}: {found:.0f} tokens/s")
        return found
    found = {way: rate(way, 1000) for way in ways}
    close = [way for way in ways if found[way] > 0.93 * max(found.values())]
    for way in close:
        found[way] = (found[way] + rate(way, 1001)) / 2
    best = max(close, key=found.get)
    say(f"CTranslate2, {name}: best is {best}")
    return {"ways": found, "best": best}


def tune(a, model):
    """CTranslate2's best way for each distribution: all are tried on the first, the better half of them on the others."""
    ways, tried = [way for way in WAYS if a.threads % WAYS[way][2] == 0], {}
    for name in LENGTHS:
        tried[name] = try_ways(a, model, name, ways)
        ways = sorted(ways, key=lambda way: -tried[name]["ways"][way])[:max(1, len(WAYS) // 2)]
    return tried


def measure(a, folders, tried):
    answers = {name: {"hone": [], "ct2": []} for name in LENGTHS}
    for number in range(a.rounds):
        for name, lengths in LENGTHS.items():
            turns = {"hone": lambda: run_hone(a, folders["int8"], lengths, number + 1),
                     "ct2": lambda: run_peer(a, folders["fp32"], tried[name]["best"], name, a.requests, number + 1)}
            for engine in (list(turns) if number % 2 == 0 else list(turns)[::-1]):
                answer = turns[engine]()
                answers[name][engine].append(answer)
                say(f"round {number + 1} of {a.rounds}, {name}, {engine}: {answer['tokens_per_s']:.0f} tokens/s")
            if answers[name]["hone"][-1]["tokens"] != answers[name]["ct2"][-1]["tokens"]:
                raise RuntimeError("the engines did not do the same work")
    return answers


def summary(answers):
    figures = {}
    for name, engines in answers.items():
        pairs = list(zip(engines["hone"], engines["ct2"]))
        figures[name] = {**{e: {k: spread([r[k] for r in runs]) for k in ("tokens_per_s", "requests_per_s")} for e, runs in engines.items()},
                         "ratio": spread([h["tokens_per_s"] / c["tokens_per_s"] for h, c in pairs]),
                         "latency": {k: {p: statistics.median(r[k][p] for r in engines["hone"]) for p in ("p50", "p95", "p99")}
                                     for k in ("ttft_ms", "tpot_ms", "itl_ms", "e2e_ms")},
                         "transport_share": spread([r["server"]["transport_share"] for r in engines["hone"]]),
                         "clients_cpu_share": spread([r["own"]["cpu_share"] for r in engines["hone"]])}
    return figures


def table(figures, tried):
    def told(s, form):
        return f"{s['median']:{form}} ({s['low']:{form}} .. {s['high']:{form}})"
    lines = ["| output lengths | hone serve, tokens/s | CTranslate2, tokens/s | ratio | CTranslate2's best way | CPU of HTTP |", "|---|---|---|---|---|---|"]
    for name, f in figures.items():
        lines.append(f"| {name} {LENGTHS[name].split(':', 1)[1] if name == 'geometric' else LENGTHS[name]} | {told(f['hone']['tokens_per_s'], '.0f')} | "
                     f"{told(f['ct2']['tokens_per_s'], '.0f')} | {told(f['ratio'], '.2f')} | {tried[name]['best']} | "
                     f"{100 * f['transport_share']['median']:.1f} % |")
    return "\n".join(lines) + "\n"


def main():
    ap = argparse.ArgumentParser(prog="./dev bench serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(ap, rounds=5)
    ap.add_argument("--requests", type=int, default=384, help="of one run (default: 384)")
    ap.add_argument("--tune-requests", type=int, default=96, help="of one run that tries a way of CTranslate2's (default: 96)")
    ap.add_argument("--in-progress", type=int, default=128, help="requests that wait or run at any time (default: 128)")
    ap.add_argument("--workload", default=WORKLOAD)
    ap.add_argument("--ways", help="'uniform way;geometric way' of CTranslate2, instead of trying them all")
    ap.add_argument("--serve-options", default="", help="more options of hone serve: '--kv-type int8'")
    ap.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    ap.add_argument("--model", help=argparse.SUPPRESS)
    ap.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    ap.add_argument("--lengths", choices=LENGTHS, help=argparse.SUPPRESS)
    ap.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    a = ap.parse_args()
    if a.samples:
        a.requests = a.tune_requests = a.samples
    if a.peer:
        return peer_main(a)
    folders = make_models(a.hone, ["fp32", "int8"])
    if not os.path.exists(os.path.join(folders["fp32"] + "-ct2-int8", "model.bin")):
        last_json(peer_command("ct2-int8", folders["fp32"], 1, 1, 1, a.threads))  # converts it
    if a.ways:
        tried = {name: {"best": way.strip(), "ways": {}} for name, way in zip(LENGTHS, a.ways.split(";"))}
    else:
        tried = tune(a, folders["fp32"])
    answers = measure(a, folders, tried)
    figures = summary(answers)
    text = table(figures, tried)
    store(a.out, "serving", {"machine": machine(a.hone, a.threads, a.cpu), "revision": revision(), "requests": a.requests,
                             "in_progress": a.in_progress, "serve_options": a.serve_options, "ct2": tried, "figures": figures, "table": text, "answers": answers})
    print(text, end="")


if __name__ == "__main__":
    main()
