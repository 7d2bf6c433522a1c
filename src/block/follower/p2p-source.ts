/*
 * Blocks from the stores that peers fill: header and data of the next height, as soon as both are there.
 */
import type { BlockSource } from '../../core/block-source.ts'
import { createSerial } from '../../util/async.ts'
import { createStoreWalk, type P2PSourceDeps, type P2PSourceOptions } from './store-walk.ts'

export type { P2PSourceDeps, P2PSourceOptions }

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
