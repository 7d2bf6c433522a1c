import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSignatureBatch, packedChecks } from './signature-batch.ts'

const of = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })
const message = fc.uint8Array({ maxLength: 300 })
const good = fc.record({ publicKey: of(32), message, signature: of(64) })
const wrong = fc.oneof(
  fc.record({ publicKey: fc.uint8Array({ maxLength: 31 }), message, signature: of(64) }),
  fc.record({ publicKey: fc.uint8Array({ minLength: 33, maxLength: 70 }), message, signature: of(64) }),
  fc.record({ publicKey: of(32), message, signature: fc.uint8Array({ maxLength: 63 }) }),
  fc.record({ publicKey: of(32), message, signature: fc.uint8Array({ minLength: 65, maxLength: 100 }) }),
  // As long together as they must be.
  fc.record({ publicKey: of(64), message, signature: of(32) }),
)
/** Room for too little, enough, or more. */
const room = fc.record({ count: fc.nat({ max: 20 }), messageBytes: fc.nat({ max: 400 }) })

describe('a signature batch', () => {
  test('gives back what was added, in order, in whatever room it began', () => {
    const property = fc.property(
      fc.array(good, { maxLength: 20 }),
      room,
      (checks, { count, messageBytes }) => {
        const batch = createSignatureBatch(count, messageBytes)
        for (const check of checks)
          expect(batch.add(check.publicKey, check.message, check.signature)).toBe(true)
        expect(batch.size).toBe(checks.length)
        expect([...packedChecks(batch.finish())]).toEqual(checks)
      },
    )
    fc.assert(property)
  })

  test('refuses keys and signatures of another length, and is as if they had not come', () => {
    const either = fc.oneof(
      good.map((check) => ({ check, taken: true })),
      wrong.map((check) => ({ check, taken: false })),
    )
    const property = fc.property(
      fc.array(either, { maxLength: 20 }),
      room,
      (all, { count, messageBytes }) => {
        const batch = createSignatureBatch(count, messageBytes)
        let size = 0
        for (const { check, taken } of all) {
          expect(batch.add(check.publicKey, check.message, check.signature)).toBe(taken)
          if (taken) size++
          expect(batch.size).toBe(size)
        }
        const expected = all.filter(({ taken }) => taken).map(({ check }) => check)
        expect([...packedChecks(batch.finish())]).toEqual(expected)
      },
    )
    fc.assert(property)
  })

  test('keeps its own copy of what was added', () => {
    const [publicKey, text, signature] = [32, 10, 64].map((length) => new Uint8Array(length).fill(length))
    if (publicKey === undefined || text === undefined || signature === undefined)
      throw new Error('three parts')
    const batch = createSignatureBatch(1, 10)
    batch.add(publicKey, text, signature)
    for (const part of [publicKey, text, signature]) part.fill(0)
    expect([...packedChecks(batch.finish())]).toEqual([
      {
        publicKey: new Uint8Array(32).fill(32),
        message: new Uint8Array(10).fill(10),
        signature: new Uint8Array(64).fill(64),
      },
    ])
  })

  test('is read where its bytes are a part of larger memory', () => {
    const property = fc.property(fc.array(good, { maxLength: 5 }), fc.nat({ max: 9 }), (checks, before) => {
      const batch = createSignatureBatch(5, 300)
      for (const check of checks) batch.add(check.publicKey, check.message, check.signature)
      const bytes = batch.finish()
      const around = new Uint8Array(before + bytes.length + 3).fill(255)
      around.set(bytes, before)
      expect([...packedChecks(around.subarray(before, before + bytes.length))]).toEqual(checks)
    })
    fc.assert(property)
  })
})
