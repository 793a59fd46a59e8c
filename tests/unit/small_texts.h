/*
 * 14 texts of 4 letters and what is to be learned for each letter, as the [dataset] of a
 * configuration: the least that a run can train on.
 */
#ifndef RNN_TESTS_UNIT_SMALL_TEXTS_H
#define RNN_TESTS_UNIT_SMALL_TEXTS_H

#define SMALL_TEXTS                                                                                \
    "[dataset]\n"                                                                                  \
    "format = 'strings'\n"                                                                         \
    "inputs =  ['abca', 'bcab', 'caba', 'aabb', 'bbcc', 'ccaa', 'abac',\n"                         \
    "           'cbab', 'bacb', 'acbb', 'cacb', 'bbab', 'aacc', 'cbca']\n"                         \
    "targets = ['bcab', 'cccc', 'abac', 'abbc', 'cccc', 'caab', 'bacc',\n"                         \
    "           'babc', 'acba', 'bbbb', 'acba', 'bacc', 'cccc', 'bcab']\n"

#endif
