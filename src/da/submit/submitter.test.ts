import { describe, expect, onTestFinished, test } from 'vitest'
import {
  BLOCK_TIME,
  daFailure,
  startSubmitterRig,
  type SubmitterRig,
  type SubmitterRigOptions,
} from '../../../test/support/submitter-rig.ts'
import { deferred } from '../../util/async.ts'

async function start(options: SubmitterRigOptions): Promise<SubmitterRig> {
  const rig = await startSubmitterRig(options)
  onTestFinished(async () => await rig.stop())
  return rig
}

/** Heights from one to another. */
function heights(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/** Every third block of the test chain has no transactions. */
const withTxs = (height: number): boolean => height % 3 !== 0

describe('posting', () => {
  test('every header and all data with transactions lie on DA, in order, each signed and posted once', async () => {
    const rig = await start({ count: 20, saved: 5 })
    for (let height = 6; height <= 20; height++) await rig.grow(height)
    expect(rig.onDa('header')).toEqual(heights(1, 20))
    expect(rig.onDa('data')).toEqual(heights(1, 20).filter(withTxs))
    expect(rig.signatures).toBe(34)
    expect(rig.submitter.pending()).toBe(0)
    expect(rig.recorder.value('sequencer_da_submitter_pending_blobs')).toBe(0)
  })

  test('blocks become final once DA was read, and are forgotten then', async () => {
    const rig = await start({ count: 10, saved: 10 })
    await rig.read(rig.da.height)
    expect(rig.inclusion.height).toBe(10)
    await rig.read(rig.da.height + 1)
    expect(rig.submitter.status()).toMatchObject({ headers: { outstanding: 0 }, data: { outstanding: 0 } })
  })

  test('the last submitted heights are where RPC clients of the Go node read them', async () => {
    const rig = await start({ count: 9, saved: 8 })
    expect(await rig.saved()).toEqual({ header: 8, data: 8 })
    // Block 9 has no transactions: its data counts as posted, which is saved when a DA block's time has passed.
    await rig.grow(9)
    expect(await rig.saved()).toEqual({ header: 9, data: 8 })
    await rig.time.advance(BLOCK_TIME)
    expect(await rig.saved()).toEqual({ header: 9, data: 9 })
  })

  test('a chain may begin above height 1, and before its state is saved there is nothing to post', async () => {
    const rig = await start({ count: 5, initialHeight: 1_000, saved: 1_003 })
    await rig.grow(1_004)
    expect(rig.onDa('header')).toEqual(heights(1_000, 1_004))
    expect(rig.submitter.pending()).toBe(0)
  })

  test('a failing lane does not hold up the other, and each has one submission at a time', async () => {
    const rig = await start({
      count: 12,
      saved: 4,
      prepare({ da }) {
        da.before = async ({ kind }) => {
          if (kind === 'data') throw daFailure('DA_UNREACHABLE')
          await Promise.resolve()
          return undefined
        }
      },
    })
    for (let height = 5; height <= 12; height++) await rig.grow(height)
    expect(rig.onDa('header')).toEqual(heights(1, 12))
    expect(rig.onDa('data')).toEqual([])
    expect(rig.submitter.pending()).toBe(12)
    rig.da.before = undefined
    await rig.time.advance(BLOCK_TIME)
    expect(rig.onDa('data')).toEqual(heights(1, 12).filter(withTxs))
    expect(rig.da.together).toEqual({ header: 1, data: 1 })
  })

  test('blocks that come while a submission is under way go out with the next one, and count as pending', async () => {
    const gate = deferred<undefined>()
    const rig = await start({
      count: 8,
      saved: 1,
      prepare({ da }) {
        da.before = async () => await gate.promise
      },
    })
    await rig.grow(4)
    await rig.grow(8)
    expect(rig.submitter.pending()).toBe(8)
    expect(rig.recorder.value('sequencer_da_submitter_pending_blobs')).toBe(16)
    gate.resolve(undefined)
    await rig.time.settle()
    const posts = rig.da.posts.filter(({ kind }) => kind === 'header').map((post) => post.heights)
    expect(posts).toEqual([[1], heights(2, 8)])
  })

  test('blocks of another proposer are left to it', async () => {
    const rig = await start({ count: 6, saved: 6, seed: new Uint8Array(32).fill(9) })
    expect(rig.da.posts).toEqual([])
    expect([rig.submitter.pending(), rig.signatures]).toEqual([0, 0])
  })

  test('listeners and the list of recent submissions hear of what DA took', async () => {
    const rig = await start({ count: 130 })
    const heard: string[] = []
    const leave = rig.submitter.onSubmitted(({ kind, from, to, daHeight, blobs }) =>
      heard.push(`${kind} ${from}-${to} at ${daHeight}: ${blobs}`),
    )
    const pending: number[] = []
    rig.submitter.onSubmitted(() => pending.push(rig.submitter.pending()))
    await rig.grow(2)
    expect(heard.toSorted()).toEqual(['data 1-2 at 2: 2', 'header 1-2 at 1: 2'])
    // Who waits for fewer pending blocks sees them gone when the second lane is done.
    expect(pending).toEqual([2, 0])
    leave()
    for (let height = 3; height <= 130; height++) await rig.grow(height)
    expect(heard).toHaveLength(2)
    const recent = rig.submitter.recent()
    expect(recent).toHaveLength(100)
    expect(recent.at(-1)).toMatchObject({ to: 130, daHeight: rig.da.height })
    const post = rig.da.posts.at(-1)
    expect(recent.at(-1)?.bytes).toBe(post?.bytes)
  })
})

describe('a backlog', () => {
  const bulky = (height: number): Uint8Array[] => [new Uint8Array(1_000).fill(height)]

  test('stays on disk but for one submission, and goes out in full ones without a pause', async () => {
    const rig = await start({
      count: 300,
      txsAt: bulky,
      strategy: 'time',
      maxItems: 40,
      maxBlobBytes: 30_000,
      prepare({ da }) {
        da.before = async () => await Promise.reject(daFailure('DA_UNREACHABLE'))
      },
    })
    await rig.grow(100)
    await rig.time.advance(BLOCK_TIME)
    await rig.grow(299)
    await rig.time.advance(BLOCK_TIME)
    const { headers, data } = rig.submitter.status()
    expect([headers.ready, data.ready]).toEqual([40, 24])
    expect(data.readyBytes).toBeLessThanOrEqual(30_000)
    expect(rig.submitter.pending()).toBe(299)

    rig.da.before = undefined
    const failed = rig.da.posts.length
    await rig.time.advance(BLOCK_TIME)
    const posts = rig.da.posts.slice(failed)
    const first = posts[0]?.at ?? 0
    const early = posts.filter(({ at }) => at < first + BLOCK_TIME / 2)
    const sizes = (kind: string): number[] =>
      early.filter((post) => post.kind === kind).map((post) => post.heights.length)
    // The last one is not full: it waits for its time.
    expect(sizes('header')).toEqual([40, 40, 40, 40, 40, 40, 40])
    expect(sizes('data').every((count) => count === 24)).toBe(true)
    await rig.time.advance(2 * BLOCK_TIME)
    expect(rig.onDa('header')).toEqual(heights(1, 299))
    expect(rig.onDa('data')).toEqual(heights(1, 299))
    expect(rig.da.posts.every(({ bytes }) => bytes <= 30_000)).toBe(true)
    expect(rig.signatures).toBe(598)
  })

  test('what can never be posted ends the posting, after all before it was posted', async () => {
    const rig = await start({
      count: 4,
      saved: 4,
      maxBlobBytes: 2_000,
      txsAt: (height) => [new Uint8Array(height === 3 ? 1_900 : 100)],
    })
    expect(rig.failure).toMatchObject({ code: 'DA_ITEM_TOO_BIG', verdict: 'halt' })
    expect(rig.onDa('data')).toEqual([1, 2])
    expect(rig.onDa('header')).toEqual([1, 2, 3, 4])
    expect(rig.recorder.value('sequencer_da_submitter_failures_total')).toBe(1)
    await rig.submitter.stop()
    await expect(rig.submitter.start()).rejects.toThrow(expect.objectContaining({ code: 'DA_ITEM_TOO_BIG' }))
  })

  test('an item of exactly the limit is posted', async () => {
    const probe = await start({ count: 1, saved: 1, txsAt: () => [new Uint8Array(1_900)] })
    const bytes = probe.da.posts.find(({ kind }) => kind === 'data')?.bytes ?? 0
    for (const [maxBlobBytes, code] of [
      [bytes, undefined],
      [bytes - 1, 'DA_ITEM_TOO_BIG'],
    ] as const) {
      const rig = await start({ count: 1, saved: 1, maxBlobBytes, txsAt: () => [new Uint8Array(1_900)] })
      expect(rig.failure?.code).toBe(code)
    }
  })
})

describe('strategies', () => {
  test('by time: once per delay, whatever has come', async () => {
    const rig = await start({ count: 40, strategy: 'time', maxDelay: 2_000 })
    for (let height = 1; height <= 40; height++) {
      await rig.grow(height)
      await rig.time.advance(250)
    }
    const posts = rig.da.posts.filter(({ kind }) => kind === 'header')
    expect(posts.map(({ at }) => at)).toEqual([2_000, 4_000, 6_000, 8_000, 10_000])
    expect(posts.flatMap((post) => post.heights)).toEqual(heights(1, 40))
  })

  test('by size: when enough has come, and not before', async () => {
    const rig = await start({ count: 40, strategy: 'size', maxBlobBytes: 5_000, sizeThreshold: 0.5 })
    for (let height = 1; height <= 40; height++) {
      await rig.grow(height)
      await rig.time.advance(10_000)
    }
    const posts = rig.da.posts.filter(({ kind }) => kind === 'header')
    expect(posts.length).toBeGreaterThan(3)
    for (const { bytes } of posts) {
      expect(bytes).toBeGreaterThanOrEqual(2_500)
      expect(bytes).toBeLessThan(3_200)
    }
    expect(rig.onDa('header')).toEqual(heights(1, rig.onDa('header').length))
  })

  test('adaptive: by size or by time, with at least the least number of items', async () => {
    const rig = await start({ count: 20, strategy: 'adaptive', maxBlobBytes: 5_000, minItems: 3 })
    await rig.grow(2)
    await rig.time.advance(10 * BLOCK_TIME)
    expect(rig.da.posts).toEqual([])
    await rig.grow(3)
    expect(rig.onDa('header')).toEqual([1, 2, 3])
    await rig.grow(20)
    expect(rig.onDa('header').length).toBeGreaterThan(10)
  })
})

describe('stopping', () => {
  test('waits a little for what is under way, and notes it', async () => {
    const gate = deferred<undefined>()
    const rig = await start({
      count: 3,
      saved: 3,
      prepare: ({ da }) => (da.before = async () => await gate.promise),
    })
    const stopped = rig.submitter.stop()
    await rig.time.advance(100)
    gate.resolve(undefined)
    await stopped
    expect(await rig.saved()).toEqual({ header: 3, data: 3 })
    await rig.submitter.start()
    await rig.time.settle()
    expect(rig.da.posts).toHaveLength(2)
  })

  test('ends a submission that takes long, which is then posted by the next life', async () => {
    const signals: AbortSignal[] = []
    const rig = await start({
      count: 3,
      saved: 3,
      prepare({ da }) {
        da.before = async (_post, signal) => {
          signals.push(signal)
          return await deferred<undefined>().promise
        }
      },
    })
    const stopped = rig.submitter.stop()
    await rig.time.advance(1_000)
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
    await rig.time.advance(1_000)
    await stopped
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
    expect(rig.time.timers).toBe(0)
    expect(await rig.saved()).toEqual({ header: 0, data: 0 })
    rig.da.before = undefined
    await rig.submitter.start()
    await rig.time.settle()
    expect(rig.onDa('header')).toEqual([1, 2, 3])
  })

  test('start and stop may be called twice and in any order; nothing is left behind', async () => {
    const rig = await start({ count: 2, saved: 1, strategy: 'time' })
    await rig.submitter.start()
    await Promise.all([
      rig.submitter.stop(),
      rig.submitter.stop(),
      rig.submitter.start(),
      rig.submitter.stop(),
    ])
    expect(rig.time.timers).toBe(0)
    await rig.grow(2)
    expect(rig.da.posts).toEqual([])
    const aborted = AbortSignal.abort(new Error('no'))
    await expect(rig.submitter.start({ signal: aborted })).rejects.toThrow('no')
  })
})
