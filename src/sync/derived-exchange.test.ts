import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { makeChain } from '../../test/support/chain.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { Exchange, FetchedRange } from '../core/header.ts'
import { noopLogger } from '../core/logger.ts'
import { createHeaderStore } from '../header/store/kv-store.ts'
import { KEYS } from '../store/keys.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import type { P2PData } from '../types/data.ts'
import { dataHash } from '../types/data.ts'
import { toHex } from '../util/bytes.ts'
import { createDerivedExchange } from './derived-exchange.ts'
import { dataKind, headerKind } from './kinds.ts'

const signal = new AbortController().signal

/** A chain whose blocks have a transaction at `heights`, its headers stored, and a peer that has all data. */
async function setUp(
  count: number,
  heights: ReadonlySet<number>,
  { pieceSize = 64, gossipPatience = 0 } = {},
) {
  const virtual = createVirtualEnv()
  const { genesis, blocks } = makeChain({
    count,
    txsAt: (height) => (heights.has(height) ? [Uint8Array.of(height % 256, 1)] : []),
  })
  const kv = createMemoryKv()
  await kv.start()
  const headers = createHeaderStore(
    { kv, kind: headerKind, logger: noopLogger },
    { prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta } },
  )
  const data = createHeaderStore(
    { kv, kind: dataKind, logger: noopLogger },
    { prefixes: { items: KEYS.data, hashes: KEYS.dataHashes, meta: KEYS.dataMeta } },
  )
  await headers.start()
  await data.start()
  await headers.append(blocks.map(({ header }) => header))
  const asked: [from: number, to: number][] = []
  const peer: Exchange<P2PData> = {
    start: async () => {},
    stop: async () => {},
    head: async () => undefined,
    get: async () => {
      throw new Error('not asked here')
    },
    at: async (height) => {
      asked.push([height, height + 1])
      return blocks[height - 1]?.data ?? { txs: [] }
    },
    async *range(from, to): AsyncGenerator<FetchedRange<P2PData>> {
      asked.push([from, to])
      for (let start = from; start < to; start += pieceSize) {
        const items = blocks.slice(start - 1, Math.min(start + pieceSize, to) - 1).map((block) => block.data)
        yield { items, peer: 'peer', blame() {} }
      }
    },
  }
  const exchange = createDerivedExchange(
    { exchange: peer, headers, data, env: virtual.env },
    { initialHeight: genesis.initialHeight, gossipPatience },
  )
  return { blocks, asked, exchange, data, headers, virtual }
}

async function collect(pieces: AsyncIterable<FetchedRange<P2PData>>): Promise<string[]> {
  const hashes: string[] = []
  for await (const { items } of pieces) hashes.push(...items.map((item) => toHex(dataHash(item))))
  return hashes
}

describe('data from headers', () => {
  test('empty blocks are derived, byte for byte, and no peer is asked', async () => {
    const { blocks, asked, exchange } = await setUp(300, new Set())
    const hashes = await collect(exchange.range(1, 301, { signal }))
    expect(hashes).toEqual(blocks.map(({ data }) => toHex(dataHash(data))))
    expect(asked).toEqual([])
  })

  test('only what lies around transactions is asked', async () => {
    const { blocks, asked, exchange } = await setUp(2_000, new Set([500, 510, 1_500]))
    const hashes = await collect(exchange.range(1, 2_001, { signal }))
    expect(hashes).toEqual(blocks.map(({ data }) => toHex(dataHash(data))))
    expect(asked).toEqual([
      [500, 511],
      [1_500, 1_501],
    ])
  })

  test('nothing above the headers is asked', async () => {
    const { exchange } = await setUp(10, new Set([10]))
    expect(await collect(exchange.range(1, 1_000, { signal }))).toHaveLength(10)
  })

  test('one height is derived when it can be', async () => {
    const { blocks, asked, exchange, data } = await setUp(5, new Set([4]))
    expect(await exchange.at(1, { signal })).toEqual(blocks[0]?.data)
    expect(asked).toEqual([])
    await exchange.at(4, { signal })
    await exchange.at(3, { signal })
    expect(asked).toEqual([
      [4, 5],
      [3, 4],
    ])
    await data.append(blocks.slice(0, 2).map((block) => block.data))
    expect(await exchange.at(3, { signal })).toEqual(blocks[2]?.data)
    expect(asked).toHaveLength(2)
  })

  test('a peer whose answer ends early ends the range there', async () => {
    const { exchange, asked } = await setUp(100, new Set([20, 60]))
    const pieces = exchange.range(1, 101, { signal })
    const seen: number[] = []
    for await (const { items } of pieces) {
      seen.push(...items.map((item) => dataKind.height(item)))
      if (seen.includes(20)) break
    }
    expect(seen.at(-1)).toBe(20)
    expect(asked.length).toBeGreaterThan(0)
  })

  test('at the tip gossip has its time before a peer is asked', async () => {
    const { exchange, asked, virtual } = await setUp(5, new Set([5]), { gossipPatience: 250 })
    const hashes = collect(exchange.range(1, 6, { signal }))
    await virtual.advance(249)
    expect(asked).toEqual([])
    await virtual.advance(1)
    expect(await hashes).toHaveLength(5)
    expect(asked).toEqual([[5, 6]])
  })

  test('any pattern of empty and full blocks, from any height, gives the chain', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 120 }), { maxLength: 60 }),
        fc.integer({ min: 0, max: 119 }),
        fc.integer({ min: 1, max: 64 }),
        async (heights, stored, pieceSize) => {
          const { blocks, exchange, data } = await setUp(120, new Set(heights), { pieceSize })
          await data.append(blocks.slice(0, stored).map((block) => block.data))
          const hashes = await collect(exchange.range(stored + 1, 121, { signal }))
          expect(hashes).toEqual(blocks.slice(stored).map((block) => toHex(dataHash(block.data))))
        },
      ),
      { numRuns: 30 },
    )
  })
})
