import { afterEach, expect, test } from 'vitest'
import { makeChain } from '../../test/support/chain.ts'
import { createMemoryHub } from '../../test/support/memory-network.ts'
import type { BlockSave } from '../core/block-store.ts'
import { systemEnv } from '../core/env.ts'
import type { KvOp } from '../core/kv.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createProposers } from '../core/proposers.ts'
import { createBlockStore } from '../store/block-store.ts'
import { KEYS } from '../store/keys.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { createDataSyncService } from '../sync/data-service.ts'
import { createHeaderSyncService } from '../sync/header-service.ts'
import { headerHash } from '../types/header.ts'
import { initialState, nextState } from '../types/state.ts'
import { EMPTY_BYTES } from '../util/bytes.ts'
import { createPublish } from './publish.ts'

const { signal } = new AbortController()
// No block without transactions: data of such is derived, and whoever is first writes it.
const { genesis, blocks } = makeChain({ count: 12, txsAt: (height) => [Uint8Array.of(height)] })
const hub = createMemoryHub()
const stops: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

function block(height: number): (typeof blocks)[number] {
  const found = blocks[height - 1]
  if (found === undefined) throw new Error(`no block ${height}`)
  return found
}

/** A node as far as publishing goes; `written` counts what is put under the keys of headers and data. */
async function startNode(id: string) {
  const memory = createMemoryKv()
  let written = 0
  const kv = {
    ...memory,
    async batch(ops: readonly KvOp[], options?: { readonly sync?: boolean }) {
      written += ops.filter(({ key }) => key[0] === KEYS.headers || key[0] === KEYS.data).length
      await memory.batch(ops, options)
    },
  }
  const store = createBlockStore({ kv })
  const network = hub.node(id, { configured: [] })
  const proposers = createProposers(1, genesis.proposerAddress)
  const shared = { kv, network, genesis, env: systemEnv, logger: noopLogger, metrics: noopMetrics }
  const options = { blockTime: 1_000, aggregator: true }
  const headers = createHeaderSyncService({ ...shared, proposers }, options)
  const data = createDataSyncService({ ...shared, headers: headers.store() }, options)
  const parts = [kv, store, headers, data]
  for (const part of parts) await part.start()
  stops.push(async () => {
    for (const part of parts.toReversed()) await part.stop()
  })
  let state = initialState(genesis, EMPTY_BYTES)
  await store.saveState(state)
  return {
    store,
    headers,
    data,
    publish: createPublish({ blocks: store, headers, data, initialHeight: 1 }),
    written: () => written,
    async save(height: number) {
      const next = blocks[height]?.header.header.appHash ?? EMPTY_BYTES
      state = nextState(state, block(height).header, { stateRoot: next, nextProposerAddress: EMPTY_BYTES })
      const save: BlockSave = { ...block(height), state, stored: false }
      await store.saveBlocks([save])
    },
  }
}

test('a saved block goes to the stores without being written again, and to the peers', async () => {
  const node = await startNode('one')
  const peer = await startNode('its peer')
  hub.connect('one', 'its peer')
  for (let height = 1; height <= 5; height++) {
    await node.save(height)
    await node.publish([block(height)], { signal })
  }
  expect(node.written()).toBe(10)
  expect([node.headers.height, node.data.height]).toEqual([5, 5])
  const hash = headerHash(block(4).header.header)
  expect((await node.headers.store().get(hash))?.header.height).toBe(4)
  await peer.headers.store().waitFor(5, { signal })
  await peer.data.store().waitFor(5, { signal })
})

test('what could not be published before goes with the next block', async () => {
  const node = await startNode('another')
  for (let height = 1; height <= 6; height++) await node.save(height)
  await node.publish([block(6)], { signal })
  expect([node.headers.height, node.data.height]).toEqual([6, 6])
})

test('another block with our signature in its place is found out', async () => {
  const node = await startNode('a third')
  const [other] = makeChain({ count: 1, txsAt: () => [Uint8Array.of(99)] }).blocks
  if (other === undefined) throw new Error('no block')
  await node.headers.insert([other.header], { signal, broadcast: false })
  await node.save(1)
  await expect(node.publish([block(1)], { signal })).rejects.toMatchObject({
    code: 'FOREIGN_BLOCK',
    verdict: 'halt',
  })
})
