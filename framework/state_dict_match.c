#include "framework/state_dict_match.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/layer_args.h"
#include "kernels/memory.h"

enum { NONE = -1, LIST_LENGTH = 320, ITEM_LENGTH = 512 };

/* The entries with one prefix: what was one torch module. */
typedef struct module {
    rnn_dict_entry *entries; /* at least one */
    size_t count;
    int layer; /* NONE = not assigned yet */
} module;

typedef struct matching {
    const rnn_model *model;
    const char *source;
    module *modules;
    size_t n_modules;
    bool taken[RNN_MODEL_MAX_LAYERS];
} matching;

/* -- Names ------------------------------------------------------------------------------------- */

void rnn_dict_set_path(rnn_dict_entry *entry, const char *path)
{
    const char *dot;

    snprintf(entry->path, sizeof entry->path, "%s", path);
    snprintf(entry->key, sizeof entry->key, "%s", path);
    rnn_h5_make_printable(entry->key);
    for (char *c = entry->key; *c != '\0'; c++)
        if (*c == '/')
            *c = '.';
    dot = strrchr(entry->key, '.');
    entry->prefix_length = dot != NULL ? (size_t)(dot - entry->key) : 0;
}

/* What follows the prefix. */
static const char *name_of(const rnn_dict_entry *entry)
{
    return entry->key + entry->prefix_length + (entry->key[entry->prefix_length] == '.');
}

static int compare_prefixes(const rnn_dict_entry *a, const rnn_dict_entry *b)
{
    size_t length = a->prefix_length < b->prefix_length ? a->prefix_length : b->prefix_length;
    int order = memcmp(a->key, b->key, length);

    return order != 0
               ? order
               : (a->prefix_length > b->prefix_length) - (a->prefix_length < b->prefix_length);
}

static int compare_entries(const void *a, const void *b)
{
    int order = compare_prefixes(a, b);

    return order != 0 ? order
                      : strcmp(((const rnn_dict_entry *)a)->key, ((const rnn_dict_entry *)b)->key);
}

/* One direction of one sublayer, as a cell is: only there is "_l0" a mere spelling. */
static bool is_plain(const rnn_layer_cfg *cfg)
{
    return rnn_layer_is_recurrent(cfg->type) && cfg->num_layers == 1 && !cfg->bidirectional;
}

static size_t length_without_number(const char *name)
{
    size_t length = strlen(name);

    return length > 3 && strcmp(name + length - 3, "_l0") == 0 ? length - 3 : length;
}

static bool is_name_of(const rnn_param *p, const rnn_layer_cfg *cfg, const char *name)
{
    size_t length = length_without_number(p->name);

    if (strcmp(p->name, name) == 0)
        return true;
    return is_plain(cfg) && length == length_without_number(name) &&
           memcmp(p->name, name, length) == 0;
}

static bool has_shape_of(const rnn_param *p, const rnn_dict_entry *entry)
{
    return rnn_h5_is_shape_of(p, entry->n_dims, entry->dims);
}

/* -- Names and shapes in messages -------------------------------------------------------------- */

/* "0 (lstm)" */
static const char *print_layer(const matching *m, int layer, char text[ITEM_LENGTH])
{
    snprintf(text, ITEM_LENGTH, "%d (%s)", layer,
             rnn_layer_type_name(rnn_model_layer(m->model, (size_t)layer)->type));
    return text;
}

/* "weight [10][100], bias [10]" of the layer. */
static const char *print_params(const matching *m, int layer, char text[ITEM_LENGTH])
{
    size_t first, count;

    text[0] = '\0';
    rnn_model_layer_params(m->model, (size_t)layer, &first, &count);
    for (size_t i = first; i < first + count && strlen(text) < ITEM_LENGTH - 1; i++) {
        const rnn_param *p = rnn_model_param(m->model, i);
        char shape[64], item[128];

        rnn_h5_print_param_shape(shape, sizeof shape, p);
        snprintf(item, sizeof item, "%s %s", p->name, shape);
        rnn_h5_append_name(text, ITEM_LENGTH, item);
    }
    return text;
}

/* "fc.weight [10][100], fc.bias [10]" */
static const char *print_module(const module *mod, char text[ITEM_LENGTH])
{
    text[0] = '\0';
    for (size_t i = 0; i < mod->count && strlen(text) < ITEM_LENGTH - 1; i++) {
        const rnn_dict_entry *entry = &mod->entries[i];
        char shape[128], item[RNN_H5_PATH_LENGTH + 160];

        rnn_h5_print_shape(shape, sizeof shape, entry->n_dims, entry->dims);
        snprintf(item, sizeof item, "%s %s", entry->key, shape);
        rnn_h5_append_name(text, ITEM_LENGTH, item);
    }
    return text;
}

static int prefix_length(const module *mod)
{
    return (int)mod->entries->prefix_length;
}

/* printf's "%.*s" of a module's prefix. */
#define PREFIX(mod) prefix_length(mod), (mod)->entries->key

/* -- Whether a module is a layer --------------------------------------------------------------- */

/* How many entries of a module have the name of a parameter; *entry is one of them. */
static size_t count_entries_of(const module *mod, const rnn_param *p, const rnn_layer_cfg *cfg,
                               rnn_dict_entry **entry)
{
    size_t count = 0;

    *entry = NULL;
    for (size_t i = 0; i < mod->count; i++)
        if (is_name_of(p, cfg, name_of(&mod->entries[i]))) {
            *entry = &mod->entries[i];
            count++;
        }
    return count;
}

/* Whether the entry is the weight of a tied layer, which is a parameter of the embedding. */
static bool is_tied_weight(const matching *m, const rnn_dict_entry *entry, int layer)
{
    const rnn_param *weight = rnn_model_param(m->model, 0);

    return rnn_model_layer(m->model, (size_t)layer)->tied &&
           strcmp(name_of(entry), weight->name) == 0 && has_shape_of(weight, entry);
}

static size_t count_tied_weights(const matching *m, const module *mod, int layer)
{
    size_t count = 0;

    for (size_t i = 0; i < mod->count; i++)
        count += is_tied_weight(m, &mod->entries[i], layer);
    return count;
}

/* Exactly its parameters, in names and shapes. */
static bool fits(const matching *m, const module *mod, int layer)
{
    const rnn_layer_cfg *cfg = rnn_model_layer(m->model, (size_t)layer);
    size_t first, count;
    rnn_dict_entry *entry;

    rnn_model_layer_params(m->model, (size_t)layer, &first, &count);
    if (count == 0 || count != mod->count - count_tied_weights(m, mod, layer))
        return false;
    for (size_t i = first; i < first + count; i++) {
        const rnn_param *p = rnn_model_param(m->model, i);

        if (count_entries_of(mod, p, cfg, &entry) != 1 || !has_shape_of(p, entry))
            return false;
    }
    return true;
}

static rnn_status take_param(const matching *m, const module *mod, int layer, size_t index)
{
    const rnn_layer_cfg *cfg = rnn_model_layer(m->model, (size_t)layer);
    const rnn_param *p = rnn_model_param(m->model, index);
    char needed[64], found[128], text[ITEM_LENGTH], all[ITEM_LENGTH];
    rnn_dict_entry *entry;
    size_t n_found = count_entries_of(mod, p, cfg, &entry);

    rnn_h5_print_param_shape(needed, sizeof needed, p);
    if (n_found == 0)
        return RNN_FAIL(RNN_ERR_DATA, "%s: lacks %s %s of layer %s; it has %.320s", m->source,
                        p->name, needed, print_layer(m, layer, text), print_module(mod, all));
    if (n_found > 1)
        return RNN_FAIL(RNN_ERR_DATA, "%s: has %s of layer %s %zu times, once as %s", m->source,
                        p->name, print_layer(m, layer, text), n_found, entry->key);
    if (!has_shape_of(p, entry)) {
        rnn_h5_print_shape(found, sizeof found, entry->n_dims, entry->dims);
        return RNN_FAIL(RNN_ERR_DATA, "%s: %s is %s, but %s of layer %s is %s", m->source,
                        entry->key, found, p->name, print_layer(m, layer, text), needed);
    }
    entry->param = index;
    return RNN_OK;
}

static bool is_of_layer(const matching *m, const rnn_dict_entry *entry, int layer)
{
    size_t first, count;

    rnn_model_layer_params(m->model, (size_t)layer, &first, &count);
    for (size_t i = first; i < first + count; i++)
        if (is_name_of(rnn_model_param(m->model, i), rnn_model_layer(m->model, (size_t)layer),
                       name_of(entry)))
            return true;
    return false;
}

/* Makes the module the layer, with a message about what is not right. */
static rnn_status assign(matching *m, module *mod, int layer)
{
    size_t first, count;
    char text[ITEM_LENGTH], needed[ITEM_LENGTH];

    rnn_model_layer_params(m->model, (size_t)layer, &first, &count);
    if (count == 0 && !rnn_model_layer(m->model, (size_t)layer)->tied)
        return RNN_FAIL(RNN_ERR_DATA, "%s: %s is for layer %s, which has no parameters", m->source,
                        mod->entries->key, print_layer(m, layer, text));
    if (m->taken[layer])
        return RNN_FAIL(RNN_ERR_DATA, "%s: %s is for layer %s, which another prefix is for too",
                        m->source, mod->entries->key, print_layer(m, layer, text));
    for (size_t i = first; i < first + count; i++)
        RNN_TRY(take_param(m, mod, layer, i));
    for (size_t i = 0; i < mod->count; i++)
        if (is_tied_weight(m, &mod->entries[i], layer))
            mod->entries[i].is_copy = true; /* of parameter 0 */
        else if (!is_of_layer(m, &mod->entries[i], layer))
            return RNN_FAIL(RNN_ERR_DATA, "%s: %s is left over: layer %s has only %.320s",
                            m->source, mod->entries[i].key, print_layer(m, layer, text),
                            print_params(m, layer, needed));
    mod->layer = layer;
    m->taken[layer] = true;
    return RNN_OK;
}

/* -- Prefixes that name a layer ---------------------------------------------------------------- */

/* The type whose name this is; NONE if it is none. */
static int find_type(const char *name, size_t length)
{
    for (int type = 0; type < RNN_LAYER_N_TYPES; type++)
        if (strlen(rnn_layer_type_names[type]) == length &&
            memcmp(rnn_layer_type_names[type], name, length) == 0)
            return type;
    return NONE;
}

/* Whether the prefix is "<i>" or "<i>_<type>"; *type is NONE for the first. */
static bool names_layer(const module *mod, unsigned long *layer, int *type)
{
    const char *prefix = mod->entries->key, *end = prefix + prefix_length(mod);
    size_t n_digits = strspn(prefix, "0123456789");

    *type = NONE;
    if (n_digits == 0 || n_digits > 9 || (prefix[0] == '0' && n_digits > 1))
        return false;
    *layer = strtoul(prefix, NULL, 10);
    prefix += n_digits;
    if (prefix == end)
        return true;
    if (prefix > end || *prefix != '_')
        return false;
    *type = find_type(prefix + 1, (size_t)(end - prefix - 1));
    return *type != NONE;
}

static rnn_status assign_named(matching *m, module *mod)
{
    unsigned long layer;
    int type;
    char text[ITEM_LENGTH];
    size_t n_layers = rnn_model_n_layers(m->model);

    if (!names_layer(mod, &layer, &type))
        return RNN_OK;
    if (layer >= n_layers)
        return RNN_FAIL(RNN_ERR_DATA, "%s: %s is for layer %lu, but the model has %zu layer%s",
                        m->source, mod->entries->key, layer, n_layers, n_layers == 1 ? "" : "s");
    if (type != NONE && type != (int)rnn_model_layer(m->model, layer)->type)
        return RNN_FAIL(RNN_ERR_DATA, "%s: %s is for a layer of type %s, but it is layer %s",
                        m->source, mod->entries->key, rnn_layer_type_names[type],
                        print_layer(m, (int)layer, text));
    return assign(m, mod, (int)layer);
}

/* -- Prefixes of the user's choice ------------------------------------------------------------- */

/* Layers with parameters that nothing is assigned to; *layer is the first of them. */
static size_t count_open_layers(const matching *m, int *layer)
{
    size_t n_open = 0;

    *layer = NONE;
    for (size_t i = 0; i < rnn_model_n_layers(m->model); i++) {
        size_t first, count;

        rnn_model_layer_params(m->model, i, &first, &count);
        if (count == 0 || m->taken[i])
            continue;
        if (n_open++ == 0)
            *layer = (int)i;
    }
    return n_open;
}

/* Names without prefix belong to the one layer that can be meant. */
static rnn_status assign_bare(matching *m, module *mod)
{
    int layer;
    size_t n_open = count_open_layers(m, &layer);

    if (prefix_length(mod) > 0)
        return RNN_OK;
    if (n_open != 1)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: %s has no prefix, but the model has %zu layers with parameters: "
                        "rename it to \"<i>.%s\", i being the number of its layer",
                        m->source, mod->entries->key, n_open, mod->entries->key);
    return assign(m, mod, layer);
}

static rnn_status refuse_ambiguous(const matching *m, const module *mod)
{
    char candidates[LIST_LENGTH] = "", text[ITEM_LENGTH];

    for (int i = 0; i < (int)rnn_model_n_layers(m->model); i++)
        if (!m->taken[i] && fits(m, mod, i))
            rnn_h5_append_name(candidates, sizeof candidates, print_layer(m, i, text));
    return RNN_FAIL(RNN_ERR_DATA,
                    "%s: \"%.*s\" can be any of the layers %s, which are alike: rename its "
                    "entries to \"<i>.%s\" and so on, i being the number of the layer",
                    m->source, PREFIX(mod), candidates, name_of(mod->entries));
}

static rnn_status assign_fitting(matching *m, module *mod)
{
    int fitting = NONE, n_fitting = 0;

    if (mod->layer != NONE)
        return RNN_OK;
    for (int i = 0; i < (int)rnn_model_n_layers(m->model); i++)
        if (!m->taken[i] && fits(m, mod, i)) {
            fitting = i;
            n_fitting++;
        }
    if (n_fitting == 0)
        return RNN_OK;
    return n_fitting == 1 ? assign(m, mod, fitting) : refuse_ambiguous(m, mod);
}

/* -- What has found no partner ----------------------------------------------------------------- */

/* The modules without a layer; *first is one of them. */
static size_t count_left_over(const matching *m, module **first)
{
    size_t count = 0;

    *first = NULL;
    for (size_t i = m->n_modules; i-- > 0;)
        if (m->modules[i].layer == NONE) {
            *first = &m->modules[i];
            count++;
        }
    return count;
}

static rnn_status refuse_left_over(const matching *m)
{
    char all[LIST_LENGTH] = "", text[ITEM_LENGTH];

    for (size_t i = 0; i < m->n_modules; i++)
        if (m->modules[i].layer == NONE)
            rnn_h5_append_name(all, sizeof all, print_module(&m->modules[i], text));
    return RNN_FAIL(RNN_ERR_DATA,
                    "%s: entries are left over, since all layers of the model have theirs: %s",
                    m->source, all);
}

static rnn_status refuse_missing(const matching *m)
{
    char all[LIST_LENGTH] = "", item[ITEM_LENGTH + 128], text[ITEM_LENGTH], params[ITEM_LENGTH];

    for (int i = 0; i < (int)rnn_model_n_layers(m->model); i++) {
        print_params(m, i, params);
        if (m->taken[i] || params[0] == '\0')
            continue;
        snprintf(item, sizeof item, "%.100s: %s", print_layer(m, i, text), params);
        rnn_h5_append_name(all, sizeof all, item);
    }
    return RNN_FAIL(RNN_ERR_DATA, "%s: lacks the parameters of layer %s", m->source, all);
}

static rnn_status check_rest(matching *m)
{
    int layer;
    module *mod;
    size_t n_open = count_open_layers(m, &layer), n_left = count_left_over(m, &mod);
    char text[ITEM_LENGTH], needed[ITEM_LENGTH], found[ITEM_LENGTH];

    if (n_open == 0)
        return n_left == 0 ? RNN_OK : refuse_left_over(m);
    if (n_left == 0)
        return refuse_missing(m);
    if (n_open == 1 && n_left == 1)
        return assign(m, mod, layer); /* says what does not fit */
    return RNN_FAIL(RNN_ERR_DATA,
                    "%s: \"%.*s\" is none of the model's layers: it has %.320s, while layer %s has "
                    "%.320s",
                    m->source, PREFIX(mod), print_module(mod, found), print_layer(m, layer, text),
                    print_params(m, layer, needed));
}

/* -- The whole --------------------------------------------------------------------------------- */

static rnn_status match_modules(matching *m)
{
    for (size_t i = 0; i < m->n_modules; i++)
        RNN_TRY(assign_bare(m, &m->modules[i]));
    for (size_t i = 0; i < m->n_modules; i++)
        RNN_TRY(assign_named(m, &m->modules[i]));
    for (size_t i = 0; i < m->n_modules; i++)
        RNN_TRY(assign_fitting(m, &m->modules[i]));
    return check_rest(m);
}

/* The entries are sorted: those of a module follow each other. */
static void find_modules(matching *m, rnn_dict_entry *entries, size_t n_entries)
{
    for (size_t i = 0; i < n_entries; i++) {
        if (i == 0 || compare_prefixes(&entries[i], &entries[i - 1]) != 0)
            m->modules[m->n_modules++] = (module){.entries = &entries[i], .layer = NONE};
        m->modules[m->n_modules - 1].count++;
    }
}

rnn_status rnn_dict_match(rnn_dict_entry *entries, size_t n_entries, const rnn_model *model,
                          const char *source)
{
    rnn_status st;
    matching m = {.model = model, .source = source};

    if (n_entries == 0)
        return RNN_FAIL(RNN_ERR_DATA, "%s: has no tensors", source);
    for (size_t i = 0; i < n_entries; i++) {
        entries[i].param = 0;
        entries[i].is_copy = false;
    }
    qsort(entries, n_entries, sizeof *entries, compare_entries);
    RNN_TRY(RNN_ALLOC(&m.modules, n_entries, "the modules of a state_dict"));
    find_modules(&m, entries, n_entries);
    st = match_modules(&m);
    rnn_free(m.modules);
    return st;
}
