import { expect, onTestFinished, test } from 'vitest'
import { createFaultyKv, type FaultyKv } from '../../test/support/faulty-kv.ts'
import { faultsOf, growKvChain, openKvHome } from '../../test/support/kv-chain.ts'
import type { KvOp } from '../core/kv.ts'
import { type Cursor, decodeCursor, encodeCursor } from '../da/follow/cursor.ts'
import { CURSOR_KEY } from '../da/records.ts'
import { loadQueue, removalOps } from '../sequencer/records.ts'
import { TxQueue } from '../sequencer/queue.ts'
import { KEYS, METADATA } from '../store/keys.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { subKv } from '../store/sub-kv.ts'
import { parseHeight } from '../core/record-keys.ts'
import { EMPTY_BYTES, uint64BigEndian } from '../util/bytes.ts'
import { rollBack, type RollbackOptions } from './rollback.ts'

const { signal } = new AbortController()
const HEIGHT = 60
const FINAL = 50

const CURSOR: Cursor = {
  next: 400,
  first: 1,
  strictFrom: undefined,
  proposer: EMPTY_BYTES,
  stores: { header: HEIGHT, data: HEIGHT },
  lost: {},
  doubts: [],
  unmarkFrom: undefined,
}

/** A node's database at height 60, final up to 50, with block h on DA at 5h and 5h + 1; posted and settled up to 60. */
async function filled(): Promise<{ kv: FaultyKv; roots: Map<number, string> }> {
  const kv = createFaultyKv(createMemoryKv())
  await kv.start()
  onTestFinished(async () => await kv.stop())
  const home = await openKvHome(kv)
  const roots = await growKvChain(home, HEIGHT)
  await home.blocks.saveInclusion(
    Array.from({ length: FINAL }, (_, i) => ({
      height: i + 1,
      headerDaHeight: 5 * (i + 1) + 1,
      dataDaHeight: 5 * (i + 1),
    })),
  )
  for (const name of [METADATA.lastSubmittedHeaderHeight, METADATA.lastSubmittedDataHeight]) {
    await home.blocks.saveMetadata(name, uint64BigEndian(HEIGHT).toReversed())
  }
  const ops: KvOp[] = [
    ...subKv(kv, Uint8Array.of(KEYS.da)).whole([
      { type: 'put', key: CURSOR_KEY, value: encodeCursor(CURSOR) },
    ]),
    ...subKv(kv, Uint8Array.of(KEYS.queue)).whole(removalOps(new TxQueue(7, HEIGHT), 7, HEIGHT)),
  ]
  await kv.batch(ops)
  await home.stop()
  return { kv, roots }
}

async function goBack(kv: FaultyKv, options: Omit<RollbackOptions, 'signal'>, undoHeights?: number) {
  const home = await openKvHome(kv, undoHeights)
  await home.stop()
  return await rollBack({ kv, executor: home.executor }, { ...options, signal })
}

/** What a database says of how far everything is. */
async function around(kv: FaultyKv): Promise<Readonly<Record<string, unknown>>> {
  const home = await openKvHome(kv)
  const read = async (name: string): Promise<number | undefined> => {
    const bytes = await home.blocks.metadata(name)
    return bytes === undefined ? undefined : parseHeight(bytes.toReversed())
  }
  const cursor = await subKv(kv, Uint8Array.of(KEYS.da)).get(CURSOR_KEY)
  const queue = await loadQueue(subKv(kv, Uint8Array.of(KEYS.queue)), undefined)
  const found = {
    final: await home.blocks.daIncludedHeight(),
    headers: await read(METADATA.lastSubmittedHeaderHeight),
    data: await read(METADATA.lastSubmittedDataHeight),
    next: cursor === undefined ? undefined : decodeCursor(cursor)?.next,
    settled: queue.settledHeight,
    done: queue.done,
  }
  await home.stop()
  return found
}

test('all that knows how far the chain goes goes back with it', async () => {
  const { kv, roots } = await filled()
  expect(await goBack(kv, {})).toMatchObject({
    from: HEIGHT,
    to: HEIGHT - 1,
    final: FINAL,
    daHeight: undefined,
  })
  expect(await around(kv)).toMatchObject({ final: FINAL, headers: 59, data: 59, next: 400, settled: 59 })
  expect(await goBack(kv, { height: 30, belowFinal: true })).toMatchObject({
    from: 59,
    to: 30,
    daHeight: 155,
  })
  expect(await around(kv)).toEqual({ final: 30, headers: 30, data: 30, next: 155, settled: 30, done: 7 })
  const home = await openKvHome(kv)
  expect(await faultsOf(home, { height: 30, pruned: 0, statesPruned: 0 }, roots)).toEqual([])
  // The same blocks again.
  await growKvChain(home, 30)
  expect(await faultsOf(home, { height: 60, pruned: 0, statesPruned: 0 }, roots)).toEqual([])
  await home.stop()
})

test.each(['before', 'after'] as const)('cut off %s every single write, it is done again', async (kind) => {
  for (let strike = 0; ; strike++) {
    const { kv, roots } = await filled()
    let writes = 0
    kv.fail = () => (writes++ === strike ? kind : undefined)
    const whole = await goBack(kv, { height: 30, belowFinal: true }).then(
      () => true,
      () => false,
    )
    kv.fail = undefined
    // A node that starts now finds a chain of one piece.
    const home = await openKvHome(kv)
    const height = await home.blocks.height()
    expect(await faultsOf(home, { height, pruned: 0, statesPruned: 0 }, roots)).toEqual([])
    await home.stop()
    if (!whole) await goBack(kv, { height: 30, belowFinal: true })
    expect(await around(kv)).toMatchObject({ final: 30, headers: 30, data: 30, next: 155, settled: 30 })
    if (whole) {
      // Thirty undone blocks, what is around them, the stores.
      expect(strike).toBeGreaterThan(30)
      return
    }
  }
})

test.each<[string, Omit<RollbackOptions, 'signal'>, string, RegExp]>([
  ['below what is final', { height: 49 }, 'BELOW_FINAL', /block 50 is final/],
  ['above the chain', { height: 61 }, 'UNEXPECTED_HEIGHT', /from 0 to 60.*not to 61/],
  ['below the chain', { height: -1, belowFinal: true }, 'UNEXPECTED_HEIGHT', /not to -1/],
  ['further than the application', { height: 20, belowFinal: true }, 'ROLLBACK_TOO_DEEP', /cannot go back/],
])('%s is refused, and nothing changes', async (_name, options, code, message) => {
  const { kv, roots } = await filled()
  // The application forgets what it did more than 16 blocks ago.
  const home = await openKvHome(kv, 16)
  roots.set(61, (await growKvChain(home, 1)).get(61) ?? '')
  await home.stop()
  await goBack(kv, { height: HEIGHT })
  const before = await around(kv)
  const refused = goBack(kv, options, 16)
  await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  expect(await around(kv)).toEqual(before)
  const after = await openKvHome(kv)
  expect(await faultsOf(after, { height: HEIGHT, pruned: 0, statesPruned: 0 }, roots)).toEqual([])
  await after.stop()
})

test('an empty chain has nothing to roll back', async () => {
  const kv = createFaultyKv(createMemoryKv())
  await kv.start()
  onTestFinished(async () => await kv.stop())
  await expect(goBack(kv, {})).rejects.toMatchObject({ code: 'NOTHING_TO_ROLL_BACK' })
})
