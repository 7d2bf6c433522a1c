/*
 * What happens, in words.
 */
import { isEvolveError } from 'evolve-node/client'

const PHASES: Readonly<Record<string, string>> = {
  stopped: 'Stopped',
  replaying: 'Replaying blocks',
  'waiting-genesis': 'Waiting for genesis',
  'waiting-peers': 'Looking for peers',
  'waiting-executor': 'Waiting for the executor',
  'catching-up': 'Catching up',
  following: 'Following the chain',
  producing: 'Producing blocks',
  paused: 'Paused until DA has taken more',
  halted: 'Halted',
}

/** What a phase is called. */
export function phaseWords(phase: string): string {
  return PHASES[phase] ?? phase
}

/** How a phase is coloured. */
export function phaseMood(phase: string): 'good' | 'busy' | 'bad' {
  if (phase === 'producing' || phase === 'following') return 'good'
  return phase === 'halted' || phase === 'stopped' ? 'bad' : 'busy'
}

const FAILURES: Readonly<Record<string, string>> = {
  RPC_UNREACHABLE: 'The node cannot be reached.',
  RPC_TIMEOUT: 'The node did not answer in time.',
  RPC_BUSY: 'The node has too much to do right now.',
  RPC_UNSUPPORTED: 'The node does not serve this.',
  BLOCK_NOT_FOUND: 'The chain has no such block.',
  BLOCK_PRUNED: 'The node no longer keeps this block.',
  TX_NOT_FOUND: 'No block holds a transaction with this hash.',
  TX_INDEX_OFF: 'This node keeps no index of transactions, so it finds none by its hash.',
  TX_NO_ROOM: 'Too many transactions wait already. Try again in a moment.',
  TX_NOT_ACCEPTED: 'This node takes no transactions.',
  NO_AGGREGATOR: 'The node reaches nobody who takes transactions.',
  TOO_MANY_SUBSCRIBERS: 'The node serves as many readers as it may.',
  NODE_STOPPING: 'The node is being stopped.',
}

/** A failure, for people. */
export function failureWords(error: unknown): string {
  if (isEvolveError(error)) return FAILURES[error.code] ?? sentence(error.message)
  return error instanceof Error ? sentence(error.message) : 'Something went wrong.'
}

/** With a capital at its beginning and a full stop at its end. */
export function sentence(text: string): string {
  const begun = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`
  return /[.!?]$/.test(begun) ? begun : `${begun}.`
}
