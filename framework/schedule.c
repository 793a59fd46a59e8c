#include "framework/schedule.h"

#include <math.h>

#define PI 3.14159265358979323846

typedef struct moment {
    uint64_t epoch, step, total_steps;
} moment;

static double constant(const rnn_schedule_cfg *cfg, double base_lr, moment now)
{
    (void)cfg;
    (void)now;
    return base_lr;
}

static double stepwise(const rnn_schedule_cfg *cfg, double base_lr, moment now)
{
    const uint64_t n_steps = now.epoch / cfg->step_size;

    return base_lr * pow(cfg->gamma, (double)n_steps);
}

/* 0 until warm-up is over, 1 from total_steps on. */
static double progress_after_warmup(uint64_t warmup_steps, moment now)
{
    if (now.step <= warmup_steps)
        return 0.0;
    if (now.step >= now.total_steps)
        return 1.0;
    return (double)(now.step - warmup_steps) / (double)(now.total_steps - warmup_steps);
}

static double cosine(const rnn_schedule_cfg *cfg, double base_lr, moment now)
{
    double progress = progress_after_warmup(cfg->warmup_steps, now);

    return cfg->min_lr + (base_lr - cfg->min_lr) * (1.0 + cos(PI * progress)) / 2.0;
}

/* `part` of the way from one rate to another. */
static double anneal(rnn_anneal how, double from, double to, double part)
{
    if (how == RNN_ANNEAL_LINEAR)
        return from + (to - from) * part;
    return to + (from - to) / 2.0 * (1.0 + cos(PI * part));
}

/* As torch, whose first phase ends at the step pct_start * total_steps - 1: a fraction of one if
 * that is what it comes to, and before the first step if there is no such phase. */
static double one_cycle(const rnn_schedule_cfg *cfg, double base_lr, moment now)
{
    double first_lr = base_lr / cfg->div_factor, step = (double)now.step;
    double peak = cfg->pct_start * (double)now.total_steps - 1.0;
    double last = (double)now.total_steps - 1.0;

    if (step > last)
        step = last;
    if (step < peak)
        return anneal(cfg->anneal, first_lr, base_lr, step / peak);
    if (step == peak) /* torch divides 0 by 0 where that is the first step */
        return base_lr;
    return anneal(cfg->anneal, base_lr, first_lr / cfg->final_div_factor,
                  (step - peak) / (last - peak));
}

static double (*const schedules[])(const rnn_schedule_cfg *cfg, double base_lr, moment now) = {
    [RNN_SCHEDULE_CONSTANT] = constant,   [RNN_SCHEDULE_STEP] = stepwise,
    [RNN_SCHEDULE_COSINE] = cosine,       [RNN_SCHEDULE_PLATEAU] = constant,
    [RNN_SCHEDULE_ONE_CYCLE] = one_cycle,
};

double rnn_schedule_lr(const rnn_schedule_cfg *cfg, double base_lr, uint64_t epoch, uint64_t step,
                       uint64_t total_steps)
{
    moment now = {epoch, step, total_steps};
    double lr = schedules[cfg->type](cfg, base_lr, now);

    if (step < cfg->warmup_steps)
        lr *= (double)(step + 1) / ((double)cfg->warmup_steps + 1.0);
    return lr;
}
