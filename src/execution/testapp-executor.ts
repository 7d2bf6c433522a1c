import { Buffer } from 'node:buffer'
import type { Kv } from '../core/kv.ts'
import { concatenation } from './concatenation.ts'
import { createEntryExecutor, type EntryExecutor, type EntryExecutorOptions } from './entry-executor.ts'
import { allEntries } from './entry-store.ts'
import { keyValueRules } from './key-value-rules.ts'

/**
 * Makes the application that the Go testapp runs, with the same state roots: a transaction `key=value` of a height
 * writes the entry `/height/<height>/<key>`, a cleaned path, and the root is all entries written down; see
 * {@link concatenation}. For chains of that application, not for new ones: the root grows with the state.
 * `get` answers with the value of the highest height. The root before the first block is empty.
 * Source: ev-node v1.2.3 apps/testapp/kv.
 */
export function createTestappExecutor(
  { kv }: { readonly kv: Kv },
  options: EntryExecutorOptions = {},
): EntryExecutor {
  return createEntryExecutor(
    kv,
    { name: 'testapp', ...keyValueRules(testappKey), commitment: concatenation, lookup },
    options,
  )
}

/** Key of the entry that a transaction of a height writes: `.` and `..` in the transaction's key count as in paths. */
export function testappKey(height: number, key: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.from(`/height${cleanPath(`${height}/${latin1(key)}`)}`, 'latin1'))
}

/** One character per byte, so that bytes that are no UTF-8 pass unchanged. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** The shortest form of a path seen from the root; nothing for the root itself. */
function cleanPath(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.map((part) => `/${part}`).join('')
}

async function lookup(kv: Kv, key: Uint8Array): Promise<Uint8Array | undefined> {
  let found: { readonly height: bigint; readonly value: Uint8Array } | undefined
  for await (const [path, value] of allEntries(kv)) {
    const [, digits, rest] = /^\/height\/(\d+)[^/]*\/(.*)$/s.exec(latin1(path)) ?? []
    if (digits === undefined || rest !== latin1(key)) continue
    const height = BigInt(digits)
    if (found === undefined || height > found.height) found = { height, value }
  }
  return found?.value
}
