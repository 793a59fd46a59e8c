#include "framework/config_init.h"

#include <math.h>
#include <string.h>

#include "framework/init.h"
#include "framework/toml_reader.h"

static rnn_status fail(const char *text)
{
    return RNN_FAIL(RNN_ERR_DATA, "\"%.60s\" is no function of torch.nn.init", text);
}

/* The function whose name is the first n bytes of `text`. */
static const rnn_init_function *find_function(const char *text, size_t n)
{
    for (int i = 0; i < RNN_INIT_N_TYPES; i++) {
        const rnn_init_function *f = &rnn_init_functions[i];

        if (strlen(f->name) == n && strncmp(f->name, text, n) == 0)
            return f;
    }
    return NULL;
}

/* Takes the elements of a TOML array as arguments; gives how many there are, -1 if not all fit. */
static int take_numbers(const rnn_toml *toml, double args[RNN_INIT_MAX_ARGS])
{
    int n = 0;

    for (size_t i = 1; i < toml->count; i++) { /* values[0] is the array */
        const rnn_toml_value *value = &toml->values[i];

        if (n == RNN_INIT_MAX_ARGS || !isfinite(value->number) ||
            (value->type != RNN_TOML_INTEGER && value->type != RNN_TOML_FLOAT))
            return -1;
        args[n++] = value->number;
    }
    return n;
}

/* The numbers between the parentheses at `text`, -1 if they are not numbers and nothing else. */
static int parse_numbers(const char *text, double args[RNN_INIT_MAX_ARGS])
{
    size_t n = strlen(text), length;
    char array[256];
    rnn_toml toml;
    int n_args = -1;

    if (text[0] != '(' || text[n - 1] != ')' || n > sizeof array - 16 ||
        strspn(text + 1, "0123456789+-.eE_, \t") != n - 2)
        return -1;
    length = (size_t)snprintf(array, sizeof array, "args = [%.*s]", (int)(n - 2), text + 1);
    if (rnn_toml_parse(&toml, array, length, "init") == RNN_OK)
        n_args = take_numbers(&toml, args);
    rnn_toml_free(&toml);
    return n_args;
}

rnn_status rnn_config_init_parse(rnn_init *out, const char *text)
{
    size_t n_name = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    const rnn_init_function *f = find_function(text, n_name);
    double args[RNN_INIT_MAX_ARGS] = {0.0};
    int n_args = 0;

    if (f == NULL)
        return fail(text);
    if (text[n_name] != '\0')
        n_args = parse_numbers(text + n_name, args);
    if (n_args < f->n_required || n_args > f->n_args)
        return fail(text);
    for (int i = n_args; i < RNN_INIT_MAX_ARGS; i++)
        args[i] = f->fallback[i];
    *out = (rnn_init){(rnn_init_type)(f - rnn_init_functions), args[0], args[1]};
    return RNN_OK;
}

void rnn_config_init_print(const rnn_init *init, FILE *out)
{
    const rnn_init_function *f = &rnn_init_functions[init->type];
    const double args[RNN_INIT_MAX_ARGS] = {init->a, init->b};
    char number[RNN_TOML_NUMBER_SIZE];

    fputs(f->name, out);
    for (int i = 0; i < f->n_args; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): no function has more */
        rnn_toml_print_number(number, args[i]);
        fprintf(out, "%s%s", i == 0 ? "(" : ", ", number);
    }
    fputs(f->n_args > 0 ? ")" : "", out);
}

void rnn_config_init_print_expected(FILE *out)
{
    fputs("one of ", out);
    for (int t = 0; t < RNN_INIT_N_TYPES; t++) {
        const rnn_init_function *f = &rnn_init_functions[t];

        fprintf(out, "%s\"%s", t > 0 ? ", " : "", f->name);
        for (int i = 0; i < f->n_args; i++)
            fprintf(out, "%s%s", i == 0 ? "(" : ", ", f->args[i]);
        fputs(f->n_args > 0 ? ")\"" : "\"", out);
    }
}
