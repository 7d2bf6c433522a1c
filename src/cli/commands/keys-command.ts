/*
 * What the commands under `evolve keys` share.
 */
import type { Command } from 'commander'
import { type HomeConfig, readHomeConfig } from '../../config/home-config.node.ts'
import type { LedgerEntry } from '../../core/signer.ts'
import { toHex } from '../../util/bytes.ts'
import type { CliContext } from '../context.ts'
import { givenOptions } from '../options.ts'

/** What these commands need of the world. */
export type KeysContext = Pick<
  CliContext,
  'variables' | 'print' | 'terminal' | 'outputIsTerminal' | 'console'
>

interface KeysOptions {
  readonly home?: string
  readonly json?: true
}

/** Adds a command under `evolve keys` with the options that all of them take. */
export function addKeysCommand(
  keys: Command,
  {
    name,
    description,
    examples,
  }: { readonly name: string; readonly description: string; readonly examples: string },
): Command {
  return keys
    .command(name)
    .description(description)
    .option('--evnode.signer.passphrase_file <file>', 'file with the passphrase of signer.json')
    .option('--evnode.signer.signer_path <folder>', 'folder of signer.json (default: config, in the home)')
    .option('--json', 'as JSON')
    .addHelpText('after', examples)
}

/** The home directory that a command is about. */
export async function homeOf(context: KeysContext, self: Command): Promise<HomeConfig> {
  const { home } = self.optsWithGlobals<KeysOptions>()
  return await readHomeConfig({ home, variables: context.variables, flags: givenOptions(self) })
}

/** Prints `fields` as JSON if asked to, else `lines`. */
export function answer(
  context: KeysContext,
  self: Command,
  fields: Readonly<Record<string, unknown>>,
  lines: readonly string[],
): void {
  const { json } = self.optsWithGlobals<KeysOptions>()
  context.print(json === true ? JSON.stringify(fields) : lines.join('\n'))
}

/** JSON fields of what was signed last; null for nothing. */
export function lastFields(last: LedgerEntry | undefined): Readonly<Record<string, unknown>> {
  return { last_height: last?.height ?? null, last_hash: last === undefined ? null : toHex(last.hash) }
}
