# shellcheck shell=bash
# What the scripts of tests/faults, tests/mpi and tests/use share. They are called and source this with
#
#     SCRIPT RNNTRAIN MAKE_IDX
#
# RNNTRAIN is the program to test, MAKE_IDX the maker of datasets, MPIRUN another mpirun than the
# one in PATH. A script works in a folder of its own, $work, which stays if something failed.

if [[ $# -ne 2 ]]; then
    echo "usage: ${0##*/} RNNTRAIN MAKE_IDX" >&2
    exit 64
fi
rnntrain=$(readlink -f "$1")
make_idx=$(readlink -f "$2")
run_ranks=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/mpi/run-ranks")
work=$(mktemp -d "${TMPDIR:-/tmp}/rnntrain-test-XXXXXX")

# Threads that share cores must not spin, and what LLVM's OpenMP warns of is not asked for. For
# programs built with the address sanitizer: MPI libraries keep memory until the process ends, a
# failing malloc is none of its business, and it has no quarrel with being the second library after
# one that is preloaded.
export OMP_WAIT_POLICY=passive KMP_WARNINGS=off
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0:allocator_may_return_null=1
ASAN_OPTIONS+=:verify_asan_link_order=0

say() {
    echo "${0##*/}: $*"
}

# fail MESSAGE: goes on; also for parts of a script that run in the background.
fail() {
    say "FAILED: $*" | tee -a "$work/failures"
}

# show FILE...: for the log, after a failure.
show() {
    tail -n 20 -- "$@" | sed 's/^/    /'
}

# report_trials WHAT [REMARK]: a row of the table about the last $n_trials trials, once all that runs in
# the background has ended; failures are those noted since the row before.
n_trials=0
n_told=0
report_trials() {
    local n_failures=0
    wait
    [[ ! -e $work/failures ]] || n_failures=$(wc -l <"$work/failures")
    echo "TABLE $1 | $n_trials | $((n_failures - n_told)) | ${2:-}"
    n_told=$n_failures
    n_trials=0
}

# finish: the last line of a script.
finish() {
    if [[ -e $work/failures ]]; then
        say "$(wc -l <"$work/failures") failures; their files are in $work"
        exit 1
    fi
    say "all well"
}

# processes_in FOLDER: those of the program that were started in it or below.
processes_in() {
    local process
    for process in /proc/[0-9]*; do
        if [[ $process/exe -ef $rnntrain && $(readlink "$process/cwd")/ == "$1"/* ]]; then
            echo "${process##*/}"
        fi
    done
}

none_in() {
    [[ -z $(processes_in "$1") ]]
}

# wait_until SECONDS COMMAND...: polls; fails if the command still does after so long.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS <= deadline)) || return 1
        sleep 0.01
    done
}

clean_up() {
    local status=$? process
    for process in $(processes_in "$work"); do
        kill -9 "$process" || true
    done
    cd /
    if ((status == 0)); then
        rm -rf "$work"
    fi
}
trap clean_up EXIT

# is_open_mpi_4: whether mpirun is its, by either of the names it has for itself.
is_open_mpi_4() {
    local version
    version=$("${MPIRUN:-mpirun}" --version 2>&1 | head -n 1)
    [[ $version =~ "(Open"" "?(MPI|RTE)")"" 4." ]]
}

# is_mpich: whether mpirun is MPICH's. It is ended by SIGUSR2, and ends with 9 where it had to kill.
is_mpich() {
    [[ $("${MPIRUN:-mpirun}" --version 2>&1) == *HYDRA* ]]
}

# set_command RANKS: the words that start the program are then in $command; RANKS 0 = no mpirun.
# shellcheck disable=SC2034 # for those who source this
set_command() {
    command=("$rnntrain")
    if (($1 > 0)); then
        command=("$run_ranks" "$1" "$rnntrain")
    fi
}

# make_data FOLDER TRAIN TEST: so many images of 8 x 6 in 4 classes.
make_data() {
    mkdir -p "$1"
    "$make_idx" "$1" "$2" "$3" 8 6 4
}

# write_config FILE CELL DATA: a small network, batches that the shards do not divide evenly.
write_config() {
    cat >"$1" <<END
[run]
epochs = 2
output_dir = "out"

[dataset]
search = ["$3"]
classes = 4
mean = 0.5
std = 0.5

[[layer]]
type = "$2"
hidden_size = 20
num_layers = 2

[[layer]]
type = "select"

[[layer]]
type = "linear"
out_features = 4

[optimizer]
type = "adam"
lr = 0.005
clip_norm = 1.0

[train]
batch_size = 60

[parallel]
shards = 8
END
}

# write_series N FILE: a .ts file of N sequences of 3 to 40 steps, which rise (class up) or fall.
write_series() {
    awk -v n="$1" 'BEGIN {
        srand(7)
        print "@problemName ragged\n@timeStamps false\n@missing false\n@univariate false"
        print "@dimensions 2\n@equalLength false\n@classLabel true up down\n@data"
        for (i = 0; i < n; i++) {
            slope = rand() < 0.5 ? 0.05 : -0.05
            steps = 3 + int(38 * rand() * rand())
            for (d = 0; d < 2; d++)
                for (t = 0; t < steps; t++)
                    printf "%.4f%s", slope * t + 0.3 * (rand() - 0.5), t + 1 < steps ? "," : ":"
            print (slope > 0 ? "up" : "down")
        }
    }' >"$2"
}

# write_text N FILE: a text of N lines, in which words follow from the words before, with what CSV
# must put into quotes and with letters of two bytes.
write_text() {
    awk -v n="$1" 'BEGIN {
        srand(11)
        n_words = split("the cat caf\303\251 fish, \"sees\" a bird and then sleeps", word, " ")
        for (i = w = 0; i < n; i++) {
            for (k = 4 + int(5 * rand()); k > 0; k--) {
                w = rand() < 0.8 ? w % n_words + 1 : 1 + int(n_words * rand())
                printf "%s%s", word[w], (k > 1 ? " " : "\n")
            }
        }
    }' >"$2"
}
