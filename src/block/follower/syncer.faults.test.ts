import { describe, expect, test } from 'vitest'
import {
  eventOf,
  forge,
  makeExecutedChain,
  SEEDS,
  spoilSignature,
} from '../../../test/support/executed-chain.ts'
import { startRig } from '../../../test/support/follower-rig.ts'
import type { HeightEvent } from '../../core/block-source.ts'
import type { Block } from '../../core/block-store.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { decodeSignedHeader } from '../../types/codec.ts'
import { headerHash } from '../../types/header.ts'
import { EMPTY_BYTES, toHex, utf8 } from '../../util/bytes.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { BLOCK_METRICS } from '../metrics.ts'
import { evidenceKey } from './equivocation.ts'

const unreachable = (): EvolveError =>
  new EvolveError('EXECUTOR_UNREACHABLE', 'no answer', { verdict: 'retry' })

/** An event whose rejection is noted. */
function watched(block: Block, codes: string[], more: Partial<HeightEvent> = {}): HeightEvent {
  return eventOf(block, {
    rejected: async (reason) => {
      codes.push(isEvolveError(reason) ? reason.code : 'none')
    },
    ...more,
  })
}

describe('wrong blocks', () => {
  const chain = makeExecutedChain({ count: 4 })
  const next = chain.at(2)
  const changed = (header: Block['header']): Block => {
    const { chainId, height, time } = header.header
    return { header, data: { ...next.data, metadata: { chainId, height, time, lastDataHash: EMPTY_BYTES } } }
  }

  test.each<[string, Block, string]>([
    ['a spoilt signature', { ...next, header: spoilSignature(next.header) }, 'INVALID_SIGNATURE'],
    ['a wrong proposer', changed(forge(next.header, {}, SEEDS.stranger)), 'UNEXPECTED_PROPOSER'],
    ['another chain', changed(forge(next.header, { chainId: 'other' })), 'WRONG_CHAIN_ID'],
    ['an old time', changed(forge(next.header, { time: 1n })), 'UNORDERED_TIME'],
    ['other transactions', { ...next, data: { ...next.data, txs: [utf8('x')] } }, 'DATA_MISMATCH'],
    ['no metadata', { ...next, data: { txs: next.data.txs } }, 'INVALID_DATA'],
    [
      "a stranger's app hash",
      changed(forge(next.header, { appHash: EMPTY_BYTES }, SEEDS.stranger)),
      'UNEXPECTED_PROPOSER',
    ],
    [
      "a stranger's link",
      changed(forge(next.header, { lastHeaderHash: EMPTY_BYTES }, SEEDS.stranger)),
      'UNEXPECTED_PROPOSER',
    ],
  ])('%s: dropped, its source told, the next honest one taken', async (_, wrong, code) => {
    for (const early of [false, true]) {
      const rig = await startRig(chain)
      const codes: string[] = []
      if (early) await rig.offer(watched(wrong, codes))
      await rig.offer(eventOf(chain.at(1)))
      if (!early) await rig.offer(watched(wrong, codes))
      expect(codes).toEqual([code])
      expect(rig.recorder.value(BLOCK_METRICS.blocksRejected)).toBe(1)
      await rig.offer(eventOf(next), eventOf(chain.at(3)))
      expect(rig.follower.status()).toMatchObject({ phase: 'following', height: 3, stateRoot: chain.root(3) })
      expect(rig.failure).toBeUndefined()
      expect(rig.executor.misuses).toEqual([])
      await rig.stop()
    }
  })

  test('a copy with a bad signature does not take the place of the real one', async () => {
    const rig = await startRig(chain)
    await rig.offer(
      eventOf({ ...chain.at(3), header: spoilSignature(chain.at(3).header) }),
      eventOf(chain.at(3)),
      eventOf({ ...next, header: spoilSignature(next.header) }),
      eventOf(next),
      eventOf(chain.at(1)),
    )
    expect(rig.follower.status().height).toBe(3)
    await rig.stop()
  })

  test('no other block is taken before the source has forgotten the wrong one', async () => {
    const rig = await startRig(chain)
    const gate = Promise.withResolvers<void>()
    const wrong = eventOf({ ...chain.at(1), data: { txs: [] } }, { rejected: async () => await gate.promise })
    await rig.offer(wrong, eventOf(chain.at(1)))
    expect(rig.follower.status().height).toBe(0)
    gate.resolve()
    await rig.time.settle()
    expect(rig.follower.status().height).toBe(1)
    await rig.stop()
  })

  test('a source that fails to be told stops nobody', async () => {
    const rig = await startRig(chain)
    const failing = { rejected: async () => await Promise.reject(new Error('busy')) }
    await rig.offer(eventOf({ ...chain.at(1), data: { txs: [] } }, failing), eventOf(chain.at(1)))
    expect(rig.follower.status().height).toBe(1)
    expect(rig.recorder.times('error: telling the source of a wrong block failed')).toBe(1)
    await rig.stop()
  })
})

describe('what ends the following', () => {
  const chain = makeExecutedChain({ count: 4 })

  test('a link to another block by the proposer', async () => {
    const rig = await startRig(chain)
    const found = new Uint8Array(32).fill(0xab)
    const { header, data } = chain.at(2)
    await rig.offer(
      eventOf(chain.at(1)),
      eventOf({ header: forge(header, { lastHeaderHash: found }), data }),
      eventOf(chain.at(2)),
    )
    const expected = toHex(headerHash(chain.at(1).header.header))
    expect(rig.failure).toMatchObject({
      code: 'LAST_HEADER_HASH_MISMATCH',
      verdict: 'halt',
      data: { height: 2, expected, found: toHex(found) },
    })
    expect(rig.recorder.value(BLOCK_METRICS.halted)).toBe(1)
    expect(rig.follower.status()).toMatchObject({
      phase: 'halted',
      height: 1,
      lastError: rig.failure?.message,
    })
    await rig.stop()
    expect(rig.follower.status().phase).toBe('stopped')
  })

  test('an executor that came to another root, found at the next block', async () => {
    const rig = await startRig(chain, {
      prepare: ({ executor }) => {
        executor.distort = (height, root) => (height === 2 ? new Uint8Array(32).fill(0xcd) : root)
      },
    })
    await rig.offer(...chain.blocks.map((block) => eventOf(block)))
    expect(rig.failure).toMatchObject({
      code: 'APP_HASH_MISMATCH',
      data: { height: 3, expected: 'cd'.repeat(32), found: toHex(chain.root(2)) },
    })
    expect(await rig.blockStore.height()).toBe(2)
    await rig.stop()
  })

  test('three failed executions, ten seconds apart', async () => {
    const rig = await startRig(chain)
    let calls = 0
    rig.executor.before = async (call) => {
      if (call !== 'executeTxs') return
      calls++
      throw new Error('out of memory')
    }
    await rig.offer(eventOf(chain.at(1)))
    await rig.time.advance(19_000)
    expect(rig.failure).toBeUndefined()
    await rig.time.advance(1_000)
    expect(rig.failure).toMatchObject({ code: 'EXECUTION_FAILED', verdict: 'halt', data: { height: 1 } })
    expect(calls).toBe(3)
    await rig.time.advance(100_000)
    expect(calls).toBe(3)
    await rig.stop()
    expect(rig.time.timers).toBe(0)
  })

  test('a critical error is told once, and who offers is told that it is over', async () => {
    const rig = await startRig(chain, { queueLimit: 1 })
    let told = 0
    void rig.follower.failed.then(() => told++)
    const { header, data } = chain.at(1)
    const wrong = eventOf({ header: forge(header, { appHash: EMPTY_BYTES }), data })
    const { signal } = new AbortController()
    const offers = [wrong, wrong, wrong].map(async (event) => await rig.follower.offer(event, { signal }))
    const results = await Promise.allSettled(offers)
    await rig.time.settle()
    expect(told).toBe(1)
    expect(rig.recorder.times('error: a critical error ended the following')).toBe(1)
    expect(results.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'FOLLOWER_STOPPED' } })
    await rig.stop()
  })
})

describe('outages', () => {
  const chain = makeExecutedChain({ count: 5 })

  test('an unreachable executor is waited for; blocks wait in a bounded queue meanwhile', async () => {
    const rig = await startRig(chain, { queueLimit: 2 })
    let there = false
    rig.executor.before = async () => {
      if (!there) throw unreachable()
    }
    const { signal } = new AbortController()
    const offers = chain.blocks.map(async (block) => await rig.follower.offer(eventOf(block), { signal }))
    await rig.time.advance(600_000)
    expect(rig.failure).toBeUndefined()
    expect(rig.follower.status()).toMatchObject({ height: 0, queueSize: 2, executorReachable: false })
    there = true
    await rig.time.advance(10_000)
    await Promise.all(offers)
    await rig.time.settle()
    expect(rig.follower.status()).toMatchObject({
      height: 5,
      stateRoot: chain.root(5),
      executorReachable: true,
    })
    expect(rig.executor.executed).toEqual([1, 2, 3, 4, 5])
    await rig.stop()
  })

  test.each(['before', 'after'] as const)(
    'a disk that fails %s writing: the block is kept, executed once, and saved when it works',
    async (fault) => {
      const rig = await startRig(chain)
      rig.kv.fail = () => fault
      await rig.offer(eventOf(chain.at(1)), eventOf(chain.at(2)))
      await rig.time.advance(60_000)
      expect(rig.failure).toBeUndefined()
      expect(rig.follower.status().height).toBe(0)
      expect(rig.follower.status().lastError).toContain('the disk does not write')
      rig.kv.fail = undefined
      await rig.time.advance(10_000)
      expect(rig.follower.status()).toMatchObject({ height: 2, lastError: undefined })
      expect(rig.executor.executed).toEqual([1, 2])
      await rig.stop()
    },
  )

  test('a block that was executed a short while ago needs no room in the queue', async () => {
    const rig = await startRig(chain, { queueLimit: 1 })
    await rig.offer(eventOf(chain.at(1)))
    rig.executor.before = async () => await Promise.withResolvers<void>().promise
    await rig.offer(eventOf(chain.at(2)), eventOf(chain.at(3)), eventOf(chain.at(1)))
    expect(rig.follower.status()).toMatchObject({ height: 1, queueSize: 1 })
    await rig.stop()
  })

  test('waiting times after a failed save double from a tenth of a second to ten seconds', async () => {
    const rig = await startRig(chain)
    const at: number[] = []
    rig.kv.fail = () => {
      at.push(rig.time.env.monotonic())
      return 'before'
    }
    await rig.offer(eventOf(chain.at(1)))
    await rig.time.advance(60_000)
    const gaps = at.slice(1).map((now, index) => now - (at[index] ?? 0))
    expect(gaps.slice(0, 9)).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
    await rig.stop()
    expect(rig.time.timers).toBe(0)
  })

  test('a disk that fails while the chain begins is waited for too', async () => {
    const rig = await startRig(chain, {
      prepare: ({ kv }) => {
        kv.fail = () => 'before'
      },
    })
    await rig.offer(eventOf(chain.at(1)))
    await rig.time.advance(5_000)
    expect(rig.follower.status()).toMatchObject({ phase: 'replaying', height: 0 })
    rig.kv.fail = undefined
    await rig.time.advance(10_000)
    expect(rig.follower.status()).toMatchObject({ phase: 'following', height: 1 })
    await rig.stop()
  })
})

describe('beginning', () => {
  test('waits for genesis time, holding what comes', async () => {
    const now = 1_700_000_000_000_000_000n
    const chain = makeExecutedChain({ count: 2, startTime: now + 10n * 3_600_000_000_000n })
    const rig = await startRig(chain, { now })
    await rig.offer(eventOf(chain.at(1)))
    await rig.time.advance(10 * 3_600_000 - 1)
    expect(rig.follower.status()).toMatchObject({ phase: 'waiting-genesis', height: 0, queueSize: 1 })
    await rig.time.advance(1)
    expect(rig.follower.status()).toMatchObject({ phase: 'following', height: 1 })
    await rig.stop()
  })

  test('can be stopped while it waits for genesis or for the executor', async () => {
    const now = 1_700_000_000_000_000_000n
    const chain = makeExecutedChain({ count: 1, startTime: now + 3_600_000_000_000n })
    const waiting = await startRig(chain, { now })
    await waiting.follower.stop()
    expect([waiting.follower.status().phase, waiting.time.timers]).toEqual(['stopped', 0])
    const lonely = await startRig(chain, {
      prepare: ({ executor }) => {
        executor.before = async () => await Promise.reject(unreachable())
      },
    })
    await lonely.follower.stop()
    expect([lonely.follower.status().phase, lonely.time.timers]).toEqual(['stopped', 0])
    expect([waiting.failure, lonely.failure]).toEqual([undefined, undefined])
  })

  test('stopped before the first block, it goes on at genesis', async () => {
    const chain = makeExecutedChain({ count: 2 })
    const disk = createMemoryKv()
    const first = await startRig(chain, { disk })
    await first.stop()
    const rig = await startRig(chain, { disk, executor: first.executor })
    const { header, data } = chain.at(1)
    const { chainId, height, time } = header.header
    const metadata = { chainId, height, time, lastDataHash: new Uint8Array(32) }
    await rig.offer(eventOf({ header, data: { ...data, metadata } }), eventOf(chain.at(2)))
    expect(await rig.blockStore.block(1)).toMatchObject(chain.at(1))
    expect(rig.follower.status().height).toBe(2)
    await rig.stop()
  })

  test('a state of another genesis is refused', async () => {
    const chain = makeExecutedChain({ count: 2 })
    const disk = createMemoryKv()
    const rig = await startRig(chain, { disk })
    await rig.offer(eventOf(chain.at(1)))
    await rig.stop()
    const others = [{ chainId: 'other' }, { initialHeight: 7 }, { initialHeight: 2 }]
    for (const other of others) {
      const start = startRig({ ...chain, genesis: { ...chain.genesis, ...other } }, { disk })
      await expect(start).rejects.toMatchObject({ code: 'GENESIS_MISMATCH', verdict: 'halt' })
      await disk.stop()
    }
  })

  test('a stored DA height below the start of DA is refused', async () => {
    const chain = makeExecutedChain({ count: 2 })
    const disk = createMemoryKv()
    const rig = await startRig(chain, { disk })
    await rig.offer(eventOf(chain.at(1), { daHeight: 5 }))
    await rig.stop()
    const start = startRig({ ...chain, genesis: { ...chain.genesis, daStartHeight: 6 } }, { disk })
    await expect(start).rejects.toMatchObject({ code: 'GENESIS_MISMATCH' })
    await disk.stop()
    const fits = await startRig({ ...chain, genesis: { ...chain.genesis, daStartHeight: 5 } }, { disk })
    await fits.stop()
  })

  test('the DA height of the state only rises', async () => {
    const chain = makeExecutedChain({ count: 3 })
    const rig = await startRig(chain)
    await rig.offer(
      eventOf(chain.at(1), { daHeight: 9 }),
      eventOf(chain.at(2), { daHeight: 4 }),
      eventOf(chain.at(3)),
    )
    expect((await rig.blockStore.state())?.daHeight).toBe(9)
    await rig.stop()
  })

  test('follows a change of proposer, also after a restart', async () => {
    const chain = makeExecutedChain({ count: 8, rotateAt: 4 })
    const disk = createMemoryKv()
    const first = await startRig(chain, { disk })
    const codes: string[] = []
    const { header, data } = chain.at(4)
    await first.offer(...chain.blocks.slice(0, 3).map((block) => eventOf(block)))
    await first.offer(watched({ header: forge(header, {}, SEEDS.first), data }, codes), eventOf(chain.at(4)))
    expect(codes).toEqual(['UNEXPECTED_PROPOSER'])
    await first.stop()
    const second = await startRig(chain, { disk, executor: first.executor })
    expect(second.proposers.expected(5)).toEqual(chain.at(5).header.header.proposerAddress)
    await second.offer(...chain.blocks.map((block) => eventOf(block)))
    expect(second.follower.status()).toMatchObject({ height: 8, stateRoot: chain.root(8) })
    await second.stop()
  })
})

describe('stopping', () => {
  const chain = makeExecutedChain({ count: 10 })

  test('works off what is queued', async () => {
    const rig = await startRig(chain)
    const gate = Promise.withResolvers<void>()
    rig.executor.before = async () => await gate.promise
    const { signal } = new AbortController()
    for (const block of chain.blocks) await rig.follower.offer(eventOf(block), { signal })
    const stopped = rig.follower.stop()
    gate.resolve()
    await stopped
    expect(rig.follower.status()).toMatchObject({ phase: 'stopped', height: 10 })
    expect(rig.time.timers).toBe(0)
  })

  test('for five seconds at most', async () => {
    const rig = await startRig(chain)
    rig.executor.before = async () => await Promise.withResolvers<void>().promise
    await rig.offer(...chain.blocks.map((block) => eventOf(block)))
    let stopped = false
    const stop = rig.follower.stop().then(() => (stopped = true))
    await rig.time.advance(4_999)
    expect(stopped).toBe(false)
    await rig.time.advance(1)
    await stop
    expect(rig.follower.status()).toMatchObject({ phase: 'stopped', height: 0 })
  })

  test('does not wait for an executor that is away, nor after a critical error', async () => {
    const rig = await startRig(chain)
    rig.executor.before = async () => await Promise.reject(unreachable())
    await rig.offer(eventOf(chain.at(1)))
    await rig.follower.stop()
    const halted = await startRig(chain)
    const { header, data } = chain.at(1)
    await halted.offer(eventOf({ header: forge(header, { appHash: EMPTY_BYTES }), data }))
    await halted.follower.stop()
    expect([rig.time.timers, halted.time.timers]).toEqual([0, 0])
  })

  test('before a start, twice, and start twice: nothing happens', async () => {
    const rig = await startRig(chain)
    await rig.follower.start()
    await rig.follower.stop()
    await rig.follower.stop()
    expect(rig.follower.status().phase).toBe('stopped')
    await rig.follower.start()
    await rig.offer(eventOf(chain.at(1)))
    expect(rig.follower.status().height).toBe(1)
    await rig.stop()
  })
})

describe('who listens', () => {
  const chain = makeExecutedChain({ count: 3 })

  test('is told of every block and next height until it has enough; a failing one disturbs nobody', async () => {
    const rig = await startRig(chain)
    const blocks: unknown[] = []
    const heights: number[] = []
    rig.follower.onBlock(() => {
      throw new Error('not me')
    })
    const enough = rig.follower.onBlock((block) => blocks.push(block))
    rig.follower.onNextHeight((height) => heights.push(height))
    await rig.offer(eventOf(chain.at(1)), eventOf(chain.at(2)))
    enough()
    await rig.offer(eventOf(chain.at(3)))
    const facts = ({ header, data }: Block): unknown => ({
      height: header.header.height,
      txs: data.txs.length,
      time: header.header.time,
      hash: headerHash(header.header),
      stateRoot: chain.at(header.header.height + 1).header.header.appHash,
      source: 'test',
    })
    expect(blocks).toEqual([facts(chain.at(1)), facts(chain.at(2))])
    expect(heights).toEqual([2, 3, 4])
    await rig.stop()
  })

  test('status tells catching up from following', async () => {
    const long = makeExecutedChain({ count: 20 })
    const rig = await startRig(long)
    await rig.offer(eventOf(long.at(20)))
    expect(rig.follower.status()).toMatchObject({ phase: 'catching-up', highestSeen: 20, parked: 1, next: 1 })
    await rig.offer(...long.blocks.map((block) => eventOf(block)))
    expect(rig.follower.status()).toMatchObject({
      phase: 'following',
      parked: 0,
      lastBlockTime: long.at(20).header.header.time,
      lastHeaderHash: headerHash(long.at(20).header.header),
    })
    await rig.stop()
  })
})

describe('two headers by the proposer for one height', () => {
  const chain = makeExecutedChain({ count: 4 })
  const second = (height: number): Block => {
    const { header, data } = chain.at(height)
    return { header: forge(header, { validatorHash: new Uint8Array(32).fill(height) }), data }
  }

  test.each([
    ['before its turn', [4, 2, -2, 1, 3]],
    ['after the other was executed', [1, 2, 3, 4, -2, -2]],
  ])('the one that came %s is kept as evidence; the following goes on', async (_, order) => {
    const rig = await startRig(chain)
    await rig.offer(...order.map((height) => eventOf(height < 0 ? second(-height) : chain.at(height))))
    expect(rig.follower.status()).toMatchObject({ phase: 'following', height: 4, parked: 0 })
    const evidence = await rig.blockStore.metadata(evidenceKey(2))
    const { header } = decodeSignedHeader(evidence ?? EMPTY_BYTES)
    expect(headerHash(header)).toEqual(headerHash(second(2).header.header))
    expect(rig.recorder.value(BLOCK_METRICS.equivocations)).toBe(1)
    await rig.stop()
  })

  test('a block of an earlier life, offered again, is no evidence', async () => {
    const disk = createMemoryKv()
    const first = await startRig(chain, { disk })
    await first.offer(eventOf(chain.at(1)))
    await first.stop()
    const { executor } = first
    const again = await startRig(chain, { disk, executor, haltOnEquivocation: true })
    await again.offer(eventOf(chain.at(1)), eventOf(chain.at(2)))
    expect(again.follower.status()).toMatchObject({ phase: 'following', height: 2 })
    await again.stop()
  })

  test('ends the following where that is wanted', async () => {
    const rig = await startRig(chain, { haltOnEquivocation: true })
    await rig.offer(eventOf(chain.at(1)), eventOf(second(1)))
    expect(rig.failure).toMatchObject({ code: 'EQUIVOCATION', verdict: 'halt', data: { height: 1 } })
    await rig.stop()
  })

  test('a repeated block, a stranger and a spoilt copy are no evidence', async () => {
    const rig = await startRig(chain, { haltOnEquivocation: true })
    const { header, data } = chain.at(1)
    await rig.offer(
      eventOf(chain.at(1)),
      eventOf(chain.at(1)),
      eventOf({ header: forge(header, {}, SEEDS.stranger), data }),
      eventOf({ ...second(1), header: spoilSignature(second(1).header) }),
    )
    expect(rig.failure).toBeUndefined()
    expect(rig.recorder.value(BLOCK_METRICS.equivocations)).toBeUndefined()
    await rig.stop()
  })
})
