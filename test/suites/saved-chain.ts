import type { EntryExecutor } from '../../src/execution/entry-executor.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import type { Block } from '../../src/core/block-store.ts'
import { encodeP2PData, encodeP2PSignedHeader, encodeState } from '../../src/types/codec.ts'
import type { KvBlockStore } from '../../src/store/block-store.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { toHex } from '../../src/util/bytes.ts'
import { makeSaves } from './block-saves.ts'

const GENESIS = { time: 1_700_000_000_000_000_000n, initialHeight: 1, chainId: 'test-chain' }
const options = { signal: new AbortController().signal }

/** A store and the application beside it. */
export interface Pair {
  readonly store: KvBlockStore
  readonly executor: EntryExecutor
}

/** Goes on with the test chain where the pair stands, up to `count` blocks; tells of each height once it is saved. */
export async function appendBlocks(
  { store, executor }: Pair,
  count: number,
  saved: (height: number) => void = () => undefined,
): Promise<void> {
  const { initial, saves } = makeSaves({ count })
  await executor.initChain(GENESIS, options)
  if ((await store.state()) === undefined) await store.saveState(initial)
  const from = await store.height()
  if ((await executor.latestHeight(options)) > from) await executor.rollback(from, options)
  for (const save of saves.slice(from)) {
    const { height, time } = save.header.header
    const previousStateRoot = await executor.stateRoot()
    await executor.executeTxs({ txs: save.data.txs, height, time, previousStateRoot }, options)
    await store.saveBlocks([save])
    saved(height)
  }
}

/** Says what is wrong with a pair that {@link appendBlocks} wrote to, whatever happened to it since. */
export interface Inspector {
  /** Faults found, and the height of the store; looks at heights above `from`. */
  inspect(pair: Pair, from?: number): Promise<{ height: number; faults: string[] }>
}

/** Makes an {@link Inspector} for a chain of `count` blocks. */
export async function createInspector(count: number): Promise<Inspector> {
  const { initial, saves } = makeSaves({ count })
  const roots: string[] = []
  const kv = createMemoryKv()
  await kv.start()
  const reference = createKvExecutor({ kv })
  let root = await reference.initChain(GENESIS, options)
  roots.push(toHex(root))
  for (const { header, data } of saves) {
    const { height, time } = header.header
    const request = { txs: data.txs, height, time, previousStateRoot: root }
    root = (await reference.executeTxs(request, options)).stateRoot
    roots.push(toHex(root))
  }
  await kv.stop()

  return {
    async inspect({ store, executor }, from = 0) {
      const faults: string[] = []
      const height = await store.height()
      for (const expected of [initial, ...saves.map((save) => save.state)].slice(from, height + 1)) {
        const at = expected.lastBlockHeight
        const state = await store.stateAt(at)
        // Cut off before the first state was saved.
        if (state === undefined && height === 0) continue
        if (state === undefined || toHex(encodeState(state)) !== toHex(encodeState(expected))) {
          faults.push(`state ${at}`)
        }
      }
      for (const expected of saves.slice(from, height)) {
        const at = expected.state.lastBlockHeight
        const found = await store.block(at)
        if (found === undefined || bytesOf(found) !== bytesOf(expected)) faults.push(`block ${at}`)
      }
      const executed = await executor.latestHeight(options)
      if (executed !== height && executed !== height + 1)
        faults.push(`executor at ${executed}, store at ${height}`)
      const found = toHex(await executor.stateRoot())
      if (found !== roots[executed]) faults.push(`state root ${found} at ${executed}`)
      return { height, faults }
    },
  }
}

function bytesOf({ header, data }: Block): string {
  return toHex(encodeP2PSignedHeader(header)) + toHex(encodeP2PData(data))
}
