/*
 * A DA node for development and tests: one process, no consensus, celestia-node's JSON-RPC.
 */
import type { Env } from '../../core/env.ts'
import type { Kv } from '../../core/kv.ts'
import type { Service } from '../../core/lifecycle.ts'
import type { Logger } from '../../core/logger.ts'
import { createSerial } from '../../util/async.ts'
import { createKvLog, createMemoryLog } from './block-log.ts'
import { createLocalChain, type PreloadBlock } from './chain.ts'
import { createCalls, type FaultHook } from './faults.ts'
import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import { createMethods } from './methods.ts'
import { createProducer } from './producer.ts'
import { listen, type ListeningServer } from './server.node.ts'
import { createSubscriptions } from './subscriptions.ts'

export type { PreloadBlock } from './chain.ts'
export { CONNECT, type Fault, type FaultHook } from './faults.ts'
export type { Limits } from './limits.ts'

/** What a local DA needs. */
export interface LocalDaDeps {
  readonly env: Env
  readonly logger: Logger
  /** A started database of its own, which keeps every block. Without, blocks are gone with the process. */
  readonly kv?: Kv
}

/** Options of {@link createLocalDa}. */
export interface LocalDaOptions extends Partial<Limits> {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any that is free, and the same one after a restart. */
  readonly port?: number
  /** Milliseconds between blocks. Default 1000. 0: a block for each submission, at once, and no empty ones. */
  readonly blockTime?: number
  /** Bytes of one blob. Default 7 MiB. */
  readonly maxBlobSize?: number
  /** Bytes that are kept in memory; then submissions are refused. Default 1 GiB. No bound for what is on disk. */
  readonly maxBytes?: number
  /** Bytes of blobs that wait for a block; then submissions are refused. Default 64 MiB. */
  readonly maxPendingBytes?: number
  /** What clients must send as `Authorization: Bearer`. Everybody may call when left out. */
  readonly authToken?: string
  /** Milliseconds before each call is looked at, and up to so many more by chance. */
  readonly latency?: { readonly fixed: number; readonly jitter?: number }
  /** Part of the calls that fail, by chance: from 0 to 1. */
  readonly failRate?: number
  /** Says before each call what is to go wrong with it. */
  readonly fault?: FaultHook
}

/** What a local DA has done so far. */
export interface LocalDaStats {
  readonly height: number
  /** Blobs in blocks since it was made, and their bytes. */
  readonly blobs: number
  readonly blobBytes: number
  /** Bytes kept in memory; 0 with a database. */
  readonly memoryBytes: number
  /** Bytes of blobs that wait for a block. */
  readonly pendingBytes: number
  readonly calls: number
  readonly failures: number
  /** Open WebSockets and their subscriptions. */
  readonly webSockets: number
  readonly subscriptions: number
}

/** A DA node for development. After a stop it can be started again, with the same chain. */
export interface LocalDa extends Service {
  /** `http://host:port`; a WebSocket is opened at the same place. Empty before it runs. */
  readonly address: string
  /** The newest DA height; the first block, which is empty, has 0. */
  readonly height: number
  /** Makes no more blocks until resumed; submissions wait. */
  pause(): void
  resume(): void
  /** Makes a block of all that waits, also while paused; resolves with its height. */
  produce(): Promise<number>
  /**
   * Makes the blocks of a recording, also before start: their blobs as they are, index included, and empty blocks
   * between them. Rejects with `LOCAL_DA_PRELOAD` when heights do not rise from above the newest one, or a blob has
   * not the share commitment of its data.
   */
  preload(blocks: readonly PreloadBlock[]): Promise<void>
  stats(): LocalDaStats
}

const MIB = 1024 * 1024
/** Subscriptions of all clients together. */
const MAX_SUBSCRIPTIONS = 1_024

/**
 * Makes a {@link LocalDa}. Its start rejects with `ADDRESS_IN_USE` when the port is taken, `LISTEN_FAILED` when the
 * address cannot be had, `LOCAL_DA_FORMAT` when something else lies in the database.
 */
export function createLocalDa(deps: LocalDaDeps, options: LocalDaOptions = {}): LocalDa {
  const {
    host = '127.0.0.1',
    blockTime = 1_000,
    maxBlobSize = 7 * MIB,
    maxBytes = 1024 * MIB,
    maxPendingBytes = 64 * MIB,
    authToken,
    latency = { fixed: 0 },
    failRate = 0,
    fault,
  } = options
  // A submission of the largest blob, in base64, must fit.
  const roomForBlob = { maxRequestBytes: Math.max(DEFAULT_LIMITS.maxRequestBytes, 2 * maxBlobSize + MIB) }
  const limits: Limits = { ...DEFAULT_LIMITS, ...roomForBlob, ...options }
  const { env } = deps
  const logger = deps.logger.child({ component: 'local-da' })
  const serial = createSerial()
  const subscriptions = createSubscriptions(MAX_SUBSCRIPTIONS)
  const kept = { blobs: 0, blobBytes: 0 }
  const log = deps.kv === undefined ? createMemoryLog(maxBytes) : createKvLog(deps.kv)
  const chain = createLocalChain({ env, log }, (block) => {
    kept.blobs += block.blobs.length
    for (const { data } of block.blobs) kept.blobBytes += data.length
    subscriptions.publish(block)
  })
  const producer = createProducer({ env, logger, chain }, { blockTime, maxPendingBytes })
  const methods = createMethods({ chain, producer }, { maxBlobSize })
  const calls = createCalls(
    { env, logger, methods },
    { latency: { fixed: latency.fixed, jitter: latency.jitter ?? 0 }, failRate, fault },
  )
  const greeting = (): string =>
    `Local DA of Evolve, for development. Height ${chain.head.height}.\nIt speaks celestia-node's JSON-RPC: POST or WebSocket, here.\n`
  let port = options.port ?? 0
  let server: ListeningServer | undefined

  return {
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (server !== undefined) return
        signal?.throwIfAborted()
        await chain.open()
        const listening = await listen(
          { env, logger, calls, subscriptions, greeting },
          { ...limits, host, port, authToken },
        )
        port = listening.port
        server = listening
        await producer.start()
      })
    },
    async stop() {
      await serial.run(async () => {
        if (server === undefined) return
        await producer.stop()
        await server.close()
        server = undefined
      })
    },
    get address() {
      return server === undefined ? '' : addressOf(host, server.port)
    },
    get height() {
      return chain.head.height
    },
    pause: () => producer.pause(),
    resume: () => producer.resume(),
    produce: async () => (await producer.produce()).height,
    preload: async (blocks) => await chain.preload(blocks),
    stats: () => ({
      height: chain.head.height,
      ...kept,
      memoryBytes: log.bytes,
      pendingBytes: producer.pendingBytes,
      ...calls.counts,
      webSockets: server?.webSockets ?? 0,
      subscriptions: subscriptions.size,
    }),
  }
}

/** Where clients of this machine find it, also when it listens everywhere. */
function addressOf(host: string, port: number): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
