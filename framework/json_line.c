#include "framework/json_line.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/utf8.h"

enum { MAX_DEPTH = 32, NUMBER_SIZE = 64 };

typedef struct reader {
    const char *line;
    size_t n_bytes, at;
} reader;

static void skip_blanks(reader *r)
{
    while (r->at < r->n_bytes && strchr(" \t\r\n", r->line[r->at]) != NULL && r->line[r->at] != 0)
        r->at++;
}

/* The next byte that is no blank; '\0' at the end. */
static char peek(reader *r)
{
    skip_blanks(r);
    return r->at < r->n_bytes ? r->line[r->at] : '\0';
}

static rnn_status refuse(const reader *r, const char *expected)
{
    if (r->at >= r->n_bytes)
        return RNN_FAIL(RNN_ERR_DATA, "column %zu: expected %s, found the end of the line",
                        r->at + 1, expected);
    return RNN_FAIL(RNN_ERR_DATA, "column %zu: expected %s, found byte 0x%02x", r->at + 1, expected,
                    (unsigned)(unsigned char)r->line[r->at]);
}

static rnn_status expect(reader *r, char byte, const char *name)
{
    if (peek(r) != byte)
        return refuse(r, name);
    r->at++;
    return RNN_OK;
}

/* -- Texts ------------------------------------------------------------------------------------- */

typedef struct text {
    char *bytes;
    size_t size, length;
} text;

static void put(text *t, char byte)
{
    if (t->length + 1 < t->size)
        t->bytes[t->length++] = byte;
}

/* The four digits of \u. Surrogates become U+FFFD each: texts that we print have none. */
static rnn_status take_code(reader *r, text *t)
{
    char bytes[RNN_UTF8_MAX + 1];
    uint32_t code = 0;

    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *found =
            r->at < r->n_bytes && r->line[r->at] != '\0' ? strchr(digits, r->line[r->at]) : NULL;

        if (found == NULL)
            return refuse(r, "a hexadecimal digit");
        code = code << 4 | (uint32_t)((found - digits) & 15);
        r->at++;
    }
    rnn_utf8_encode(code == 0 || (code >= 0xD800 && code < 0xE000) ? 0xFFFD : code, bytes);
    for (size_t i = 0; bytes[i] != '\0'; i++)
        put(t, bytes[i]);
    return RNN_OK;
}

static rnn_status take_escape(reader *r, text *t)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (r->at < r->n_bytes && r->line[r->at] == 'u') {
        r->at++;
        return take_code(r, t);
    }
    found = r->at < r->n_bytes && r->line[r->at] != '\0' ? strchr(letters, r->line[r->at]) : NULL;
    if (found == NULL)
        return refuse(r, "one of \"\\/bfnrtu");
    put(t, meanings[found - letters]);
    r->at++;
    return RNN_OK;
}

static rnn_status take_text(reader *r, char *bytes, size_t size)
{
    text t = {bytes, size, 0};

    RNN_TRY(expect(r, '"', "a quote"));
    while (r->at < r->n_bytes && r->line[r->at] != '"') {
        char byte = r->line[r->at];

        if ((unsigned char)byte < ' ')
            return refuse(r, "a character");
        r->at++;
        if (byte == '\\')
            RNN_TRY(take_escape(r, &t));
        else
            put(&t, byte);
    }
    RNN_TRY(expect(r, '"', "a quote"));
    t.bytes[t.length] = '\0';
    return RNN_OK;
}

void rnn_json_print_text(FILE *out, const char *bytes)
{
    fputc('"', out);
    for (; *bytes != '\0'; bytes++) {
        if (*bytes == '"' || *bytes == '\\')
            fprintf(out, "\\%c", *bytes);
        else if ((unsigned char)*bytes < ' ')
            fprintf(out, "\\u%04x", (unsigned)*bytes);
        else
            fputc(*bytes, out);
    }
    fputc('"', out);
}

/* -- Other values ------------------------------------------------------------------------------ */

/* strtod alone would also take hexadecimal numbers, "inf" and "nan", which JSON has not. */
static rnn_status take_number(reader *r, double *number)
{
    char copy[NUMBER_SIZE], *end;
    size_t length = 0;

    while (r->at + length < r->n_bytes && length + 1 < sizeof copy &&
           r->line[r->at + length] != '\0' &&
           strchr("+-.0123456789eE", r->line[r->at + length]) != NULL)
        length++;
    memcpy(copy, r->line + r->at, length);
    copy[length] = '\0';
    *number = strtod(copy, &end);
    if (length == 0 || *end != '\0' || copy[0] == '+' || copy[0] == '.')
        return refuse(r, "a number");
    r->at += length;
    return RNN_OK;
}

static bool take_word(reader *r, const char *word)
{
    size_t length = strlen(word);

    if (r->n_bytes - r->at < length || memcmp(r->line + r->at, word, length) != 0)
        return false;
    r->at += length;
    return true;
}

/* Over an object or an array, by its brackets. */
static rnn_status skip_nested(reader *r)
{
    char ignored[2];
    int depth = 0;

    do {
        char byte = peek(r);

        if (byte == '"') {
            RNN_TRY(take_text(r, ignored, sizeof ignored));
            continue;
        }
        depth += (byte == '{' || byte == '[') - (byte == '}' || byte == ']');
        if (r->at >= r->n_bytes || depth > MAX_DEPTH)
            return refuse(r, "the end of an object or array");
        r->at++;
    } while (depth > 0);
    return RNN_OK;
}

static rnn_status take_value(reader *r, rnn_json_member *member)
{
    char first = peek(r);

    member->number = (double)NAN;
    member->text[0] = '\0';
    member->kind = RNN_JSON_OTHER;
    if (first == '"') {
        member->kind = RNN_JSON_TEXT;
        return take_text(r, member->text, sizeof member->text);
    }
    if (first == '{' || first == '[')
        return skip_nested(r);
    if (take_word(r, "true") || take_word(r, "false"))
        return RNN_OK;
    member->kind = RNN_JSON_NULL;
    if (take_word(r, "null"))
        return RNN_OK;
    member->kind = RNN_JSON_NUMBER;
    return take_number(r, &member->number);
}

static rnn_status take_members(reader *r, rnn_json_take take, void *context)
{
    rnn_json_member member;

    if (peek(r) == '}')
        return RNN_OK;
    for (;;) {
        RNN_TRY(take_text(r, member.name, sizeof member.name));
        RNN_TRY(expect(r, ':', "a colon"));
        RNN_TRY(take_value(r, &member));
        take(context, &member);
        if (peek(r) != ',')
            return RNN_OK;
        r->at++;
    }
}

rnn_status rnn_json_line_parse(const char *line, size_t n_bytes, rnn_json_take take, void *context)
{
    reader r = {line, n_bytes, 0};

    RNN_TRY(expect(&r, '{', "an object"));
    RNN_TRY(take_members(&r, take, context));
    RNN_TRY(expect(&r, '}', "a comma or the end of the object"));
    skip_blanks(&r);
    return r.at == r.n_bytes ? RNN_OK : refuse(&r, "the end of the line");
}
