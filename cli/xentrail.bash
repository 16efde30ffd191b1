# Completion of xentrail for bash. Commands and options are asked of the program itself, so they are those of its version.

_xentrail_commands() {
    "$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

_xentrail_options() {
    "$1" "$2" --help 2>/dev/null | grep -oE '(^|[ ,])--?[A-Za-z][A-Za-z0-9-]*=?' | tr -d ' ,' | grep -E '^(--[a-z]|-[A-Za-z]$)'
}

_xentrail() {
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=
    [[ $before == '=' ]] && before=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $word == '=' ]] && word=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words="$(_xentrail_commands "$program") --help --version"
    elif [[ $word == -* ]]; then
        words=$(_xentrail_options "$program" "${COMP_WORDS[1]}")
    else
        case $before in
        --policy) words='gEDF pEDF credit credit2 null arinc653' ;;
        *) ;; # everything else is a file, which bash completes by itself
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace 2>/dev/null || true # fails only outside of a completion
    fi
    return 0
}

complete -o default -F _xentrail xentrail
