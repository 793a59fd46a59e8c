# shellcheck shell=bash
# What the scripts share that interrupt a run many times; to be sourced after tests/lib.sh. Every
# trial has a folder and random numbers of its own, several go on at the same time, and what became
# of them is counted by kind and printed as lines
#
#     TABLE KIND | TRIALS | FAILURES | REMARK
#
# from which launch/crashtest makes its table. SEED=N repeats the random choices of an earlier call.

SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
say "SEED=$SEED"
at_once=${AT_ONCE:-4} # mpirun needs seconds to end after a failure, and mostly sleeps
patience=5            # seconds in which everything of a run must be gone
pace=20               # milliseconds that writing a checkpoint takes longer in paced runs
n_started=0
: >"$work/results"
: >"$work/notes"

# Programs and the library that are built for these tests.
# shellcheck disable=SC2034 # for those who source this
fault_tools=$(dirname "$rnntrain")/tests/faults
inject=${INJECT_LIBRARY:-$fault_tools/libinject.so}

# -- Trials ----------------------------------------------------------------------------------------

# trial COMMAND...: in the background, in a folder of its own that stays if something is wrong.
trial() {
    n_started=$((n_started + 1))
    while (($(jobs -rp | wc -l) >= at_once)); do
        wait -n || true
    done
    (
        begin_trial "$1-$n_started"
        "$@"
    ) &
}

begin_trial() {
    name=$1 is_wrong=0 is_wrong_ever=0
    trap 'end_trial $?' EXIT
    RANDOM=$(((SEED + n_started * 69621) % 2147483647))
    mkdir "$work/$name"
    cd "$work/$name" || exit
}

# shellcheck disable=SC2317 # called by the trap above
end_trial() {
    if (($1 != 0)); then
        wrong "cannot be tried, status $1"
        count "trials that could not be made"
    fi
    # Only its own: processes of a run that got stuck.
    processes_in "$work/$name" | xargs -r kill -9 2>/dev/null || true
    ((is_wrong_ever)) || rm -rf "${work:?}/$name"
}

# wrong MESSAGE: something of what is tried at the moment.
wrong() {
    is_wrong=1 is_wrong_ever=1
    fail "$name: $*"
}

# count KIND: one trial of this kind is over.
count() {
    printf '%s\t%d\n' "$1" "$is_wrong" >>"$work/results"
    is_wrong=0
}

# note NAME NUMBER: for the remarks in the table.
note() {
    printf '%s\t%s\n' "$1" "$2" >>"$work/notes"
}

# largest NAME, sum NAME: of the numbers noted.
largest() {
    awk -F '\t' -v name="$1" '$1 == name && $2 + 0 > max { max = $2 + 0 } END { print max + 0 }' \
        "$work/notes"
}

sum() {
    awk -F '\t' -v name="$1" '$1 == name { sum += $2 } END { print sum + 0 }' "$work/notes"
}

# trials_of KIND: how many there have been.
trials_of() {
    awk -F '\t' -v kind="$1" '$1 == kind { n++ } END { print n + 0 }' "$work/results"
}

# table KIND REMARK: prints what became of these trials, if there were any.
table() {
    awk -F '\t' -v kind="$1" -v remark="$2" '$1 == kind { n++; bad += $2 } END {
        if (n > 0) printf "TABLE %s | %d | %d | %s\n", kind, n, bad, remark }' "$work/results"
}

# end_of_trials: waits for those that still go on.
end_of_trials() {
    wait
    table "trials that could not be made" ""
}

# pause MILLISECONDS: without a process of its own, which on a busy machine comes late.
exec {never}<> <(:)
pause() {
    read -r -t "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))" -u "$never" _ || true
}

# -- Runs ------------------------------------------------------------------------------------------

# mpirun looks up the name of the host when it gives up; where nobody knows it, that alone takes
# seconds, and on a busy machine all does; there, interruptions come late as well.
allow_for_mpirun() {
    local before=$SECONDS
    "$run_ranks" 2 false >/dev/null 2>&1 || true
    patience=$((patience + SECONDS - before))
    pace=$((20 * (patience - 4)))
}

# start RANKS ARGUMENT...: a run of config.toml in this folder; $process is it, and read_until reads
# what it prints. Its environment can be put in front.
start() {
    set_command "$1"
    shift
    exec {lines}< <(exec "${command[@]}" config.toml "$@" </dev/null 2>>stderr)
    process=$!
}

# need_inject: for scripts that start runs as below. ctest and launch/crashtest take 69 for skipped.
need_inject() {
    [[ -e $inject ]] || {
        say "there is no $inject to slow writing down"
        exit 69
    }
}

# start_slow CALLS MILLISECONDS RANKS ARGUMENT...: with a delay before each of these system calls on
# the file of a checkpoint, so that a busy machine does not come too late to interrupt it.
start_slow() {
    LD_PRELOAD=$inject INJECT_PATH=.step- \
        INJECT_CALLS=$1 INJECT_DELAY_US=${2}000 start "${@:3}"
}

# start_paced RANKS ARGUMENT...: where checkpoints are frequent, it does not end too early.
start_paced() {
    start_slow fsync "$pace" "$@"
}

# read_until PATTERN: keeps in stdout what the run prints, up to a line like this; false if there is
# none.
read_until() {
    while IFS= read -r -u "$lines" line; do
        echo "$line" >>stdout
        # shellcheck disable=SC2053 # a pattern
        [[ $line != $1 ]] || return 0
    done
    return 1
}

read_to_end() {
    read_until $'\n' || true
}

# read_steps N: up to the line of the step N, which may have been the last one read.
read_steps() {
    local pattern="*epoch $((($1 - 1) / n_batches + 1)), batch $((($1 - 1) % n_batches + 1)) of *"
    # shellcheck disable=SC2053 # a pattern
    [[ $line == $pattern ]] || read_until "$pattern"
}

# end_run: reads the rest, which ends when all that could print are gone; they must be in time. Sets
# $status.
end_run() {
    local began=${EPOCHREALTIME/./}
    timeout "$patience" cat <&"$lines" >>stdout || wrong "it still prints after $patience s"
    exec {lines}<&-
    if kill -0 "$process" 2>/dev/null; then
        timeout "$patience" tail -s 0.05 --pid="$process" -f /dev/null || wrong "mpirun does not end"
    fi
    wait_until "$patience" none_in "$PWD" || wrong "processes are left after $patience s"
    status=0
    wait "$process" 2>/dev/null || status=$?
    note "ms to end" $(((${EPOCHREALTIME/./} - began) / 1000))
}

# complete_run RANKS ARGUMENT...: a run to its end.
complete_run() {
    start "$@"
    read_to_end
    end_run
    ((status == 0)) || wrong "status $status of a run that nobody disturbed"
}

# make_reference NAME CONFIG ARGUMENT...: the run that nobody disturbs, in the folder NAME.
make_reference() {
    is_wrong=0 is_wrong_ever=0
    name=$1
    mkdir "$work/$1"
    cd "$work/$1"
    cp "$2" config.toml
    complete_run 0 "${@:3}"
    (($(last_printed_step) == n_steps)) || wrong "$(last_printed_step) steps, expected $n_steps"
}

# epochs: what was printed of every epoch, without what the clock has to do with; once, if printed
# again after a resume.
epochs() {
    sed -n '/"event": "epoch"/s/"seconds".*"digest"/"digest"/p' out/metrics.jsonl |
        awk '!seen[$0]++'
}

# check_result FOLDER: this run has come to the same end as the one in FOLDER.
check_result() {
    [[ -n $(epochs) && $(epochs) == "$(cd "$1" && epochs)" ]] || wrong "other epochs than $1"
    [[ $("$rnntrain" show out/latest.h5 | head -n 1) == \
        "$(cd "$1" && "$rnntrain" show out/latest.h5 | head -n 1)" ]] ||
        wrong "another last checkpoint than $1"
}

# -- Checkpoints after an interruption -------------------------------------------------------------

# newest_step: of the checkpoints in out/; 0 if there are none.
newest_step() {
    local all=(out/step-*.h5) newest
    newest=${all[-1]#out/step-}
    newest=${newest%.h5}
    [[ $newest == '*' ]] && newest=0
    echo $((10#$newest))
}

# last_printed_step: of all the runs in this folder.
last_printed_step() {
    awk -v n="$n_batches" '
        match($0, /epoch [0-9]+, batch [0-9]+ of/) {
            split(substr($0, RSTART, RLENGTH), word, /[ ,]+/)
            step = (word[2] - 1) * n + word[4]
            if (step > last) last = step
        }
        END { print last + 0 }' stdout
}

leftovers() {
    find out -name '.*.tmp-*' 2>/dev/null | sort || true # no folder yet
}

# check_files INTERVAL: after an interruption. All checkpoints are whole, so the newest is; not more
# work is lost than that since the last one; and there is at most one half-written file.
check_files() {
    local file lost
    for file in out/step-*.h5; do
        if [[ -e $file ]]; then
            "$rnntrain" show "$file" >/dev/null 2>>stderr || wrong "$file cannot be read"
        fi
    done
    lost=$(($(last_printed_step) - $(newest_step)))
    ((lost <= $1)) || wrong "$lost steps are lost, checkpoints are $1 apart"
    left=$(leftovers)
    (($(wc -w <<<"$left") <= 1)) || wrong "more than one temporary file: $left"
    expected_step=$(newest_step)
}

# read_resume: the run that was started goes on from the newest checkpoint that check_files has seen,
# without a word about damaged ones, and half-written files are gone then.
read_resume() {
    local file
    if ((expected_step > 0)); then
        read_until '@(resume|WARNING) *' || return 1
        grep '^resume ' stdout | tail -n 1 | grep -q ", step $expected_step of" ||
            wrong "does not go on from step $expected_step"
    else
        read_until '*epoch 1, batch 1 of *' || return 1
    fi
    for file in $left; do
        [[ ! -e $file ]] || wrong "$file is still there"
    done
}
