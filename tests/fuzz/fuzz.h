/*
 * What the fuzz targets share. A target is one file fuzz_NAME.c with the function that libFuzzer
 * calls; it is linked with libFuzzer (tests/fuzz/run-long) or with driver.c (the normal tests), and
 * has its inputs in corpus/NAME. An input that makes a target crash, stop or leak is a finding.
 */
#ifndef RNN_TESTS_FUZZ_FUZZ_H
#define RNN_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/dataset.h"

/* The target: always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* An input that is taken apart from the front; beyond its end everything is 0 or empty. */
typedef struct fuzz_input {
    const uint8_t *at;
    size_t n_left;
} fuzz_input;

/* The next byte. */
uint8_t fuzz_byte(fuzz_input *in);

/* The next byte as a number below n. */
size_t fuzz_below(fuzz_input *in, size_t n);

/* The next bytes: two say how many, the lower one first; all that are left if there are fewer. */
fuzz_input fuzz_part(fuzz_input *in);

/* A zero-ended copy of what is left, in memory of its own size; free with free. */
char *fuzz_text(fuzz_input in);

enum { FUZZ_MAX_FILES = 6 };

/*
 * Puts what is left into the file number i in memory and returns its name in the folder
 * fuzz_folder. The content stays until the next call.
 */
const char *fuzz_file(size_t i, fuzz_input content);
extern const char *const fuzz_folder[1];

/* The same as a whole path. */
const char *fuzz_path(size_t i, fuzz_input content);

/*
 * The same with a name of its own, since libhdf5 wants to know the real path of a file: in TMPDIR
 * or /dev/shm, until the process ends.
 */
const char *fuzz_named_file(fuzz_input content);

/*
 * Opens a dataset and, if that succeeds, does with it what a run does: reads samples of all splits
 * in slices and asks for names; if the settings say so, it also opens the same files for a trained
 * model, with what was fitted and without a need for targets. cfg
 * lacks its search path unless that is not fuzz_folder. Aborts if what is read breaks the promises
 * of datasets/dataset.h.
 */
void fuzz_dataset(rnn_dataset_cfg *cfg);

/* Settings that any format may have, from one byte: fractions, standardisation, limits. */
void fuzz_common_settings(rnn_dataset_cfg *cfg, fuzz_input *in);

/* The rest of an input as files: a part for testing, maybe none, then what is for training. */
void fuzz_take_files(rnn_dataset_cfg *cfg, fuzz_input in);

/* The same where every file has one with its targets; that of training has number 1, and is there.
 */
void fuzz_take_pairs(rnn_dataset_cfg *cfg, fuzz_input in);

/* Stops the process, as a finding, unless what must be is. */
#define FUZZ_CHECK(condition) fuzz_check((condition), #condition, __FILE__, __LINE__)
void fuzz_check(bool is_true, const char *text, const char *file, int line);

#endif
