/*
 * Texts as numbers: the characters or the words of a text, each with a number. Numbers are places
 * in a list of names that goes with a trained model.
 */
#ifndef RNN_DATASETS_VOCABULARY_H
#define RNN_DATASETS_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "datasets/dataset.h"
#include "kernels/status.h"

enum { RNN_VOCABULARY_MAX_WORD = 255 }; /* bytes */

/*
 * Characters are code points, in the order of their codes. Words are what white space separates,
 * the frequent ones first, equally frequent ones in the order of their bytes; the end of a line is
 * the word "<eos>", and "<unk>" stands for words that are not in the vocabulary. A word of more
 * than RNN_VOCABULARY_MAX_WORD bytes is never in it: names go into checkpoints at a fixed width.
 * U+FEFF at the start of a text is a byte order mark and no token.
 */
typedef struct rnn_vocabulary rnn_vocabulary;

/* A text and how messages call it. */
typedef struct rnn_text {
    const char *name;
    const char *bytes; /* [n_bytes], and a zero byte behind them */
    size_t n_bytes;
} rnn_text;

rnn_status rnn_vocabulary_create(rnn_vocabulary **out, rnn_unit unit);

/* The one that has these names; RNN_ERR_DATA if one is there twice, or is none of the unit. */
rnn_status rnn_vocabulary_create_from(rnn_vocabulary **out, rnn_unit unit, char *const *names,
                                      size_t n_names);
void rnn_vocabulary_destroy(rnn_vocabulary **vocabulary);

/*
 * Takes in the tokens of a text, and gives each its provisional number, in the order in which they
 * turned up: up to `room` of them into `numbers`; *n_tokens is how many there are, whatever the
 * room. RNN_ERR_DATA, with file:line and the byte, for what is not UTF-8.
 */
rnn_status rnn_vocabulary_add(rnn_vocabulary *vocabulary, const rnn_text *text, uint32_t *numbers,
                              size_t room, size_t *n_tokens);

/* Different tokens so far: provisional numbers are below this. */
size_t rnn_vocabulary_n_added(const rnn_vocabulary *vocabulary);

/*
 * Gives the final numbers to what was added: once. Of words, only the `max_words` most frequent
 * ones (0 = all) that occur at least `min_count` times, and at least once; "<unk>" and "<eos>" are
 * there in any case.
 *   count  [n_added]       occurrences in the training text, by provisional number
 *   final  [n_added] (out) the final number, by provisional number; that of "<unk>" for words
 *                          left out
 */
rnn_status rnn_vocabulary_settle(rnn_vocabulary *vocabulary, const size_t *count, size_t max_words,
                                 size_t min_count, uint32_t *final);

size_t rnn_vocabulary_size(const rnn_vocabulary *vocabulary);

/* The name of a number below the size; lent. */
const char *rnn_vocabulary_name(const rnn_vocabulary *vocabulary, size_t number);

/*
 * The numbers of a text's tokens: up to `room` of them into `numbers`; *n_tokens is how many there
 * are, whatever the room. RNN_ERR_DATA, with file:line, for a character without a number, or a word
 * in a vocabulary that has no "<unk>".
 */
rnn_status rnn_vocabulary_encode(const rnn_vocabulary *vocabulary, const rnn_text *text,
                                 uint32_t *numbers, size_t room, size_t *n_tokens);

#endif
