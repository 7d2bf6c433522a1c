import type { BlockStore } from '../core/block-store.ts'
import { type Env, sleep } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { SignedHeader } from '../types/header.ts'

/** Milliseconds between two times that an aggregator shows the block it ended on to another one with its key. */
const SHOW_EVERY = 2_000

/**
 * Shows the header of the last block to the peers until `signal` aborts, whatever fails meanwhile; then it rejects with
 * the signal's reason.
 */
export async function showLastBlock(
  deps: {
    readonly blocks: Pick<BlockStore, 'height' | 'header'>
    readonly broadcast: (header: SignedHeader) => Promise<unknown>
    readonly env: Env
    readonly logger: Logger
  },
  { signal }: { readonly signal: AbortSignal },
): Promise<never> {
  const { blocks, broadcast, env, logger } = deps
  let failing = false
  for (;;) {
    try {
      const header = await blocks.header(await blocks.height())
      if (header !== undefined) await broadcast(header)
      failing = false
    } catch (error) {
      signal.throwIfAborted()
      if (!failing) logger.warn('showing our last header failed; trying again', { error })
      failing = true
    }
    await sleep(env, SHOW_EVERY, signal)
  }
}
