import { describe, expect, onTestFinished, test } from 'vitest'
import {
  BLOCK_TIME,
  startSubmitterRig,
  type SubmitterRig,
  type SubmitterRigOptions,
} from '../../../test/support/submitter-rig.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { inclusionOp, inclusionRange } from '../records.ts'
import { KEYS } from '../../store/keys.ts'
import { subKv } from '../../store/sub-kv.ts'
import { headerHash } from '../../types/header.ts'
import type { Journal } from './journal.ts'
import type { Posted } from './outstanding.ts'
import { createReview, type Review } from './review.ts'

/** Blocks without transactions: what is posted are headers alone. */
async function start(options: Omit<SubmitterRigOptions, 'txsAt'>): Promise<SubmitterRig> {
  const rig = await startSubmitterRig({ ...options, txsAt: () => [] })
  onTestFinished(async () => await rig.stop())
  return rig
}

/** Headers posted again, as the heights of each call. */
function postsAfter(rig: SubmitterRig, calls: number): (readonly number[])[] {
  return rig.da.posts.slice(calls).map(({ heights }) => heights)
}

describe('what DA said it took and does not show', () => {
  test('is posted again from the first missing on, once DA was read two heights past it', async () => {
    const rig = await start({ count: 6, saved: 6 })
    const blobs = rig.da.blocks.get(1) ?? []
    rig.da.blocks.set(1, blobs.slice(0, 2))
    await rig.read(1)
    await rig.read(2)
    expect(rig.da.posts).toHaveLength(1)
    expect(rig.inclusion.height).toBe(2)
    await rig.read(3)
    expect(postsAfter(rig, 1)).toEqual([[3, 4, 5, 6]])
    expect(rig.recorder.times('warn: what DA took is not there; posting it again')).toBe(1)
    await rig.read(rig.da.height)
    expect(rig.inclusion.height).toBe(6)
  })

  test('without posting again what is there, or was posted later', async () => {
    const rig = await start({ count: 9, saved: 5 })
    rig.da.height = 7
    await rig.grow(9)
    const blobs = rig.da.blocks.get(1) ?? []
    rig.da.blocks.set(1, [...blobs.slice(0, 1), ...blobs.slice(3)])
    // Blocks 6 to 9 are at DA height 8: their time has not come.
    await rig.read(3)
    expect(postsAfter(rig, 2)).toEqual([[2, 3]])
    await rig.read(rig.da.height)
    expect(rig.inclusion.height).toBe(9)
  })

  test('is seen on disk as not submitted before it is forgotten', async () => {
    const rig = await start({ count: 4, saved: 4 })
    rig.da.blocks.delete(1)
    rig.da.before = async () => await new Promise<never>(() => undefined)
    await rig.read(3)
    expect(await rig.saved()).toMatchObject({ header: 0 })
    expect(rig.submitter.pending()).toBe(4)
  })

  test('is posted again at most once per DA block', async () => {
    const rig = await start({ count: 40 })
    let loses = true
    rig.da.before = async () => await Promise.resolve(loses ? 0 : undefined)
    for (let height = 1; height <= 40; height++) {
      await rig.grow(height)
      await rig.read(height + 10)
      await rig.time.advance(BLOCK_TIME / 10)
    }
    // Forty blocks took four DA blocks of time.
    const again = rig.recorder.times('warn: what DA took is not there; posting it again')
    expect(again).toBeGreaterThanOrEqual(3)
    expect(again).toBeLessThanOrEqual(5)
    loses = false
    for (let round = 0; round < 60; round++) {
      await rig.time.advance(BLOCK_TIME)
      await rig.read(60 + round)
    }
    expect(rig.inclusion.height).toBe(40)
  })

  test.each([3, 5])('comes to rest also when only every %s. submission is kept', async (kept) => {
    const rig = await start({ count: 600, strategy: 'time' })
    let calls = 0
    rig.da.before = async () => {
      if (++calls % kept === 0) return await Promise.resolve(undefined)
      rig.da.height++
      return rig.da.height
    }
    // Blocks come ten times as fast as DA blocks, without end, and DA is read one block behind its own.
    for (let tenth = 1; tenth <= 600; tenth++) {
      await rig.grow(tenth)
      await rig.time.advance(BLOCK_TIME / 10)
      if (tenth % 10 === 0) await rig.read(rig.da.height++)
    }
    expect(rig.inclusion.height).toBeGreaterThan(400)
  })

  test('is known after a restart', async () => {
    const rig = await start({ count: 4, saved: 4 })
    await rig.submitter.stop()
    rig.da.blocks.delete(1)
    await rig.submitter.start()
    await rig.read(3)
    expect(postsAfter(rig, 1)).toEqual([[1, 2, 3, 4]])
  })
})

/** Takes away the inclusion records of some heights. */
async function unmark(rig: SubmitterRig, from: number, to: number): Promise<void> {
  const da = subKv(rig.kv, Uint8Array.of(KEYS.da))
  for await (const key of da.keys(inclusionRange(from, to + 1))) await da.batch([{ type: 'del', key }])
}

describe('a reorganisation of DA', () => {
  test.each([4, 5])(
    'takes away what was found: it is posted again, when told of height %s first',
    async (told) => {
      const rig = await start({ count: 6, saved: 1 })
      const [first = []] = rig.da.blocks.values()
      rig.da.height = 3
      await rig.grow(3)
      await rig.grow(6)
      // The first block comes to lie above the others, which so cannot become final.
      rig.da.blocks.delete(1)
      rig.submitter.consumed(2)
      await rig.read(7)
      const calls = rig.da.posts.length
      expect(rig.inclusion.height).toBe(0)
      expect(postsAfter(rig, calls - 1)).toEqual([[1]])
      rig.da.blocks.set(20, first)
      rig.da.blocks.delete(rig.da.height)
      // Time to see that the others are there.
      await rig.time.advance(2 * BLOCK_TIME)
      // DA goes back to height 4: blocks 4 to 6 were in its block 5, which is no more.
      rig.da.blocks.delete(5)
      await unmark(rig, 4, 6)
      await rig.read(told)
      await rig.time.advance(2 * BLOCK_TIME)
      expect(postsAfter(rig, calls)).toEqual([])
      await rig.read(7)
      expect(postsAfter(rig, calls)).toEqual([[4, 5, 6]])
    },
  )
})

test('what was passed over because it was there is posted again when it goes away later', async () => {
  const rig = await start({ count: 8, saved: 6 })
  const blobs = rig.da.blocks.get(1) ?? []
  // The first header is missing: the others are there, and nothing is final.
  rig.da.blocks.set(1, blobs.slice(1))
  rig.da.height = 30
  await rig.read(3)
  expect(postsAfter(rig, 1)).toEqual([[1]])
  await rig.grow(8)
  expect(postsAfter(rig, 2)).toEqual([[7, 8]])
  rig.da.blocks.delete(1)
  await unmark(rig, 2, 6)
  await rig.read(1)
  await rig.read(34)
  await rig.time.advance(2 * BLOCK_TIME)
  expect(postsAfter(rig, 3)).toEqual([[2, 3, 4, 5, 6]])
})

/** Has others find headers on DA. */
async function findHeaders(rig: SubmitterRig, from: number, to: number): Promise<void> {
  const da = subKv(rig.kv, Uint8Array.of(KEYS.da))
  for (let height = from; height <= to; height++) {
    const signed = await rig.blockStore.header(height)
    if (signed === undefined) throw new Error('no header')
    await da.batch([inclusionOp({ height, kind: 'header', hash: headerHash(signed.header) }, 7)])
  }
  rig.inclusion.poke()
  await rig.time.settle()
}

describe('what is final already', () => {
  test('is not posted, whoever posted it', async () => {
    const rig = await start({ count: 6, strategy: 'time' })
    await rig.grow(6)
    expect(rig.submitter.status().headers.ready).toBe(6)
    await findHeaders(rig, 1, 4)
    rig.submitter.poke()
    await rig.time.advance(BLOCK_TIME)
    expect(postsAfter(rig, 0)).toEqual([[5, 6]])
  })

  test('is not posted by the next life either', async () => {
    const rig = await start({ count: 6, strategy: 'time' })
    await rig.grow(4)
    await rig.submitter.stop()
    await findHeaders(rig, 1, 4)
    await rig.submitter.start()
    await rig.grow(6)
    await rig.time.advance(BLOCK_TIME)
    expect(postsAfter(rig, 0)).toEqual([[5, 6]])
  })
})

test('what is found at the moment of a reorganisation is looked for again', async () => {
  const journal = fakeJournal([{ from: 1, to: 2, daHeight: 5, found: false }])
  const review: Review = createReview(
    {
      kind: {
        kind: 'header',
        name: async (height) => await Promise.resolve({ height, kind: 'header', hash: new Uint8Array(32) }),
        draft: async () => await Promise.resolve(undefined),
      },
      journal,
      inclusion: {
        height: 0,
        async included({ height }) {
          if (height === 2) review.read(3)
          return await Promise.resolve(true)
        },
      },
      env: createVirtualEnv().env,
    },
    { blockTime: BLOCK_TIME },
  )
  review.read(7)
  expect(await review.next(new AbortController().signal)).toBe(0)
  expect(journal.outstanding).toEqual([{ from: 1, to: 2, daHeight: 5, found: false }])
})

/** A journal in memory. */
function fakeJournal(begin: readonly Posted[]): Journal {
  let outstanding = begin
  const never = async (): Promise<never> => await Promise.reject(new Error('not asked'))
  return {
    saved: 0,
    get outstanding() {
      return outstanding
    },
    load: never,
    note: never,
    save: never,
    goBack: never,
    update: (change) => (outstanding = change(outstanding)),
  }
}
