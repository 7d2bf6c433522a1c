import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { createDaChain, heightsTo } from '../../../test/support/da-chain.ts'
import { caughtUp, createDaRig, RIG_DATA, RIG_HEADERS, useDaRigs } from '../../../test/support/da-rig.ts'
import { createScriptedDa, type ScriptedDa } from '../../../test/support/scripted-da.ts'
import type { Kv, KvOp, KvPart } from '../../core/kv.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { encodeSignedHeader } from '../../types/codec.ts'
import { equalBytes } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { CURSOR_KEY } from '../records.ts'
import { decodeCursor } from './cursor.ts'

const rigFor = useDaRigs()

const chain = makeChain({ count: 40 })
const { genesis } = chain
const { block, postHeaders, postData, expectIn, inclusion } = createDaChain(chain)

const broken = (): EvolveError => new EvolveError('STORE_IO', 'the disk does not write', { verdict: 'retry' })

/** Next DA heights as they were written, without repetitions. */
function watchCursor(written: number[]): (ops: readonly KvOp[]) => void {
  return (ops) => {
    for (const op of ops) {
      if (op.type !== 'put' || !equalBytes(op.key, CURSOR_KEY)) continue
      const next = decodeCursor(op.value)?.next ?? Number.NaN
      if (written.at(-1) !== next) written.push(next)
    }
  }
}

/** A part whose n-th write fails, before or after it happened; from then on all fail, as after a crash. */
function crashing(
  at: number,
  how: 'before' | 'after',
  seen: (ops: readonly KvOp[]) => void,
  crashed: () => void,
) {
  let count = 0
  return (part: KvPart): KvPart => ({
    ...part,
    async batch(ops, options) {
      count++
      if (count > at || (count === at && how === 'before')) {
        crashed()
        throw broken()
      }
      await part.batch(ops, options)
      seen(ops)
      if (count < at) return
      crashed()
      throw broken()
    },
  })
}

/** Ten blocks, a half at a time, in an order that makes both kinds wait. */
function scriptedTen(): ScriptedDa {
  const da = createScriptedDa()
  postData(da, 1, 1, 2, 5)
  postHeaders(da, 2, 2, 3)
  da.put(2, RIG_DATA, new Uint8Array(30))
  postHeaders(da, 4, 1)
  postData(da, 5, 4, 7, 8)
  postHeaders(da, 6, 6, 5, 4, 8)
  postHeaders(da, 7, 7, 10)
  postHeaders(da, 8, 9)
  postData(da, 9, 10)
  da.grow(10)
  return da
}

describe('after a crash', () => {
  test.each([
    ...heightsTo(12).map((at) => [at, 'before', 1] as const),
    ...heightsTo(12).map((at) => [at, 'after', 1] as const),
    ...heightsTo(4).map((at) => [at, 'before', 3] as const),
    ...heightsTo(4).map((at) => [at, 'after', 3] as const),
  ])(
    'at write %i, %s it happened, %i heights in a step, the next start ends the same',
    async (at, how, together) => {
      const da = scriptedTen()
      const written: number[] = []
      const seen = watchCursor(written)
      const crash = Promise.withResolvers<void>()
      const source = { together }
      const first = await rigFor({ genesis, da, source, part: crashing(at, how, seen, crash.resolve) })
      await first.source.start()
      await Promise.race([crash.promise, caughtUp(first)])
      await first.stop()
      const second = await rigFor({
        genesis,
        da,
        source,
        kv: first.kv,
        part: (part) => ({
          ...part,
          async batch(ops, options) {
            await part.batch(ops, options)
            seen(ops)
          },
        }),
      })
      await second.source.start()
      await caughtUp(second)
      await expectIn(second, 10)
      if (together === 1) expect(written).toEqual(heightsTo(11))
      else expect(written).toEqual(written.toSorted((a, b) => a - b))
      expect(written.at(-1)).toBe(11)
      expect(second.source.status().waiting).toBe(0)
      expect(await inclusion(second, 8)).toEqual([6, 5])
    },
  )

  test.each(['headers', 'data'] as const)(
    'between any insert of %s and the cursor, likewise',
    async (which) => {
      for (const at of heightsTo(5)) {
        const da = scriptedTen()
        const first = await rigFor({ genesis, da })
        let inserts = 0
        const crash = Promise.withResolvers<void>()
        first[which].fail = () => {
          inserts++
          if (inserts < at) return undefined
          crash.resolve()
          return broken()
        }
        await first.source.start()
        await Promise.race([crash.promise, caughtUp(first)])
        await first.stop()
        const second = await rigFor({ genesis, da, kv: first.kv })
        await second.source.start()
        await caughtUp(second)
        await second.reached(10)
        await expectIn(second, 10)
      }
    },
  )
})

describe('while it runs', () => {
  test('writes that fail are tried again from what is on disk', async () => {
    const da = scriptedTen()
    let count = 0
    const rig = await rigFor({
      genesis,
      da,
      part: (part) => ({
        ...part,
        async batch(ops, options) {
          count++
          if (count % 3 === 1) throw broken()
          await part.batch(ops, options)
          if (count % 3 === 2) throw broken()
        },
      }),
    })
    await rig.source.start()
    await caughtUp(rig)
    await expectIn(rig, 10)
  })

  test('stores that do not take anything for a while get it later', async () => {
    const da = scriptedTen()
    const rig = await rigFor({ genesis, da })
    let refusals = 3
    rig.headers.fail = () =>
      refusals-- > 0 ? new EvolveError('BUSY', 'not now', { verdict: 'ignore' }) : undefined
    await rig.source.start()
    await rig.reached(10)
    await expectIn(rig, 10)
  })

  test('headers that are refused do not hold up the data below them', async () => {
    const da = scriptedTen()
    const rig = await rigFor({ genesis, da, source: { together: 1 } })
    rig.headers.fail = ([first]) =>
      first?.header.height === 4 || first?.header.height === 1
        ? new EvolveError('FROM_FUTURE', 'a wrong clock', { verdict: 'reject' })
        : undefined
    await rig.headers.store().append([block(1).header, block(2).header])
    await rig.source.start()
    await rig.data.store().waitFor(3, { signal: AbortSignal.timeout(10_000) })
    expect(rig.headers.store().height).toBe(3)
    rig.headers.fail = undefined
    await rig.reached(10)
    await expectIn(rig, 10)
  })

  test('a half that the stores call wrong makes room for the next', async () => {
    const da = scriptedTen()
    const rig = await rigFor({ genesis, da })
    let rejected = false
    rig.headers.fail = ([first]) => {
      if (rejected || first?.header.height !== 4) return undefined
      rejected = true
      return new EvolveError('INVALID_HEADER', 'no', { verdict: 'reject' })
    }
    await rig.source.start()
    await rig.reached(10)
    await expectIn(rig, 10)
  })

  test('start and stop come in any order, and it goes on where it was', async () => {
    const da = scriptedTen()
    const rig = await rigFor({ genesis, da })
    await rig.source.stop()
    await Promise.all([rig.source.start(), rig.source.start()])
    await rig.source.stop()
    await rig.source.stop()
    await rig.source.start()
    await caughtUp(rig)
    await expectIn(rig, 10)
    await rig.source.stop()
    const before = da.calls.get('header:3')
    await rig.source.start()
    await caughtUp(rig)
    da.grow(12)
    await caughtUp(rig)
    expect(da.calls.get('header:3')).toBe(before)
    expect(da.subscriptions).toBe(1)
    await rig.source.stop()
    expect(da.subscriptions).toBe(0)
  })
})

describe('any order of things', () => {
  interface Plan {
    readonly headersAt: readonly number[]
    readonly dataAt: readonly number[]
    readonly junkAt: readonly { readonly at: number; readonly height: number; readonly bytes: Uint8Array }[]
    readonly bareAt: readonly number[]
    readonly crashes: readonly number[]
    readonly window: number
    readonly maxBytes: number
  }
  const COUNT = 24
  const place = fc.integer({ min: 1, max: 40 })
  const plan: fc.Arbitrary<Plan> = fc.record({
    headersAt: fc.array(place, { minLength: COUNT, maxLength: COUNT }),
    dataAt: fc.array(place, { minLength: COUNT, maxLength: COUNT }),
    junkAt: fc.array(
      fc.record({
        at: place,
        height: fc.integer({ min: 1, max: 30 }),
        bytes: fc.uint8Array({ maxLength: 50 }),
      }),
      { maxLength: 20 },
    ),
    bareAt: fc.array(place, { maxLength: 3 }),
    crashes: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 3 }),
    window: fc.integer({ min: 2, max: 40 }),
    maxBytes: fc.integer({ min: 3_000, max: 40_000 }),
  })

  async function play(one: Plan): Promise<void> {
    const da = createScriptedDa()
    for (const { at, bytes } of one.junkAt) da.put(at, RIG_DATA, bytes)
    for (const { at, height } of one.junkAt) {
      const { header } = block(height)
      da.put(at, RIG_HEADERS, encodeSignedHeader({ ...header, signature: new Uint8Array(64) }))
    }
    for (const [index, at] of one.headersAt.entries()) postHeaders(da, at, index + 1)
    for (const [index, at] of one.dataAt.entries()) postData(da, at, index + 1)
    for (const at of one.bareAt) da.put(at, RIG_HEADERS, encodeSignedHeader(block(1).header))
    da.grow(41)
    const kv: Kv = createMemoryKv()
    const source = { window: one.window, maxBytes: one.maxBytes }
    for (const at of one.crashes) {
      const crash = Promise.withResolvers<void>()
      const rig = await createDaRig({
        genesis,
        da,
        kv,
        source,
        part: crashing(at, at % 2 === 0 ? 'before' : 'after', () => undefined, crash.resolve),
      })
      await rig.source.start()
      await Promise.race([crash.promise, caughtUp(rig)])
      await rig.stop()
    }
    const rig = await createDaRig({ genesis, da, kv, source })
    try {
      await rig.source.start()
      await rig.reached(COUNT)
      await caughtUp(rig)
      await expectIn(rig, COUNT)
      for (const height of heightsTo(COUNT)) {
        const [headerAt, dataAt] = await inclusion(rig, height)
        expect(headerAt).toBe(
          Math.min(one.headersAt[height - 1] ?? 0, ...(height === 1 ? bareFrom(one) : [])),
        )
        expect(dataAt).toBe(block(height).data.txs.length === 0 ? undefined : one.dataAt[height - 1])
      }
    } finally {
      await rig.stop()
    }
  }

  /** Where headers of height 1 without an envelope count: not above the first with one. */
  function bareFrom({ bareAt, headersAt }: Plan): number[] {
    const strictFrom = Math.min(...headersAt)
    return bareAt.filter((at) => at <= strictFrom)
  }

  test('ends with the whole chain', { timeout: 120_000 }, async () => {
    await fc.assert(fc.asyncProperty(plan, play), { numRuns: 60 })
  })
})
