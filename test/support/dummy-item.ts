import { sha256 } from '#crypto'
import type { ItemKind } from '../../src/core/header.ts'
import { equalBytes, fromHex, fromUtf8, toHex, utf8 } from '../../src/util/bytes.ts'
import { EvolveError } from '../../src/util/errors.ts'

/** The smallest thing that header synchronisation can carry: an item with a link to the one below. */
export interface DummyItem {
  readonly chainId: string
  readonly height: number
  /** Unix nanoseconds. */
  readonly time: bigint
  /** Hash of the item below as hex; empty at the first. */
  readonly previous: string
  /** Tells chains apart, or makes items large. */
  readonly payload: string
  /** Whether the item's own "signature" is good. */
  readonly signed: boolean
}

/** How {@link makeDummies} makes its chain. */
export interface DummyOptions {
  readonly chainId?: string
  readonly from?: number
  readonly startTime?: bigint
  readonly payload?: string
}

function encode(item: DummyItem): Uint8Array {
  return utf8(JSON.stringify({ ...item, time: String(item.time) }))
}

function malformed(what: string): EvolveError {
  return new EvolveError('DECODE_FAILED', `no dummy item: ${what}`, { verdict: 'reject' })
}

function decode(bytes: Uint8Array): DummyItem {
  let value: unknown
  try {
    value = JSON.parse(fromUtf8(bytes) ?? '')
  } catch (cause) {
    throw new EvolveError('DECODE_FAILED', 'no dummy item: not JSON', { verdict: 'reject', cause })
  }
  if (typeof value !== 'object' || value === null) throw malformed('not an object')
  const { chainId, height, time, previous, payload, signed } = { ...value } as Partial<
    Record<string, unknown>
  >
  if (typeof chainId !== 'string' || typeof height !== 'number' || typeof time !== 'string')
    throw malformed('a field is missing')
  if (typeof previous !== 'string' || fromHex(previous) === undefined) throw malformed('previous')
  if (typeof payload !== 'string' || typeof signed !== 'boolean') throw malformed('payload or signed')
  if (!Number.isSafeInteger(height) || height < 1) throw malformed(`height ${height}`)
  return { chainId, height, time: BigInt(time), previous, payload, signed }
}

/** {@link ItemKind} of dummies: JSON bytes, SHA-256 of them as hash. */
export const dummyKind: ItemKind<DummyItem> = {
  name: 'dummySync',
  chainId: (item) => item.chainId,
  height: (item) => item.height,
  time: (item) => item.time,
  hash: (item) => sha256(encode(item)),
  encode,
  decode,
  validate(item) {
    if (!item.signed)
      throw new EvolveError('INVALID_SIGNATURE', `dummy ${item.height} is not signed`, { verdict: 'reject' })
  },
  verifyAdjacent(trusted, untrusted) {
    const hash = dummyKind.hash(trusted)
    if (!equalBytes(hash, fromHex(untrusted.previous) ?? hash.subarray(1)))
      throw new EvolveError('LAST_HEADER_HASH_MISMATCH', `dummy ${untrusted.height} links elsewhere`, {
        verdict: 'reject',
      })
  },
}

/** A linked chain of `count` dummies, one second apart, from height `from` (1) on. */
export function makeDummies(count: number, options: DummyOptions = {}): DummyItem[] {
  const { chainId = 'dummy', from = 1, startTime = 1_700_000_000_000_000_000n, payload = '' } = options
  const items: DummyItem[] = []
  let previous = ''
  for (let height = from; height < from + count; height++) {
    const item: DummyItem = {
      chainId,
      height,
      time: startTime + BigInt(height - from) * 1_000_000_000n,
      previous,
      payload,
      signed: true,
    }
    items.push(item)
    previous = toHex(dummyKind.hash(item))
  }
  return items
}
