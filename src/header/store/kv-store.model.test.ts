import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import type { HeaderStore } from '../../core/header.ts'
import type { Kv } from '../../core/kv.ts'
import { noopLogger } from '../../core/logger.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { isEvolveError } from '../../util/errors.ts'
import { createHeaderStore } from './kv-store.ts'

const HEIGHTS = 24
const chains = [makeDummies(HEIGHTS), makeDummies(HEIGHTS, { payload: 'other' })]

/** What the store should hold: items by height, without gaps. */
interface Model {
  readonly items: Map<number, DummyItem>
}

interface Waiter {
  readonly height: number
  readonly controller: AbortController
  readonly outcome: Promise<DummyItem | 'aborted' | 'stopped' | 'missing'>
}

interface Real {
  kv: Kv
  store: HeaderStore<DummyItem>
  waiters: Waiter[]
}

const lowest = (model: Model): number => Math.min(...model.items.keys())
const highest = (model: Model): number => Math.max(0, ...model.items.keys())

async function openStore(kv: Kv): Promise<HeaderStore<DummyItem>> {
  const store = createHeaderStore(
    { kv, kind: dummyKind, logger: noopLogger },
    { prefixes: { items: 1, hashes: 2, meta: 3 }, cacheItems: 3 },
  )
  await store.start()
  return store
}

async function checkAll({ items }: Model, { store }: Real): Promise<void> {
  const head = highest({ items })
  expect(store.height).toBe(head)
  expect(store.tailHeight).toBe(items.size === 0 ? 0 : lowest({ items }))
  expect(await store.head()).toEqual(items.get(head))
  for (let height = 0; height <= HEIGHTS + 1; height++) {
    expect(await store.at(height)).toEqual(items.get(height))
  }
}

type Command = fc.AsyncCommand<Model, Real>

function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return { check: () => true, run, toString: () => name }
}

/** Gaps, repetitions, old, conflicting and contiguous ones: all are some slice of one of two chains. */
const appendCommand = (fork: number, from: number, count: number): Command =>
  command(`append(${fork}, ${from}, ${count})`, async (model, real) => {
    const items = (chains[fork] ?? []).slice(from - 1, from - 1 + count)
    const to = from + items.length
    const known = model.items
    const gap = known.size > 0 && items.length > 0 && (from > highest(model) + 1 || to < lowest(model))
    const conflict = items.some((item) => {
      const stored = known.get(item.height)
      return stored !== undefined && stored.payload !== item.payload
    })
    const expected = gap ? 'NON_ADJACENT_APPEND' : conflict ? 'CONFLICTING_ITEM' : undefined
    if (expected !== undefined) {
      await expect(real.store.append(items)).rejects.toMatchObject({ code: expected })
    } else {
      await real.store.append(items)
      for (const item of items) known.set(item.height, item)
    }
    await checkAll(model, real)
    const due = real.waiters.filter(({ height }) => known.has(height))
    real.waiters = real.waiters.filter((waiter) => !due.includes(waiter))
    for (const { height, outcome } of due) expect(await outcome).toEqual(known.get(height))
  })

const getCommand = (fork: number, height: number): Command =>
  command(`get(${fork}, ${height})`, async ({ items }, { store }) => {
    const item = chains[fork]?.[height - 1]
    if (item === undefined) return
    const stored = items.get(height)?.payload === item.payload
    expect(await store.get(dummyKind.hash(item))).toEqual(stored ? item : undefined)
    expect(await store.has(dummyKind.hash(item))).toBe(stored)
  })

const rangeCommand = (from: number, to: number): Command =>
  command(`range(${from}, ${to})`, async ({ items }, { store }) => {
    const expected: DummyItem[] = []
    for (let height = from; height < to; height++) {
      const item = items.get(height)
      if (item === undefined) break
      expected.push(item)
    }
    expect(await store.range(from, to)).toEqual(expected)
    expect(await store.rangeBytes(from, to)).toEqual(expected.map((item) => dummyKind.encode(item)))
  })

const waitCommand = (height: number): Command =>
  command(`wait(${height})`, async ({ items }, real) => {
    const controller = new AbortController()
    const outcome = real.store.waitFor(height, { signal: controller.signal }).catch((error: unknown) => {
      if (isEvolveError(error, 'STORE_STOPPED')) return 'stopped' as const
      if (isEvolveError(error, 'NOT_FOUND')) return 'missing' as const
      return 'aborted' as const
    })
    if (height > highest({ items })) real.waiters.push({ height, controller, outcome })
    else expect(await outcome).toEqual(items.get(height) ?? 'missing')
  })

const abortCommand = (): Command =>
  command('abort', async (_model, real) => {
    const waiter = real.waiters.shift()
    waiter?.controller.abort()
    expect(await (waiter?.outcome ?? 'aborted')).toBe('aborted')
  })

const truncateCommand = (height: number): Command =>
  command(`truncate(${height})`, async (model, real) => {
    await real.store.truncate(height)
    for (const stored of model.items.keys()) if (stored > height) model.items.delete(stored)
    await checkAll(model, real)
  })

const pruneCommand = (height: number): Command =>
  command(`prune(${height})`, async (model, real) => {
    await real.store.prune(height)
    const head = highest(model)
    for (const stored of model.items.keys()) if (stored <= height && stored < head) model.items.delete(stored)
    await checkAll(model, real)
    expect(await real.store.tail()).toEqual(
      model.items.size === 0 ? undefined : model.items.get(lowest(model)),
    )
  })

const reopenCommand = (): Command =>
  command('reopen', async (model, real) => {
    await real.store.stop()
    for (const { outcome } of real.waiters.splice(0)) expect(await outcome).toBe('stopped')
    real.store = await openStore(real.kv)
    await checkAll(model, real)
  })

test('the store behaves like an array of items', async () => {
  const height = fc.integer({ min: 1, max: HEIGHTS })
  const fork = fc.constantFrom(0, 0, 0, 1)
  const commands = fc.commands(
    [
      fc.tuple(fork, height, fc.integer({ min: 0, max: 8 })).map((args) => appendCommand(...args)),
      fc.tuple(fork, height).map((args) => getCommand(...args)),
      fc.tuple(height, height).map((args) => rangeCommand(...args)),
      height.map(waitCommand),
      fc.constant(undefined).map(abortCommand),
      fc.integer({ min: 0, max: HEIGHTS }).map(truncateCommand),
      fc.integer({ min: 0, max: HEIGHTS + 2 }).map(pruneCommand),
      fc.constant(undefined).map(reopenCommand),
    ],
    { maxCommands: 40 },
  )
  await fc.assert(
    fc.asyncProperty(commands, async (cmds) => {
      const kv = createMemoryKv()
      await kv.start()
      const real: Real = { kv, store: await openStore(kv), waiters: [] }
      await fc.asyncModelRun(() => ({ model: { items: new Map() }, real }), cmds)
      await real.store.stop()
      for (const { outcome } of real.waiters) expect(await outcome).toBe('stopped')
    }),
    { numRuns: 150 },
  )
})
