/*
 * What the programs checkpoint-errors and checkpoint-crashes share: a small run that writes
 * checkpoints as the program does, calls spoilt by the source of libinject.so, and folders to
 * compare. Whatever is wrong with the fixture itself ends the program.
 */
#ifndef RNN_TESTS_FAULTS_CHECKPOINT_WRITER_H
#define RNN_TESTS_FAULTS_CHECKPOINT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

/* Of inject.c: reads the environment anew and counts from 0. */
void inject_restart(void);

/* The folder of a run starts with OLDER checkpoints, of which one is the best, and gets one more.
 */
enum { N_OLDER = 3, BEST = 2, NEW = N_OLDER + 1, KEEP = 2 };

/* One call of a log of inject.c. */
typedef struct call {
    char *name, *path, *path2; /* path2 NULL: none */
    long number;               /* of bytes, or flags of an open */
} call;

typedef struct call_log {
    call *calls;
    size_t n;
} call_log;

typedef struct outcome {
    rnn_status st;
    char message[2048];
} outcome;

/* Creates a folder to work in, on a memory file system if there is one, and the run. */
void set_up(void);
void clean_up(bool keep_folder);

/* Paths in it: "trial" is where calls are spoilt, "start" what it is made from. */
const char *path_of(const char *name);

/* The writes of the checkpoint of a step: file, latest.h5, best.h5, pruning. */
rnn_status write_checkpoint(const char *folder, uint64_t step);

/* The bytes of its file. */
const void *bytes_of_step(uint64_t step, size_t *n_bytes);

/* Whether a file is that of the step, byte by byte; these bytes are known to load. */
bool is_step(const char *path, uint64_t step);

/* Runs act("trial") with these variables (NAME, VALUE, ..., NULL) for calls in that folder. */
outcome run_spoilt(rnn_status (*act)(const char *folder), const char *const *variables);

/* The same in a child, for calls that end it: the signal that did, 0 if none. */
int run_killed(rnn_status (*act)(const char *folder), const char *const *variables);

/* All calls that act(folder) makes in the folder "trial", which it also leaves as it then is. */
call_log record_calls(rnn_status (*act)(const char *folder));
call_log read_log(const char *path);
void free_log(call_log *log);

void remove_folder(const char *path);
void copy_folder(const char *from, const char *to);
bool same_folder(const char *a, const char *b);
size_t count_temporary(const char *folder);

void complain(const char *format, ...) RNN_PRINTF_FORMAT(1, 2);
size_t n_complaints(void);

#endif
