/*
 * Builds a loop once per x86-64 vector width; the loader takes the widest one the CPU has. The bits
 * do not depend on the choice as long as the loop uses only + - * / sqrt and comparisons: these
 * round alike at every width, and -ffp-contract=off keeps them unfused.
 */
#ifndef RNN_KERNELS_TARGET_H
#define RNN_KERNELS_TARGET_H

#include <limits.h> /* defines __GLIBC__ where that is the C library: the choice needs its ifunc */

/* Not clang: it may give a public function the name of its ifunc only. Not under sanitizers: they
   are not ready yet when the loader makes the choice. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__) &&       \
    !defined(RNN_SANITIZED)
#define RNN_TARGET_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define RNN_TARGET_CLONES
#endif

/* For helpers of such loops: a call would leave the clone and its width. */
#define RNN_INLINE static inline __attribute__((always_inline))

/* Without optimisation or under sanitizers an "omp simd" loop may stay as it is; that is fine. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

#endif
