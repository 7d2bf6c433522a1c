import type { Block } from '../core/block-store.ts'
import { dataMemory } from '../types/data.ts'

/** What a header with its signature takes in memory, roughly. */
const HEADER_BYTES = 1_024

/** About how many bytes a block takes in memory. For bounds, not for accounts. */
export function blockBytes(block: Block): number {
  return HEADER_BYTES + dataMemory(block.data)
}
