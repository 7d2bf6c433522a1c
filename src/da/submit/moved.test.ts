import { describe, expect, onTestFinished, test } from 'vitest'
import {
  BLOCK_TIME,
  daFailure,
  startSubmitterRig,
  type SubmitterRig,
  type SubmitterRigOptions,
} from '../../../test/support/submitter-rig.ts'
import { KEYS } from '../../store/keys.ts'
import { subKv } from '../../store/sub-kv.ts'
import { headerHash } from '../../types/header.ts'
import { inclusionOp } from '../records.ts'

/*
 * Whoever waits for fewer pending blocks hears of it, whatever made them fewer.
 */
async function start(options: SubmitterRigOptions): Promise<{ rig: SubmitterRig; told: number[] }> {
  const rig = await startSubmitterRig({ txsAt: () => [], ...options })
  onTestFinished(async () => await rig.stop())
  const told: number[] = []
  rig.submitter.onMoved(() => told.push(rig.submitter.pending()))
  return { rig, told }
}

/** Has others find headers on DA. */
async function findHeaders(rig: SubmitterRig, from: number, to: number): Promise<void> {
  const da = subKv(rig.kv, Uint8Array.of(KEYS.da))
  for (let height = from; height <= to; height++) {
    const signed = await rig.blockStore.header(height)
    if (signed === undefined) throw new Error('no header')
    await da.batch([inclusionOp({ height, kind: 'header', hash: headerHash(signed.header) }, 7)])
  }
}

describe('fewer blocks are pending, and that is told', () => {
  test('when DA took them', async () => {
    const { rig, told } = await start({ count: 4 })
    await rig.grow(4)
    expect(told).toEqual([0])
  })

  test('when they need no posting', async () => {
    const { rig, told } = await start({ count: 4, seed: new Uint8Array(32).fill(9) })
    await rig.grow(4)
    expect(rig.da.posts).toEqual([])
    expect(told).toEqual([0])
  })

  test('when DA has them although it did not say so', async () => {
    const { rig, told } = await start({ count: 4 })
    rig.da.before = async () => await Promise.reject(daFailure('DA_TIMEOUT'))
    await rig.grow(4)
    expect([rig.submitter.pending(), told]).toEqual([4, []])
    await findHeaders(rig, 1, 4)
    await rig.time.advance(BLOCK_TIME)
    expect(rig.da.posts).toHaveLength(1)
    expect(told).toEqual([0])
  })

  test('when they became final', async () => {
    const { rig, told } = await start({ count: 4, strategy: 'time' })
    await rig.grow(4)
    await findHeaders(rig, 1, 3)
    rig.inclusion.poke()
    await rig.time.settle()
    rig.submitter.poke()
    await rig.time.settle()
    expect(told).toEqual([1])
  })

  test('when what was lost was found again before it was posted again', async () => {
    const { rig, told } = await start({ count: 4 })
    await rig.grow(4)
    rig.da.blocks.clear()
    rig.da.before = async () => await Promise.reject(daFailure('DA_TIMEOUT'))
    await rig.read(3)
    expect([rig.submitter.pending(), told]).toEqual([4, [0]])
    await findHeaders(rig, 1, 4)
    await rig.time.advance(BLOCK_TIME)
    expect(told).toEqual([0, 0])
  })

  test('until one does not want to hear of it any more', async () => {
    const { rig } = await start({ count: 2 })
    const more: number[] = []
    const leave = rig.submitter.onMoved(() => more.push(rig.submitter.pending()))
    await rig.grow(1)
    leave()
    await rig.grow(2)
    expect(more).toEqual([0])
  })
})
