import { describe, expect, onTestFinished, test } from 'vitest'
import {
  BLOCK_TIME,
  createFakeDa,
  type FakeDa,
  heightOfBlob,
  startSubmitterRig,
  type SubmitterRig,
} from '../../../test/support/submitter-rig.ts'
import type { Kv } from '../../core/kv.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { isEvolveError } from '../../util/errors.ts'

const COUNT = 12
const EVERY = Array.from({ length: COUNT }, (_, i) => i + 1)
const WITH_TXS = EVERY.filter((height) => height % 3 !== 0)

/** A life that ends at its nth write to disk, before it happened or right after. */
async function liveUntil(disk: Kv, da: FakeDa, nth: number, side: 'before' | 'after'): Promise<boolean> {
  let writes = 0
  let dead = false
  const rig = await startSubmitterRig({
    count: COUNT,
    disk,
    da,
    prepare({ kv }) {
      kv.fail = () => {
        if (dead) return 'before'
        if (++writes < nth) return undefined
        dead = true
        return side
      }
    },
  })
  try {
    await live(rig, () => dead)
  } catch (error) {
    if (!isEvolveError(error, 'STORE_IO')) throw error
  } finally {
    await rig.stop()
  }
  return dead
}

/** Grows the chain and reads DA, two blocks at a time. The third DA block shows nothing the first time. */
async function live(rig: SubmitterRig, dead: () => boolean): Promise<void> {
  const from = await rig.blockStore.height()
  for (let height = Math.min(from + 2, COUNT); !dead(); height = Math.min(height + 2, COUNT)) {
    await rig.grow(height)
    if (rig.da.blocks.has(3) && rig.da.height < 6) rig.da.blocks.set(3, [])
    await rig.read(rig.da.height)
    await rig.time.advance(BLOCK_TIME / 2)
    if (height === COUNT && rig.da.height > 5 && rig.inclusion.height >= COUNT - 4) return
    if (rig.time.env.monotonic() > 100 * BLOCK_TIME) throw new Error('no progress')
    if (height === COUNT) rig.da.height++
  }
}

/** Highest height up to which DA has, or had, everything of some heights. */
function contiguous(da: FakeDa, kind: 'header' | 'data', wanted: readonly number[]): number {
  const posted = new Set(da.posts.filter((post) => post.kind === kind).flatMap(({ heights }) => heights))
  return (wanted.find((height) => !posted.has(height)) ?? COUNT + 1) - 1
}

describe.each(['before', 'after'] as const)('a crash %s any write', (side) => {
  test('loses nothing: what counts as posted was posted, and all of it becomes final', async () => {
    let survived = false
    for (let nth = 1; !survived; nth++) {
      expect(nth).toBeLessThan(500)
      const disk = createMemoryKv()
      const da = createFakeDa()
      survived = !(await liveUntil(disk, da, nth, side))

      const rig = await startSubmitterRig({ count: COUNT, disk, da })
      const saved = await rig.saved()
      expect(saved.header, `headers, write ${nth}`).toBeLessThanOrEqual(contiguous(da, 'header', EVERY))
      expect(saved.data, `data, write ${nth}`).toBeLessThanOrEqual(contiguous(da, 'data', WITH_TXS))
      await rig.grow(COUNT)
      for (let round = 0; round < 6; round++) {
        da.height++
        await rig.read(da.height)
        await rig.time.advance(BLOCK_TIME)
      }
      expect(rig.inclusion.height, `final, write ${nth}`).toBe(COUNT)
      expect(rig.failure).toBeUndefined()
      await rig.stop()
    }
  })
})

test('a disk that is full for a while holds the posting up, and nothing is posted twice', async () => {
  const rig = await startSubmitterRig({ count: 6, saved: 3 })
  onTestFinished(async () => await rig.stop())
  await rig.blockStore.height()
  let full = false
  rig.da.before = async () => {
    full = true
    return await Promise.resolve(undefined)
  }
  rig.kv.fail = () => (full ? 'before' : undefined)
  await rig.grow(6)
  await rig.time.advance(3 * BLOCK_TIME)
  expect(rig.da.posts).toHaveLength(4)
  expect(rig.submitter.status().headers.lastError).toContain('the disk does not write')
  rig.kv.fail = undefined
  await rig.time.advance(2 * BLOCK_TIME)
  expect(rig.da.posts).toHaveLength(4)
  expect(await rig.saved()).toEqual({ header: 6, data: 6 })
  expect(rig.submitter.status()).toMatchObject({
    headers: { lastError: undefined, outstanding: 2 },
    data: { lastError: undefined, outstanding: 2 },
  })
})

test('a damaged record is refused at start', async () => {
  const disk = createMemoryKv()
  const first = await startSubmitterRig({ count: 2, saved: 1, disk })
  await first.blockStore.saveMetadata('last-submitted-data-height', new Uint8Array(3))
  await first.submitter.stop()
  await expect(first.submitter.start()).rejects.toThrow(
    expect.objectContaining({ code: 'STORE_CORRUPT', verdict: 'halt' }),
  )
  await first.stop()
})

test('what went away with blocks that were rolled back is posted for the new ones', async () => {
  const rig = await startSubmitterRig({ count: 6, saved: 6, txsAt: () => [] })
  onTestFinished(async () => await rig.stop())
  await rig.submitter.stop()
  await rig.blockStore.truncate(3)
  await rig.submitter.start()
  await rig.time.settle()
  expect(rig.submitter.status().headers.lastSubmitted).toBe(3)
  await rig.grow(5)
  expect(rig.da.posts.map(({ heights }) => heights)).toEqual([
    [1, 2, 3, 4, 5, 6],
    [4, 5],
  ])
  expect((rig.da.blocks.get(2) ?? []).map(heightOfBlob)).toEqual([4, 5])
})
