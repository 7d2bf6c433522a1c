/*
 * An executor made of two functions: what the state is at first, and what a transaction makes of it.
 */
import { sha256, sha256Name } from '#crypto'
import type { Kv } from '../core/kv.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import { EMPTY_BYTES, fromUtf8, toHex, utf8 } from '../util/bytes.ts'
import { describeError } from '../util/errors.ts'
import type { Commitment, CommitmentKind } from './commitment.ts'
import {
  type BlockOutcome,
  createEntryExecutor,
  type EntryExecutor,
  type EntryRules,
} from './entry-executor.ts'
import { corrupt, readEntries } from './entry-store.ts'
import type { MempoolOptions } from './mempool.ts'
import { formatState, type Frozen, parseState, settle, thaw } from './state-json.ts'

/** What a transaction may know besides the state. All of it is the same on every node. */
export interface TxContext {
  readonly chainId: string
  readonly height: number
  /** Of the block, unix nanoseconds. */
  readonly time: bigint
  /** Place of the transaction in its block, from 0. */
  readonly index: number
  /** The transaction as it lies in the block. */
  readonly bytes: Uint8Array
}

/**
 * An application. Its functions must give the same for the same on every machine, for ever: no time, no chance, no
 * network, no `Math.sin` and the like, which engines compute differently. They must not change what they are given: it
 * is frozen.
 */
export interface ExecutorDefinition<S, T = Uint8Array> {
  /** Kept with the state, so that no application takes another's for its own [`app`]. */
  readonly name?: string
  /**
   * The state before the first block. A state is JSON: null, booleans, finite numbers, texts, and lists and plain
   * objects of them; and bigints. Anything else is refused with `INVALID_STATE`, here at once.
   */
  readonly genesis: () => S
  /**
   * What the bytes of a transaction say; throws when they make no sense. Such a transaction is refused when it is
   * submitted and skipped when it is in a block. When left out, transactions are their bytes.
   */
  readonly decode?: (bytes: Uint8Array) => T
  /**
   * The state after a transaction; undefined when the transaction changes nothing. One that throws, or gives what is no
   * state, is skipped: it changes nothing, and the log says why.
   */
  readonly apply: (
    state: Frozen<NoInfer<S>>,
    tx: NoInfer<T>,
    context: TxContext,
  ) => Frozen<NoInfer<S>> | undefined
  /** Address of the signer of the next block, 32 bytes; undefined for the same as before. Asked after each block. */
  nextProposer?(state: Frozen<NoInfer<S>>, block: Omit<TxContext, 'index' | 'bytes'>): Uint8Array | undefined
}

/** Options of an executor of {@link defineExecutor}; defaults in brackets. */
export interface StateExecutorOptions extends MempoolOptions {
  /** Blocks that can be undone [128]; each keeps the state before it, where it changed. At least 1. */
  readonly undoHeights?: number
}

/** What an executor is given besides its database. */
export interface ExecutorTools {
  readonly logger?: Logger
}

/** A running executor of {@link defineExecutor}. */
export interface StateExecutor<S> extends Omit<EntryExecutor, 'get' | 'entries'> {
  /** The state after the last block: a copy of your own. */
  readonly state: () => Promise<S>
}

/** Makes a {@link StateExecutor} over its part of the node's database. */
export type StateExecutorFactory<S> = (kv: Kv, tools?: ExecutorTools) => StateExecutor<S>

/** A definition whose transactions are whatever its own `decode` makes of them. */
interface AnyDefinition<S> {
  readonly name?: string
  genesis(): S
  decode?(bytes: Uint8Array): unknown
  apply(state: Frozen<S>, tx: unknown, context: TxContext): Frozen<S> | undefined
  nextProposer?(state: Frozen<S>, block: Omit<TxContext, 'index' | 'bytes'>): Uint8Array | undefined
}

const STATE_KEY = utf8('state')

/**
 * An executor of your own: a function over a state that is kept in the node's database, with everything the chain needs
 * of it. The state is one JSON text of a fixed form, see {@link formatState}; the state root is its SHA-256, and each
 * block that changes it writes it as a whole: meant for states up to some megabytes. Give what it returns to
 * `createNode` or `createFullNode` as the executor. Throws `INVALID_STATE` when the genesis state is none.
 */
export function defineExecutor<S>(
  definition: ExecutorDefinition<S> & { readonly decode?: undefined },
  options?: StateExecutorOptions,
): StateExecutorFactory<S>
export function defineExecutor<S, T>(
  definition: ExecutorDefinition<S, T> & Required<Pick<ExecutorDefinition<S, T>, 'decode'>>,
  options?: StateExecutorOptions,
): StateExecutorFactory<S>
export function defineExecutor<S>(
  definition: AnyDefinition<S>,
  { undoHeights = 128, ...mempool }: StateExecutorOptions = {},
): StateExecutorFactory<S> {
  const first = utf8(formatState(definition.genesis()))
  return (kv, { logger = noopLogger } = {}) => {
    const rules = stateRules(definition, first, logger.child({ component: 'executor' }))
    const executor = createEntryExecutor(kv, rules, { undoHeights, ...mempool })
    return {
      ...executor,
      state: async () => thaw(read<S>((await executor.get(STATE_KEY)) ?? first)),
    }
  }
}

function stateRules<S>(definition: AnyDefinition<S>, first: Uint8Array, logger: Logger): EntryRules {
  const { name = 'app' } = definition
  const decode = (bytes: Uint8Array): unknown =>
    definition.decode === undefined ? bytes : definition.decode(bytes)
  /** The state that was read or written last: as a rule the next block begins with it. */
  let last: { readonly name: string; readonly state: Frozen<S> } | undefined
  let told = false

  function stateOf(bytes: Uint8Array): Frozen<S> {
    const hash = sha256Name(bytes)
    if (last?.name !== hash) last = { name: hash, state: read<S>(bytes) }
    return last.state
  }

  /** The first is shown to whoever runs a new application; after that strangers could fill the log. */
  function skipped(context: TxContext, error: unknown): void {
    const { height, index } = context
    logger[told ? 'debug' : 'warn']('a transaction is skipped', { height, index, error })
    told = true
  }

  function runOne(state: Frozen<S>, context: TxContext): Frozen<S> | undefined {
    try {
      const after = definition.apply(state, decode(context.bytes), context)
      return after === undefined ? undefined : settle<S>(after)
    } catch (error) {
      skipped(context, error)
      return undefined
    }
  }

  return {
    // With another state to begin with it is another application.
    name: `${name} ${toHex(sha256(first))}`,
    commitment: hashOf(first),
    problemOf(tx) {
      try {
        decode(tx)
      } catch (error) {
        return describeError(error)
      }
      return tx.length === 0 ? 'a transaction must have bytes, got none' : undefined
    },
    async run({ txs, height, time, chainId }, readEntry): Promise<BlockOutcome> {
      if (txs.length === 0 && definition.nextProposer === undefined) {
        return { writes: [], effective: 0, nextProposerAddress: EMPTY_BYTES }
      }
      const before = stateOf((await readEntry(STATE_KEY)) ?? first)
      let state = before
      let effective = 0
      for (const [index, bytes] of txs.entries()) {
        const after = runOne(state, { chainId, height, time, index, bytes })
        if (after === undefined) continue
        effective++
        state = after
      }
      const nextProposerAddress = definition.nextProposer?.(state, { chainId, height, time }) ?? EMPTY_BYTES
      if (state === before) return { writes: [], effective, nextProposerAddress }
      const value = utf8(formatState(state))
      last = { name: sha256Name(value), state }
      return { writes: [{ key: STATE_KEY, value }], effective, nextProposerAddress }
    },
    async lookup(kv) {
      const [bytes] = await readEntries(kv, [STATE_KEY])
      return bytes
    },
  }
}

/** The state in bytes that an application of this type wrote. Throws `STORE_CORRUPT`. */
function read<S>(bytes: Uint8Array): Frozen<S> {
  try {
    return parseState<S>(fromUtf8(bytes) ?? '')
  } catch (error) {
    throw corrupt('have an unreadable state', error)
  }
}

/** Commits to the bytes of the state; before the first change they are `first`. */
function hashOf(first: Uint8Array): CommitmentKind {
  function commitTo(bytes: Uint8Array): Commitment {
    const own: Commitment = {
      record: undefined,
      root: sha256(bytes),
      after: (changes) => (changes.length === 0 ? own : commitTo(changes.at(-1)?.after ?? first)),
    }
    return own
  }
  const empty = commitTo(first)
  return {
    empty,
    async load(_record, entries) {
      for await (const [, bytes] of entries) return commitTo(bytes)
      return empty
    },
  }
}
