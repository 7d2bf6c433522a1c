/** Names under which a producer measures, besides those of all of `block`. Source: ev-node v1.2.3 block/internal/common. */
export const PRODUCER_METRICS = {
  /** Gauge: height of the last block made here. */
  latestBlockHeight: 'sequencer_latest_block_height',
  /** Gauge: transactions of the last block. */
  txs: 'sequencer_num_txs',
  /** Counter: transactions of all blocks since the start. */
  totalTxs: 'sequencer_total_txs',
  /** Gauge: bytes of the transactions of the last block. */
  blockSize: 'sequencer_block_size_bytes',
  /** Histogram: transactions of a block. */
  txsPerBlock: 'sequencer_txs_per_block',
  /** Gauge: 1 while production pauses because too many blocks wait for DA. */
  paused: 'sequencer_production_paused',
} as const
