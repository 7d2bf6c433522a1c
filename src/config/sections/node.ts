import { count, duration, type Section, yesNo } from '../kinds.ts'
import { z } from 'zod'

/** What the node does and at which pace. Durations in milliseconds. */
export interface NodeConfig {
  readonly aggregator: boolean
  readonly promotable: boolean
  readonly basedSequencer: boolean
  readonly light: boolean
  readonly blockTime: number
  readonly maxPendingHeadersAndData: number
  readonly lazyMode: boolean
  readonly lazyBlockInterval: number
  readonly scrapeInterval: number
  readonly catchupTimeout: number
  readonly readinessWindowSeconds: number
  readonly readinessMaxBlocksBehind: number
}

/** Schema of {@link NodeConfig}. */
export const nodeSection: Section<NodeConfig> = z.strictObject({
  aggregator: yesNo(false, "Produce blocks: this node is the chain's aggregator."),
  promotable: yesNo(
    false,
    "Follow the chain, and produce blocks from the moment execution names this node's key as proposer.",
  ),
  basedSequencer: yesNo(
    false,
    'Build blocks only from transactions that were posted to the forced-inclusion namespace. Needs node.aggregator.',
  ),
  light: yesNo(false, 'Sync and verify headers only.'),
  blockTime: duration(
    '1s',
    'Time between blocks. The same on all nodes of a chain. Examples: 100ms, 1s, 2m30s.',
    {
      positive: true,
    },
  ),
  maxPendingHeadersAndData: count(
    0,
    'Pause block production while this many headers or data wait for DA. 0: no limit.',
  ),
  lazyMode: yesNo(
    false,
    'Produce a block only when there are transactions, or when node.lazy_block_interval is over.',
  ),
  lazyBlockInterval: duration(
    '1m0s',
    'In lazy mode, the longest time without a block. Longer than node.block_time.',
  ),
  scrapeInterval: duration('1s', 'Time between questions to the execution layer for new transactions.'),
  catchupTimeout: duration(
    '0s',
    'An aggregator first syncs from DA and peers, and waits this long for peers. 0s: it starts at once.',
  ),
  readinessWindowSeconds: count(
    15,
    'A follower whose last block is older than this many seconds does not report itself ready.',
  ),
  readinessMaxBlocksBehind: count(
    15,
    'A node further behind the best known head than this many blocks does not report itself ready.',
  ),
})
