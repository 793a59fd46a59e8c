#include "framework/config.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "framework/config_keys.h"
#include "framework/file_io.h"
#include "framework/toml_reader.h"
#include "kernels/loss.h"
#include "kernels/memory.h"

/* -- Where values come from -------------------------------------------------------------------- */

/* A text with values: the file, or one override. */
typedef struct source {
    char *name; /* "mnist.toml", "--set run.seed=2" */
    bool is_override;
    rnn_toml toml;
} source;

/* A value and its source; the value is NULL where nobody gave one. */
typedef struct origin {
    const source *from;
    const rnn_toml_value *value;
} origin;

typedef struct loader {
    rnn_config *config;
    source *sources; /* the file, then the overrides */
    size_t n_sources;
    origin *given; /* [at least one and n_layers][rnn_config_n_keys] */
    size_t room_given;
    bool only_layers; /* nothing else is required */
} loader;

static origin *given(const loader *l, const rnn_config_key *key, size_t layer)
{
    return &l->given[layer * rnn_config_n_keys + (size_t)(key - rnn_config_keys)];
}

static rnn_status fail_at(origin at, const char *path, const char *format, ...)
    RNN_PRINTF_FORMAT(3, 4);

/* Adds the place to a problem: "mnist.toml:3:1: run.seed: ..." or "--set run.seed=x: ...". */
static rnn_status fail_at(origin at, const char *path, const char *format, ...)
{
    char problem[768];
    va_list args;

    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    if (at.from->is_override)
        return RNN_FAIL(RNN_ERR_DATA, "%s: %s", at.from->name, problem);
    if (at.value == NULL)
        return RNN_FAIL(RNN_ERR_DATA, "%s: %s: %s", at.from->name, path, problem);
    return RNN_FAIL(RNN_ERR_DATA, "%s:%d:%d: %s: %s", at.from->name, at.value->line,
                    at.value->column, path, problem);
}

/* Adds the place to what rnn_config_key_assign and the like have complained about. */
static rnn_status pass_at(rnn_status st, origin at, const char *path)
{
    return st == RNN_ERR_DATA ? fail_at(at, path, "%s", rnn_error_message()) : st;
}

/* -- Paths ------------------------------------------------------------------------------------- */

/* "layer[2].bias" as the table of keys has it, "layer[].bias", and the 2. */
typedef struct key_path {
    char schema[RNN_TOML_MAX_PATH];
    size_t index; /* the first one, 0 without */
} key_path;

static bool split_path(const char *path, key_path *out)
{
    size_t n = 0;
    bool has_index = false;

    *out = (key_path){.index = 0};
    while (*path != '\0') {
        if (n + 1 == sizeof out->schema)
            return false;
        out->schema[n++] = *path;
        if (*path++ != '[')
            continue;
        if (!isdigit((unsigned char)*path))
            return false;
        if (!has_index)
            out->index = (size_t)strtoull(path, NULL, 10);
        has_index = true;
        path += strspn(path, "0123456789");
    }
    return true;
}

/* The opposite: what a user calls the key. */
static void join_path(const char *schema, size_t index, char *out, size_t size)
{
    const char *brackets = strstr(schema, "[]");

    if (brackets == NULL)
        snprintf(out, size, "%s", schema);
    else
        snprintf(out, size, "%.*s[%zu%s", (int)(brackets - schema), schema, index, brackets + 1);
}

/* What a path that is no key leads to in the table of keys: a table, an array of them, nothing. */
typedef enum container { NOTHING, ONE_TABLE, ARRAY_OF_TABLES } container;

static container find_container(const char *schema)
{
    size_t n = strlen(schema);

    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const char *path = rnn_config_keys[k].path;

        if (strncmp(path, schema, n) == 0 && (path[n] == '.' || path[n] == '['))
            return path[n] == '.' ? ONE_TABLE : ARRAY_OF_TABLES;
    }
    return NOTHING;
}

/* Whether the path lies in the array that a key has as its value. */
static bool is_element_of_key(const char *schema)
{
    char path[RNN_TOML_MAX_PATH];
    size_t n = strlen(schema);

    memcpy(path, schema, n + 1);
    while (n > 2 && strcmp(path + n - 2, "[]") == 0) {
        n -= 2;
        path[n] = '\0';
        if (rnn_config_key_find(path) != NULL)
            return true;
    }
    return false;
}

/* -- Taking values in -------------------------------------------------------------------------- */

static rnn_status fail_unknown(origin at, const char *path, const key_path *split)
{
    char nearest[RNN_TOML_MAX_PATH], name[RNN_TOML_MAX_PATH];

    if (split == NULL || !rnn_config_nearest(split->schema, nearest, sizeof nearest))
        return fail_at(at, path, "unknown key; rnntrain --help-config lists the known ones");
    join_path(nearest, split->index, name, sizeof name);
    return fail_at(at, path, "unknown key; did you mean %s?", name);
}

static rnn_status make_room_for_layers(loader *l, size_t n_layers)
{
    return RNN_GROW(&l->given, &l->room_given, l->room_given, n_layers * rnn_config_n_keys,
                    "the configuration");
}

/* Stores the value of a key; the values of its elements follow it in the source. */
static rnn_status take_value(loader *l, origin at, const char *path, const rnn_config_key *key,
                             size_t layer)
{
    size_t n_values = (size_t)(at.from->toml.values + at.from->toml.count - at.value);
    void *field = rnn_config_key_field(key, l->config, layer);

    RNN_TRY(pass_at(rnn_config_key_assign(key, field, at.value, n_values), at, path));
    *given(l, key, layer) = at;
    return RNN_OK;
}

static rnn_status take_container(loader *l, origin at, const char *path, const key_path *split)
{
    switch (find_container(split->schema)) {
    case NOTHING:
        return fail_unknown(at, path, split);
    case ARRAY_OF_TABLES:
        if (at.value->type == RNN_TOML_ARRAY)
            return RNN_OK;
        return pass_at(rnn_config_mismatch("[[layer]] tables", at.value), at, path);
    case ONE_TABLE:
        break;
    }
    if (at.value->type != RNN_TOML_TABLE)
        return pass_at(rnn_config_mismatch("a table", at.value), at, path);
    if (strcmp(split->schema, "layer[]") != 0)
        return RNN_OK;
    if (split->index >= RNN_CONFIG_MAX_LAYERS)
        return fail_at(at, path, "more than %d layers", RNN_CONFIG_MAX_LAYERS);
    RNN_TRY(make_room_for_layers(l, split->index + 1));
    l->config->n_layers = split->index + 1;
    return RNN_OK;
}

static rnn_status take_file(loader *l)
{
    const rnn_toml *toml = &l->sources[0].toml;

    for (size_t i = 0; i < toml->count; i++) {
        origin at = {&l->sources[0], &toml->values[i]};
        const char *path = at.value->path;
        const rnn_config_key *key;
        key_path split;

        if (!split_path(path, &split))
            return fail_unknown(at, path, NULL);
        key = rnn_config_key_find(split.schema);
        if (key != NULL)
            RNN_TRY(take_value(l, at, path, key, split.index));
        else if (!is_element_of_key(split.schema))
            RNN_TRY(take_container(l, at, path, &split));
    }
    return RNN_OK;
}

/* The key of an override, "layer.0.bias" turned into "layer[0].bias". */
static void override_path(const char *text, char *out, size_t size)
{
    size_t n = strcspn(text, "="), n_digits;

    while (n > 0 && isblank((unsigned char)text[n - 1]))
        n--;
    snprintf(out, size, "%.*s", (int)n, text);
    if (strncmp(out, "layer.", 6) != 0)
        return;
    n_digits = strspn(out + 6, "0123456789");
    if (n_digits > 0 && (out[6 + n_digits] == '.' || out[6 + n_digits] == '\0'))
        snprintf(out, size, "layer[%.*s]%.*s", (int)n_digits, text + 6, (int)(n - 6 - n_digits),
                 text + 6 + n_digits);
}

static rnn_status take_override(loader *l, const source *from)
{
    origin at = {from, &from->toml.values[0]};
    char path[2 * RNN_TOML_MAX_PATH];
    const rnn_config_key *key;
    key_path split;

    override_path(from->name + strlen("--set "), path, sizeof path);
    if (!split_path(path, &split))
        return fail_unknown(at, path, NULL);
    key = rnn_config_key_find(split.schema);
    if (key == NULL && find_container(split.schema) != NOTHING)
        return fail_at(at, path, "%s is a table; set one of its keys", path);
    if (key == NULL)
        return fail_unknown(at, path, &split);
    if (rnn_config_key_is_layer(key) && split.index >= l->config->n_layers)
        return fail_at(at, path, "there is no layer %zu, %s has %zu, counted from 0", split.index,
                       l->sources[0].name, l->config->n_layers);
    return take_value(l, at, path, key, split.index);
}

/* -- Sources ----------------------------------------------------------------------------------- */

/* Parses "value = <text>" for the one value in it. */
static rnn_status parse_value(source *s, const char *text)
{
    static const char prefix[] = "value = ";
    size_t n = sizeof prefix + strlen(text);
    char *line;
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&line, n, "an override"));
    snprintf(line, n, "%s%s", prefix, text);
    rnn_toml_free(&s->toml);
    st = rnn_toml_parse(&s->toml, line, n - 1, s->name);
    rnn_free(line);
    return st;
}

/* The value of an override is TOML, or else a string without its quotes. */
static rnn_status open_override(source *s, const char *text)
{
    const char *equals = strchr(text, '=');
    char *quoted;
    rnn_status st = RNN_ERR_DATA;

    if (equals == NULL || equals == text)
        return RNN_FAIL(RNN_ERR_USAGE, "--set %s: expected KEY=VALUE, as in optimizer.lr=0.01",
                        text);
    RNN_TRY(RNN_ALLOC(&s->name, strlen("--set ") + strlen(text) + 1, "an override"));
    snprintf(s->name, strlen("--set ") + strlen(text) + 1, "--set %s", text);
    s->is_override = true;
    if (strchr(equals, '\n') == NULL) /* a line break could begin a second key */
        st = parse_value(s, equals + 1);
    if (st != RNN_ERR_DATA)
        return st;
    RNN_TRY(rnn_toml_quote(&quoted, equals + 1));
    st = parse_value(s, quoted);
    rnn_free(quoted);
    return st;
}

static rnn_status open_sources(loader *l, const char *text, size_t length, const char *name,
                               const char *const *overrides, size_t n_overrides)
{
    RNN_TRY(make_room_for_layers(l, 1));
    RNN_TRY(RNN_ALLOC(&l->sources, 1 + n_overrides, "the configuration"));
    l->n_sources = 1 + n_overrides;
    RNN_TRY(rnn_string_copy(&l->sources[0].name, name));
    RNN_TRY(rnn_toml_parse(&l->sources[0].toml, text, length, name));
    for (size_t i = 0; i < n_overrides; i++)
        RNN_TRY(open_override(&l->sources[1 + i], overrides[i]));
    return RNN_OK;
}

static void close_sources(loader *l)
{
    for (size_t i = 0; i < l->n_sources; i++) {
        rnn_free(l->sources[i].name);
        rnn_toml_free(&l->sources[i].toml);
    }
    rnn_free(l->sources);
    rnn_free(l->given);
}

/* -- What is left out, and what does not belong ------------------------------------------------ */

/* As fprintf to a fresh string: `write` fills it. For messages; cut at the end of `out`. */
static const char *describe(void (*write)(const rnn_config_key *, FILE *),
                            const rnn_config_key *key, char *out, size_t size)
{
    FILE *file = fmemopen(out, size, "w");

    out[0] = '\0';
    if (file != NULL) {
        write(key, file);
        (void)fclose(file); /* memory */
    }
    return out;
}

static const rnn_toml_value *find_value(const rnn_toml *toml, const char *path)
{
    for (size_t i = 0; i < toml->count; i++) {
        if (strcmp(toml->values[i].path, path) == 0)
            return &toml->values[i];
    }
    return NULL;
}

/* Names the table, and its place in the file if it is there at all. */
static rnn_status fail_missing(const loader *l, const rnn_config_key *key, size_t layer)
{
    char schema[RNN_TOML_MAX_PATH], table[RNN_TOML_MAX_PATH], expected[256];
    origin at = {.from = &l->sources[0]};

    snprintf(schema, sizeof schema, "%.*s", (int)rnn_config_key_table_length(key), key->path);
    join_path(schema, layer, table, sizeof table);
    at.value = find_value(&at.from->toml, table);
    return fail_at(at, table, "%s is missing, expected %s", rnn_config_key_name(key),
                   describe(rnn_config_key_print_expected, key, expected, sizeof expected));
}

static rnn_status fail_misplaced(const loader *l, const rnn_config_key *key, size_t layer)
{
    const rnn_config_key *decider = rnn_config_key_decider(key);
    const int *type = rnn_config_key_field(decider, l->config, layer);
    char path[RNN_TOML_MAX_PATH], types[256];

    join_path(key->path, layer, path, sizeof path);
    return fail_at(*given(l, key, layer), path, "%s is for %s %s, not for %s",
                   rnn_config_key_name(key), rnn_config_key_name(decider),
                   describe(rnn_config_key_print_types, key, types, sizeof types),
                   decider->choices[*type]);
}

static rnn_status complete_key(loader *l, const rnn_config_key *key, size_t layer)
{
    bool is_given = given(l, key, layer)->value != NULL;

    if (!rnn_config_key_applies(key, l->config, layer))
        return is_given ? fail_misplaced(l, key, layer) : RNN_OK;
    if (is_given)
        return RNN_OK;
    if (rnn_config_key_is_required(key))
        return l->only_layers && !rnn_config_key_is_layer(key) ? RNN_OK
                                                               : fail_missing(l, key, layer);
    return rnn_config_key_assign_default(key, l->config, layer);
}

static rnn_status complete(loader *l)
{
    if (l->config->n_layers == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: layer: expected at least one [[layer]] table, found none",
                        l->sources[0].name);
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const rnn_config_key *key = &rnn_config_keys[k];
        size_t n = rnn_config_key_is_layer(key) ? l->config->n_layers : 1;

        for (size_t layer = 0; layer < n; layer++)
            RNN_TRY(complete_key(l, key, layer));
    }
    return RNN_OK;
}

static rnn_status resolve_output_dir(rnn_config *config)
{
    size_t size = strlen("runs/") + strlen(config->run.name) + 1;

    if (config->run.output_dir[0] != '\0')
        return RNN_OK;
    rnn_free(config->run.output_dir);
    RNN_TRY(RNN_ALLOC(&config->run.output_dir, size, "run.output_dir"));
    snprintf(config->run.output_dir, size, "runs/%s", config->run.name);
    return RNN_OK;
}

/* -- Checks that need more than one row of the table ------------------------------------------- */

/* Blames a key that was given: the defaults alone pass all of these checks. */
#define BLAME(l, path, ...) fail_at(*given((l), rnn_config_key_find(path), 0), (path), __VA_ARGS__)

static bool is_file_name(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return name[0] != '.' && name[strspn(name, allowed)] == '\0';
}

static bool is_power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

/* Bounds of a row include themselves, but nothing is divided by 0. */
static rnn_status check_above_zero(const loader *l, const char *path)
{
    const rnn_config_key *key = rnn_config_key_find(path);

    if (rnn_config_key_applies(key, l->config, 0) &&
        *(double *)rnn_config_key_field(key, l->config, 0) == 0.0)
        return BLAME(l, path, "expected a number above 0, found 0");
    return RNN_OK;
}

/* Only a tied layer may leave it to the embedding. */
static rnn_status check_out_features(const loader *l, size_t layer)
{
    const rnn_config_key *key = rnn_config_key_find("layer[].out_features");
    const rnn_layer_cfg *cfg = &l->config->layer[layer];
    rnn_config_key needed = *key;
    char path[RNN_TOML_MAX_PATH], expected[256];

    if (cfg->type != RNN_LAYER_LINEAR || cfg->tied || cfg->out_features > 0)
        return RNN_OK;
    needed.min = 1;
    if (given(l, key, layer)->value == NULL)
        return fail_missing(l, &needed, layer);
    join_path(key->path, layer, path, sizeof path);
    return fail_at(*given(l, key, layer), path, "expected %s, found 0",
                   describe(rnn_config_key_print_expected, &needed, expected, sizeof expected));
}

/* A metric that the loss's kind of answers does not have would never be better. */
static rnn_status check_best(const loader *l)
{
    const rnn_config *c = l->config;
    int best = c->checkpoint.best;
    bool is_of_classes = best == RNN_BEST_ACCURACY || best == RNN_BEST_F1;
    bool is_of_values = best == RNN_BEST_MAE || best == RNN_BEST_RMSE;
    bool has_classes =
        c->loss.type == RNN_LOSS_CROSS_ENTROPY || c->loss.type == RNN_LOSS_BCE_WITH_LOGITS;

    if ((is_of_classes && !has_classes) || (is_of_values && has_classes))
        return BLAME(l, "checkpoint.best", "%s needs loss.type %s, found \"%s\"",
                     rnn_config_key_find("checkpoint.best")->choices[best],
                     is_of_classes ? "\"cross_entropy\" or \"bce_with_logits\""
                                   : "\"mse\", \"l1\" or \"smooth_l1\"",
                     rnn_config_key_find("loss.type")->choices[c->loss.type]);
    return RNN_OK;
}

static rnn_status check(const loader *l)
{
    const rnn_config *c = l->config;
    long long shards = c->parallel.shards, batch_size = c->train.batch_size;

    for (size_t layer = 0; layer < c->n_layers; layer++)
        RNN_TRY(check_out_features(l, layer));
    if (!is_file_name(c->run.name))
        return BLAME(l, "run.name",
                     "expected letters, digits, \".\", \"_\" and \"-\", the first not \".\", "
                     "found \"%.60s\"",
                     c->run.name);
    if (c->dataset.std == 0.0 && rnn_config_key_applies(rnn_config_key_find("dataset.std"), c, 0))
        return BLAME(l, "dataset.std", "expected a number other than 0, found 0");
    if (c->optimizer.nesterov && !(c->optimizer.momentum > 0.0 && c->optimizer.dampening == 0.0))
        return BLAME(l, "optimizer.nesterov",
                     "needs momentum above 0 and dampening 0, found momentum %g and dampening %g",
                     c->optimizer.momentum, c->optimizer.dampening);
    RNN_TRY(check_above_zero(l, "schedule.div_factor"));
    RNN_TRY(check_above_zero(l, "schedule.final_div_factor"));
    RNN_TRY(check_best(l));
    if (c->dataset.standardize_targets && c->loss.type == RNN_LOSS_BCE_WITH_LOGITS)
        return BLAME(l, "dataset.standardize_targets",
                     "targets of loss.type \"bce_with_logits\" are 0 and 1, found true");
    if (shards != 0 && !is_power_of_two(shards))
        return BLAME(l, "parallel.shards", "expected 0 or a power of two, found %lld", shards);
    if (c->parallel.gradients == RNN_GRADIENTS_BFLOAT16 &&
        c->parallel.reduction == RNN_REDUCTION_ALLREDUCE)
        return BLAME(l, "parallel.gradients",
                     "\"bfloat16\" needs parallel.reduction \"reproducible\", found \"allreduce\"");
    if (shards > batch_size)
        return BLAME(l, "parallel.shards", "expected at most train.batch_size, %lld, found %lld",
                     batch_size, shards);
    return RNN_OK;
}

/* -- Loading ----------------------------------------------------------------------------------- */

static rnn_status parse(rnn_config *out, const char *text, size_t length, const char *name,
                        const char *const *overrides, size_t n_overrides, bool only_layers)
{
    rnn_status st;
    loader l = {.config = out, .only_layers = only_layers};

    *out = (rnn_config){.n_layers = 0};
    RNN_TRY_GOTO(st, open_sources(&l, text, length, name, overrides, n_overrides), done);
    RNN_TRY_GOTO(st, take_file(&l), done);
    for (size_t i = 1; i < l.n_sources; i++)
        RNN_TRY_GOTO(st, take_override(&l, &l.sources[i]), done);
    RNN_TRY_GOTO(st, complete(&l), done);
    RNN_TRY_GOTO(st, check(&l), done);
    st = resolve_output_dir(out);
done:
    close_sources(&l);
    return st;
}

rnn_status rnn_config_parse(rnn_config *out, const char *text, size_t length, const char *name,
                            const char *const *overrides, size_t n_overrides)
{
    return parse(out, text, length, name, overrides, n_overrides, false);
}

static rnn_status load(rnn_config *out, const char *path, const char *const *overrides,
                       size_t n_overrides, bool only_layers)
{
    void *text;
    size_t length;
    rnn_status st;

    *out = (rnn_config){.n_layers = 0};
    RNN_TRY(rnn_file_read(path, RNN_TOML_MAX_BYTES, &text, &length));
    st = parse(out, text, length, path, overrides, n_overrides, only_layers);
    rnn_free(text);
    return st;
}

rnn_status rnn_config_load(rnn_config *out, const char *path, const char *const *overrides,
                           size_t n_overrides)
{
    return load(out, path, overrides, n_overrides, false);
}

rnn_status rnn_config_load_layers(rnn_config *out, const char *path, const char *const *overrides,
                                  size_t n_overrides)
{
    return load(out, path, overrides, n_overrides, true);
}

void rnn_config_free(rnn_config *config)
{
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        if (!rnn_config_key_is_layer(&rnn_config_keys[k]))
            rnn_config_key_clear(&rnn_config_keys[k],
                                 rnn_config_key_field(&rnn_config_keys[k], config, 0));
    }
    *config = (rnn_config){.n_layers = 0};
}

/* -- The canonical text ------------------------------------------------------------------------ */

/* One past the last row of the table that row `first` begins. */
static size_t table_end(size_t first)
{
    const rnn_config_key *key = &rnn_config_keys[first];
    size_t n = rnn_config_key_table_length(key) + 1, k = first;

    while (k < rnn_config_n_keys && strncmp(rnn_config_keys[k].path, key->path, n) == 0)
        k++;
    return k;
}

static void print_header(const rnn_config_key *key, FILE *out)
{
    if (rnn_config_key_is_layer(key))
        fputs("[[layer]]\n", out);
    else
        fprintf(out, "[%.*s]\n", (int)rnn_config_key_table_length(key), key->path);
}

static rnn_status print_table(const rnn_config *config, size_t first, size_t layer, FILE *out)
{
    fputs(ftell(out) > 0 ? "\n" : "", out);
    print_header(&rnn_config_keys[first], out);
    for (size_t k = first; k < table_end(first); k++) {
        const rnn_config_key *key = &rnn_config_keys[k];

        if (!rnn_config_key_applies(key, config, layer))
            continue;
        fprintf(out, "%s = ", rnn_config_key_name(key));
        RNN_TRY(rnn_config_key_print(key, rnn_config_key_field(key, config, layer), out));
        fputc('\n', out);
    }
    return RNN_OK;
}

static rnn_status print_tables(const rnn_config *config, FILE *out)
{
    for (size_t first = 0; first < rnn_config_n_keys; first = table_end(first)) {
        bool is_layer = rnn_config_key_is_layer(&rnn_config_keys[first]);
        size_t n = is_layer ? config->n_layers : 1;

        for (size_t layer = 0; layer < n; layer++)
            RNN_TRY(print_table(config, first, layer, out));
    }
    return RNN_OK;
}

rnn_status rnn_config_print(const rnn_config *config, char **out)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    rnn_status st;

    *out = NULL;
    if (file == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the configuration's text");
    st = print_tables(config, file);
    if (fclose(file) != 0 && st == RNN_OK)
        st = RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the configuration's text");
    if (st == RNN_OK)
        st = rnn_string_copy(out, text);
    free(text);
    return st;
}

/* -- Resuming ---------------------------------------------------------------------------------- */

static rnn_status compare_key(const rnn_config_key *key, const rnn_config *then,
                              const rnn_config *now, size_t layer)
{
    char *was = NULL, *is = NULL;
    char path[RNN_TOML_MAX_PATH];
    rnn_status st;

    RNN_TRY_GOTO(st, rnn_config_key_text(key, rnn_config_key_field(key, then, layer), &was), done);
    RNN_TRY_GOTO(st, rnn_config_key_text(key, rnn_config_key_field(key, now, layer), &is), done);
    join_path(key->path, layer, path, sizeof path);
    if (strcmp(was, is) != 0)
        st = RNN_FAIL(RNN_ERR_DATA, "%s was %s and is now %s", path, was, is);
done:
    rnn_free(was);
    rnn_free(is);
    return st;
}

rnn_status rnn_config_check_resume(const rnn_config *then, const rnn_config *now)
{
    if (then->n_layers != now->n_layers)
        return RNN_FAIL(RNN_ERR_DATA, "there were %zu [[layer]] tables and are now %zu",
                        then->n_layers, now->n_layers);
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const rnn_config_key *key = &rnn_config_keys[k];
        size_t n = rnn_config_key_is_layer(key) ? now->n_layers : 1;

        /* Types come first in the table and have been compared: what applies now applied then. */
        for (size_t layer = 0; !key->may_change && layer < n; layer++) {
            if (rnn_config_key_applies(key, now, layer))
                RNN_TRY(compare_key(key, then, now, layer));
        }
    }
    return RNN_OK;
}

/* -- Help -------------------------------------------------------------------------------------- */

enum { MAX_OPTIMIZERS = 16 };

/* The defaults of a key by optimizer type, NULL where it is not for the type; their number. */
static int optimizer_defaults(const rnn_config_key *key, char *text[MAX_OPTIMIZERS])
{
    int n = 0;

    for (; rnn_config_key_decider(key)->choices[n] != NULL; n++) {
        rnn_config config = {.optimizer.type = n};

        text[n] = NULL;
        if (rnn_config_key_applies(key, &config, 0) &&
            rnn_config_key_assign_default(key, &config, 0) == RNN_OK)
            (void)rnn_config_key_text(key, rnn_config_key_field(key, &config, 0), &text[n]);
    }
    return n;
}

/* "0.001 for sgd, adam; 1.0 for adadelta": every value once. */
static void print_optimizer_default(const rnn_config_key *key, FILE *out)
{
    char *text[MAX_OPTIMIZERS];
    int n = optimizer_defaults(key, text);
    unsigned all = 0, done = 0;

    for (int t = 0; t < n; t++)
        all |= (text[t] != NULL ? 1u : 0u) << t;
    for (int t = 0; t < n; t++) {
        rnn_config_key group = *key;

        if (text[t] == NULL || (done >> t & 1u) != 0)
            continue;
        group.types = 0;
        for (int u = t; u < n; u++)
            group.types |= (text[u] != NULL && strcmp(text[u], text[t]) == 0 ? 1u : 0u) << u;
        fprintf(out, "%s%s", done != 0 ? "; " : "", text[t]);
        if (group.types != all) {
            fputs(" for ", out);
            rnn_config_key_print_types(&group, out);
        }
        done |= group.types;
    }
    for (int t = 0; t < n; t++)
        rnn_free(text[t]);
}

static void print_help(const rnn_config_key *key, FILE *out)
{
    fprintf(out, "  %s: ", rnn_config_key_name(key));
    rnn_config_key_print_expected(key, out);
    if (rnn_config_key_types(key) != 0) {
        fputs("; only for ", out);
        rnn_config_key_print_types(key, out);
    }
    if (key->fallback != NULL)
        fprintf(out, "; default %s", key->fallback);
    if (rnn_config_key_is_required(key))
        fputs("; required", out);
    fprintf(out, "\n      %s\n", key->help);
    if (key->optimizer_offset != 0) {
        fputs("      Default ", out);
        print_optimizer_default(key, out);
        fputc('\n', out);
    }
}

void rnn_config_print_help(FILE *out)
{
    for (size_t first = 0; first < rnn_config_n_keys; first = table_end(first)) {
        fputs(first > 0 ? "\n" : "", out);
        print_header(&rnn_config_keys[first], out);
        for (size_t k = first; k < table_end(first); k++)
            print_help(&rnn_config_keys[k], out);
    }
}
