"""What the scripts of this folder share: the machine, the models, one run of one engine, and rounds in which engines take turns.

Results are JSON files in one folder ($HONE_BENCH_OUT, else under the user's cache); page.py makes docs/performance.md of them.
"""
import json, os, shlex, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.environ.get("HONE_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "hone", "bench")
OUT = os.environ.get("HONE_BENCH_OUT", os.path.join(CACHE, "results"))
WORKLOAD = os.path.join(SHARED, "bench", "workload.jsonl")
NEW_TOKENS = 40

# name: what `hone quantize` is asked for; None: the checkpoint itself
SCHEMES = {"fp32": None, "fp16": ["--scheme", "fp16"], "int8": ["--scheme", "int8"], "q4": ["--scheme", "nf4", "--double-quant"]}


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def hone_path():
    return os.environ.get("HONE", os.path.join(ROOT, "build", "hone"))


def add_common(parser, rounds=3):
    parser.add_argument("--hone", default=hone_path(), help="the program (default: build/hone)")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"rounds in which all take turns (default: {rounds})")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", help="kernel level that hone is held to, as avx2")
    parser.add_argument("--samples", type=int, help="sources per run instead of the usual number: for trying things out")
    parser.add_argument("--out", default=OUT, help="folder of the results")


def machine(hone, threads, cpu=None):
    """The processor as lscpu and hone tell it, with measured peaks."""
    with open("/proc/cpuinfo") as f:
        lines = [line.split(":", 1) for line in f if ":" in line]
    facts = {}
    for key, value in lines:
        facts.setdefault(key.strip(), value.strip())
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    command = [hone, "cpu", "--measure", "--json", "--threads", str(threads)] + (["--cpu", cpu] if cpu else [])
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    with open("/proc/meminfo") as f:
        memory_gb = int(f.readline().split()[1]) / 1048576
    return {"processor": told["name"], "cores": told["cores"], "level": told["level"], "vnni": bool(flags & {"avx512_vnni", "avx_vnni"}),
            "memory_gb": round(memory_gb), "kernel": os.uname().release, "peaks": {k: told[k] for k in ("one_thread", "all_threads")},
            "load_average": os.getloadavg()[0]}


def revision():
    run = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True)
    return run.stdout.strip()


def make_checkpoint(shape="bart-base"):
    folder = os.path.join(CACHE, shape)
    if not os.path.exists(os.path.join(folder, "config.json")):
        say(f"making the checkpoint {shape}")
        subprocess.run([sys.executable, os.path.join(SHARED, "bench", "make_model.py"), "--shape", shape, "--out", folder + ".part"],
                       check=True)
        os.rename(folder + ".part", folder)
    return folder


def make_models(hone, names, shape="bart-base"):
    """Folders of the checkpoint and of its smaller forms, made anew by this hone."""
    checkpoint, folders = make_checkpoint(shape), {}
    for name in names:
        folders[name] = checkpoint
        if SCHEMES[name]:
            folders[name] = f"{checkpoint}-hone-{name}"
            subprocess.run(["rm", "-rf", folders[name]], check=True)
            subprocess.run([hone, "quantize", checkpoint, "-o", folders[name], "--quiet"] + SCHEMES[name], check=True,
                           stdout=subprocess.DEVNULL)
    return folders


def peer_command(engine, model, batch, beams, samples, threads):
    return [sys.executable, os.path.join(SHARED, "bench", "peer.py"), "--engine", engine, "--model", model, "--batch", str(batch),
            "--beams", str(beams), "--new", str(NEW_TOKENS), "--samples", str(samples), "--threads", str(threads)]


def hone_command(hone, model, batch, beams, samples, threads, cpu=None, more=()):
    return [hone, "bench", model, "--workload", WORKLOAD, "--batch", str(batch), "--num-beams", str(beams), "--new-tokens",
            str(NEW_TOKENS), "--samples", str(samples), "--warmup", "1", "--runs", "1", "--threads", str(threads), "--json",
            "--quiet"] + (["--cpu", cpu] if cpu else []) + list(more)


def last_json(command):
    """The last JSON object that the command prints, as ../shared/bench/compare.py takes it."""
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        raise RuntimeError(f"{shlex.join(command)} ended with {run.returncode}: {run.stderr.strip()[-500:]}")
    return json.loads([line for line in run.stdout.splitlines() if line.startswith("{")][-1])


def take_turns(commands, rounds, label=""):
    """Runs the commands {name: words} one after another, all of them once a round: {name: [answer of each round]}."""
    answers = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            say(f"{label} round {number + 1} of {rounds}: {name}")
            answers[name].append(last_json(command))
    return answers


def compare(a, b, field="ms_per_sample"):
    """a's figure over b's, round by round, by ../shared/bench/compare.py over the answers that were recorded in turn."""
    folder = os.path.join(CACHE, f"replay-{os.getpid()}")
    os.makedirs(folder, exist_ok=True)
    try:
        replays = []
        for name, answers in (("a", a), ("b", b)):
            for number, answer in enumerate(answers):
                with open(os.path.join(folder, f"{name}.{number}"), "w") as f:
                    f.write(json.dumps(answer) + "\n")
            # prints the first recorded answer that is left, and removes it
            replays.append(f"sh -c 'set -- {shlex.quote(folder)}/{name}.*; cat \"$1\"; rm \"$1\"'")
        return last_json([sys.executable, os.path.join(SHARED, "bench", "compare.py"), "--field", field, "--rounds", str(len(a))] + replays)
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "values": list(values)}


def store(folder, name, result):
    os.makedirs(folder, exist_ok=True)
    result = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "command": " ".join(["./dev", "bench", os.path.basename(sys.argv[0])[:-3], *map(shlex.quote, sys.argv[1:])]),
              **result}
    path = os.path.join(folder, name + ".json")
    with open(path + ".part", "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    os.rename(path + ".part", path)
    say("stored " + path)
