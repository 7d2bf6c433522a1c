/*
 * Keys of the configuration as options of a command.
 */
import { type Command, Option } from 'commander'
import { CONFIG_KEYS, type ConfigKey, FLAG_PREFIX, LEGACY_FLAG_PREFIX } from '../config/keys.ts'
import type { Given, Source } from '../config/yaml-read.ts'

/** Keys that every command takes. */
const isGlobal = (key: ConfigKey): boolean => key.path.startsWith('log.')

const PLACEHOLDERS = {
  text: '<text>',
  boolean: '[true|false]',
  count: '<number>',
  fraction: '<number>',
  duration: '<duration>',
  choice: '<name>',
  list: '<list>',
} as const satisfies Record<ConfigKey['kind'], string>

const HEADINGS: Readonly<Record<string, string>> = {
  p2p: 'Peers:',
  node: 'Node:',
  da: 'Data availability:',
  rpc: 'RPC:',
  instrumentation: 'Metrics, profiles, traces:',
  log: 'Logs:',
  signer: 'Signer:',
  raft: 'Raft:',
  pruning: 'Pruning:',
}

function optionOf(key: ConfigKey): Option {
  const shown = key.kind === 'boolean' || key.defaultText === '' ? '' : ` (default: ${key.defaultText})`
  const option = new Option(`--${key.flag} ${PLACEHOLDERS[key.kind]}`, `${key.doc}${shown}`)
  const [section = ''] = key.path.split('.')
  option.helpGroup(HEADINGS[section] ?? 'Files:')
  if (key.rare === true) option.hideHelp()
  if (key.kind === 'list') {
    // Given twice, a list grows; everything else takes the last.
    option.argParser((value: string, before: unknown) =>
      typeof before === 'string' ? `${before},${value}` : value,
    )
  }
  return option
}

/** Adds the options that every command takes. */
export function addGlobalOptions(program: Command): void {
  for (const key of CONFIG_KEYS.filter(isGlobal)) program.addOption(optionOf(key))
}

/** Adds an option for every other key. */
export function addConfigOptions(command: Command): void {
  for (const key of CONFIG_KEYS) if (!isGlobal(key)) command.addOption(optionOf(key))
}

/** The keys that were given as options of a command or of the program. */
export function givenOptions(command: Command): Source {
  const given: Record<string, unknown> = command.optsWithGlobals()
  const values = new Map<string, Given>()
  for (const { path, flag } of CONFIG_KEYS) {
    const text = given[flag]
    if (typeof text === 'string') values.set(path, { text, origin: `--${flag}` })
  }
  return { values, problems: [] }
}

const SWITCHES = new Set(CONFIG_KEYS.filter((key) => key.kind === 'boolean').map((key) => `--${key.flag}`))

/**
 * Arguments with old flag names replaced, and with a value on every switch: `--evnode.node.light` alone means true,
 * and only a following `true` or `false` belongs to it.
 */
export function normalizeArguments(given: readonly string[]): string[] {
  const names = given.map((argument) =>
    argument.startsWith(`--${LEGACY_FLAG_PREFIX}`)
      ? `--${FLAG_PREFIX}${argument.slice(LEGACY_FLAG_PREFIX.length + 2)}`
      : argument,
  )
  const out: string[] = []
  for (let index = 0; index < names.length; index++) {
    const argument = names[index] ?? ''
    const following = names[index + 1] ?? ''
    if (!SWITCHES.has(argument)) {
      out.push(argument)
    } else if (following === 'true' || following === 'false') {
      out.push(`${argument}=${following}`)
      index++
    } else {
      out.push(`${argument}=true`)
    }
  }
  return out
}
