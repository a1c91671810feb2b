#if !__has_include(<toml++/toml.h>)
#error "toml++ is missing: install libtomlplusplus-dev, or run scripts/install-dependencies"
#endif

// Header-only, so that nothing is needed at run time; errors are values.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
// toml++ 3.3 asserts what a malformed document breaks, `[+` for example, and with NDEBUG has the compiler assume it; the code behind
// the assertion reports the error. So no assertion, and no assumption.
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

#include "CToml.h"

struct ctoml_document {
    toml::parse_result result;
    toml::table empty;
};

namespace {
const toml::node &node_of(const ctoml_node *node) { return *reinterpret_cast<const toml::node *>(node); }
const ctoml_node *handle(const toml::node &node) { return reinterpret_cast<const ctoml_node *>(&node); }
ctoml_text text(std::string_view view) { return {view.data() ? view.data() : "", view.size()}; }
} // namespace

// Only want of memory throws below. Nothing catches that, so it ends the process.

ctoml_document *ctoml_parse(const char *bytes, size_t count) {
    return new ctoml_document{toml::parse(std::string_view{bytes, count}), {}};
}

void ctoml_free(ctoml_document *document) { delete document; }

bool ctoml_failure(const ctoml_document *document, ctoml_error *error) {
    if (document->result.succeeded()) return false;
    const toml::parse_error &failure = document->result.error();
    *error = {text(failure.description()), failure.source().begin.line};
    return true;
}

const ctoml_node *ctoml_root(const ctoml_document *document) {
    return document->result.succeeded() ? handle(document->result.table()) : handle(document->empty);
}

ctoml_kind ctoml_kind_of(const ctoml_node *node) {
    switch (node_of(node).type()) {
    case toml::node_type::table: return CTOML_TABLE;
    case toml::node_type::array: return CTOML_ARRAY;
    case toml::node_type::string: return CTOML_STRING;
    case toml::node_type::integer: return CTOML_INTEGER;
    case toml::node_type::boolean: return CTOML_BOOLEAN;
    case toml::node_type::floating_point: return CTOML_FLOAT;
    default: return CTOML_TIME;
    }
}

uint32_t ctoml_line_of(const ctoml_node *node) { return node_of(node).source().begin.line; }

int64_t ctoml_integer(const ctoml_node *node) {
    const auto *value = node_of(node).as_integer();
    return value ? value->get() : 0;
}

bool ctoml_boolean(const ctoml_node *node) {
    const auto *value = node_of(node).as_boolean();
    return value && value->get();
}

ctoml_text ctoml_string(const ctoml_node *node) {
    const auto *value = node_of(node).as_string();
    return value ? text(value->get()) : text({});
}

size_t ctoml_entries(const ctoml_node *node, ctoml_entry *entries, size_t capacity) {
    size_t count = 0;
    if (const auto *table = node_of(node).as_table()) {
        for (const auto &[key, value] : *table) {
            if (count < capacity) entries[count] = {text(key.str()), key.source().begin.line, handle(value)};
            ++count;
        }
    } else if (const auto *array = node_of(node).as_array()) {
        for (const auto &value : *array) {
            if (count < capacity) entries[count] = {text({}), value.source().begin.line, handle(value)};
            ++count;
        }
    }
    return count;
}
