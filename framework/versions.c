#include "framework/versions.h"

#include <omp.h>

#include "datasets/idx.h"
#include "dist/affinity.h"
#include "dist/comm.h"
#include "framework/toml_reader.h"
#include "kernels/digest.h"
#include "kernels/hdf5_library.h"
#include "kernels/recurrent.h"

#ifdef __clang__
static const char compiler[] = __VERSION__; /* "Clang 14.0.6" */
#else
static const char compiler[] = "gcc " __VERSION__;
#endif

/* OpenMP's versions are dates: of the compiler that built this. */
static const char *openmp_version(void)
{
    static const struct {
        int date;
        const char *version;
    } known[] = {{202111, "5.2"}, {202011, "5.1"}, {201811, "5.0"}, {201511, "4.5"}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (_OPENMP >= known[i].date)
            return known[i].version;
    return "before 4.5";
}

void rnn_versions_print(FILE *out)
{
    char mpi[256];

    if (rnn_mpi_library(mpi, sizeof mpi) != RNN_OK)
        snprintf(mpi, sizeof mpi, "%s", rnn_error_message());
    fprintf(out, "rnntrain %s\n", RNN_VERSION);
    fprintf(out, "%s, %s\n%s\n", rnn_kernel_library(), rnn_kernel_isa(), mpi);
    fprintf(out, "OpenMP %s (%d)\n", openmp_version(), _OPENMP);
    fprintf(out, "%s\n%s\n%s\n%s\n%s\n", rnn_hdf5_version(), rnn_affinity_library(),
            rnn_idx_library(), rnn_digest_library(), rnn_toml_library());
    fprintf(out, "Random123 (its headers have no version)\n%s\n", compiler);
}
