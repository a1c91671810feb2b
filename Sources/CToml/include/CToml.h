// toml++ for Swift: a parsed TOML document as nodes with their lines. toml++ throws nothing here, and what it hands out belongs
// to the document.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctoml_document ctoml_document;
typedef struct ctoml_node ctoml_node;

enum ctoml_kind {
    CTOML_TABLE,
    CTOML_ARRAY,
    CTOML_STRING,
    CTOML_INTEGER,
    CTOML_BOOLEAN,
    CTOML_FLOAT,
    CTOML_TIME,
};

/// UTF-8, not terminated.
struct ctoml_text {
    const char *_Nonnull bytes;
    size_t count;
};

/// A line of 0 means that nothing is known of it; the first line is 1.
struct ctoml_error {
    struct ctoml_text text;
    uint32_t line;
};

/// An entry of a table, or an element of an array (then without a key).
struct ctoml_entry {
    struct ctoml_text key;
    uint32_t line;
    const ctoml_node *_Nullable value;
};

/// Never null: what could not be parsed is told by ctoml_failure.
ctoml_document *_Nonnull ctoml_parse(const char *_Nonnull bytes, size_t count);
void ctoml_free(ctoml_document *_Nonnull document);

/// Why there is no document; false if there is one.
bool ctoml_failure(const ctoml_document *_Nonnull document, struct ctoml_error *_Nonnull error);
/// The document's table, if it was parsed; empty if not.
const ctoml_node *_Nonnull ctoml_root(const ctoml_document *_Nonnull document);

enum ctoml_kind ctoml_kind_of(const ctoml_node *_Nonnull node);
uint32_t ctoml_line_of(const ctoml_node *_Nonnull node);
/// Zero values for nodes of another kind.
int64_t ctoml_integer(const ctoml_node *_Nonnull node);
bool ctoml_boolean(const ctoml_node *_Nonnull node);
struct ctoml_text ctoml_string(const ctoml_node *_Nonnull node);

/// Writes at most `capacity` entries of a table (by key) or an array (in order); returns how many there are.
size_t ctoml_entries(const ctoml_node *_Nonnull node, struct ctoml_entry *_Nullable entries, size_t capacity);

#ifdef __cplusplus
}
#endif
