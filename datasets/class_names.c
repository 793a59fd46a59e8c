#include "datasets/class_names.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/excerpt.h"
#include "kernels/memory.h"

/* The place of a text among the names; *is_there tells whether it is one of them. */
static size_t find(const rnn_class_names *names, const char *text, bool *is_there)
{
    size_t low = 0, high = names->n;

    *is_there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(names->names[middle].text, text);

        if (order == 0) {
            *is_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static rnn_status insert(rnn_class_names *names, size_t place, const char *text, size_t first,
                         size_t line)
{
    rnn_class_name *at;
    char *copy;

    if (!rnn_is_printable(text))
        return RNN_FAIL(RNN_ERR_DATA, "expected the name of a class in UTF-8, found %s",
                        rnn_excerpt_of(text).text);
    if (names->n == RNN_CLASS_NAMES_MAX)
        return RNN_FAIL(RNN_ERR_DATA, "expected at most %d classes, found %s as one more",
                        RNN_CLASS_NAMES_MAX, rnn_excerpt_of(text).text);
    RNN_TRY(RNN_GROW(&names->names, &names->room, names->n, names->n + 1, "the names of classes"));
    RNN_TRY(rnn_string_copy(&copy, text));
    at = names->names + place;
    memmove(at + 1, at, (names->n - place) * sizeof *at);
    *at = (rnn_class_name){copy, (int32_t)names->n++, first, line};
    return RNN_OK;
}

rnn_status rnn_class_names_number(rnn_class_names *names, const char *text, size_t first,
                                  size_t line, int32_t *number)
{
    bool is_there;
    size_t place = find(names, text, &is_there);

    *number = -1;
    if (!is_there && names->are_complete)
        return RNN_OK;
    if (!is_there)
        RNN_TRY(insert(names, place, text, first, line));
    *number = names->names[place].number;
    return RNN_OK;
}

/* -- Completing ---------------------------------------------------------------------------------*/

static bool is_integer(const char *text)
{
    enum { MAX_DIGITS = 18 }; /* of a long long */
    size_t n;

    text += *text == '-' || *text == '+';
    n = strspn(text, "0123456789");
    return n > 0 && n <= MAX_DIGITS && text[n] == '\0';
}

static int compare_integers(const void *left, const void *right)
{
    const rnn_class_name *const *a = left, *const *b = right;
    long long x = strtoll((*a)->text, NULL, 10), y = strtoll((*b)->text, NULL, 10);

    if (x != y)
        return x < y ? -1 : 1;
    return strcmp((*a)->text, (*b)->text); /* "1" and "01" */
}

static bool all_are_integers(const rnn_class_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (!is_integer(names->names[i].text))
            return false;
    return true;
}

static rnn_status list_texts(rnn_class_names *names)
{
    RNN_TRY(RNN_ALLOC(&names->texts, names->n, "the names of classes"));
    for (size_t i = 0; i < names->n; i++)
        names->texts[names->names[i].number] = names->names[i].text;
    names->are_complete = true;
    return RNN_OK;
}

rnn_status rnn_class_names_take(rnn_class_names *names, char *const *texts, size_t n)
{
    int32_t number;

    for (size_t i = 0; i < n; i++) {
        RNN_TRY(rnn_class_names_number(names, texts[i], 0, 0, &number));
        if ((size_t)number != i)
            return RNN_FAIL(RNN_ERR_DATA,
                            "class names of the model: expected each once, found %s "
                            "as number %d and as number %zu",
                            rnn_excerpt_of(texts[i]).text, number, i);
    }
    return list_texts(names);
}

rnn_status rnn_class_names_complete(rnn_class_names *names, int32_t *labels, size_t count)
{
    rnn_class_name **order;
    int32_t *renumbered;
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&order, names->n, "the order of classes"));
    RNN_TRY_GOTO(st, RNN_ALLOC(&renumbered, names->n, "the numbers of classes"), done);
    for (size_t i = 0; i < names->n; i++)
        order[i] = &names->names[i];
    if (names->n > 0 && all_are_integers(names))
        qsort(order, names->n, sizeof *order, compare_integers);
    for (size_t i = 0; i < names->n; i++) {
        renumbered[order[i]->number] = (int32_t)i;
        order[i]->number = (int32_t)i;
    }
    for (size_t i = 0; i < count; i++)
        labels[i] = labels[i] >= 0 ? renumbered[labels[i]] : -1;
    rnn_free(renumbered);
    st = list_texts(names);
done:
    rnn_free(order);
    return st;
}

void rnn_class_names_free(rnn_class_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        rnn_free(names->names[i].text);
    rnn_free(names->names);
    rnn_free(names->texts);
    *names = (rnn_class_names){0};
}
