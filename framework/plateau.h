/*
 * What watches the metric of the epochs: whether it still gets better, and what follows if not.
 */
#ifndef RNN_FRAMEWORK_PLATEAU_H
#define RNN_FRAMEWORK_PLATEAU_H

#include <stdbool.h>
#include <stdint.h>

/* torch's ReduceLROnPlateau, threshold_mode "rel", cooldown 0, eps 1e-8. */
typedef struct rnn_plateau_cfg {
    double factor;       /* of a fall of the learning rate */
    double threshold;    /* better is better by this share of the best; 1e-4 */
    uint64_t patience;   /* epochs in a row that may be no better */
    double lr, min_lr;   /* the rate before any fall, and the lowest */
    bool more_is_better; /* mode "max" */
} rnn_plateau_cfg;

/* Where it stands; begins as rnn_plateau_start. */
typedef struct rnn_plateau {
    double scale;        /* what the learning rate is multiplied with; 1 at first */
    double best;         /* NAN at first */
    uint64_t bad_epochs; /* in a row */
} rnn_plateau;

extern const rnn_plateau rnn_plateau_start;

/*
 * The next epoch's metric; true if the rate falls. A metric that is NAN is no better, as in torch.
 */
bool rnn_plateau_watch(rnn_plateau *plateau, const rnn_plateau_cfg *cfg, double metric);

#endif
