#include "framework/plot.h"

#include "framework/chart_text.h"
#include "framework/file_io.h"
#include "framework/plot_gnuplot.h"
#include "framework/plot_html.h"
#include "kernels/memory.h"

enum { CHART_HEIGHT = 13, MAX_WIDTH = 160 };

typedef enum file_kind { FORMAT_SVG, FORMAT_PNG, FORMAT_HTML, N_FORMATS } file_kind;

static rnn_status find_format(const char *output, file_kind *found)
{
    static const char *const endings[N_FORMATS] = {".svg", ".png", ".html"};

    for (int f = 0; f < N_FORMATS; f++) {
        if (rnn_path_has_ending(output, endings[f])) {
            *found = (file_kind)f;
            return RNN_OK;
        }
    }
    return RNN_FAIL(RNN_ERR_USAGE, "plot: expected a file .svg, .png or .html, found -o %s",
                    output);
}

static rnn_status print_charts(const rnn_plot *plot, FILE *out)
{
    size_t width = rnn_chart_terminal_width(fileno(out), NULL);

    width = width > MAX_WIDTH ? MAX_WIDTH : width;
    for (size_t i = 0; i < plot->n_panels; i++) {
        RNN_TRY(rnn_chart_print(plot, &plot->panels[i], width, CHART_HEIGHT, out));
        fputc('\n', out);
    }
    rnn_chart_print_time(plot, width, out);
    return RNN_OK;
}

static rnn_status write_picture(const rnn_plot *plot, const char *output, file_kind format)
{
    void *picture;
    size_t n_bytes;
    rnn_status st;

    RNN_TRY(rnn_gnuplot_draw(plot, format == FORMAT_PNG ? RNN_PICTURE_PNG : RNN_PICTURE_SVG,
                             &picture, &n_bytes));
    st = RNN_OK;
    if (format == FORMAT_HTML) {
        char *page = NULL;

        st = rnn_plot_html(plot, picture, &page, &n_bytes);
        rnn_free(picture);
        picture = page;
    }
    if (st == RNN_OK)
        st = rnn_file_write(output, picture, n_bytes);
    rnn_free(picture);
    return st;
}

static rnn_status draw_file(const rnn_plot_cfg *cfg, const rnn_plot *plot, FILE *out)
{
    char *output;
    file_kind format = FORMAT_SVG;
    rnn_status st;

    if (cfg->output != NULL)
        RNN_TRY(rnn_string_copy(&output, cfg->output));
    else
        RNN_TRY(rnn_path_print(&output, "%s/plot.svg", plot->runs[0].folder));
    st = find_format(output, &format);
    if (st == RNN_OK)
        st = write_picture(plot, output, format);
    if (st == RNN_OK)
        fprintf(out, "%s\n", output);
    rnn_free(output);
    return st;
}

/* Bad names of files are told before anything is read. */
static rnn_status check(const rnn_plot_cfg *cfg)
{
    file_kind format;

    return cfg->output != NULL ? find_format(cfg->output, &format) : RNN_OK;
}

rnn_status rnn_plot_draw(const rnn_plot_cfg *cfg, FILE *out)
{
    rnn_plot_run *runs;
    rnn_plot plot = {0};
    rnn_status st;

    RNN_TRY(check(cfg));
    RNN_TRY(RNN_ALLOC(&runs, cfg->n_runs, "runs to draw"));
    RNN_TRY_GOTO(st, rnn_plot_read_runs(runs, cfg->runs, cfg->n_runs), done);
    RNN_TRY_GOTO(st, rnn_plot_create(&plot, runs, cfg->n_runs), done);
    if (cfg->is_ascii)
        RNN_TRY_GOTO(st, print_charts(&plot, out), done);
    if (!cfg->is_ascii || cfg->output != NULL)
        st = draw_file(cfg, &plot, out);
done:
    rnn_plot_free(&plot);
    rnn_plot_free_runs(runs, cfg->n_runs);
    rnn_free(runs);
    return st;
}
