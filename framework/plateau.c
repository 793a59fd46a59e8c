#include "framework/plateau.h"

#include <math.h>

static const double EPS = 1e-8; /* a smaller fall is none */

const rnn_plateau rnn_plateau_start = {.scale = 1.0, .best = (double)NAN};

static bool is_better(const rnn_plateau *p, const rnn_plateau_cfg *cfg, double metric)
{
    if (isnan(p->best)) /* anything but the worst there is */
        return cfg->more_is_better ? metric > (double)-INFINITY : metric < (double)INFINITY;
    return cfg->more_is_better ? metric > p->best * (1.0 + cfg->threshold)
                               : metric < p->best * (1.0 - cfg->threshold);
}

bool rnn_plateau_watch(rnn_plateau *plateau, const rnn_plateau_cfg *cfg, double metric)
{
    double lr = cfg->lr * plateau->scale, lower;

    if (is_better(plateau, cfg, metric)) {
        plateau->best = metric;
        plateau->bad_epochs = 0;
        return false;
    }
    if (++plateau->bad_epochs <= cfg->patience)
        return false;
    plateau->bad_epochs = 0;
    lower = fmax(lr * cfg->factor, cfg->min_lr);
    if (lr - lower <= EPS)
        return false;
    plateau->scale = lower / cfg->lr;
    return true;
}
