#include "framework/chart_text.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kernels/memory.h"

enum { LABEL_WIDTH = 10 }; /* of numbers beside the axis, which is one more */

typedef struct canvas {
    char *cells; /* [height][width] */
    size_t width, height;
    double x_low, x_high, y_low, y_high;
} canvas;

size_t rnn_chart_terminal_width(int descriptor, size_t *height)
{
    struct winsize size;
    bool is_known = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;

    if (height != NULL)
        *height = is_known && size.ws_row > 0 ? size.ws_row : 24;
    if (!is_known)
        return 80;
    return size.ws_col < RNN_CHART_MIN_WIDTH ? RNN_CHART_MIN_WIDTH : size.ws_col;
}

/* -- Curves ------------------------------------------------------------------------------------ */

static char mark_of(const rnn_plot *plot, const rnn_plot_curve *curve)
{
    char letter = (char)('A' + curve->run_number % 26);

    if (curve->kind == RNN_PLOT_FINAL)
        return plot->n_runs == 1 ? '*' : letter;
    if (plot->n_runs == 1)
        return curve->kind == RNN_PLOT_TRAIN ? '.' : 'o';
    return curve->kind == RNN_PLOT_TRAIN ? (char)('a' + curve->run_number % 26) : letter;
}

static size_t place(double value, double low, double high, size_t n)
{
    double share = high > low ? (value - low) / (high - low) : 0.5;

    return (size_t)fmin(fmax(share, 0.0) * (double)(n - 1) + 0.5, (double)(n - 1));
}

static void put(canvas *c, double x, double y, char mark)
{
    size_t column = place(x, c->x_low, c->x_high, c->width);
    size_t row = c->height - 1 - place(y, c->y_low, c->y_high, c->height);

    c->cells[row * c->width + column] = mark;
}

/* The columns between two points get points on the line between them. */
static void draw_curve(canvas *c, const rnn_plot_curve *curve, bool is_log, char mark)
{
    double x_before = (double)NAN, y_before = (double)NAN;

    for (size_t i = 0; i < rnn_plot_n_points(curve); i++) {
        double x, y, n_columns;

        rnn_plot_point(curve, i, &x, &y);
        y = is_log ? log10(y) : y;
        if (!isnan(y) && !isnan(y_before)) {
            n_columns = (x - x_before) / (c->x_high - c->x_low) * (double)c->width;
            for (size_t k = 1; (double)k < n_columns; k++)
                put(c, x_before + (x - x_before) * (double)k / n_columns,
                    y_before + (y - y_before) * (double)k / n_columns, mark);
        }
        if (!isnan(y))
            put(c, x, y, mark);
        x_before = x;
        y_before = y;
    }
}

static void print_rows(const canvas *c, bool is_log, FILE *out)
{
    for (size_t row = 0; row < c->height; row++) {
        double share = (double)(c->height - 1 - row) / (double)(c->height - 1);
        double value = c->y_low + share * (c->y_high - c->y_low);
        size_t length = c->width;

        while (length > 0 && c->cells[row * c->width + length - 1] == ' ')
            length--;
        if (row % 3 == 0 || row + 1 == c->height)
            fprintf(out, "%*.4g |", LABEL_WIDTH, is_log ? pow(10, value) : value);
        else
            fprintf(out, "%*s |", LABEL_WIDTH, "");
        fprintf(out, "%.*s\n", (int)length, c->cells + row * c->width);
    }
}

static void print_axis(const canvas *c, FILE *out)
{
    char last[32];
    int length = snprintf(last, sizeof last, "epoch %.0f", c->x_high);

    fprintf(out, "%*s +", LABEL_WIDTH, "");
    for (size_t i = 0; i < c->width; i++)
        fputc('-', out);
    fprintf(out, "\n%*s  %-*.0f%s\n", LABEL_WIDTH, "", (int)c->width - length, c->x_low, last);
}

/* As many to a line as fit. */
static void print_legend(const rnn_plot *plot, const rnn_plot_panel *panel, size_t width, FILE *out)
{
    enum { INDENT = 3 };
    size_t used = 0;

    for (size_t i = 0; i < panel->n_curves; i++) {
        const rnn_plot_curve *curve = &panel->curves[i];
        const char *kind = rnn_plot_kind_name(curve->kind), *name = curve->run->name;
        char entry[RNN_PLOT_NAME_SIZE + 40];
        size_t length;

        if (plot->n_runs == 1)
            name = kind[0] != '\0' ? kind : name;
        snprintf(entry, sizeof entry, "%c %s%s%s", mark_of(plot, curve), name,
                 plot->n_runs > 1 && kind[0] != '\0' ? " " : "", plot->n_runs > 1 ? kind : "");
        length = strlen(entry);
        if (used > 0 && used + INDENT + length > width) {
            fputc('\n', out);
            used = 0;
        }
        fprintf(out, "%*s%s", INDENT, "", entry);
        used += INDENT + length;
    }
    fputc('\n', out);
}

rnn_status rnn_chart_print(const rnn_plot *plot, const rnn_plot_panel *panel, size_t width,
                           size_t height, FILE *out)
{
    canvas c = {.width = width - LABEL_WIDTH - 3,
                .height = height,
                .x_low = 1,
                .x_high = plot->last_epoch > 1 ? plot->last_epoch : 2,
                .y_low = panel->is_log ? log10(panel->low) : panel->low,
                .y_high = panel->is_log ? log10(panel->high) : panel->high};

    RNN_TRY(RNN_ALLOC(&c.cells, c.width * c.height, "a chart"));
    memset(c.cells, ' ', c.width * c.height);
    for (size_t i = 0; i < panel->n_curves; i++)
        draw_curve(&c, &panel->curves[i], panel->is_log, mark_of(plot, &panel->curves[i]));
    fprintf(out, "%*s  %s\n", LABEL_WIDTH, "", panel->title);
    print_rows(&c, panel->is_log, out);
    print_axis(&c, out);
    print_legend(plot, panel, width, out);
    rnn_free(c.cells);
    return RNN_OK;
}

/* -- Time -------------------------------------------------------------------------------------- */

static void print_bars(const rnn_time_split *split, size_t width, FILE *out)
{
    enum { BEFORE = 2 + 9 + 1 + 6 + 2 };
    double total = 0.0;

    for (int part = 0; part < RNN_TIME_N_PARTS; part++)
        total += split->seconds[part];
    for (rnn_time_part part = 0; part < RNN_TIME_N_PARTS; part++) {
        double share = split->seconds[part] / total;
        size_t length = (size_t)(share * (double)(width - BEFORE) + 0.5);

        fprintf(out, "  %-9s %5.1f%% ", rnn_time_part_name(part), 100 * share);
        while (length-- > 0)
            fputc('#', out);
        fputc('\n', out);
    }
}

void rnn_chart_print_time(const rnn_plot *plot, size_t width, FILE *out)
{
    for (size_t r = 0; r < plot->n_runs; r++) {
        const rnn_plot_run *run = &plot->runs[r];
        rnn_time_split split;

        if (!rnn_plot_time(run, 0, run->log.n_epochs, &split))
            continue;
        fprintf(out, "%*s  time%s%s\n", LABEL_WIDTH, "", plot->n_runs > 1 ? " of " : "",
                plot->n_runs > 1 ? run->name : "");
        print_bars(&split, width, out);
    }
}
