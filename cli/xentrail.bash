# Completion of xentrail for bash. Commands, options, runs and questions are asked of the program itself, so they are
# those of its version and of the database at hand.

_xentrail_commands() {
    "$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
    printf '%s\n' --help --version
}

_xentrail_options() {
    "$1" "$2" --help 2>/dev/null | grep -oE '(^|[ ,])--?[A-Za-z][A-Za-z0-9-]*=?' | tr -d ' ,' | grep -E '^(--[a-z]|-[A-Za-z]$)'
}

# First column of a question to the database that the command line names, without its heading.
_xentrail_ask() {
    local i db=
    for ((i = 1; i < ${#COMP_WORDS[@]} - 1; i++)); do
        if [[ ${COMP_WORDS[i]} == --db ]]; then
            db=${COMP_WORDS[i + 1]}
            [[ $db != '=' ]] || db=${COMP_WORDS[i + 2]}
        fi
    done
    [[ ! -f $db ]] || "$1" query --db "$db" --csv "$2" 2>/dev/null | tail -n +2
}

# What may follow an option, one a line; nothing where bash completes file names by itself.
_xentrail_values() {
    case $2 in
    --policy) printf '%s\n' gEDF pEDF credit credit2 null arinc653 gEDF+periodic pEDF+periodic ;;
    --run) _xentrail_ask "$1" 'SELECT name FROM runs' ;;
    --metric) _xentrail_ask "$1" 'SELECT metric FROM overhead_stats UNION SELECT metric FROM latency_stats' ;;
    --by) printf '%s\n' policy run vcpu pcpu migrated ;;
    --size) printf '%s\n' column page slide ;;
    --name) "$1" query --list --csv 2>/dev/null | tail -n +2 | cut -d, -f1 ;;
    esac
}

_xentrail() {
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} line
    [[ $before != '=' ]] || before=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $word != '=' ]] || word=
    COMPREPLY=()
    while IFS= read -r line; do
        [[ $line != "$word"* ]] || COMPREPLY+=("$line")
    done < <(
        if ((COMP_CWORD == 1)); then
            _xentrail_commands "$program"
        elif [[ $word == -* ]]; then
            _xentrail_options "$program" "${COMP_WORDS[1]}"
        else
            _xentrail_values "$program" "$before"
        fi
    )
    if ((${#COMPREPLY[@]} == 1)); then
        [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null || true # fails only outside of a completion
        [[ $word == -* ]] || printf -v 'COMPREPLY[0]' %q "${COMPREPLY[0]}"
    fi
}

complete -o default -F _xentrail xentrail
