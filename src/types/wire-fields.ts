import { EvolveError } from '../util/errors.ts'
import { type WireField, type WireReader, WireType } from '../util/wire.ts'

/** Wire type of each known field of a message, by field number. */
export type FieldTypes = readonly (number | undefined)[]

const { Varint, Bytes } = WireType

/** Shorthand for {@link FieldTypes}: `v` varint, `b` bytes, string or message, `-` no such field; from number 1. */
export function fieldTypes(letters: string): FieldTypes {
  const known: Readonly<Record<string, number>> = { v: Varint, b: Bytes }
  return [undefined, ...Array.from(letters, (one) => known[one])]
}

/**
 * Reads a message: calls `read` for each field of the table, in the order of the bytes, and passes over the others,
 * among them known numbers with another wire type. Returns the number of bytes passed over. So the rules of
 * protobuf hold: the last of repeated scalars wins, sub-messages that come twice are merged, unknown fields are
 * dropped. Groups, long gone from protobuf, are refused.
 */
export function readFields(
  reader: WireReader,
  types: FieldTypes,
  read: (field: WireField, reader: WireReader) => void,
): number {
  let dropped = 0
  for (;;) {
    const start = reader.offset
    const field = reader.next()
    if (field === undefined) return dropped
    if (types[field.number] === field.type) {
      read(field, reader)
    } else {
      reader.skip(field)
      dropped += reader.offset - start
    }
  }
}

/** An error for bytes that are protobuf, but not the message they should be. */
export function decodeError(message: string, data: Readonly<Record<string, unknown>> = {}): EvolveError {
  return new EvolveError('DECODE_FAILED', message, { verdict: 'reject', data })
}

/** Latest time in unix nanoseconds. */
export const MAX_TIME: bigint = 2n ** 63n - 1n

/** The value of a time field: unix nanoseconds below 2^63. */
export function readTime(reader: WireReader, field: WireField, name: string): bigint {
  const time = reader.uint64(field, name)
  if (time > MAX_TIME) throw decodeError(`${name} ${time} is over 2^63-1 nanoseconds`)
  return time
}
