import { bringExecutorTo } from '../../src/block/replay.ts'
import { createPatientExecutor } from '../../src/block/execute.ts'
import { systemEnv } from '../../src/core/env.ts'
import type { Kv } from '../../src/core/kv.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import type { EntryExecutor } from '../../src/execution/entry-executor.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { itemStores, type OfflineStores } from '../../src/node/offline.ts'
import { createBlockStore } from '../../src/store/block-store.ts'
import { KEYS } from '../../src/store/keys.ts'
import { subKv } from '../../src/store/sub-kv.ts'
import { type Data, dataCommitment, dataHash } from '../../src/types/data.ts'
import type { Genesis } from '../../src/types/genesis.ts'
import { type Header, headerHash, signHeader } from '../../src/types/header.ts'
import { initialState, nextState } from '../../src/types/state.ts'
import { EMPTY_BYTES, toHex, utf8 } from '../../src/util/bytes.ts'
import { addressOf, SEEDS } from './executed-chain.ts'

const signal = new AbortController().signal

/** Genesis of the chains of this file. */
export const KV_GENESIS: Genesis = {
  chainId: 'kv-chain',
  startTime: 1_700_000_000_000_000_000n,
  initialHeight: 1,
  proposerAddress: addressOf(SEEDS.first),
  daStartHeight: 0,
  daEpochForcedInclusion: 50,
}

/** The stores of a database with the key-value application, as a node that starts finds them. */
export interface KvHome extends OfflineStores {
  readonly executor: EntryExecutor
  readonly stop: () => Promise<void>
}

/** Opens a started database as a node does: the stores are checked, the application is brought to their height. */
export async function openKvHome(kv: Kv, undoHeights = 1_024): Promise<KvHome> {
  const blocks = createBlockStore({ kv })
  await blocks.start()
  const { headers, data } = itemStores(kv)
  await headers.start()
  await data.start()
  const executor = createKvExecutor({ kv: subKv(kv, Uint8Array.of(KEYS.executor)) }, { undoHeights })
  const state = await blocks.state()
  const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
  if (state !== undefined) {
    await bringExecutorTo(
      state,
      {
        ...shared,
        blockStore: blocks,
        executor,
        patient: createPatientExecutor(shared),
        genesis: KV_GENESIS,
      },
      { signal },
    )
  }
  return {
    blocks,
    headers,
    data,
    executor,
    async stop() {
      await data.stop()
      await headers.stop()
      await blocks.stop()
    },
  }
}

/** Transactions of a height: two, and none in every fourth block. */
export function kvTxsAt(height: number): Uint8Array[] {
  return height % 4 === 0 ? [] : [utf8(`key${height % 50}=value${height}`), utf8(`own${height}=x`)]
}

/** Goes on with the chain by so many blocks: always the same blocks. Resolves with the state root after each height. */
export async function growKvChain(
  { blocks, headers, data, executor }: KvHome,
  count: number,
  { seed = SEEDS.first, txsAt = kvTxsAt }: { seed?: Uint8Array; txsAt?: typeof kvTxsAt } = {},
): Promise<Map<number, string>> {
  const { chainId, startTime: time, initialHeight } = KV_GENESIS
  const roots = new Map<number, string>()
  const root = await executor.initChain({ chainId, time, initialHeight }, { signal })
  let state = await blocks.state()
  if (state === undefined) {
    state = initialState({ ...KV_GENESIS, proposerAddress: addressOf(seed) }, root)
    await blocks.saveState(state)
  }
  for (let left = count; left > 0; left--) {
    const height = state.lastBlockHeight + 1
    const below = await blocks.data(height - 1)
    const txs = txsAt(height)
    const blockTime = time + BigInt(height) * 1_000_000_000n
    const item: Data = {
      metadata: {
        chainId,
        height,
        time: blockTime,
        lastDataHash: below === undefined ? EMPTY_BYTES : dataHash(below),
      },
      txs,
    }
    const header: Header = {
      version: { block: 0n, app: 0n },
      height,
      time: blockTime,
      lastHeaderHash: state.lastHeaderHash,
      dataHash: dataCommitment(item),
      appHash: state.appHash,
      proposerAddress: addressOf(seed),
      validatorHash: EMPTY_BYTES,
      chainId,
    }
    const signed = signHeader(header, seed)
    const request = { txs, height, time: blockTime, previousStateRoot: state.appHash }
    const result = await executor.executeTxs(request, { signal })
    state = nextState(state, signed, result)
    await blocks.saveBlocks([{ header: signed, data: item, state, stored: false }])
    await headers.append([signed], { saved: true })
    await data.append([item], { saved: true })
    roots.set(height, toHex(state.appHash))
  }
  return roots
}

/** What is wrong with a home of which so much should be there; nothing when all is as it should be. */
export async function faultsOf(
  home: KvHome,
  expected: { readonly height: number; readonly pruned: number; readonly statesPruned: number },
  roots: ReadonlyMap<number, string>,
): Promise<string[]> {
  const { blocks, headers, data, executor } = home
  const faults: string[] = []
  const same = (what: string, found: unknown, wanted: unknown): void => {
    if (found !== wanted) faults.push(`${what}: ${String(found)}, expected ${String(wanted)}`)
  }
  same('height', await blocks.height(), expected.height)
  same('pruned', blocks.prunedUpTo, expected.pruned)
  same('states pruned', blocks.statesPrunedUpTo, expected.statesPruned)
  for (const [name, store] of [
    ['headers', headers],
    ['data', data],
  ] as const) {
    same(`head of ${name}`, store.height, expected.height)
    same(`tail of ${name}`, store.tailHeight, expected.height === 0 ? 0 : expected.pruned + 1)
  }
  for (let height = 1; height <= expected.height + 3; height++) {
    const here = height > expected.pruned && height <= expected.height
    const block = await blocks.block(height)
    same(`block ${height}`, block?.header.header.height, here ? height : undefined)
    same(`header ${height}`, (await headers.at(height))?.header.height, here ? height : undefined)
    same(`data ${height}`, (await data.at(height))?.metadata?.height, here ? height : undefined)
    if (block !== undefined) same('index', await blocks.heightOf(headerHash(block.header.header)), height)
    const state = await blocks.stateAt(height)
    const stateHere = height > expected.statesPruned && height <= expected.height
    same(
      `root ${height}`,
      state === undefined ? undefined : toHex(state.appHash),
      stateHere ? roots.get(height) : undefined,
    )
  }
  same('executor', await executor.latestHeight({ signal }), expected.height)
  if (expected.height > 0) {
    same('root of the executor', toHex(await executor.stateRoot()), roots.get(expected.height))
    const recomputed = await executor.recomputedRoot()
    same('root of the entries', toHex(recomputed), roots.get(expected.height))
  }
  return faults
}
