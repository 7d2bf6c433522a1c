import { valued } from './cases.ts'
import { allCommands, type CommandWords, type OptionWords, type Value } from './words.ts'

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`
}

function complete(value: Value | undefined): string {
  if (value === undefined) return ''
  if (value.kind === 'file') return ' -r -F'
  if (value.kind === 'folder') return " -x -a '(__fish_complete_directories)'"
  if (value.kind === 'anything') return ' -x'
  return ` -x -a ${quote(value.words.join(' '))}`
}

function optionNames({ names }: OptionWords): string {
  return names
    .map((name) => (name.startsWith('--') ? ` -l ${name.slice(2)}` : ` -s ${name.slice(1)}`))
    .join('')
}

/** The completion of a program for fish. */
export function fishCompletion(root: CommandWords): string {
  const [name = ''] = root.names
  const commands = allCommands(root)
  const steps = commands.flatMap((command) =>
    command.commands.map(
      ({ path, names }) =>
        `            case ${names.map((word) => quote(`${command.path} ${word}`)).join(' ')}\n` +
        `                set at ${quote(path)}`,
    ),
  )
  const lines = commands.flatMap((command) => {
    const start = `complete -c ${name} -n ${quote(`__${name}_at ${quote(command.path)}`)}`
    return [
      ...command.commands.flatMap(({ names, description }) =>
        names.map((word) => `${start} -a ${word} -d ${quote(description)}`),
      ),
      ...command.options
        .filter(({ hidden }) => !hidden)
        .map((option) => {
          // What may be left out cannot be asked for.
          const value = option.takesNext ? complete(option.value) : ''
          return `${start}${optionNames(option)}${value} -d ${quote(option.description)}`
        }),
      ...command.values.flatMap((value) => {
        if (value.kind === 'word') return [`${start} -a ${quote(value.words.join(' '))}`]
        return value.kind === 'anything' ? [] : [`${start} -F`]
      }),
    ]
  })
  return `# fish completion for ${name}. Use: ${name} completion fish | source
function __${name}_at
    set -l at ${quote(root.path)}
    set -l skip 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch "$at $word"
${steps.join('\n')}
            case '*'
                switch "$at:$word"
                    case ${valued(root).map(quote).join(' ')}
                        set skip 1
                end
        end
    end
    test "$at" = "$argv[1]"
end
complete -c ${name} -e
complete -c ${name} -f
${lines.join('\n')}
`
}
