import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { namespaceBytes } from '../../types/namespace.ts'
import { utf8 } from '../../util/bytes.ts'
import { isEvolveError } from '../../util/errors.ts'
import { createBlob } from '../blob.ts'
import { blockAbove, decodeBlock, encodeBlock } from './block.ts'

const blobs = fc.array(
  fc
    .tuple(
      fc.constantFrom('a', 'b', 'c').map(namespaceBytes),
      fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
    )
    .map(([namespace, data]) => createBlob(namespace, data)),
  { maxLength: 6 },
)
const times = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })

describe('the record of a block', () => {
  test('gives the same block again', () => {
    fc.assert(
      fc.property(blobs, blobs, times, times, (first, second, ...[one, other]) => {
        const below = blockAbove(undefined, { now: one, blobs: first })
        const block = blockAbove(below, { now: other, blobs: second, keepIndex: true })
        for (const made of [below, block]) expect(decodeBlock(made.height, encodeBlock(made))).toEqual(made)
        expect(block.previousHash).toEqual(below.hash)
        expect(block.time).toBeGreaterThan(below.time)
      }),
    )
  })

  test('that is of another height, or damaged, is refused as such or read as another, never more', () => {
    const block = blockAbove(undefined, { now: 5n, blobs: [createBlob(namespaceBytes('a'), utf8('x'))] })
    const record = encodeBlock(block)
    expect(() => decodeBlock(1, record)).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }))
    fc.assert(
      fc.property(fc.nat(record.length - 1), fc.nat(255), (index, byte) => {
        const damaged = record.map((own, i) => (i === index ? byte : own))
        try {
          decodeBlock(0, damaged)
        } catch (error) {
          expect(isEvolveError(error, 'DECODE_FAILED', 'STORE_CORRUPT')).toBe(true)
        }
      }),
    )
  })
})
