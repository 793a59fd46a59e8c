#include "kernels/loss.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static size_t largest(const float *z, size_t n)
{
    size_t best = 0;

    for (size_t j = 1; j < n; j++)
        if (z[j] > z[best])
            best = j;
    return best;
}

rnn_loss_sums rnn_loss_cross_entropy(size_t rows, size_t n_classes, const float *logits,
                                     const int32_t *label, float *dlogits)
{
    rnn_loss_sums sums = {0.0, 0};

    for (size_t r = 0; r < rows; r++) {
        const float *z = logits + r * n_classes;
        float *dz = dlogits != NULL ? dlogits + r * n_classes : NULL;
        size_t best = largest(z, n_classes), target = (size_t)label[r];
        float top = z[best], z_target;
        double total = 0.0;

        if (label[r] < 0) {
            if (dz != NULL)
                memset(dz, 0, n_classes * sizeof *dz);
            continue;
        }
        z_target = z[target];
        for (size_t j = 0; j < n_classes; j++) {
            float e = expf(z[j] - top);

            total += (double)e;
            if (dz != NULL)
                dz[j] = e;
        }
        sums.loss += log(total) - (double)(z_target - top);
        sums.n_correct += best == target;
        if (dz == NULL)
            continue;
        for (size_t j = 0; j < n_classes; j++)
            dz[j] *= (float)(1.0 / total);
        dz[target] -= 1.0f;
    }
    return sums;
}
