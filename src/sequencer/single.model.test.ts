import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFaultyKv, type FaultyKv } from '../../test/support/faulty-kv.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { Kv } from '../core/kv.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import type { Sequencer } from '../core/sequencer.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { subKv } from '../store/sub-kv.ts'
import { fromUtf8, utf8 } from '../util/bytes.ts'
import { createSingleSequencer } from './single.ts'

const { signal } = new AbortController()
const QUEUE = Uint8Array.of(0x71)
const BLOCKS = Uint8Array.of(0x62)
const MAX_TXS = 12
const MAX_BYTES = 60

type Fault = 'before' | 'after' | undefined

interface Model {
  waiting: string[]
  /** Written by a submission that was told it had failed: it waits after the next start, if nothing took its place. */
  unsure: string[]
  blocks: string[][]
  /** Height of the last block, ours or not. */
  height: number
}

interface Real {
  readonly memory: Kv
  kv: FaultyKv
  sequencer: Sequencer
  /** What earlier batches covered. */
  readonly covered: number[]
  /** What each number that was seen stands for. */
  readonly numbers: Map<number, string>
}

async function open(memory: Kv): Promise<Pick<Real, 'kv' | 'sequencer'>> {
  const kv = createFaultyKv(memory)
  const sequencer = createSingleSequencer(
    { kv: subKv(kv, QUEUE), env: createVirtualEnv().env, logger: noopLogger, metrics: noopMetrics },
    { maxTxs: MAX_TXS, maxBytes: MAX_BYTES },
  )
  await sequencer.start()
  return { kv, sequencer }
}

const texts = (txs: readonly Uint8Array[]): string[] => txs.map((tx) => fromUtf8(tx) ?? '')
const bytesOf = (txs: readonly string[]): number => txs.reduce((sum, tx) => sum + tx.length, 0)

function prefixOf(txs: readonly string[], maxBytes: number): string[] {
  const end = txs.findIndex((_, index) => bytesOf(txs.slice(0, index + 1)) > maxBytes)
  return end < 0 ? [...txs] : txs.slice(0, end)
}

async function check(model: Model, { sequencer, memory, numbers }: Real): Promise<void> {
  const { waiting, blocks, height } = model
  const batch = await sequencer.next({ maxBytes: Infinity, signal })
  expect(texts(batch.txs)).toEqual(waiting)
  expect(sequencer.settledHeight).toBe(height)
  for (const [index, tx] of waiting.entries()) {
    const number = batch.upTo - waiting.length + 1 + index
    expect(numbers.get(number) ?? tx).toBe(tx)
    numbers.set(number, tx)
  }
  expect([sequencer.size, sequencer.bytes]).toEqual([waiting.length, bytesOf(waiting)])
  const stored: unknown[] = []
  for await (const [, value] of subKv(memory, BLOCKS).range({ gte: utf8(''), lt: Uint8Array.of(0xff) })) {
    stored.push(JSON.parse(fromUtf8(value) ?? ''))
  }
  expect(stored).toEqual(blocks)
}

function restarted(model: Model): void {
  model.waiting.push(...model.unsure)
  model.unsure = []
}

function failOnce(kv: FaultyKv, fault: Fault): void {
  kv.fail = () => {
    kv.fail = undefined
    return fault
  }
}

type Command = fc.AsyncCommand<Model, Real>

function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    async run(model, real) {
      await run(model, real)
      await check(model, real)
    },
    toString: () => name,
  }
}

const submitCommand = (submissions: readonly (readonly string[])[]): Command =>
  command(`submit(${JSON.stringify(submissions)})`, async (model, { sequencer }) => {
    const outcomes = await Promise.allSettled(
      submissions.map(async (txs) => await sequencer.submit(txs.map(utf8), { signal })),
    )
    for (const [index, txs] of submissions.entries()) {
      const fresh = [...new Set(txs)].filter((tx) => !model.waiting.includes(tx))
      const all = [...model.waiting, ...fresh]
      const fits = fresh.length === 0 || (all.length <= MAX_TXS && bytesOf(all) <= MAX_BYTES)
      if (fits) {
        expect(outcomes[index]).toMatchObject({ status: 'fulfilled' })
        model.waiting = all
        if (fresh.length > 0) model.unsure = []
      } else {
        expect(outcomes[index]).toMatchObject({ reason: { code: 'QUEUE_FULL', verdict: 'retry' } })
      }
    }
  })

const failingSubmitCommand = (txs: readonly string[], fault: 'before' | 'after'): Command =>
  command(`submit(${JSON.stringify(txs)}, fails ${fault})`, async (model, { sequencer, kv }) => {
    const fresh = [...new Set(txs)].filter((tx) => !model.waiting.includes(tx))
    const all = [...model.waiting, ...fresh]
    if (fresh.length === 0 || all.length > MAX_TXS || bytesOf(all) > MAX_BYTES) return
    failOnce(kv, fault)
    await expect(sequencer.submit(txs.map(utf8), { signal })).rejects.toMatchObject({ code: 'STORE_IO' })
    if (fault === 'after') model.unsure = fresh
  })

/** A block with what fits is written together with the removal. When that fails the process ends. */
const commitCommand = (maxBytes: number, fault: Fault): Command =>
  command(`commit(${maxBytes}, ${fault})`, async (model, real) => {
    const { sequencer, kv, covered } = real
    const batch = await sequencer.next({ maxBytes, signal })
    const expected = prefixOf(model.waiting, maxBytes)
    expect(texts(batch.txs)).toEqual(expected)
    expect(await sequencer.next({ maxBytes, signal })).toEqual(batch)
    const key = Uint8Array.of(0x62, model.blocks.length)
    const value = utf8(JSON.stringify(expected))
    failOnce(kv, fault)
    const height = model.height + 1
    const written = kv.batch([{ type: 'put', key, value }, ...sequencer.removal(batch.upTo, height)])
    if (fault !== 'before') {
      model.height = height
      model.blocks.push(expected)
      model.waiting.splice(0, expected.length)
    }
    if (fault === undefined) {
      await written
      sequencer.committed(batch.upTo, height)
      covered.push(batch.upTo)
    } else {
      await expect(written).rejects.toMatchObject({ code: 'STORE_IO' })
      Object.assign(real, await open(real.memory))
      restarted(model)
    }
  })

/** What earlier batches covered is gone, and nothing else goes with it again. */
const staleCommand = (index: number): Command =>
  command(`stale(${index})`, async ({ height }, { kv, sequencer, covered }) => {
    const upTo = covered[index % Math.max(covered.length, 1)]
    if (upTo === undefined) return
    await kv.batch(sequencer.removal(upTo, height))
    sequencer.committed(upTo, height)
  })

/** Some of what waits lies in blocks of others. When the write fails the disk alone knows; the process may end then. */
const dropCommand = (ends: string, blocks: number, fault: Fault, crash: boolean): Command =>
  command(`drop(${ends}, ${blocks}, ${fault}, ${crash})`, async (model, real) => {
    const { sequencer, kv, covered } = real
    const isHeld = (tx: string): boolean => ends.includes(tx.slice(-1))
    const held = model.waiting.filter(isHeld)
    const height = model.height + blocks
    const { upTo } = await sequencer.next({ maxBytes: Infinity, signal })
    const writes = held.length > 0 || blocks > 0
    if (writes) failOnce(kv, fault)
    const outcome = sequencer.drop((tx) => isHeld(fromUtf8(tx) ?? ''), height, { signal })
    if (fault !== 'before' || !writes) {
      model.waiting = model.waiting.filter((tx) => !isHeld(tx))
      model.height = height
      // Nothing that a batch held until now has its number any more.
      if (held.length > 0) {
        covered.push(upTo)
        model.unsure = []
      }
    }
    if (fault === undefined || !writes) {
      expect(await outcome).toBe(held.length)
      return
    }
    await expect(outcome).rejects.toMatchObject({ code: 'STORE_IO' })
    await expect(sequencer.next({ maxBytes: 1, signal })).rejects.toMatchObject({ code: 'SEQUENCER_STOPPED' })
    if (crash) Object.assign(real, await open(real.memory))
    else await sequencer.start()
    restarted(model)
  })

const crashCommand = (): Command =>
  command('crash', async (model, real) => {
    Object.assign(real, await open(real.memory))
    restarted(model)
  })

const restartCommand = (): Command =>
  command('restart', async (model, { sequencer }) => {
    await sequencer.stop()
    await expect(sequencer.submit([utf8('a')], { signal })).rejects.toMatchObject({
      code: 'SEQUENCER_STOPPED',
    })
    await sequencer.start()
    restarted(model)
  })

test('the sequencer behaves like an array, whatever fails and whenever it ends', async () => {
  const tx = fc.tuple(fc.constantFrom('', 'a', 'bb', 'ccccc'), fc.nat(9)).map(([text, n]) => `${text}${n}`)
  const txs = fc.array(tx, { maxLength: 4 })
  const maxBytes = fc.integer({ min: 0, max: 30 })
  const commands = fc.commands(
    [
      txs.map((one) => submitCommand([one])),
      fc.array(txs, { minLength: 2, maxLength: 3 }).map(submitCommand),
      fc
        .tuple(txs, fc.constantFrom('before' as const, 'after' as const))
        .map((args) => failingSubmitCommand(...args)),
      maxBytes.map((max) => commitCommand(max, undefined)),
      fc
        .tuple(maxBytes, fc.constantFrom('before' as const, 'after' as const))
        .map((args) => commitCommand(...args)),
      fc
        .tuple(
          fc.array(fc.nat(9), { maxLength: 6 }).map((digits) => digits.join('')),
          fc.nat(2),
          fc.constantFrom(undefined, 'before' as const, 'after' as const),
          fc.boolean(),
        )
        .map((args) => dropCommand(...args)),
      fc.nat(20).map(staleCommand),
      fc.constant(undefined).map(crashCommand),
      fc.constant(undefined).map(restartCommand),
    ],
    { maxCommands: 40, size: 'max' },
  )
  await fc.assert(
    fc.asyncProperty(commands, async (cmds) => {
      const memory = createMemoryKv()
      await memory.start()
      const real: Real = { memory, ...(await open(memory)), covered: [], numbers: new Map() }
      await fc.asyncModelRun(
        () => ({ model: { waiting: [], unsure: [], blocks: [], height: 0 }, real }),
        cmds,
      )
      await real.sequencer.stop()
      await memory.stop()
    }),
    { numRuns: 200 },
  )
})
