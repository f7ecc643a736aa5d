"""`canary completion`: what a shell needs to complete `canary`."""

from typing import Annotated

import typer
from msgspec import Struct

from companyos_canary.commands import base
from companyos_canary.errors import ExitCode, UsageError, printable
from companyos_canary.model.row import Output


class Script(Struct, frozen=True, kw_only=True):
    shell: str
    script: str


EXAMPLES = (
    "source <(canary completion bash)       in ~/.bashrc",
    "source <(canary completion zsh)        in ~/.zshrc, after compinit",
    "canary completion fish > ~/.config/fish/completions/canary.fish",
)
OUTPUT = Output((Script,))
EXITS = (ExitCode.OK, ExitCode.USAGE)
# Each gives the line up to the cursor and reads `value<TAB>what it is`, or `:files`.
_BASH = r"""# bash: source <(canary completion bash)
_canary() {
    local line=${COMP_LINE:0:COMP_POINT} kept= answer
    local word=${line##*[[:space:]]} breaks=${COMP_WORDBREAKS//[^=:]/}
    # readline replaces only what is behind the last = or :
    [[ $breaks ]] && kept=${word%"${word##*[$breaks]}"}
    COMPREPLY=()
    while IFS= read -r answer; do
        if [[ $answer == :files ]]; then
            compopt -o default 2>/dev/null
        else
            answer=${answer%%$'\t'*}
            COMPREPLY+=("${answer#"$kept"}")
        fi
    done < <(_CANARY_COMPLETE=$line "${1/#\~/$HOME}" 2>/dev/null)
    compopt -o nosort 2>/dev/null
    return 0
}
complete -F _canary canary"""
_ZSH = r"""#compdef canary
# zsh: source <(canary completion zsh), after compinit
_canary() {
    local line="${(j: :)words[1,CURRENT-1]} $PREFIX" answer
    local -a found
    for answer in "${(@f)$(_CANARY_COMPLETE=$line ${~words[1]} 2>/dev/null)}"; do
        if [[ $answer == :files ]]; then
            [[ $PREFIX == --*=* ]] && compset -P '*='
            _files
            return
        fi
        local value=${${answer%%$'\t'*}//:/\\:}
        [[ $answer == *$'\t'* ]] && value+=:${answer#*$'\t'}
        [[ -n $value ]] && found+=($value)
    done
    _describe -V canary found
}
if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
    _canary "$@"
else
    compdef _canary canary
fi"""
_FISH = r"""# fish: canary completion fish > ~/.config/fish/completions/canary.fish
function __canary_complete
    set -l words (commandline -opc)
    set -l line (commandline -cp)
    for answer in (env _CANARY_COMPLETE="$line" $words[1] 2>/dev/null)
        if test "$answer" = :files
            __fish_complete_path (commandline -ct)
        else
            printf '%s\n' $answer
        end
    end
end
complete --command canary --no-files --keep-order --arguments '(__canary_complete)'"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(
    session: base.Session, shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish")]
) -> base.Answer:
    """Print the script that completes verbs, options and names in a shell.

    Names of Rollouts, versions and pods come from the cluster, with one short request. If the cluster is
    unreachable or needs a credential plugin, no names are offered.
    """
    if shell not in _SCRIPTS:
        raise UsageError(f"there is no completion for `{printable(shell)}`", hint="use bash, zsh or fish")
    script = _SCRIPTS[shell]
    return base.Answer(data=Script(shell=shell, script=script), lines=(script,))


COMPLETIONS = {"shell": lambda _: [(shell, "") for shell in _SCRIPTS]}
command = base.verb(completion, reads_config=False, forms=("human", "json"), of_cluster=False)
