import type { FullNode } from '../../src/node/full-node.ts'
import { deferred } from '../../src/util/async.ts'

/** Waits for an event that tells heights; throws what ends the node before. */
export async function reached(
  node: FullNode,
  height: number,
  { now, on }: { readonly now: () => number; readonly on: (tell: (height: number) => void) => () => void },
): Promise<void> {
  const there = deferred<undefined>()
  const unwatch = on((at) => {
    if (at >= height) there.resolve(undefined)
  })
  try {
    if (now() >= height) return
    const failure = await Promise.race([node.failed, there.promise])
    if (failure !== undefined) throw failure
  } finally {
    unwatch()
  }
}
