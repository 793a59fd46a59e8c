#include "datasets/hdf5_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/files.h"
#include "kernels/memory.h"

enum { FIRST_USER_BLOCK = 512, NAME_LENGTH = 256, TARGET_LENGTH = 1024 };
enum { MAX_LINKS = 16, MAX_SHOWN = 12, LIST_LENGTH = 320 };

/* -- Names --------------------------------------------------------------------------------------*/

/* Following a name through the file. */
typedef struct walk {
    const rnn_hdf5_file *file;
    const char *name;   /* as it was asked for */
    const char *prefix; /* of messages about it: the group's path */
    hid_t access;       /* to datasets */
    size_t n_links;     /* followed so far */
    bool is_missing;
} walk;

static rnn_status refuse(const walk *w, const char *problem)
{
    return RNN_FAIL(RNN_ERR_DATA, "%s: %s/%s %s", w->file->path, w->prefix,
                    w->name + strspn(w->name, "/"), problem);
}

/* The names in a group, as far as there is room. */
static void list_names(hid_t group, char list[LIST_LENGTH])
{
    H5G_info_t info = {.nlinks = 0};
    size_t used = 0;

    list[0] = '\0';
    H5Gget_info(group, &info);
    for (hsize_t i = 0; i < info.nlinks && i < MAX_SHOWN && used < LIST_LENGTH - 1; i++) {
        char name[NAME_LENGTH] = "?";

        H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                           H5P_DEFAULT);
        snprintf(list + used, LIST_LENGTH - used, "%s%s", i > 0 ? ", " : "", name);
        used = strlen(list);
    }
    for (char *c = list; *c != '\0'; c++) /* it may go to a terminal */
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
}

static rnn_status refuse_missing(walk *w, hid_t group)
{
    char names[LIST_LENGTH], problem[LIST_LENGTH + 64];

    w->is_missing = true;
    list_names(group, names);
    snprintf(problem, sizeof problem, "is missing; there is %s",
             names[0] != '\0' ? names : "nothing");
    return refuse(w, problem);
}

static rnn_status follow(walk *w, hid_t from, const char *path, hid_t *out);

/* Where a soft link leads. */
static rnn_status follow_soft(walk *w, hid_t group, const char *name, size_t length, hid_t *out)
{
    char target[TARGET_LENGTH] = "";

    if (length > sizeof target || ++w->n_links > MAX_LINKS)
        return refuse(w, "is behind a link that is too long, or behind too many");
    if (H5Lget_val(group, name, target, sizeof target, H5P_DEFAULT) < 0)
        return refuse(w, "is behind a link that cannot be read");
    target[sizeof target - 1] = '\0';
    return follow(w, group, target, out);
}

/* Opens what a hard link leads to. The first opening of a dataset decides how it is accessed. */
static hid_t open_link(const walk *w, hid_t group, const char *name)
{
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);

    if (H5Iget_type(object) != H5I_DATASET)
        return object;
    rnn_hdf5_release(object);
    return H5Dopen2(group, name, w->access);
}

/* Opens what a link of a group leads to. */
static rnn_status step(walk *w, hid_t group, const char *name, hid_t *out)
{
    H5L_info_t info;

    *out = H5I_INVALID_HID;
    if (H5Iget_type(group) != H5I_GROUP)
        return refuse(w, "cannot be there: a part of the name is no group");
    if (H5Lexists(group, name, H5P_DEFAULT) <= 0)
        return refuse_missing(w, group);
    if (H5Lget_info(group, name, &info, H5P_DEFAULT) < 0)
        return refuse(w, "has a damaged link");
    if (info.type == H5L_TYPE_SOFT)
        return follow_soft(w, group, name, info.u.val_size, out);
    if (info.type != H5L_TYPE_HARD)
        return refuse(w, "is behind a link to elsewhere, which is not followed");
    *out = open_link(w, group, name);
    return *out >= 0 ? RNN_OK : refuse(w, "cannot be opened: the file is damaged there");
}

static rnn_status follow(walk *w, hid_t from, const char *path, hid_t *out)
{
    hid_t at = path[0] == '/' ? H5Gopen2(w->file->file, "/", H5P_DEFAULT) : from;

    if (at == from)
        H5Iinc_ref(at);
    *out = H5I_INVALID_HID;
    for (path += strspn(path, "/"); *path != '\0'; path += strspn(path, "/")) {
        char name[NAME_LENGTH];
        size_t length = strcspn(path, "/");
        hid_t next = H5I_INVALID_HID;
        rnn_status st;

        snprintf(name, sizeof name, "%.*s", (int)length, path);
        st = length < sizeof name ? step(w, at, name, &next) : refuse(w, "has too long a name");
        rnn_hdf5_release(at);
        RNN_TRY(st);
        at = next;
        path += length;
    }
    *out = at;
    return RNN_OK;
}

rnn_status rnn_hdf5_open_object(const rnn_hdf5_file *file, const char *name, hid_t access,
                                bool may_be_missing, hid_t *id)
{
    walk w = {.file = file, .name = name, .prefix = file->group_path, .access = access};
    rnn_status st;

    if (name[0] == '/') /* from the root */
        w.prefix = "";
    st = follow(&w, file->group, name, id);
    return st != RNN_OK && w.is_missing && w.n_links == 0 && may_be_missing ? RNN_OK : st;
}

/* -- Files --------------------------------------------------------------------------------------*/

bool rnn_hdf5_has_signature(const unsigned char *bytes, size_t n)
{
    for (size_t at = 0; at + RNN_HDF5_SIGNATURE_LENGTH <= n;
         at = at > 0 ? 2 * at : FIRST_USER_BLOCK)
        if (memcmp(bytes + at, rnn_hdf5_signature, RNN_HDF5_SIGNATURE_LENGTH) == 0)
            return true;
    return false;
}

/* The same for a file of any size; a user block may be in front of it. */
static rnn_status check_signature(int fd, const char *path, size_t *n_bytes)
{
    unsigned char found[RNN_HDF5_SIGNATURE_LENGTH];
    struct stat info;

    if (fstat(fd, &info) != 0)
        return RNN_FAIL(RNN_ERR_NOINPUT, "cannot open '%s'", path);
    *n_bytes = (size_t)info.st_size;
    for (size_t at = 0; at + RNN_HDF5_SIGNATURE_LENGTH <= *n_bytes;
         at = at > 0 ? 2 * at : FIRST_USER_BLOCK)
        if (pread(fd, found, RNN_HDF5_SIGNATURE_LENGTH, (off_t)at) == RNN_HDF5_SIGNATURE_LENGTH &&
            memcmp(found, rnn_hdf5_signature, RNN_HDF5_SIGNATURE_LENGTH) == 0)
            return RNN_OK;
    return RNN_FAIL(RNN_ERR_DATA, "%s: not an HDF5 file: it lacks the signature", path);
}

/* No locks: the file is only read, and file systems of clusters may not have them. */
static hid_t open_by_library(const char *path)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file;

    H5Pset_fapl_sec2(access);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access, false, true);
#endif
    file = H5Fopen(path, H5F_ACC_RDONLY, access);
    rnn_hdf5_release(access);
    return file;
}

static rnn_status open_group(rnn_hdf5_file *file)
{
    const char *name = file->group_path;

    file->group = H5Gopen2(file->file, "/", H5P_DEFAULT);
    if (file->group < 0)
        return RNN_FAIL(RNN_ERR_DATA, "%s: the root group cannot be opened: damaged", file->path);
    if (name[0] != '\0') {
        hid_t root = file->group;
        rnn_status st = rnn_hdf5_open_object(file, name, H5P_DEFAULT, false, &file->group);

        rnn_hdf5_release(root);
        RNN_TRY(st);
    }
    if (H5Iget_type(file->group) != H5I_GROUP)
        return RNN_FAIL(RNN_ERR_DATA, "%s: %s is not a group", file->path, name);
    return RNN_OK;
}

static rnn_status open_file(rnn_hdf5_file *file)
{
    void *handle = NULL;

    file->file = open_by_library(file->path);
    if (file->file < 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: libhdf5 cannot open it: truncated, damaged, or still being written",
                        file->path);
    if (H5Fget_vfd_handle(file->file, H5P_DEFAULT, &handle) < 0 || handle == NULL)
        return RNN_FAIL(RNN_ERR_INTERNAL, "%s: libhdf5 does not tell its file descriptor",
                        file->path);
    file->fd = *(const int *)handle;
    return open_group(file);
}

rnn_status rnn_hdf5_file_open(rnn_hdf5_file **out, const char *path, const char *group)
{
    rnn_hdf5_file *file = NULL;
    rnn_status st;
    int fd;

    *out = NULL;
    RNN_TRY(rnn_files_open(&fd, path)); /* no pipe, nor a folder */
    RNN_TRY_GOTO(st, RNN_ALLOC(&file, 1, "an HDF5 file"), done);
    file->file = file->group = H5I_INVALID_HID;
    RNN_TRY_GOTO(st, rnn_string_copy(&file->path, path), done);
    RNN_TRY_GOTO(st, rnn_string_copy(&file->group_path, strcmp(group, "/") == 0 ? "" : group),
                 done);
    RNN_TRY_GOTO(st, check_signature(fd, path, &file->n_bytes), done);
    rnn_hdf5_enter();
    st = open_file(file);
    rnn_hdf5_leave();
    if (st != RNN_OK)
        goto done;
    *out = file;
    file = NULL;
done:
    rnn_hdf5_file_close(&file);
    close(fd);
    return st;
}

void rnn_hdf5_file_close(rnn_hdf5_file **handle)
{
    rnn_hdf5_file *file = *handle;

    if (file == NULL)
        return;
    rnn_hdf5_enter();
    rnn_hdf5_release(file->group);
    rnn_hdf5_release(file->file);
    rnn_hdf5_leave();
    rnn_free(file->path);
    rnn_free(file->group_path);
    rnn_free(file);
    *handle = NULL;
}
