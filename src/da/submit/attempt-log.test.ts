import { expect, onTestFinished, test } from 'vitest'
import { BLOCK_TIME, daFailure, NAMESPACES, startSubmitterRig } from '../../../test/support/submitter-rig.ts'
import { shareCommitment } from '../commitment.ts'
import { utf8 } from '../../util/bytes.ts'
import { MAX_ATTEMPTS } from './attempt-log.ts'

test('each call to DA is remembered, newest first, with what it was and how it ended', async () => {
  let calls = 0
  const rig = await startSubmitterRig({
    count: 3,
    saved: 3,
    txsAt: () => [utf8('a=1')],
    prepare({ da }) {
      da.before = async ({ kind }) => {
        if (kind === 'header' && calls++ < 2) throw daFailure('DA_SEQUENCE')
        return await Promise.resolve(undefined)
      }
    },
  })
  onTestFinished(async () => await rig.stop())
  await rig.time.advance(BLOCK_TIME)
  const attempts = rig.submitter.attempts()
  expect(attempts.map(({ number }) => number)).toEqual([4, 3, 2, 1])
  const headers = attempts.filter(({ kind }) => kind === 'header')
  expect(headers).toMatchObject([
    { firstHeight: 1, lastHeight: 3, blobs: 3, namespace: NAMESPACES.header, failure: undefined },
    { firstHeight: 1, lastHeight: 3, blobs: 3, failure: { code: 'DA_SEQUENCE' }, daHeight: undefined },
    { firstHeight: 1, lastHeight: 3, blobs: 3, failure: { code: 'DA_SEQUENCE' }, daHeight: undefined },
  ])
  const [taken] = headers
  expect(taken?.daHeight).toBeGreaterThan(0)
  const blobs =
    rig.da.blocks.get(taken?.daHeight ?? 0)?.filter(({ namespace }) => namespace === NAMESPACES.header) ?? []
  expect(taken?.commitments).toEqual(blobs.map(({ namespace, data }) => shareCommitment(namespace, data)))
  expect(taken?.bytes).toBe(blobs.reduce((sum, { data }) => sum + data.length, 0))
  expect(attempts.filter(({ kind }) => kind === 'data')).toMatchObject([
    { blobs: 3, namespace: NAMESPACES.data, failure: undefined },
  ])
})

test('of very many the latest are kept', async () => {
  const rig = await startSubmitterRig({
    count: 1,
    saved: 1,
    txsAt: () => [],
    prepare({ da }) {
      da.before = async () => await Promise.reject(daFailure('DA_FAILED'))
    },
  })
  onTestFinished(async () => await rig.stop())
  await rig.time.advance(BLOCK_TIME * (MAX_ATTEMPTS + 20))
  const numbers = rig.submitter.attempts().map(({ number }) => number)
  expect(numbers).toHaveLength(MAX_ATTEMPTS)
  expect(numbers[0]).toBeGreaterThan(MAX_ATTEMPTS)
  expect(numbers.at(-1)).toBe((numbers[0] ?? 0) - MAX_ATTEMPTS + 1)
})
