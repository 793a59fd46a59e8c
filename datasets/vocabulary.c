#include "datasets/vocabulary.h"

#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/excerpt.h"
#include "datasets/utf8.h"
#include "kernels/memory.h"

enum { N_ASCII = 128, MAX_NAMES = 1 << 24, MAX_WORD = RNN_VOCABULARY_MAX_WORD };

/* A token of the text that is being read: not ended by a zero. */
typedef struct piece {
    const char *bytes;
    size_t n_bytes;
} piece;

/* A token of the vocabulary. */
typedef struct vocabulary_entry {
    piece name; /* bytes of its own, ended by a zero */
    size_t provisional, count;
    int32_t number; /* -1: none */
} entry;

struct rnn_vocabulary {
    rnn_unit unit;
    void *tree; /* of entries, by name (tsearch) */
    size_t n_entries;
    entry **entries; /* [n_entries] first as they come, then by number */
    size_t room;
    size_t size;                 /* entries that have a number */
    const entry *ascii[N_ASCII]; /* the entry of a character, for speed */
    const entry *unknown;        /* words */
};

static const piece UNKNOWN = {"<unk>", 5}, END_OF_LINE = {"<eos>", 5};

/* -- Cutting a text ---------------------------------------------------------------------------- */

/* Where in a text one is, and where the token begins that was taken last. */
typedef struct cursor {
    const rnn_text *text;
    size_t at, line;
    size_t token_at, token_line;
} cursor;

static cursor begin(const rnn_text *text)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    cursor c = {.text = text, .line = 1};

    if (text->n_bytes >= 3 && memcmp(text->bytes, byte_order_mark, 3) == 0)
        c.at = 3;
    return c;
}

static rnn_status take_character(cursor *c, piece *out)
{
    uint32_t code;
    size_t n = rnn_utf8_decode(c->text->bytes + c->at, &code);

    if (n == 0)
        return RNN_FAIL(RNN_ERR_DATA, "%s:%zu: expected UTF-8, found byte 0x%02x at byte %zu",
                        c->text->name, c->line, (unsigned)(unsigned char)c->text->bytes[c->at],
                        c->at);
    *out = (piece){c->text->bytes + c->at, n};
    c->at += n;
    if (code == '\n')
        c->line++;
    return RNN_OK;
}

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* A word, or the end of a line; *out is empty at the end of the text. */
static rnn_status take_word(cursor *c, piece *out)
{
    const char *bytes = c->text->bytes;
    piece character;

    while (c->at < c->text->n_bytes && is_blank(bytes[c->at]) && bytes[c->at] != '\n')
        c->at++;
    c->token_at = c->at;
    if (c->at < c->text->n_bytes && bytes[c->at] == '\n') {
        *out = END_OF_LINE;
        return take_character(c, &character);
    }
    *out = (piece){bytes + c->at, 0};
    while (c->at < c->text->n_bytes && !is_blank(bytes[c->at])) {
        RNN_TRY(take_character(c, &character));
        out->n_bytes += character.n_bytes;
    }
    if (out->n_bytes > MAX_WORD)
        *out = UNKNOWN;
    return RNN_OK;
}

/* The next token; *out is empty at the end of the text. */
static rnn_status take(const rnn_vocabulary *v, cursor *c, piece *out)
{
    c->token_at = c->at;
    c->token_line = c->line;
    if (v->unit == RNN_UNIT_WORDS)
        return take_word(c, out);
    *out = (piece){c->text->bytes, 0};
    return c->at < c->text->n_bytes ? take_character(c, out) : RNN_OK;
}

/* -- Entries ----------------------------------------------------------------------------------- */

static int compare_names(const void *left, const void *right)
{
    const piece *a = &((const entry *)left)->name, *b = &((const entry *)right)->name;
    size_t n = a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes;
    int order = memcmp(a->bytes, b->bytes, n);

    if (order != 0)
        return order;
    return a->n_bytes < b->n_bytes ? -1 : a->n_bytes > b->n_bytes;
}

static const entry *find(const rnn_vocabulary *v, piece name)
{
    const entry wanted = {.name = name};
    entry *const *found;

    if (name.n_bytes == 1 && (unsigned char)name.bytes[0] < N_ASCII)
        return v->ascii[(unsigned char)name.bytes[0]];
    found = tfind(&wanted, &v->tree, compare_names);
    return found != NULL ? *found : NULL;
}

static rnn_status make_room(rnn_vocabulary *v)
{
    if (v->n_entries == MAX_NAMES)
        return RNN_FAIL(RNN_ERR_DATA, "expected at most %d different words, found more", MAX_NAMES);
    return RNN_GROW(&v->entries, &v->room, v->n_entries, v->n_entries + 1, "the vocabulary");
}

/* Adds a name that is not there yet. */
static rnn_status insert(rnn_vocabulary *v, piece name, const entry **out)
{
    entry *e;
    char *bytes;

    RNN_TRY(make_room(v));
    RNN_TRY(rnn_alloc((void **)&e, 1, sizeof *e + name.n_bytes + 1, "the vocabulary"));
    bytes = (char *)(e + 1);
    memcpy(bytes, name.bytes, name.n_bytes);
    *e = (entry){.name = {bytes, name.n_bytes}, .provisional = v->n_entries, .number = -1};
    if (tsearch(e, &v->tree, compare_names) == NULL) {
        rnn_free(e);
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the vocabulary");
    }
    v->entries[v->n_entries++] = e;
    if (name.n_bytes == 1 && (unsigned char)bytes[0] < N_ASCII)
        v->ascii[(unsigned char)bytes[0]] = e;
    *out = e;
    return RNN_OK;
}

/* -- Making one -------------------------------------------------------------------------------- */

rnn_status rnn_vocabulary_create(rnn_vocabulary **out, rnn_unit unit)
{
    RNN_TRY(RNN_ALLOC(out, 1, "the vocabulary"));
    (*out)->unit = unit;
    return RNN_OK;
}

static void keep_entry(void *e)
{
    (void)e; /* they are in the list */
}

void rnn_vocabulary_destroy(rnn_vocabulary **vocabulary)
{
    rnn_vocabulary *v = *vocabulary;

    if (v == NULL)
        return;
    tdestroy(v->tree, keep_entry);
    for (size_t i = 0; i < v->n_entries; i++)
        rnn_free(v->entries[i]);
    rnn_free(v->entries);
    rnn_free(v);
    *vocabulary = NULL;
}

static rnn_status find_or_insert(rnn_vocabulary *v, piece name, const entry **out)
{
    *out = find(v, name);
    return *out == NULL ? insert(v, name, out) : RNN_OK;
}

rnn_status rnn_vocabulary_add(rnn_vocabulary *vocabulary, const rnn_text *text, uint32_t *numbers,
                              size_t room, size_t *n_tokens)
{
    cursor c = begin(text);
    const entry *e;
    piece next;

    *n_tokens = 0;
    while (true) {
        RNN_TRY(take(vocabulary, &c, &next));
        if (next.n_bytes == 0)
            return RNN_OK;
        RNN_TRY(find_or_insert(vocabulary, next, &e));
        if (*n_tokens < room)
            numbers[*n_tokens] = (uint32_t)e->provisional;
        ++*n_tokens;
    }
}

size_t rnn_vocabulary_n_added(const rnn_vocabulary *vocabulary)
{
    return vocabulary->n_entries;
}

static int by_name(const void *left, const void *right)
{
    return compare_names(*(entry *const *)left, *(entry *const *)right);
}

static int by_count(const void *left, const void *right)
{
    const entry *a = *(entry *const *)left, *b = *(entry *const *)right;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return compare_names(a, b);
}

static bool is_special(const entry *e)
{
    const entry unknown = {.name = UNKNOWN}, end = {.name = END_OF_LINE};

    return compare_names(e, &unknown) == 0 || compare_names(e, &end) == 0;
}

static bool is_left_out(const rnn_vocabulary *v, const entry *e, size_t n_words, size_t max_words,
                        size_t min_count)
{
    if (v->unit != RNN_UNIT_WORDS || is_special(e))
        return false;
    return e->count == 0 || e->count < min_count || (max_words > 0 && n_words >= max_words);
}

/* Numbers in the order of the list; those left out go to its end. */
static rnn_status number_entries(rnn_vocabulary *v, size_t max_words, size_t min_count)
{
    size_t n_words = 0, n_out = 0;
    entry **out;

    RNN_TRY(RNN_ALLOC(&out, v->n_entries, "the vocabulary"));
    for (size_t i = 0; i < v->n_entries; i++) {
        entry *e = v->entries[i];

        if (is_left_out(v, e, n_words, max_words, min_count)) {
            out[n_out++] = e;
            continue;
        }
        n_words += !is_special(e);
        e->number = (int32_t)v->size;
        v->entries[v->size++] = e;
    }
    memcpy(v->entries + v->size, out, n_out * sizeof *out);
    rnn_free(out);
    return RNN_OK;
}

rnn_status rnn_vocabulary_settle(rnn_vocabulary *vocabulary, const size_t *count, size_t max_words,
                                 size_t min_count, uint32_t *final)
{
    rnn_vocabulary *v = vocabulary;
    bool has_words = v->unit == RNN_UNIT_WORDS;
    size_t n_added = v->n_entries;
    const entry *special;

    for (size_t i = 0; i < n_added; i++)
        v->entries[i]->count = count[i];
    if (has_words) {
        RNN_TRY(find_or_insert(v, UNKNOWN, &v->unknown));
        RNN_TRY(find_or_insert(v, END_OF_LINE, &special));
    }
    qsort(v->entries, v->n_entries, sizeof *v->entries, has_words ? by_count : by_name);
    RNN_TRY(number_entries(v, max_words, min_count));
    for (size_t i = 0; i < v->n_entries; i++) {
        const entry *e = v->entries[i];

        if (e->provisional < n_added)
            final[e->provisional] = (uint32_t)(e->number >= 0 ? e : v->unknown)->number;
    }
    return RNN_OK;
}

static const char *unit_name(const rnn_vocabulary *v)
{
    return v->unit == RNN_UNIT_WORDS ? "word" : "character";
}

/* Whether a name is one token and nothing else; it is no text, so U+FEFF at its start is itself. */
static rnn_status check_name(const rnn_vocabulary *v, const rnn_text *name)
{
    cursor c = {.text = name, .line = 1};
    piece one;

    RNN_TRY(take(v, &c, &one));
    if (one.n_bytes == 0 || one.bytes != name->bytes || c.at != name->n_bytes)
        return RNN_FAIL(RNN_ERR_DATA, "%s: expected one %s, found %s", name->name, unit_name(v),
                        rnn_excerpt_of(name->bytes).text);
    return RNN_OK;
}

static rnn_status take_name(rnn_vocabulary *v, const char *name, size_t number)
{
    const rnn_text text = {"the model's vocabulary", name, strlen(name)};
    const piece whole = {name, text.n_bytes};
    const entry *e;

    RNN_TRY(check_name(v, &text));
    if (find(v, whole) != NULL)
        return RNN_FAIL(RNN_ERR_DATA, "%s has %s twice", text.name, rnn_excerpt_of(name).text);
    RNN_TRY(insert(v, whole, &e));
    v->entries[number]->number = (int32_t)number;
    v->size++;
    return RNN_OK;
}

rnn_status rnn_vocabulary_create_from(rnn_vocabulary **out, rnn_unit unit, char *const *names,
                                      size_t n_names)
{
    rnn_vocabulary *v;
    rnn_status st = RNN_OK;

    *out = NULL;
    RNN_TRY(rnn_vocabulary_create(&v, unit));
    for (size_t i = 0; i < n_names && st == RNN_OK; i++)
        st = take_name(v, names[i], i);
    if (st == RNN_OK && unit == RNN_UNIT_WORDS)
        v->unknown = find(v, UNKNOWN);
    if (st == RNN_OK)
        *out = v;
    else
        rnn_vocabulary_destroy(&v);
    return st;
}

/* -- Using it ---------------------------------------------------------------------------------- */

size_t rnn_vocabulary_size(const rnn_vocabulary *vocabulary)
{
    return vocabulary->size;
}

const char *rnn_vocabulary_name(const rnn_vocabulary *vocabulary, size_t number)
{
    return vocabulary->entries[number]->name.bytes;
}

/* A token without a number, with its place in the text. */
static rnn_status fail_unknown(const rnn_vocabulary *v, const cursor *c, piece name)
{
    char text[64] = "", code_text[16] = ""; /* more of a long word than an excerpt shows */
    uint32_t code;

    memcpy(text, name.bytes, name.n_bytes < sizeof text ? name.n_bytes : sizeof text - 1);
    if (v->unit == RNN_UNIT_CHARACTERS && rnn_utf8_decode(text, &code) > 0)
        snprintf(code_text, sizeof code_text, " (U+%04X)", (unsigned)code);
    return RNN_FAIL(RNN_ERR_DATA,
                    "%s:%zu: the %s %s%s at byte %zu is not in the model's vocabulary of %zu",
                    c->text->name, c->token_line, unit_name(v), rnn_excerpt_of(text).text,
                    code_text, c->token_at, v->size);
}

static rnn_status number_of(const rnn_vocabulary *v, const cursor *c, piece name, uint32_t *number)
{
    const entry *e = find(v, name);

    if (e == NULL || e->number < 0)
        e = v->unknown;
    if (e == NULL)
        return fail_unknown(v, c, name);
    *number = (uint32_t)e->number;
    return RNN_OK;
}

rnn_status rnn_vocabulary_encode(const rnn_vocabulary *vocabulary, const rnn_text *text,
                                 uint32_t *numbers, size_t room, size_t *n_tokens)
{
    cursor c = begin(text);
    piece next;
    uint32_t number = 0;

    *n_tokens = 0;
    while (true) {
        RNN_TRY(take(vocabulary, &c, &next));
        if (next.n_bytes == 0)
            return RNN_OK;
        RNN_TRY(number_of(vocabulary, &c, next, &number));
        if (*n_tokens < room)
            numbers[*n_tokens] = number;
        ++*n_tokens;
    }
}
