/*
 * Reads protobuf that is in the one form in which it is written here. Most messages are, and reading them so is
 * faster than reading any; besides, what was read so need not be written again to know its canonical bytes.
 */
import { EMPTY_BYTES, equalBytes, fromUtf8, plainView } from './bytes.ts'
import { WireType } from './wire.ts'

/** Highest place of a varint's byte by which it still is below 2^49. */
const LOW_PLACES = 7

/** Longest text that is kept to be given again. */
const MAX_KEPT_TEXT = 64

/** The text that was read last: in most messages it is the id of the same chain. */
let lastText = ''
let lastBytes: Uint8Array = EMPTY_BYTES
const word = new DataView(new ArrayBuffer(8))

/**
 * The mirror of `WireWriter`: calls in the order in which a message is written give what was written, `0`, `0n`, '' or
 * no bytes for what was left out. Bytes in any other form, also where they mean the same, make {@link complete} false:
 * then what was given means nothing, and the message must be read field by field. Never throws. Field numbers are
 * below 16.
 */
export class CanonicalReader {
  readonly #bytes: Uint8Array
  #offset = 0
  #end: number
  #good = true

  constructor(bytes: Uint8Array) {
    this.#bytes = plainView(bytes)
    this.#end = bytes.length
  }

  /** How many bytes were read. */
  get offset(): number {
    return this.#offset
  }

  /** Whether everything was read, and was canonical. */
  get complete(): boolean {
    return this.#good && this.#offset === this.#end
  }

  /** Whether the next field is this one: goes past its tag then. */
  #at(field: number, type: number): boolean {
    const here = this.#good && this.#offset < this.#end && this.#bytes[this.#offset] === field * 8 + type
    if (here) this.#offset++
    return here
  }

  #fail(): 0 {
    this.#good = false
    return 0
  }

  /** The low 49 bits of a varint; it goes on when the byte before the offset then says so. */
  #low(): number {
    const bytes = this.#bytes
    let at = this.#offset
    let value = 0
    let scale = 1
    for (let place = 0; place < LOW_PLACES; place++) {
      const byte = bytes[at++]
      // One that was cut off ends in no byte, one that is longer than it must be in a zero.
      if (byte === undefined || (byte === 0 && place > 0)) return this.#fail()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
      scale *= 128
    }
    this.#offset = at
    return value
  }

  /** The bits above 49 of a varint; 0 when it has none. */
  #high(): number {
    if ((this.#bytes[this.#offset - 1] ?? 0) < 0x80) return 0
    const high = this.#low()
    return high > 0 && high < 2 ** 15 ? high : this.#fail()
  }

  #varint(): number {
    const low = this.#low()
    const high = this.#high()
    return high < 16 ? low + high * 2 ** 49 : this.#fail()
  }

  /** A number that is left out when 0. */
  uint(field: number): number {
    if (!this.#at(field, WireType.Varint)) return 0
    const value = this.#varint()
    return value === 0 ? this.#fail() : value
  }

  /** A number that is written also when 0. */
  presentUint(field: number): number {
    return this.#at(field, WireType.Varint) ? this.#varint() : this.#fail()
  }

  /** A 64-bit number that is left out when 0. */
  uint64(field: number): bigint {
    if (!this.#at(field, WireType.Varint)) return 0n
    const low = this.#low()
    const high = this.#high()
    if (low === 0 && high === 0) this.#fail()
    if (high === 0) return BigInt(low)
    word.setUint32(4, low % 2 ** 32)
    word.setUint32(0, high * 2 ** 17 + Math.floor(low / 2 ** 32))
    return word.getBigUint64(0)
  }

  /** Where the value of a bytes or message field ends. */
  #delimited(): number {
    const length = this.#varint()
    if (length <= this.#end - this.#offset) return this.#offset + length
    this.#fail()
    return this.#offset
  }

  /** Bytes that are left out when there are none, as a copy. */
  bytes(field: number): Uint8Array {
    if (!this.#at(field, WireType.Bytes)) return EMPTY_BYTES
    const end = this.#delimited()
    if (end === this.#offset) this.#fail()
    const value = this.#bytes.slice(this.#offset, end)
    this.#offset = end
    return value
  }

  /** Bytes of a repeated field, as a view; undefined when no more of them follow. */
  next(field: number): Uint8Array | undefined {
    if (!this.#at(field, WireType.Bytes)) return undefined
    const end = this.#delimited()
    const value = end === this.#offset ? EMPTY_BYTES : this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return value
  }

  /** A text that is left out when empty. */
  string(field: number): string {
    const bytes = this.next(field)
    if (bytes === undefined) return ''
    if (bytes.length > 0 && equalBytes(bytes, lastBytes)) return lastText
    const text = bytes.length === 0 ? undefined : fromUtf8(bytes)
    if (text === undefined) {
      this.#fail()
      return ''
    }
    if (bytes.length <= MAX_KEPT_TEXT) {
      lastText = text
      lastBytes = bytes.slice()
    }
    return text
  }

  /** Enters a message that is always written. Returns where the one around it ends, for {@link leave}. */
  enter(field: number): number {
    const around = this.#end
    if (this.#at(field, WireType.Bytes)) this.#end = this.#delimited()
    else this.#fail()
    return around
  }

  /** Leaves a message that was read to its end. */
  leave(around: number): void {
    if (this.#offset !== this.#end) this.#fail()
    this.#end = around
  }
}
