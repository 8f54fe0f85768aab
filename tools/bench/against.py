#!/usr/bin/env python3
"""Tells whether the working tree's hone got slower than a revision's, and never calls noise a change.

    ./dev bench --against REV [--pairs 16] [--model MODEL] [--scheme int8] [--batch 1] [--beams 1] ...

Builds REV in a clone of its own under the user's cache. Both programs then measure the same work in pairs, one process each, in the
order A B, B A, A B, ...; `hone compare` judges the pairs. Prints its sentence ("no change shown: -0.4 % .. +0.9 %", "slower by
3.1 % (2.2 .. 4.0)") and stores the pairs. Exit code 0: not shown to be slower; 1: slower; 2: could not be measured.
"""
import argparse, os, subprocess, sys
from common import *


def build(rev):
    """The program of that revision; a commit that was built before is not built again."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--verify", "--quiet", rev + "^{commit}"], stdout=subprocess.PIPE,
                            text=True).stdout.strip()
    if not commit:
        raise RuntimeError(f"'{rev}' names no revision of this repository")
    folder = os.path.join(CACHE, "revisions", commit)
    program = os.path.join(folder, "build", "hone")
    if not os.path.exists(program):
        say(f"building {commit[:10]}")
        subprocess.run(["rm", "-rf", folder], check=True)
        subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, folder], check=True)
        subprocess.run(["git", "-C", folder, "checkout", "--quiet", "--detach", commit], check=True)
        subprocess.run(["meson", "setup", os.path.join(folder, "build"), folder, "-Ddebug=true"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", os.path.join(folder, "build"), "hone"], check=True, stdout=subprocess.DEVNULL)
    return commit, program


def default_model(a, old):
    """A checkpoint both can read: the shared shape in the scheme asked for, or the demo's model. The old program makes it, so that
    it can read it."""
    if os.path.isdir(os.path.join(SHARED, "bench")):
        if a.scheme == "fp32":
            return make_checkpoint()
        return make_models(old, [a.scheme])[a.scheme]
    return os.path.join(ROOT, "demo", "model")


def command(program, a, model):
    words = [program, "bench", model, "--batch", str(a.batch), "--num-beams", str(a.beams), "--new-tokens", str(a.new_tokens), "--samples",
             str(a.samples or max(4, a.batch)), "--warmup", "1", "--runs", str(a.runs), "--threads", str(a.threads), "--json", "--quiet"]
    words += ["--workload", WORKLOAD] if os.path.exists(WORKLOAD) and not a.model else []
    words += ["--cpu", a.cpu] if a.cpu else []
    known = subprocess.run([program, "help", "bench"], stdout=subprocess.PIPE, text=True).stdout
    return words + (["--no-history"] if "--no-history" in known else [])


def main():
    if "--against" in sys.argv:
        sys.argv.remove("--against")
    ap = argparse.ArgumentParser(prog="./dev bench --against", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("rev")
    add_common(ap)
    ap.add_argument("--pairs", type=int, default=16, help="pairs of runs, at least 6 (default: 16)")
    ap.add_argument("--model", help="measure this model, over random ids")
    ap.add_argument("--scheme", choices=SCHEMES, default="int8")
    ap.add_argument("--batch", type=int, default=1)
    ap.add_argument("--beams", type=int, default=1)
    ap.add_argument("--new-tokens", type=int, default=NEW_TOKENS)
    ap.add_argument("--runs", type=int, default=1, help="timed calls of a run, rounded up to whole passes")
    ap.add_argument("--old", help="this program instead of one built from REV")
    a = ap.parse_args()
    pairs = []
    try:
        commit, old = (a.rev, a.old) if a.old else build(a.rev)
        model = a.model or default_model(a, old)
        words = {"before": command(old, a, model), "after": command(a.hone, a, model)}
        for number in range(a.pairs):
            order = ("before", "after") if number % 2 == 0 else ("after", "before")
            say(f"pair {number + 1} of {a.pairs}")
            answers = {name: last_json(words[name]) for name in order}
            pairs.append({name: answers[name]["ms_per_sample"] for name in ("before", "after")})
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    judged = "".join(json.dumps(p) + "\n" for p in pairs)
    told = subprocess.run([a.hone, "compare"], input=judged, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if told.returncode not in (0, 1):
        print(told.stderr.strip(), file=sys.stderr)
        return 2
    print(told.stdout.strip())
    same = answers["before"]["digest"] == answers["after"]["digest"]
    if not same:
        print("the outputs differ, too")
    store(a.out, "against", {"revision": revision(), "against": commit, "model": os.path.basename(model), "batch": a.batch, "beams": a.beams,
                             "pairs": pairs, "sentence": told.stdout.strip(), "same_outputs": same})
    return told.returncode


if __name__ == "__main__":
    sys.exit(main())
