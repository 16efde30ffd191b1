#!/usr/bin/env bats
# Scenario files: what comes with the program is good, and what is wrong is said with its group and key.

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    "$XENTRAIL" lab show basic > good.ini
}

refused() { # SED-EXPRESSION PATTERN
    sed "$1" good.ini > bad.ini
    cmp -s good.ini bad.ini && { echo "$1 changes nothing"; return 1; }
    run "$XENTRAIL" lab show ./bad.ini
    [ "$status" -eq 3 ] && [[ "$output" == *"$2"* ]] || { echo "$1: $status $output"; return 1; }
}

@test "the shipped scenarios load" {
    for name in basic noisy-neighbour ds-vs-ps overload; do
        "$XENTRAIL" lab list | grep -q "^$name "
        "$XENTRAIL" lab show $name > /dev/null
    done
    run "$XENTRAIL" lab show ./good.ini
    [ "$status" -eq 0 ]
}

@test "mistakes are found" {
    refused 's/^duration.*/duration = 4/' '[scenario] duration'
    refused 's/^policies.*/policies = EDF/' '[scenario] policies'
    refused 's/^policies.*/policies = null/' 'null gives each pCPU to one VCPU'
    refused 's/^pcpus.*/pcpus = 1/' '[host] pcpus'
    refused 's/^pcpus/cpus/' '[host] cpus: no such key'
    refused 's/^budget = 4ms/budget = 14ms/' '[domain vm1] budget'
    refused 's/^pins = 1; 2/pins = 1; 3/' '[domain vm1] pins'
    refused 's/^pins = 1$//' 'need pins for every VCPU'
    refused 's/wcet=6ms,period/wcet=6ms,perod/' '[domain vm2] tasks'
    refused 's/^\[domain vm3\]/[domain a b]/' "a domain's name"
    refused 's/^\[host\]/[hosts]/' '[hosts] group'
    refused 's/^vcpus = 1/vcpus = many/' '[domain vm3] vcpus'
}

@test "unknown scenarios, policies and actions" {
    run "$XENTRAIL" lab show nothing
    [ "$status" -eq 3 ]
    run "$XENTRAIL" lab run
    [ "$status" -eq 2 ]
    run "$XENTRAIL" lab fly
    [ "$status" -eq 2 ]
    run "$XENTRAIL" lab run basic -p null -o out
    [ "$status" -eq 2 ] && [[ "$output" == *'has no policy "null"'* ]]
    [ ! -e out ]
}

@test "an empty cache: the lab says what to do" {
    command -v qemu-system-x86_64 > /dev/null || skip "no QEMU"
    XDG_CACHE_HOME=$PWD/cache run "$XENTRAIL" lab run basic -o out
    [ "$status" -eq 3 ] && [[ "$output" == *"xentrail lab build"* ]]
}
