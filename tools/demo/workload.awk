# JSON lines with a member "dialogue" -> that member alone, still as a JSON string: what hone tokenize reads.
{
    start = index($0, "\"dialogue\": ")
    text = substr($0, start + length("\"dialogue\": "))
    for (i = 2; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "\\")
            i++
        else if (c == "\"")
            break
    }
    print substr(text, 1, i)
}
