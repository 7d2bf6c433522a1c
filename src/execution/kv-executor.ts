import type { Kv } from '../core/kv.ts'
import { createEntryExecutor, type EntryExecutor, type EntryExecutorOptions } from './entry-executor.ts'
import { readEntries } from './entry-store.ts'
import { keyValueRules } from './key-value-rules.ts'
import { multisetHash } from './multiset-hash.ts'

/**
 * Makes the default application: transactions `key=value` set a key, the last one counts; malformed ones are
 * skipped, no key is reserved, and an empty value is a value like others. The state root (32 bytes) commits to keys
 * and values alone, whatever blocks brought them; see {@link multisetHash}.
 */
export function createKvExecutor(
  { kv }: { readonly kv: Kv },
  options: EntryExecutorOptions = {},
): EntryExecutor {
  return createEntryExecutor(
    kv,
    {
      name: 'kv',
      ...keyValueRules((_height, key) => key),
      commitment: multisetHash,
      async lookup(from, key) {
        const [value] = await readEntries(from, [key])
        return value
      },
    },
    options,
  )
}
