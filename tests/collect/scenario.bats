#!/usr/bin/env bats
# Scenario files: what comes with the program is good, and what is wrong is said with its line, group and key.

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    "$XENTRAIL" lab show basic > good.ini
}

# The line is the last of good.ini that the pattern LINE fits, as bad.ini has it.
refused() { # SED-EXPRESSION PATTERN [LINE]
    sed "$1" good.ini > bad.ini
    cmp -s good.ini bad.ini && { echo "$1 changes nothing"; return 1; }
    at='*'
    [ -z "${3:-}" ] || at=:$(grep -an -- "$3" bad.ini | tail -n 1 | cut -d : -f 1)
    run "$XENTRAIL" lab show ./bad.ini
    [ "$status" -eq 3 ] && [[ "$output" == *./bad.ini$at": "*"$2"* ]] || { echo "$1: $status $output"; return 1; }
}

@test "the shipped scenarios load" {
    for name in basic noisy-neighbour ds-vs-ps overload; do
        "$XENTRAIL" lab list | grep -q "^$name "
        "$XENTRAIL" lab show $name > /dev/null
    done
    run "$XENTRAIL" lab show ./good.ini
    [ "$status" -eq 0 ]
}

@test "mistakes are found, with the line" {
    refused 's/^duration.*/duration = 4/' '[scenario] duration' '^duration'
    refused '/^duration/d' '[scenario] duration: it must be given' '^.scenario.'
    refused 's/^policies.*/policies = EDF/' '[scenario] policies' '^policies'
    refused 's/^policies.*/policies = gEDF; credit; gEDF/' 'stands there twice' '^policies'
    refused 's/^policies.*/policies = arinc653/' '[scenario] policies' '^policies'
    refused 's/^policies.*/policies =/' 'name at least one' '^policies'
    refused 's/^policies.*/policies = null/' 'null gives each pCPU to one VCPU' '^policies'
    refused 's/^pcpus.*/pcpus = 1/' '[host] pcpus' '^pcpus'
    refused 's/^pcpus.*/pcpus = 17/' '[host] pcpus' '^pcpus'
    refused 's/^pcpus/cpus/' '[host] cpus: no such key' '^cpus'
    refused 's/^budget = 4ms/budget = 14ms/' '[domain vm1] budget'
    refused 's/^budget = 3ms/budget = 13ms/' '[domain vm3] budget' 'budget = 13ms'
    refused 's/^budget = 3ms/budget = 9us/' 'from 10us' 'budget = 9us'
    refused 's/^budget = 3ms/budget = 10500ns/' 'whole microseconds' 'budget = 10500ns'
    refused 's/^budget = 3ms/budget = -3ms/' 'negative' 'budget = -3ms'
    refused '/^budget = 3ms/d' 'go together' 'domain vm3'
    refused 's/^pins = 1; 2/pins = 1; 3/' '[domain vm1] pins'
    refused 's/^pins = 1$/pins = 0/' "which is dom0's" '^pins = 0'
    refused 's/^pins = 1$//' 'need pins for every VCPU' '^policies'
    refused 's/wcet=6ms,period/wcet=6ms,perod/' '[domain vm2] tasks' 'perod'
    refused 's/wcet=6ms/wcet=6ms,cpu=2/' "cpu is one of the domain's VCPUs" 'cpu=2'
    refused 's/^\[domain vm3\]/[domain a b]/' "a domain's name" 'domain a b'
    refused 's/^\[domain vm3\]/[domain $(touch evil)]/' "a domain's name" 'touch evil'
    refused 's/^\[domain vm3\]/[domain ..\/vm]/' "a domain's name" 'domain ../vm'
    refused 's/^\[domain vm3\]/[domain Domain-0]/' "a domain's name" 'domain Domain-0'
    refused 's/^\[domain vm3\]/[domain vm2]/' '[domain vm2] stands in line' '^.domain vm2'
    refused 's/^\[host\]/[hosts]/' '[hosts] group' '^.hosts'
    refused 's/^vcpus = 1/vcpus = many/' '[domain vm3] vcpus' '^vcpus = many'
    refused 's/^vcpus = 1/vcpus = 17/' 'no number from 1 to 16' '^vcpus = 17'
    refused 's/^vcpus = 1/vcpus = 1\nvcpus = 2/' 'stands in line' '^vcpus = 2'
    refused 's/^vcpus = 1/vcpus = 1\\q/' 'vcpus' '^vcpus = 1.q'
    refused 's/^vcpus = 1/vcpus/' 'write KEY = VALUE' '^vcpus$'
    refused '1i stray = 1' 'begins with a group' 'stray'
    refused 's/^name.*/name = a\/b/' '[scenario] name' '^name'
    refused 's/^description.*/description = \xff/' 'not UTF-8' '^description'
    refused '/^tasks/d' 'would do nothing' 'domain vm1'
    refused '/^\[domain/,$d' 'has 1 to 16 groups'
    printf 'a\0b' > nul.ini
    run "$XENTRAIL" lab show ./nul.ini
    [ "$status" -eq 3 ] && [[ "$output" == *"NUL byte"* ]]
    run "$XENTRAIL" lab show .
    [ "$status" -eq 3 ]
    [ ! -e evil ]
}

@test "scenarios need no noise, no reservation and no tasks where a domain only makes noise" {
    cat > small.ini <<'END'
[scenario]
name = small
policies = credit
duration = 1s
[domain quiet]
tasks = wcet=1ms,period=20ms
[domain burn]
noise = yes
server = periodic
END
    run "$XENTRAIL" lab show ./small.ini
    [ "$status" -eq 0 ]
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
