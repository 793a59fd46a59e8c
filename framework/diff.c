#include "framework/diff.h"

#include <math.h>
#include <string.h>

#include "framework/checkpoint_items.h"

enum { SHAPE_SIZE = 80, MAX_TEXT = 60 };

/* An item that one of the files may lack. */
typedef struct pair {
    const rnn_item *a, *b;
} pair;

/* Two sorted lists side by side. */
typedef struct walk {
    const rnn_items *a, *b;
    size_t at_a, at_b;
} walk;

typedef struct tally {
    FILE *out;
    double tolerance;
    int width; /* of names */
    size_t n_arrays, n_values, n_settings;
    size_t n_other_arrays, n_other_settings;
} tally;

/* -- Pairs ------------------------------------------------------------------------------------- */

/* Of two runs of the same, these are never the same, and say nothing about the model. */
static bool is_circumstance(const char *name)
{
    static const char *const names[] = {"/: created_at",
                                        "/: created_by",
                                        "/: digest", /* of the arrays that are compared */
                                        "/history/seconds",
                                        "/history/samples_per_second",
                                        "/progress: epoch_seconds"};
    static const char environment[] = "/environment:";

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return strncmp(name, environment, strlen(environment)) == 0;
}

static bool next_pair(walk *w, pair *out)
{
    const rnn_item *a = w->at_a < w->a->count ? &w->a->items[w->at_a] : NULL;
    const rnn_item *b = w->at_b < w->b->count ? &w->b->items[w->at_b] : NULL;
    int order = a == NULL ? 1 : b == NULL ? -1 : strcmp(a->name, b->name);

    *out = (pair){order <= 0 ? a : NULL, order >= 0 ? b : NULL};
    w->at_a += out->a != NULL;
    w->at_b += out->b != NULL;
    return out->a != NULL || out->b != NULL;
}

static const rnn_item *any_of(const pair *p)
{
    return p->a != NULL ? p->a : p->b;
}

static bool is_array(const pair *p)
{
    return any_of(p)->text == NULL;
}

/* -- Arrays ------------------------------------------------------------------------------------ */

static const char *print_shape(const rnn_item *item, char text[SHAPE_SIZE])
{
    size_t length = 0;

    text[0] = '\0';
    for (int i = 0; i < item->n_dims; i++)
        length += (size_t)snprintf(text + length, SHAPE_SIZE - length, "%s%zu", i == 0 ? "[" : ", ",
                                   item->dims[i]);
    snprintf(text + length, SHAPE_SIZE - length, "%s", item->n_dims > 0 ? "]" : "a number");
    return text;
}

static bool have_same_shape(const pair *p)
{
    return p->a->n_dims == p->b->n_dims && memcmp(p->a->dims, p->b->dims, sizeof p->a->dims) == 0;
}

typedef struct distance {
    size_t n_apart;
    double largest, relative, square; /* square: their sum */
} distance;

/* Equal numbers are no distance apart, infinite and missing ones (NAN, in histories) too. */
static distance measure(const pair *p, double tolerance)
{
    distance d = {.n_apart = 0};

    for (size_t i = 0; i < p->a->count; i++) {
        double x = p->a->values[i], y = p->b->values[i], apart = fabs(x - y);
        double larger = fmax(fabs(x), fabs(y));

        if (x == y || (isnan(x) && isnan(y)))
            continue;
        if (isnan(apart))
            apart = larger = (double)INFINITY;
        d.n_apart += apart > tolerance;
        d.largest = fmax(d.largest, apart);
        d.relative = fmax(d.relative, isinf(apart) ? (double)INFINITY : apart / larger);
        d.square += apart * apart;
    }
    return d;
}

static void print_head(tally *t)
{
    if (t->n_other_arrays++ == 0)
        fprintf(t->out, "%-*s %10s %10s %10s %10s %10s\n", t->width, "array", "values", "apart",
                "max abs", "max rel", "RMS");
}

static void compare_arrays(tally *t, const pair *p)
{
    char shape[SHAPE_SIZE], other[SHAPE_SIZE];
    const char *name = any_of(p)->name;
    distance d;

    t->n_arrays++;
    t->n_values += any_of(p)->count;
    if (p->a == NULL || p->b == NULL) {
        print_head(t);
        fprintf(t->out, "%-*s %s, only in the %s file\n", t->width, name,
                print_shape(any_of(p), shape), p->a != NULL ? "first" : "second");
        return;
    }
    if (p->b->text != NULL || !have_same_shape(p)) {
        print_head(t);
        fprintf(t->out, "%-*s %s and %s\n", t->width, name, print_shape(p->a, shape),
                p->b->text != NULL ? "texts" : print_shape(p->b, other));
        return;
    }
    d = measure(p, t->tolerance);
    if (d.n_apart == 0)
        return;
    print_head(t);
    fprintf(t->out, "%-*s %10zu %10zu %10.3g %10.3g %10.3g\n", t->width, name, p->a->count,
            d.n_apart, d.largest, d.relative, sqrt(d.square / (double)p->a->count));
}

/* -- Settings ---------------------------------------------------------------------------------- */

static const char *text_of(const rnn_item *item)
{
    return item == NULL ? "nothing" : item->text != NULL ? item->text : "numbers";
}

/* Long ones, such as all words of a language, are cut. */
static void print_text(FILE *out, const char *text)
{
    size_t length = strcspn(text, "\n");

    if (length > MAX_TEXT || text[length] != '\0')
        fprintf(out, "%.*s...", (int)(length < MAX_TEXT ? length : MAX_TEXT), text);
    else
        fputs(text, out);
}

static void compare_settings(tally *t, const pair *p)
{
    t->n_settings++;
    if (p->a != NULL && p->b != NULL && p->b->text != NULL && strcmp(p->a->text, p->b->text) == 0)
        return;
    if (t->n_other_settings++ == 0 && t->n_other_arrays > 0)
        fprintf(t->out, "\n");
    fprintf(t->out, "%-*s ", t->width, any_of(p)->name);
    print_text(t->out, text_of(p->a));
    fputs(" and ", t->out);
    print_text(t->out, text_of(p->b));
    fputs("\n", t->out);
}

/* -- The whole --------------------------------------------------------------------------------- */

static void widen(tally *t, const rnn_items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        int length = (int)strlen(items->items[i].name);

        if (items->items[i].text == NULL && length > t->width)
            t->width = length;
    }
}

static void compare_all(tally *t, const rnn_items *a, const rnn_items *b, bool arrays)
{
    walk w = {a, b, 0, 0};
    pair p;

    while (next_pair(&w, &p)) {
        if (is_circumstance(any_of(&p)->name) || is_array(&p) != arrays)
            continue;
        if (arrays)
            compare_arrays(t, &p);
        else
            compare_settings(t, &p);
    }
}

static void summarise(const tally *t)
{
    if (t->n_other_arrays == 0 && t->n_other_settings == 0)
        fprintf(t->out, "the same: %zu arrays of %zu numbers, %zu settings\n", t->n_arrays,
                t->n_values, t->n_settings);
    else
        fprintf(t->out, "\n%zu of %zu arrays and %zu of %zu settings differ\n", t->n_other_arrays,
                t->n_arrays, t->n_other_settings, t->n_settings);
}

rnn_status rnn_diff_checkpoints(const char *a, const char *b, double tolerance, FILE *out,
                                bool *differ)
{
    rnn_items in_a = {.count = 0}, in_b = {.count = 0};
    tally t = {.out = out, .tolerance = tolerance};
    rnn_status st = rnn_items_read(a, &in_a);

    *differ = false;
    if (st == RNN_OK)
        st = rnn_items_read(b, &in_b);
    if (st == RNN_OK) {
        widen(&t, &in_a);
        widen(&t, &in_b);
        compare_all(&t, &in_a, &in_b, true);
        compare_all(&t, &in_a, &in_b, false);
        summarise(&t);
        *differ = t.n_other_arrays + t.n_other_settings > 0;
    }
    rnn_items_free(&in_b);
    rnn_items_free(&in_a);
    return st;
}
