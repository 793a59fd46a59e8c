/* Modules: building, parameters and gradients. framework/module_pass.c computes with them. */
#include "framework/module_parts.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "framework/arguments.h"
#include "framework/layer_args.h"
#include "kernels/cpu.h"
#include "kernels/memory.h"

/* -- Lifetime -------------------------------------------------------------------------------- */

void rnn_module_retain(rnn_module *module)
{
    module->n_references++;
}

void rnn_module_release(rnn_module *module)
{
    rnn_module *m = module;

    if (m == NULL || --m->n_references > 0)
        return;
    rnn_runner_destroy(&m->runner);
    rnn_plan_destroy(&m->plan);
    rnn_model_destroy(&m->model);
    rnn_free(m->names);
    rnn_free(m->params);
    rnn_free(m->packed);
    rnn_free(m->grads);
    rnn_buffer_release(&m->x);
    rnn_buffer_release(&m->h0);
    rnn_buffer_release(&m->c0);
    rnn_free(m->lengths);
    rnn_free(m->tokens);
    rnn_free(m->states);
    rnn_free(m);
}

void rnn_module_destroy(rnn_module **module)
{
    if (module == NULL)
        return;
    rnn_module_release(*module);
    *module = NULL;
}

/* -- Around what computes -------------------------------------------------------------------- */

/* Of a thread that flushes denormals for us: what to go back to. */
static _Thread_local uint64_t outer_settings;
static _Thread_local bool has_outer_settings;

rnn_module_scope rnn_module_begin(const rnn_module *module)
{
    rnn_module_scope scope = {module->n_threads, omp_get_max_threads()};

    omp_set_num_threads(scope.n_threads);
#pragma omp parallel num_threads(scope.n_threads) if (scope.n_threads > 1)
    {
        outer_settings = rnn_cpu_get_settings();
        has_outer_settings = true;
        rnn_cpu_flush_denormals();
    }
    return scope;
}

void rnn_module_end(rnn_module_scope scope)
{
#pragma omp parallel num_threads(scope.n_threads) if (scope.n_threads > 1)
    if (has_outer_settings) { /* OpenMP need not give us the same threads again */
        rnn_cpu_set_settings(outer_settings);
        has_outer_settings = false;
    }
    omp_set_num_threads(scope.outer_n_threads);
}

void rnn_module_refresh(rnn_module *module)
{
    rnn_module *m = module;

    if (m->loaded_version == m->version)
        return;
#pragma omp parallel for
    for (int part = 0; part < m->n_threads; part++)
        rnn_plan_load(m->plan, m->params, (size_t)part, (size_t)m->n_threads);
    m->loaded_version = m->version;
}

void rnn_module_touch(rnn_module *module)
{
    module->version++;
}

const float *rnn_module_grads(rnn_module *module)
{
    rnn_module *m = module;

    if (m->grads_are_stale)
        rnn_plan_unpack(m->plan, m->packed, m->grads, 0, 1);
    m->grads_are_stale = false;
    return m->grads;
}

/* -- Building -------------------------------------------------------------------------------- */

static rnn_status find_input(const rnn_layer_cfg *layers, size_t n_layers, size_t n_inputs,
                             rnn_shape *input)
{
    bool are_tokens = rnn_layer_takes_tokens(layers[0].type);

    if (n_inputs == 0 && rnn_layers_input(layers, n_layers, input))
        n_inputs = input->n_tokens > 0 ? input->n_tokens : input->n_features;
    if (n_inputs == 0)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "rnn_module_create: n_inputs: expected the number of %s, found 0, and the "
                        "first layer (%s) does not say",
                        are_tokens ? "different tokens" : "features of a step",
                        rnn_layer_type_name(layers[0].type));
    if (n_inputs > RNN_LAYER_MAX_SIZE)
        return RNN_FAIL(RNN_ERR_USAGE, "rnn_module_create: n_inputs: expected 0..%d, found %zu",
                        RNN_LAYER_MAX_SIZE, n_inputs);
    *input = (rnn_shape){.seq_len = 1,
                         .n_features = are_tokens ? 1 : n_inputs,
                         .n_tokens = are_tokens ? n_inputs : 0};
    return RNN_OK;
}

/* One batch_first for the whole module: its arrays are only turned at the two ends. */
static rnn_status find_batch_first(rnn_module *m)
{
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < rnn_model_n_layers(m->model); i++) {
        const rnn_layer_cfg *cfg = rnn_model_layer(m->model, i);

        if ((RNN_LAYER_STACKED & RNN_LAYER_BIT(cfg->type)) == 0)
            continue;
        if (first != SIZE_MAX && cfg->batch_first != m->batch_first)
            return RNN_FAIL(RNN_ERR_USAGE,
                            "rnn_module_create: layer %zu (%s): batch_first is %d, but that of "
                            "layer %zu is %d: they must agree",
                            i, rnn_layer_type_name(cfg->type), cfg->batch_first, first,
                            m->batch_first);
        first = i;
        m->batch_first = cfg->batch_first;
    }
    return RNN_OK;
}

static void find_states(rnn_module *m)
{
    const rnn_layer_cfg *cfg;

    for (size_t i = 0; i < rnn_model_n_layers(m->model); i++)
        if (rnn_layer_is_recurrent(rnn_model_layer(m->model, i)->type)) {
            m->n_recurrent++;
            m->state_layer = i;
        }
    if (m->n_recurrent != 1)
        return;
    cfg = rnn_model_layer(m->model, m->state_layer);
    m->n_state_rows = (size_t)cfg->num_layers * (cfg->bidirectional ? 2 : 1);
    m->h_size = (size_t)(cfg->proj_size > 0 ? cfg->proj_size : cfg->hidden_size);
    if (rnn_layer_cell(cfg) == RNN_CELL_LSTM)
        m->c_size = (size_t)cfg->hidden_size;
}

/* Names as in the state_dict of the layer, or of a torch.nn.Sequential of layers. */
static rnn_status name_parameters(rnn_module *m)
{
    bool is_alone = rnn_model_n_layers(m->model) == 1;

    RNN_TRY(RNN_ALLOC(&m->names, rnn_model_n_params(m->model), "a module's names"));
    for (size_t s = 0; s < rnn_model_n_stages(m->model); s++) {
        const rnn_stage *stage = rnn_model_stage(m->model, s);

        for (size_t i = stage->first_param; i < stage->first_param + stage->n_params; i++) {
            const char *name = rnn_model_param(m->model, i)->name;

            if (is_alone)
                snprintf(m->names[i], sizeof m->names[i], "%s", name);
            else
                snprintf(m->names[i], sizeof m->names[i], "%zu.%s", stage->layer, name);
        }
    }
    return RNN_OK;
}

static rnn_status take_memory(rnn_module *m)
{
    size_t size = rnn_model_size(m->model);

    RNN_TRY(rnn_plan_create(&m->plan, m->model));
    RNN_TRY(rnn_runner_create(&m->runner, m->plan, true));
    RNN_TRY(RNN_ALLOC(&m->params, size, "a module's parameters"));
    RNN_TRY(RNN_ALLOC(&m->grads, size, "a module's gradients"));
    RNN_TRY(RNN_ALLOC(&m->packed, rnn_plan_grad_size(m->plan), "a module's gradients"));
    RNN_TRY(RNN_ALLOC(&m->states, rnn_model_n_layers(m->model), "a module's states"));
    return name_parameters(m);
}

static rnn_status build(rnn_module *m, const rnn_layer_cfg *layers, size_t n_layers,
                        rnn_shape input)
{
    rnn_module_scope scope;
    rnn_status st;

    RNN_TRY(rnn_as_usage(rnn_model_create(&m->model, layers, n_layers, input)));
    RNN_TRY(find_batch_first(m));
    find_states(m);
    scope = rnn_module_begin(m); /* the primitives are planned for so many threads */
    st = take_memory(m);
    rnn_module_end(scope);
    return st == RNN_OK ? rnn_module_reset(m, 0) : st;
}

rnn_status rnn_module_create(rnn_module **out, const rnn_layer_cfg *layers, size_t n_layers,
                             size_t n_inputs)
{
    rnn_shape input;
    rnn_module *m;
    rnn_status st;

    RNN_TRY(rnn_check_given("rnn_module_create", "out", out));
    *out = NULL;
    RNN_TRY(rnn_check_given("rnn_module_create", "layers", layers));
    if (n_layers == 0 || n_layers > RNN_MODEL_MAX_LAYERS)
        return RNN_FAIL(RNN_ERR_USAGE, "rnn_module_create: n_layers: expected 1..%d, found %zu",
                        RNN_MODEL_MAX_LAYERS, n_layers);
    for (size_t i = 0; i < n_layers; i++)
        RNN_TRY(rnn_as_usage(rnn_layer_check(&layers[i], i)));
    RNN_TRY(find_input(layers, n_layers, n_inputs, &input));
    RNN_TRY(RNN_ALLOC(&m, 1, "a module"));
    m->n_references = 1;
    m->n_threads = omp_in_parallel() ? 1 : omp_get_max_threads();
    m->is_training = true;
    st = build(m, layers, n_layers, input);
    if (st == RNN_OK)
        *out = m;
    else
        rnn_module_release(m);
    return st;
}

/* -- Facts ----------------------------------------------------------------------------------- */

rnn_status rnn_module_get_info(const rnn_module *module, rnn_module_info *info)
{
    const rnn_module *m = module;
    rnn_shape input, output;

    RNN_TRY(rnn_check_given("rnn_module_get_info", "module", module));
    RNN_TRY(rnn_check_given("rnn_module_get_info", "info", info));
    input = rnn_model_input(m->model);
    output = rnn_model_output(m->model);
    *info = (rnn_module_info){.n_layers = rnn_model_n_layers(m->model),
                              .n_inputs = input.n_tokens > 0 ? input.n_tokens : input.n_features,
                              .n_outputs = output.n_features,
                              .n_parameters = rnn_model_n_params(m->model),
                              .n_values = rnn_model_size(m->model),
                              .takes_tokens = input.n_tokens > 0,
                              .gives_sequence = !output.is_single,
                              .batch_first = m->batch_first,
                              .is_training = m->is_training,
                              .n_state_rows = m->n_state_rows,
                              .h_size = m->h_size,
                              .c_size = m->c_size};
    return RNN_OK;
}

rnn_status rnn_module_train(rnn_module *module, bool is_training)
{
    RNN_TRY(rnn_check_given("rnn_module_train", "module", module));
    module->is_training = is_training;
    return RNN_OK;
}

rnn_status rnn_module_reset(rnn_module *module, uint64_t seed)
{
    RNN_TRY(rnn_check_given("rnn_module_reset", "module", module));
    module->can_go_back = false;
    rnn_module_touch(module);
    RNN_TRY(rnn_model_init(module->model, seed, module->params));
    module->seed = seed;
    module->n_training_passes = 0;
    return rnn_module_zero_grad(module);
}

/* -- Parameters ------------------------------------------------------------------------------ */

rnn_status rnn_module_get_parameter(const rnn_module *module, size_t index,
                                    rnn_parameter *parameter)
{
    const rnn_param *p;

    RNN_TRY(rnn_check_given("rnn_module_get_parameter", "module", module));
    RNN_TRY(rnn_check_given("rnn_module_get_parameter", "parameter", parameter));
    if (index >= rnn_model_n_params(module->model))
        return RNN_FAIL(RNN_ERR_USAGE,
                        "rnn_module_get_parameter: index: expected 0..%zu, found %zu",
                        rnn_model_n_params(module->model) - 1, index);
    p = rnn_model_param(module->model, index);
    *parameter = (rnn_parameter){.name = module->names[index],
                                 .shape = {p->shape[0], p->shape[1]},
                                 .n_dims = p->n_dims,
                                 .count = p->count};
    return RNN_OK;
}

/* As many of the names as a message holds. */
static rnn_status refuse_name(const rnn_module *m, const char *call, const char *name)
{
    char list[768] = "";
    size_t used = 0;

    for (size_t i = 0; i < rnn_model_n_params(m->model); i++) {
        if (used + RNN_MODULE_NAME_SIZE + sizeof ", ..." > sizeof list) {
            snprintf(list + used, sizeof list - used, ", ...");
            break;
        }
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                                 m->names[i]);
    }
    return RNN_FAIL(RNN_ERR_USAGE, "%s: name: expected one of %s; found \"%.64s\"", call, list,
                    name);
}

/* Checks the arguments of the three functions below, and finds the parameter. */
static rnn_status find(const char *call, const rnn_module *m, const char *name, const void *values,
                       size_t count, const rnn_param **param)
{
    RNN_TRY(rnn_check_given(call, "module", m));
    RNN_TRY(rnn_check_given(call, "name", name));
    RNN_TRY(rnn_check_given(call, "values", values));
    for (size_t i = 0; i < rnn_model_n_params(m->model); i++) {
        if (strcmp(name, m->names[i]) != 0)
            continue;
        *param = rnn_model_param(m->model, i);
        if (count != (*param)->count)
            return RNN_FAIL(RNN_ERR_USAGE, "%s: count of \"%s\": expected %zu, found %zu", call,
                            name, (*param)->count, count);
        return RNN_OK;
    }
    return refuse_name(m, call, name);
}

rnn_status rnn_module_read_parameter(const rnn_module *module, const char *name, float *values,
                                     size_t count)
{
    const rnn_param *p;

    RNN_TRY(find("rnn_module_read_parameter", module, name, values, count, &p));
    memcpy(values, module->params + p->offset, count * sizeof *values);
    return RNN_OK;
}

rnn_status rnn_module_write_parameter(rnn_module *module, const char *name, const float *values,
                                      size_t count)
{
    const rnn_param *p;

    RNN_TRY(find("rnn_module_write_parameter", module, name, values, count, &p));
    memcpy(module->params + p->offset, values, count * sizeof *values);
    rnn_module_touch(module);
    return RNN_OK;
}

rnn_status rnn_module_read_gradient(rnn_module *module, const char *name, float *values,
                                    size_t count)
{
    const rnn_param *p;

    RNN_TRY(find("rnn_module_read_gradient", module, name, values, count, &p));
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): p was found */
    memcpy(values, rnn_module_grads(module) + p->offset, count * sizeof *values);
    return RNN_OK;
}

rnn_status rnn_module_zero_grad(rnn_module *module)
{
    RNN_TRY(rnn_check_given("rnn_module_zero_grad", "module", module));
    memset(module->packed, 0, rnn_plan_grad_size(module->plan) * sizeof *module->packed);
    module->grads_are_stale = true;
    return RNN_OK;
}
