/*
 * The state as it lies in stores. Source: evnode.v1 State, google.protobuf.Timestamp.
 */
import { EMPTY_BYTES } from '../util/bytes.ts'
import { WireReader, WireWriter } from '../util/wire.ts'
import type { State } from './state.ts'
import { readVersion, writeVersion } from './version.ts'
import { decodeError, fieldTypes, MAX_TIME, readFields } from './wire-fields.ts'

const STATE = fieldTypes('bbvvbv-bbb')
const TIMESTAMP = fieldTypes('vv')
const SECOND = 1_000_000_000n

const scratch = new WireWriter(512)
const timeScratch = new WireWriter(24)

/** Canonical protobuf of a state. */
export function encodeState(state: State): Uint8Array {
  const time = timeScratch
    .reset()
    .uint64(1, state.lastBlockTime / SECOND)
    .uint64(2, state.lastBlockTime % SECOND)
    .view()
  return writeVersion(scratch.reset(), 1, state.version)
    .string(2, state.chainId)
    .uint(3, state.initialHeight)
    .uint(4, state.lastBlockHeight)
    .presentBytes(5, time)
    .uint(6, state.daHeight)
    .bytes(8, state.appHash)
    .bytes(9, state.lastHeaderHash)
    .bytes(10, state.nextProposerAddress)
    .finish()
}

interface Timestamp {
  seconds: bigint
  nanos: bigint
}

function readTimestamp(bytes: Uint8Array, draft: Timestamp): void {
  readFields(new WireReader(bytes), TIMESTAMP, (field, reader) => {
    if (field.number === 1) draft.seconds = BigInt.asIntN(64, reader.varint64())
    else draft.nanos = BigInt.asIntN(32, reader.varint64())
  })
}

function nanoseconds({ seconds, nanos }: Timestamp): bigint {
  const time = seconds * SECOND + nanos
  if (nanos < 0n || nanos >= SECOND || time < 0n || time > MAX_TIME) {
    throw decodeError(`last_block_time ${seconds} s ${nanos} ns is not within 1970 and 2262`)
  }
  return time
}

/** A state from its protobuf. Throws `DECODE_FAILED`. */
export function decodeState(bytes: Uint8Array): State {
  const version = { block: 0n, app: 0n }
  const time: Timestamp = { seconds: 0n, nanos: 0n }
  const state = {
    chainId: '',
    initialHeight: 0,
    lastBlockHeight: 0,
    daHeight: 0,
    appHash: EMPTY_BYTES,
    lastHeaderHash: EMPTY_BYTES,
    nextProposerAddress: EMPTY_BYTES,
  }
  readFields(new WireReader(bytes), STATE, (field, reader) => {
    switch (field.number) {
      case 1:
        readVersion(reader.bytes(field, 'version'), version)
        return
      case 2:
        state.chainId = reader.string(field, 'chain_id')
        return
      case 3:
        state.initialHeight = reader.uint(field, 'initial_height')
        return
      case 4:
        state.lastBlockHeight = reader.uint(field, 'last_block_height')
        return
      case 5:
        readTimestamp(reader.bytes(field, 'last_block_time'), time)
        return
      case 6:
        state.daHeight = reader.uint(field, 'da_height')
        return
      case 8:
        state.appHash = reader.copiedBytes(field, 'app_hash')
        return
      case 9:
        state.lastHeaderHash = reader.copiedBytes(field, 'last_header_hash')
        return
      default:
        state.nextProposerAddress = reader.copiedBytes(field, 'next_proposer_address')
    }
  })
  return { ...state, version, lastBlockTime: nanoseconds(time) }
}
