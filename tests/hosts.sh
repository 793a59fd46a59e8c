# shellcheck shell=bash
# Several hosts on one machine: network namespaces around a switch, for scripts of tests/ that source
# this. Needs root, iproute2, util-linux, hostname and Open MPI 4.

# What the names of ours begin with; may be another one, beginning with this, for some of them.
hosts=rnn-$$

# why_no_hosts: what this machine lacks for them, if something.
why_no_hosts() {
    local probe="$hosts-probe"
    if ! is_open_mpi_4; then
        echo "mpirun is not that of Open MPI 4"
    elif ! command -v ip nsenter unshare hostname >/dev/null; then
        echo "needs ip, nsenter, unshare and hostname"
    elif ! ip netns add "$probe" 2>/dev/null || ! ip -n "$probe" link set lo up 2>/dev/null ||
        ! unshare --uts true 2>/dev/null; then
        echo "network namespaces need root"
    fi
}

# remove_hosts: with what runs there.
remove_hosts() {
    local status=$? host
    for host in $(ip netns list 2>/dev/null | awk -v name="$hosts-" 'index($1, name) == 1 { print $1 }'); do
        ip netns pids "$host" | xargs -r kill -9 2>/dev/null || true
        ip netns del "$host" || true
    done
    return $status
}

# make_hosts N [RATE]: so many, numbered from 1, with addresses 10.201.77.N and a link named cable each,
# which sends at most at RATE (1gbit); and ./agent, with which mpirun starts its daemons on them. Open
# MPI tells hosts apart by their names.
make_hosts() {
    local i
    ip netns add "$hosts-switch"
    ip -n "$hosts-switch" link add name switch type bridge
    ip -n "$hosts-switch" link set switch up
    for ((i = 1; i <= $1; i++)); do
        ip netns add "$hosts-$i"
        ip link add cable netns "$hosts-$i" type veth peer name "port-$i" netns "$hosts-switch"
        ip -n "$hosts-switch" link set "port-$i" master switch up
        ip -n "$hosts-$i" link set lo up
        ip -n "$hosts-$i" addr add "10.201.77.$i/24" dev cable
        ip -n "$hosts-$i" link set cable up
        # The bucket is small: what is in it goes at once, and the link would look faster.
        [[ -z ${2:-} ]] || ip netns exec "$hosts-$i" \
            tc qdisc add dev cable root tbf rate "$2" burst 32kb latency 50ms
    done
    cat >agent <<END
#!/bin/sh
host=\${1##*.}
shift
exec nsenter --net=/run/netns/$hosts-\$host unshare --uts sh -c "hostname host-\$host; \$*"
END
    chmod +x agent
}

# list_hosts N RANKS: as mpirun wants them, with so many ranks on each.
list_hosts() {
    local i list=
    for ((i = 1; i <= $1; i++)); do
        list+="${list:+,}10.201.77.$i:$2"
    done
    echo "$list"
}

# run_apart N RANKS COMMAND...: so many ranks on each of N hosts; in the process that calls this.
run_apart() {
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    exec nsenter --net="/run/netns/$hosts-1" "${MPIRUN:-mpirun}" \
        --mca plm_rsh_agent "$PWD/agent" --mca btl tcp,self --mca rmaps_base_oversubscribe 1 \
        --mca mpi_yield_when_idle 1 --bind-to none \
        --host "$(list_hosts "$1" "$2")" -n $(($1 * $2)) "${@:3}"
}
