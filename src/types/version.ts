import type { CanonicalReader } from '../util/canonical-reader.ts'
import { WireReader, WireType, type WireWriter } from '../util/wire.ts'
import { fieldTypes, readFields } from './wire-fields.ts'

/** Protocol versions a header was made under. */
export interface Version {
  readonly block: bigint
  readonly app: bigint
}

const FIELDS = fieldTypes('vv')

/** Bytes of a field with a one-byte tag; none when it is 0. */
function uintLength(value: bigint): number {
  if (value === 0n) return 0
  return value < 128n ? 2 : 1 + Math.ceil(value.toString(2).length / 7)
}

/** Writes the field `number` of a message: its versions, also when they are all 0. Source: evnode.v1 Version. */
export function writeVersion(writer: WireWriter, number: number, { block, app }: Version): WireWriter {
  return writer
    .varint(number * 8 + WireType.Bytes)
    .varint(uintLength(block) + uintLength(app))
    .uint64(1, block)
    .uint64(2, app)
}

/** Reads versions over what an earlier version field of the same message said. Throws `DECODE_FAILED`. */
export function readVersion(bytes: Uint8Array, draft: { block: bigint; app: bigint }): void {
  readFields(new WireReader(bytes), FIELDS, (field, reader) => {
    if (field.number === 1) draft.block = reader.varint64()
    else draft.app = reader.varint64()
  })
}

/** Reads what {@link writeVersion} writes. */
export function readCanonicalVersion(reader: CanonicalReader, number: number): Version {
  const around = reader.enter(number)
  const version = { block: reader.uint64(1), app: reader.uint64(2) }
  reader.leave(around)
  return version
}
