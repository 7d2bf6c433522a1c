import type { Env } from '../core/env.ts'
import type { Console } from './console.ts'
import type { LocalDaFactory } from './local-da.ts'
import type { Screen } from './screen.ts'
import type { DevnetTools, NodeFactory } from './start-node.ts'
import type { SignalSource } from './shutdown.ts'
import type { Terminal } from './terminal.ts'

/** The world as the commands see it. */
export interface CliContext {
  /** Environment variables. */
  readonly variables: Readonly<Record<string, string | undefined>>
  /** Standard output: what a command was asked for. */
  print(text: string): void
  /** Standard error: logs, progress, problems. */
  readonly terminal: Terminal
  /** Whether standard error shows colours. */
  readonly color: boolean
  /** Whether somebody watches standard output. */
  readonly outputIsTerminal: boolean
  /** Aborts when nobody reads standard output any longer. */
  readonly outputGone: AbortSignal
  /** Standard input and questions. */
  readonly console: Console
  readonly env: Env
  readonly signals: SignalSource
  readonly createNode: NodeFactory
  readonly createLocalDa: LocalDaFactory
  /** A block of lines on standard error that changes in place. */
  readonly screen: Screen
  /** Loads what a devnet needs. */
  devnetTools(): Promise<DevnetTools>
}
