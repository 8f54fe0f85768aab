// SPDX-License-Identifier: Apache-2.0
// Whether markup that hone writes is well-formed, for tests.
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// The end of a tag whose attributes begin at `p`: the place of its '>'; NULL where an attribute is none of
// name="value", value without '<'.
static inline const char *markup_tag_end(const char *p) {
    for (;;) {
        p += strspn(p, " \n");
        if (*p == '>' || (p[0] == '/' && p[1] == '>'))
            return p + (*p == '/');
        size_t name = strcspn(p, "=<>\"/ \n");
        if (!name || p[name] != '=' || p[name + 1] != '"')
            return NULL;
        p += name + 2;
        p += strcspn(p, "<\"");
        if (*p++ != '"')
            return NULL;
    }
}

// Whether the text is one well-formed element of XML, but that HTML's doctype may stand before it and that what is in
// <script> counts for nothing: tags close in order, attributes are quoted, no bare & or <.
static inline bool is_well_formed(const char *xml) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789", doctype[] = "<!doctype html>\n";
    char open[32][16];
    size_t depth = 0, roots = 0;
    for (const char *p = xml + (strncmp(xml, doctype, strlen(doctype)) == 0 ? strlen(doctype) : 0); *p;) {
        if (*p == '&') {
            size_t name = strspn(p + 1, letters);
            if (!name || p[name + 1] != ';')
                return false;
            p += name + 2;
        } else if (*p != '<') {
            if ((unsigned char)*p < 0x20 && *p != '\n')
                return false;
            p++;
        } else {
            bool closes = p[1] == '/';
            const char *name = p + 1 + closes;
            size_t length = strspn(name, letters);
            const char *end = markup_tag_end(name + length);
            if (!end || !length || length >= sizeof open[0])
                return false;
            if (closes) {
                if (!depth || strncmp(open[depth - 1], name, length) != 0 || open[depth - 1][length])
                    return false;
                depth--;
            } else if (end[-1] != '/') {
                if (depth == 32)
                    return false;
                roots += depth == 0;
                snprintf(open[depth++], sizeof open[0], "%.*s", (int)length, name);
            }
            p = end + 1;
            if (!closes && strncmp(name, "script>", 7) == 0 && !(p = strstr(p, "</script>")))
                return false;
        }
    }
    return depth == 0 && roots == 1;
}

static inline size_t count(const char *text, const char *part) {
    size_t found = 0;
    for (const char *p = text; (p = strstr(p, part)); p++)
        found++;
    return found;
}
