#include "framework/metrics.h"

#include <math.h>
#include <string.h>

#include "kernels/memory.h"

/* What is counted for each class or mark. */
enum { RIGHT, ANSWERED, THERE, N_COUNTS };

/* What is summed for each shard. */
enum { SQUARES, MAGNITUDES, N_SUMS };

/* All numbers of one exchange lie behind each other, in this order. */
typedef struct layout {
    size_t n_targets; /* place of: how many labels, marks or values were compared */
    size_t sums;      /* [n_shards][N_SUMS] */
    size_t counts;    /* [n_classes][N_COUNTS] */
    size_t confusion; /* [n_classes][n_classes] */
    size_t size;
} layout;

struct rnn_metrics {
    rnn_metrics_cfg cfg;
    size_t n_classes; /* 0 for values */
    layout at;
    double *numbers; /* [n_threads][at.size]; the first worker's has the result */
};

#define NOTHING (double)NAN

const rnn_scores rnn_no_scores = {NOTHING, NOTHING, NOTHING, NOTHING, NOTHING,
                                  NOTHING, NOTHING, NOTHING, NOTHING};

rnn_task rnn_task_of(const rnn_objective *objective, const rnn_dataset_info *data)
{
    if (objective->type == RNN_LOSS_BCE_WITH_LOGITS)
        return RNN_TASK_MARKS;
    if (objective->type != RNN_LOSS_CROSS_ENTROPY)
        return RNN_TASK_VALUES;
    return data->is_language ? RNN_TASK_LANGUAGE : RNN_TASK_CLASSES;
}

/* -- Creation ---------------------------------------------------------------------------------- */

static layout make_layout(const rnn_metrics_cfg *cfg, size_t n_classes)
{
    layout at = {.n_targets = 0, .sums = 1};

    at.counts = at.sums + cfg->n_shards * N_SUMS;
    at.confusion = at.counts + n_classes * N_COUNTS;
    at.size = at.confusion + (cfg->with_confusion ? n_classes * n_classes : 0);
    return at;
}

rnn_status rnn_metrics_create(rnn_metrics **out, const rnn_metrics_cfg *cfg)
{
    rnn_metrics *m;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&m, 1, "metrics"));
    m->cfg = *cfg;
    m->n_classes = cfg->task == RNN_TASK_VALUES ? 0 : cfg->output.n_features;
    m->cfg.with_confusion =
        cfg->with_confusion && cfg->task == RNN_TASK_CLASSES && m->n_classes <= RNN_MAX_CONFUSION;
    m->at = make_layout(&m->cfg, m->n_classes);
    st = rnn_alloc((void **)&m->numbers, (size_t)cfg->n_threads, m->at.size * sizeof *m->numbers,
                   "metrics");
    if (st == RNN_OK)
        *out = m;
    else
        rnn_metrics_destroy(&m);
    return st;
}

void rnn_metrics_destroy(rnn_metrics **metrics)
{
    if (*metrics == NULL)
        return;
    rnn_free((*metrics)->numbers);
    rnn_free(*metrics);
    *metrics = NULL;
}

void rnn_metrics_clear(rnn_metrics *metrics)
{
    memset(metrics->numbers, 0,
           (size_t)metrics->cfg.n_threads * metrics->at.size * sizeof *metrics->numbers);
}

/* -- Seeing ------------------------------------------------------------------------------------ */

static void count_class(const rnn_metrics *m, double *numbers, int32_t label, int32_t answer)
{
    double *counts = numbers + m->at.counts;

    if (label < 0 || label == m->cfg.objective.cross_entropy.ignore_index)
        return;
    numbers[m->at.n_targets]++;
    counts[label * N_COUNTS + THERE]++;
    counts[answer * N_COUNTS + ANSWERED]++;
    counts[label * N_COUNTS + RIGHT] += label == answer;
    if (m->cfg.with_confusion)
        numbers[m->at.confusion + (size_t)label * m->n_classes + (size_t)answer]++;
}

/* A mark is answered with yes where its score is above 0, a probability of 1/2. */
static void count_marks(const rnn_metrics *m, double *numbers, const float *y, const float *target)
{
    for (size_t i = 0; i < m->n_classes; i++) {
        bool is_there = target[i] > 0.5f, is_answered = y[i] > 0.0f;
        double *counts = numbers + m->at.counts + i * N_COUNTS;

        numbers[m->at.n_targets]++;
        counts[THERE] += is_there;
        counts[ANSWERED] += is_answered;
        counts[RIGHT] += is_there && is_answered;
    }
}

static void add_errors(const rnn_metrics *m, double *numbers, size_t shard, const float *y,
                       const float *target)
{
    double *sums = numbers + m->at.sums + (m->cfg.first_shard + shard) * N_SUMS;

    for (size_t i = 0; i < m->cfg.output.n_features; i++) {
        double error = (double)y[i] - (double)target[i];

        if (m->cfg.target_std != NULL)
            error *= m->cfg.target_std[i];
        sums[SQUARES] += error * error;
        sums[MAGNITUDES] += fabs(error);
    }
    numbers[m->at.n_targets] += (double)m->cfg.output.n_features;
}

static void see_place(const rnn_metrics *m, double *numbers, size_t shard,
                      const rnn_answers *answers, size_t place, size_t target)
{
    size_t n = m->cfg.output.n_features;
    const float *y = answers->y + place * n;

    if (m->cfg.task == RNN_TASK_CLASSES || m->cfg.task == RNN_TASK_LANGUAGE)
        count_class(m, numbers, answers->targets->label[target], answers->predicted[place]);
    else if (m->cfg.task == RNN_TASK_MARKS)
        count_marks(m, numbers, y, answers->targets->target + target * n);
    else
        add_errors(m, numbers, shard, y, answers->targets->target + target * n);
}

void rnn_metrics_see(rnn_metrics *metrics, int worker, size_t shard, const rnn_answers *answers)
{
    double *numbers = metrics->numbers + (size_t)worker * metrics->at.size;
    rnn_answer_cursor at = {.row = 0};

    while (rnn_objective_next_answer(&metrics->cfg.objective, metrics->cfg.output, answers->slice,
                                     &at))
        see_place(metrics, numbers, shard, answers, at.place, at.target);
}

/* -- Scores ------------------------------------------------------------------------------------ */

/* Sums of a shard are on one worker only, and counts are whole numbers: any order gives the same.
 */
static void join_workers(rnn_metrics *m)
{
    for (int w = 1; w < m->cfg.n_threads; w++)
        for (size_t i = 0; i < m->at.size; i++)
            m->numbers[i] += m->numbers[(size_t)w * m->at.size + i];
}

static double total(const rnn_metrics *m, size_t which, size_t first, size_t count)
{
    if (count == 1)
        return m->numbers[m->at.sums + first * N_SUMS + which];
    return total(m, which, first, count / 2) + total(m, which, first + count / 2, count / 2);
}

static void score_counts(const rnn_metrics *m, rnn_scores *s)
{
    const double *counts = m->numbers + m->at.counts;
    double right = 0.0, wrong_marks = 0.0, f1 = 0.0, n_present = 0.0;

    for (size_t i = 0; i < m->n_classes; i++, counts += N_COUNTS) {
        double both = counts[ANSWERED] + counts[THERE];

        right += counts[RIGHT];
        wrong_marks += both - 2.0 * counts[RIGHT];
        if (both > 0.0) {
            f1 += 2.0 * counts[RIGHT] / both;
            n_present++;
        }
    }
    s->f1 = f1 / n_present;
    s->accuracy = m->cfg.task == RNN_TASK_MARKS ? (s->n_targets - wrong_marks) / s->n_targets
                                                : right / s->n_targets;
}

rnn_status rnn_metrics_finish(rnn_metrics *metrics, rnn_comm *comm, double loss, rnn_scores *scores)
{
    const rnn_metrics *m = metrics;

    join_workers(metrics);
    RNN_TRY(rnn_comm_sum_exact(comm, m->numbers, m->at.size));
    *scores = rnn_no_scores;
    scores->n_targets = m->numbers[m->at.n_targets];
    scores->loss = loss;
    if (m->cfg.task == RNN_TASK_VALUES) {
        scores->mse = total(m, SQUARES, 0, m->cfg.n_shards) / scores->n_targets;
        scores->mae = total(m, MAGNITUDES, 0, m->cfg.n_shards) / scores->n_targets;
        scores->rmse = sqrt(scores->mse);
    } else {
        score_counts(m, scores);
    }
    if (m->cfg.task == RNN_TASK_LANGUAGE && !m->cfg.objective.is_sum) {
        scores->perplexity = exp(loss);
        scores->bits = loss / log(2.0);
    }
    return RNN_OK;
}

const double *rnn_metrics_confusion(const rnn_metrics *metrics, size_t *n_classes)
{
    *n_classes = metrics->n_classes;
    return metrics->cfg.with_confusion ? metrics->numbers + metrics->at.confusion : NULL;
}
