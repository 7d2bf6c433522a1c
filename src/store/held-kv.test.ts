import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createFaultyKv, type FaultyKv } from '../../test/support/faulty-kv.ts'
import type { KvOp } from '../core/kv.ts'
import { toHex } from '../util/bytes.ts'
import { createHeldKv, type HeldKv } from './held-kv.ts'
import { createMemoryKv } from './kv-memory.ts'
import { subKv } from './sub-kv.ts'

const KEY_COUNT = 5
const ALL = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff) }
const PREFIX = Uint8Array.of(0x77)
const keyOf = (name: number): Uint8Array => Uint8Array.of(name, 0x80 + name)
const KEYS = Array.from({ length: KEY_COUNT }, (_, name) => keyOf(name))

/** A put of a number, or a removal. */
function change(name: number, value: number | undefined): KvOp {
  const key = keyOf(name)
  return value === undefined
    ? { type: 'del', key }
    : { type: 'put', key, value: Uint8Array.of(value >> 8, value & 0xff) }
}

const numberOf = (value: Uint8Array | undefined): number | undefined =>
  value === undefined ? undefined : ((value[0] ?? 0) << 8) | (value[1] ?? 0)

interface Rig {
  readonly held: HeldKv
  readonly whole: FaultyKv
  /** Values by key as the database has them, whatever is held. */
  readonly saved: () => Promise<(number | undefined)[]>
  /** Values by key as a reader sees them. */
  readonly seen: () => Promise<(number | undefined)[]>
}

async function makeRig(): Promise<Rig> {
  const whole = createFaultyKv(createMemoryKv())
  await whole.start()
  const part = subKv(whole, PREFIX)
  const held = createHeldKv(part)
  return {
    held,
    whole,
    saved: async () => (await part.getMany(KEYS)).map(numberOf),
    seen: async () => (await held.getMany(KEYS)).map(numberOf),
  }
}

async function openRig(): Promise<Rig> {
  const rig = await makeRig()
  onTestFinished(async () => await rig.whole.stop())
  return rig
}

/** Fails the next `count` batches. */
function failing(whole: FaultyKv, count = 1): void {
  let left = count
  whole.fail = () => (left-- > 0 ? 'before' : undefined)
}

const STEPS = ['batch', 'sync', 'hold', 'take', 'save', 'range', 'keys', 'failing'] as const
const step = fc.record({
  kind: fc.constantFrom(...STEPS, 'batch', 'batch', 'hold', 'take', 'save'),
  names: fc.uniqueArray(fc.nat({ max: KEY_COUNT - 1 }), { minLength: 1, maxLength: 3 }),
  removes: fc.boolean(),
})

describe('whatever is written, held, taken and saved', () => {
  test('readers see the newest of each key, and the database has it as soon as nothing is held', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const rig = await makeRig()
        const { held, whole } = rig
        const model = KEYS.map((): number | undefined => undefined)
        const newest = KEYS.map(() => 0)
        let holding = false
        let taken: ReturnType<HeldKv['held']> | undefined
        let failed = false
        let batches = 0
        let clock = 0
        let failNext = false
        whole.fail = () => {
          batches++
          const fails = failNext
          failNext = false
          return fails ? 'before' : undefined
        }
        /** Runs what may meet the failing disk; says whether it worked. */
        const attempt = async (task: () => Promise<unknown>): Promise<boolean> => {
          try {
            await task()
            return true
          } catch {
            failed = true
            return false
          }
        }
        for (const { kind, names, removes } of steps) {
          const before = batches
          if (kind === 'batch' || kind === 'sync') {
            clock++
            const value = removes ? undefined : clock
            const ops = names.map((name) => change(name, value))
            const worked = await attempt(async () => await held.batch(ops, { sync: kind === 'sync' }))
            // A refused write counts as a whole or not at all.
            const after = await rig.seen()
            const took = names.map((name) => after[name] === value)
            if (worked) expect(took).not.toContain(false)
            if (worked || (value !== undefined && !took.includes(false)))
              for (const name of names) model[name] = value
            else if (value === undefined) for (const name of names) model[name] = after[name]
            if (holding && kind === 'batch') expect(batches).toBe(before)
          } else if (kind === 'hold') {
            held.hold()
            holding = true
            taken = undefined
          } else if (kind === 'take' && holding) {
            taken = held.held()
          } else if (kind === 'save' && holding) {
            const { ops, mark } = taken ?? held.held()
            if (await attempt(async () => await whole.batch(ops, { sync: true }))) {
              holding = false
              taken = undefined
              // As whoever holds does: again until it succeeds.
              while (!(await attempt(async () => await held.written(mark)))) continue
              failed = false
              expect(await rig.saved()).toEqual(model)
            } else taken = undefined
          } else if (kind === 'range' || kind === 'keys') {
            const walked: string[] = []
            const worked = await attempt(async () => {
              if (kind === 'keys') for await (const key of held.keys(ALL)) walked.push(toHex(key))
              else for await (const [key] of held.range(ALL)) walked.push(toHex(key))
            })
            if (worked) expect(walked).toEqual(KEYS.filter((_, name) => model[name] !== undefined).map(toHex))
          } else if (kind === 'failing') {
            failNext = true
          }
          expect(await rig.seen()).toEqual(model)
          for (const [name, key] of KEYS.entries()) {
            expect(numberOf(await held.get(key))).toBe(model[name])
            const there = (await rig.saved())[name] ?? 0
            // While nobody else writes what is held, nothing older comes to lie over what is newer.
            if (taken === undefined && kind !== 'save' && there !== 0) {
              expect(there).toBeGreaterThanOrEqual(newest[name] ?? 0)
            }
            newest[name] = there
          }
          if (!holding && !failed) expect(await rig.saved()).toEqual(model)
        }
        whole.fail = undefined
        if (!holding) held.hold()
        const { ops, mark } = held.held()
        await whole.batch(ops)
        await held.written(mark)
        expect(await rig.saved()).toEqual(model)
        await whole.stop()
      }),
      { numRuns: 150 },
    )
  })
})

describe('what is held back', () => {
  test('is in no database until whoever holds it has written it', async () => {
    const { held, whole, saved, seen } = await openRig()
    await held.batch([change(0, 1), change(1, 1)])
    held.hold()
    await held.batch([change(0, 2), change(2, 2)])
    await held.batch([change(1, undefined), change(0, 3)])
    expect(await saved()).toEqual([1, 1, undefined, undefined, undefined])
    expect(await seen()).toEqual([3, undefined, 2, undefined, undefined])
    const { ops, mark } = held.held()
    expect(ops).toHaveLength(3)
    expect(await saved()).toEqual([1, 1, undefined, undefined, undefined])
    await whole.batch(ops)
    await held.written(mark)
    expect(await saved()).toEqual([3, undefined, 2, undefined, undefined])
    await held.batch([change(4, 5)])
    expect((await saved())[4]).toBe(5)
  })

  test.each<[string, (held: HeldKv) => Promise<unknown>]>([
    ['a synced write', async (held) => await held.batch([], { sync: true })],
    ['a walk over entries', async (held) => await Array.fromAsync(held.range(ALL))],
    ['a walk over keys', async (held) => await Array.fromAsync(held.keys(ALL))],
  ])('%s writes it first', async (_, act) => {
    const { held, saved } = await openRig()
    held.hold()
    await held.batch([change(0, 1)])
    expect((await saved())[0]).toBeUndefined()
    await act(held)
    expect((await saved())[0]).toBe(1)
  })

  test('what comes while it is being saved is written after it', async () => {
    const { held, whole, saved, seen } = await openRig()
    held.hold()
    await held.batch([change(0, 1), change(1, 1)])
    const { ops, mark } = held.held()
    await held.batch([change(0, 2)])
    await held.batch([change(2, 2)], { sync: true })
    expect(await saved()).toEqual([2, 1, 2, undefined, undefined])
    await whole.batch(ops)
    expect(await seen()).toEqual([2, 1, 2, undefined, undefined])
    await held.written(mark)
    expect(await saved()).toEqual([2, 1, 2, undefined, undefined])
  })

  test('stays readable when writing it fails, and comes before what is written later', async () => {
    const { held, whole, saved, seen } = await openRig()
    held.hold()
    await held.batch([change(0, 1), change(1, 1)])
    failing(whole, 2)
    await expect(held.written(0)).rejects.toMatchObject({ code: 'STORE_IO' })
    expect(await seen()).toEqual([1, 1, undefined, undefined, undefined])
    await expect(held.batch([change(0, 2)])).rejects.toMatchObject({ code: 'STORE_IO' })
    expect(await saved()).toEqual([undefined, undefined, undefined, undefined, undefined])
    await held.batch([change(2, 3)])
    expect(await saved()).toEqual([2, 1, 3, undefined, undefined])
  })

  test('is given again, with what came since, when saving it failed', async () => {
    const { held, whole, saved } = await openRig()
    held.hold()
    await held.batch([change(0, 1)])
    failing(whole)
    await expect(whole.batch(held.held().ops)).rejects.toMatchObject({ code: 'STORE_IO' })
    await held.batch([change(1, 2)])
    const { ops, mark } = held.held()
    await whole.batch(ops)
    expect(await saved()).toEqual([1, 2, undefined, undefined, undefined])
    await held.written(mark)
    expect(await saved()).toEqual([1, 2, undefined, undefined, undefined])
  })
})
