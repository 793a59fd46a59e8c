#include "kernels/cpu.h"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

void rnn_cpu_flush_denormals(void)
{
#if defined(__SSE__)
    enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };

    rnn_cpu_set_settings(rnn_cpu_get_settings() | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
#elif defined(__aarch64__)
    rnn_cpu_set_settings(rnn_cpu_get_settings() | UINT64_C(1) << 24);
#endif
}

uint64_t rnn_cpu_get_settings(void)
{
#if defined(__SSE__)
    return _mm_getcsr();
#elif defined(__aarch64__)
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
#else
    return 0;
#endif
}

void rnn_cpu_set_settings(uint64_t settings)
{
#if defined(__SSE__)
    _mm_setcsr((unsigned)settings);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(settings));
#else
    (void)settings;
#endif
}
