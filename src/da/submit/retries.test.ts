import { describe, expect, onTestFinished, test } from 'vitest'
import {
  BLOCK_TIME,
  daFailure,
  type Post,
  startSubmitterRig,
  type SubmitterRig,
  type SubmitterRigOptions,
} from '../../../test/support/submitter-rig.ts'
import type { DaErrorCode } from '../../core/da.ts'

const NAME = 'sequencer_da_submitter'

/** Blocks without transactions: what is posted are headers alone. */
async function start(
  options: Omit<SubmitterRigOptions, 'txsAt'>,
  before: (post: Post, nth: number) => number | undefined,
): Promise<SubmitterRig> {
  let nth = 0
  const rig = await startSubmitterRig({
    ...options,
    txsAt: () => [],
    prepare({ da }) {
      da.before = async (post) => await Promise.resolve(before(post, nth++))
    },
  })
  onTestFinished(async () => await rig.stop())
  return rig
}

function fails(times: number, code: DaErrorCode): (post: Post, nth: number) => undefined {
  return (_post, nth) => {
    if (nth < times) throw daFailure(code)
    return undefined
  }
}

/** Milliseconds between calls. */
function pauses({ da }: SubmitterRig): number[] {
  return da.posts.slice(1).map(({ at }, i) => at - (da.posts[i]?.at ?? 0))
}

describe('a submission that failed is repeated', () => {
  test.each<[DaErrorCode, string, readonly number[]]>([
    ['DA_UNREACHABLE', 'unknown', [6_000, 6_000, 6_000]],
    ['DA_FAILED', 'unknown', [100, 200, 400, 800, 1_600, 3_200, 6_000, 6_000]],
    ['DA_UNAUTHORIZED', 'unknown', [100, 200, 400]],
    ['DA_SEQUENCE', 'unknown', [100, 200, 400]],
    ['DA_MALFORMED', 'unknown', [100, 200]],
    ['DA_TIMEOUT', 'timeout', [6_000, 6_000]],
    ['DA_NOT_INCLUDED', 'not_included_in_block', [6_000, 6_000, 6_000]],
    ['DA_IN_MEMPOOL', 'already_in_mempool', [6_000, 6_000, 6_000]],
  ])('after %s (%s) with the right pauses, and is the same', async (code, reason, expected) => {
    const rig = await start({ count: 4, saved: 4 }, fails(expected.length, code))
    const reasons: unknown[] = []
    const { metrics } = rig.recorder
    const count = metrics.count.bind(metrics)
    Object.assign(metrics, {
      count(name: string, value?: number, labels?: Readonly<Record<string, string>>) {
        if (name === `${NAME}_failures_total`) reasons.push(labels?.['reason'])
        count(name, value, labels)
      },
    })
    await rig.time.advance(60_000)
    expect(pauses(rig)).toEqual(expected)
    expect(new Set(rig.da.posts.map(({ heights }) => heights.join()))).toEqual(new Set(['1,2,3,4']))
    expect(rig.signatures).toBe(4)
    expect(rig.recorder.value(`${NAME}_resends_total`)).toBe(expected.length)
    expect(rig.recorder.value(`${NAME}_failures_total`)).toBe(expected.length)
    expect(new Set(reasons)).toEqual(new Set([reason]))
    expect(rig.recorder.value(`${NAME}_last_failure_timestamp`)).toBeGreaterThanOrEqual(1_700_000_000)
    expect(rig.submitter.status().headers).toMatchObject({ failures: 0, lastError: undefined })
    expect(rig.recorder.times('warn: posting to DA failed; trying again')).toBe(1)
  })

  test('and by something that is no error of ours as well', async () => {
    const rig = await start({ count: 1, saved: 1 }, (_post, nth) => {
      if (nth === 0) throw new TypeError('broken client')
      return undefined
    })
    await rig.time.advance(1_000)
    expect(rig.onDa('header')).toEqual([1])
  })

  test('too big: with half of it, then with more again', async () => {
    const rig = await start({ count: 40, saved: 40, maxItems: 16 }, (post) => {
      if (post.heights.length > 5) throw daFailure('DA_TOO_BIG')
      return undefined
    })
    await rig.time.advance(60_000)
    expect(rig.onDa('header')).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    expect(rig.da.posts.slice(0, 5).map(({ heights }) => heights.length)).toEqual([16, 8, 4, 4, 8])
    expect(rig.failure).toBeUndefined()
  })

  test('too big alone: it can never be posted', async () => {
    const rig = await start({ count: 4, saved: 4 }, (post) => {
      if (post.heights.includes(2)) throw daFailure('DA_TOO_BIG')
      return undefined
    })
    await rig.time.advance(60_000)
    expect(rig.onDa('header')).toEqual([1])
    expect(rig.failure).toMatchObject({
      code: 'DA_ITEM_TOO_BIG',
      verdict: 'halt',
      data: { kind: 'header', height: 2 },
    })
  })

  test('until attempts run out: said once, and then tried on', async () => {
    const rig = await start({ count: 4, saved: 2, maxAttempts: 3 }, fails(8, 'DA_FAILED'))
    await rig.time.advance(1_000)
    expect(rig.submitter.status().headers).toMatchObject({
      failures: 3,
      lastError: 'DA says DA_FAILED',
    })
    await rig.grow(4)
    await rig.time.advance(20_000)
    expect(pauses(rig)).toEqual([100, 200, 1_500, 100, 200, 1_500, 100, 200])
    expect(rig.onDa('header')).toEqual([1, 2, 3, 4])
    expect(rig.recorder.times('error: DA takes nothing; going on trying')).toBe(1)
    expect(rig.recorder.times('info: posted to DA at last')).toBe(1)
  })

  test.each([
    ['DA_NOT_INCLUDED', 30],
    ['DA_TIMEOUT', 30],
    ['DA_UNREACHABLE', 30],
    // Also where attempts have run out.
    ['DA_UNREACHABLE', 1],
  ] as const)('unless DA has it by now: after %s, with %s attempts', async (code, maxAttempts) => {
    const rig = await start({ count: 3, saved: 3, maxAttempts }, (_post, nth) => {
      if (nth === 0) throw daFailure(code)
      return undefined
    })
    // What failed was included all the same, in the DA block that was under way.
    await rig.time.advance(BLOCK_TIME - 100)
    const { blobs } = await blobsOfFirst(rig)
    rig.da.blocks.set(1, blobs)
    await rig.read(1)
    await rig.time.advance(2 * BLOCK_TIME)
    expect(rig.da.posts).toHaveLength(1)
    expect(rig.inclusion.height).toBe(3)
    expect(rig.submitter.pending()).toBe(0)
  })
})

/** Blobs as the submitter makes them for a chain like that of a rig. */
async function blobsOfFirst(rig: SubmitterRig) {
  const other = await start({ count: 3, saved: await rig.blockStore.height() }, () => undefined)
  return { blobs: other.da.blocks.get(1) ?? [] }
}

describe('payment', () => {
  test('passes the options on, and has the accounts take turns', async () => {
    const rig = await start(
      { count: 5, signingAddresses: ['a', 'b'], submitOptions: { gas_price: 2, signer_address: 'c' } },
      fails(2, 'DA_SEQUENCE'),
    )
    await rig.grow(1)
    await rig.time.advance(1_000)
    await rig.grow(2)
    expect(rig.da.posts.map(({ submit }) => submit)).toEqual(
      ['a', 'b', 'a', 'b'].map((account) => ({ gas_price: 2, signer_address: account })),
    )
  })

  test('is left to the options and the DA node without accounts', async () => {
    const rig = await start({ count: 1, saved: 1, submitOptions: { signer_address: 'c' } }, () => undefined)
    expect(rig.da.posts[0]?.submit).toEqual({ signer_address: 'c' })
  })
})
