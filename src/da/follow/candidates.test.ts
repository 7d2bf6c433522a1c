import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sha256 } from '#crypto'
import { EMPTY_BYTES, toHex, utf8 } from '../../util/bytes.ts'
import type { HalfKind } from '../records.ts'
import { halfOfKey } from '../records.ts'
import { type Candidate, type CandidateLimits, createCandidates } from './candidates.ts'

function candidate(
  height: number,
  kind: HalfKind,
  id: number,
  { trusted = true, size = 100 }: { readonly trusted?: boolean; readonly size?: number } = {},
): Candidate {
  const hash = sha256(utf8(`${kind}${id}`))
  const bytes = new Uint8Array(size).fill(id)
  return {
    name: { height, kind, hash },
    daHeight: 1,
    bytes,
    author: EMPTY_BYTES,
    envelope: undefined,
    trusted,
  }
}

const ids = (list: readonly Candidate[]): number[] => list.map(({ bytes }) => bytes[0] ?? 0)

describe('candidates', () => {
  test('of a height are at most four of each kind, trusted ones first', () => {
    const kept = createCandidates()
    for (const id of [1, 2, 3, 4, 5]) kept.offer(candidate(7, 'header', id, { trusted: false }), 0)
    for (const id of [1, 2, 3, 4, 5]) kept.offer(candidate(7, 'data', id, { trusted: false }), 0)
    expect(ids(kept.at(7, 'header'))).toEqual([1, 2, 3, 4])
    expect(ids(kept.offer(candidate(7, 'header', 6), 0))).toEqual([4])
    expect(ids(kept.at(7, 'header'))).toEqual([6, 1, 2, 3])
    expect(ids(kept.at(7, 'data'))).toEqual([1, 2, 3, 4])
  })

  test('that are trusted are not displaced by strangers', () => {
    const kept = createCandidates()
    for (const id of [1, 2, 3, 4]) kept.offer(candidate(7, 'header', id), 0)
    const stranger = candidate(7, 'header', 5, { trusted: false })
    expect(kept.offer(stranger, 0)).toEqual([stranger])
    const fifth = candidate(7, 'header', 6)
    expect(kept.offer(fifth, 0)).toEqual([fifth])
    expect(ids(kept.at(7, 'header'))).toEqual([1, 2, 3, 4])
  })

  test('lie within the window above the header store', () => {
    const kept = createCandidates({ window: 10 })
    const far = candidate(21, 'header', 1)
    expect(kept.offer(far, 10)).toEqual([far])
    expect(kept.offer(candidate(20, 'header', 2), 10)).toEqual([])
  })

  test('leave for want of room in order: strangers, then those needed last', () => {
    const kept = createCandidates({ maxBytes: 4 * 612 })
    kept.offer(candidate(1, 'header', 1, { trusted: false }), 0)
    kept.offer(candidate(5, 'data', 2), 0)
    kept.offer(candidate(9, 'header', 3), 0)
    kept.offer(candidate(5, 'header', 4), 0)
    expect(ids(kept.offer(candidate(4, 'data', 5), 0))).toEqual([1])
    expect(ids(kept.offer(candidate(4, 'header', 6), 0))).toEqual([3])
    expect(ids(kept.offer(candidate(3, 'header', 7), 0))).toEqual([2])
    expect(ids(kept.offer(candidate(8, 'header', 8), 0))).toEqual([8])
    expect(ids(kept.offer(candidate(2, 'data', 9, { trusted: false }), 0))).toEqual([9])
  })

  test('are kept once, whatever is offered again', () => {
    const kept = createCandidates()
    kept.offer(candidate(1, 'header', 1), 0)
    kept.offer(candidate(1, 'header', 1), 0)
    expect([kept.size, kept.at(1, 'header').length]).toEqual([1, 1])
  })

  test('tell their changes once, as the last of each; what only passed through is no change', () => {
    const kept = createCandidates()
    const [one, two, three] = [candidate(1, 'header', 1), candidate(2, 'data', 2), candidate(3, 'data', 3)]
    const changes = () => kept.takeChanges().map(({ type, key }) => [type, halfOfKey(key)])
    kept.offer(one, 0)
    kept.offer(two, 0)
    kept.remove(two)
    kept.onDisk(three.name)
    kept.remove(three)
    expect(changes()).toEqual([
      ['put', one.name],
      ['del', three.name],
    ])
    expect(changes()).toEqual([])
    kept.replace({ ...one, trusted: false })
    expect(changes()).toEqual([])
    kept.remove(one)
    kept.remove(three)
    expect(changes()).toEqual([['del', one.name]])
  })
})

describe('in any order', () => {
  const limits: CandidateLimits = { perHeight: 2, window: 8, maxBytes: 6_000 }
  const step = fc.record({
    height: fc.integer({ min: 1, max: 12 }),
    kind: fc.constantFrom<HalfKind>('header', 'data'),
    id: fc.integer({ min: 0, max: 9 }),
    size: fc.integer({ min: 1, max: 1_500 }),
    trusted: fc.boolean(),
    remove: fc.boolean(),
  })

  test('candidates stay within their bounds, what leaves is told, and the changes are the truth', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const kept = createCandidates(limits)
        const disk = new Set<string>()
        const model = new Map<string, Candidate>()
        const key = ({ name }: Candidate): string => `${name.height}${name.kind}${toHex(name.hash)}`
        for (const { height, kind, id, size, trusted, remove } of steps) {
          const one = candidate(height, kind, id, { trusted, size })
          if (remove) {
            kept.remove(one)
            model.delete(key(one))
          } else if (!model.has(key(one))) {
            const gone = kept.offer(one, 0)
            model.set(key(one), one)
            for (const leaving of gone) {
              // Nobody trusted leaves for a stranger.
              if (!trusted) expect(leaving).toBe(one)
              model.delete(key(leaving))
            }
          }
          for (const op of kept.takeChanges()) {
            if (op.type === 'put') disk.add(toHex(op.key))
            else disk.delete(toHex(op.key))
          }
          expect(kept.size).toBe(model.size)
          expect(disk.size).toBe(model.size)
          expect(kept.bytes).toBe([...model.values()].reduce((sum, { bytes }) => sum + bytes.length + 512, 0))
          expect(kept.bytes).toBeLessThanOrEqual(6_000)
          expect(kept.at(height, kind).length).toBeLessThanOrEqual(2)
          expect(kept.all().every(({ name }) => name.height <= 8)).toBe(true)
        }
      }),
    )
  })
})
