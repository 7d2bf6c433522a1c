import { describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import type { ItemKind } from '../../core/header.ts'
import { EvolveError } from '../../util/errors.ts'
import { bifurcate } from './bifurcation.ts'

const chain = makeDummies(200)
const signal = new AbortController().signal

function item(height: number, changes: Partial<DummyItem> = {}): DummyItem {
  const found = chain[height - 1]
  if (found === undefined) throw new Error(`no dummy ${height}`)
  return { ...found, ...changes }
}

/** A kind that trusts over at most `reach` heights. */
function shortSighted(reach: number): ItemKind<DummyItem> {
  return {
    ...dummyKind,
    verifyNonAdjacent(trusted, untrusted) {
      if (untrusted.height - trusted.height > reach) throw new Error('too far')
    },
  }
}

interface Trace {
  readonly asked: number[]
  readonly believed: number[]
}

async function run(
  reach: number,
  head: DummyItem,
  at: (height: number) => DummyItem | EvolveError = (height) => item(height),
): Promise<Trace> {
  const trace: Trace = { asked: [], believed: [] }
  await bifurcate(
    {
      kind: shortSighted(reach),
      now: () => item(200).time,
      exchange: {
        async at(height) {
          trace.asked.push(height)
          const answer = at(height)
          if (answer instanceof EvolveError) throw answer
          return answer
        },
      },
      believe: async ({ height }) => {
        trace.believed.push(height)
      },
    },
    item(1),
    head,
    { signal },
  )
  return trace
}

describe('bifurcate', () => {
  test('halves until an item can be judged, then goes on from there', async () => {
    const { asked, believed } = await run(30, item(101))
    expect(asked.slice(0, 2)).toEqual([51, 26])
    expect(believed[0]).toBe(26)
    expect(believed).toEqual(believed.toSorted((a, b) => a - b))
    expect(101 - (believed.at(-1) ?? 0)).toBeLessThanOrEqual(30)
  })

  test('ends also where only neighbours can be judged', async () => {
    const { believed } = await run(1, item(20))
    expect(believed).toEqual(Array.from({ length: 18 }, (_, index) => index + 2))
  })

  test('a candidate that is wrong for good ends it', async () => {
    await expect(run(30, item(101), (height) => item(height, { chainId: 'other' }))).rejects.toMatchObject({
      code: 'WRONG_CHAIN_ID',
      verdict: 'reject',
    })
  })

  test('a head that does not follow from the one below it is wrong', async () => {
    await expect(run(1, item(10, { previous: item(3).previous }))).rejects.toMatchObject({
      code: 'BIFURCATION_FAILED',
      verdict: 'reject',
    })
  })

  test('nobody who can tell: the failure is passed on', async () => {
    const missing = new EvolveError('NOT_FOUND', 'nobody', { verdict: 'retry' })
    await expect(run(30, item(101), () => missing)).rejects.toBe(missing)
  })
})
