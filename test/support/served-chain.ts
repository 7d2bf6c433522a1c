import { systemEnv } from '../../src/core/env.ts'
import { createListeners } from '../../src/core/listeners.ts'
import { type Logger, noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import type { AppliedBlock } from '../../src/core/applied-block.ts'
import type { NodeView } from '../../src/core/node-view.ts'
import type { NodeStatus } from '../../src/core/status.ts'
import { createRpcServer, type RpcServerOptions } from '../../src/rpc/server.node.ts'
import { createBlockStore } from '../../src/store/block-store.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { headerHash } from '../../src/types/header.ts'
import { EMPTY_BYTES } from '../../src/util/bytes.ts'
import { makeSaves } from '../suites/block-saves.ts'
import { makeChain, type TestChainOptions } from './chain.ts'

/** A chain in a real block store behind a real RPC server; its blocks come when a test says so. */
export interface ServedChain {
  /** Where it is served; the same after a restart. */
  readonly url: string
  readonly node: NodeView
  readonly height: number
  /** Saves blocks, all together, and tells of them one by one. */
  grow(by: number): Promise<void>
  /** Makes blocks final up to a height, at DA heights of a thousand more. */
  finalize(height: number): Promise<void>
  /** Starts the server where it was before, or on a free port. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Makes a {@link ServedChain}; it starts without blocks and without a server. */
export async function createServedChain(
  options: TestChainOptions & {
    readonly view?: Partial<NodeView>
    readonly status?: Partial<NodeStatus>
    readonly rpc?: Partial<RpcServerOptions>
    readonly logger?: Logger
  },
): Promise<ServedChain> {
  const { genesis } = makeChain(options)
  const { initial, saves } = makeSaves(options)
  const kv = createMemoryKv()
  const blocks = createBlockStore({ kv })
  await kv.start()
  await blocks.start()
  await blocks.saveState(initial)
  const told = createListeners<AppliedBlock>(noopLogger, 'block')
  const finals = createListeners<number>(noopLogger, 'final height')
  let height = genesis.initialHeight - 1
  let final = height

  const unused = (): never => {
    throw new Error('not part of this test')
  }
  const node: NodeView = {
    genesis,
    blockTime: 1_000,
    lazy: undefined,
    peerId: '12D3KooWServed',
    blocks,
    get headers() {
      return unused()
    },
    get data() {
      return unused()
    },
    da: undefined,
    transactions: undefined,
    status: () => ({
      role: 'follower',
      phase: 'following',
      height,
      headerHeight: height,
      dataHeight: height,
      targetHeight: height,
      finalHeight: final,
      earliestHeight: genesis.initialHeight,
      peers: 0,
      da: undefined,
      lastBlockTime: 0n,
      stateRoot: EMPTY_BYTES,
      lastHeaderHash: EMPTY_BYTES,
      rates: { blocks: 0, transactions: 0, headers: 0, daHeights: 0 },
      estimate: undefined,
      ...options.status,
    }),
    addresses: () => ['/ip4/127.0.0.1/tcp/1/p2p/12D3KooWServed'],
    connections: () => [],
    submit: async () => unused(),
    onBlock: (listener) => told.add(listener),
    onFinal: (listener) => finals.add(listener),
    ...options.view,
  }

  let server = newServer('127.0.0.1:0')
  let url = ''
  function newServer(address: string) {
    return createRpcServer(
      { node, env: systemEnv, logger: options.logger ?? noopLogger, metrics: noopMetrics, version: '0.0.0' },
      {
        address,
        corsOrigins: [],
        maxSubscribers: 100,
        readiness: { windowSeconds: 10, maxBlocksBehind: 10 },
        daPages: false,
        page: undefined,
        stopGrace: 100,
        ...options.rpc,
      },
    )
  }

  return {
    get url() {
      return url
    },
    node,
    get height() {
      return height
    },
    async grow(by) {
      const group = saves.slice(height - genesis.initialHeight + 1).slice(0, by)
      await blocks.saveBlocks(group)
      height += group.length
      for (const { header, data, state } of group) {
        told.tell({
          height: header.header.height,
          txs: data.txs.length,
          time: header.header.time,
          hash: headerHash(header.header),
          stateRoot: state.appHash,
          source: 'test',
        })
      }
    },
    async finalize(to) {
      const heights = Array.from({ length: to - final }, (_, index) => final + 1 + index)
      await blocks.saveInclusion(
        heights.map((at) => ({ height: at, headerDaHeight: at + 1_000, dataDaHeight: at + 1_001 })),
      )
      final = to
      finals.tell(to)
    },
    async start() {
      server = newServer(url === '' ? '127.0.0.1:0' : new URL(url).host)
      await server.listener.start()
      await server.start()
      url = `http://127.0.0.1:${server.address?.port}`
    },
    async stop() {
      await server.stop()
      await server.listener.stop()
    },
  }
}
