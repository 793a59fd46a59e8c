/*
 * Runs a fuzz target without libFuzzer, for the normal tests:
 *
 *     fuzz_NAME [--runs=N] [--seed=N] [--isolate] FILE-OR-FOLDER...
 *
 * First every input as it is, then N that come of them by random changes. All follows from the
 * seed, which is printed. If the target crashes, or takes more than MAX_SECONDS, its input is left
 * as crash-SEED-NUMBER. --isolate is for targets that let libhdf5 read: what is changed runs in
 * processes of its own, of which the crashes are counted and nothing more, as are inputs that take
 * more than ISOLATED_SECONDS.
 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LONGEST = 1 << 16, MAX_CHANGES = 8, MAX_SECONDS = 30, ISOLATED_SECONDS = 1 };

typedef struct bytes {
    uint8_t *at;
    size_t n;
} bytes;

typedef struct corpus {
    bytes *inputs;
    size_t n, room;
} corpus;

/* What is run now, for the handler of signals. */
static struct {
    const uint8_t *at;
    size_t n;
    char name[64];
    volatile size_t *shared; /* with processes of their own: its number */
} now;

static uint64_t random_state;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static size_t random_below(size_t n)
{
    return n > 0 ? (size_t)(next_random() % n) : 0;
}

/* -- The inputs ---------------------------------------------------------------------------------*/

static void die(const char *what, const char *path)
{
    fprintf(stderr, "cannot %s '%s'\n", what, path);
    exit(1);
}

static void add_file(corpus *c, const char *path)
{
    FILE *file = fopen(path, "rb");
    bytes b = {malloc(LONGEST), 0};

    if (file == NULL || b.at == NULL)
        die("read", path);
    b.n = fread(b.at, 1, LONGEST, file);
    fclose(file);
    if (c->n == c->room) {
        c->room = 2 * c->room + 64;
        c->inputs = realloc(c->inputs, c->room * sizeof *c->inputs);
        if (c->inputs == NULL)
            die("keep", path);
    }
    c->inputs[c->n++] = b;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void add(corpus *c, const char *path)
{
    struct dirent **entries;
    struct stat info;
    char full[4096];
    int n;

    if (stat(path, &info) != 0)
        die("find", path);
    if (!S_ISDIR(info.st_mode)) {
        add_file(c, path);
        return;
    }
    n = scandir(path, &entries, is_visible, alphasort);
    if (n <= 0)
        die("find inputs in", path);
    for (int i = 0; i < n; i++) {
        snprintf(full, sizeof full, "%s/%s", path, entries[i]->d_name);
        add_file(c, full);
        free(entries[i]);
    }
    free(entries);
}

/* -- Changing them ------------------------------------------------------------------------------*/

/* Makes room for `length` bytes at `place`, or cuts off what does not fit. */
static void insert(bytes *b, size_t place, size_t length)
{
    if (length > LONGEST - b->n)
        length = LONGEST - b->n;
    memmove(b->at + place + length, b->at + place, b->n - place);
    b->n += length;
}

static void set_number(bytes *b, size_t place)
{
    static const uint64_t numbers[] = {0,          1,         0x7F,       0x80,       0xFF,
                                       0x7FFF,     0xFFFF,    0x10000,    0x7FFFFFFF, 0x80000000,
                                       0xFFFFFFFF, INT64_MAX, UINT64_MAX, 0x20202020, 0x30303030};
    uint64_t value = numbers[random_below(sizeof numbers / sizeof *numbers)];
    size_t width = (size_t)1 << random_below(4);

    if (random_below(2) == 0) /* the other byte order */
        value = __builtin_bswap64(value) >> (64 - 8 * width);
    if (width > b->n - place)
        width = b->n - place;
    memcpy(b->at + place, &value, width);
}

/* A piece of any input goes over, or between, what is at `place`. */
static void graft(bytes *b, size_t place, const corpus *c)
{
    const bytes *from = &c->inputs[random_below(c->n)];
    size_t first = random_below(from->n), length = random_below(from->n - first + 1), before = b->n;

    if (length > 64 && random_below(2) == 0)
        length = 1 + random_below(64);
    if (random_below(2) == 0) {
        insert(b, place, length);
        length = b->n - before;
    }
    if (length > b->n - place)
        length = b->n - place;
    memcpy(b->at + place, from->at + first, length);
}

static void erase(bytes *b, size_t place)
{
    size_t length = 1 + random_below(random_below(4) == 0 ? b->n - place : 8);

    if (length > b->n - place)
        length = b->n - place;
    memmove(b->at + place, b->at + place + length, b->n - place - length);
    b->n -= length;
}

static void change(bytes *b, const corpus *c)
{
    static const char letters[] = "0123456789.,:;@#\"'[]{}=-+eE \t\r\n\\?/_naN\xEF\xBB\xBF";
    size_t place = random_below(b->n);

    if (b->n == 0) {
        graft(b, 0, c);
        return;
    }
    switch (random_below(7)) {
    case 0:
        b->at[place] ^= (uint8_t)(1u << random_below(8));
        break;
    case 1:
        b->at[place] = (uint8_t)next_random();
        break;
    case 2:
        set_number(b, place);
        break;
    case 3:
        erase(b, place);
        break;
    case 4:
        insert(b, place, 1);
        b->at[place] = (uint8_t)letters[random_below(sizeof letters - 1)];
        break;
    case 5:
        b->at[place] = (uint8_t)letters[random_below(sizeof letters - 1)];
        break;
    default:
        graft(b, place, c);
        break;
    }
}

static void make_input(bytes *b, const corpus *c)
{
    const bytes *from = &c->inputs[random_below(c->n)];

    memcpy(b->at, from->at, from->n);
    b->n = from->n;
    for (size_t i = 1 + random_below(MAX_CHANGES); i > 0; i--)
        change(b, c);
}

/* -- Running ------------------------------------------------------------------------------------*/

static void leave_input(void)
{
    int fd = open(now.name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    ssize_t written = fd >= 0 ? write(fd, now.at, now.n) : -1;

    if (written == (ssize_t)now.n && write(STDERR_FILENO, now.name, strlen(now.name)) > 0)
        (void)!write(STDERR_FILENO, " has the input\n", 15);
    if (fd >= 0)
        close(fd);
}

static void on_signal(int number)
{
    leave_input();
    signal(number, SIG_DFL);
    raise(number);
}

/* Of the sanitizers, if the target was built with one. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void catch_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], on_signal);
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(leave_input);
}

/* A copy of just its size, so that reading beyond it is seen. */
static void run(const bytes *b)
{
    uint8_t *copy = malloc(b->n + (b->n == 0));

    if (copy == NULL)
        die("copy", "an input");
    if (b->n > 0)
        memcpy(copy, b->at, b->n);
    now.at = copy;
    now.n = b->n;
    alarm(MAX_SECONDS);
    LLVMFuzzerTestOneInput(copy, b->n);
    alarm(0);
    free(copy);
}

/* Changed inputs number first .. end - 1, each made by its own random numbers. */
static void run_changed(const corpus *c, bytes *b, uint64_t seed, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        random_state = seed + i * 0x9E3779B97F4A7C15u * 1000;
        make_input(b, c);
        snprintf(now.name, sizeof now.name, "crash-%llu-%zu", (unsigned long long)seed, i);
        run(b);
    }
}

/* In a process of its own: what is changed may crash, or take for ever, and leaves no traces. */
static void run_isolated(const corpus *c, bytes *b, uint64_t seed, size_t end)
{
    const struct itimerval limit = {.it_value = {.tv_sec = ISOLATED_SECONDS}};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    dup2(null, STDERR_FILENO);
    for (int i = 1; i < 32; i++)
        signal(i, SIG_DFL);
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(NULL);
    for (; *now.shared < end; ++*now.shared) {
        setitimer(ITIMER_PROF, &limit, NULL);
        run_changed(c, b, seed, *now.shared, *now.shared + 1);
    }
    _exit(0);
}

/* Goes on behind what crashed. */
static size_t count_crashes(const corpus *c, bytes *b, uint64_t seed, size_t n_runs)
{
    size_t n_crashes = 0;

    now.shared =
        mmap(NULL, sizeof *now.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (now.shared == MAP_FAILED)
        die("share", "a number");
    for (*now.shared = 0; *now.shared < n_runs; ++*now.shared, n_crashes++) {
        pid_t child = fork();
        int status = 0;

        if (child == 0)
            run_isolated(c, b, seed, n_runs);
        if (child < 0 || waitpid(child, &status, 0) != child)
            die("start", "a process");
        if (status == 0)
            break;
    }
    munmap((void *)now.shared, sizeof *now.shared);
    return n_crashes;
}

int main(int argc, char **argv)
{
    corpus c = {.n = 0};
    bytes b = {malloc(LONGEST), 0};
    uint64_t seed = 1;
    size_t n_runs = 0, n_crashes = 0;
    bool is_isolated = false;

    if (b.at == NULL)
        die("make", "inputs");
    catch_signals();
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--runs=", 7) == 0)
            n_runs = strtoull(argv[i] + 7, NULL, 10);
        else if (strncmp(argv[i], "--seed=", 7) == 0)
            seed = strtoull(argv[i] + 7, NULL, 10);
        else if (strcmp(argv[i], "--isolate") == 0)
            is_isolated = true;
        else
            add(&c, argv[i]);
    }
    if (c.n == 0)
        die("find inputs in", "nothing");
    for (size_t i = 0; i < c.n; i++) {
        snprintf(now.name, sizeof now.name, "crash-given-%zu", i);
        run(&c.inputs[i]);
    }
    printf("%zu inputs; seed %llu\n", c.n, (unsigned long long)seed);
    fflush(stdout);
    if (is_isolated)
        n_crashes = count_crashes(&c, &b, seed, n_runs);
    else
        run_changed(&c, &b, seed, 0, n_runs);
    printf("%zu changed ones%s", n_runs, is_isolated ? "" : "\n");
    if (is_isolated)
        printf(", %zu crashes\n", n_crashes);
    for (size_t i = 0; i < c.n; i++)
        free(c.inputs[i].at);
    free(c.inputs);
    free(b.at);
    return 0;
}
