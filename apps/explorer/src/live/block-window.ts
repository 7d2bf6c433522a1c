/*
 * The newest blocks, as far as the page knows them.
 */
import type { BlockSummary, NodeStatus } from 'evolve-node/client'

/** The newest blocks without a gap, highest first. */
export type BlockWindow = readonly BlockSummary[]

/** Blocks in the window: as many as a node gives at once. */
export const WINDOW = 100

/** A request for blocks: `limit` from `from` downwards. */
export interface BlocksWanted {
  readonly from: number
  readonly limit: number
}

/** What is to be asked for, so that the window shows what `status` says; undefined when it does. */
export function blocksWanted(window: BlockWindow, status: NodeStatus): BlocksWanted | undefined {
  const { height, finalHeight, earliestHeight } = status
  if (height < 1 || height < earliestHeight) return undefined
  const [newest] = window
  const stale = window.findLast(
    (block) => !block.final && block.height <= finalHeight && block.height >= earliestHeight,
  )?.height
  const next = newest === undefined || newest.height > height ? 1 : newest.height + 1
  const lowest = Math.max(Math.min(next, stale ?? next), height - WINDOW + 1, earliestHeight, 1)
  return lowest > height ? undefined : { from: height, limit: height - lowest + 1 }
}

/** The window after `fetched` has come, highest first. */
export function withBlocks(window: BlockWindow, fetched: readonly BlockSummary[]): BlockWindow {
  const [newest] = fetched
  const lowest = fetched.at(-1)
  if (newest === undefined || lowest === undefined) return window
  const below = window.filter(({ height }) => height < lowest.height)
  // What does not follow belongs to another chain, or lies too far below.
  const fits = below[0]?.height === lowest.height - 1
  return [...fetched, ...(fits ? below : [])].slice(0, WINDOW)
}
