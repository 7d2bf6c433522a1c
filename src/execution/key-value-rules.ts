import { EMPTY_BYTES, toHex } from '../util/bytes.ts'
import type { EntryRules, EntryWrite } from './entry-executor.ts'
import { parseTransaction } from './transaction.ts'

/**
 * The rules of transactions `key=value`: each writes the entry that `keyOf` says for its height and key, the last one
 * of an entry counts, and what is not `key=value` is skipped.
 */
export function keyValueRules(
  keyOf: (height: number, key: Uint8Array) => Uint8Array,
): Pick<EntryRules, 'problemOf' | 'run'> {
  return {
    problemOf: (tx) =>
      parseTransaction(tx) === undefined
        ? `a transaction must be key=value, got ${tx.length} bytes`
        : undefined,
    run({ txs, height }) {
      const written = new Map<string, EntryWrite>()
      let effective = 0
      for (const tx of txs) {
        const pair = parseTransaction(tx)
        if (pair === undefined) continue
        effective++
        const key = keyOf(height, pair.key)
        written.set(toHex(key), { key, value: pair.value })
      }
      return { writes: [...written.values()], effective, nextProposerAddress: EMPTY_BYTES }
    },
  }
}
