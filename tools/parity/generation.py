#!/usr/bin/env python3
"""Generates with hone and with Hugging Face transformers from the same ids and options, and compares the ids.

    generation.py HONE MODEL DATA.jsonl [--beams 4] [--no-repeat-ngram-size 3] [--limit N] [--least-equal N]

Rows of DATA hold the source under dialogue, text or document, or input_ids. Every difference is judged: greedy, by the gap of
the two tokens' logits where the outputs part; beam search, by the gap of the two sequences' scores under transformers. A gap
below 1e-4 is a tie that float32 cannot decide. ROUGE of both outputs against the references is compared too.
Ends with 1 when fewer than --least-equal rows are equal, or a difference is no tie.
"""
import argparse, json, statistics, subprocess, sys

TIE = 1e-4


def hone_ids(a, rows, extra):
    lines = "".join(json.dumps({"input_ids": r}) + "\n" for r in rows)
    command = [a.hone, "generate", a.model, "--batch", "16"] + extra
    out = subprocess.run(command, input=lines, stdout=subprocess.PIPE, check=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def reference_ids(a, model, rows, torch):
    pad = model.config.pad_token_id
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    result = [None] * len(rows)
    for at in range(0, len(order), 16):
        part = order[at:at + 16]
        width = max(len(rows[i]) for i in part)
        ids = torch.tensor([rows[i] + [pad] * (width - len(rows[i])) for i in part])
        mask = torch.tensor([[1] * len(rows[i]) + [0] * (width - len(rows[i])) for i in part])
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=mask, num_beams=a.beams, do_sample=False,
                                 no_repeat_ngram_size=a.no_repeat_ngram_size, max_new_tokens=a.max_new_tokens)
        for i, sequence in zip(part, out.tolist()):
            sequence = sequence[1:]
            end = model.config.eos_token_id
            result[i] = sequence[:sequence.index(end) + 1] if end in sequence else [t for t in sequence if t != pad]
    return result


def score(model, torch, source, ids):
    """Log-probability of each of `ids` under teacher forcing."""
    start = model.config.decoder_start_token_id
    with torch.inference_mode():
        logits = model(torch.tensor([source]), decoder_input_ids=torch.tensor([[start] + ids[:-1]])).logits[0]
    return torch.log_softmax(logits.double(), -1), logits.double()


def gap(a, model, torch, source, ours, theirs):
    if a.beams > 1:
        total = [sum(score(model, torch, source, s)[0][i, t].item() for i, t in enumerate(s)) / len(s) for s in (ours, theirs)]
        return abs(total[0] - total[1])
    at = next(i for i, (x, y) in enumerate(zip(ours + [-1], theirs + [-1])) if x != y)
    logits = score(model, torch, source, theirs[:at + 1])[1][at]
    return abs(logits[ours[at]] - logits[theirs[at]]).item()


def rouge_mean(texts, references):
    from rouge_score import rouge_scorer
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    scores = [scorer.score_multi(r, t) for t, r in zip(texts, references)]
    return {k: statistics.fmean(s[k].fmeasure for s in scores) for k in scores[0]}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("hone"), ap.add_argument("model"), ap.add_argument("data")
    ap.add_argument("--beams", type=int, default=1)
    ap.add_argument("--no-repeat-ngram-size", type=int, default=0)
    ap.add_argument("--max-new-tokens", type=int, default=60)
    ap.add_argument("--limit", type=int, default=500)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--least-equal", type=int, default=0)
    a = ap.parse_args()
    import torch, transformers
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(a.threads)
    model = transformers.BartForConditionalGeneration.from_pretrained(a.model).eval()
    data = [json.loads(line) for line in open(a.data)][:a.limit]
    texts = [r.get("dialogue") or r.get("text") or r.get("document") for r in data]
    if "input_ids" in data[0]:
        tokenizer, rows = None, [r["input_ids"] for r in data]
    else:
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=a.model + "/tokenizer.json")
        rows = [tokenizer(t, truncation=True, max_length=model.config.max_position_embeddings)["input_ids"] for t in texts]
    extra = ["--num-beams", str(a.beams), "--no-repeat-ngram-size", str(a.no_repeat_ngram_size),
             "--max-new-tokens", str(a.max_new_tokens), "--threads", str(a.threads)]
    ours = [r["ids"] for r in hone_ids(a, rows, extra)]
    theirs = reference_ids(a, model, rows, torch)
    gaps = [gap(a, model, torch, s, x, y) for s, x, y in zip(rows, ours, theirs) if x != y]
    report = {"samples": len(rows), "beams": a.beams, "no_repeat_ngram_size": a.no_repeat_ngram_size,
              "equal": len(rows) - len(gaps), "gaps": gaps}
    if tokenizer:
        references = [r.get("summaries") or [r["summary"]] for r in data]
        decode = lambda all_ids: [tokenizer.decode(x, skip_special_tokens=True) for x in all_ids]
        report["rouge_hone"] = rouge_mean(decode(ours), references)
        report["rouge_transformers"] = rouge_mean(decode(theirs), references)
    print(json.dumps(report))
    sys.exit(0 if report["equal"] >= a.least_equal and all(g < TIE for g in gaps) else 1)


main()
