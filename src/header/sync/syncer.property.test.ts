import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { honestPeer, type ScriptedPeer } from '../../../test/support/scripted-exchange.ts'
import { BENCH_START, createSyncerBench, type SyncerBench } from '../../../test/support/syncer-bench.ts'
import type { Admit, ItemKind } from '../../core/header.ts'
import { toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'

const LENGTH = 150
const SECOND = 1_000_000_000n
const chain = makeDummies(LENGTH, { startTime: BENCH_START - 1_000n * SECOND })

/** A chain that leaves the honest one above `from`: well linked, by somebody who may not. */
function forkAbove(from: number): DummyItem[] {
  const fork: DummyItem[] = chain.slice(0, from)
  for (const one of chain.slice(from)) {
    const below = fork.at(-1)
    fork.push({
      ...one,
      payload: 'stranger',
      previous: below === undefined ? '' : toHex(dummyKind.hash(below)),
    })
  }
  return fork
}

/** What lying peers do with an honest answer. */
const lies: ((items: readonly DummyItem[], from: number, to: number) => readonly DummyItem[])[] = [
  (items) => items.map((one) => ({ ...one, signed: false })),
  (items) => items.map((one, index) => (index === items.length - 1 ? { ...one, signed: false } : one)),
  (items) => items.toReversed(),
  (items) => items.slice(1),
  (items) => items.toSpliced(Math.floor(items.length / 2), 1),
  (items) => items.concat(items),
  (items) => items.map((one) => ({ ...one, chainId: 'other' })),
  (items) => items.map((one) => ({ ...one, time: BENCH_START + 3600n * SECOND })),
  (items) => items.map((one) => ({ ...one, time: one.time - 500n * SECOND })),
  (items) => items.map((one) => ({ ...one, previous: '00'.repeat(32) })),
  (items) => items.slice(0, 1),
  (_items, from, to) => forkAbove(40).slice(from - 1, to - 1),
  (_items, from, to) => forkAbove(Math.floor((from + to) / 2)).slice(from - 1, to - 1),
  (_items, from, to) => forkAbove(0).slice(from - 1, to - 1),
]

type Event =
  | { readonly type: 'gossip'; readonly height: number; readonly forkedAt: number | undefined }
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'liar'; readonly lie: number }
  | { readonly type: 'honest'; readonly height: number }
  | { readonly type: 'target'; readonly height: number }
  | { readonly type: 'prove'; readonly height: number }
  | { readonly type: 'truncate'; readonly height: number }

const height = fc.integer({ min: 1, max: LENGTH })
const forkedAt = fc.option(fc.integer({ min: 0, max: LENGTH - 1 }), { nil: undefined, freq: 2 })
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('gossip'), height, forkedAt }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('advance'), ms: fc.integer({ min: 0, max: 5_000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('liar'), lie: fc.nat({ max: lies.length - 1 }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('honest'), height }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('target'), height }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('prove'), height }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('truncate'), height }) },
)

/** The first item that is not the honest one of its height. */
function firstDifference(stored: readonly DummyItem[]): DummyItem | undefined {
  const text = (item: DummyItem | undefined): string =>
    item === undefined ? '' : toHex(dummyKind.encode(item))
  return stored.find((item, index) => text(item) !== text(chain[index]))
}

const honest = new Set(chain.map((item) => toHex(dummyKind.hash(item))))

/** Signatures that mean something: the proposer's cover every field, a stranger signs what he likes. */
const signedKind: ItemKind<DummyItem> = {
  ...dummyKind,
  validate(item) {
    dummyKind.validate(item)
    if (item.payload === 'stranger' || honest.has(toHex(dummyKind.hash(item)))) return
    throw new EvolveError('INVALID_SIGNATURE', `dummy ${item.height} was changed`, { verdict: 'reject' })
  },
}

interface World extends SyncerBench {
  liars: number
  prove(upTo: number): void
}

async function createWorld(random: () => number): Promise<World> {
  let provenUpTo = 1
  // A stranger's item is wrong where the proposer is proven, and cannot be judged above.
  const admit: Admit<DummyItem> = async (items) => {
    const admitted = items.findIndex(({ payload }) => payload !== '')
    if (admitted === -1) return
    const certain = (items[admitted]?.height ?? 0) <= provenUpTo
    throw new EvolveError('PROPOSER', 'a stranger', {
      verdict: certain ? 'reject' : 'ignore',
      data: { admitted },
    })
  }
  const bench = await createSyncerBench({ kind: signedKind, admit, pieceSize: 16, maxPending: 20 })
  bench.exchange.pick = (count) => Math.floor(random() * count)
  bench.exchange.gate = async () => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) await Promise.resolve()
  }
  return {
    ...bench,
    liars: 0,
    prove(upTo) {
      provenUpTo = Math.max(provenUpTo, upTo)
    },
  }
}

async function happen(world: World, what: Event): Promise<void> {
  const { exchange, syncer, virtual, store } = world
  switch (what.type) {
    case 'gossip': {
      const from = what.forkedAt === undefined ? chain : forkAbove(what.forkedAt)
      const item = from[what.height - 1]
      if (item !== undefined) await world.gossip(item)
      break
    }
    case 'advance':
      await virtual.advance(what.ms)
      break
    case 'liar': {
      if (world.liars >= 3) return
      const id = `liar ${++world.liars}`
      const lie = lies[what.lie]
      const answer: ScriptedPeer<DummyItem>['answer'] = (from, to) => {
        const items = chain.slice(from - 1, to - 1)
        return items.length === 0 || lie === undefined ? [] : lie(items, from, to)
      }
      exchange.peers.push({ id, answer })
      break
    }
    case 'honest':
      exchange.peers.push(honestPeer(`honest ${exchange.peers.length}`, chain.slice(0, what.height)))
      break
    case 'target':
      syncer.setTarget(what.height)
      break
    case 'prove':
      world.prove(what.height)
      syncer.poke()
      break
    case 'truncate':
      await store.truncate(what.height)
      syncer.poke()
      break
  }
}

test('whatever gossip and up to three lying peers say, the honest chain ends up in the store and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 25 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      async (events, randoms) => {
        const world = await createWorld(() => randoms.next().value)
        const { virtual, exchange, syncer, store } = world
        for (const what of events) {
          await happen(world, what)
          expect(firstDifference(await world.stored())).toBeUndefined()
        }
        exchange.peers.push(honestPeer('honest', chain))
        world.prove(LENGTH)
        syncer.setTarget(LENGTH)
        for (let seconds = 0; seconds < 120 && store.height < LENGTH; seconds += 5)
          await virtual.advance(5_000)
        expect(firstDifference(await world.stored())).toBeUndefined()
        expect([store.tailHeight, store.height, syncer.state().error]).toEqual([1, LENGTH, undefined])
        expect(world.conflicts).toEqual([])
        expect(exchange.blamed.filter(({ peer }) => !peer.startsWith('liar'))).toEqual([])
        await world.stop()
        expect(virtual.timers).toBe(0)
      },
    ),
    { numRuns: 60 },
  )
})
