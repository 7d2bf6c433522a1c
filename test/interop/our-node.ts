/*
 * Our side of the suite: a full node that follows, and a publisher that serves recorded blocks and announces more.
 * Both run over real sockets on loopback and are stopped when the running test is over.
 */
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { type Recording, readRecording } from '../../scripts/recorded/recording.ts'
import { systemEnv } from '../../src/core/env.ts'
import type { Service } from '../../src/core/lifecycle.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createProposers } from '../../src/core/proposers.ts'
import { createTestappExecutor } from '../../src/execution/testapp-executor.ts'
import { createFullNode, type FullNode } from '../../src/node/full-node.ts'
import { createHost, type Host } from '../../src/p2p/host.node.ts'
import { generateNodeKey, type NodeKey, peerIdOf } from '../../src/p2p/identity.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { createDataSyncService, type DataSyncService } from '../../src/sync/data-service.ts'
import { createHeaderSyncService, type HeaderSyncService } from '../../src/sync/header-service.ts'
import type { Genesis } from '../../src/types/genesis.ts'

/** The folder of the recorded chain. */
export const recordingFolder: string = fileURLToPath(new URL('../fixtures/recorded-chain', import.meta.url))
/** The recorded chain. */
export const recording: Recording = readRecording(recordingFolder)

/** A block as it is recorded. */
export type RecordedBlock = Recording['blocks'][number]

/** The recorded block at a height. */
export function blockAt(height: number): RecordedBlock {
  const block = recording.blocks[height - recording.genesis.initialHeight]
  if (block === undefined) throw new Error(`the recording has no height ${height}`)
  return block
}

const quiet = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
const listen = ['/ip4/127.0.0.1/tcp/0']
const newKey = (): NodeKey => generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length)))

async function run(...parts: readonly Service[]): Promise<void> {
  for (const part of parts) {
    await part.start()
    onTestFinished(async () => await part.stop())
  }
}

/** A running full node of ours and its peer id. */
export interface OurFollower {
  readonly node: FullNode
  readonly id: string
}

/** Starts a full node with the test application that follows the given peers. */
export async function startFollower(genesis: Genesis, peers: readonly string[]): Promise<OurFollower> {
  const nodeKey = newKey()
  const node = createFullNode(
    {
      genesis,
      nodeKey,
      kv: createMemoryKv(),
      executor: (kv) => createTestappExecutor({ kv }),
    },
    { listen, peers: [...peers], discovery: false, blockTime: 100 },
  )
  await run(node)
  return { node, id: peerIdOf(nodeKey) }
}

/** Resolves when a node has executed a height; rejects when it fails before. */
export async function executed({ node }: OurFollower, height: number): Promise<void> {
  const done = new Promise<undefined>((resolve) => {
    const unwatch = node.onBlock((block) => {
      if (block.height < height) return
      unwatch()
      resolve(undefined)
    })
    if (node.status().height >= height) resolve(undefined)
  })
  const failure = await Promise.race([node.failed, done])
  if (failure !== undefined) throw failure
}

/** Sync services of ours that act as an aggregator's do. */
export interface OurPublisher {
  readonly host: Host
  readonly headers: HeaderSyncService
  readonly data: DataSyncService
  /** Stores a block and announces both halves. */
  publish(block: RecordedBlock): Promise<void>
}

/** Starts a {@link OurPublisher} that has `blocks` in its stores. */
export async function startPublisher(
  genesis: Genesis,
  blocks: readonly RecordedBlock[],
): Promise<OurPublisher> {
  const kv = createMemoryKv()
  const host = createHost(quiet, {
    nodeKey: newKey(),
    chainId: genesis.chainId,
    listen,
    peers: [],
    discovery: false,
  })
  const proposers = createProposers(genesis.initialHeight, genesis.proposerAddress)
  const sync = { ...quiet, kv, network: host, genesis }
  const options = { blockTime: 100, aggregator: true }
  const headers = createHeaderSyncService({ ...sync, proposers }, options)
  const data = createDataSyncService({ ...sync, headers: headers.store() }, options)
  await run(kv, host, headers, data)
  await headers.store().append(blocks.map((block) => block.header))
  await data.store().append(blocks.map((block) => block.data))
  return {
    host,
    headers,
    data,
    async publish(block) {
      const { signal } = new AbortController()
      await headers.writeToStoreAndBroadcast(block.header, { signal })
      await data.writeToStoreAndBroadcast(block.data, { signal })
    },
  }
}

/** Starts a host of ours that takes part in peer discovery. */
export async function startDiscoveringHost(chainId: string, peers: readonly string[]): Promise<Host> {
  const host = createHost(quiet, { nodeKey: newKey(), chainId, listen, peers: [...peers], discovery: true })
  await run(host)
  return host
}

/** Resolves when a host is connected to a peer. */
export async function connectedTo(host: Host, peer: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const unwatch = host.watchPeers({
      connected(id) {
        if (id !== peer) return
        unwatch()
        resolve()
      },
      disconnected() {},
    })
    if (!host.peers().includes(peer)) return
    unwatch()
    resolve()
  })
}
