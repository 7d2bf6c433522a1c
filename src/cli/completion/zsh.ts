import { branch, quote, steps, valued, values } from './cases.ts'
import { allCommands, type CommandWords, type Value } from './words.ts'

function complete(value: Value): string {
  if (value.kind === 'file') return '_files; return'
  if (value.kind === 'folder') return '_files -/; return'
  if (value.kind === 'anything') return '_message value; return'
  return `compadd -- ${value.words.map(quote).join(' ')}; return`
}

/** An entry of a list: a name and what it is. */
function entry(name: string, description: string): string {
  return quote(`${name.replaceAll(':', String.raw`\:`)}:${description}`)
}

function offered(command: CommandWords): string {
  const entries = command.options
    .filter(({ hidden }) => !hidden)
    .flatMap(({ names, description }) => names.map((name) => entry(name, description)))
  return branch([command.path], `list=(${entries.join(' ')})`)
}

function named(command: CommandWords): string {
  const entries = command.commands.flatMap(({ names, description }) =>
    names.map((name) => entry(name, description)),
  )
  const given = command.values.map((value) => complete(value).replace('; return', ''))
  const list = entries.length === 0 ? '' : `list=(${entries.join(' ')}); _describe command list`
  return branch([command.path], [list, ...new Set(given)].filter((part) => part !== '').join('; ') || ':')
}

/** The completion of a program for zsh. */
export function zshCompletion(root: CommandWords): string {
  const [name = ''] = root.names
  const commands = allCommands(root)
  return `#compdef ${name}
# zsh completion for ${name}. Use: source <(${name} completion zsh), or put it as _${name} into a folder of $fpath
_${name}() {
  local at=${quote(root.path)} word skip=0 i
  local -a list
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
    if ((skip)); then skip=0; continue; fi
    case "$at $word" in
${steps(root, (path) => `at=${quote(path)}`).join('\n')}
    *)
      case "$at:$word" in
${branch(valued(root), 'skip=1', '      ')}
      esac ;;
    esac
  done
  local before="\${words[CURRENT-1]}"
  if [[ $PREFIX == --*=* ]]; then
    before="\${PREFIX%%=*}"
    compset -P '*='
  elif [[ $PREFIX == -* ]]; then
    before=''
  fi
  case "$at:$before" in
${values(root, complete).join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then
    case "$at" in
${commands.map(offered).join('\n')}
    esac
    _describe -o option list
  else
    case "$at" in
${commands.map(named).join('\n')}
    esac
  fi
}
if [[ "\${funcstack[1]}" == "_${name}" ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`
}
