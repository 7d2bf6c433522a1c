/*
 * Protocol Buffers wire format, by hand: our hashes are over canonical bytes, so we decide every one of them.
 * Source: protobuf.dev/programming-guides/encoding
 */
import { EvolveError } from './errors.ts'
import { copyBytes, fromUtf8, plainView, utf8 } from './bytes.ts'

/** Wire types that this format uses. */
export const WireType = { Varint: 0, Fixed64: 1, Bytes: 2, Fixed32: 5 } as const

/** Strings up to this length are tried as ASCII before the text encoder is called for them. */
const MAX_PLAIN = 64

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

function malformed(what: string): EvolveError {
  return new EvolveError('DECODE_FAILED', `malformed protobuf: ${what}`, { verdict: 'reject' })
}

/** Number of bytes of the varint of a safe non-negative integer. */
export function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length++
  return length
}

/** Most memory that a writer keeps for its next message. */
const MAX_KEPT_BYTES = 131_072

/** A protobuf message under construction; fields are written in the order of the calls. */
export class WireWriter {
  #bytes: Uint8Array
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
  }

  /** What was written so far, as a copy of its own. */
  finish(): Uint8Array {
    return copyBytes(this.#bytes, 0, this.#length)
  }

  /** What was written so far, without a copy: good until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Forgets what was written, to write the next message into the same memory. */
  reset(): this {
    this.#length = 0
    if (this.#bytes.length > MAX_KEPT_BYTES) this.#bytes = new Uint8Array(MAX_KEPT_BYTES)
    return this
  }

  #grow(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }

  /** A bare varint of a safe non-negative integer. */
  varint(value: number): this {
    this.#grow(10)
    let rest = value
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#length++] = rest
    return this
  }

  /** A bare varint of a 64-bit unsigned integer. */
  varint64(value: bigint): this {
    const whole = BigInt.asUintN(64, value)
    if (whole <= MAX_SAFE) return this.varint(Number(whole))
    this.#grow(10)
    // Seven groups of seven bits as a number, the rest as another: bigint steps cost ten times as much.
    let low = Number(BigInt.asUintN(49, whole))
    for (let i = 0; i < 7; i++) {
      this.#bytes[this.#length++] = (low % 128) | 0x80
      low = Math.floor(low / 128)
    }
    return this.varint(Number(whole >> 49n))
  }

  /** Bytes as they are, without tag or length. */
  raw(bytes: Uint8Array): this {
    this.#grow(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /** A uint64 field that is left out when zero. */
  uint(field: number, value: number): this {
    return value === 0 ? this : this.presentUint(field, value)
  }

  /** A uint64 field that is written also when zero (explicit presence). */
  presentUint(field: number, value: number): this {
    return this.varint(field * 8 + WireType.Varint).varint(value)
  }

  /** A 64-bit unsigned field that is left out when zero. */
  uint64(field: number, value: bigint): this {
    return value === 0n ? this : this.presentUint64(field, value)
  }

  /** A 64-bit unsigned field that is written also when zero. */
  presentUint64(field: number, value: bigint): this {
    return this.varint(field * 8 + WireType.Varint).varint64(value)
  }

  /** A bytes field that is left out when empty. */
  bytes(field: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.presentBytes(field, value)
  }

  /** A bytes or message field that is written also when empty (repeated fields, sub-messages). */
  presentBytes(field: number, value: Uint8Array): this {
    return this.varint(field * 8 + WireType.Bytes)
      .varint(value.length)
      .raw(value)
  }

  /** A string field that is left out when empty. */
  string(field: number, value: string): this {
    if (value === '') return this
    const start = this.#length
    if (value.length > MAX_PLAIN) return this.presentBytes(field, utf8(value))
    this.varint(field * 8 + WireType.Bytes).varint(value.length)
    this.#grow(value.length)
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) {
        this.#length = start
        return this.presentBytes(field, utf8(value))
      }
      this.#bytes[this.#length++] = code
    }
    return this
  }
}

/** One field met by {@link WireReader.next}. */
export interface WireField {
  readonly number: number
  readonly type: number
}

/**
 * Reads a protobuf message field by field. Every read is checked: bytes that are not a message end in a typed
 * error `DECODE_FAILED`, never in a wrong value. Byte results are views of the input, not copies.
 */
export class WireReader {
  readonly #bytes: Uint8Array
  #offset: number
  readonly #end: number

  constructor(bytes: Uint8Array) {
    this.#bytes = plainView(bytes)
    this.#offset = 0
    this.#end = bytes.length
  }

  /** How many bytes were read. */
  get offset(): number {
    return this.#offset
  }

  /** The next field's number and type, or undefined at the end. Its value must be read or skipped next. */
  next(): WireField | undefined {
    if (this.#offset === this.#end) return undefined
    const tag = this.#varint()
    const number = Math.floor(tag / 8)
    if (number === 0 || number > 0x1fff_ffff) throw malformed(`field number ${number}`)
    return { number, type: tag % 8 }
  }

  /** A varint of up to 64 bits. */
  varint64(): bigint {
    let low = 0
    let shift = 1
    for (let i = 0; i < 7; i++) {
      const byte = this.#byte()
      low += (byte & 0x7f) * shift
      if (byte < 0x80) return BigInt(low)
      shift *= 128
    }
    return BigInt(low) | (BigInt(this.#highBits()) << 49n)
  }

  /** A varint as a number: exact up to 2^53, and above that for values over it. */
  #varint(): number {
    let value = 0
    let shift = 1
    for (let i = 0; i < 7; i++) {
      const byte = this.#byte()
      value += (byte & 0x7f) * shift
      if (byte < 0x80) return value
      shift *= 128
    }
    return value + this.#highBits() * shift
  }

  /** Bits 49 to 63 of a varint: its eighth, ninth and tenth byte. */
  #highBits(): number {
    const eighth = this.#byte()
    if (eighth < 0x80) return eighth
    const ninth = this.#byte()
    const both = (eighth & 0x7f) + (ninth & 0x7f) * 128
    if (ninth < 0x80) return both
    const tenth = this.#byte()
    if (tenth > 1) throw malformed('varint of more than 64 bits')
    return both + tenth * 16384
  }

  #byte(): number {
    const byte = this.#offset < this.#end ? this.#bytes[this.#offset] : undefined
    if (byte === undefined) throw malformed('it ends inside a varint')
    this.#offset++
    return byte
  }

  /** The value of a uint64 field that must fit a safe integer, as heights do. */
  uint(field: WireField, name: string): number {
    this.#expect(field, WireType.Varint, name)
    const value = this.#varint()
    if (value > Number.MAX_SAFE_INTEGER) throw malformed(`${name} ${value} is over 2^53-1`)
    return value
  }

  /** The value of a 64-bit unsigned field. */
  uint64(field: WireField, name: string): bigint {
    this.#expect(field, WireType.Varint, name)
    return this.varint64()
  }

  /** The value of a bytes or message field: a view of the input. */
  bytes(field: WireField, name: string): Uint8Array {
    this.#expect(field, WireType.Bytes, name)
    return this.#delimited(name)
  }

  /** The value of a bytes field that is kept for long: a copy, which does not keep the message in memory. */
  copiedBytes(field: WireField, name: string): Uint8Array {
    this.#expect(field, WireType.Bytes, name)
    const start = this.#passDelimited(name)
    return this.#bytes.slice(start, this.#offset)
  }

  /** The value of a string field. */
  string(field: WireField, name: string): string {
    const text = fromUtf8(this.bytes(field, name))
    if (text === undefined) throw malformed(`${name} is not UTF-8`)
    return text
  }

  /** Passes over the value of a field nobody asked for. */
  skip(field: WireField): void {
    switch (field.type) {
      case WireType.Varint:
        this.#varint()
        return
      case WireType.Fixed64:
        this.#advance(8)
        return
      case WireType.Bytes:
        this.#passDelimited(`field ${field.number}`)
        return
      case WireType.Fixed32:
        this.#advance(4)
        return
      default:
        throw malformed(`wire type ${field.type} of field ${field.number}`)
    }
  }

  #expect(field: WireField, type: number, name: string): void {
    if (field.type !== type) throw malformed(`${name} has wire type ${field.type}, expected ${type}`)
  }

  #advance(count: number): void {
    if (count > this.#end - this.#offset) throw malformed('it ends inside a field')
    this.#offset += count
  }

  #delimited(name: string): Uint8Array {
    const start = this.#passDelimited(name)
    return this.#bytes.subarray(start, this.#offset)
  }

  /** Goes past a length and that many bytes; returns where the bytes begin. */
  #passDelimited(name: string): number {
    const length = this.#varint()
    if (length > this.#end - this.#offset) throw malformed(`${name} is longer than the message`)
    const start = this.#offset
    this.#offset += length
    return start
  }
}
