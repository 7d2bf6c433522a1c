import type { Block } from '../core/block-store.ts'

/** What a header, its signature and the metadata of data take, roughly. */
const FIXED_BYTES = 1_024

/** About how many bytes a block takes in memory. For bounds, not for accounts. */
export function blockBytes(block: Block): number {
  let bytes = FIXED_BYTES
  for (const tx of block.data.txs) bytes += tx.length + 64
  return bytes
}
