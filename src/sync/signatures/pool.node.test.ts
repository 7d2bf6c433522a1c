import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ed25519PublicKey, signEd25519 } from '#crypto'
import { createRecorder } from '../../../test/support/recorder.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import type { Env } from '../../core/env.ts'
import { noopLogger } from '../../core/logger.ts'
import type { SignatureChecker } from '../../core/signatures.ts'
import { utf8 } from '../../util/bytes.ts'
import { createSignatureBatch, type SignatureBatch } from '../../util/signature-batch.ts'
import { createSignaturePool, type SignaturePoolOptions } from './pool.node.ts'

const seed = new Uint8Array(32).fill(7)
const publicKey = ed25519PublicKey(seed)
const IDLE = 10_000

/** A batch of one check for each letter: `g` is a good one, anything else a signature over something else. */
function batchOf(what: string, name = ''): SignatureBatch {
  const batch = createSignatureBatch(what.length, 32)
  for (const [index, letter] of Array.from(what).entries()) {
    const message = utf8(`message ${index} of ${name}`)
    batch.add(publicKey, message, signEd25519(seed, letter === 'g' ? message : utf8('other')))
  }
  return batch
}

/** What {@link batchOf} is answered with. */
function answerTo(what: string): Uint8Array {
  return Uint8Array.from(Array.from(what).map((letter) => (letter === 'g' ? 1 : 0)))
}

/** A batch that ends in the middle of a check, so that the thread which reads it dies. */
function brokenBatch(size: number): SignatureBatch {
  return { size, add: () => false, finish: () => new Uint8Array(size) }
}

const threads: Worker[] = []
const pools: SignatureChecker[] = []
const onThread = (worker: Worker): void => void threads.push(worker)

/** Threads that were started and live. */
function alive(): number {
  return threads.filter(({ threadId }) => threadId !== -1).length
}

async function setUp(options: SignaturePoolOptions = {}) {
  const virtual = createVirtualEnv()
  const { logger, lines } = createRecorder()
  const pool = createSignaturePool({ env: virtual.env, logger }, { idleAfter: IDLE, ...options })
  pools.push(pool)
  await pool.start()
  return { virtual, lines, pool }
}

beforeEach(() => {
  process.on('worker', onThread)
})

afterEach(async () => {
  await Promise.all(pools.splice(0).map(async (pool) => await pool.stop()))
  process.off('worker', onThread)
  const left = alive()
  threads.splice(0)
  if (left > 0) throw new Error(`${left} threads outlive their pools`)
})

describe('a signature pool', () => {
  test('tells good from wrong signatures, in the order of the batch', async () => {
    const { pool } = await setUp()
    const what = 'gwwgggwgwg'
    expect(await pool.check(batchOf(what))).toEqual(answerTo(what))
  })

  test('answers many batches at once, each with its own, with as many threads as it may have', async () => {
    const { pool, lines } = await setUp({ threads: 3 })
    const all = Array.from({ length: 40 }, (_, batch) =>
      Array.from({ length: 1 + (batch % 7) }, (_item, index) =>
        (batch * 5 + index) % 3 === 0 ? 'w' : 'g',
      ).join(''),
    )
    const answers = await Promise.all(
      all.map(async (what, index) => await pool.check(batchOf(what, `batch ${index}`))),
    )
    expect(answers).toEqual(all.map(answerTo))
    expect(threads.length).toBe(3)
    expect(lines).toEqual([])
  })

  test('starts no thread before there is something to check', async () => {
    const { pool, virtual } = await setUp()
    expect(await pool.check(batchOf(''))).toEqual(new Uint8Array(0))
    expect(threads.length).toBe(0)
    expect(virtual.timers).toBe(0)
  })

  test('answers zeros before start and after stop, and checks again when started again', async () => {
    const { env } = createVirtualEnv()
    const pool = createSignaturePool({ env, logger: noopLogger })
    pools.push(pool)
    expect(await pool.check(batchOf('ggg'))).toEqual(new Uint8Array(3))
    await pool.start()
    expect(await pool.check(batchOf('gg'))).toEqual(answerTo('gg'))
    await pool.stop()
    await pool.stop()
    expect(alive()).toBe(0)
    expect(await pool.check(batchOf('ggg'))).toEqual(new Uint8Array(3))
    expect(alive()).toBe(0)
    await pool.start()
    expect(await pool.check(batchOf('gw'))).toEqual(answerTo('gw'))
  })

  test('answers what a stop overtakes, and leaves no thread or timer', async () => {
    const { pool, virtual } = await setUp({ threads: 2 })
    const answers = Array.from({ length: 5 }, async () => await pool.check(batchOf('gwg')))
    await pool.stop()
    // Zeros, but for a thread that was faster than the stop.
    for (const answer of await Promise.all(answers)) {
      expect([new Uint8Array(3), answerTo('gwg')]).toContainEqual(answer)
    }
    expect(alive()).toBe(0)
    expect(virtual.timers).toBe(0)
  })

  test('is running when it is started while it stops', async () => {
    const { pool } = await setUp()
    const stopped = pool.stop()
    await pool.start()
    await stopped
    expect(await pool.check(batchOf('gw'))).toEqual(answerTo('gw'))
  })

  test('ends its threads when idle, and starts one with the next batch', async () => {
    const { pool, virtual } = await setUp({ threads: 1 })
    await pool.check(batchOf('g'))
    await virtual.advance(IDLE - 1)
    await pool.check(batchOf('g'))
    await virtual.advance(IDLE - 1)
    expect([threads.length, alive()]).toEqual([1, 1])
    const ended = threads.map(async (worker) => await once(worker, 'exit'))
    await virtual.advance(1)
    await Promise.all(ended)
    expect(virtual.timers).toBe(0)
    expect(await pool.check(batchOf('gwg'))).toEqual(answerTo('gwg'))
    expect([threads.length, alive()]).toEqual([2, 1])
  })

  test('waits at a stop for threads that end because it was idle', async () => {
    let fire = (): void => {}
    const env: Env = {
      ...createVirtualEnv().env,
      timer(_ms, then) {
        fire = then
        return () => {}
      },
    }
    const pool = createSignaturePool({ env, logger: noopLogger }, { threads: 2 })
    pools.push(pool)
    await pool.start()
    await Promise.all([pool.check(batchOf('g')), pool.check(batchOf('g'))])
    expect(alive()).toBe(2)
    fire()
    await pool.stop()
    expect(alive()).toBe(0)
  })

  test('is not idle while it owes an answer', async () => {
    const { pool, virtual } = await setUp({ threads: 1 })
    const what = 'gw'.repeat(200)
    const answer = pool.check(batchOf(what))
    await virtual.advance(IDLE)
    expect(await answer).toEqual(answerTo(what))
  })

  test('answers zeros for all that a dying thread owes, warns, and goes on with another thread', async () => {
    const { pool, lines } = await setUp({ threads: 1 })
    const answers = [pool.check(batchOf('gw')), pool.check(brokenBatch(3)), pool.check(batchOf('gggg'))]
    expect(await Promise.all(answers)).toEqual([answerTo('gw'), new Uint8Array(3), new Uint8Array(4)])
    expect(lines).toEqual(['warn: a thread that checks signatures failed'])
    expect(await pool.check(batchOf('gwg'))).toEqual(answerTo('gwg'))
    expect(threads.length).toBe(2)
  })
})
