import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Piece, ReorderBuffer } from './reorder-buffer.ts'

function piece(from: number, length: number, peer = 'a'): Piece<number> {
  return { from, items: Array.from({ length }, (_, i) => from + i), peer, cost: length * 10 }
}

describe('reorder buffer', () => {
  test('gives pieces in order, whatever the order they came in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }).chain((lengths) => {
          let from = 5
          const pieces = lengths.map((length) => {
            from += length
            return piece(from - length, length)
          })
          return fc.shuffledSubarray(pieces, { minLength: pieces.length })
        }),
        fc.infiniteStream(fc.boolean()),
        (pieces, takeNow) => {
          const buffer = new ReorderBuffer<number>(5)
          const taken: number[] = []
          const takeAll = (): void => {
            for (let next = buffer.take(); next !== undefined; next = buffer.take()) taken.push(...next.items)
          }
          for (const one of pieces) {
            buffer.add(one)
            if (takeNow.next().value === true) takeAll()
          }
          takeAll()
          const total = pieces.reduce((sum, { items }) => sum + items.length, 0)
          expect(taken).toEqual(Array.from({ length: total }, (_, i) => 5 + i))
          expect(buffer.cost).toBe(0)
          expect(buffer.front).toBe(buffer.cursor)
        },
      ),
    )
  })

  test('says where the first gap is', () => {
    const buffer = new ReorderBuffer<number>(1)
    expect(buffer.add(piece(5, 4))).toBe(false)
    expect([buffer.cursor, buffer.front, buffer.cost]).toEqual([1, 1, 40])
    expect(buffer.add(piece(1, 4))).toBe(true)
    expect([buffer.cursor, buffer.front, buffer.cost]).toEqual([1, 9, 80])
  })

  test("forgets one peer's pieces, and the front goes back to the first of them", () => {
    const buffer = new ReorderBuffer<number>(1)
    buffer.add(piece(1, 4))
    buffer.add(piece(5, 4, 'liar'))
    buffer.add(piece(9, 4))
    buffer.add(piece(20, 2, 'liar'))
    expect(buffer.drop('liar')).toEqual([
      { from: 5, to: 9 },
      { from: 20, to: 22 },
    ])
    expect([buffer.front, buffer.cost]).toEqual([5, 80])
    buffer.add(piece(5, 4))
    expect(buffer.front).toBe(13)
  })
})
