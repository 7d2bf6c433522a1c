import { branch, quote, steps, valued, values } from './cases.ts'
import { allCommands, type CommandWords, type Value } from './words.ts'

/** With no words at all, bash itself completes names of files. */
function complete(value: Value): string {
  if (value.kind === 'file') return 'return'
  if (value.kind === 'folder') return 'compopt -o dirnames +o default 2>/dev/null || :; return'
  if (value.kind === 'anything') return 'compopt +o default 2>/dev/null || :; return'
  return `words=${quote(value.words.join(' '))}`
}

function offered(command: CommandWords): string {
  const options = command.options.filter(({ hidden }) => !hidden).flatMap(({ names }) => names)
  return branch([command.path], `words=${quote(options.join(' '))}`)
}

function named(command: CommandWords): string {
  const words = [
    ...command.commands.flatMap(({ names }) => names),
    ...command.values.flatMap((value) => (value.kind === 'word' ? value.words : [])),
  ]
  const files = command.values.some(({ kind }) => kind === 'file' || kind === 'folder')
  const rest = files ? '' : '; compopt +o default 2>/dev/null || :'
  return branch([command.path], `words=${quote(words.join(' '))}${rest}`)
}

/** The completion of a program for bash, from 3.2 on. */
export function bashCompletion(root: CommandWords): string {
  const [name = ''] = root.names
  const commands = allCommands(root)
  return `# bash completion for ${name}. Use: source <(${name} completion bash)
_${name}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  local at=${quote(root.path)} word words='' skip=0 i
  COMPREPLY=()
  # Bash makes words of their own of what stands before and behind = and :
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ $word == '=' || $word == ':' ]]; then skip=1; continue; fi
    if ((skip)); then skip=0; continue; fi
    case "$at $word" in
${steps(root, (path) => `at=${quote(path)}`).join('\n')}
    *)
      case "$at:$word" in
${branch(valued(root), 'skip=1', '      ')}
      esac ;;
    esac
  done
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  # A switch may stand alone before the next option.
  if [[ $cur == -* ]]; then prev=''; fi
  case "$at:$prev" in
${values(root, complete).join('\n')}
  *)
    if [[ $cur == -* ]]; then
      case "$at" in
${commands.map(offered).join('\n')}
      esac
    else
      case "$at" in
${commands.map(named).join('\n')}
      esac
    fi ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur")) || :
}
complete -o default -F _${name} ${name}
`
}
