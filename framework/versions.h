/*
 * What the program is made of, for rnntrain --version and reports of faults.
 */
#ifndef RNN_FRAMEWORK_VERSIONS_H
#define RNN_FRAMEWORK_VERSIONS_H

#include <stdio.h>

/*
 * One line for the program, one for each library with the version in use, and the compiler's. MPI
 * is asked without being started.
 */
void rnn_versions_print(FILE *out);

#endif
