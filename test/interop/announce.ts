import { systemEnv, withTimeout } from '../../src/core/env.ts'
import { isEvolveError } from '../../src/util/errors.ts'

/** How long a first block may take before the next is tried, milliseconds. */
const FIRST_PATIENCE = 500

/** How blocks are announced, and when one has arrived. */
export interface Announcing {
  readonly publish: (height: number) => Promise<unknown>
  /** Resolves when whoever is to hear of the block has it. */
  readonly arrived: (height: number) => Promise<void>
}

/**
 * Announces blocks one by one as they arrive. What is announced before a peer's subscription is known does not reach
 * it, so the first block that it hears of may be a later one; from then on it must hear of every one.
 */
export async function announce(
  [first, last]: readonly [number, number],
  { publish, arrived }: Announcing,
): Promise<void> {
  let heard = false
  for (let height = first; height <= last; height++) {
    await publish(height)
    if (heard) await arrived(height)
    else heard = await soon(arrived(height))
  }
  await arrived(last)
}

async function soon(task: Promise<void>): Promise<boolean> {
  try {
    await withTimeout(systemEnv, FIRST_PATIENCE, undefined, 'a first block by gossip', async () => await task)
    return true
  } catch (error) {
    if (isEvolveError(error, 'TIMEOUT')) return false
    throw error
  }
}
