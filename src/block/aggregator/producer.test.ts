import { describe, expect, test } from 'vitest'
import { beginLife, createWorld, GENESIS_TIME, type Life } from '../../../test/support/producer-rig.ts'
import { addressOf, SEEDS } from '../../../test/support/executed-chain.ts'
import { systemEnv } from '../../core/env.ts'
import { EMPTY_BYTES, toHex, utf8 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { validateHeader } from '../../types/validate.ts'
import { headerHash } from '../../types/header.ts'
import type { AppliedBlock } from '../../core/applied-block.ts'
import { BLOCK_METRICS } from '../metrics.ts'
import { PRODUCER_METRICS } from './metrics.ts'

const SECOND = 1_000_000_000n

/** Times of the blocks, in milliseconds after genesis. */
async function times(life: Life): Promise<number[]> {
  const blocks = await life.chain()
  return blocks.map(({ header }) => Number((header.header.time - GENESIS_TIME) / 1_000_000n))
}

describe('making blocks', () => {
  test('the first is due one block time after genesis and bears its time, the others follow', async () => {
    const life = await beginLife(createWorld())
    await life.time.advance(999)
    expect(life.producer.status()).toMatchObject({ phase: 'producing', height: 0, lastBlockTime: 0n })
    await life.submit('a=1', 'b=2')
    await life.time.advance(1)
    expect(life.producer.status().height).toBe(1)
    await life.time.advance(2_000)
    expect(await times(life)).toEqual([0, 2_000, 3_000])
    const blocks = await life.chain()
    expect(blocks.map(({ data }) => data.txs.length)).toEqual([2, 0, 0])
    for (const { header } of blocks) validateHeader(header)
    expect(life.sequencer.size).toBe(0)
    expect(await life.executor.get(utf8('b'))).toEqual(utf8('2'))
    expect(life.world.published.size).toBe(3)
    const [, , last] = blocks
    expect(life.producer.status()).toEqual({
      phase: 'producing',
      height: 3,
      lastBlockTime: GENESIS_TIME + 3n * SECOND,
      stateRoot: await life.executor.stateRoot(),
      lastHeaderHash: last === undefined ? EMPTY_BYTES : headerHash(last.header.header),
      lastError: undefined,
    })
    await life.stop()
    expect(life.producer.status().phase).toBe('stopped')
    expect(life.world.misuses).toEqual([])
  })

  test('tells listeners, metrics, and whoever offered the transactions', async () => {
    const committed: string[] = []
    const life = await beginLife(createWorld(), {
      committed: (txs) => {
        committed.push(...txs.map((tx) => new TextDecoder().decode(tx)))
        throw new Error('a listener that fails')
      },
    })
    const told: AppliedBlock[] = []
    const leave = life.producer.onBlock((block) => told.push(block))
    await life.submit('a=1', 'b=22')
    await life.time.advance(1_000)
    leave()
    await life.time.advance(1_000)
    expect(told).toEqual([
      {
        height: 1,
        txs: 2,
        time: GENESIS_TIME,
        hash: expect.any(Uint8Array),
        stateRoot: expect.any(Uint8Array),
        source: 'producer',
      },
    ])
    expect(committed).toEqual(['a=1', 'b=22'])
    const { recorder } = life
    expect(recorder.value(BLOCK_METRICS.height)).toBe(2)
    expect(recorder.value(PRODUCER_METRICS.latestBlockHeight)).toBe(2)
    expect(recorder.value(PRODUCER_METRICS.totalTxs)).toBe(2)
    expect(recorder.value(PRODUCER_METRICS.txs)).toBe(0)
    expect(recorder.value(PRODUCER_METRICS.blockSize)).toBe(0)
    await life.stop()
  })

  test('waits for a genesis in the future', async () => {
    const startTime = GENESIS_TIME + 7_200n * SECOND
    const life = await beginLife(createWorld({ startTime, initialHeight: 5 }))
    await life.time.advance(7_199_999)
    expect(life.producer.status()).toMatchObject({ phase: 'waiting-genesis', height: 4 })
    await life.time.advance(1)
    expect(life.producer.status()).toMatchObject({ phase: 'producing', height: 4 })
    await life.time.advance(1_000)
    expect(life.producer.status()).toMatchObject({ height: 5, lastBlockTime: startTime })
    await life.stop()
  })

  test('a genesis long past: at once, then in step', async () => {
    const world = createWorld()
    world.now = GENESIS_TIME + 86_400n * SECOND
    const life = await beginLife(world)
    await life.time.advance(1)
    expect(life.producer.status()).toMatchObject({ height: 1, lastBlockTime: GENESIS_TIME })
    await life.time.advance(1_000)
    expect(life.producer.status().height).toBe(2)
    await life.stop()
  })

  test('a late block does not delay those after it', async () => {
    const life = await beginLife(createWorld())
    await life.time.advance(1_000)
    const hold = Promise.withResolvers<void>()
    life.hold = async (call) => (call === 'execute' ? await hold.promise : undefined)
    await life.time.advance(2_300)
    life.hold = undefined
    hold.resolve()
    await life.time.advance(1_700)
    // The second is begun at 2000 and takes until 3300; the fourth is in step again.
    expect(await times(life)).toEqual([0, 2_000, 3_301, 4_000, 5_000])
    await life.stop()
  })

  test('after a long delay there is one block, not one for each that was missed', async () => {
    const life = await beginLife(createWorld())
    const hold = Promise.withResolvers<void>()
    life.hold = async (call) => (call === 'execute' ? await hold.promise : undefined)
    await life.time.advance(60_000)
    life.hold = undefined
    hold.resolve()
    await life.time.advance(2_000)
    expect((await times(life)).length).toBeLessThanOrEqual(4)
    await life.stop()
  })

  test('block time 0: one after the other, and others get their turn', async () => {
    const life = await beginLife(createWorld(), { blockTime: 0 })
    await life.time.advance(50)
    expect(life.producer.status().height).toBe(50)
    await life.stop()

    const real = await beginLife(createWorld(), { blockTime: 0, env: systemEnv })
    const reached = Promise.withResolvers<void>()
    real.producer.onBlock(({ height }) => (height === 20 ? reached.resolve() : undefined))
    await reached.promise
    await real.stop()
  })

  test('starts and stops in any order, and goes on where it was', async () => {
    const world = createWorld()
    const life = await beginLife(world)
    await life.time.advance(2_500)
    const [first, second] = await life.chain()
    await Promise.all([
      life.producer.stop(),
      life.producer.stop(),
      life.producer.start(),
      life.producer.start(),
    ])
    await life.time.advance(500)
    await life.stop()
    const next = await beginLife(world)
    await next.time.advance(5_000)
    expect((await next.chain()).slice(0, 2)).toMatchObject([first, second])
    expect(next.producer.status().height).toBeGreaterThan(5)
    await next.stop()
    await next.producer.stop()
    expect(world.misuses).toEqual([])
  })

  test('stopping lets the block under way be finished, and nothing is signed afterwards', async () => {
    const life = await beginLife(createWorld())
    const hold = Promise.withResolvers<void>()
    life.hold = async (call) => (call === 'sign' ? await hold.promise : undefined)
    await life.time.advance(1_000)
    const stopped = life.producer.stop()
    await life.time.advance(100)
    hold.resolve()
    await stopped
    expect(life.producer.status().height).toBe(1)
    expect(life.world.published.size).toBe(1)
    const { length } = life.calls
    await life.time.advance(10_000)
    expect(life.calls.length).toBe(length)
    await life.stop()
  })

  test.each(['batch', 'reserve', 'execute', 'sign', 'publish'] as const)(
    'stopping does not wait for ever for %s',
    async (stuck) => {
      const life = await beginLife(createWorld())
      const hold = Promise.withResolvers<void>()
      await life.time.advance(999)
      life.hold = async (call) => (call === stuck ? await hold.promise : undefined)
      await life.time.advance(1)
      let over = false
      const stopped = life.producer.stop().then(() => {
        over = true
      })
      await life.time.advance(5_000)
      // A write that was handed to the database is waited for.
      expect(over).toBe(stuck !== 'batch')
      hold.resolve()
      await life.time.advance(5_000)
      await stopped
      expect(life.world.signed.size).toBe(stuck === 'publish' || stuck === 'sign' ? 1 : 0)
      life.hold = undefined
      await life.producer.start()
      await life.time.advance(3_000)
      expect(life.producer.status().height).toBeGreaterThan(2)
      for (const hashes of life.world.signed.values()) expect(hashes.size).toBe(1)
      expect(life.world.misuses).toEqual([])
      await life.stop()
    },
  )
})

describe('lazy mode', () => {
  const lazy = { lazyMode: true, lazyBlockInterval: 10_000 }

  test('without transactions a block comes every interval', async () => {
    const life = await beginLife(createWorld(), lazy)
    await life.time.advance(30_000)
    expect(await times(life)).toEqual([0, 20_000, 30_000])
    await life.stop()
  })

  test('transactions are in the next beat of the block time', async () => {
    const life = await beginLife(createWorld(), lazy)
    await life.time.advance(10_300)
    await life.submit('a=1')
    await life.time.advance(699)
    expect(life.producer.status().height).toBe(1)
    await life.time.advance(1)
    expect(life.producer.status().height).toBe(2)
    await life.time.advance(3_500)
    await life.submit('a=2')
    await life.submit('a=3')
    await life.time.advance(500)
    expect(life.producer.status().height).toBe(3)
    // The interval counts from the last block.
    await life.time.advance(9_999)
    expect(life.producer.status().height).toBe(3)
    await life.time.advance(1)
    expect(await times(life)).toEqual([0, 11_000, 15_000, 25_000])
    expect((await life.chain()).map(({ data }) => data.txs.length)).toEqual([0, 1, 2, 0])
    await life.stop()
  })

  test('what waited before the start, or found no room, comes in the next beats', async () => {
    const life = await beginLife(createWorld(), {
      ...lazy,
      maxBlockBytes: 1_200,
      prepare: async (begun) => await begun.submit('a='.padEnd(100, 'x'), 'b='.padEnd(100, 'x'), 'c=1'),
    })
    await life.time.advance(3_000)
    expect(await times(life)).toEqual([0, 2_000])
    expect((await life.chain()).map(({ data }) => data.txs.length)).toEqual([1, 2])
    await life.stop()
  })
})

describe('the pause', () => {
  test('comes when too many blocks wait for DA, is said once, and ends by itself', async () => {
    const life = await beginLife(createWorld(), { maxPending: 3 })
    const { producer, recorder } = life
    producer.onBlock(() => {
      life.pendingDa++
    })
    await life.time.advance(10_000)
    expect(producer.status()).toMatchObject({ phase: 'paused-da', height: 3, lastError: undefined })
    producer.wake()
    await life.submit('a=1')
    await life.time.advance(10_000)
    expect(producer.status()).toMatchObject({ phase: 'paused-da', height: 3 })
    expect(recorder.value(PRODUCER_METRICS.paused)).toBe(1)
    expect(recorder.lines.filter((line) => line.includes('production pauses'))).toHaveLength(1)
    life.pendingDa = 1
    producer.wake()
    await life.time.advance(1)
    expect(producer.status().height).toBe(4)
    await life.time.advance(3_000)
    expect(producer.status()).toMatchObject({ phase: 'paused-da', height: 5 })
    expect(recorder.times('info: production goes on')).toBe(1)
    await life.stop()
  })

  test('does not happen without a limit', async () => {
    const life = await beginLife(createWorld())
    life.pendingDa = 1_000_000
    await life.time.advance(3_000)
    expect(life.producer.status().height).toBe(3)
    await life.stop()
  })
})

describe('a clock that steps', () => {
  test('back: blocks go on in step, each a nanosecond later than the last', async () => {
    const life = await beginLife(createWorld())
    await life.time.advance(3_000)
    life.step(-3_600_000)
    await life.time.advance(3_000)
    const stepped = (await life.chain()).map(({ header }) => header.header.time - GENESIS_TIME)
    expect(stepped.slice(2)).toEqual([3n * SECOND, 3n * SECOND + 1n, 3n * SECOND + 2n, 3n * SECOND + 3n])
    expect(life.recorder.lines.filter((line) => line.startsWith('warn: the clock is behind'))).toHaveLength(1)
    life.step(3_600_000)
    await life.time.advance(1_000)
    expect((await times(life)).at(-1)).toBe(7_000)
    await life.stop()
  })

  test('forward: no block is hurried', async () => {
    const life = await beginLife(createWorld())
    await life.time.advance(2_000)
    life.step(86_400_000)
    await life.time.advance(2_000)
    expect(await times(life)).toEqual([0, 2_000, 86_403_000, 86_404_000])
    await life.stop()
  })

  test('back before a start: the next block comes after one block time', async () => {
    const world = createWorld()
    const first = await beginLife(world)
    await first.time.advance(3_000)
    await first.stop()
    world.now -= 3_600n * SECOND
    // Later than genesis, or genesis would be waited for.
    world.now = world.now < GENESIS_TIME ? GENESIS_TIME : world.now
    const next = await beginLife(world)
    const before = next.producer.status().height
    await next.time.advance(1_000)
    expect(next.producer.status().height).toBe(before + 1)
    await next.stop()
  })
})

describe('what ends the production', () => {
  const halt = (): EvolveError => new EvolveError('FOREIGN_BLOCK', 'seen elsewhere', { verdict: 'halt' })

  test('being told so: nothing more is signed, not even the block under way', async () => {
    const life = await beginLife(createWorld())
    await life.time.advance(1_000)
    const hold = Promise.withResolvers<void>()
    life.hold = async (call) => (call === 'reserve' ? await hold.promise : undefined)
    await life.time.advance(1_000)
    life.producer.halt(halt())
    life.producer.halt(new EvolveError('OTHER', 'later'))
    hold.resolve()
    await life.time.advance(10_000)
    expect(life.world.signed.size).toBe(1)
    expect(life.failure).toMatchObject({ code: 'FOREIGN_BLOCK' })
    expect(life.producer.status()).toMatchObject({ phase: 'halted', height: 1, lastError: 'seen elsewhere' })
    expect(life.recorder.value(BLOCK_METRICS.halted)).toBe(1)
    await life.producer.stop()
    await expect(life.producer.start()).rejects.toMatchObject({ code: 'FOREIGN_BLOCK' })
    await life.stop()
  })

  test('being told so while a block is saved: peers are not given it', async () => {
    const life = await beginLife(createWorld())
    await life.time.advance(1_000)
    const hold = Promise.withResolvers<void>()
    life.hold = async (call) => {
      if (call === 'batch' && life.world.signed.size === 2) await hold.promise
    }
    await life.time.advance(1_000)
    life.producer.halt(halt())
    hold.resolve()
    await life.time.settle()
    expect(await life.blockStore.height()).toBe(2)
    expect(life.world.published.size).toBe(1)
    await life.stop()
  })

  test('a header of ours that we did not make: before a block is begun, and before it is signed', async () => {
    const early = await beginLife(createWorld())
    await early.time.advance(1_000)
    early.world.headerHeight = 2
    await early.time.advance(1_000)
    expect(early.failure).toMatchObject({ code: 'FOREIGN_BLOCK', verdict: 'halt' })
    expect(early.world.signed.size).toBe(1)
    expect(early.world.ledger?.height).toBe(1)
    await early.stop()

    const late = await beginLife(createWorld())
    await late.time.advance(1_000)
    late.hold = async (call) => {
      if (call === 'execute') late.world.headerHeight = 2
    }
    await late.time.advance(1_000)
    expect(late.failure).toMatchObject({ code: 'FOREIGN_BLOCK' })
    expect(late.world.signed.size).toBe(1)
    await late.stop()
  })

  test("a publication that says so, and no other's", async () => {
    const life = await beginLife(createWorld())
    let verdict: 'retry' | 'halt' = 'retry'
    life.hold = async (call) => {
      if (call === 'publish') throw new EvolveError('CONFLICTING_ITEM', 'another one', { verdict })
    }
    await life.time.advance(2_000)
    expect(life.producer.status()).toMatchObject({ phase: 'producing', height: 2 })
    expect(life.recorder.times('warn: publishing a block failed')).toBe(2)
    verdict = 'halt'
    await life.time.advance(1_000)
    expect(life.failure).toMatchObject({ code: 'CONFLICTING_ITEM' })
    await life.stop()
  })

  test('a publication that does not end is given up, and production goes on', async () => {
    const life = await beginLife(createWorld(), { publishTimeout: 300 })
    life.hold = async (call) => (call === 'publish' ? await Promise.withResolvers<void>().promise : undefined)
    await life.time.advance(3_000)
    expect(life.producer.status().height).toBe(3)
    await life.stop()
  })

  test('an executor that fails for good', async () => {
    const life = await beginLife(createWorld(), { execution: { attempts: 2, attemptDelay: 100 } })
    life.hold = async (call) => {
      if (call === 'execute') throw new Error('cannot')
    }
    await life.time.advance(2_000)
    expect(life.failure).toMatchObject({ code: 'EXECUTION_FAILED' })
    expect(life.world.signed.size).toBe(0)
    await life.stop()
  })

  test('another proposer named by execution', async () => {
    const life = await beginLife(createWorld(), {
      executor: (executor) => ({
        ...executor,
        executeTxs: async (request, options) => ({
          ...(await executor.executeTxs(request, options)),
          nextProposerAddress: request.height === 2 ? addressOf(SEEDS.second) : EMPTY_BYTES,
        }),
      }),
    })
    await life.time.advance(5_000)
    expect(life.failure).toMatchObject({ code: 'NOT_PROPOSER', verdict: 'halt' })
    expect(life.producer.status().height).toBe(2)
    expect(life.world.published.size).toBe(2)
    await life.stop()
  })

  test.each([
    ['of another key', async () => SEEDS.second],
    ['that is none', async () => EMPTY_BYTES],
  ])('a signature %s', async (_, sign) => {
    const life = await beginLife(createWorld(), { signer: (signer) => ({ ...signer, sign }) })
    await life.time.advance(1_000)
    expect(life.failure).toMatchObject({ code: 'INVALID_OWN_SIGNATURE' })
    expect(life.producer.status().height).toBe(0)
    await life.stop()
  })
})

describe('what is waited out', () => {
  test('an executor that cannot be reached: for as long as it takes', async () => {
    const life = await beginLife(createWorld())
    await life.time.advance(1_000)
    life.hold = async (call) => {
      if (call === 'execute') throw new EvolveError('EXECUTOR_UNREACHABLE', 'no answer', { verdict: 'retry' })
    }
    await life.time.advance(3_600_000)
    expect(life.producer.status()).toMatchObject({ phase: 'waiting-executor', height: 1 })
    expect(life.failure).toBeUndefined()
    life.hold = undefined
    await life.time.advance(12_000)
    expect(life.producer.status().phase).toBe('producing')
    expect(life.producer.status().height).toBeGreaterThan(1)
    await life.stop()
  })

  test.each(['batch', 'reserve', 'sign'] as const)('a failing %s, said in the status', async (broken) => {
    const life = await beginLife(createWorld())
    await life.time.advance(1_000)
    life.hold = async (call) => {
      if (call === broken) throw new EvolveError('STORE_IO', 'the disk is full', { verdict: 'retry' })
    }
    // The executor's own writes fail the execution; it is asked again after 10 s.
    await life.time.advance(5_000)
    expect(life.producer.status()).toMatchObject({
      phase: 'producing',
      height: 1,
      lastError: 'the disk is full',
    })
    life.hold = undefined
    await life.time.advance(20_000)
    expect(life.producer.status().height).toBeGreaterThan(2)
    expect(life.producer.status().lastError).toBeUndefined()
    expect(life.failure).toBeUndefined()
    expect(life.world.misuses).toEqual([])
    await life.stop()
  })
})

describe('who may make the next block', () => {
  test('nobody but the proposer', async () => {
    const world = { ...createWorld(), seed: SEEDS.second }
    await expect(beginLife(world)).rejects.toMatchObject({ code: 'NOT_PROPOSER', verdict: 'halt' })
  })

  test('not who lost the database but kept the ledger', async () => {
    const world = createWorld()
    const life = await beginLife(world)
    await life.time.advance(3_000)
    await life.stop()
    const { ledger } = world
    const lost = { ...createWorld(), ledger, headerHeight: 3 }
    await expect(beginLife(lost)).rejects.toMatchObject({
      code: 'LEDGER_AHEAD',
      verdict: 'halt',
      message: expect.stringContaining('signed height 3'),
    })
    // One block ahead, and that block is not known.
    const near = { ...createWorld(), ledger: { height: 1, hash: new Uint8Array(32) } }
    await expect(beginLife(near)).rejects.toMatchObject({ code: 'LEDGER_AHEAD' })
  })

  test('not who has another block than the one it signed', async () => {
    const world = createWorld()
    const life = await beginLife(world)
    await life.time.advance(2_000)
    await life.stop()
    world.ledger = { height: 2, hash: new Uint8Array(32) }
    await expect(beginLife(world)).rejects.toMatchObject({ code: 'LEDGER_CONFLICT', verdict: 'halt' })
  })

  test('who lost the ledger but kept the database', async () => {
    const world = createWorld()
    const life = await beginLife(world)
    await life.time.advance(3_000)
    await life.stop()
    const height = life.producer.status().height
    world.ledger = undefined
    const next = await beginLife(world)
    await next.time.advance(2_000)
    expect(next.producer.status().height).toBeGreaterThan(height)
    expect(world.ledger).toMatchObject({ height: next.producer.status().height })
    for (const [, hashes] of world.signed) expect(hashes.size).toBe(1)
    await next.stop()
  })

  test('not who finds a header above its chain', async () => {
    const world = { ...createWorld(), headerHeight: 1 }
    const life = await beginLife(world)
    await life.time.advance(1_000)
    expect(life.failure).toMatchObject({ code: 'FOREIGN_BLOCK' })
    expect(world.signed.size).toBe(0)
    await life.stop()
  })

  test('a block that peers were not given is published at the start', async () => {
    const world = createWorld()
    const life = await beginLife(world)
    await life.time.advance(2_000)
    await life.stop()
    world.published.delete(2)
    world.headerHeight = 1
    const next = await beginLife(world, { blockTime: 60_000 })
    expect([...world.published.keys()]).toEqual([1, 2])
    expect(toHex(next.producer.status().lastHeaderHash)).toBe([...(world.signed.get(2) ?? [])][0])
    await next.stop()
  })
})
