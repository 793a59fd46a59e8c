#include "framework/onnx_export.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "framework/config.h"
#include "framework/config_keys.h"
#include "framework/exchange.h"
#include "framework/fit_file.h"
#include "framework/json_line.h"
#include "framework/onnx.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { N_NUMBERS = 3, NUMBER_SIZE = 32, MAX_PROPERTIES = 8 };

typedef struct exporter {
    const char *checkpoint;
    char *config_text;
    rnn_config config;
    const char *format; /* of the data */
    rnn_stored_model stored;
    rnn_dataset_fit fit;
    double *x_offset, *x_scale, *y_offset, *y_scale; /* NULL: as they are */
    char *names;                                     /* JSON, malloc memory; NULL: there are none */
    char numbers[N_NUMBERS][NUMBER_SIZE];
    rnn_onnx_property properties[MAX_PROPERTIES];
    size_t n_properties;
} exporter;

static rnn_status read_all(exporter *e)
{
    RNN_TRY(rnn_checkpoint_read_config(e->checkpoint, &e->config_text));
    RNN_TRY(rnn_config_parse(&e->config, e->config_text, strlen(e->config_text), e->checkpoint,
                             NULL, 0));
    e->format = rnn_dataset_formats[e->config.dataset.format];
    RNN_TRY(rnn_fit_read(e->checkpoint, &e->fit));
    return rnn_stored_model_read(&e->stored, e->checkpoint);
}

static void release(exporter *e)
{
    free(e->names);
    rnn_free(e->x_offset);
    rnn_free(e->x_scale);
    rnn_free(e->y_offset);
    rnn_free(e->y_scale);
    rnn_stored_model_free(&e->stored);
    rnn_dataset_fit_free(&e->fit);
    rnn_config_free(&e->config);
    rnn_free(e->config_text);
}

/* -- Units ------------------------------------------------------------------------------------- */

static bool is_images(const exporter *e)
{
    return strcmp(e->format, "idx") == 0;
}

/* What readers and standardisation do one after the other, as one. */
static rnn_status find_input_scale(exporter *e)
{
    rnn_shape input = rnn_model_input(e->stored.model);
    bool is_scaled = rnn_dataset_format_uses((size_t)e->config.dataset.format, "mean");
    double offset = is_scaled ? e->config.dataset.mean : 0.0;
    double scale = is_scaled ? e->config.dataset.std : 1.0, unit = is_images(e) ? 255.0 : 1.0;
    bool is_fitted = e->fit.mean != NULL;

    if (input.n_tokens > 0 || (offset == 0.0 && scale == 1.0 && unit == 1.0 && !is_fitted))
        return RNN_OK;
    if (is_fitted && e->fit.n_features != input.n_features)
        return RNN_FAIL(RNN_ERR_DATA, "%s: /data/mean has %zu values, the model %zu features",
                        e->checkpoint, e->fit.n_features, input.n_features);
    RNN_TRY(RNN_ALLOC(&e->x_offset, input.n_features, "the scale of the inputs"));
    RNN_TRY(RNN_ALLOC(&e->x_scale, input.n_features, "the scale of the inputs"));
    for (size_t i = 0; i < input.n_features; i++) {
        e->x_offset[i] = unit * (offset + (is_fitted ? e->fit.mean[i] * scale : 0.0));
        e->x_scale[i] = unit * scale * (is_fitted ? e->fit.std[i] : 1.0);
    }
    return RNN_OK;
}

/* As rnn_dataset_target_units has it; only tables scale targets as they do their features. */
static rnn_status find_output_scale(exporter *e)
{
    size_t n = rnn_model_output(e->stored.model).n_features;
    bool is_table = strcmp(e->format, "csv") == 0, is_fitted = e->fit.target_mean != NULL;
    double offset = is_table ? e->config.dataset.mean : 0.0;
    double scale = is_table ? e->config.dataset.std : 1.0;

    if (e->config.loss.type == RNN_LOSS_CROSS_ENTROPY ||
        e->config.loss.type == RNN_LOSS_BCE_WITH_LOGITS ||
        (offset == 0.0 && scale == 1.0 && !is_fitted))
        return RNN_OK;
    if (is_fitted && e->fit.n_target_values != n)
        return RNN_FAIL(RNN_ERR_DATA, "%s: /data/target_mean has %zu values, the model %zu outputs",
                        e->checkpoint, e->fit.n_target_values, n);
    RNN_TRY(RNN_ALLOC(&e->y_offset, n, "the scale of the answers"));
    RNN_TRY(RNN_ALLOC(&e->y_scale, n, "the scale of the answers"));
    for (size_t i = 0; i < n; i++) {
        e->y_offset[i] = offset + (is_fitted ? e->fit.target_mean[i] * scale : 0.0);
        e->y_scale[i] = scale * (is_fitted ? e->fit.target_std[i] : 1.0);
    }
    return RNN_OK;
}

/* -- Properties -------------------------------------------------------------------------------- */

static rnn_status print_names(exporter *e)
{
    size_t size;
    FILE *out;

    if (e->fit.n_texts == 0)
        return RNN_OK;
    out = open_memstream(&e->names, &size);
    for (size_t i = 0; out != NULL && i < e->fit.n_texts; i++) {
        fputs(i == 0 ? "[" : ", ", out);
        rnn_json_print_text(out, e->fit.texts[i]);
    }
    if (out != NULL)
        fputs("]", out);
    if (out == NULL || fclose(out) != 0)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the names of classes");
    return RNN_OK;
}

static void add_property(exporter *e, const char *key, const char *value)
{
    e->properties[e->n_properties++] = (rnn_onnx_property){key, value};
}

static void add_properties(exporter *e)
{
    const rnn_progress *p = &e->stored.progress;
    size_t n_bytes = rnn_model_size(e->stored.model) * sizeof *e->stored.params;

    snprintf(e->numbers[0], NUMBER_SIZE, "%" PRIu64, p->epoch + (p->batch_in_epoch > 0));
    snprintf(e->numbers[1], NUMBER_SIZE, "%" PRIu64, p->step);
    snprintf(e->numbers[2], NUMBER_SIZE, "%016" PRIx64, rnn_digest(e->stored.params, n_bytes));
    if (e->names != NULL && e->config.loss.type == RNN_LOSS_CROSS_ENTROPY)
        add_property(e, "classes", e->names);
    if (e->names != NULL && rnn_model_input(e->stored.model).n_tokens > 0)
        add_property(e, "tokens", e->names);
    add_property(e, "loss", rnn_config_key_find("loss.type")->choices[e->config.loss.type]);
    add_property(e, "epoch", e->numbers[0]);
    add_property(e, "step", e->numbers[1]);
    add_property(e, "digest", e->numbers[2]);
    add_property(e, "config", e->config_text);
}

/* -- The file ---------------------------------------------------------------------------------- */

static rnn_onnx_answer answer_of(const rnn_config *config)
{
    if (config->loss.type == RNN_LOSS_CROSS_ENTROPY)
        return RNN_ONNX_CLASSES;
    return config->loss.type == RNN_LOSS_BCE_WITH_LOGITS ? RNN_ONNX_MARKS : RNN_ONNX_VALUES;
}

static bool may_differ_in_length(const exporter *e)
{
    return strcmp(e->format, "ts") == 0 || strcmp(e->format, "hdf5") == 0 ||
           strcmp(e->format, "strings") == 0;
}

static const char *describe_input(const exporter *e)
{
    if (rnn_model_input(e->stored.model).n_tokens > 0)
        return "numbers of tokens, see the property \"tokens\"";
    return is_images(e) ? "pixels, 0 to 255" : "features as the data files have them";
}

static rnn_status write_file(exporter *e, const char *path)
{
    rnn_onnx_cfg cfg = {.model = e->stored.model,
                        .params = e->stored.params,
                        .has_lengths = may_differ_in_length(e),
                        .only_last_step = e->config.loss.steps == RNN_LOSS_STEPS_LAST,
                        .answer = answer_of(&e->config),
                        .x_doc = describe_input(e),
                        .doc = e->config.run.name,
                        .properties = e->properties};

    RNN_TRY(find_input_scale(e));
    RNN_TRY(find_output_scale(e));
    RNN_TRY(print_names(e));
    add_properties(e);
    cfg.x_offset = e->x_offset;
    cfg.x_scale = e->x_scale;
    cfg.y_offset = e->y_offset;
    cfg.y_scale = e->y_scale;
    cfg.n_properties = e->n_properties;
    return rnn_onnx_write(path, &cfg);
}

rnn_status rnn_onnx_export(const char *checkpoint, const char *path)
{
    exporter e = {.checkpoint = checkpoint};
    rnn_status st = read_all(&e);

    if (st == RNN_OK)
        st = write_file(&e, path);
    release(&e);
    return st;
}
