# Two lines of `hone bench --json` (FP32, INT8) and one of `hone eval --baseline --json` -> one table for people.

# The number after "key": from byte `from` of text on.
function number(text, key, from,    at) {
    text = substr(text, from)
    at = index(text, "\"" key "\":")
    return at ? substr(text, at + length(key) + 3) + 0 : "?"
}

function place(text, key) { return index(text, "\"" key "\":") }

function row(name, format, fp32, int8, note) {
    printf "  %-28s %12s %12s   %s\n", name, sprintf(format, fp32), sprintf(format, int8), note
}

function bench_row(name, key, format, ratio,    a, b) {
    a = number(bench[1], key, 1)
    b = number(bench[2], key, 1)
    row(name, format, a, b, ratio == "less" ? sprintf("%.2f times", a / b) : ratio == "more" ? sprintf("%.2f times", b / a) : \
        ratio == "size" ? sprintf("%.1f %% less", 100 * (1 - b / a)) : "")
}

function rouge_row(name, key,    base, loss) {
    base = place(eval, "baseline")
    loss = place(eval, "loss")
    head = substr(eval, 1, base)
    printf "  %-28s %12s %12s   loss %.2f %% [%.2f, %.2f]\n", name,
        sprintf("%.2f", 100 * number(substr(eval, base), "mean", place(substr(eval, base), key))),
        sprintf("%.2f", 100 * number(head, "mean", place(head, key))),
        100 * number(substr(eval, loss), "relative", place(substr(eval, loss), key)),
        100 * number(substr(eval, loss), "low", place(substr(eval, loss), key)),
        100 * number(substr(eval, loss), "high", place(substr(eval, loss), key))
    printf "  %-28s %12s %12s\n", "  95 % interval",
        sprintf("%.2f-%.2f", 100 * number(substr(eval, base), "low", place(substr(eval, base), key)),
            100 * number(substr(eval, base), "high", place(substr(eval, base), key))),
        sprintf("%.2f-%.2f", 100 * number(head, "low", place(head, key)), 100 * number(head, "high", place(head, key)))
}

FNR == NR { bench[FNR] = $0; next }
{ eval = $0 }

END {
    printf "\n  %-28s %12s %12s\n", "", "FP32", "INT8"
    bench_row("weights, MB", "weights_mb", "%.2f", "size")
    bench_row("resident memory, MB", "rss_mb", "%.1f", "size")
    bench_row("peak memory, MB", "peak_rss_mb", "%.1f", "size")
    bench_row("latency mean, ms", "mean_ms", "%.2f", "less")
    bench_row("latency p50, ms", "p50_ms", "%.2f", "less")
    bench_row("latency p95, ms", "p95_ms", "%.2f", "less")
    bench_row("latency p99, ms", "p99_ms", "%.2f", "less")
    bench_row("throughput, summaries/s", "samples_per_s", "%.1f", "more")
    rouge_row("ROUGE-1", "rouge1")
    rouge_row("ROUGE-2", "rouge2")
    rouge_row("ROUGE-L", "rougeL")
}
