import { createBreathing } from '../../core/breathing.ts'
import { describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import type { Admit, ItemKind } from '../../core/header.ts'
import { EvolveError } from '../../util/errors.ts'
import { type CheckDeps, checkItems } from './check.ts'

const START = 1_700_000_000_000_000_000n
const chain = makeDummies(100, { startTime: START - 200_000_000_000n })
const signal = new AbortController().signal

function item(height: number, changes: Partial<DummyItem> = {}): DummyItem {
  const found = chain[height - 1]
  if (found === undefined) throw new Error(`no dummy ${height}`)
  return { ...found, ...changes }
}

function parts(changes: Partial<CheckDeps<DummyItem>> = {}): CheckDeps<DummyItem> {
  const { env } = createVirtualEnv(START)
  return { kind: dummyKind, admit: async () => {}, env, breathing: createBreathing(env), ...changes }
}

describe('checkItems', () => {
  test('admission sees what was found good so far, with the item below', async () => {
    const seen: [number, number, number | undefined][] = []
    const admit: Admit<DummyItem> = async (items, previous) => {
      seen.push([items[0]?.height ?? 0, items.length, previous?.height])
    }
    const items = chain.slice(10, 20)
    expect(await checkItems(parts({ admit }), items, { below: chain[9], from: 11 }, { signal })).toEqual({
      good: 10,
    })
    const bad = items.with(4, item(15, { signed: false }))
    expect(await checkItems(parts({ admit }), bad, { below: chain[9], from: 11 }, { signal })).toMatchObject({
      good: 4,
      error: { code: 'INVALID_SIGNATURE' },
    })
    expect(seen).toEqual([
      [11, 10, 10],
      [11, 4, 10],
    ])
  })

  test('what admission refuses counts before what is wrong further up', async () => {
    const admit: Admit<DummyItem> = async () => {
      throw new EvolveError('UNPROVEN', 'later', { verdict: 'ignore', data: { admitted: 2 } })
    }
    const bad = chain.slice(10, 20).with(4, item(15, { signed: false }))
    expect(await checkItems(parts({ admit }), bad, { below: chain[9], from: 11 }, { signal })).toMatchObject({
      good: 2,
      error: { code: 'UNPROVEN' },
    })
  })

  test('an admission that says nothing of how many are good admits none', async () => {
    for (const data of [{}, { admitted: 'x' }, { admitted: 99 }]) {
      const admit: Admit<DummyItem> = async () => {
        throw new EvolveError('NO', 'no', { verdict: 'reject', data })
      }
      const { good } = await checkItems(
        parts({ admit }),
        chain.slice(0, 3),
        { below: undefined, from: 1 },
        { signal },
      )
      expect(good).toBe(data.admitted === 99 ? 3 : 0)
    }
  })

  test('the first item of a chain has nothing below it', async () => {
    const at = { below: undefined, from: 1 }
    expect(await checkItems(parts(), chain.slice(0, 5), at, { signal })).toEqual({ good: 5 })
    const early = [item(1, { time: START + 20_000_000_000n })]
    expect(await checkItems(parts(), early, at, { signal })).toMatchObject({
      good: 0,
      error: { code: 'FROM_FUTURE' },
    })
  })

  test('rejects when it is given up', async () => {
    const controller = new AbortController()
    const admit: Admit<DummyItem> = async () => {
      controller.abort(new Error('enough'))
      throw new EvolveError('NO', 'no', { verdict: 'reject' })
    }
    const checking = checkItems(
      parts({ admit }),
      chain.slice(0, 3),
      { below: undefined, from: 1 },
      controller,
    )
    await expect(checking).rejects.toThrow('enough')
  })
})

test('long work makes way for others every 10 ms, waiting does not count', async () => {
  const virtual = createVirtualEnv(START)
  let clock = 0
  let pauses = 0
  const env = {
    ...virtual.env,
    monotonic: () => clock,
    timer: (_ms: number, fire: () => void) => {
      pauses++
      queueMicrotask(fire)
      return () => {}
    },
  }
  const slow: ItemKind<DummyItem> = {
    ...dummyKind,
    validate() {
      clock += 1
    },
  }
  const deps = parts({ kind: slow, env, breathing: createBreathing(env) })
  for (let from = 1; from < 100; from += 5) {
    clock += 1000
    const below = chain[from - 2]
    await checkItems(deps, chain.slice(from - 1, from + 4), { below, from }, { signal })
  }
  expect(pauses).toBe(10)
})
