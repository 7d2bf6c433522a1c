import { describe, expect, test } from 'vitest'
import { beginLife, createWorld, GENESIS_TIME } from '../../../test/support/producer-rig.ts'

const SECOND = 1_000_000_000n

describe('making blocks', () => {
  test('the first is due one block time after genesis and bears its time, the others follow', async () => {
    const life = await beginLife(createWorld())
    await life.time.advance(999)
    expect(life.producer.status()).toMatchObject({ phase: 'producing', height: 0, lastBlockTime: 0n })
    await life.submit('a=1', 'b=2')
    await life.time.advance(1)
    expect(life.producer.status().height).toBe(1)
    await life.time.advance(2_000)
    const blocks = await life.chain()
    expect(blocks.map(({ header }) => header.header.time)).toEqual([
      GENESIS_TIME,
      GENESIS_TIME + 2n * SECOND,
      GENESIS_TIME + 3n * SECOND,
    ])
    expect(blocks.map(({ data }) => data.txs.length)).toEqual([2, 0, 0])
    expect(life.sequencer.size).toBe(0)
    expect(life.world.published.size).toBe(3)
    expect(life.failure).toBeUndefined()
    await life.stop()
  })
})
