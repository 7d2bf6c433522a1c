import { createHash, hash } from 'node:crypto'
import { sha256 } from '#crypto'
import { concatBytes, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import type { Commitment, CommitmentKind, EntryChange } from './commitment.ts'

/** Numbers of 16 bits in the sum. */
const LANES = 1_024

const ENTRY_DOMAIN = utf8('evolve-kv-entry-v1\0')
const ROOT_DOMAIN = utf8('evolve-kv-root-v1\0')

/**
 * Commits to entries by LtHash with 1,024 sums of 16 bits: every entry is expanded to 1,024 numbers by SHAKE-256
 * and the vectors of all entries are added up, each place modulo 2^16. A changed entry costs two expansions, its
 * old vector subtracted and its new one added, however large the state is; the sum does not depend on the order or
 * the history of changes. The root is SHA-256 of the sum (32 bytes).
 *
 * Why nobody finds two states with one root, SHA-256 collisions aside: the difference of two such states would be
 * a combination of expanded entries with coefficients -1, 0 and 1 that sums to zero modulo 2^16 in all places. With
 * SHAKE-256 as random oracle that is a short vector in a random q-ary lattice (the SIS problem) of dimension 1,024,
 * for which the source estimates over 200 bits of security. Coefficients stay that small because a key has one
 * value at a time, so that no entry counts twice. Key and value are told apart by the key's length in front.
 *
 * Sources: Bellare and Micciancio, "A New Paradigm for Collision-free Hashing", EUROCRYPT 1997; Lewi, Kim, Maykov,
 * Weis, "Securing Update Propagation with Homomorphic Hashing", IACR ePrint 2019/227 (parameters: LtHash16).
 */
export const multisetHash: CommitmentKind = {
  empty: commitTo(new Uint16Array(LANES)),
  async load(record) {
    if (record === undefined) return multisetHash.empty
    if (record.length === LANES * 2) return commitTo(readLanes(record))
    throw new EvolveError(
      'STORE_CORRUPT',
      `the sum of the executor's entries must have ${LANES * 2} bytes, found ${record.length}`,
      { verdict: 'halt' },
    )
  },
}

function commitTo(lanes: Uint16Array): Commitment {
  const record = writeLanes(lanes)
  const own: Commitment = {
    record,
    root: sha256(concatBytes(ROOT_DOMAIN, record)),
    after: (changes) => (changes.length === 0 ? own : commitTo(changed(lanes, changes))),
  }
  return own
}

function changed(lanes: Uint16Array, changes: readonly EntryChange[]): Uint16Array {
  const sum = lanes.slice()
  for (const { key, before, after } of changes) {
    if (before !== undefined) subtract(sum, expand(key, before))
    if (after !== undefined) add(sum, expand(key, after))
  }
  return sum
}

function add(sum: Uint16Array, vector: string): void {
  for (let i = 0; i < LANES; i++) sum[i] = (sum[i] ?? 0) + vector.charCodeAt(i)
}

function subtract(sum: Uint16Array, vector: string): void {
  for (let i = 0; i < LANES; i++) sum[i] = (sum[i] ?? 0) - vector.charCodeAt(i)
}

/** What is expanded: one for all, since allocating it would cost more than filling it. */
let message = new Uint8Array(4_096)
message.set(ENTRY_DOMAIN)

/**
 * The numbers of an entry as the characters of a string, each from two bytes, little endian on every machine. A string
 * comes out of the hash faster than bytes do.
 */
function expand(key: Uint8Array, value: Uint8Array): string {
  const keyAt = ENTRY_DOMAIN.length + 4
  const length = keyAt + key.length + value.length
  if (length > message.length) {
    message = new Uint8Array(length * 2)
    message.set(ENTRY_DOMAIN)
  }
  for (let i = 0; i < 4; i++) message[ENTRY_DOMAIN.length + i] = key.length >>> (8 * (3 - i))
  message.set(key, keyAt)
  message.set(value, keyAt + key.length)
  return shake256(message.subarray(0, length))
}

const AT_ONCE = { outputLength: LANES * 2, outputEncoding: 'utf16le' }
const shake256 = hasLongHash() ? shake256AtOnce : shake256InSteps

/** Older runtimes have no hashes of any length in one call. */
function hasLongHash(): boolean {
  try {
    return shake256AtOnce(ENTRY_DOMAIN).length === LANES
  } catch {
    return false
  }
}

function shake256AtOnce(bytes: Uint8Array): string {
  // By its types it does not know of this encoding.
  const digest: string = Reflect.apply(hash, undefined, ['shake256', bytes, AT_ONCE])
  return digest
}

function shake256InSteps(bytes: Uint8Array): string {
  return createHash('shake256', { outputLength: LANES * 2 })
    .update(bytes)
    .digest()
    .toString('utf16le')
}

/** Little endian on every machine, so that all find the same root. */
function readLanes(bytes: Uint8Array): Uint16Array {
  const lanes = new Uint16Array(LANES)
  for (let i = 0; i < LANES; i++) lanes[i] = (bytes[2 * i] ?? 0) | ((bytes[2 * i + 1] ?? 0) << 8)
  return lanes
}

function writeLanes(lanes: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(LANES * 2)
  for (let i = 0; i < LANES; i++) {
    const lane = lanes[i] ?? 0
    bytes[2 * i] = lane & 0xff
    bytes[2 * i + 1] = lane >> 8
  }
  return bytes
}
