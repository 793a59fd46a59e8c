/*
 * Optimizers of modules: whole training runs against torch (trajectories.h5), as one module and as
 * two, and the contracts of rnn/optimizer.h.
 */
#include "api.h"

#include "golden.h"

/* Float32 rounding grows from step to step. */
static const double tolerance = 1e-5;

enum { MAX_MODULES = 3 };

/* -- Against torch --------------------------------------------------------------------------- */

/* A run of modules one after another; `names` are those of the modules in the file. */
typedef struct run {
    hid_t group;
    size_t n_modules;
    rnn_module *modules[MAX_MODULES];
    rnn_optim *optim;
    double *losses;
    size_t n_steps;
} run;

/* The file's name for a parameter of module `m` of the run: "rnn.weight_ih_l0". */
static void torch_name(const char *folder, const rnn_parameter *p, char *path, size_t size)
{
    const char *name = strchr(p->name, '.') != NULL ? strchr(p->name, '.') + 1 : p->name;
    const char *module =
        strncmp(name, "weight_", 7) == 0 || strncmp(name, "bias_", 5) == 0 ? "rnn" : "linear";

    snprintf(path, size, "%s/%s.%s", folder, module, name);
}

static float *read_torch(const run *r, const char *folder, const rnn_parameter *p)
{
    char path[96];
    size_t count;
    float *values;

    torch_name(folder, p, path, sizeof path);
    if (!golden_has(r->group, path)) /* the table's only parameter has no other name than weight */
        snprintf(path, sizeof path, "%s/embedding.weight", folder);
    values = golden_read(r->group, path, H5T_NATIVE_FLOAT, &count);
    if (count != p->count) {
        free(values);
        snprintf(path, sizeof path, "%s/embedding.weight", folder);
        values = golden_read(r->group, path, H5T_NATIVE_FLOAT, &count);
    }
    assert_int_equal(count, p->count);
    return values;
}

/* Calls for every parameter with torch's values of the folder. */
static double for_each(const run *r, const char *folder, int writes)
{
    double worst = 0.0;

    for (size_t m = 0; m < r->n_modules; m++)
        for (size_t i = 0; i < api_info(r->modules[m]).n_parameters; i++) {
            rnn_parameter p;
            float *torch, *ours;

            OK(rnn_module_get_parameter(r->modules[m], i, &p));
            torch = read_torch(r, folder, &p);
            ours = api_empty(p.count);
            if (writes)
                OK(rnn_module_write_parameter(r->modules[m], p.name, torch, p.count));
            OK(rnn_module_read_parameter(r->modules[m], p.name, ours, p.count));
            worst = fmax(worst, golden_worst(ours, torch, p.count));
            free(torch);
            free(ours);
        }
    return worst;
}

static void start(run *r, hid_t file, const char *name, const rnn_optimizer_cfg *cfg)
{
    r->group = H5Gopen2(file, name, H5P_DEFAULT);
    r->losses = golden_read(r->group, "loss", H5T_NATIVE_DOUBLE, &r->n_steps);
    for_each(r, "start", 1);
    OK(rnn_optim_create(&r->optim, cfg, r->modules, r->n_modules));
}

static void finish(run *r, const char *name, double worst_loss)
{
    double worst = for_each(r, "end", 0);

    print_message("  %s, %zu modules, %zu steps: loss %.2e, parameters %.2e\n", name, r->n_modules,
                  r->n_steps, worst_loss, worst);
    assert_true(worst_loss <= tolerance);
    assert_true(worst <= tolerance);
    rnn_optim_destroy(&r->optim);
    for (size_t m = 0; m < r->n_modules; m++)
        rnn_module_destroy(&r->modules[m]);
    free(r->losses);
    H5Gclose(r->group);
}

typedef struct classifier_case {
    const char *name;
    rnn_layer_type layer;
    rnn_optimizer_type optimizer;
    double lr, momentum, clip_norm;
} classifier_case;

static const classifier_case classifiers[] = {
    {"lstm_adadelta", RNN_LAYER_LSTM, RNN_OPTIMIZER_ADADELTA, 0.1, 0.0, 0.0},
    {"gru_adam_clip", RNN_LAYER_GRU, RNN_OPTIMIZER_ADAM, 0.01, 0.0, 0.5},
    {"rnn_bi_sgd", RNN_LAYER_RNN, RNN_OPTIMIZER_SGD, 0.05, 0.9, 0.0},
};

enum { T = 10, N = 8, I = 6, H = 12, CLASSES = 5 };

/* As one module, or with the linear layer as a second one. */
static void make_modules(run *r, const classifier_case *c, hid_t file, size_t n_modules)
{
    hid_t group = H5Gopen2(file, c->name, H5P_DEFAULT);
    rnn_layer_cfg layers[] = {rnn_layer_defaults(c->layer), rnn_layer_defaults(RNN_LAYER_SELECT),
                              rnn_layer_defaults(RNN_LAYER_LINEAR)};

    layers[0].hidden_size = H;
    layers[0].num_layers = (int64_t)golden_size(group, "num_layers");
    layers[0].bidirectional = golden_size(group, "bidirectional") != 0;
    layers[2].out_features = CLASSES;
    H5Gclose(group);
    r->n_modules = n_modules;
    OK(rnn_module_create(&r->modules[0], layers, n_modules == 1 ? 3 : 2, I));
    if (n_modules == 2)
        OK(rnn_module_create(&r->modules[1], &layers[2], 1, api_info(r->modules[0]).n_outputs));
}

/* A linear layer of its own takes sequences: of one step. */
static double classify(run *r, const float *x, const int64_t *y)
{
    const rnn_loss_args args = rnn_loss_defaults(RNN_LOSS_CROSS_ENTROPY);
    size_t F = api_info(r->modules[0]).n_outputs;
    float hidden[N * 2 * H], grad_hidden[N * 2 * H], out[N * CLASSES], *last = hidden;
    double loss;

    if (r->n_modules == 1)
        last = out;
    OK(rnn_module_forward(r->modules[0], &(rnn_forward_args){.x = const3(x, T, N, I),
                                                             .out = tensor3(last, N, F, 0)}));
    if (r->n_modules == 2)
        OK(rnn_module_forward(
            r->modules[1],
            &(rnn_forward_args){.x = const3(hidden, 1, N, F), .out = tensor3(out, 1, N, CLASSES)}));
    OK(rnn_loss_labels(&args, const3(out, N, CLASSES, 0), (rnn_indices){y, {N}}, &loss,
                       tensor3(out, N, CLASSES, 0)));
    if (r->n_modules == 2)
        OK(rnn_module_backward(r->modules[1],
                               &(rnn_backward_args){.grad_out = const3(out, 1, N, CLASSES),
                                                    .grad_x = tensor3(grad_hidden, 1, N, F)}));
    last = r->n_modules == 1 ? out : grad_hidden;
    OK(rnn_module_backward(r->modules[0], &(rnn_backward_args){.grad_out = const3(last, N, F, 0)}));
    return loss;
}

static void check_classifier(hid_t file, const classifier_case *c, size_t n_modules)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(c->optimizer);
    double worst = 0.0;
    int64_t *y;
    float *x;
    run r;

    cfg.lr = c->lr;
    cfg.momentum = c->momentum;
    cfg.clip_norm = c->clip_norm;
    make_modules(&r, c, file, n_modules);
    start(&r, file, c->name, &cfg);
    x = golden_floats(r.group, "x");
    y = golden_read(r.group, "y", H5T_NATIVE_INT64, NULL);
    for (size_t step = 0; step < r.n_steps; step++) {
        OK(rnn_optim_zero_grad(r.optim));
        worst =
            fmax(worst, fabs(classify(&r, x + step * T * N * I, y + step * N) - r.losses[step]));
        OK(rnn_optim_step(r.optim));
    }
    free(x);
    free(y);
    finish(&r, c->name, worst);
}

/* With two modules the norm to clip must be that of both, or the parameters are others. */
static void classifiers_learn_as_in_torch(void **state)
{
    hid_t file = golden_open("trajectories.h5");

    (void)state;
    for (size_t i = 0; i < sizeof classifiers / sizeof *classifiers; i++)
        for (size_t n_modules = 1; n_modules <= 2; n_modules++)
            check_classifier(file, &classifiers[i], n_modules);
    H5Fclose(file);
}

enum { STEPS = 5, LETTERS = 4 };

/* Embedding(4, 10) -> RNN(10, 8, 2, batch_first) -> Linear(8, 4). */
static void make_embedding(run *r)
{
    rnn_layer_cfg layers[] = {rnn_layer_defaults(RNN_LAYER_EMBEDDING),
                              rnn_layer_defaults(RNN_LAYER_RNN),
                              rnn_layer_defaults(RNN_LAYER_LINEAR)};

    layers[0].embedding_dim = 10;
    layers[1].hidden_size = 8;
    layers[1].num_layers = 2;
    layers[1].batch_first = true;
    layers[2].out_features = LETTERS;
    r->n_modules = 1;
    OK(rnn_module_create(&r->modules[0], layers, 3, LETTERS));
}

static void make_onehot(run *r)
{
    rnn_layer_cfg layers[] = {rnn_layer_defaults(RNN_LAYER_ONEHOT),
                              rnn_layer_defaults(RNN_LAYER_RNN)};

    layers[1].hidden_size = LETTERS;
    layers[1].batch_first = true;
    r->n_modules = 1;
    OK(rnn_module_create(&r->modules[0], layers, 2, LETTERS));
}

static void check_hello(hid_t file, const char *name, void (*make)(run *r))
{
    const rnn_loss_args args = rnn_loss_defaults(RNN_LOSS_CROSS_ENTROPY);
    rnn_optimizer_cfg adam = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAM);
    float out[STEPS * LETTERS];
    double worst = 0.0, loss;
    int64_t *x, *y;
    run r;

    make(&r);
    adam.lr = 0.05;
    start(&r, file, name, &adam);
    x = golden_read(r.group, "x", H5T_NATIVE_INT64, NULL);
    y = golden_read(r.group, "y", H5T_NATIVE_INT64, NULL);
    for (size_t step = 0; step < r.n_steps; step++) {
        rnn_tensor scores = tensor3(out, 1, STEPS, LETTERS);

        OK(rnn_optim_zero_grad(r.optim));
        OK(rnn_module_forward(r.modules[0],
                              &(rnn_forward_args){.tokens = {x, {1, STEPS}}, .out = scores}));
        OK(rnn_loss_labels(&args, rnn_as_const(scores), (rnn_indices){y, {1, STEPS}}, &loss,
                           scores));
        OK(rnn_module_backward(r.modules[0],
                               &(rnn_backward_args){.grad_out = rnn_as_const(scores)}));
        OK(rnn_optim_step(r.optim));
        worst = fmax(worst, fabs(loss - r.losses[step]));
    }
    free(x);
    free(y);
    finish(&r, name, worst);
}

static void hello_is_learnt_as_in_torch(void **state)
{
    hid_t file = golden_open("trajectories.h5");

    (void)state;
    check_hello(file, "hello_embedding", make_embedding);
    check_hello(file, "hello_rnn", make_onehot);
    H5Fclose(file);
}

/* -- Contracts ------------------------------------------------------------------------------- */

/* A linear layer and the gradient of sum(out) at x = 1: every value of it is `scale`. */
static rnn_module *make_linear(float scale)
{
    rnn_layer_cfg linear = rnn_layer_defaults(RNN_LAYER_LINEAR);
    const float x[2] = {1.0f, 1.0f};
    float out[2];
    rnn_module *module;

    linear.out_features = 2;
    OK(rnn_module_create(&module, &linear, 1, 2));
    OK(rnn_module_forward(
        module, &(rnn_forward_args){.x = const3(x, 1, 1, 2), .out = tensor3(out, 1, 1, 2)}));
    out[0] = out[1] = scale;
    OK(rnn_module_backward(module, &(rnn_backward_args){.grad_out = const3(out, 1, 1, 2)}));
    return module;
}

static rnn_optim *make_sgd(double lr, double clip_norm, rnn_module *const *modules, size_t n)
{
    rnn_optimizer_cfg sgd = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);
    rnn_optim *optim;

    sgd.lr = lr;
    sgd.clip_norm = clip_norm;
    OK(rnn_optim_create(&optim, &sgd, modules, n));
    return optim;
}

/* What a step subtracted from every parameter; all the same. */
static double change_of(rnn_module *module, rnn_optim *optim)
{
    float *before = api_read_all(module, 0), *after;
    double change;

    OK(rnn_optim_step(optim));
    after = api_read_all(module, 0);
    change = (double)before[0] - (double)after[0];
    for (size_t i = 0; i < api_info(module).n_values; i++)
        assert_true(fabs((double)before[i] - (double)after[i] - change) <= 1e-6);
    free(before);
    free(after);
    return change;
}

static void set_lr_counts_from_the_next_step_on(void **state)
{
    rnn_module *module = make_linear(1.0f);
    rnn_optim *optim = make_sgd(0.5, 0.0, &module, 1);

    (void)state;
    assert_true(fabs(change_of(module, optim) - 0.5) <= 1e-6);
    OK(rnn_optim_set_lr(optim, 0.125));
    assert_true(fabs(change_of(module, optim) - 0.125) <= 1e-6);
    assert_int_equal(rnn_optim_set_lr(optim, -1.0), RNN_ERR_USAGE);
    assert_int_equal(rnn_optim_set_lr(optim, (double)NAN), RNN_ERR_USAGE);
    assert_true(fabs(change_of(module, optim) - 0.125) <= 1e-6);
    OK(rnn_optim_zero_grad(optim));
    assert_true(change_of(module, optim) == 0.0);
    rnn_optim_destroy(&optim);
    rnn_module_destroy(&module);
}

/* Six values of 3 and six of 4: norm sqrt(150). */
static void the_norm_is_that_of_all_modules(void **state)
{
    rnn_module *modules[] = {make_linear(3.0f), make_linear(4.0f)};
    rnn_optim *optim = make_sgd(1.0, 1.0, modules, 2);
    float *before = api_read_all(modules[1], 0), *after;

    (void)state;
    assert_true(fabs(change_of(modules[0], optim) - 3.0 / sqrt(150.0)) <= 1e-6);
    after = api_read_all(modules[1], 0);
    assert_true(fabs((double)before[0] - (double)after[0] - 4.0 / sqrt(150.0)) <= 1e-6);
    free(before);
    free(after);
    rnn_optim_destroy(&optim);
    rnn_module_destroy(&modules[0]);
    rnn_module_destroy(&modules[1]);
}

static void a_norm_that_is_not_finite_changes_nothing(void **state)
{
    rnn_module *modules[] = {make_linear(3.0f), make_linear(INFINITY)};
    rnn_optim *optim = make_sgd(1.0, 1.0, modules, 2);
    float *before = api_read_all(modules[0], 0), *after;

    (void)state;
    assert_int_equal(rnn_optim_step(optim), RNN_ERR_NONFINITE);
    after = api_read_all(modules[0], 0);
    assert_memory_equal(before, after, 6 * sizeof(float));
    free(before);
    free(after);
    rnn_optim_destroy(&optim);
    rnn_module_destroy(&modules[0]);
    rnn_module_destroy(&modules[1]);
}

static void an_optimizer_outlives_the_callers_module(void **state)
{
    rnn_module *module = make_linear(1.0f);
    rnn_optim *optim = make_sgd(1.0, 0.0, &module, 1);

    (void)state;
    rnn_module_destroy(&module);
    OK(rnn_optim_step(optim));
    OK(rnn_optim_zero_grad(optim));
    rnn_optim_destroy(&optim);
    assert_null(optim);
    rnn_optim_destroy(&optim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classifiers_learn_as_in_torch),
        cmocka_unit_test(hello_is_learnt_as_in_torch),
        cmocka_unit_test(set_lr_counts_from_the_next_step_on),
        cmocka_unit_test(the_norm_is_that_of_all_modules),
        cmocka_unit_test(a_norm_that_is_not_finite_changes_nothing),
        cmocka_unit_test(an_optimizer_outlives_the_callers_module),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
