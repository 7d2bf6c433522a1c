import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { Env } from '../core/env.ts'
import { toHex } from '../util/bytes.ts'
import { createKeyLock, type KeyLock, type KeyLockOptions, lockPlace } from './key-lock.node.ts'
import { createFileLedger } from './ledger.node.ts'

const child = fileURLToPath(new URL('../../test/suites/hold-signer.ts', import.meta.url))
const newKey = (): Uint8Array => new Uint8Array(randomBytes(32))

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'evolve-lock-'))
  onTestFinished(async () => await rm(path, { recursive: true, force: true }))
  return path
}

function lockOf(key: Uint8Array, options?: KeyLockOptions): KeyLock {
  const lock = createKeyLock(key, options)
  onTestFinished(async () => await lock.release())
  return lock
}

/** A process that holds the key, from a home of its own. */
async function holder(key: Uint8Array): Promise<ChildProcess> {
  const path = join(await directory(), 'signer.ledger')
  const held = spawn(process.execPath, ['--conditions=evolve-source', child, path, toHex(key), '0'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void held.kill('SIGKILL'))
  await once(createInterface({ input: held.stdout }), 'line')
  return held
}

describe.each([
  ['of this platform', async () => ({})],
  ['in a file', async () => ({ place: join(await directory(), 'key.sock') })],
])('the lock %s', (_name, optionsOf) => {
  test('is for one at a time, tells who has it, and can be taken again', async () => {
    const [key, options] = [newKey(), await optionsOf()]
    const [one, two] = [lockOf(key, options), lockOf(key, options)]
    await one.acquire()
    await one.acquire()
    await expect(two.acquire()).rejects.toMatchObject({
      code: 'SIGNER_IN_USE',
      verdict: 'halt',
      message: expect.stringContaining(`(pid ${process.pid})`),
      data: { address: toHex(key), pid: String(process.pid) },
    })
    await one.release()
    await one.release()
    await two.acquire()
    await expect(one.acquire()).rejects.toMatchObject({ code: 'SIGNER_IN_USE' })
  })
})

test('keys do not disturb each other', async () => {
  await lockOf(newKey()).acquire()
  await lockOf(newKey()).acquire()
})

test('a process killed with -9 leaves the key free at once; until then a ledger elsewhere is refused', async () => {
  const key = newKey()
  const first = await holder(key)
  const ledger = createFileLedger({ path: join(await directory(), 'signer.ledger'), keyFingerprint: key })
  onTestFinished(async () => await ledger.stop())
  await expect(ledger.start()).rejects.toMatchObject({
    code: 'SIGNER_IN_USE',
    data: { pid: String(first.pid) },
  })
  first.kill('SIGKILL')
  await once(first, 'exit')
  await ledger.start()
})

test('a stopped process still has the key, though it cannot say so', async () => {
  const key = newKey()
  const first = await holder(key)
  first.kill('SIGSTOP')
  const virtual = createVirtualEnv()
  const { promise: waits, resolve } = Promise.withResolvers<void>()
  const env: Env = {
    ...virtual.env,
    timer(...given) {
      resolve()
      return virtual.env.timer(...given)
    },
  }
  const acquiring = Promise.allSettled([lockOf(key, { env }).acquire()])
  await waits
  await virtual.advance(1_000)
  expect(await acquiring).toMatchObject([
    { status: 'rejected', reason: { code: 'SIGNER_IN_USE', data: { pid: undefined } } },
  ])
  expect(virtual.timers).toBe(0)
})

test('the lock does not keep a process alive', async () => {
  const path = join(await directory(), 'signer.ledger')
  const run = spawn(process.execPath, ['--conditions=evolve-source', child, path, toHex(newKey()), '-1'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  onTestFinished(() => void run.kill('SIGKILL'))
  expect(await once(run, 'exit')).toEqual([0, null])
})

test('whoever connects and stays does not hold up the release', async () => {
  const [key, place] = [newKey(), join(await directory(), 'key.sock')]
  const one = createKeyLock(key, { place })
  await one.acquire()

  const socket = connect({ path: place, allowHalfOpen: true })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'data')
  await one.release()
})

describe('a lock file', () => {
  test('left by a process that died is cleared away, by one of several', async () => {
    const [key, folder] = [newKey(), await directory()]
    const place = join(folder, 'key.sock')
    const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
    await once(spawn(process.execPath, ['-e', script, place], { stdio: 'ignore' }), 'exit')
    expect(await readdir(folder)).toEqual(['key.sock'])
    const locks = [lockOf(key, { place }), lockOf(key, { place })]
    const results = await Promise.allSettled(locks.map(async (lock) => await lock.acquire()))
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(await readdir(folder)).toEqual(['key.sock'])
    for (const lock of locks) await lock.release()
    expect(await readdir(folder)).toEqual([])
  })

  test('of somebody who answers nonsense is respected', async () => {
    const place = join(await directory(), 'key.sock')
    const server = createServer((socket) => socket.end('\u001b[2Jxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'.repeat(100)))
    server.listen(place)
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    await expect(lockOf(newKey(), { place }).acquire()).rejects.toMatchObject({
      code: 'SIGNER_IN_USE',
      data: { pid: undefined },
    })
  })

  test('that cannot be made is told as such', async () => {
    const place = join(await directory(), 'none', 'key.sock')
    await expect(lockOf(newKey(), { place }).acquire()).rejects.toMatchObject({ code: 'SIGNER_LOCK_FAILED' })
  })
})

test('places fit what the platforms take', () => {
  const key = new Uint8Array(32).fill(0xab)
  expect(lockPlace(key, 'linux')).toBe(`\0evolve-signer-${'ab'.repeat(32)}`)
  expect(lockPlace(key, 'win32')).toBe(`\\\\.\\pipe\\evolve-signer-${'ab'.repeat(32)}`)
  expect(lockPlace(key, 'darwin')).toBe(`/tmp/evolve-signer-${'ab'.repeat(16)}.sock`)
})
