import { spawn } from 'node:child_process'
import { cp, mkdtemp, open, readdir, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { appendBlocks, createInspector, type Inspector, type Pair } from '../../test/suites/saved-chain.ts'
import { createKvExecutor } from '../execution/kv-executor.ts'
import { isEvolveError } from '../util/errors.ts'
import { createBlockStore } from './block-store.ts'
import { KEYS } from './keys.ts'
import { createLevelKv } from './kv-level.node.ts'
import { subKv } from './sub-kv.ts'

const child = fileURLToPath(new URL('../../test/suites/append-blocks.ts', import.meta.url))

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'torn-'))
  onTestFinished(async () => await rm(path, { recursive: true, force: true }))
  return path
}

/** A repeatable choice of numbers below `bound`. */
function chooser(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

async function withPair<T>(path: string, use: (pair: Pair) => Promise<T>): Promise<T> {
  const kv = createLevelKv({ path })
  await kv.start()
  try {
    const store = createBlockStore({ kv })
    await store.start()
    return await use({ store, executor: createKvExecutor({ kv: subKv(kv, Uint8Array.of(KEYS.executor)) }) })
  } finally {
    await kv.stop()
  }
}

/** Lets a child append blocks, kills it after it told of `acknowledged` of them, and gives the last it told of. */
async function killedAfter(path: string, count: number, acknowledged: number): Promise<number> {
  const appender = spawn(process.execPath, ['--conditions=evolve-source', child, path, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = 0
  let last = 0
  for await (const line of createInterface({ input: appender.stdout })) {
    last = Number(line)
    told++
    if (told === acknowledged) appender.kill('SIGKILL')
  }
  return last
}

test('kill -9 at any moment: what was acknowledged is there, whole, and the application fits', async () => {
  const count = 600
  const path = join(await directory(), 'store')
  const inspector = await createInspector(count)
  const choose = chooser(7)
  let before = 0
  for (let round = 0; round < 10; round++) {
    const last = await killedAfter(path, count, 1 + choose(40))
    expect(last).toBeGreaterThan(before)
    const { height, faults } = await withPair(path, async (pair) => await inspector.inspect(pair))
    expect(faults).toEqual([])
    expect(height).toBeGreaterThanOrEqual(last)
    expect(height).toBeLessThanOrEqual(last + 1)
    before = height
  }
}, 120_000)

/** A stopped store of `count` blocks whose writes lie in the log still; its directory and the log's name. */
async function logged(
  count: number,
): Promise<{ path: string; log: string; size: number; inspector: Inspector }> {
  const path = join(await directory(), 'store')
  await withPair(path, async (pair) => await appendBlocks(pair, count))
  const log = (await readdir(path)).find((name) => name.endsWith('.log')) ?? ''
  const { size } = await stat(join(path, log))
  return { path, log, size, inspector: await createInspector(count) }
}

/** What opening a copy of a damaged store gives: its height, `refused`, or what is wrong. */
async function outcome(
  { path, log, inspector }: { path: string; log: string; inspector: Inspector },
  damage: (file: string) => Promise<void>,
): Promise<number | 'refused' | readonly string[]> {
  const copy = `${path}-copy`
  await cp(path, copy, { recursive: true })
  try {
    await damage(join(copy, log))
    const { height, faults } = await withPair(copy, async (pair) => await inspector.inspect(pair))
    return faults.length === 0 ? height : faults
  } catch (error) {
    return isEvolveError(error, 'STORE_CORRUPT') ? 'refused' : [String(error)]
  } finally {
    await rm(copy, { recursive: true })
  }
}

test('a log that ends early gives a shorter chain without any gap', async () => {
  const count = 150
  const found = await logged(count)
  const choose = chooser(11)
  const heights: number[] = []
  const offsets = [
    0,
    1,
    6,
    7,
    ...Array.from({ length: 30 }, () => choose(found.size)),
    found.size - 1,
    found.size,
  ]
  for (const offset of offsets.toSorted((a, b) => a - b)) {
    const result = await outcome(found, async (file) => await truncate(file, offset))
    expect(typeof result, `at offset ${offset}: ${String(result)}`).toBe('number')
    if (typeof result === 'number') heights.push(result)
  }
  expect(heights).toEqual(heights.toSorted((a, b) => a - b))
  expect(heights[0]).toBe(0)
  expect(heights.at(-1)).toBe(count)
}, 60_000)

test('a log with a flipped bit gives a shorter chain or is refused, never a state without its block', async () => {
  const found = await logged(150)
  const choose = chooser(13)
  const results: (number | 'refused' | readonly string[])[] = []
  for (let round = 0; round < 30; round++) {
    const offset = choose(found.size)
    results.push(
      await outcome(found, async (file) => {
        const handle = await open(file, 'r+')
        const byte = new Uint8Array(1)
        await handle.read(byte, 0, 1, offset)
        byte[0] = (byte[0] ?? 0) ^ (1 << choose(8))
        await handle.write(byte, 0, 1, offset)
        await handle.close()
      }),
    )
  }
  expect(results.filter((result) => typeof result !== 'number' && result !== 'refused')).toEqual([])
  expect(results).toContain('refused')
}, 60_000)
