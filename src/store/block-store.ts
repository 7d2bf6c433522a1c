import type { Block, BlockSave, BlockStore } from '../core/block-store.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import type { Service } from '../core/lifecycle.ts'
import { encodeState } from '../types/codec.ts'
import type { P2PData } from '../types/data.ts'
import { headerHash, type P2PSignedHeader } from '../types/header.ts'
import type { State } from '../types/state.ts'
import { createSerial } from '../util/async.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { checkTip } from './check.ts'
import { ensureFormat } from './format.ts'
import { createInclusions } from './inclusions.ts'
import { hashKey, heightKey, KEYS, METADATA, nameKey, parseHeight, prefixRange } from './keys.ts'
import {
  blockOps,
  corrupt,
  DATA_RECORD,
  decodeRecord,
  HEADER_RECORD,
  heightOp,
  HEIGHT_KEY,
  readRecord,
  type RecordKind,
  STATE_RECORD,
  stateOp,
} from './records.ts'
import { pruneOps, readPruned } from './prune.ts'
import { removeAbove } from './truncate.ts'

/** The {@link BlockStore} of a database. Its headers and data carry the DA height hint they were stored with. */
export interface KvBlockStore extends BlockStore, Service {
  header(height: number): Promise<P2PSignedHeader | undefined>
  data(height: number): Promise<P2PData | undefined>
  /** Highest height for which headers and data were written, or begun to be; 0 before the first. */
  readonly writtenUpTo: number
  /**
   * Goes back to the state after `height`: removes headers, data and states above it, executed or not. The header
   * and data stores over the same database must be stopped. Rejects with `UNEXPECTED_HEIGHT` when there is no such
   * state. After a crash in the middle, call it again.
   */
  truncate(height: number): Promise<void>
  /** Highest height whose block is no longer kept; one below the first while all are. */
  readonly prunedUpTo: number
  /** Highest height whose state is no longer kept; one below the first while all are. */
  readonly statesPrunedUpTo: number
  /**
   * Keeps no states up to `height` any longer, and with mode `all` no blocks either: what the block store alone has of
   * them is removed. Headers and data are removed by the header and data stores over the same database, after this.
   * Rejects with `UNEXPECTED_HEIGHT` at or above the last block. A crash in between leaves records behind that nobody
   * misses; the next call of the stores' `prune` removes them.
   */
  prune(height: number, mode: PruneMode): Promise<void>
}

/** What is removed of old blocks: all of them, or only the states after them. */
export type PruneMode = 'all' | 'metadata'

/** Metadata that only this store writes. */
const OWN_NAMES: readonly string[] = [
  METADATA.format,
  METADATA.height,
  METADATA.daIncludedHeight,
  METADATA.genesisDaHeight,
]

/**
 * Makes a {@link KvBlockStore} over a database that somebody else starts first and stops last. Its `start` checks
 * the format (`STORE_FORMAT`) and that the last block is whole (`STORE_CORRUPT`). Used before start or after stop
 * everything rejects with `STORE_STOPPED`; a record that is not what was written rejects with `STORE_CORRUPT`,
 * naming its key. Heights that were never executed are not seen here, whatever lies in the header and data stores.
 */
export function createBlockStore({ kv }: { readonly kv: Kv }): KvBlockStore {
  const serial = createSerial()
  const inclusions = createInclusions(kv)
  let running = false
  let last: State | undefined
  let reach = 0
  let pruned = { blocks: 0, states: 0 }

  function current(): State | undefined {
    if (!running) throw new EvolveError('STORE_STOPPED', 'the block store is not started')
    return last
  }

  async function load(): Promise<void> {
    await ensureFormat(kv)
    const pointer = await kv.get(HEIGHT_KEY)
    if (pointer === undefined) {
      const { prefix } = STATE_RECORD
      for await (const key of kv.keys({ ...prefixRange(Uint8Array.of(prefix)), limit: 1 })) {
        throw new EvolveError(
          'STORE_CORRUPT',
          `there are states (key ${toHex(key)}), but the last height is missing`,
          {
            data: { key: toHex(HEIGHT_KEY) },
            verdict: 'halt',
          },
        )
      }
      last = undefined
      return
    }
    const height = parseHeight(pointer)
    if (height === undefined) {
      const key = toHex(HEIGHT_KEY)
      throw new EvolveError('STORE_CORRUPT', `the last height (key ${key}) is ${toHex(pointer)}, no height`, {
        data: { key },
        verdict: 'halt',
      })
    }
    const state = await readRecord(kv, STATE_RECORD, height)
    if (state === undefined) throw corrupt(STATE_RECORD, height, 'is missing')
    pruned = await readPruned(kv)
    await checkTip(kv, state, Math.max(state.initialHeight, pruned.blocks + 1, pruned.states + 1))
    last = state
    reach = Math.max(reach, height)
  }

  /** Whether `height` has a saved block. */
  function saved(height: number): boolean {
    const state = current()
    return (
      state !== undefined &&
      height > pruned.blocks &&
      height >= state.initialHeight &&
      height <= state.lastBlockHeight
    )
  }

  function found<T>(kind: RecordKind<T>, height: number, bytes: Uint8Array | undefined): T | undefined {
    if (bytes !== undefined) return decodeRecord(kind, height, bytes)
    // What was asked for may have been pruned or truncated meanwhile.
    const gone = kind.prefix === KEYS.states ? pruned.states : pruned.blocks
    if (height <= gone || height > (last?.lastBlockHeight ?? 0)) return undefined
    throw corrupt(kind, height, 'is missing')
  }

  async function read<T>(kind: RecordKind<T>, height: number): Promise<T | undefined> {
    return found(kind, height, await kv.get(heightKey(kind.prefix, height)))
  }

  async function save(blocks: readonly BlockSave[], alongside: readonly KvOp[]): Promise<void> {
    const state = current()
    if (state === undefined)
      throw new EvolveError('NO_STATE', 'the state before the first block must be saved first', {
        verdict: 'halt',
      })
    let { lastBlockHeight: height } = state
    const ops: KvOp[] = []
    for (const block of blocks) {
      height++
      assertHeight(block, height)
      if (!block.stored) ops.push(...blockOps(block))
      ops.push(stateOp(block.state))
    }
    if (ops.length === 0) return
    reach = Math.max(reach, height)
    await kv.batch([...ops, heightOp(height), ...alongside], { sync: true })
    last = blocks.at(-1)?.state
  }

  return {
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (running) return
        signal?.throwIfAborted()
        await load()
        running = true
      })
    },
    async stop() {
      await serial.run(async () => {
        running = false
      })
    },
    get writtenUpTo() {
      return reach
    },
    async height() {
      return current()?.lastBlockHeight ?? 0
    },
    async header(height) {
      return saved(height) ? await read(HEADER_RECORD, height) : undefined
    },
    async data(height) {
      return saved(height) ? await read(DATA_RECORD, height) : undefined
    },
    async block(height): Promise<Block | undefined> {
      if (!saved(height)) return undefined
      const keys = [HEADER_RECORD, DATA_RECORD].map(({ prefix }) => heightKey(prefix, height))
      const [headerBytes, dataBytes] = await kv.getMany(keys)
      const header = found(HEADER_RECORD, height, headerBytes)
      const data = found(DATA_RECORD, height, dataBytes)
      return header === undefined || data === undefined ? undefined : { header, data }
    },
    async heightOf(hash) {
      current()
      const key = hashKey(KEYS.headerHashes, hash)
      const bytes = await kv.get(key)
      if (bytes === undefined) return undefined
      const height = parseHeight(bytes)
      if (height === undefined) {
        throw new EvolveError('STORE_CORRUPT', `the index entry under key ${toHex(key)} is no height`, {
          data: { key: toHex(key) },
          verdict: 'halt',
        })
      }
      if (!saved(height)) return undefined
      const header = await read(HEADER_RECORD, height)
      return header !== undefined && equalBytes(headerHash(header.header), hash) ? height : undefined
    },
    async state() {
      return current()
    },
    async stateAt(height) {
      const state = current()
      if (state === undefined || height > state.lastBlockHeight || height < state.initialHeight - 1)
        return undefined
      if (height <= pruned.states && pruned.states > 0) return undefined
      return height === state.lastBlockHeight ? state : await read(STATE_RECORD, height)
    },
    async saveState(state) {
      await serial.run(async () => {
        const before = current()
        if (before !== undefined && equalBytes(encodeState(before), encodeState(state))) return
        const height = state.initialHeight - 1
        if (before !== undefined || state.lastBlockHeight !== height) {
          throw new EvolveError(
            'NON_CONSECUTIVE_BLOCK',
            before === undefined
              ? `the first state must be that of height ${height}, got ${state.lastBlockHeight}`
              : `the state before the first block is saved already, the last height is ${before.lastBlockHeight}`,
            { data: { height: state.lastBlockHeight }, verdict: 'halt' },
          )
        }
        await kv.batch([stateOp(state), heightOp(state.lastBlockHeight)], { sync: true })
        last = state
      })
    },
    async saveBlocks(blocks, { alongside = [] } = {}) {
      await serial.run(async () => await save(blocks, alongside))
    },
    async daIncludedHeight() {
      const { initialHeight = 1 } = current() ?? {}
      // What is pruned cannot become final any more: nothing is pruned before it is, where there is DA.
      return Math.max(await inclusions.height(), initialHeight - 1, pruned.blocks)
    },
    async inclusionOf(height) {
      return saved(height) ? await inclusions.of(height) : undefined
    },
    async saveInclusion(blocks, { alongside = [] } = {}) {
      await serial.run(async () => {
        const state = current()
        const height = state?.lastBlockHeight ?? 0
        const initialHeight = Math.max(state?.initialHeight ?? 1, pruned.blocks + 1)
        await inclusions.save(blocks, { initialHeight, height, alongside })
      })
    },
    async metadata(key) {
      current()
      return await kv.get(nameKey(KEYS.metadata, key))
    },
    async saveMetadata(key, value) {
      current()
      if (OWN_NAMES.includes(key)) {
        throw new EvolveError('RESERVED_METADATA', `metadata ${JSON.stringify(key)} is the store's own`)
      }
      await serial.run(async () => {
        await kv.batch([{ type: 'put', key: nameKey(KEYS.metadata, key), value }], { sync: true })
        pruned = await readPruned(kv)
      })
    },
    get prunedUpTo() {
      return Math.max(pruned.blocks, (last?.initialHeight ?? 1) - 1)
    },
    get statesPrunedUpTo() {
      return Math.max(pruned.states, (last?.initialHeight ?? 1) - 1)
    },
    async prune(height, mode) {
      await serial.run(async () => {
        const state = current()
        const highest = (state?.lastBlockHeight ?? 0) - 1
        if (state === undefined || height > highest) {
          throw new EvolveError(
            'UNEXPECTED_HEIGHT',
            `the last block is always kept: can prune up to ${Math.max(highest, 0)}, got ${height}`,
            { data: { height } },
          )
        }
        const next = {
          blocks: mode === 'all' ? Math.max(pruned.blocks, height) : pruned.blocks,
          states: Math.max(pruned.states, height),
        }
        if (next.blocks === pruned.blocks && next.states === pruned.states) return
        await kv.batch(await pruneOps(kv, pruned, next), { sync: true })
        pruned = next
      })
    },
    async truncate(height) {
      await serial.run(async () => {
        const state = current()
        const tooLow = height <= pruned.blocks && pruned.blocks > 0
        const target =
          state === undefined || tooLow || height > state.lastBlockHeight
            ? undefined
            : await read(STATE_RECORD, height)
        if (state === undefined || target === undefined) {
          throw new EvolveError(
            'UNEXPECTED_HEIGHT',
            `can only go back to a height with a block and a state, at most ${state?.lastBlockHeight ?? 0}, got ${height}`,
            { data: { height } },
          )
        }
        try {
          await removeAbove(kv, { height, saved: state.lastBlockHeight }, async (left) => {
            last = left === height ? target : await readRecord(kv, STATE_RECORD, left)
          })
        } catch (error) {
          running = false
          await load()
          running = true
          throw error
        }
      })
    },
  }
}

function assertHeight({ header, data, state }: BlockSave, expected: number): void {
  const heights = [header.header.height, data.metadata?.height, state.lastBlockHeight]
  if (heights.every((height) => height === expected)) return
  throw new EvolveError(
    'NON_CONSECUTIVE_BLOCK',
    `header, data and state must be of height ${expected}, got ${heights.join(', ')}`,
    { data: { expected, heights }, verdict: 'halt' },
  )
}
