import { describe, expect, test } from 'vitest'
import { makeExecutedChain } from '../../../test/support/executed-chain.ts'
import { beginLife, createWorld } from '../../../test/support/producer-rig.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { KEYS } from '../../store/keys.ts'
import { subKv } from '../../store/sub-kv.ts'
import { headerHash } from '../../types/header.ts'
import { EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import { createPendingRecord } from './pending-block.ts'

const chain = makeExecutedChain({ count: 4 })
const unsigned = (height: number) => {
  const { header, data } = chain.at(height)
  return { header: { ...header, signature: EMPTY_BYTES }, data }
}

describe('the record of the block under way', () => {
  test('comes back as it was, until it is removed', async () => {
    const kv = createMemoryKv()
    await kv.start()
    const record = createPendingRecord({ kv: subKv(kv, Uint8Array.of(KEYS.producer)) })
    expect(await record.load()).toBeUndefined()
    for (const height of [1, 2, 3]) {
      const pending = { block: unsigned(height), upTo: height * 2 ** 40 }
      await record.save(pending)
      const loaded = await record.load()
      expect(loaded).toEqual(pending)
      expect(loaded && headerHash(loaded.block.header.header)).toEqual(
        headerHash(pending.block.header.header),
      )
    }
    await kv.batch(record.removal())
    expect(await record.load()).toBeUndefined()
  })

  test.each([
    ['cut off', (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 5)],
    ['empty', () => EMPTY_BYTES],
    ['something else', () => utf8('not a record at all')],
  ])('is refused when it is %s', async (_, spoil) => {
    const kv = createMemoryKv()
    await kv.start()
    const part = subKv(kv, Uint8Array.of(KEYS.producer))
    const record = createPendingRecord({ kv: part })
    await record.save({ block: unsigned(2), upTo: 1 })
    const key = Uint8Array.of(0)
    const bytes = (await part.get(key)) ?? EMPTY_BYTES
    await part.batch([{ type: 'put', key, value: spoil(bytes) }])
    await expect(record.load()).rejects.toMatchObject({ code: 'PENDING_BLOCK_CORRUPT', verdict: 'halt' })
  })

  test('that was prepared beside the block before is gone after a stop, and its transactions wait', async () => {
    const world = createWorld()
    const life = await beginLife(world, { blockTime: 0 })
    await life.submit('a=1', 'b=2')
    await life.time.advance(3)
    await life.submit('c=3')
    await life.stop()
    const next = await beginLife(world, { blockTime: 3_600_000 })
    const record = createPendingRecord({ kv: subKv(next.kv, Uint8Array.of(KEYS.producer)) })
    expect(await record.load()).toBeUndefined()
    const inBlocks = (await next.chain()).flatMap(({ data }) => data.txs)
    expect(inBlocks.length + next.sequencer.size).toBe(3)
    expect(world.ledger?.height).toBe(next.producer.status().height)
    await next.stop()
  })

  test('that the chain has passed is let go of', async () => {
    const world = createWorld()
    const life = await beginLife(world)
    await life.time.advance(2_000)
    const [first] = await life.chain()
    await life.stop()
    if (first === undefined) throw new Error('there is a block')
    const next = await beginLife(world, {
      prepare: async ({ kv }) => {
        const record = createPendingRecord({ kv: subKv(kv, Uint8Array.of(KEYS.producer)) })
        await record.save({ block: first, upTo: 0 })
      },
    })
    const { height } = next.producer.status()
    await next.time.advance(3_000)
    expect(next.producer.status().height).toBeGreaterThan(height)
    await next.stop()
  })

  test('that is not the next block of this chain stops the start', async () => {
    const world = createWorld()
    const life = await beginLife(world)
    await life.time.advance(2_000)
    await life.stop()
    for (const height of [3, 4]) {
      const begun = beginLife(world, {
        prepare: async ({ kv, blockStore }) => {
          const record = createPendingRecord({ kv: subKv(kv, Uint8Array.of(KEYS.producer)) })
          const at = (await blockStore.height()) + height - 2
          const { header, data } = unsigned(height)
          const pending = { ...header, header: { ...header.header, height: at } }
          await record.save({ block: { header: pending, data }, upTo: 0 })
        },
      })
      await expect(begun).rejects.toMatchObject({ code: 'PENDING_BLOCK_MISFIT', verdict: 'halt' })
    }
  })
})
