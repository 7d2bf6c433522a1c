/*
 * Appends blocks to a store on disk and executes them, until it is killed or has no more: the victim of the torn
 * write tests. Writes each height to standard output once its block is saved.
 * Arguments: directory, number of blocks in the chain.
 */
import { writeSync } from 'node:fs'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createBlockStore } from '../../src/store/block-store.ts'
import { KEYS } from '../../src/store/keys.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { subKv } from '../../src/store/sub-kv.ts'
import { appendBlocks } from './saved-chain.ts'

const [path = '', count = ''] = process.argv.slice(2)
const kv = createLevelKv({ path })
await kv.start()
const store = createBlockStore({ kv })
await store.start()
const executor = createKvExecutor({ kv: subKv(kv, Uint8Array.of(KEYS.executor)) })
await appendBlocks({ store, executor }, Number(count), (height) => writeSync(1, `${height}\n`))
await kv.stop()
