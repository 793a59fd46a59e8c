#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/timeline.h"

static void spans_are_kept_in_their_tracks(void **unused)
{
    rnn_timeline *timeline;
    const rnn_span *spans;
    size_t n_spans, n_dropped;
    double before = rnn_clock_seconds(), begin;

    (void)unused;
    assert_int_equal(rnn_timeline_create(&timeline, 2, 4), RNN_OK);
    assert_int_equal(rnn_timeline_n_tracks(timeline), 2);
    begin = rnn_timeline_begin(timeline);
    assert_true(begin >= before);
    rnn_timeline_end(timeline, 1, RNN_PHASE_FORWARD, 3, begin);
    rnn_timeline_end(timeline, 1, RNN_PHASE_LOSS, -1, before);
    spans = rnn_timeline_spans(timeline, 1, &n_spans, &n_dropped);
    assert_int_equal(n_spans, 2);
    assert_int_equal(n_dropped, 0);
    assert_int_equal(spans[0].phase, RNN_PHASE_FORWARD);
    assert_int_equal(spans[0].number, 3);
    assert_true(spans[0].begin == begin);
    assert_int_equal(spans[1].number, -1);
    assert_true(spans[1].begin == before);
    assert_true(spans[1].end >= spans[0].end && spans[1].end <= rnn_clock_seconds());
    rnn_timeline_spans(timeline, 0, &n_spans, &n_dropped);
    assert_int_equal(n_spans, 0);
    rnn_timeline_destroy(&timeline);
    assert_null(timeline);
}

static void sums_go_on_where_there_is_no_more_room(void **unused)
{
    rnn_timeline *timeline;
    const rnn_span *spans;
    size_t n_spans, n_dropped;
    double sum = 0.0;

    (void)unused;
    assert_int_equal(rnn_timeline_create(&timeline, 1, 2), RNN_OK);
    for (int i = 0; i < 5; i++)
        rnn_timeline_end(timeline, 0, RNN_PHASE_DATA, i, rnn_clock_seconds() - 1.0);
    spans = rnn_timeline_spans(timeline, 0, &n_spans, &n_dropped);
    assert_int_equal(n_spans, 2);
    assert_int_equal(n_dropped, 3);
    assert_int_equal(spans[1].number, 1);
    for (size_t i = 0; i < n_spans; i++)
        sum += spans[i].end - spans[i].begin;
    assert_true(rnn_timeline_seconds(timeline, 0, RNN_PHASE_DATA) >= sum + 3.0);
    assert_true(rnn_timeline_seconds(timeline, 0, RNN_PHASE_DATA) < sum + 3.0 + 60.0);
    assert_true(rnn_timeline_seconds(timeline, 0, RNN_PHASE_PACK) == 0.0);
    rnn_timeline_clear(timeline);
    assert_true(rnn_timeline_seconds(timeline, 0, RNN_PHASE_DATA) == 0.0);
    rnn_timeline_spans(timeline, 0, &n_spans, &n_dropped);
    assert_int_equal(n_spans + n_dropped, 0);
    rnn_timeline_destroy(&timeline);
}

static void without_a_timeline_nothing_happens(void **unused)
{
    (void)unused;
    assert_true(rnn_timeline_begin(NULL) == 0.0);
    rnn_timeline_end(NULL, 7, RNN_PHASE_STEP, 1, 0.0);
}

static void every_phase_has_a_name_of_its_own(void **unused)
{
    (void)unused;
    for (int i = 0; i < RNN_N_PHASES; i++) {
        assert_non_null(rnn_phase_name((rnn_phase)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(rnn_phase_name((rnn_phase)i), rnn_phase_name((rnn_phase)k));
    }
    assert_true(rnn_phase_is_shared(RNN_PHASE_BACKWARD));
    assert_false(rnn_phase_is_shared(RNN_PHASE_REDUCE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans_are_kept_in_their_tracks),
                                       cmocka_unit_test(sums_go_on_where_there_is_no_more_room),
                                       cmocka_unit_test(without_a_timeline_nothing_happens),
                                       cmocka_unit_test(every_phase_has_a_name_of_its_own)};

    return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
