/*
 * A local DA with its database, if it has one.
 */
import type { Env } from '../core/env.ts'
import { startAll, stopAll } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import { createLocalDa, type LocalDa, type LocalDaOptions } from '../da/local/local-da.node.ts'
import { createLevelKv } from '../store/kv-level.node.ts'

/** Options of {@link createLocalDaNode}. */
export interface LocalDaNodeOptions extends LocalDaOptions {
  /** Folder for its blocks; without one they are gone with the process. */
  readonly data?: string
}

/** Makes a {@link LocalDa} that starts and stops its database too. */
export function createLocalDaNode(
  deps: { readonly env: Env; readonly logger: Logger },
  { data, ...options }: LocalDaNodeOptions,
): LocalDa {
  if (data === undefined) return createLocalDa(deps, options)
  const kv = createLevelKv({ path: data })
  const da = createLocalDa({ ...deps, kv }, options)
  return {
    get address() {
      return da.address
    },
    get height() {
      return da.height
    },
    pause: () => da.pause(),
    resume: () => da.resume(),
    produce: async () => await da.produce(),
    preload: async (blocks) => await da.preload(blocks),
    stats: () => da.stats(),
    start: async (how) => await startAll([kv, da], how),
    stop: async () => await stopAll([kv, da]),
  }
}
