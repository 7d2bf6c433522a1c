/*
 * What the process's exit code says:
 *
 *   0    done; `start`: stopped by a signal, cleanly
 *   1    failed for a reason outside the command line: disk, network, a bug, no clean stop within 10 s
 *   2    not started: the command line, a variable, the configuration or a file of the home directory is wrong
 *   70   the node stopped itself: going on would have forked its state or lost it
 *   130  a second signal ended it before it had stopped
 */
import { CommanderError } from 'commander'
import { describeError, isEvolveError } from '../util/errors.ts'

/** Exit codes of the program. */
export const EXIT = { done: 0, failed: 1, usage: 2, halted: 70, interrupted: 130 } as const

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
