import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import type { Exchange, ItemKind } from '../../src/core/header.ts'
import type { PeerId } from '../../src/core/network.ts'
import {
  createExchange,
  type ExchangeClientOptions,
  type ExchangeDeps,
} from '../../src/header/exchange/client.ts'
import { createExchangeServer, type ExchangeServerOptions } from '../../src/header/exchange/server.ts'
import { type DummyItem, dummyKind } from './dummy-item.ts'
import { createMemoryHub, type MemoryHub, type MemoryNode } from './memory-network.ts'
import { createMemoryStore, type MemoryStore } from './memory-store.ts'
import { type Script, serveScript } from './raw-exchange.ts'
import { createVirtualEnv, type VirtualEnv } from './virtual-env.ts'

/** Protocol of {@link createExchangeNet}. */
export const EXCHANGE_PROTOCOL = '/dummy/header-ex/v0.0.3'

/** One asking node and peers that serve it honestly or by a script. */
export interface ExchangeNet {
  readonly hub: MemoryHub
  readonly time: VirtualEnv
  readonly us: MemoryNode
  readonly exchange: Exchange<DummyItem>
  /** Adds and connects a peer that serves these items. */
  readonly honest: (
    id: PeerId,
    items: readonly DummyItem[],
    limits?: Partial<ExchangeServerOptions>,
  ) => Promise<MemoryStore<DummyItem>>
  /** Adds and connects a peer that answers by a script. */
  readonly scripted: (id: PeerId, script: Script) => Promise<MemoryNode>
  /** Requests sent to a peer so far. */
  readonly askedOf: (id: PeerId) => number
  /** Waits for `promise` while virtual time passes, at most `ms` of it. */
  readonly within: <T>(ms: number, promise: Promise<T>) => Promise<T>
}

/** What differs from test to test. */
export interface ExchangeNetOptions extends Partial<ExchangeClientOptions> {
  readonly configured?: readonly PeerId[]
  readonly trusted?: readonly PeerId[]
  readonly check?: ExchangeDeps<DummyItem>['check']
  /** How the asking node reads items. */
  readonly kind?: ItemKind<DummyItem>
}

const STEP = 10

/** Makes an {@link ExchangeNet} whose exchange is started. */
export async function createExchangeNet(options: ExchangeNetOptions = {}): Promise<ExchangeNet> {
  const { configured = [], trusted, check, kind = dummyKind, ...limits } = options
  const time = createVirtualEnv()
  const hub = createMemoryHub({ env: time.env })
  const us = hub.node('us', { configured })
  const shared = { env: time.env, logger: noopLogger, metrics: noopMetrics }
  const exchange = createExchange(
    {
      ...shared,
      network: us,
      kind,
      ...(trusted === undefined ? {} : { trusted: () => trusted }),
      ...(check === undefined ? {} : { check }),
    },
    { protocol: EXCHANGE_PROTOCOL, chainId: 'dummy', ...limits },
  )
  await exchange.start()
  return {
    hub,
    time,
    us,
    exchange,
    async honest(id, items, served = {}) {
      const node = hub.node(id)
      const store = createMemoryStore(dummyKind, items)
      await createExchangeServer(
        { ...shared, network: node, store, kind: dummyKind },
        { protocol: EXCHANGE_PROTOCOL, ...served },
      ).start()
      hub.connect('us', id)
      return store
    },
    async scripted(id, script) {
      const node = hub.node(id)
      await serveScript(node, EXCHANGE_PROTOCOL, script)
      hub.connect('us', id)
      return node
    },
    askedOf: (id) => us.asked.filter(({ peer }) => peer === id).length,
    async within(ms, promise) {
      const state = { settled: false }
      const note = (): void => {
        state.settled = true
      }
      promise.then(note, note)
      await time.settle()
      for (let passed = 0; passed < ms && !state.settled; passed += STEP) await time.advance(STEP)
      if (!state.settled) throw new Error(`nothing came of it within ${ms} ms`)
      return await promise
    },
  }
}
