/*
 * What the process's exit code says.
 */
import { CommanderError } from 'commander'
import { describeError, isEvolveError } from '../util/errors.ts'

/** Exit codes of the program. */
export const EXIT = { done: 0, failed: 1, usage: 2, halted: 70, interrupted: 130 } as const

/** What each of them says. */
export const EXIT_CODES: readonly { readonly code: number; readonly meaning: string }[] = [
  { code: EXIT.done, meaning: 'done; start, da, devnet, status: stopped by a signal, cleanly' },
  {
    code: EXIT.failed,
    meaning:
      'failed for a reason outside the command line: disk, network, what was found wrong, no stop within 10 s',
  },
  {
    code: EXIT.usage,
    meaning: 'not begun: the command line, a variable, the configuration or a file of the home is wrong',
  },
  {
    code: EXIT.halted,
    meaning: 'the node stopped itself: going on would have forked its state or lost it',
  },
  { code: EXIT.interrupted, meaning: 'a second signal ended it before it had stopped' },
]

/** Codes of errors that whoever typed the command can mend. */
const USAGE_CODES = [
  'USAGE',
  'INVALID_CONFIG',
  'INVALID_GENESIS',
  'INVALID_NODE_KEY',
  'CORRUPT_SIGNER_FILE',
  'WRONG_PASSPHRASE',
  'FILE_NOT_PRIVATE',
  'NOTHING_TO_ROLL_BACK',
  'BELOW_FINAL',
  'ROLLBACK_TOO_DEEP',
  'HOME_NOT_EMPTY',
  'NOT_A_SNAPSHOT',
  'SNAPSHOT_VERSION',
  'SNAPSHOT_DAMAGED',
  'SNAPSHOT_OTHER_CHAIN',
  'SNAPSHOT_UNTRUSTED',
  // Another process has it: the database, the key, the port.
  'STORE_LOCKED',
  'SIGNER_IN_USE',
  'LEDGER_OF_OTHER_KEY',
  'ADDRESS_IN_USE',
]

/** The exit code for whatever a command threw. */
export function exitCodeOf(error: unknown): number {
  // Commander has said already what is wrong; help that was asked for is no failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  if (isEvolveError(error, ...USAGE_CODES)) return EXIT.usage
  return isEvolveError(error) && error.verdict === 'halt' ? EXIT.halted : EXIT.failed
}

/** What to print for whatever a command threw; undefined when it was printed already. */
export function explain(error: unknown): string | undefined {
  if (error instanceof CommanderError) return undefined
  return `error: ${describeError(error)}`
}
