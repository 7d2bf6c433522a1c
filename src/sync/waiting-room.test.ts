import { describe, expect, test } from 'vitest'
import { makeChain } from '../../test/support/chain.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { noopLogger } from '../core/logger.ts'
import { createHeaderStore } from '../header/store/kv-store.ts'
import { KEYS } from '../store/keys.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import type { P2PData } from '../types/data.ts'
import { isEvolveError } from '../util/errors.ts'
import { headerKind } from './kinds.ts'
import { createWaitingRoom, type WaitingRoomOptions } from './waiting-room.ts'

const { blocks } = makeChain({ count: 200 })
const never = new AbortController().signal

function dataAt(height: number): P2PData {
  const block = blocks[height - 1]
  if (block === undefined) throw new Error(`no block ${height}`)
  return block.data
}

async function setUp(options?: WaitingRoomOptions) {
  const virtual = createVirtualEnv()
  const kv = createMemoryKv()
  await kv.start()
  const headers = createHeaderStore(
    { kv, kind: headerKind, logger: noopLogger },
    { prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta } },
  )
  await headers.start()
  await headers.append(blocks.slice(0, 10).map(({ header }) => header))
  const room = createWaitingRoom({ headers, env: virtual.env }, options)
  return { virtual, headers, room }
}

async function refused(promise: Promise<void>): Promise<boolean> {
  try {
    await promise
    return false
  } catch (error) {
    expect(isEvolveError(error, 'HEADER_UNKNOWN')).toBe(true)
    return true
  }
}

describe('data before its header', () => {
  test('does not wait when the header is there', async () => {
    const { room } = await setUp()
    await room.headerOf(dataAt(10), { from: 'a', signal: never })
  })

  test('waits until the header comes', async () => {
    const { room, headers } = await setUp()
    const waiting = room.headerOf(dataAt(12), { from: 'a', signal: never })
    await headers.append(blocks.slice(10, 12).map(({ header }) => header))
    await waiting
  })

  test('waits no longer than its patience', async () => {
    const { room, virtual } = await setUp({ patience: 500 })
    const waiting = refused(room.headerOf(dataAt(11), { from: 'a', signal: never }))
    await virtual.advance(500)
    expect(await waiting).toBe(true)
    expect(virtual.timers).toBe(0)
  })

  test('far ahead of the headers is not kept', async () => {
    const { room } = await setUp({ ahead: 5 })
    expect(await refused(room.headerOf(dataAt(16), { from: 'a', signal: never }))).toBe(true)
  })

  test('of one sender has its share of places, which are free again afterwards', async () => {
    const { room, headers } = await setUp({ perSender: 2 })
    const waiting = [11, 12].map((height) => room.headerOf(dataAt(height), { from: 'a', signal: never }))
    expect(await refused(room.headerOf(dataAt(13), { from: 'a', signal: never }))).toBe(true)
    const other = room.headerOf(dataAt(13), { from: 'b', signal: never })
    await headers.append(blocks.slice(10, 13).map(({ header }) => header))
    await Promise.all([...waiting, other])
    const again = room.headerOf(dataAt(14), { from: 'a', signal: never })
    await headers.append(blocks.slice(13, 14).map(({ header }) => header))
    await again
  })

  test('of all senders is bounded in bytes', async () => {
    const { room } = await setUp({ maxBytes: 1_500 })
    const stop = new AbortController()
    const waiting = ['a', 'b'].map((from) =>
      refused(room.headerOf(dataAt(11), { from, signal: stop.signal })),
    )
    expect(await refused(room.headerOf(dataAt(11), { from: 'c', signal: stop.signal }))).toBe(true)
    stop.abort()
    expect(await Promise.all(waiting)).toEqual([true, true])
  })
})
