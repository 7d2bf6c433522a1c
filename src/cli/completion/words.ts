/*
 * What can stand on the command line, as the program itself says it.
 */
import type { Argument, Command, Option } from 'commander'
import { CONFIG_KEYS } from '../../config/keys.ts'

/** What can follow an option, or stand as an argument. */
export type Value =
  | { readonly kind: 'file' }
  | { readonly kind: 'folder' }
  | { readonly kind: 'anything' }
  | { readonly kind: 'word'; readonly words: readonly string[] }

/** An option. */
export interface OptionWords {
  /** `--json`, and `-o` where there is a short form. */
  readonly names: readonly string[]
  readonly description: string
  /** Undefined when it takes no value. */
  readonly value: Value | undefined
  /** Whether the next word is its value in any case. */
  readonly takesNext: boolean
  /** Not offered, but known. */
  readonly hidden: boolean
}

/** A command, and those under it. */
export interface CommandWords {
  /** Names from the program on: `evolve keys import`. */
  readonly path: string
  /** Its name and aliases. */
  readonly names: readonly string[]
  readonly description: string
  /** Its own and, but for the program itself, those of all above it. */
  readonly options: readonly OptionWords[]
  /** What can stand as its arguments; none when it takes no arguments. */
  readonly values: readonly Value[]
  readonly commands: readonly CommandWords[]
}

const FOLDERS = /<(?:folder|dir|directory)>/
const FILES = /<(?:file|input|path)>|<file\|-?>/
const SWITCH = ['true', 'false']

/** The values that keys of the configuration allow, by flag. */
const CHOICES: ReadonlyMap<string, readonly string[]> = new Map(
  CONFIG_KEYS.flatMap(({ flag, allowed }) =>
    allowed === undefined ? [] : [[`--${flag}`, allowed.filter((word) => word !== '')]],
  ),
)

function oneOf(words: readonly string[]): Value {
  return { kind: 'word', words }
}

function valueOf(option: Option): Value | undefined {
  const { flags, long, argChoices } = option
  if (!option.required && !option.optional) return undefined
  const choices = argChoices ?? CHOICES.get(long ?? '')
  if (choices !== undefined) return oneOf(choices)
  if (flags.includes('[true|false]')) return oneOf(SWITCH)
  if (FOLDERS.test(flags) || /_(?:path|dir)$/.test(long ?? '')) return { kind: 'folder' }
  if (FILES.test(flags) || long?.endsWith('_file') === true) return { kind: 'file' }
  return { kind: 'anything' }
}

function optionWords(option: Option): OptionWords {
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    description: option.description,
    value: valueOf(option),
    takesNext: option.required,
    hidden: option.hidden,
  }
}

function argumentValue(argument: Argument): Value {
  if (argument.argChoices !== undefined) return oneOf(argument.argChoices)
  return FILES.test(`<${argument.name()}>`) ? { kind: 'file' } : { kind: 'anything' }
}

const HELP: OptionWords = {
  names: ['-h', '--help'],
  description: 'display help for command',
  value: undefined,
  takesNext: false,
  hidden: false,
}

/** All that can stand behind the name of a program. */
export function commandWords(command: Command, above: readonly string[] = []): CommandWords {
  const name = command.name()
  const path = [...above, name]
  const inherited: Option[] = []
  for (let parent = command.parent; parent !== null; parent = parent.parent) inherited.push(...parent.options)
  const visible = command.createHelp().visibleCommands(command)
  return {
    path: path.join(' '),
    names: [name, ...command.aliases()],
    description: command.description(),
    options: [...[...command.options, ...inherited].map(optionWords), HELP],
    values: command.registeredArguments.map(argumentValue),
    commands: visible.filter((one) => one.name() !== 'help').map((one) => commandWords(one, path)),
  }
}

/** A command and all below it. */
export function allCommands(root: CommandWords): CommandWords[] {
  return [root, ...root.commands.flatMap(allCommands)]
}

/** An option of a command, as it stands in the tables of a script: `evolve start:--executor`. */
export function placesOf({ path }: CommandWords, { names }: OptionWords): string[] {
  return names.map((name) => `${path}:${name}`)
}
