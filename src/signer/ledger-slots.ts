/*
 * The bytes of a signing ledger: two slots, written in turn, each in a disk block of its own.
 *
 *   offset  bytes
 *        0      8  magic
 *        8      4  version of the format
 *       12      4  zero
 *       16     32  address of the key
 *       48      8  sequence number: the slot with the higher one is the newer
 *       56      8  height; 0: nothing was signed yet
 *       64     32  hash of the header at that height
 *       96     32  SHA-256 of what stands before it
 *
 * Numbers are big endian. A write that is torn by a power cut destroys at most the slot it was for; the other still
 * tells what was signed last, because what was torn had not been reserved yet.
 */
import { sha256 } from '#crypto'
import type { LedgerEntry } from '../core/signer.ts'
import { concatBytes, equalBytes, toHex, uint64BigEndian, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'

const MAGIC = utf8('evsigned')
const VERSION = 1
const HASH_BYTES = 32
const CHECKED_BYTES = 96

/** Bytes of a slot. */
export const SLOT_BYTES = 128
/** Bytes from the start of a slot to that of the next: a block of any disk. */
export const SLOT_STRIDE = 4096
const SLOTS = 2
/** Bytes of a ledger, always. */
export const LEDGER_BYTES: number = SLOTS * SLOT_STRIDE

/** What a slot says. */
export interface Slot {
  /** Address of the key, 32 bytes. */
  readonly address: Uint8Array
  readonly sequence: number
  /** Undefined: nothing was signed yet. */
  readonly entry: LedgerEntry | undefined
}

/** What a whole ledger says. */
export interface LedgerState extends Slot {
  /** Which slot said it, 0 or 1; the next write goes to the other. */
  readonly index: number
  /** Whether the other slot is damaged, as a torn write leaves it. */
  readonly torn: boolean
}

/** Offset of a slot in the ledger. */
export function offsetOf(index: number): number {
  return index * SLOT_STRIDE
}

/** The slot that is not this one. */
export function otherSlot(index: number): number {
  return SLOTS - 1 - index
}

/** Bytes of a slot. Addresses and hashes are 32 bytes. */
export function encodeSlot({ address, sequence, entry }: Slot): Uint8Array {
  const front = new Uint8Array(16)
  front.set(MAGIC)
  new DataView(front.buffer).setUint32(MAGIC.length, VERSION)
  const checked = concatBytes(
    front,
    address,
    uint64BigEndian(sequence),
    uint64BigEndian(entry?.height ?? 0),
    entry?.hash ?? new Uint8Array(HASH_BYTES),
  )
  return concatBytes(checked, sha256(checked))
}

/** The slot in `bytes`, a format version newer than ours, or undefined for a damaged slot. */
function decodeSlot(bytes: Uint8Array): Slot | number | undefined {
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const version = view.getUint32(MAGIC.length)
  // Looked at before the checksum, whose place another version may have changed.
  if (version > VERSION) return version
  if (version < VERSION) return undefined
  if (!equalBytes(sha256(bytes.subarray(0, CHECKED_BYTES)), bytes.subarray(CHECKED_BYTES, SLOT_BYTES)))
    return undefined
  const height = Number(view.getBigUint64(56))
  return {
    address: new Uint8Array(bytes.subarray(16, 48)),
    sequence: Number(view.getBigUint64(48)),
    entry: height === 0 ? undefined : { height, hash: new Uint8Array(bytes.subarray(64, CHECKED_BYTES)) },
  }
}

/** Bytes of the ledger of a key that has signed nothing. */
export function newLedger(address: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LEDGER_BYTES)
  for (let index = 0; index < SLOTS; index++) {
    bytes.set(encodeSlot({ address, sequence: index, entry: undefined }), offsetOf(index))
  }
  return bytes
}

function corrupt(path: string, what: string): EvolveError {
  return new EvolveError(
    'LEDGER_CORRUPT',
    `the signing ledger ${path} ${what}. It keeps heights from being signed twice, so nothing is signed without it.` +
      ' Put back a copy made after the last block that was signed; if there is none, make sure that no other node' +
      ' uses this key, that this node has synced all blocks its peers and DA know, and only then remove the file',
    { data: { path }, verdict: 'halt' },
  )
}

/**
 * What the bytes of a ledger say; `path` is for messages. Throws `LEDGER_CORRUPT` (halt) when they are not those of a
 * ledger, or both slots are damaged.
 */
export function decodeLedger(bytes: Uint8Array, path: string): LedgerState {
  if (bytes.length !== LEDGER_BYTES) {
    throw corrupt(path, `must have ${LEDGER_BYTES} bytes and has ${bytes.length}`)
  }
  let newest: LedgerState | undefined
  let damaged = 0
  for (let index = 0; index < SLOTS; index++) {
    const slot = decodeSlot(bytes.subarray(offsetOf(index), offsetOf(index) + SLOT_BYTES))
    if (typeof slot === 'number') {
      throw corrupt(path, `has format version ${slot}, this program knows version ${VERSION}`)
    }
    if (slot === undefined) damaged++
    else if (newest === undefined || slot.sequence > newest.sequence) newest = { ...slot, index, torn: false }
  }
  if (newest === undefined) throw corrupt(path, 'is damaged in both its places')
  return { ...newest, torn: damaged > 0 }
}

/** Throws `LEDGER_OF_OTHER_KEY` (halt) unless the ledger is that of `address`. */
export function requireAddress(state: LedgerState, address: Uint8Array, path: string): void {
  if (equalBytes(state.address, address)) return
  const [found, expected] = [toHex(state.address), toHex(address)]
  throw new EvolveError(
    'LEDGER_OF_OTHER_KEY',
    `the signing ledger ${path} is that of the key with address ${found}, but the signer has ${expected}.` +
      ' Put the ledger that belongs to the signer in its place, or move it away if this key has never signed a block',
    { data: { path, found, expected }, verdict: 'halt' },
  )
}
