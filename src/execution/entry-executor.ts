/*
 * What the embedded executors share: transactions become entries, every block can be undone, the state root is
 * kept up to date by a commitment. They differ in what transactions do to entries and in the commitment.
 */
import type { ExecuteRequest, ExecutionResult, Executor } from '../core/executor.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import { createSerial } from '../util/async.ts'
import { equalBytes, toHex, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import type { Commitment, CommitmentKind, EntryChange } from './commitment.ts'
import {
  allEntries,
  commitmentOps,
  corrupt,
  entryOps,
  finalOp,
  forgetOps,
  genesisOp,
  heightOp,
  readEntries,
  readHead,
  readUndo,
  type StoredHead,
  type Undo,
  undoOp,
} from './entry-store.ts'
import { filterTransactions } from './filter-txs.ts'
import { createMempool, type MempoolOptions } from './mempool.ts'

/** Options of an embedded executor; defaults in brackets. */
export interface EntryExecutorOptions extends MempoolOptions {
  /** Blocks that can be undone [1,024]; at least 1, the last. */
  readonly undoHeights?: number
}

/** An executor that lives in the node and keeps `key=value`. */
export interface EntryExecutor extends Required<Executor> {
  /**
   * Offers a transaction for a block: it is in the mempool when the call returns. Rejects with `TX_REFUSED`, verdict
   * `reject`, when it can make no sense or is too big (`data` then has the `limit`), and `TX_NO_ROOM`, verdict `retry`.
   */
  submitTx(tx: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Value of a key after the last block. */
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  /** What is stored, in byte order of the keys. */
  entries(): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>
  /** Highest final height; 0 when none. */
  finalHeight(): Promise<number>
  /** State root after the last block. */
  stateRoot(): Promise<Uint8Array>
  /** The same from the entries alone, whatever was kept of it: for those who do not trust who wrote them. */
  recomputedRoot(): Promise<Uint8Array>
  /** Blocks executed since it was made, and the transactions in them that made sense; repeated ones count again. */
  executed(): { readonly blocks: number; readonly txs: number }
}

/** A new value of an entry. */
export interface EntryWrite {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** What the transactions of a block do. */
export interface BlockOutcome {
  /** At most one a key. */
  readonly writes: readonly EntryWrite[]
  /** Transactions that made sense. */
  readonly effective: number
  /** Address of the signer of the next block; empty means unchanged. */
  readonly nextProposerAddress: Uint8Array
}

/** What makes one embedded executor different from another. */
export interface EntryRules {
  /** Kept with the state, so that no executor takes another's for its own. */
  readonly name: string
  readonly commitment: CommitmentKind
  /** Why a transaction can never make sense; undefined when it can. */
  problemOf(tx: Uint8Array): string | undefined
  /** Executes the transactions of a block over the entries that `read` gives. */
  run(
    block: Pick<ExecuteRequest, 'txs' | 'height' | 'time'> & { readonly chainId: string },
    read: (key: Uint8Array) => Promise<Uint8Array | undefined>,
  ): BlockOutcome | Promise<BlockOutcome>
  /** Value of a transaction's key. */
  lookup(kv: Kv, key: Uint8Array): Promise<Uint8Array | undefined>
}

/** Where the state stands. */
interface Head extends Omit<StoredHead, 'commitment' | 'genesis'> {
  readonly commitment: Commitment
  readonly genesis: Genesis | undefined
}

interface Genesis {
  readonly bytes: Uint8Array
  readonly chainId: string
  readonly initialHeight: number
}

/** Entries that are added up at once. */
const ENTRIES_AT_ONCE = 4_096

/**
 * Makes an {@link EntryExecutor} over a database of its own, which somebody else starts and stops.
 *
 * Blocks come in order: the next height, or the last one again, which is then undone first. Another height, one
 * before `initChain`, or a previous state root that is not ours is refused with `UNEXPECTED_HEIGHT`,
 * `NOT_INITIALISED` or `STATE_ROOT_MISMATCH`, all with verdict `halt`. `rollback` goes back to any height above
 * those whose undo records were dropped: `ROLLBACK_TOO_DEEP`. What is final may be rolled back, since a node may be
 * ordered to; the final height then goes down too.
 */
export function createEntryExecutor(
  kv: Kv,
  rules: EntryRules,
  { undoHeights = 1_024, ...mempoolOptions }: EntryExecutorOptions = {},
): EntryExecutor {
  const serial = createSerial()
  const mempool = createMempool(mempoolOptions)
  let head: Head | undefined
  let executed = { blocks: 0, txs: 0 }

  async function load(): Promise<Head> {
    if (head !== undefined) return head
    const { genesis, commitment, ...rest } = await readHead(kv)
    head = {
      ...rest,
      genesis: genesis === undefined ? undefined : readGenesis(genesis),
      commitment: await rules.commitment.load(commitment, allEntries(kv)),
    }
    return head
  }

  /** The commitment to entries, made anew. */
  async function commitmentTo(
    entries: AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>,
  ): Promise<Commitment> {
    let commitment = rules.commitment.empty
    let page: EntryChange[] = []
    for await (const [key, after] of entries) {
      page.push({ key, before: undefined, after })
      if (page.length < ENTRIES_AT_ONCE) continue
      commitment = commitment.after(page)
      page = []
    }
    return commitment.after(page)
  }

  async function commit(next: Head, ops: readonly KvOp[]): Promise<void> {
    // If this fails it is unknown whether the change is there: it is read again.
    head = undefined
    await kv.batch(ops)
    head = next
  }

  async function initialised(): Promise<Head & { readonly genesis: Genesis }> {
    const { genesis, ...rest } = await load()
    if (genesis !== undefined) return { genesis, ...rest }
    throw new EvolveError('NOT_INITIALISED', 'the executor has no genesis: initChain must come first', {
      verdict: 'halt',
    })
  }

  /** The changes that take back what the block of a height did. */
  async function changesBack(height: number): Promise<EntryChange[]> {
    const undo = await readUndo(kv, height)
    const now = await readEntries(
      kv,
      undo.map(({ key }) => key),
    )
    return undo.map(({ key, before }, index) => ({ key, before: now[index], after: before }))
  }

  /** The changes that writes make to the entries after `undone`. */
  async function changesOf(
    writes: readonly EntryWrite[],
    undone: ReadonlyMap<string, Uint8Array | undefined>,
  ): Promise<EntryChange[]> {
    const stored = await readEntries(
      kv,
      writes.map(({ key }) => key),
    )
    return writes
      .map(({ key, value: after }, index) => {
        const name = toHex(key)
        return { key, before: undone.has(name) ? undone.get(name) : stored[index], after }
      })
      .filter(({ before, after }) => before === undefined || !equalBytes(before, after))
  }

  async function execute({ txs, height, time, previousStateRoot }: ExecuteRequest): Promise<ExecutionResult> {
    const before = await initialised()
    const again = height === before.height && height >= before.genesis.initialHeight
    if (!again && height !== before.height + 1) throw unexpectedHeight(height, before.height)
    const undoing = again ? await changesBack(height) : []
    const base = before.commitment.after(undoing)
    if (!equalBytes(base.root, previousStateRoot)) throw rootMismatch(height, base.root, previousStateRoot)
    const undone = new Map(undoing.map(({ key, after }) => [toHex(key), after]))
    const { writes, effective, nextProposerAddress } = await rules.run(
      { txs, height, time, chainId: before.genesis.chainId },
      async (key) => {
        const name = toHex(key)
        if (undone.has(name)) return undone.get(name)
        const [value] = await readEntries(kv, [key])
        return value
      },
    )
    const changes = await changesOf(writes, undone)
    const commitment = base.after(changes)
    const undo: readonly Undo[] = changes
    const oldestUndo = Math.max(Math.min(before.oldestUndo, height), height - Math.max(undoHeights, 1) + 1)
    await commit({ ...before, height, commitment, oldestUndo }, [
      // Where both touch an entry the later counts.
      ...entryOps([...undoing, ...changes]),
      undoOp(height, undo),
      ...forgetOps(before.oldestUndo, oldestUndo),
      heightOp(height),
      ...(commitment === before.commitment ? [] : commitmentOps(commitment.record)),
    ])
    mempool.remove(txs)
    executed = { blocks: executed.blocks + 1, txs: executed.txs + effective }
    return { stateRoot: commitment.root, nextProposerAddress }
  }

  async function initialise(genesis: Genesis): Promise<Uint8Array> {
    const { bytes, initialHeight } = genesis
    const before = await load()
    if (before.genesis === undefined) {
      const height = initialHeight - 1
      await commit({ ...before, genesis, height, oldestUndo: initialHeight }, [
        genesisOp(bytes),
        heightOp(height),
      ])
    } else if (!equalBytes(before.genesis.bytes, bytes)) {
      const [found, given] = [before.genesis.bytes, bytes].map((text) => new TextDecoder().decode(text))
      throw new EvolveError(
        'GENESIS_MISMATCH',
        `the executor's state is of genesis ${found}, not of ${given}`,
        {
          verdict: 'halt',
          data: { found, given },
        },
      )
    }
    return rules.commitment.empty.root
  }

  async function rollback(to: number, signal: AbortSignal): Promise<void> {
    const { genesis, height, oldestUndo } = await initialised()
    const target = Math.max(to, genesis.initialHeight - 1)
    if (to > height) throw unexpectedHeight(to, height)
    if (target < oldestUndo - 1) {
      throw new EvolveError(
        'ROLLBACK_TOO_DEEP',
        `the executor is at height ${height} and can go back to ${oldestUndo - 1}, not to ${to}`,
        { data: { height, lowest: oldestUndo - 1, target: to } },
      )
    }
    for (let current = height; current > target; current--) {
      signal.throwIfAborted()
      const before = await initialised()
      const changes = await changesBack(current)
      const commitment = before.commitment.after(changes)
      const final = Math.min(before.final, current - 1)
      await commit({ ...before, commitment, final, height: current - 1 }, [
        ...entryOps(changes),
        ...forgetOps(current, current + 1),
        heightOp(current - 1),
        finalOp(final),
        ...commitmentOps(commitment.record),
      ])
    }
  }

  /** Drops undo records up to `height`, but never the last: that block may have to be executed again. */
  async function prune(height: number): Promise<void> {
    const before = await load()
    const oldestUndo = Math.max(before.oldestUndo, Math.min(height + 1, before.height))
    if (oldestUndo === before.oldestUndo) return
    await commit({ ...before, oldestUndo }, forgetOps(before.oldestUndo, oldestUndo))
  }

  async function setFinal(height: number): Promise<void> {
    const before = await load()
    if (height > before.final) await commit({ ...before, final: height }, [finalOp(height)])
  }

  async function inTurn<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    return await serial.run(async () => {
      signal.throwIfAborted()
      return await task()
    })
  }

  return {
    async initChain({ time, initialHeight, chainId }, { signal }) {
      assertHeight(initialHeight)
      const bytes = utf8(JSON.stringify([rules.name, chainId, initialHeight, String(time)]))
      return await inTurn(signal, async () => await initialise({ bytes, chainId, initialHeight }))
    },
    async executeTxs(request, { signal }) {
      return await inTurn(signal, async () => await execute(request))
    },
    rollbackDepth: Math.max(undoHeights, 1),
    async rollback(height, { signal }) {
      await inTurn(signal, async () => await rollback(height, signal))
    },
    async prune(height, { signal }) {
      await inTurn(signal, async () => await prune(height))
    },
    async setFinal(height, { signal }) {
      assertHeight(height)
      await inTurn(signal, async () => await setFinal(height))
    },
    async latestHeight({ signal }) {
      const { genesis, height } = await inTurn(signal, load)
      return genesis === undefined || height < genesis.initialHeight ? 0 : height
    },
    async getTxs({ signal }) {
      signal.throwIfAborted()
      return mempool.all()
    },
    async getExecutionInfo({ signal }) {
      signal.throwIfAborted()
      return { maxGas: 0n }
    },
    async filterTxs(request, { signal }) {
      signal.throwIfAborted()
      return filterTransactions(request, (tx) => rules.problemOf(tx) !== undefined)
    },
    async submitTx(tx, { signal } = {}) {
      signal?.throwIfAborted()
      const problem = rules.problemOf(tx)
      if (problem !== undefined) throw new EvolveError('TX_REFUSED', problem, { verdict: 'reject' })
      mempool.add(tx)
    },
    onTxs: (listener) => mempool.onTxs(listener),
    executed: () => executed,
    get: async (key) => await rules.lookup(kv, key),
    entries: () => ({ [Symbol.asyncIterator]: () => allEntries(kv) }),
    finalHeight: async () => (await serial.run(load)).final,
    stateRoot: async () => (await serial.run(load)).commitment.root,
    recomputedRoot: async () => (await serial.run(async () => await commitmentTo(allEntries(kv)))).root,
  }
}

function readGenesis(bytes: Uint8Array): Genesis {
  try {
    const fields: unknown = JSON.parse(new TextDecoder().decode(bytes))
    const [, chainId, initialHeight]: readonly unknown[] = Array.isArray(fields) ? fields : []
    if (typeof chainId === 'string' && typeof initialHeight === 'number') {
      return { bytes, chainId, initialHeight }
    }
  } catch {
    // Told below.
  }
  throw corrupt('have a genesis that is none')
}

function assertHeight(height: number): void {
  if (Number.isSafeInteger(height) && height >= 1) return
  throw new EvolveError('UNEXPECTED_HEIGHT', `heights begin at 1, got ${height}`, {
    data: { height },
    verdict: 'halt',
  })
}

function unexpectedHeight(height: number, last: number): EvolveError {
  return new EvolveError(
    'UNEXPECTED_HEIGHT',
    `the executor is at height ${last}: it takes that height again or the next, got ${height}`,
    { verdict: 'halt', data: { height, last } },
  )
}

function rootMismatch(height: number, own: Uint8Array, given: Uint8Array): EvolveError {
  const [expected, found] = [own, given].map(toHex)
  return new EvolveError(
    'STATE_ROOT_MISMATCH',
    `the state root before height ${height} is ${expected?.slice(0, 128)}, the block builds on ${found?.slice(0, 128)}`,
    { verdict: 'halt', data: { height, expected, found } },
  )
}
