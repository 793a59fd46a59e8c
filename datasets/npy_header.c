#include "datasets/npy_header.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/excerpt.h"

enum { MAX_WORD = 32 };

typedef struct parser {
    rnn_npy_file *file;
    const char *text, *at;
    size_t start; /* of the text in the file */
    bool is_fortran;
    unsigned seen; /* bit i: key i of the table below */
} parser;

static rnn_status fail(const parser *p, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

/* A problem at the place where the parser is. */
static rnn_status fail(const parser *p, const char *format, ...)
{
    char problem[384];
    va_list args;

    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    return RNN_FAIL(RNN_ERR_DATA, "%s: byte %zu: %s", p->file->path,
                    p->start + (size_t)(p->at - p->text), problem);
}

/* -- Python -------------------------------------------------------------------------------------*/

static void skip_blanks(parser *p)
{
    p->at += strspn(p->at, " \n");
}

/* Goes behind a character if it is the next one. */
static bool accepts(parser *p, char wanted)
{
    skip_blanks(p);
    if (*p->at != wanted)
        return false;
    p->at++;
    return true;
}

static rnn_status expect(parser *p, char wanted, const char *where)
{
    return accepts(p, wanted)
               ? RNN_OK
               : fail(p, "expected '%c' %s, found %s", wanted, where, rnn_excerpt_of(p->at).text);
}

static rnn_status parse_string(parser *p, char word[MAX_WORD], const char *what)
{
    const char quotes[] = "'\"";
    const char *end;
    size_t length;

    skip_blanks(p);
    end = *p->at != '\0' && strchr(quotes, *p->at) != NULL ? strchr(p->at + 1, *p->at) : NULL;
    if (end == NULL)
        return fail(p, "expected %s in quotes, found %s", what, rnn_excerpt_of(p->at).text);
    length = (size_t)(end - p->at) - 1;
    if (length >= MAX_WORD)
        return fail(p, "expected %s, found %s", what, rnn_excerpt_of(p->at).text);
    memcpy(word, p->at + 1, length);
    word[length] = '\0';
    p->at = end + 1;
    return RNN_OK;
}

/* A word such as True. */
static bool accepts_word(parser *p, const char *word)
{
    size_t length = strlen(word);

    skip_blanks(p);
    if (strncmp(p->at, word, length) != 0 || isalnum((unsigned char)p->at[length]))
        return false;
    p->at += length;
    return true;
}

/* -- The three keys -----------------------------------------------------------------------------*/

/* "<f4": byte order, kind, bytes. */
static rnn_status parse_type(parser *p)
{
    static const char *const known[] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                        "i8", "u1", "u2", "u4", "u8", "b1"};
    char type[MAX_WORD] = "";
    rnn_npy_file *file = p->file;

    skip_blanks(p);
    if (*p->at == '[')
        return fail(p, "'descr': records of named fields are not supported, expected numbers, as "
                       "'<f4'");
    RNN_TRY(parse_string(p, type, "the type of the elements"));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (type[0] == '\0' || strcmp(type + 1, known[i]) != 0)
            continue;
        file->kind = known[i][0];
        file->item = (size_t)(known[i][1] - '0');
        file->is_big = type[0] == '>';
        if (type[0] == '<' || type[0] == '>' || (type[0] == '|' && file->item == 1))
            return RNN_OK;
    }
    return fail(p,
                "'descr': expected floats (f2, f4, f8), integers (i1 to i8, u1 to u8) or "
                "booleans (b1) behind '<' or '>', found %s",
                rnn_excerpt_of(type).text);
}

static rnn_status parse_order(parser *p)
{
    p->is_fortran = accepts_word(p, "True");
    if (p->is_fortran || accepts_word(p, "False"))
        return RNN_OK;
    return fail(p, "'fortran_order': expected True or False, found %s", rnn_excerpt_of(p->at).text);
}

static rnn_status parse_size(parser *p, size_t *size)
{
    enum { MAX_DIGITS = 18 };
    size_t length;

    skip_blanks(p);
    length = strspn(p->at, "0123456789");
    if (length == 0 || length > MAX_DIGITS)
        return fail(p, "'shape': expected a size from 1 to %d digits, found %s", MAX_DIGITS,
                    rnn_excerpt_of(p->at).text);
    *size = strtoull(p->at, NULL, 10);
    if (*size == 0)
        return fail(p, "'shape': expected elements, found a size of 0");
    p->at += length;
    return RNN_OK;
}

/* "(60, 28)", or "(60,)": the comma makes it a tuple. */
static rnn_status parse_shape(parser *p)
{
    rnn_npy_file *file = p->file;
    bool has_comma = false;

    RNN_TRY(expect(p, '(', "to begin 'shape'"));
    while (!accepts(p, ')')) {
        if (file->n_dims > 0 && !has_comma)
            return fail(p, "'shape': expected ',' or ')', found %s", rnn_excerpt_of(p->at).text);
        if (file->n_dims == RNN_NPY_MAX_DIMS)
            return fail(p, "'shape': expected at most %d dimensions, found more", RNN_NPY_MAX_DIMS);
        RNN_TRY(parse_size(p, &file->shape[file->n_dims++]));
        has_comma = accepts(p, ',');
    }
    if (file->n_dims == 0)
        return fail(p, "'shape': expected 1 to %d dimensions, found none", RNN_NPY_MAX_DIMS);
    if (file->n_dims == 1 && !has_comma)
        return fail(p, "'shape': expected ',' behind a single size");
    return RNN_OK;
}

static const struct {
    const char *name;
    rnn_status (*parse)(parser *p);
} keys[] = {{"descr", parse_type}, {"fortran_order", parse_order}, {"shape", parse_shape}};

enum { N_KEYS = sizeof keys / sizeof *keys };

static rnn_status parse_entry(parser *p)
{
    char key[MAX_WORD];

    RNN_TRY(parse_string(p, key, "a key"));
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcmp(key, keys[i].name) != 0)
            continue;
        if ((p->seen >> i & 1u) != 0)
            return fail(p, "'%s' for the second time", key);
        p->seen |= 1u << i;
        RNN_TRY(expect(p, ':', "behind a key"));
        return keys[i].parse(p);
    }
    return fail(p, "expected 'descr', 'fortran_order' or 'shape', found %s",
                rnn_excerpt_of(key).text);
}

static rnn_status check_complete(const parser *p)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if ((p->seen >> i & 1u) == 0)
            return fail(p, "the header has no '%s'", keys[i].name);
    if (p->is_fortran && p->file->n_dims > 1)
        return fail(p, "'fortran_order' is True: expected the order of C, as of "
                       "numpy.save(file, numpy.ascontiguousarray(array))");
    return RNN_OK;
}

rnn_status rnn_npy_header_parse(rnn_npy_file *file, const char *text, size_t start)
{
    parser p = {.file = file, .text = text, .at = text, .start = start};
    bool has_comma = true;

    RNN_TRY(expect(&p, '{', "to begin the header"));
    while (!accepts(&p, '}')) {
        if (!has_comma)
            return fail(&p, "expected ',' or '}', found %s", rnn_excerpt_of(p.at).text);
        RNN_TRY(parse_entry(&p));
        has_comma = accepts(&p, ',');
    }
    RNN_TRY(check_complete(&p));
    skip_blanks(&p);
    if (*p.at != '\0')
        return fail(&p, "expected nothing behind '}', found %s", rnn_excerpt_of(p.at).text);
    return RNN_OK;
}
