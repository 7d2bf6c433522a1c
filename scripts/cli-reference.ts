/*
 * docs/cli.md, made from the program itself.
 */
import type { Command, Option } from 'commander'
import { buildProgram } from '../src/cli/program.ts'
import { EXIT_CODES } from '../src/cli/exit.ts'
import { CONFIG_KEYS, type ConfigKey } from '../src/config/keys.ts'
import { HOME_VARIABLE } from '../src/config/environment.ts'
import { DEFAULT_HOME } from '../src/config/home.ts'
import { cliContext } from '../test/support/run-cli.ts'

const flags = new Set(CONFIG_KEYS.map(({ flag }) => `--${flag}`))
const isKey = (option: Option): boolean => flags.has(option.long ?? '')
/** A command with more options that are keys than this takes them all. */
const MANY = 20

const cell = (text: string): string => text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')
const code = (text: string): string => `\`${cell(text)}\``

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(heading), line(heading.map(() => '---')), ...rows.map(line)]
}

/** What stands below the help of a command: examples, exit codes. */
function afterHelp(command: Command): string {
  const pieces: string[] = []
  command.configureOutput({ writeOut: (text) => pieces.push(text) }).outputHelp()
  return pieces.join('').replace(command.helpInformation(), '').trim()
}

function describeOption(option: Option): readonly string[] {
  const { description, argChoices, defaultValue } = option
  const choices = argChoices === undefined ? '' : ` One of ${argChoices.map(code).join(', ')}.`
  const usual =
    defaultValue === undefined || description.includes('(default:')
      ? ''
      : ` (default: ${String(defaultValue)})`
  return [code(option.flags), `${cell(description)}${usual}${choices}`]
}

function optionsOf(command: Command): string[] {
  const visible = command.options.filter(({ hidden }) => !hidden)
  const keys = visible.filter(isKey)
  const takesAll = keys.length > MANY
  const own = visible.filter((option) => !takesAll || !isKey(option))
  return [
    ...(own.length === 0 ? [] : ['', ...table(['Option', 'Meaning'], own.map(describeOption))]),
    ...(takesAll ? ['', 'Takes every [key of the configuration](#configuration) as an option, too.'] : []),
  ]
}

function section(command: Command, above: readonly string[]): string[] {
  const path = [...above, command.name()]
  const { registeredArguments, commands } = command
  const words = registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`
    return argument.required ? `<${name}>` : `[${name}]`
  })
  const usage = [...path, ...(commands.length > 0 ? ['<command>'] : []), '[options]', ...words].join(' ')
  const aliases = command.aliases()
  const given = registeredArguments.map((argument) => {
    const choices =
      argument.argChoices === undefined ? '' : ` One of ${argument.argChoices.map(code).join(', ')}.`
    return [code(argument.name()), `${cell(argument.description)}${choices}`]
  })
  const after = afterHelp(command)
  return [
    '',
    `${'#'.repeat(path.length)} ${path.join(' ')}`,
    '',
    `${command.description().replace(/^\w/, (letter) => letter.toUpperCase())}.`,
    ...(aliases.length === 0
      ? []
      : ['', `Also: ${aliases.map((name) => code([...above, name].join(' '))).join(', ')}.`]),
    '',
    '```',
    usage,
    '```',
    ...(given.length === 0 ? [] : ['', ...table(['Argument', 'Meaning'], given)]),
    ...optionsOf(command),
    ...(after === '' ? [] : ['', '```text', after, '```']),
    ...commands.flatMap((one) => section(one, path)),
  ]
}

function describeKey({ path, env, defaultText, doc, kind, allowed }: ConfigKey): readonly string[] {
  const usual =
    kind === 'list' && defaultText === '' ? 'none' : defaultText === '' ? 'empty' : code(defaultText)
  const choices =
    allowed === undefined
      ? ''
      : ` One of ${allowed.map((word) => code(word === '' ? '""' : word)).join(', ')}.`
  const words = choices !== '' && allowed?.every((word) => doc.includes(word)) === true ? '' : choices
  return [code(path), code(env), usual, `${cell(doc)}${words}`]
}

/** The text of docs/cli.md. */
export function cliReference(): string {
  const program = buildProgram(cliContext())
  const global = program.options.map(describeOption)
  const lines = [
    '# Command line',
    '',
    'Made from the program by `npm run docs:cli`; do not edit. `evolve <command> --help` tells the same.',
    '',
    ...table(
      ['Command', 'What it does'],
      program.commands.map((command) => [
        `[\`evolve ${command.name()}\`](#evolve-${command.name()})`,
        cell(command.description()),
      ]),
    ),
    '',
    '## Options of every command',
    '',
    ...table(
      ['Option', 'Meaning'],
      [...global, ['`-h, --help`', 'tell what the command does, with examples']],
    ),
    '',
    '## Exit codes',
    '',
    'No mistake on the command line shows a stack trace; it gets one clear message and exit code 2.',
    '',
    ...table(
      ['Code', 'Meaning'],
      EXIT_CODES.map((exit) => [String(exit.code), cell(exit.meaning)]),
    ),
    '',
    '## Configuration',
    '',
    `Each key stands in \`config/evnode.yaml\` of the home (\`--home\`, else \`${HOME_VARIABLE}\`, else \`${DEFAULT_HOME}\`), is an`,
    'environment variable, and is an option: `--evnode.` and the key. An option wins over the variable, the variable over',
    'the file. `--rollkit.` in the place of `--evnode.` means the same. A switch alone means true. `NO_COLOR` turns colours',
    'off.',
    '',
    ...table(['Key', 'Variable', 'Default', 'Meaning'], CONFIG_KEYS.map(describeKey)),
    ...program.commands.flatMap((command) => section(command, ['evolve'])),
    '',
  ]
  return lines.join('\n')
}
