import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { noopLogger } from '../../core/logger.ts'
import type { ItemKind } from '../../core/header.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { decodeP2PData, encodeP2PData } from '../../types/codec.ts'
import { dataHash, type P2PData } from '../../types/data.ts'
import { createHeaderStore } from './kv-store.ts'

const kind: ItemKind<P2PData> = {
  name: 'dataSync',
  chainId: () => '',
  height: (item) => item.metadata?.height ?? 0,
  time: () => 0n,
  hash: dataHash,
  encode: encodeP2PData,
  decode: decodeP2PData,
  validate() {},
  verifyAdjacent() {},
}

test('with a limit, bytes are read up to the item that reaches it', async () => {
  const { blocks } = makeChain({
    count: 40,
    txsAt: (height) => (height % 3 === 0 ? [new Uint8Array(height * 10)] : []),
  })
  const kv = createMemoryKv()
  await kv.start()
  const store = createHeaderStore(
    { kv, kind, logger: noopLogger },
    { prefixes: { items: 1, hashes: 2, meta: 3 } },
  )
  await store.start()
  await store.append(blocks.map(({ data }) => data))
  const sizes = blocks.map(({ data }) => encodeP2PData(data).length)
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 41 }),
      fc.integer({ min: 1, max: 20_000 }),
      async (from, to, maxBytes) => {
        let sum = 0
        let expected = 0
        for (const size of sizes.slice(from - 1, Math.max(from, to) - 1)) {
          if (sum >= maxBytes) break
          sum += size
          expected++
        }
        const found = await store.rangeBytes(from, to, { maxBytes })
        expect(found.map(({ length }) => length)).toEqual(sizes.slice(from - 1, from - 1 + expected))
      },
    ),
  )
})
