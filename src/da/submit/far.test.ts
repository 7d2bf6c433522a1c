import { describe, expect, onTestFinished, test } from 'vitest'
import {
  daFailure,
  startSubmitterRig,
  type SubmitterRig,
  type SubmitterRigOptions,
} from '../../../test/support/submitter-rig.ts'

/*
 * DA heights that a DA node names for a submission and that are far from what was read of DA.
 */
const LIE = 9_000_000_000
const WARNING = 'warn: the DA node named a height above its head for a submission'

/** A rig whose DA has its head at `head`; undefined: it does not tell. Counts how often it is asked. */
async function start(
  options: Omit<SubmitterRigOptions, 'txsAt'>,
  head: () => number | undefined,
): Promise<{ rig: SubmitterRig; asked: () => number }> {
  let asked = 0
  const rig = await startSubmitterRig({
    ...options,
    txsAt: () => [],
    prepare({ da }) {
      Object.assign(da.client, {
        async head() {
          asked++
          const height = head()
          if (height === undefined) throw daFailure('DA_UNREACHABLE')
          return await Promise.resolve({
            height,
            hash: new Uint8Array(),
            previousHash: new Uint8Array(),
            time: 0n,
          })
        },
      })
    },
  })
  onTestFinished(async () => await rig.stop())
  return { rig, asked: () => asked }
}

describe('a DA height that is far above what was read', () => {
  test('and above the head of DA counts as that: what is not there is posted again', async () => {
    const { rig, asked } = await start({ count: 4 }, () => 12)
    await rig.read(10)
    rig.da.before = async () => await Promise.resolve(LIE)
    await rig.grow(4)
    expect(rig.submitter.recent().map(({ daHeight }) => daHeight)).toEqual([12])
    expect([asked(), rig.recorder.times(WARNING)]).toEqual([1, 1])
    rig.da.before = undefined
    await rig.read(14)
    expect(rig.da.posts.map(({ heights }) => heights)).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ])
  })

  test('is believed when DA is as high: it is only that we have not read so far', async () => {
    const { rig, asked } = await start({ count: 2 }, () => 5_000)
    await rig.read(10)
    rig.da.before = async () => await Promise.resolve(5_000)
    await rig.grow(2)
    expect(rig.submitter.recent().map(({ daHeight }) => daHeight)).toEqual([5_000])
    expect([asked(), rig.recorder.times(WARNING)]).toEqual([1, 0])
  })

  test('is believed when DA does not tell its head, and nothing is posted twice for that', async () => {
    const { rig, asked } = await start({ count: 2 }, () => undefined)
    await rig.read(10)
    rig.da.before = async () => await Promise.resolve(5_000)
    await rig.grow(2)
    expect(rig.submitter.recent().map(({ daHeight }) => daHeight)).toEqual([5_000])
    expect([asked(), rig.da.posts.length]).toEqual([1, 1])
  })
})

test('a DA height near what was read is not asked about', async () => {
  const { rig, asked } = await start({ count: 2 }, () => 12)
  await rig.read(10)
  rig.da.before = async () => await Promise.resolve(110)
  await rig.grow(2)
  expect(rig.submitter.recent().map(({ daHeight }) => daHeight)).toEqual([110])
  expect(asked()).toBe(0)
})
