#include "framework/toml_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

/* Some wrong texts trip assertions of toml++; they are users' mistakes and must become errors. */
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

extern "C" {
#include "kernels/memory.h"
}

namespace
{

/* -- Before parsing: no text may exhaust the stack --------------------------------------------- */

constexpr std::size_t npos = std::string_view::npos;

struct position {
    int line = 1, column = 1;

    bool operator<(const position &other) const
    {
        return line != other.line ? line < other.line : column < other.column;
    }
};

/* Columns count characters, not bytes, as toml++ does. */
position position_at(std::string_view text, std::size_t offset)
{
    position at;

    for (char c : text.substr(0, offset)) {
        if (c == '\n')
            at = {at.line + 1, 1};
        else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80)
            at.column++;
    }
    return at;
}

/* The first position after the string that opens at text[i]; a broken one is the parser's to
 * report. */
std::size_t skip_string(std::string_view text, std::size_t i)
{
    const char mark = text[i];
    const std::string triple(3, mark);
    const bool is_long = text.compare(i, 3, triple) == 0;

    for (i += is_long ? 3 : 1; i < text.size(); i++) {
        if (text[i] == '\\' && mark == '"')
            i++;
        else if (!is_long && (text[i] == mark || text[i] == '\n'))
            return i + 1;
        else if (is_long && text.compare(i, 3, triple) == 0) {
            /* Up to two quotes may stand directly before the closing three. */
            for (i += 3; i < text.size() && text[i] == mark;)
                i++;
            return i;
        }
    }
    return text.size();
}

/* Where brackets and the dots of keys first nest deeper than allowed, or npos. */
std::size_t find_too_deep(std::string_view text)
{
    std::vector<int> dots(1); /* of the running key or value, by open bracket */
    int depth = 0;

    for (std::size_t i = 0; i < text.size(); i++) {
        switch (text[i]) {
        case '"':
        case '\'':
            i = skip_string(text, i) - 1;
            break;
        case '#':
            i = std::min(text.find('\n', i), text.size()) - 1;
            break;
        case '[':
        case '{':
            dots.push_back(0);
            depth++;
            break;
        case '.':
            dots.back()++;
            depth++;
            break;
        case ']':
        case '}':
            if (dots.size() > 1) {
                depth -= 1 + dots.back();
                dots.pop_back();
            }
            break;
        case ',':
        case '\n':
            depth -= dots.back();
            dots.back() = 0;
            break;
        default:
            break;
        }
        if (depth > RNN_TOML_MAX_DEPTH)
            return i;
    }
    return std::string_view::npos;
}

/* -- Text -------------------------------------------------------------------------------------- */

std::string quote(std::string_view text)
{
    std::string out = "\"";

    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);

        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7F) {
            const char *hex = "0123456789ABCDEF";

            out += "\\u00";
            out += hex[byte >> 4];
            out += hex[byte & 15];
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string key_text(std::string_view key)
{
    const char *bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    return !key.empty() && key.find_first_not_of(bare) == npos ? std::string(key) : quote(key);
}

/* -- Flattening -------------------------------------------------------------------------------- */

struct entry {
    std::string path;
    const toml::node *node;
    position at;
};

/* What a text was refused for. */
struct refusal {
    position at;
    std::string reason;
};

position position_of(const toml::source_region &source)
{
    return {std::max(1, static_cast<int>(source.begin.line)),
            std::max(1, static_cast<int>(source.begin.column))};
}

void flatten(std::vector<entry> &entries, const toml::node &node, const std::string &path,
             position at)
{
    if (path.size() >= RNN_TOML_MAX_PATH)
        throw refusal{at, "key is longer than " + std::to_string(RNN_TOML_MAX_PATH - 1) + " bytes"};
    if (!path.empty())
        entries.push_back({path, &node, at});
    if (const toml::table *table = node.as_table()) {
        for (const auto &[key, child] : *table)
            flatten(entries, child, (path.empty() ? path : path + '.') + key_text(key.str()),
                    position_of(key.source()));
    } else if (const toml::array *array = node.as_array()) {
        /* [[a]] itself begins before the key in it; an element may not come before its array. */
        for (std::size_t i = 0; i < array->size(); i++)
            flatten(entries, (*array)[i], path + '[' + std::to_string(i) + ']',
                    std::max(at, position_of((*array)[i].source())));
    }
}

rnn_status copy_string(char **out, const std::string &text, position at)
{
    if (text.find('\0') != npos)
        throw refusal{at, "string with a zero byte"};
    return rnn_string_copy(out, text.c_str());
}

rnn_status copy_value(rnn_toml_value *out, const entry &from)
{
    const toml::node &node = *from.node;

    out->line = from.at.line;
    out->column = from.at.column;
    RNN_TRY(rnn_string_copy(&out->path, from.path.c_str()));
    if (const auto *string = node.as_string()) {
        out->type = RNN_TOML_STRING;
        RNN_TRY(copy_string(&out->string, string->get(), from.at));
    } else if (const auto *integer = node.as_integer()) {
        out->type = RNN_TOML_INTEGER;
        out->integer = integer->get();
        out->number = static_cast<double>(integer->get());
    } else if (const auto *number = node.as_floating_point()) {
        out->type = RNN_TOML_FLOAT;
        out->number = number->get();
    } else if (const auto *boolean = node.as_boolean()) {
        out->type = RNN_TOML_BOOLEAN;
        out->boolean = boolean->get();
    } else if (node.is_table()) {
        out->type = RNN_TOML_TABLE;
    } else if (node.is_array()) {
        out->type = RNN_TOML_ARRAY;
    } else {
        out->type = RNN_TOML_DATETIME;
    }
    return RNN_OK;
}

/* toml++ keeps tables sorted by name; a stable sort by place brings the document's order back. */
void sort_by_place(std::vector<entry> &entries)
{
    std::stable_sort(entries.begin(), entries.end(),
                     [](const entry &a, const entry &b) { return a.at < b.at; });
}

rnn_status parse(rnn_toml *out, std::string_view text, const char *source)
{
    if (text.size() > RNN_TOML_MAX_BYTES)
        throw refusal{{},
                      std::to_string(text.size()) + " bytes, at most " +
                          std::to_string(RNN_TOML_MAX_BYTES) + " are read"};
    if (const std::size_t i = find_too_deep(text); i != npos)
        throw refusal{position_at(text, i),
                      "nested deeper than " + std::to_string(RNN_TOML_MAX_DEPTH)};

    const toml::table root = toml::parse(text, std::string_view(source));
    std::vector<entry> entries;

    flatten(entries, root, "", {});
    sort_by_place(entries);
    RNN_TRY(RNN_ALLOC(&out->values, entries.size(), "the values of a TOML text"));
    for (const entry &from : entries)
        RNN_TRY(copy_value(&out->values[out->count++], from));
    return RNN_OK;
}

rnn_status refuse(const char *source, position at, std::string_view reason)
{
    return RNN_FAIL(RNN_ERR_DATA, "%s:%d:%d: %.*s", source, at.line, at.column,
                    static_cast<int>(reason.size()), reason.data());
}

} /* namespace */

/* -- The C interface: no exception goes further ------------------------------------------------ */

rnn_status rnn_toml_parse(rnn_toml *out, const char *text, size_t length, const char *source)
{
    *out = rnn_toml{};
    try {
        return parse(out, std::string_view(text, length), source);
    } catch (const refusal &e) {
        return refuse(source, e.at, e.reason);
    } catch (const toml::parse_error &e) {
        return refuse(source, position_of(e.source()), e.description());
    } catch (const std::bad_alloc &) {
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the values of '%s'", source);
    } catch (const std::exception &e) {
        return RNN_FAIL(RNN_ERR_INTERNAL, "parsing '%s': %s", source, e.what());
    }
}

void rnn_toml_free(rnn_toml *toml)
{
    for (size_t i = 0; i < toml->count; i++) {
        rnn_free(toml->values[i].path);
        rnn_free(toml->values[i].string);
    }
    rnn_free(toml->values);
    *toml = rnn_toml{};
}

rnn_status rnn_toml_quote(char **out, const char *text)
{
    *out = nullptr;
    try {
        return rnn_string_copy(out, quote(text).c_str());
    } catch (const std::bad_alloc &) {
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate a quoted string");
    }
}

void rnn_toml_print_number(char out[RNN_TOML_NUMBER_SIZE], double value)
{
    /* Leaves room for ".0", without which a whole number would read back as an integer. */
    char *end = std::to_chars(out, out + RNN_TOML_NUMBER_SIZE - 3, value).ptr;

    *end = '\0';
    if (std::strpbrk(out, ".en") == nullptr)
        std::memcpy(end, ".0", sizeof ".0");
}

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)

const char *rnn_toml_library(void)
{
    return "toml++ " TEXT(TOML_LIB_MAJOR) "." TEXT(TOML_LIB_MINOR) "." TEXT(TOML_LIB_PATCH);
}
