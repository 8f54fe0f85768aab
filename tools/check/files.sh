# Sourced by the rules. files PATTERN...: tracked and new files of the repository that match and exist.
files() {
    git ls-files -co --exclude-standard -- "$@" | sort -u | while read -r file; do [ ! -f "$file" ] || echo "$file"; done
}
flags="-std=c17 -D_GNU_SOURCE -DHONE_VERSION=\"0\" -include src/banned.h -Isrc -Iinclude -Wall -Wextra -Wno-missing-field-initializers"
