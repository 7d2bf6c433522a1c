/*
 * Blocks from the stores that peers fill: header and data of the next height, as soon as both are there.
 */
import type { BlockSink, BlockSource } from '../../core/block-source.ts'
import type { Env } from '../../core/env.ts'
import type { HeaderStore } from '../../core/header.ts'
import type { Logger } from '../../core/logger.ts'
import type { P2PData } from '../../types/data.ts'
import type { P2PSignedHeader } from '../../types/header.ts'
import { createSerial } from '../../util/async.ts'
import { createStoreWalk } from './store-walk.ts'

/** What the source needs. */
export interface P2PSourceDeps {
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
  readonly sink: BlockSink
  readonly env: Env
  readonly logger: Logger
  /** Removes a block that turned out wrong, and all above it, from both stores, and has peers asked again. */
  evict(height: number, reason: string): Promise<void>
}

/** Bounds of the source. Defaults in brackets. */
export interface P2PSourceOptions {
  /** Blocks read at once [64], fewer when they are large: about this many bytes [8 MiB]. */
  readonly window?: number
  readonly windowBytes?: number
  /** Heights it offers ahead of the next one [256]. */
  readonly lead?: number
  /** Whether every header in the store had its signature checked before it was stored [true]. */
  readonly proven?: boolean
  /** First and last waiting time in milliseconds after a wrong block or a failure of a store [100, 10,000]. */
  readonly retryFirst?: number
  readonly retryLast?: number
}

/** Makes the source of the blocks that came from peers. Its name is `p2p`. */
export function createP2PSource(deps: P2PSourceDeps, options: P2PSourceOptions = {}): BlockSource {
  const logger = deps.logger.child({ component: 'p2p-source' })
  const serial = createSerial()
  let run: { readonly controller: AbortController; readonly over: Promise<void> } | undefined
  return {
    name: 'p2p',
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        signal?.throwIfAborted()
        const controller = new AbortController()
        const walk = createStoreWalk({ ...deps, logger }, options, controller.signal)
        run = { controller, over: walk() }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        run.controller.abort(new DOMException('the source stops', 'AbortError'))
        await run.over
        run = undefined
      })
    },
  }
}
