/*
 * Makes the home of a node that has followed a generated chain of empty blocks to its end: the chain's database, its
 * files shared where they never change, with the state after each block and the executor at the end.
 * Argument: a HomeOrder as JSON. Tells `{ made }`.
 */
import { copyFileSync, linkSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { KvOp } from '../../src/core/kv.ts'
import { heightOp as executorHeightOp, undoOp } from '../../src/execution/entry-store.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createBlockStore } from '../../src/store/block-store.ts'
import { KEYS } from '../../src/store/keys.ts'
import { heightOp, stateOp } from '../../src/store/records.ts'
import { subKv } from '../../src/store/sub-kv.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { initialState, nextState } from '../../src/types/state.ts'
import { EMPTY_BYTES } from '../../src/util/bytes.ts'
import type { HomeOrder } from '../store.ts'
import { openChain } from './chain-stores.ts'

const PAGE = 4_096
/** Blocks that the executor can undo. */
const UNDO_HEIGHTS = 1_024

const { chain, home }: HomeOrder = JSON.parse(process.argv[2] ?? '{}')
const { signal } = new AbortController()
const source = join(chain.home, 'data')
const target = join(home, 'data')
mkdirSync(target, { recursive: true })
for (const name of readdirSync(source)) {
  if (name === 'LOCK') continue
  const share = name.endsWith('.ldb') ? linkSync : copyFileSync
  share(join(source, name), join(target, name))
}

const stores = await openChain(home)
const { kv } = stores
const genesis = parseGenesis(chain.genesis)
const executorKv = subKv(kv, Uint8Array.of(KEYS.executor))
const root = await createKvExecutor({ kv: executorKv }).initChain(
  { time: genesis.startTime, initialHeight: genesis.initialHeight, chainId: genesis.chainId },
  { signal },
)
const blocks = createBlockStore({ kv })
await blocks.start()
let state = initialState(genesis, root)
await blocks.saveState(state)
await blocks.stop()
for (let from = 1; from <= chain.blocks; from += PAGE) {
  const ops: KvOp[] = []
  for (const header of await stores.headers.range(from, Math.min(from + PAGE, chain.blocks + 1))) {
    state = nextState(state, header, { stateRoot: root, nextProposerAddress: EMPTY_BYTES })
    ops.push(stateOp(state))
  }
  await kv.batch([...ops, heightOp(state.lastBlockHeight)])
}
const executorOps: KvOp[] = [executorHeightOp(chain.blocks)]
for (let height = Math.max(1, chain.blocks - UNDO_HEIGHTS + 1); height <= chain.blocks; height++) {
  executorOps.push(undoOp(height, []))
}
await kv.batch(executorKv.whole(executorOps), { sync: true })
await stores.stop()
process.send?.({ made: true })
process.once('disconnect', () => process.exit())
