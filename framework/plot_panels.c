#include "framework/plot_panels.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/memory.h"

static const char *const kind_names[RNN_PLOT_N_KINDS] = {"train", "valid", "test",
                                                         "test at the end", ""};

const char *rnn_plot_kind_name(rnn_plot_kind kind)
{
    return kind_names[kind];
}

/* -- Curves ------------------------------------------------------------------------------------ */

size_t rnn_plot_n_points(const rnn_plot_curve *curve)
{
    return curve->kind == RNN_PLOT_FINAL ? 1 : curve->run->log.n_epochs;
}

void rnn_plot_point(const rnn_plot_curve *curve, size_t i, double *x, double *y)
{
    const rnn_metrics_log *log = &curve->run->log;

    *x = log->epochs[curve->kind == RNN_PLOT_FINAL ? log->n_epochs - 1 : i].epoch;
    *y = curve->kind == RNN_PLOT_FINAL ? log->test.values[curve->field]
                                       : log->epochs[i].values[curve->field];
}

static void add_curve(rnn_plot *plot, rnn_plot_panel *panel, const rnn_plot_curve *curve)
{
    for (size_t i = 0; i < rnn_plot_n_points(curve); i++) {
        double x, y;

        rnn_plot_point(curve, i, &x, &y);
        if (isnan(y))
            continue;
        panel->curves[panel->n_curves++] = *curve;
        plot->kinds[curve->kind] = true;
        return;
    }
}

/* -- Axes -------------------------------------------------------------------------------------- */

static const double LOG_FROM_RATIO = 50;

static void find_limits(const rnn_plot_panel *panel, double *low, double *high)
{
    *low = (double)INFINITY;
    *high = -(double)INFINITY;
    for (size_t c = 0; c < panel->n_curves; c++) {
        for (size_t i = 0; i < rnn_plot_n_points(&panel->curves[c]); i++) {
            double x, y;

            rnn_plot_point(&panel->curves[c], i, &x, &y);
            *low = fmin(*low, y); /* without NAN */
            *high = fmax(*high, y);
        }
    }
}

/* Room around the points; a flat curve has its value in the middle. An axis ends where numbers do.
 */
static void set_axis(rnn_plot_panel *panel, bool may_be_log)
{
    double low, high, room;

    find_limits(panel, &low, &high);
    panel->is_log = may_be_log && low > 0 && high / low >= LOG_FROM_RATIO && isfinite(high / low);
    if (panel->is_log) {
        room = pow(high / low, 0.05);
        panel->low = low / room;
        panel->high = high * room;
        return;
    }
    room = high > low ? 0.05 * high - 0.05 * low : fabs(high) > 0 ? 0.5 * fabs(high) : 1.0;
    panel->low = low >= 0 && low - room < 0 ? 0.0 : fmax(low - room, -0.25 * DBL_MAX);
    panel->high = fmin(high + room, 0.25 * DBL_MAX);
}

static rnn_plot_panel *begin_panel(rnn_plot *plot, const char *title)
{
    rnn_plot_panel *panel = &plot->panels[plot->n_panels];

    *panel = (rnn_plot_panel){.n_curves = 0};
    snprintf(panel->title, sizeof panel->title, "%s", title);
    return panel;
}

static void end_panel(rnn_plot *plot, rnn_plot_panel *panel, bool may_be_log)
{
    if (panel->n_curves == 0)
        return;
    set_axis(panel, may_be_log);
    if (panel->is_log)
        strncat(panel->title, " (log scale)", sizeof panel->title - strlen(panel->title) - 1);
    plot->n_panels++;
}

/* -- Panels ------------------------------------------------------------------------------------ */

static void add_metric(rnn_plot *plot, rnn_metric metric)
{
    static const rnn_field splits[] = {RNN_FIELD_TRAIN, RNN_FIELD_VALID, RNN_FIELD_TEST,
                                       RNN_FIELD_TEST};
    rnn_plot_panel *panel = begin_panel(plot, rnn_metric_name(metric));

    for (size_t r = 0; r < plot->n_runs; r++) {
        for (rnn_plot_kind kind = RNN_PLOT_TRAIN; kind <= RNN_PLOT_FINAL; kind++) {
            const rnn_plot_curve curve = {.run = &plot->runs[r],
                                          .run_number = r,
                                          .kind = kind,
                                          .field = (rnn_field)((int)splits[kind] + (int)metric)};

            if (kind != RNN_PLOT_FINAL || plot->runs[r].log.has_test)
                add_curve(plot, panel, &curve);
        }
    }
    end_panel(plot, panel, !rnn_metric_rises(metric));
}

static void add_quantity(rnn_plot *plot, rnn_field field, const char *title, bool may_be_log)
{
    rnn_plot_panel *panel = begin_panel(plot, title);

    for (size_t r = 0; r < plot->n_runs; r++) {
        const rnn_plot_curve curve = {&plot->runs[r], r, RNN_PLOT_ONLY, field};

        add_curve(plot, panel, &curve);
    }
    end_panel(plot, panel, may_be_log);
}

/* Speed begins at zero: a few per cent are to look like a few per cent. */
static void begin_at_zero(rnn_plot *plot)
{
    rnn_plot_panel *last = &plot->panels[plot->n_panels - 1];

    last->low = 0.0;
}

/* Bits and MSE are functions of perplexity and RMSE, which have panels. */
static const rnn_metric drawn[] = {RNN_METRIC_LOSS,       RNN_METRIC_ACCURACY, RNN_METRIC_F1,
                                   RNN_METRIC_PERPLEXITY, RNN_METRIC_RMSE,     RNN_METRIC_MAE};

rnn_status rnn_plot_create(rnn_plot *out, rnn_plot_run *runs, size_t n_runs)
{
    size_t n_before;

    *out = (rnn_plot){.runs = runs, .n_runs = n_runs};
    RNN_TRY(RNN_ALLOC(&out->panels, RNN_PLOT_MAX_PANELS, "the panels of a plot"));
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++)
        add_metric(out, drawn[i]);
    add_quantity(out, RNN_FIELD_LR, "learning rate", true);
    n_before = out->n_panels;
    add_quantity(out, RNN_FIELD_RATE, "samples/s", false);
    if (out->n_panels > n_before)
        begin_at_zero(out);
    for (size_t r = 0; r < n_runs; r++) {
        rnn_time_split split;

        out->last_epoch = fmax(out->last_epoch, runs[r].log.epochs[runs[r].log.n_epochs - 1].epoch);
        out->has_time |= rnn_plot_time(&runs[r], 0, runs[r].log.n_epochs, &split);
    }
    if (out->n_panels > 0 || out->has_time)
        return RNN_OK;
    rnn_plot_free(out);
    return RNN_FAIL(RNN_ERR_DATA, "nothing to draw: no epoch of %s has a finite number",
                    n_runs == 1 ? runs[0].file : "any run");
}

void rnn_plot_free(rnn_plot *plot)
{
    rnn_free(plot->panels);
    *plot = (rnn_plot){0};
}

static const double MAX_SECONDS = 1e12; /* 30,000 years: no time that an epoch took */

bool rnn_plot_time(const rnn_plot_run *run, size_t first, size_t last, rnn_time_split *split)
{
    bool has_any = false;

    *split = (rnn_time_split){{0}};
    for (size_t i = first; i < last; i++) {
        for (int part = 0; part < RNN_TIME_N_PARTS; part++) {
            double seconds = run->log.epochs[i].values[RNN_FIELD_TIME + part];

            if (!(seconds > 0 && seconds < MAX_SECONDS))
                continue;
            has_any = true;
            split->seconds[part] += seconds;
        }
    }
    return has_any;
}
