import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createFaultyKv, type FaultyKv } from '../../test/support/faulty-kv.ts'
import { createPowerKv } from '../../test/support/power-kv.ts'
import { createRecorder, type Recorder } from '../../test/support/recorder.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { FilterStatus } from '../core/executor.ts'
import type { Kv, KvPart } from '../core/kv.ts'
import type { Sequencer } from '../core/sequencer.ts'
import { createLevelKv } from '../store/kv-level.node.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { subKv } from '../store/sub-kv.ts'
import { concatBytes, fromUtf8, uint64BigEndian, utf8 } from '../util/bytes.ts'
import { deferred } from '../util/async.ts'
import { WireWriter } from '../util/wire.ts'
import { createSingleSequencer, type SingleSequencerOptions } from './single.ts'

const { signal } = new AbortController()
const PREFIX = Uint8Array.of(0x71)

interface Bench extends Recorder {
  readonly kv: FaultyKv
  readonly part: KvPart
  readonly sequencer: Sequencer
  /** Writes to the database that were begun. */
  batches: number
  /** Height of the last block that was committed. */
  height: number
  submit(...txs: readonly string[]): Promise<void>
  next(maxBytes?: number): Promise<{ readonly txs: string[]; readonly upTo: number }>
  /** Commits a block with what comes next. */
  commit(maxBytes?: number): Promise<string[]>
  /** Drops these, of blocks up to `height`. */
  drop(height: number, ...txs: readonly string[]): Promise<number>
}

async function memory(): Promise<Kv> {
  const kv = createMemoryKv()
  await kv.start()
  onTestFinished(async () => await kv.stop())
  return kv
}

async function bench(options: SingleSequencerOptions = {}, over?: Kv): Promise<Bench> {
  const kv = createFaultyKv(over ?? (await memory()))
  const recorder = createRecorder()
  const part = subKv(kv, PREFIX)
  const sequencer = createSingleSequencer({ kv: part, env: createVirtualEnv().env, ...recorder }, options)
  await sequencer.start()
  onTestFinished(async () => await sequencer.stop())
  kv.fail = () => {
    made.batches++
    return undefined
  }
  const made: Bench = {
    ...recorder,
    kv,
    part,
    sequencer,
    batches: 0,
    height: sequencer.settledHeight,
    async submit(...txs) {
      await sequencer.submit(txs.map(utf8), { signal })
    },
    async next(maxBytes = Infinity) {
      const { txs, upTo } = await sequencer.next({ maxBytes, signal })
      return { txs: txs.map((tx) => fromUtf8(tx) ?? ''), upTo }
    },
    async commit(maxBytes) {
      const { txs, upTo } = await made.next(maxBytes)
      made.height++
      await kv.batch(sequencer.removal(upTo, made.height), { sync: true })
      sequencer.committed(upTo, made.height)
      return txs
    },
    async drop(height, ...txs) {
      return await sequencer.drop((tx) => txs.includes(fromUtf8(tx) ?? ''), height, { signal })
    },
  }
  return made
}

/** Makes the next write wait until the returned function is called. */
function hold(kv: FaultyKv): { readonly begun: Promise<void>; readonly go: () => void } {
  const [begun, gate] = [deferred<void>(), deferred<void>()]
  const batch: Kv['batch'] = kv.batch.bind(kv)
  kv.batch = async (ops, options) => {
    kv.batch = batch
    begun.resolve()
    await gate.promise
    await batch(ops, options)
  }
  return { begun: begun.promise, go: () => gate.resolve() }
}

test('transactions come in order, and leave with their block', async () => {
  const own = await bench()
  await own.submit('c', 'a', 'c')
  await own.submit('b', 'a')
  expect(await own.next()).toEqual({ txs: ['c', 'a', 'b'], upTo: 3 })
  expect([own.sequencer.size, own.sequencer.bytes]).toEqual([3, 3])
  expect(await own.commit(2)).toEqual(['c', 'a'])
  await own.submit('a')
  expect(await own.commit()).toEqual(['b', 'a'])
  expect(await own.next()).toEqual({ txs: [], upTo: 4 })
  expect(own.value('sequencer_queue_txs')).toBe(0)
})

test('behind a batch whose block is about to be committed come those after it', async () => {
  const own = await bench()
  await own.submit('a', 'b', 'c')
  const { upTo } = await own.sequencer.next({ maxBytes: 2, signal })
  expect(upTo).toBe(2)
  const behind = async () => await own.sequencer.next({ maxBytes: 10, after: upTo, signal })
  const text = (txs: readonly Uint8Array[]): string[] => txs.map((tx) => fromUtf8(tx) ?? '')
  const ahead = await behind()
  expect([text(ahead.txs), ahead.upTo]).toEqual([['c'], 3])
  await own.commit(2)
  const again = await behind()
  expect([text(again.txs), again.upTo]).toEqual([['c'], 3])
  expect((await own.sequencer.next({ maxBytes: 10, after: 3, signal })).txs).toEqual([])
})

test('the queue outlives the process on disk, blocks of it left out', async () => {
  const path = await mkdtemp(join(tmpdir(), 'sequencer-'))
  onTestFinished(async () => await rm(path, { recursive: true, force: true }))
  const txs = Array.from({ length: 300 }, (_, i) => `transaction ${i}`)
  const seen: string[] = []
  for (let life = 0; life < 5; life++) {
    const kv = createLevelKv({ path: join(path, 'store') })
    await kv.start()
    const own = await bench({}, kv)
    if (life === 0) await Promise.all(txs.map(async (tx) => await own.submit(tx)))
    seen.push(...(await own.commit(900)))
    seen.push(...(await own.commit(13)))
    await own.sequencer.stop()
    await kv.stop()
  }
  expect(seen.length).toBeGreaterThan(250)
  expect(seen).toEqual(txs.slice(0, seen.length))
})

test('submissions that come while one is written are written together', async () => {
  const own = await bench()
  const { begun, go } = hold(own.kv)
  const first = own.submit('first')
  await begun
  const others = Array.from({ length: 500 }, async (_, i) => await own.submit(`${i}`, `${i + 1}`))
  expect(own.sequencer.size).toBe(0)
  go()
  await Promise.all([first, ...others])
  expect(own.batches).toBe(2)
  const expected = ['first', ...Array.from({ length: 501 }, (_, i) => `${i}`)]
  expect((await own.next()).txs).toEqual(expected)
})

test('a full queue takes nothing of a submission, but what waits already needs no room', async () => {
  const own = await bench({ maxTxs: 4, maxBytes: 10 })
  await own.submit('aa', 'bb', 'cc')
  await expect(own.submit('d', 'e')).rejects.toMatchObject({
    code: 'QUEUE_FULL',
    verdict: 'retry',
    data: { txs: 3, bytes: 6 },
  })
  await expect(own.submit('12345')).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  await own.submit('dddd', 'aa', 'dddd')
  await own.submit('aa', 'dddd', 'bb')
  expect((await own.next()).txs).toEqual(['aa', 'bb', 'cc', 'dddd'])
  await own.commit(2)
  await own.submit('e')
  expect((await own.next()).txs).toEqual(['bb', 'cc', 'dddd', 'e'])
})

test('what is submitted twice while the disk is busy needs room once', async () => {
  const own = await bench({ maxTxs: 2 })
  const { begun, go } = hold(own.kv)
  const first = own.submit('a')
  await begun
  const others = [own.submit('b'), own.submit('b')]
  go()
  await Promise.all([first, ...others])
  expect((await own.next()).txs).toEqual(['a', 'b'])
})

test('what waits to be written is bounded too', async () => {
  const own = await bench({ maxTxs: 2 })
  const { begun, go } = hold(own.kv)
  const first = own.submit('a')
  await begun
  const others = await Promise.allSettled([own.submit('b'), own.submit('c'), own.submit('d').finally(go)])
  await first
  expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect((await own.next()).txs).toEqual(['a', 'b'])
})

test('a transaction that no block can hold is refused with all that came with it', async () => {
  const own = await bench({ maxTxBytes: 4 })
  await expect(own.submit('a', '12345', 'b')).rejects.toMatchObject({
    code: 'TX_TOO_BIG',
    verdict: 'reject',
    data: { bytes: 5, limit: 4 },
  })
  expect(own.sequencer.size).toBe(0)
  await own.submit('1234')
  const small = await bench({ maxBytes: 3 })
  await expect(small.submit('1234')).rejects.toMatchObject({ code: 'TX_TOO_BIG' })
})

test('one that waits from before and is now too large is left out, and said to be once', async () => {
  const kv = await memory()
  const before = await bench({}, kv)
  await before.submit('a', '12345', 'b', '123456')
  await before.sequencer.stop()
  const own = await bench({ maxTxBytes: 4 }, kv)
  expect(await own.next()).toEqual({ txs: ['a', 'b'], upTo: 4 })
  expect(await own.next(1)).toEqual({ txs: ['a'], upTo: 2 })
  expect(own.times('warn: transactions are left out of blocks')).toBe(1)
  expect(own.value('sequencer_queue_dropped_total')).toBe(2)
  await own.commit()
  expect(own.sequencer.size).toBe(0)
})

test('a queue that is larger than its bounds is still taken from disk', async () => {
  const kv = await memory()
  const before = await bench({}, kv)
  await before.submit('a', 'b', 'c', 'd')
  await before.sequencer.stop()
  const own = await bench({ maxTxs: 2 }, kv)
  expect(own.sequencer.size).toBe(4)
  await expect(own.submit('e')).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  expect(await own.commit(3)).toEqual(['a', 'b', 'c'])
  await own.submit('e')
  expect(await own.commit()).toEqual(['d', 'e'])
})

test('a submission that is given up before its turn is not taken', async () => {
  const own = await bench()
  const { begun, go } = hold(own.kv)
  const controller = new AbortController()
  const first = own.submit('a')
  await begun
  const second = own.sequencer.submit([utf8('b')], { signal: controller.signal })
  const third = own.submit('c')
  controller.abort(new Error('enough'))
  await expect(second).rejects.toThrow('enough')
  go()
  await Promise.all([first, third])
  expect((await own.next()).txs).toEqual(['a', 'c'])
  await expect(own.sequencer.submit([utf8('d')], { signal: controller.signal })).rejects.toThrow('enough')
  await expect(own.sequencer.next({ maxBytes: 1, signal: controller.signal })).rejects.toThrow('enough')
})

test('what waits when it is submitted is passed over, also when it is committed before its turn', async () => {
  const own = await bench()
  await own.submit('a')
  const { begun, go } = hold(own.kv)
  const first = own.submit('b')
  await begun
  const second = own.submit('a', 'c')
  own.sequencer.committed(1, 1)
  go()
  await Promise.all([first, second])
  expect((await own.next()).txs).toEqual(['b', 'c'])
})

test('stopping ends what is being written, and turns away what waits', async () => {
  const own = await bench()
  const { begun, go } = hold(own.kv)
  const first = own.submit('a')
  await begun
  const second = own.submit('b')
  const stopped = own.sequencer.stop()
  await expect(second).rejects.toMatchObject({ code: 'SEQUENCER_STOPPED', verdict: 'retry' })
  go()
  await Promise.all([first, stopped])
  await own.sequencer.stop()
  await expect(own.submit('c')).rejects.toMatchObject({ code: 'SEQUENCER_STOPPED' })
  await expect(own.next()).rejects.toMatchObject({ code: 'SEQUENCER_STOPPED' })
  expect(own.sequencer.size).toBe(0)
  await own.sequencer.start()
  await own.sequencer.start()
  expect((await own.next()).txs).toEqual(['a'])
})

test('listeners are told of what was taken, and one that throws harms nobody', async () => {
  const own = await bench()
  let told = 0
  own.sequencer.onTxs(() => {
    throw new Error('no')
  })
  const leave = own.sequencer.onTxs(() => told++)
  await own.submit('a')
  await own.submit('a')
  expect(told).toBe(1)
  expect(own.times('error: a listener failed')).toBe(1)
  leave()
  await own.submit('b')
  expect(told).toBe(1)
})

test('nothing that was not in a batch can be taken out', async () => {
  const own = await bench()
  await own.submit('a')
  for (const upTo of [2, 1.5, NaN, 2 ** 60]) {
    expect(() => own.sequencer.removal(upTo, 1)).toThrow(/last waiting transaction has number 1/)
  }
})

test('the height of the last block is known after a restart, also when it took nothing', async () => {
  const own = await bench()
  expect(own.sequencer.settledHeight).toBe(0)
  await own.submit('a')
  await own.commit(0)
  expect(own.sequencer.settledHeight).toBe(1)
  await own.commit()
  await own.commit()
  expect(own.sequencer.settledHeight).toBe(3)
  await own.sequencer.stop()
  expect(own.sequencer.settledHeight).toBe(0)
  await own.sequencer.start()
  expect(own.sequencer.settledHeight).toBe(3)
})

test('what lies in blocks already leaves for good, the rest keeps its order', async () => {
  const kv = await memory()
  const before = await bench({}, kv)
  await before.submit('a', 'b', 'c')
  await before.submit('d', 'e')
  await before.commit(1)
  expect(await before.drop(7, 'a', 'b', 'd', 'x')).toBe(2)
  expect([before.sequencer.size, before.sequencer.bytes, before.sequencer.settledHeight]).toEqual([2, 2, 7])
  expect(before.value('sequencer_queue_txs')).toBe(2)
  await before.submit('b', 'c')
  await before.sequencer.stop()
  const own = await bench({}, kv)
  expect(own.sequencer.settledHeight).toBe(7)
  expect(await own.next()).toEqual({ txs: ['c', 'e', 'b'], upTo: 8 })
  expect(await own.commit(1)).toEqual(['c'])
  expect(await own.commit()).toEqual(['e', 'b'])
  expect(own.sequencer.settledHeight).toBe(9)
})

test('a drop that finds nothing still says up to where it looked, once', async () => {
  const own = await bench()
  await own.submit('a', 'b')
  const batch = await own.next()
  own.batches = 0
  expect(await own.drop(5, 'x')).toBe(0)
  expect(await own.drop(5, 'x')).toBe(0)
  expect(own.batches).toBe(1)
  expect(await own.next()).toEqual(batch)
  await own.sequencer.stop()
  await own.sequencer.start()
  expect([own.sequencer.settledHeight, await own.next()]).toEqual([5, batch])
})

test('when all leaves, numbers go on where they were', async () => {
  const own = await bench()
  await own.submit('a', 'b')
  expect(await own.drop(5, 'a', 'b')).toBe(2)
  await own.sequencer.stop()
  await own.sequencer.start()
  expect(await own.next()).toEqual({ txs: [], upTo: 2 })
  await own.submit('a')
  expect(await own.next()).toEqual({ txs: ['a'], upTo: 3 })
})

test('what was in a batch before a drop takes nothing out after it', async () => {
  const own = await bench()
  await own.submit('a', 'b', 'c')
  const { upTo } = await own.next(2)
  await own.drop(5, 'a')
  await own.kv.batch(own.sequencer.removal(upTo, 6), { sync: true })
  own.sequencer.committed(upTo, 6)
  expect((await own.next()).txs).toEqual(['b', 'c'])
  await own.sequencer.stop()
  await own.sequencer.start()
  expect((await own.next()).txs).toEqual(['b', 'c'])
})

test('a drop waits for what is being written, and what comes meanwhile goes behind it', async () => {
  const own = await bench()
  await own.submit('a', 'b')
  const first = hold(own.kv)
  const writing = own.submit('c')
  await first.begun
  const dropped = own.drop(5, 'a', 'c')
  const later = own.submit('d', 'e')
  first.go()
  await writing
  expect(await dropped).toBe(2)
  await later
  const second = hold(own.kv)
  const again = own.drop(6, 'd')
  await second.begun
  const last = own.submit('f')
  second.go()
  await Promise.all([again, last])
  expect((await own.next()).txs).toEqual(['b', 'e', 'f'])
  await own.sequencer.stop()
  await own.sequencer.start()
  expect((await own.next()).txs).toEqual(['b', 'e', 'f'])
})

test('after a drop that failed nothing is taken or given until the disk was read again', async () => {
  for (const fault of ['before', 'after'] as const) {
    const own = await bench()
    await own.submit('a', 'b', 'c')
    const { begun, go } = hold(own.kv)
    own.kv.fail = () => fault
    const dropped = own.drop(5, 'b')
    await begun
    const behind = own.submit('d')
    go()
    await expect(dropped).rejects.toMatchObject({ code: 'STORE_IO' })
    for (const call of [behind, own.submit('d'), own.next(), own.drop(5, 'b')]) {
      await expect(call).rejects.toMatchObject({ code: 'SEQUENCER_STOPPED' })
    }
    own.kv.fail = undefined
    await own.sequencer.start()
    await own.submit('d')
    const [txs, height] = fault === 'before' ? [['a', 'b', 'c', 'd'], 0] : [['a', 'c', 'd'], 5]
    expect([(await own.next()).txs, own.sequencer.settledHeight]).toEqual([txs, height])
  }
})

test('a drop takes the place of a write that failed and happened all the same', async () => {
  for (const held of [['a'], ['a', 'b']]) {
    const own = await bench()
    await own.submit('a', 'b')
    own.kv.fail = () => 'after'
    await expect(own.submit('c', 'd', 'e')).rejects.toMatchObject({ code: 'STORE_IO' })
    own.kv.fail = undefined
    await own.drop(5, ...held)
    await own.sequencer.stop()
    await own.sequencer.start()
    expect((await own.next()).txs).toEqual(['a', 'b'].filter((tx) => !held.includes(tx)))
  }
})

test('a drop that was told of outlives a power cut', async () => {
  const kv = createPowerKv()
  await kv.start()
  const before = await bench({}, kv)
  await before.submit('a', 'b')
  await before.drop(5, 'a')
  const first = await bench({}, await kv.afterPowerCut())
  expect([await first.next(), first.sequencer.settledHeight]).toEqual([{ txs: ['b'], upTo: 3 }, 5])
  await before.drop(6)
  const second = await bench({}, await kv.afterPowerCut())
  expect([await second.next(), second.sequencer.settledHeight]).toEqual([{ txs: ['b'], upTo: 3 }, 6])
})

test('a drop that is given up before its turn does nothing', async () => {
  const own = await bench()
  await own.submit('a')
  const { begun, go } = hold(own.kv)
  const first = own.submit('b')
  await begun
  const controller = new AbortController()
  const dropped = own.sequencer.drop(() => true, 5, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await expect(dropped).rejects.toThrow('enough')
  go()
  await first
  await own.sequencer.stop()
  await own.sequencer.start()
  expect([(await own.next()).txs, own.sequencer.settledHeight]).toEqual([['a', 'b'], 0])
})

test('a drop whose question fails changes nothing', async () => {
  const own = await bench()
  await own.submit('a')
  const asked = own.sequencer.drop(
    () => {
      throw new Error('no')
    },
    5,
    { signal },
  )
  await expect(asked).rejects.toThrow('no')
  expect([(await own.next()).txs, own.sequencer.settledHeight]).toEqual([['a'], 0])
})

const statuses =
  (answers: Readonly<Record<string, FilterStatus>>) =>
  async (txs: readonly Uint8Array[]): Promise<FilterStatus[]> =>
    txs.map((tx) => answers[fromUtf8(tx) ?? ''] ?? 'ok')

test.for([
  [{ b: 'remove' }, ['a', 'c', 'd'], 4],
  [{ d: 'remove' }, ['a', 'b', 'c'], 4],
  [{ c: 'postpone', d: 'ok' }, ['a', 'b'], 2],
  [{ a: 'remove', b: 'postpone' }, [], 1],
  [{ a: 'postpone' }, [], 0],
  [{ a: 'remove', b: 'remove', c: 'remove', d: 'remove' }, [], 4],
] as const)('the filter says %o', async ([answers, txs, upTo]) => {
  const own = await bench({ filter: statuses(answers) })
  await own.submit('a', 'b', 'c', 'd')
  expect(await own.next()).toEqual({ txs, upTo })
  expect(await own.commit()).toEqual(txs)
  expect(own.sequencer.size).toBe(4 - upTo)
})

test('while the filter removes all, those behind have their turn', async () => {
  const calls: number[] = []
  const filter: NonNullable<SingleSequencerOptions['filter']> = async (txs, maxBytes) => {
    calls.push(maxBytes)
    return await statuses({ a: 'remove', b: 'remove', c: 'remove' })(txs)
  }
  const own = await bench({ filter })
  await own.submit('a', 'b', 'c', 'd', 'e')
  expect(await own.next(2)).toEqual({ txs: ['d'], upTo: 4 })
  expect(calls).toEqual([2, 2])
  expect(own.value('sequencer_queue_dropped_total')).toBe(3)
})

test('a filter that fails or forgets one fails the batch and loses nothing', async () => {
  let answer: Promise<FilterStatus[]> = Promise.resolve(['ok'])
  const own = await bench({ filter: async () => await answer })
  await own.submit('a', 'b')
  await expect(own.next()).rejects.toMatchObject({ code: 'FILTER_FAILED' })
  answer = Promise.reject(new Error('gone'))
  await expect(own.next()).rejects.toThrow('gone')
  answer = Promise.resolve(['ok', 'ok'])
  expect((await own.next()).txs).toEqual(['a', 'b'])
})

const record = (...txs: readonly string[]): Uint8Array => {
  const writer = new WireWriter()
  for (const tx of txs) writer.presentBytes(1, utf8(tx))
  return writer.finish()
}

test.for([
  ['an end that is no number', [[utf8('done'), utf8('x')]]],
  ['an end without a height', [[utf8('done'), uint64BigEndian(1)]]],
  ['an end with a height that is no number', [[utf8('done'), new Uint8Array(16).fill(0xff, 8)]]],
  ['an end with more behind it', [[utf8('done'), new Uint8Array(17)]]],
  ['a record that is cut', [[uint64BigEndian(1), record('abc').slice(0, 3)]]],
  ['a record of something else', [[uint64BigEndian(1), new WireWriter().presentUint(2, 1).finish()]]],
  ['a record of nothing', [[uint64BigEndian(1), record()]]],
  ['a key that is no number', [[Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1), record('a')]]],
  ['a record with number 0', [[uint64BigEndian(0), record('a', 'b')]]],
  ['a record that is missing', [[uint64BigEndian(2), record('a')]]],
  [
    'a gap',
    [
      [uint64BigEndian(1), record('a')],
      [uint64BigEndian(3), record('b')],
    ],
  ],
  [
    'two for one number',
    [
      [uint64BigEndian(1), record('a', 'b')],
      [uint64BigEndian(2), record('c', 'd')],
    ],
  ],
  [
    'one that should have left',
    [
      [utf8('done'), concatBytes(uint64BigEndian(1), uint64BigEndian(1))],
      [uint64BigEndian(1), record('a')],
    ],
  ],
] as const)('%s is noticed at start', async ([, entries]) => {
  const own = await bench()
  await own.sequencer.stop()
  await own.part.batch(entries.map(([key, value]) => ({ type: 'put', key, value })))
  await expect(own.sequencer.start()).rejects.toMatchObject({ code: 'STORE_CORRUPT', verdict: 'halt' })
  await own.sequencer.stop()
})
