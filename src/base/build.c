// SPDX-License-Identifier: Apache-2.0
// The build id: a note in the loaded object that this function lies in.
#include "base/build.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct Search {
    uintptr_t inside; // an address of the object looked for
    char *id;
} Search;

// Notes are (name bytes, contents bytes, type), the name, the contents; each padded to 4 bytes.
static void notes_read(const unsigned char *notes, size_t bytes, char *ret_id) {
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= bytes;) {
        ElfW(Nhdr) note;
        memcpy(&note, notes + at, sizeof note);
        size_t name = at + sizeof note, contents = name + (note.n_namesz + 3) / 4 * 4;
        size_t end = contents + (note.n_descsz + 3) / 4 * 4;
        if (end > bytes)
            return;
        bool found = note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0;
        for (size_t i = 0; found && i < note.n_descsz && 2 * i + 3 <= BUILD_ID_BYTES; i++)
            snprintf(ret_id + 2 * i, 3, "%02x", notes[contents + i]);
        at = end;
    }
}

static int object_look(struct dl_phdr_info *object, size_t bytes, void *context) {
    (void)bytes;
    const Search *search = context;
    bool ours = false;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        ours |= p->p_type == PT_LOAD && search->inside - object->dlpi_addr - p->p_vaddr < p->p_memsz;
    }
    for (size_t i = 0; i < object->dlpi_phnum && ours; i++)
        if (object->dlpi_phdr[i].p_type == PT_NOTE)
            notes_read((const unsigned char *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr),
                       object->dlpi_phdr[i].p_memsz, search->id);
    return ours;
}

bool build_id(char ret_id[BUILD_ID_BYTES]) {
    ret_id[0] = '\0';
    Search search = {(uintptr_t)build_id, ret_id};
    dl_iterate_phdr(object_look, &search);
    return ret_id[0];
}
