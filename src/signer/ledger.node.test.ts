import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toHex } from '../util/bytes.ts'
import { readLedgerFile } from './ledger-file.node.ts'
import { createFileLedger } from './ledger.node.ts'
import { offsetOf, SLOT_BYTES } from './ledger-slots.ts'

const child = fileURLToPath(new URL('../../test/suites/hold-signer.ts', import.meta.url))
const address = new Uint8Array(randomBytes(32))
const hashOf = (height: number): Uint8Array => new Uint8Array(32).fill(height % 251)

async function newPath(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'evolve-ledger-'))
  onTestFinished(async () => await rm(path, { recursive: true, force: true }))
  return join(path, 'signer.ledger')
}

/** Opens the ledger for a while. */
async function using<T>(
  path: string,
  use: (ledger: ReturnType<typeof createFileLedger>) => Promise<T>,
): Promise<T> {
  const ledger = createFileLedger({ path, keyFingerprint: address })
  await ledger.start()
  try {
    return await use(ledger)
  } finally {
    await ledger.stop()
  }
}

test('a new ledger is for its owner alone, of fixed size, and leaves nothing beside it', async () => {
  const path = await newPath()
  expect(await readLedgerFile(path)).toBeUndefined()
  await using(path, async (ledger) => expect(ledger.last).toBeUndefined())
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await stat(path)).size).toBe(8192)
  expect(await readdir(join(path, '..'))).toEqual(['signer.ledger'])
  expect(await readLedgerFile(path)).toEqual({ address, last: undefined })
})

test('heights above go through, the last again, nothing below, also after opening again', async () => {
  const path = await newPath()
  await using(path, async (ledger) => {
    for (const height of [1, 2, 3, 7]) await ledger.reserve(height, hashOf(height))
    await ledger.reserve(7, hashOf(7))
  })
  await using(path, async (ledger) => {
    expect(ledger.last).toEqual({ height: 7, hash: hashOf(7) })
    await ledger.reserve(7, hashOf(7))
    for (const [height, hash] of [
      [7, hashOf(8)],
      [6, hashOf(6)],
      [1, hashOf(1)],
    ] as const) {
      await expect(ledger.reserve(height, hash)).rejects.toMatchObject({
        code: 'ALREADY_SIGNED',
        verdict: 'halt',
      })
    }
    await ledger.reserve(8, hashOf(8))
  })
  expect(await readLedgerFile(path)).toEqual({ address, last: { height: 8, hash: hashOf(8) } })
  expect((await stat(path)).size).toBe(8192)
})

test('start and stop may be called twice and in any order', async () => {
  const ledger = createFileLedger({ path: await newPath(), keyFingerprint: address })
  await ledger.stop()
  await Promise.all([ledger.start(), ledger.start()])
  const reserved = ledger.reserve(1, hashOf(1))
  await Promise.all([ledger.stop(), ledger.stop()])
  await reserved
  await expect(ledger.reserve(2, hashOf(2))).rejects.toMatchObject({ code: 'LEDGER_CLOSED' })
  await ledger.start()
  expect(ledger.last).toEqual({ height: 1, hash: hashOf(1) })
  await ledger.stop()
})

test('a write torn at any byte leaves the entry before it or the one it wrote', {
  timeout: 60_000,
}, async () => {
  const path = await newPath()
  await using(path, async (ledger) => {
    for (const height of [4, 5]) await ledger.reserve(height, hashOf(height))
  })
  const before = await readFile(path)
  await using(path, async (ledger) => await ledger.reserve(6, hashOf(6)))
  const after = await readFile(path)
  const offset =
    [0, 1]
      .map(offsetOf)
      .find((at) => !before.subarray(at, at + 4096).equals(after.subarray(at, at + 4096))) ?? -1
  const heights: (number | undefined)[] = []
  for (let length = 0; length <= SLOT_BYTES; length++) {
    for (const rest of ['old', 'zero']) {
      const torn = Buffer.from(before)
      if (rest === 'zero') torn.fill(0, offset, offset + SLOT_BYTES)
      after.copy(torn, offset, offset, offset + length)
      await writeFile(path, torn)
      const last = await using(path, async (ledger) => {
        const found = ledger.last
        await ledger.reserve(7, hashOf(7))
        return found
      })
      if (last !== undefined) expect(last.hash).toEqual(hashOf(last.height))
      heights.push(last?.height)
      expect((await readLedgerFile(path))?.last).toEqual({ height: 7, hash: hashOf(7) })
    }
  }
  expect(new Set(heights)).toEqual(new Set([5, 6]))
  expect(heights.slice(0, 2)).toEqual([5, 5])
  expect(heights.slice(-2)).toEqual([6, 6])
})

describe('a ledger is refused, and the key is free again', () => {
  test.each([
    ['damaged in both places', (bytes: Buffer) => bytes.fill(1, 10, 5000), 'LEDGER_CORRUPT'],
    ['cut short', (bytes: Buffer) => bytes.subarray(0, 4096), 'LEDGER_CORRUPT'],
    ['empty', () => Buffer.alloc(0), 'LEDGER_CORRUPT'],
    ['too long', (bytes: Buffer) => Buffer.concat([bytes, bytes]), 'LEDGER_CORRUPT'],
  ])('when it is %s', async (_name, damage, code) => {
    const path = await newPath()
    await using(path, async (ledger) => await ledger.reserve(1, hashOf(1)))
    const whole = await readFile(path)
    await writeFile(path, damage(Buffer.from(whole)))
    const ledger = createFileLedger({ path, keyFingerprint: address })
    await expect(ledger.start()).rejects.toMatchObject({ code, verdict: 'halt', data: { path } })
    await expect(ledger.start()).rejects.toMatchObject({ code })
    await writeFile(path, whole)
    await ledger.start()
    await ledger.stop()
  })

  test('when it is that of another key', async () => {
    const path = await newPath()
    await using(path, async (ledger) => await ledger.reserve(1, hashOf(1)))
    const other = new Uint8Array(randomBytes(32))
    const ledger = createFileLedger({ path, keyFingerprint: other })
    await expect(ledger.start()).rejects.toMatchObject({
      code: 'LEDGER_OF_OTHER_KEY',
      verdict: 'halt',
      data: { found: toHex(address), expected: toHex(other) },
    })
  })

  test('when its directory is missing', async () => {
    const path = join(await newPath(), 'none', 'signer.ledger')
    const ledger = createFileLedger({ path, keyFingerprint: address })
    await expect(ledger.start()).rejects.toMatchObject({ code: 'STORE_IO', verdict: 'retry' })
  })
})

test('kill -9 at any moment: what was reserved is the last, or the one that was being written', async () => {
  const path = await newPath()
  let before = 0
  for (let round = 0; round < 6; round++) {
    const signer = spawn(
      process.execPath,
      ['--conditions=evolve-source', child, path, toHex(address), '100000'],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    let told = 0
    let count = 0
    for await (const line of createInterface({ input: signer.stdout })) {
      told = Number(line)
      if (++count === 5 + round * 17) signer.kill('SIGKILL')
    }
    expect(told).toBeGreaterThan(before)
    const last = await using(path, async (ledger) => ledger.last)
    expect([told, told + 1]).toContain(last?.height)
    expect(last?.hash).toEqual(hashOf(last?.height ?? 0))
    before = last?.height ?? 0
  }
}, 60_000)
