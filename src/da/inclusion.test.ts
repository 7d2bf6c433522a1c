import { describe, expect, onTestFinished, test } from 'vitest'
import { createFaultyKv, type FaultyKv } from '../../test/support/faulty-kv.ts'
import { createRecorder, type Recorder } from '../../test/support/recorder.ts'
import { createVirtualEnv, type VirtualEnv } from '../../test/support/virtual-env.ts'
import { makeSaves } from '../../test/suites/block-saves.ts'
import type { Kv, KvPart } from '../core/kv.ts'
import { createBlockStore, type KvBlockStore } from '../store/block-store.ts'
import { KEYS } from '../store/keys.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { subKv } from '../store/sub-kv.ts'
import { headerHash } from '../types/header.ts'
import { deferred } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'
import { createInclusionTracker, INCLUSION_HEIGHT_METRIC, type InclusionTracker } from './inclusion.ts'
import { type HalfKind, type HalfName, inclusionOp, inclusionRange } from './records.ts'

const { initial, saves } = makeSaves({ count: 300, initialHeight: 5 })
const LAST = 304

interface Rig {
  readonly tracker: InclusionTracker
  readonly blockStore: KvBlockStore
  readonly part: KvPart
  readonly kv: FaultyKv
  readonly time: VirtualEnv
  readonly recorder: Recorder
  readonly finals: number[]
  /** Saves blocks up to a height. */
  grow(to: number): Promise<void>
  /** Notes where halves were found. */
  find(daHeight: number, ...names: readonly HalfName[]): Promise<void>
  poke(): Promise<void>
  /** Block heights that still have inclusion records. */
  records(): Promise<string[]>
  stop(): Promise<void>
}

/** The name of a half of the test chain. */
function name(height: number, kind: HalfKind): HalfName {
  const header = saves[height - 5]?.header.header
  if (header === undefined) throw new Error(`no block ${height}`)
  return { height, kind, hash: kind === 'header' ? headerHash(header) : header.dataHash }
}

function both(from: number, to: number): HalfName[] {
  const heights = Array.from({ length: to - from + 1 }, (_, i) => from + i)
  return heights.flatMap((height) =>
    height % 3 === 0 ? [name(height, 'header')] : [name(height, 'header'), name(height, 'data')],
  )
}

async function start(
  options: {
    readonly saved?: number
    readonly disk?: Kv
    readonly setFinal?: (height: number, signal: AbortSignal) => Promise<void>
    /** Halves found before the start, at DA height 2. */
    readonly found?: readonly HalfName[]
  } = {},
): Promise<Rig> {
  const kv = createFaultyKv(options.disk ?? createMemoryKv())
  const blockStore = createBlockStore({ kv })
  const part = subKv(kv, Uint8Array.of(KEYS.da))
  const time = createVirtualEnv()
  const recorder = createRecorder()
  const finals: number[] = []
  const tracker = createInclusionTracker({
    kv: part,
    blockStore,
    async setFinal(height, { signal }) {
      await options.setFinal?.(height, signal)
      finals.push(height)
    },
    env: time.env,
    logger: recorder.logger,
    metrics: recorder.metrics,
  })
  const rig: Rig = {
    tracker,
    blockStore,
    part,
    kv,
    time,
    recorder,
    finals,
    async grow(to) {
      const next = Math.max(await blockStore.height(), 4) + 1
      await blockStore.saveBlocks(saves.slice(next - 5, to - 4))
    },
    async find(daHeight, ...names) {
      await part.batch(names.map((one) => inclusionOp(one, daHeight)))
    },
    async poke() {
      tracker.poke()
      await time.settle()
    },
    async records() {
      const keys: string[] = []
      for await (const key of part.keys(inclusionRange(0, 1_000))) {
        keys.push(`${new DataView(key.slice().buffer).getUint32(5)}`)
      }
      return keys
    },
    async stop() {
      const stopped = tracker.stop()
      await time.advance(100)
      await stopped
      await blockStore.stop()
      await kv.stop()
    },
  }
  await kv.start()
  await blockStore.start()
  if ((await blockStore.state()) === undefined) await blockStore.saveState(initial)
  if (options.saved !== undefined) await rig.grow(options.saved)
  if (options.found !== undefined) await rig.find(2, ...options.found)
  await tracker.start()
  await time.settle()
  return rig
}

async function started(options: Parameters<typeof start>[0]): Promise<Rig> {
  const rig = await start(options)
  onTestFinished(async () => await rig.stop())
  return rig
}

describe('a block becomes final', () => {
  test('when both halves were found, in order, whatever order they came in', async () => {
    const rig = await started({ saved: 10 })
    const heard: number[] = []
    const leave = rig.tracker.onFinal((height) => heard.push(height))
    await rig.find(9, name(6, 'header'), name(7, 'header'), name(7, 'data'), name(5, 'data'))
    await rig.poke()
    expect([rig.tracker.height, rig.finals]).toEqual([4, []])
    await rig.find(11, name(5, 'header'))
    await rig.poke()
    // Block 6 has no transactions: its header alone makes it final.
    expect(rig.finals).toEqual([5, 6, 7])
    expect(heard).toEqual([7])
    leave()
    await rig.find(12, ...both(8, 8))
    await rig.poke()
    expect(rig.tracker.height).toBe(8)
    expect(heard).toEqual([7])
    expect(rig.recorder.value(INCLUSION_HEIGHT_METRIC)).toBe(8)
    expect(await rig.blockStore.inclusionOf(5)).toEqual({ height: 5, headerDaHeight: 11, dataDaHeight: 9 })
    expect(await rig.blockStore.inclusionOf(6)).toEqual({ height: 6, headerDaHeight: 9, dataDaHeight: 9 })
  })

  test('when it was executed, not before', async () => {
    const rig = await started({ saved: 5, found: both(5, 8) })
    expect(rig.tracker.height).toBe(5)
    await rig.grow(8)
    await rig.poke()
    expect(rig.finals).toEqual([5, 6, 7, 8])
  })

  test('by its own hash and commitment alone', async () => {
    const rig = await started({ saved: 8 })
    const other = new Uint8Array(32).fill(7)
    await rig.find(2, { ...name(5, 'header'), hash: other }, { ...name(5, 'data'), hash: other })
    await rig.poke()
    expect(rig.tracker.height).toBe(4)
    await rig.find(3, name(5, 'header'))
    await rig.poke()
    expect(rig.tracker.height).toBe(4)
    await rig.find(3, { height: 5, kind: 'data', hash: name(7, 'data').hash })
    await rig.poke()
    expect(rig.tracker.height).toBe(4)
    await rig.find(4, name(5, 'data'))
    await rig.poke()
    expect(rig.tracker.height).toBe(5)
    // Records of the height are gone, those of other hashes as well.
    expect(await rig.records()).toEqual([])
  })

  test('with many others in a few batches', async () => {
    const rig = await started({ saved: LAST, found: both(5, LAST) })
    await rig.time.settle()
    await rig.time.settle()
    expect(rig.tracker.height).toBe(LAST)
    expect(rig.finals).toEqual(Array.from({ length: 300 }, (_, i) => i + 5))
    expect(await rig.records()).toEqual([])
  })

  test('and records that come late for it are taken away by the next life', async () => {
    const disk = createMemoryKv()
    const first = await start({ disk, saved: 8, found: both(5, 6) })
    await first.find(9, ...both(5, 5))
    await first.find(9, name(8, 'header'))
    await first.stop()
    const rig = await started({ disk })
    expect(await rig.records()).toEqual(['5', '5', '8'])
    await rig.find(9, ...both(7, 7))
    await rig.poke()
    expect(await rig.records()).toEqual(['8'])
  })
})

test('a half is known as included also while its height becomes final', async () => {
  const memory = createMemoryKv()
  let gate: Promise<void> | undefined
  const disk: Kv = {
    ...memory,
    async batch(ops, options) {
      await memory.batch(ops, options)
      await gate
    },
  }
  const rig = await started({ disk, saved: 8 })
  expect(await rig.tracker.included(name(5, 'header'))).toBe(false)
  await rig.find(2, ...both(5, 8))
  expect(await rig.tracker.included(name(5, 'header'))).toBe(true)
  const { promise, resolve } = deferred<void>()
  gate = promise
  await rig.poke()
  // The records are gone, the height is not final in memory.
  expect([await rig.records(), rig.tracker.height]).toEqual([[], 4])
  const answer = rig.tracker.included(name(7, 'data'))
  await rig.time.settle()
  resolve()
  expect(await answer).toBe(true)
  expect(await rig.tracker.included(name(8, 'data'))).toBe(true)
})

describe('a crash', () => {
  test.each(['before', 'after'] as const)('%s any write skips no height of the executor', async (side) => {
    const finals: number[] = []
    let survived = false
    for (let nth = 1; !survived; nth++) {
      const disk = createMemoryKv()
      finals.length = 0
      let writes = 0
      let dead = false
      const note = async (height: number): Promise<void> => {
        finals.push(height)
        await Promise.resolve()
      }
      const first = await start({ disk, saved: 10, setFinal: note })
      first.kv.fail = () => {
        if (dead) return 'before'
        if (++writes < nth) return undefined
        dead = true
        return side
      }
      for (const height of [5, 6, 7, 8]) {
        // What finds halves has a way to the disk of its own.
        await disk.batch(first.part.whole(both(height, height).map((one) => inclusionOp(one, height))))
        await first.poke()
      }
      await first.stop()
      survived = !dead
      const rig = await start({ disk, setFinal: note })
      const final = await rig.blockStore.daIncludedHeight()
      expect(Math.max(4, ...finals)).toBeGreaterThanOrEqual(final)
      await rig.poke()
      expect(rig.tracker.height).toBe(8)
      // Each height came after the one below it.
      expect([...new Set(finals)]).toEqual([5, 6, 7, 8])
      expect(await rig.records()).toEqual([])
      await rig.stop()
    }
  })

  test('between the executor and the save repeats the height', async () => {
    const disk = createMemoryKv()
    const first = await start({ disk, saved: 6, found: both(5, 5) })
    expect(first.finals).toEqual([5])
    first.kv.fail = () => 'before'
    await disk.batch(first.part.whole([inclusionOp(name(6, 'header'), 3)]))
    await first.poke()
    expect(first.finals).toEqual([5, 6])
    expect(first.tracker.height).toBe(5)
    await first.stop()
    const rig = await started({ disk })
    expect(rig.finals).toEqual([5, 6])
  })

  test('that lost what the executor was told tells it again, also when nothing else becomes final', async () => {
    const disk = createMemoryKv()
    const first = await start({ disk, saved: 7, found: both(5, 6) })
    expect(first.tracker.height).toBe(6)
    await first.stop()
    let fails = 2
    const rig = await started({
      disk,
      async setFinal() {
        if (fails-- > 0) await Promise.reject(new Error('busy'))
      },
    })
    await rig.time.advance(1_000)
    expect(rig.finals).toEqual([6])
    await rig.poke()
    expect(rig.finals).toEqual([6])
  })

  test('before anything was final tells nothing', async () => {
    const disk = createMemoryKv()
    const first = await start({ disk, saved: 7 })
    await first.stop()
    expect((await started({ disk })).finals).toEqual([])
  })
})

describe('a failure', () => {
  test('of the disk is waited out; one that happened all the same is noticed', async () => {
    const rig = await started({ saved: 8, found: both(5, 5) })
    await rig.find(3, ...both(6, 7))
    let fault: 'before' | 'after' | undefined = 'before'
    rig.kv.fail = () => fault
    await rig.poke()
    await rig.time.advance(5_000)
    expect(rig.tracker.status()).toMatchObject({ height: 5, lastError: 'the disk does not write' })
    fault = 'after'
    await rig.time.advance(20_000)
    rig.kv.fail = undefined
    await rig.time.advance(20_000)
    expect(rig.tracker.status()).toEqual({ height: 7, lastError: undefined })
    expect(rig.recorder.times('warn: failed; trying again')).toBe(1)
  })

  test('of the executor is tried again', async () => {
    let fails = 3
    const rig = await started({
      saved: 6,
      found: both(5, 6),
      async setFinal(height) {
        if (height === 6 && fails-- > 0) await Promise.reject(new Error('busy'))
      },
    })
    expect(rig.tracker.height).toBe(4)
    await rig.time.advance(1_000)
    expect(rig.finals).toEqual([5, 5, 5, 5, 6])
    expect(rig.tracker.height).toBe(6)
  })

  test('with verdict halt ends it', async () => {
    const broken = new EvolveError('EXECUTION_FAILED', 'no', { verdict: 'halt' })
    const rig = await started({
      saved: 6,
      found: both(5, 6),
      setFinal: async () => await Promise.reject(broken),
    })
    expect(await rig.tracker.failed).toBe(broken)
    expect(rig.tracker.status()).toEqual({ height: 4, lastError: 'no' })
    await rig.tracker.stop()
    await expect(rig.tracker.start()).rejects.toBe(broken)
  })
})

test('stopping does not wait for an executor that does not answer; the next life goes on', async () => {
  let answers = false
  const signals: AbortSignal[] = []
  const rig = await started({
    saved: 6,
    found: both(5, 6),
    async setFinal(_height, signal) {
      signals.push(signal)
      if (!answers) await new Promise<never>(() => undefined)
    },
  })
  await rig.tracker.stop()
  await rig.tracker.stop()
  expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  expect(rig.time.timers).toBe(0)
  answers = true
  await Promise.all([rig.tracker.start(), rig.tracker.start()])
  await rig.time.settle()
  expect(rig.finals).toEqual([5, 6])
})
