import { describe, expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { HeaderStore } from '../core/header.ts'
import { noopLogger } from '../core/logger.ts'
import type { LedgerEntry } from '../core/signer.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { EvolveError } from '../util/errors.ts'
import { followToTheEnd, type TakeoverDeps } from './takeover.ts'

const HASH = new Uint8Array(32)

interface World {
  /** Executed height, header store's height, and the height peers showed. */
  executed: number
  headers: number
  target: number
  signed: number
  daReachable: boolean
  daHighest: number
}

/** A node that may take over, and the others that it asks. */
function setUp(start: Partial<World>, options: { readonly da?: boolean; readonly peers?: number } = {}) {
  const virtual = createVirtualEnv()
  const world: World = {
    executed: 0,
    headers: 0,
    target: 0,
    signed: 0,
    daReachable: true,
    daHighest: 0,
    ...start,
  }
  const next = new Set<(height: number) => void>()
  const connected = new Set<() => void>()
  const daRead = Promise.withResolvers<void>()
  let answer: () => Promise<unknown> = async () => undefined
  const headers: Pick<HeaderStore<P2PSignedHeader>, 'onHeight'> = {
    onHeight(listener) {
      next.add(listener)
      return () => next.delete(listener)
    },
  }
  const deps: TakeoverDeps = {
    env: virtual.env,
    logger: noopLogger,
    headers,
    known: () => Math.max(world.headers, world.target, world.daHighest),
    ledger: {
      get last(): LedgerEntry | undefined {
        return world.signed === 0 ? undefined : { height: world.signed, hash: HASH }
      },
    },
    follower: {
      get nextHeight() {
        return world.executed + 1
      },
      onNextHeight(listener) {
        next.add(listener)
        return () => next.delete(listener)
      },
    },
    witnesses: {
      da:
        options.da === true
          ? {
              caughtUp: async () => await daRead.promise,
              get reachable() {
                return world.daReachable
              },
            }
          : undefined,
      peers: {
        configured: options.peers ?? 0,
        ask: async () => await answer(),
        onConnected(listener) {
          connected.add(listener)
          return () => connected.delete(listener)
        },
      },
    },
  }
  let done = false
  const stopping = new AbortController()
  const over = followToTheEnd(deps, {}, { signal: stopping.signal }).then(() => {
    done = true
  })
  return {
    world,
    over,
    stopping,
    daRead,
    async is(): Promise<boolean> {
      await virtual.advance(0)
      return done
    },
    advance: async (ms: number) => await virtual.advance(ms),
    execute(height: number) {
      world.executed = height
      for (const listener of next) listener(height + 1)
    },
    connect(reply: () => Promise<unknown>) {
      answer = reply
      for (const listener of connected) listener()
    },
    listeners: () => next.size + connected.size,
  }
}

describe('an aggregator takes over', () => {
  test('at once where nobody can know more', async () => {
    const node = setUp({ executed: 7, headers: 7, target: 7, signed: 7 })
    expect(await node.is()).toBe(true)
    expect(node.listeners()).toBe(0)
  })

  test('after it has executed what its header store has', async () => {
    const node = setUp({ executed: 7, headers: 9, signed: 9 })
    expect(await node.is()).toBe(false)
    node.execute(8)
    expect(await node.is()).toBe(false)
    node.execute(9)
    expect(await node.is()).toBe(true)
  })

  test('after DA was read, and what was seen there executed', async () => {
    const node = setUp({}, { da: true })
    await node.advance(60_000)
    expect(await node.is()).toBe(false)
    node.world.daHighest = 3
    node.daRead.resolve()
    expect(await node.is()).toBe(false)
    node.execute(3)
    expect(await node.is()).toBe(true)
    expect(node.listeners()).toBe(0)
  })

  test('without DA when that stays unreachable', async () => {
    const node = setUp({ daReachable: false }, { da: true })
    await node.advance(4_999)
    expect(await node.is()).toBe(false)
    await node.advance(1)
    expect(await node.is()).toBe(true)
  })

  test('after a configured peer told of its head, new or known', async () => {
    const node = setUp({ executed: 5, headers: 5 }, { peers: 1 })
    expect(await node.is()).toBe(false)
    node.world.target = 6
    node.connect(async () => ({ height: 6 }))
    expect(await node.is()).toBe(false)
    node.execute(6)
    expect(await node.is()).toBe(true)
    const known = setUp({ executed: 5, headers: 5 }, { peers: 1 })
    expect(await known.is()).toBe(false)
    known.connect(async () => {
      throw new EvolveError('KNOWN_HEADER', 'item 5 is known', { verdict: 'ignore' })
    })
    expect(await known.is()).toBe(true)
    expect(known.listeners()).toBe(0)
  })

  test('without peers when none answers in time', async () => {
    const node = setUp({}, { peers: 2 })
    node.connect(async () => {
      throw new EvolveError('NO_PEERS', 'nobody to ask', { verdict: 'retry' })
    })
    await node.advance(2_999)
    expect(await node.is()).toBe(false)
    await node.advance(1)
    expect(await node.is()).toBe(true)
  })

  test('after others brought the blocks that its key has signed', async () => {
    const node = setUp({ executed: 5, headers: 5, signed: 9 })
    await node.advance(10_000)
    expect(await node.is()).toBe(false)
    node.world.headers = 9
    node.execute(8)
    expect(await node.is()).toBe(false)
    node.execute(9)
    expect(await node.is()).toBe(true)
  })

  test('or in the end without them: the producer then refuses to sign', async () => {
    const node = setUp({ executed: 5, headers: 5, signed: 9 })
    await node.advance(30_000)
    expect(await node.is()).toBe(true)
  })

  test('with a block under way as it was before a crash', async () => {
    const node = setUp({ executed: 5, headers: 5, signed: 6 })
    expect(await node.is()).toBe(true)
  })

  test('never when it is stopped before', async () => {
    const node = setUp({ executed: 5, headers: 9 }, { da: true, peers: 1 })
    node.stopping.abort(new Error('over'))
    await expect(node.over).rejects.toThrow('over')
    expect(node.listeners()).toBe(0)
  })
})
