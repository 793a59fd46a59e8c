/*
 * checkpoint-crashes: what a disk may hold after the machine stopped at any moment of writing a
 * checkpoint. Data that was not synced may be absent, zeros, half or whole; changes of names in a
 * folder that was not synced since may each have reached the disk or not. In all of these states
 * the old or the new checkpoint is found, and the new one once its writing is over.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framework/checkpoint.h"
#include "framework/file_io.h"
#include "kernels/memory.h"
#include "tests/faults/checkpoint_writer.h"

enum { MAX_CHANGES = 32, MAX_NAMES = 64, MAX_OPEN_CHANGES = 12 };
enum { NEVER = 1 << 30 };

/* What the name of an entry stands for. */
typedef enum node_type { NODE_NONE, NODE_FOLDER, NODE_LINK, NODE_STEP, NODE_OTHER } node_type;

typedef struct node {
    node_type type;
    int step;           /* of NODE_STEP; the new one's data may be unsynced */
    const char *target; /* of NODE_LINK */
} node;

/* One call's effect on names, which reaches the disk wholly or not at all. */
typedef struct change {
    const char *gone, *path; /* NULL: none */
    node what;               /* that path now is */
    int made_at, synced_at;  /* number of the call, from 0 */
} change;

typedef struct history {
    const char *name;
    const char *run_folder; /* where checkpoints are looked for */
    int old_step;           /* 0: there was none */
    call_log log;
    change changes[MAX_CHANGES];
    size_t n_changes;
    int data_written_at, data_synced_at;
} history;

typedef struct entry {
    char path[256];
    node what;
} entry;

/* A folder's entries, parents before children. */
typedef struct tree {
    entry entries[MAX_NAMES];
    size_t n;
} tree;

/* -- From calls to changes --------------------------------------------------------------------- */

static bool is_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    while (length > 1 && folder[length - 1] == '/')
        length--;
    return path != NULL && strncmp(path, folder, length) == 0 && path[length] == '/' &&
           strchr(path + length + 1, '/') == NULL;
}

static const char *step_path(const char *folder, int step)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/step-%010d.h5", folder, step);
    return path;
}

/* What was last put under a name. */
static node find_node(const history *h, const char *path)
{
    for (size_t i = h->n_changes; i-- > 0;)
        if (h->changes[i].path != NULL && strcmp(h->changes[i].path, path) == 0)
            return h->changes[i].what;
    for (int step = 1; step <= h->old_step; step++)
        if (strcmp(path, step_path(h->run_folder, step)) == 0)
            return (node){.type = NODE_STEP, .step = step};
    return (node){.type = NODE_OTHER};
}

static void add_change(history *h, change c)
{
    if (h->n_changes == MAX_CHANGES) {
        complain("%s: more changes of names than this test is made for", h->name);
        return;
    }
    c.synced_at = NEVER;
    h->changes[h->n_changes++] = c;
}

static node created_node(const char *path)
{
    return strstr(path, "/.step-") != NULL ? (node){.type = NODE_STEP, .step = NEW}
                                           : (node){.type = NODE_OTHER};
}

static void follow_sync(history *h, const call *c, int at)
{
    if (strstr(c->path, "/.step-") != NULL)
        h->data_synced_at = at;
    for (size_t i = 0; i < h->n_changes; i++) {
        change *known = &h->changes[i];

        if (known->synced_at == NEVER &&
            (is_in(known->path, c->path) || is_in(known->gone, c->path)))
            known->synced_at = at;
    }
}

/* From folder to folder, simple file systems may write one of the two first. */
static void follow_rename(history *h, const call *c, int at)
{
    node what = find_node(h, c->path);
    char folder[256];

    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(c->path, '/') - c->path), c->path);
    if (is_in(c->path2, folder)) {
        add_change(h, (change){.gone = c->path, .path = c->path2, .what = what, .made_at = at});
        return;
    }
    add_change(h, (change){.path = c->path2, .what = what, .made_at = at});
    add_change(h, (change){.gone = c->path, .made_at = at});
}

static void follow(history *h, const call *c, int at)
{
    if (strcmp(c->name, "open") == 0 && (c->number & O_CREAT) != 0)
        add_change(h, (change){.path = c->path, .what = created_node(c->path), .made_at = at});
    else if (strcmp(c->name, "mkdir") == 0)
        add_change(h, (change){.path = c->path, .what = {.type = NODE_FOLDER}, .made_at = at});
    else if (strcmp(c->name, "symlink") == 0)
        add_change(h, (change){.path = c->path,
                               .what = {.type = NODE_LINK, .target = c->path2},
                               .made_at = at});
    else if (strcmp(c->name, "unlink") == 0)
        add_change(h, (change){.gone = c->path, .made_at = at});
    else if (strcmp(c->name, "rename") == 0)
        follow_rename(h, c, at);
    else if (strcmp(c->name, "write") == 0)
        h->data_written_at = at;
    else if (strcmp(c->name, "fsync") == 0)
        follow_sync(h, c, at);
}

/* -- States of the disk ------------------------------------------------------------------------ */

static void put(tree *t, const char *path, node what)
{
    size_t i = 0;

    while (i < t->n && strcmp(t->entries[i].path, path) != 0)
        i++;
    if (i == t->n && t->n < MAX_NAMES)
        t->n++;
    snprintf(t->entries[i].path, sizeof t->entries[i].path, "%s", path);
    t->entries[i].what = what;
}

static tree tree_at_start(const history *h)
{
    tree t = {.n = 0};

    put(&t, path_of("trial"), (node){.type = NODE_FOLDER});
    for (int step = 1; step <= h->old_step; step++)
        put(&t, step_path(h->run_folder, step), (node){.type = NODE_STEP, .step = step});
    return t;
}

static void apply(tree *t, const change *c)
{
    if (c->gone != NULL)
        put(t, c->gone, (node){.type = NODE_NONE});
    if (c->path != NULL)
        put(t, c->path, c->what);
}

typedef enum data_state {
    DATA_WHOLE,
    DATA_ABSENT,
    DATA_ZEROS,
    DATA_HALF,
    N_DATA_STATES
} data_state;

static void write_step_file(const char *path, int step, data_state state)
{
    size_t n_bytes;
    const char *bytes = bytes_of_step((uint64_t)step, &n_bytes);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ssize_t expected = 0, written = 0;

    if (state == DATA_WHOLE || state == DATA_HALF) {
        expected = (ssize_t)(state == DATA_HALF ? n_bytes / 2 : n_bytes);
        written = write(fd, bytes, (size_t)expected);
    }
    if (written != expected || (state == DATA_ZEROS && ftruncate(fd, (off_t)n_bytes) != 0) ||
        close(fd) != 0)
        complain("cannot write %s", path);
}

/* Entries of folders that are not there are lost. */
static void materialize(const tree *t, data_state state)
{
    remove_folder(path_of("trial"));
    for (size_t i = 0; i < t->n; i++) {
        const entry *e = &t->entries[i];
        char folder[256];

        snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(e->path, '/') - e->path), e->path);
        if (access(folder, F_OK) != 0)
            continue;
        if (e->what.type == NODE_FOLDER)
            mkdir(e->path, 0777);
        else if (e->what.type == NODE_LINK && symlink(e->what.target, e->path) != 0)
            complain("cannot link %s", e->path);
        else if (e->what.type == NODE_STEP)
            write_step_file(e->path, e->what.step, e->what.step == NEW ? state : DATA_WHOLE);
        else if (e->what.type == NODE_OTHER)
            write_step_file(e->path, 0, DATA_ABSENT);
    }
}

/* -- All of them ------------------------------------------------------------------------------- */

/* The change that gives the new checkpoint its name. */
static const change *find_appearance(const history *h)
{
    for (size_t i = 0; i < h->n_changes; i++)
        if (h->changes[i].gone != NULL && h->changes[i].what.type == NODE_STEP)
            return &h->changes[i];
    complain("%s: the new checkpoint never appears", h->name);
    return NULL;
}

static void check_state(const history *h, int n_calls, unsigned kept, data_state state)
{
    const change *appearance = find_appearance(h);
    bool promised = appearance != NULL && appearance->synced_at < n_calls;
    rnn_status st;
    char *path;

    st = rnn_checkpoint_find(h->run_folder, &path, NULL, NULL);
    if (path != NULL && is_step(path, NEW)) {
        rnn_free(path);
        return;
    }
    if (promised)
        complain("%s: stopped after call %d (names %x, data %d): the new checkpoint is lost: %s",
                 h->name, n_calls, kept, (int)state, path != NULL ? path : rnn_error_message());
    else if (h->old_step > 0 && (path == NULL || !is_step(path, (uint64_t)h->old_step)))
        complain("%s: stopped after call %d (names %x, data %d): neither old nor new: %s", h->name,
                 n_calls, kept, (int)state, st == RNN_OK ? path : rnn_error_message());
    rnn_free(path);
}

/* The changes of the first n_calls that have surely reached the disk, and those named by `kept`. */
static tree tree_after(const history *h, int n_calls, unsigned kept)
{
    tree t = tree_at_start(h);
    size_t n_open = 0;

    for (size_t i = 0; i < h->n_changes && h->changes[i].made_at < n_calls; i++) {
        const change *c = &h->changes[i];

        if (c->synced_at < n_calls || (kept >> n_open++ & 1) != 0)
            apply(&t, c);
    }
    return t;
}

static size_t count_open_changes(const history *h, int n_calls)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n_changes; i++)
        n += h->changes[i].made_at < n_calls && h->changes[i].synced_at >= n_calls;
    return n;
}

static size_t try_stop(const history *h, int n_calls)
{
    size_t n_open = count_open_changes(h, n_calls), n_states = 0;
    bool synced = h->data_synced_at < n_calls, written = h->data_written_at < n_calls;
    int first = written ? DATA_WHOLE : DATA_ABSENT;
    int last = synced ? DATA_WHOLE : written ? DATA_HALF : DATA_ABSENT;

    if (n_open > MAX_OPEN_CHANGES) {
        complain("%s: %zu changes of names that are not synced", h->name, n_open);
        return 0;
    }
    for (unsigned kept = 0; kept < 1u << n_open; kept++)
        for (int state = first; state <= last; state++) {
            tree t = tree_after(h, n_calls, kept);

            materialize(&t, (data_state)state);
            check_state(h, n_calls, kept, (data_state)state);
            n_states++;
        }
    return n_states;
}

static void try_all(history *h)
{
    size_t before = n_complaints(), n_states = 0;

    h->data_written_at = h->data_synced_at = NEVER;
    for (size_t i = 0; i < h->log.n; i++)
        follow(h, &h->log.calls[i], (int)i);
    for (int n_calls = 0; n_calls <= (int)h->log.n; n_calls++)
        n_states += try_stop(h, n_calls);
    printf(
        "TABLE states of a disk after a stop, %s | %zu | %zu | %zu calls, %zu changes of names\n",
        h->name, n_states, n_complaints() - before, h->log.n, h->n_changes);
}

static rnn_status write_new(const char *folder)
{
    return write_checkpoint(folder, NEW);
}

static void try_next_checkpoint(void)
{
    history h = {
        .name = "the next checkpoint", .run_folder = path_of("trial"), .old_step = N_OLDER};

    copy_folder(path_of("start"), path_of("trial"));
    h.log = record_calls(write_new);
    try_all(&h);
    free_log(&h.log);
}

static rnn_status write_first(const char *folder)
{
    char below[256];

    snprintf(below, sizeof below, "%s/a/b", folder);
    RNN_TRY(rnn_folder_create(below));
    return write_checkpoint(below, NEW);
}

/* The folder, and the one that it is in, are new as well. */
static void try_first_checkpoint(void)
{
    char folder[256];
    history h = {.name = "the first checkpoint", .run_folder = folder};

    snprintf(folder, sizeof folder, "%s", path_of("trial/a/b"));
    remove_folder(path_of("trial"));
    if (mkdir(path_of("trial"), 0777) != 0)
        complain("cannot create %s", path_of("trial"));
    h.log = record_calls(write_first);
    try_all(&h);
    free_log(&h.log);
}

static rnn_status set_aside(const char *folder)
{
    char *moved_to;

    RNN_TRY(rnn_checkpoint_set_aside(folder, &moved_to));
    rnn_free(moved_to);
    return RNN_OK;
}

static bool is_kept(int step)
{
    char path[64];

    snprintf(path, sizeof path, "trial/previous-1/step-%010d.h5", step);
    return is_step(path_of(path), (uint64_t)step) ||
           is_step(step_path(path_of("trial"), step), (uint64_t)step);
}

/* An earlier run that has been set aside is not lost. */
static void try_setting_aside(void)
{
    history h = {.name = "setting aside", .run_folder = path_of("trial"), .old_step = N_OLDER};
    size_t before = n_complaints(), n_open;
    int n_calls;

    copy_folder(path_of("start"), path_of("trial"));
    h.log = record_calls(set_aside);
    n_calls = (int)h.log.n;
    for (int i = 0; i < n_calls; i++)
        follow(&h, &h.log.calls[i], i);
    n_open = count_open_changes(&h, n_calls);
    for (unsigned kept = 0; kept < 1u << n_open && n_open <= MAX_OPEN_CHANGES; kept++) {
        tree t = tree_after(&h, n_calls, kept);

        materialize(&t, DATA_WHOLE);
        for (int step = 1; step <= N_OLDER; step++)
            if (!is_kept(step))
                complain("%s: step %d is lost (names %x)", h.name, step, kept);
    }
    printf("TABLE states of a disk after a stop, %s | %u | %zu | %d calls, %zu changes of names\n",
           h.name, 1u << n_open, n_complaints() - before, n_calls, h.n_changes);
    free_log(&h.log);
}

int main(void)
{
    size_t failures;

    set_up();
    try_next_checkpoint();
    try_first_checkpoint();
    try_setting_aside();
    failures = n_complaints();
    clean_up(failures > 0);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
