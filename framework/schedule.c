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
    return base_lr * pow(cfg->gamma, (double)(now.epoch / cfg->step_size));
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

static double (*const schedules[])(const rnn_schedule_cfg *cfg, double base_lr, moment now) = {
    [RNN_SCHEDULE_CONSTANT] = constant,
    [RNN_SCHEDULE_STEP] = stepwise,
    [RNN_SCHEDULE_COSINE] = cosine,
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
