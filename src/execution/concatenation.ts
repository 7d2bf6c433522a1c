import { compareBytes, concatBytes, utf8 } from '../util/bytes.ts'
import type { Commitment, CommitmentKind, EntryChange } from './commitment.ts'

interface Segment {
  readonly key: Uint8Array
  /** `key:value;` */
  readonly bytes: Uint8Array
}

const COLON = utf8(':')
const SEMICOLON = utf8(';')

/**
 * Commits to entries by writing them all down: `key:value;` in byte order of the keys, not hashed. The root grows
 * with the state; it is put together again only when an entry changes.
 * Source: ev-node v1.2.3 apps/testapp/kv.
 */
export const concatenation: CommitmentKind = {
  empty: commitTo([]),
  async load(_record, entries) {
    const segments: Segment[] = []
    for await (const [key, value] of entries) segments.push(segment(key, value))
    return commitTo(segments)
  },
}

function commitTo(segments: readonly Segment[]): Commitment {
  const own: Commitment = {
    record: undefined,
    root: joined(segments),
    after: (changes) => (changes.length === 0 ? own : commitTo(changed(segments, changes))),
  }
  return own
}

function joined(segments: readonly Segment[]): Uint8Array {
  let length = 0
  for (const { bytes } of segments) length += bytes.length
  const out = new Uint8Array(length)
  let offset = 0
  for (const { bytes } of segments) {
    out.set(bytes, offset)
    offset += bytes.length
  }
  return out
}

function segment(key: Uint8Array, value: Uint8Array): Segment {
  return { key, bytes: concatBytes(key, COLON, value, SEMICOLON) }
}

/** Merges the changes, in order of their keys, into the segments. */
function changed(segments: readonly Segment[], changes: readonly EntryChange[]): Segment[] {
  const merged: Segment[] = []
  let next = 0
  for (const { key, after } of changes.toSorted((a, b) => compareBytes(a.key, b.key))) {
    for (let own = segments[next]; own !== undefined; own = segments[next]) {
      const order = compareBytes(own.key, key)
      if (order > 0) break
      next++
      if (order < 0) merged.push(own)
    }
    if (after !== undefined) merged.push(segment(key, after))
  }
  for (const own of segments.slice(next)) merged.push(own)
  return merged
}
