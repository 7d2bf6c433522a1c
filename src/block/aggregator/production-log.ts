import type { Block } from '../../core/block-store.ts'
import type { Env } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import { PRODUCER_METRICS } from './metrics.ts'

/** Tells logs and metrics of blocks that were made. */
export interface ProductionLog {
  made(block: Block): void
}

/** Milliseconds between two log lines of progress. */
const PROGRESS_EVERY = 5_000

/** Makes a {@link ProductionLog}. */
export function createProductionLog(deps: {
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}): ProductionLog {
  const { env, logger, metrics } = deps
  let since: { at: number; blocks: number; txs: number } | undefined
  return {
    made({ header: { header }, data }) {
      const txs = data.txs.length
      metrics.gauge(PRODUCER_METRICS.latestBlockHeight, header.height)
      metrics.gauge(PRODUCER_METRICS.txs, txs)
      metrics.count(PRODUCER_METRICS.totalTxs, txs)
      metrics.observe(PRODUCER_METRICS.txsPerBlock, txs)
      metrics.gauge(
        PRODUCER_METRICS.blockSize,
        data.txs.reduce((sum, { length }) => sum + length, 0),
      )
      logger.debug('block made', { height: header.height, txs })
      const now = env.monotonic()
      since ??= { at: now, blocks: 0, txs: 0 }
      since.blocks++
      since.txs += txs
      if (now - since.at < PROGRESS_EVERY) return
      logger.info('blocks made', { height: header.height, blocks: since.blocks, txs: since.txs })
      since = { at: now, blocks: 0, txs: 0 }
    },
  }
}
