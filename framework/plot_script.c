/* The script that gnuplot draws a plot from. */
#include <math.h>
#include <string.h>

#include "framework/plot_gnuplot.h"

/* Points of the picture. */
enum {
    COLUMNS = 2,
    WIDTH = 1200,
    PANEL_HEIGHT = 330,
    TITLE_HEIGHT = 36,
    LEGEND_ROW = 19,
    LEGEND_COLUMNS = 3
};
enum { LEGEND_GAP = 8, TIME_KEY_WIDTH = 130 };
static const double picture_width = WIDTH, panel_width = (double)WIDTH / (double)COLUMNS,
                    panel_height = PANEL_HEIGHT;
enum { MAX_BARS = 100, MANY_POINTS = 40 };

/* Okabe and Ito's: told apart by those who do not see red and green. */
static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                      "#E69F00", "#56B4E9", "#000000"};
static const int points[] = {7, 5, 9, 13, 11, 4, 6, 8, 12};
static const char *const part_colours[RNN_TIME_N_PARTS] = {
    "#F0E442", "#E69F00", "#56B4E9", "#0072B2", "#CC79A7", "#009E73", "#D55E00", "#BBBBBB"};

enum { N_COLOURS = sizeof colours / sizeof *colours, N_POINTS = sizeof points / sizeof *points };

typedef struct script {
    FILE *out;
    const rnn_plot *plot;
    size_t height, legend_height, n_rows;
} script;

/* -- Texts and data ---------------------------------------------------------------------------- */

/* In single quotes, where only these mean something: no commands in back quotes, no escapes. */
static void print_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++)
        fprintf(out, *text == '\'' ? "''" : "%c", *text);
    fputc('\'', out);
}

static void print_curve_data(FILE *out, const rnn_plot_curve *curve, size_t number)
{
    fprintf(out, "$curve%zu << END\n", number);
    for (size_t i = 0; i < rnn_plot_n_points(curve); i++) {
        double x, y;

        rnn_plot_point(curve, i, &x, &y);
        if (isnan(y))
            fprintf(out, "%.15g NaN\n", x); /* a gap in the curve */
        else
            fprintf(out, "%.15g %.9g\n", x, y);
    }
    fputs("END\n", out);
}

/* -- Looks ------------------------------------------------------------------------------------- */

/* Points tell runs apart, or, of one run, what was measured, as colours do; training is dashed. */
static void print_look(FILE *out, size_t look, rnn_plot_kind kind, const char *colour,
                       size_t n_points)
{
    bool is_train = kind == RNN_PLOT_TRAIN;

    if (kind == RNN_PLOT_FINAL)
        fprintf(out, " with points pt 3 ps 1.6 lw 2");
    else
        fprintf(out, " with linespoints dt %s lw %s pt %d ps %s pi %zu", is_train ? "(6,4)" : "1",
                is_train ? "1.5" : "2", points[look % N_POINTS], is_train ? "0.4" : "0.7",
                1 + n_points / MANY_POINTS);
    fprintf(out, " lc rgb '%s'", colour);
}

static size_t look_of(const script *s, size_t run, rnn_plot_kind kind)
{
    static const size_t look_of_kind[RNN_PLOT_N_KINDS] = {0, 1, 1, 2, 0};

    return s->plot->n_runs > 1 ? run : look_of_kind[kind];
}

/* Whole epochs, at most `n` of them. */
static double tic_step(double last, double n)
{
    double step = 1;

    for (int i = 0; last / step > n; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    return step;
}

/* Where a panel is, as shares of the picture. */
static void print_margins(const script *s, size_t number, double right)
{
    size_t above = number / COLUMNS;
    double column = (double)(number % COLUMNS), height = (double)s->height;
    double top = (double)(s->legend_height + above * PANEL_HEIGHT);

    fprintf(s->out,
            "set lmargin at screen %.4f; set rmargin at screen %.4f\n"
            "set tmargin at screen %.4f; set bmargin at screen %.4f\n",
            (column * panel_width + 85) / picture_width,
            ((column + 1) * panel_width - right) / picture_width, 1 - (top + 40) / height,
            1 - (top + panel_height - 58) / height);
}

/* -- Panels ------------------------------------------------------------------------------------ */

static void print_axes(const script *s, const rnn_plot_panel *panel)
{
    double last = s->plot->last_epoch, step = tic_step(last, 10);

    fprintf(s->out, "set title '%s'\nunset key\n", panel->title);
    fprintf(s->out, "set xrange [%.15g:%.15g]; set xtics %.15g,%.15g,%.15g\n",
            last > 1 ? 1 - 0.02 * last : 0.0, last > 1 ? last * 1.02 : 2.0, step, step, last);
    if (step > 1)
        fputs("set xtics add (1)\n", s->out);
    fprintf(s->out, "%s logscale y\nset yrange [%.9g:%.9g]\n", panel->is_log ? "set" : "unset",
            panel->low, panel->high);
}

static void print_panel(const script *s, size_t number)
{
    const rnn_plot_panel *panel = &s->plot->panels[number];
    size_t look;

    for (size_t i = 0; i < panel->n_curves; i++)
        print_curve_data(s->out, &panel->curves[i], i);
    print_margins(s, number, 20);
    print_axes(s, panel);
    fputs("plot ", s->out);
    for (size_t i = 0; i < panel->n_curves; i++) {
        const rnn_plot_curve *curve = &panel->curves[i];

        fprintf(s->out, "%s$curve%zu using 1:2 notitle", i > 0 ? ", " : "", i);
        look = look_of(s, curve->run_number, curve->kind);
        print_look(s->out, look, curve->kind, colours[look % N_COLOURS], rnn_plot_n_points(curve));
    }
    fputs("\n", s->out);
}

/* -- Time -------------------------------------------------------------------------------------- */

/* A bar's parts lie one on the other; `at` is where they are on the other axis, `wide` half of what
 * they take there. */
typedef struct bar {
    rnn_time_split split;
    double at, wide, scale;
} bar;

static double add_up(const rnn_time_split *split, int n_parts)
{
    double sum = 0.0;

    for (int part = 0; part < n_parts; part++)
        sum += split->seconds[part];
    return sum;
}

/* Of one run, seconds of every epoch, or the mean of some if there are many. */
static size_t make_epoch_bars(const rnn_plot_run *run, bar bars[MAX_BARS])
{
    size_t n = run->log.n_epochs, group = (n + MAX_BARS - 1) / MAX_BARS, n_bars = 0;

    for (size_t first = 0; first < n; first += group) {
        size_t last = first + group < n ? first + group : n;
        bar *b = &bars[n_bars];
        double begin = run->log.epochs[first].epoch, end = run->log.epochs[last - 1].epoch;

        if (!rnn_plot_time(run, first, last, &b->split))
            continue;
        b->at = 0.5 * (begin + end);
        b->wide = 0.5 * (end - begin) + (group > 1 ? 0.5 : 0.4);
        b->scale = 1.0 / (double)(last - first);
        n_bars++;
    }
    return n_bars;
}

/* Of several runs, the shares of all their time. */
static size_t make_run_bars(const rnn_plot *plot, bar bars[MAX_BARS])
{
    size_t n_bars = 0;

    for (size_t r = 0; r < plot->n_runs; r++) {
        bar *b = &bars[n_bars];

        if (!rnn_plot_time(&plot->runs[r], 0, plot->runs[r].log.n_epochs, &b->split))
            continue;
        b->at = (double)(r + 1);
        b->wide = 0.35;
        b->scale = 100.0 / add_up(&b->split, RNN_TIME_N_PARTS);
        n_bars++;
    }
    return n_bars;
}

static void print_part_data(const script *s, const bar *bars, size_t n_bars, int part)
{
    fprintf(s->out, "$part%d << END\n", part);
    for (size_t i = 0; i < n_bars; i++) {
        double low = bars[i].scale * add_up(&bars[i].split, part);
        double high = bars[i].scale * add_up(&bars[i].split, part + 1);

        fprintf(s->out, "%.9g %.9g %.9g %.9g %.9g %.9g\n", bars[i].at, 0.5 * (low + high),
                bars[i].at - bars[i].wide, bars[i].at + bars[i].wide, low, high);
    }
    fputs("END\n", s->out);
}

/* Names of runs beside their bars, the first on top; short, since they are in the legend too. */
static void print_bar_names(const script *s)
{
    fputs("set ytics (", s->out);
    for (size_t r = 0; r < s->plot->n_runs; r++)
        fprintf(s->out, "%s'%zu' %zu", r > 0 ? ", " : "", r + 1, r + 1);
    fprintf(s->out, ")\nset yrange [%zu.5:0.5]; set ylabel 'run'\n", s->plot->n_runs);
    fputs("set xrange [0:100]; set xtics 0,20,100; set xlabel '%'\n", s->out);
    fputs("set title 'where the time went (rank 0, all epochs)'\n", s->out);
}

static void print_epoch_axes(const script *s, const bar *bars, size_t n_bars)
{
    double last = s->plot->last_epoch, step = tic_step(last, 6), most = 0.0;

    for (size_t i = 0; i < n_bars; i++)
        most = fmax(most, bars[i].scale * add_up(&bars[i].split, RNN_TIME_N_PARTS));
    fprintf(s->out, "set xrange [0.4:%.15g]; set xtics %.15g,%.15g,%.15g\n", last + 0.6, step, step,
            last);
    if (step > 1)
        fputs("set xtics add (1)\n", s->out);
    fprintf(s->out, "set yrange [0:%.9g]\nset title 'seconds of an epoch (rank 0)'\n", 1.05 * most);
}

/* Beside the panel. */
static void print_time_key(const script *s)
{
    size_t n = s->plot->n_panels, above = n / COLUMNS;
    double right = ((double)(n % COLUMNS) + 1) * panel_width - (TIME_KEY_WIDTH - 10);
    double top = (double)(s->legend_height + above * PANEL_HEIGHT) + 60;

    fprintf(s->out,
            "set key at screen %.4f,%.4f left top vertical Left reverse samplen 1 spacing 1.2 "
            "maxcols 1 width 0\nset style fill solid 1.0 noborder\nplot ",
            right / picture_width, 1 - top / (double)s->height);
}

static void print_time(const script *s)
{
    bar bars[MAX_BARS];
    bool by_run = s->plot->n_runs > 1;
    size_t n_bars = by_run ? make_run_bars(s->plot, bars) : make_epoch_bars(s->plot->runs, bars);

    for (int part = 0; part < RNN_TIME_N_PARTS; part++)
        print_part_data(s, bars, n_bars, part);
    print_margins(s, s->plot->n_panels, TIME_KEY_WIDTH);
    fputs("unset logscale y\n", s->out);
    if (by_run)
        print_bar_names(s);
    else
        print_epoch_axes(s, bars, n_bars);
    print_time_key(s);
    for (int i = 0; i < RNN_TIME_N_PARTS; i++) {
        /* The key is read from above: in the order in which parts lie on each other. */
        int part = by_run ? i : RNN_TIME_N_PARTS - 1 - i;

        fprintf(s->out, "%s$part%d using %s with boxxyerror fc rgb '%s' title '%s'",
                i > 0 ? ", " : "", part, by_run ? "2:1:5:6:3:4" : "1:2:3:4:5:6", part_colours[part],
                rnn_time_part_name((rnn_time_part)part));
    }
    fputs("\n", s->out);
}

/* -- Legend and page --------------------------------------------------------------------------- */

static bool has_kinds(const rnn_plot *plot)
{
    return plot->kinds[RNN_PLOT_TRAIN] || plot->kinds[RNN_PLOT_VALID] ||
           plot->kinds[RNN_PLOT_TEST] || plot->kinds[RNN_PLOT_FINAL];
}

/* With the numbers that stand at the bars of time. */
static void print_run_entries(const script *s)
{
    for (size_t r = 0; r < s->plot->n_runs; r++) {
        fprintf(s->out, "%sNaN", r > 0 ? ", " : "");
        print_look(s->out, r, RNN_PLOT_ONLY, colours[r % N_COLOURS], 1);
        fprintf(s->out, " title '%zu  '.", r + 1);
        print_quoted(s->out, s->plot->runs[r].name);
    }
}

/* What the curves of one run are; of several, in a colour of none, what dashes mean: there, curves
 * of validation and of testing look the same, since no run has both. */
static void print_kind_entries(const script *s)
{
    bool many = s->plot->n_runs > 1;
    bool both = many && s->plot->kinds[RNN_PLOT_VALID] && s->plot->kinds[RNN_PLOT_TEST];
    const char *separator = "";

    for (rnn_plot_kind kind = 0; kind < RNN_PLOT_ONLY; kind++) {
        size_t look = look_of(s, 0, kind);

        if (!s->plot->kinds[kind] || (both && kind == RNN_PLOT_TEST))
            continue;
        fprintf(s->out, "%sNaN", separator);
        print_look(s->out, look, kind, many ? "#777777" : colours[look], 1);
        fprintf(s->out, " title '%s'",
                both && kind == RNN_PLOT_VALID ? "valid or test" : rnn_plot_kind_name(kind));
        separator = ", ";
    }
}

/* A plot of which only its key is seen. */
static void print_key(const script *s, size_t top, void (*print_entries)(const script *s))
{
    fprintf(s->out,
            "set key at screen 0.5,%.4f center top horizontal Left reverse maxcols %d "
            "samplen 3 width 2\nplot ",
            1 - (double)top / (double)s->height, LEGEND_COLUMNS);
    print_entries(s);
    fputs("\nunset title\n", s->out);
}

static void print_legend(const script *s)
{
    fprintf(s->out,
            "set lmargin at screen 0.02; set rmargin at screen 0.98\n"
            "set tmargin at screen %.4f; set bmargin at screen %.4f\n",
            1 - 44 / (double)s->height, 1 - (double)s->legend_height / (double)s->height);
    fputs("unset border; unset tics; set xrange [0:1]; set yrange [0:1]\nset title ", s->out);
    print_quoted(s->out, s->plot->n_runs == 1 ? s->plot->runs[0].name : "rnntrain plot");
    fputs(" font ',15'\n", s->out);
    if (s->plot->n_runs > 1)
        print_key(s, TITLE_HEIGHT, print_run_entries);
    if (has_kinds(s->plot))
        print_key(s, s->legend_height - LEGEND_ROW - LEGEND_GAP, print_kind_entries);
    fputs("set border 3 lc rgb '#555555'\nset xtics nomirror out; set ytics nomirror out\n"
          "set format '%g'\nset grid lc rgb '#DDDDDD' lw 1\n"
          "set xlabel 'epoch' offset 0,0.5\nset title font ',13'\n",
          s->out);
}

static void print_terminal(const script *s, rnn_picture picture)
{
    /* Points of the PNG are finer, so that it is sharp on paper and on large screens. */
    if (picture == RNN_PICTURE_SVG)
        fprintf(s->out,
                "set terminal svg size %d,%zu noenhanced font 'sans-serif,12' "
                "background rgb '#FFFFFF'\n",
                WIDTH, s->height);
    else
        fprintf(s->out,
                "set terminal pngcairo size %d,%zu noenhanced font 'sans-serif,11' "
                "background rgb '#FFFFFF'\n",
                WIDTH, s->height);
    fputs("set encoding utf8\nset multiplot\n", s->out);
}

void rnn_gnuplot_script(const rnn_plot *plot, rnn_picture picture, FILE *out)
{
    script s = {.out = out, .plot = plot};
    size_t n_rows = plot->n_runs > 1 ? (plot->n_runs + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS : 0;

    s.legend_height = TITLE_HEIGHT + LEGEND_ROW * (n_rows + 1) + LEGEND_GAP;
    s.n_rows = (plot->n_panels + plot->has_time + COLUMNS - 1) / COLUMNS;
    s.height = s.legend_height + s.n_rows * PANEL_HEIGHT;
    print_terminal(&s, picture);
    print_legend(&s);
    for (size_t i = 0; i < plot->n_panels; i++)
        print_panel(&s, i);
    if (plot->has_time)
        print_time(&s);
    fputs("unset multiplot\n", out);
}
