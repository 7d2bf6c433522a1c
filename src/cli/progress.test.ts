import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatSpan, type Progress, renderProgress } from './progress.ts'

const syncing: Progress = {
  phase: 'catching-up',
  height: 1_132,
  headerHeight: 1_800,
  targetHeight: 2_264,
  peers: 3,
  blocksPerSecond: 500,
}

describe('the progress line', () => {
  test('tells how far, how fast, by whom and how long', () => {
    expect(renderProgress(syncing, 100)).toBe(
      'syncing  █████████████████▒▒▒▒▒▒▒▒▒▒░░░░░░░   50.0 %  1,132 / 2,264  500 blocks/s  3 peers  3s left',
    )
  })

  test('says 100 % only when nothing is missing', () => {
    expect(renderProgress({ ...syncing, height: 2_263_999, targetHeight: 2_264_000 }, 120)).toContain(
      ' 99.9 %',
    )
    expect(renderProgress({ ...syncing, height: 2_264 }, 120)).toContain('100.0 %')
  })

  test('foretells nothing while nothing moves', () => {
    expect(renderProgress({ ...syncing, blocksPerSecond: 0 }, 100)).not.toContain('left')
    expect(renderProgress({ ...syncing, blocksPerSecond: 1e-9 }, 100)).not.toContain('left')
  })

  test('without a target tells what it waits for', () => {
    expect(renderProgress({ ...syncing, phase: 'following', targetHeight: 0, height: 0, peers: 1 }, 80)).toBe(
      'following  1 peer',
    )
  })

  test('is never as wide as the terminal, whatever happens', () => {
    fc.assert(
      fc.property(
        fc.record({
          phase: fc.constantFrom(
            'stopped',
            'replaying',
            'waiting-genesis',
            'catching-up',
            'following',
            'halted',
          ),
          height: fc.nat(Number.MAX_SAFE_INTEGER),
          headerHeight: fc.nat(Number.MAX_SAFE_INTEGER),
          targetHeight: fc.nat(Number.MAX_SAFE_INTEGER),
          peers: fc.nat(1_000),
          blocksPerSecond: fc.double({ min: 0, max: 1e9, noNaN: true }),
        }),
        fc.integer({ min: 1, max: 300 }),
        (progress, width) => {
          const line = renderProgress(progress, width)
          expect(Array.from(line).length).toBeLessThan(width)
          expect(line).not.toMatch(/\p{Cc}|NaN|Infinity|undefined/u)
        },
      ),
    )
  })

  test.each([
    [7.2, '8s'],
    [185, '3m05s'],
    [9_600, '2h40m'],
    [367_200, '4d06h'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(formatSpan(seconds)).toBe(text)
  })
})
