/*
 * The one door to oneDNN. Its source is the only file that includes dnnl headers and knows the
 * difference between API v2 (Debian 12) and v3 (Debian 13 and newer). Private to kernels/.
 *
 * Tensors are plain float arrays in the order named at each argument; weights have a row pitch that
 * the library chooses. Gate order and bias rows are the library's own (lstm i f g o; gru u r o and
 * a fourth bias row): kernels/recurrent.c translates from and to torch's.
 */
#ifndef RNN_KERNELS_ONEDNN_H
#define RNN_KERNELS_ONEDNN_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/cell.h"
#include "kernels/status.h"

/*
 * Arguments of a recurrent layer's two primitives. T steps, N rows, I inputs, H units, G gates,
 * C outputs: H, or the size of an lstm's projection.
 */
typedef enum rnn_onednn_arg {
    RNN_ARG_SRC_LAYER,          /* x   [T][N][I] */
    RNN_ARG_SRC_ITER,           /* h_0 [N][C] */
    RNN_ARG_SRC_ITER_C,         /* c_0 [N][H], lstm only, as every _C */
    RNN_ARG_WEIGHTS_LAYER,      /* [I][pitch], G*H used */
    RNN_ARG_WEIGHTS_ITER,       /* [C][pitch], G*H used */
    RNN_ARG_WEIGHTS_PROJECTION, /* [H][pitch], C used; with a projection only */
    RNN_ARG_BIAS,               /* [G (gru: 4)][H] */
    RNN_ARG_DST_LAYER,          /* y   [T][N][out_pitch], C used */
    RNN_ARG_DST_ITER,           /* h_n [N][C] */
    RNN_ARG_DST_ITER_C,         /* c_n [N][H] */
    RNN_ARG_WORKSPACE,          /* opaque; backward destroys it */
    RNN_ARG_SCRATCHPAD,         /* opaque; large enough for both primitives */
    /* Backward only. */
    RNN_ARG_BWD_WEIGHTS_LAYER,      /* [G*H][pitch], I used */
    RNN_ARG_BWD_WEIGHTS_ITER,       /* [G*H][pitch], C used */
    RNN_ARG_BWD_WEIGHTS_PROJECTION, /* [C][pitch], H used */
    RNN_ARG_DIFF_SRC_LAYER,         /* overwritten, as the other two DIFF_SRC */
    RNN_ARG_DIFF_SRC_ITER,
    RNN_ARG_DIFF_SRC_ITER_C,
    RNN_ARG_DIFF_WEIGHTS_LAYER, /* accumulated, as the other three; layout as forward weights */
    RNN_ARG_DIFF_WEIGHTS_ITER,
    RNN_ARG_DIFF_WEIGHTS_PROJECTION,
    RNN_ARG_DIFF_BIAS,
    RNN_ARG_DIFF_DST_LAYER, /* pitch as DST_LAYER */
    RNN_ARG_DIFF_DST_ITER,
    RNN_ARG_DIFF_DST_ITER_C,
    RNN_ARG_COUNT
} rnn_onednn_arg;

/* Forward and backward primitive of one shape. May be executed by several threads at once. */
typedef struct rnn_onednn_pair rnn_onednn_pair;

typedef struct rnn_onednn_shape {
    rnn_cell cell;
    size_t seq_len, rows, n_in, n_hid;
    size_t n_proj;    /* of a projected lstm; 0 = none */
    size_t out_pitch; /* floats from one row of y to the next; 0 = C */
    bool reverse;     /* from the last step to the first; y stays in the order of x */
} rnn_onednn_shape;

/*
 * RNN_ERR_UNAVAILABLE if the library refuses the shape, RNN_ERR_MEMORY. It plans for the threads
 * that OpenMP would start now: in a thread that is to compute alone, call omp_set_num_threads(1).
 */
rnn_status rnn_onednn_pair_create(rnn_onednn_pair **out, const rnn_onednn_shape *shape);
void rnn_onednn_pair_destroy(rnn_onednn_pair **pair);

/* Bytes of an argument; 0 if the cell has no such argument. */
size_t rnn_onednn_pair_bytes(const rnn_onednn_pair *pair, rnn_onednn_arg arg);

/* Row pitch in floats of a weight argument; 0 if the layer has no such argument. */
size_t rnn_onednn_pair_pitch(const rnn_onednn_pair *pair, rnn_onednn_arg arg);

/* One thread's binding of the arguments to memory. */
typedef struct rnn_onednn_call rnn_onednn_call;

rnn_status rnn_onednn_call_create(rnn_onednn_call **out, const rnn_onednn_pair *pair);
void rnn_onednn_call_destroy(rnn_onednn_call **call);

/* Binds an argument; the memory is borrowed until the last execution with it. */
void rnn_onednn_call_bind(rnn_onednn_call *call, rnn_onednn_arg arg, const void *memory);

/* Every argument must be bound. Inside a parallel region the library uses one thread. */
rnn_status rnn_onednn_forward(rnn_onednn_call *call);
rnn_status rnn_onednn_backward(rnn_onednn_call *call);

/* C = op(A) op(B) + beta C, row-major; op is 'N' or 'T'; C is m x n, the inner size is k. */
rnn_status rnn_onednn_sgemm(char op_a, char op_b, size_t m, size_t n, size_t k, const float *a,
                            size_t lda, const float *b, size_t ldb, float beta, float *c,
                            size_t ldc);

/* "oneDNN 2.6.3", and the instruction set it uses: "avx2". Static strings. */
const char *rnn_onednn_version(void);
const char *rnn_onednn_isa(void);

#endif
