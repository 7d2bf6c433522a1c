const encoder = new TextEncoder()
// A byte order mark is text like any other: what was decoded must encode to the same bytes again.
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** No bytes. Shared: never write to it. */
export const EMPTY_BYTES: Uint8Array = new Uint8Array(0)

/** Small arrays that are made here lie together in pieces of this size. */
const SLAB_BYTES = 4_096
/** The engine keeps arrays up to this length among its objects, which is as fast. */
const ENGINE_BYTES = 64
const MAX_SMALL_BYTES = 512

let slab = new ArrayBuffer(0)
let slabUsed = 0

/**
 * A new array of zeros. Memory of its own for each small array costs ten times as much as filling it: here those
 * share some. So whoever keeps one keeps up to 4 KiB, and its buffer must not be transferred.
 */
export function allocateBytes(length: number): Uint8Array {
  if (length <= ENGINE_BYTES || length > MAX_SMALL_BYTES) return new Uint8Array(length)
  if (slabUsed + length > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_BYTES)
    slabUsed = 0
  }
  const bytes = new Uint8Array(slab, slabUsed, length)
  slabUsed += length
  return bytes
}

/** A copy of some bytes, or a part of them, in memory from {@link allocateBytes}. */
export function copyBytes(bytes: Uint8Array, start = 0, end: number = bytes.length): Uint8Array {
  // A view of an array among the engine's objects would move that one to memory of its own.
  if (end - start <= ENGINE_BYTES) return plainView(bytes).slice(start, end)
  const copy = allocateBytes(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}

/** The same bytes as a plain array: views of a Buffer are Buffers, whose slice() is no copy. */
export function plainView(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Lower-case hex of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) out += byte < 16 ? `0${byte.toString(16)}` : byte.toString(16)
  return out
}

/** Bytes of a hex string of either case, without prefix; `undefined` if it is not hex of whole bytes. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined
  const out = new Uint8Array(text.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16)
  return out
}

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 0x2000) {
    // Applied, not spread: six times as fast.
    const part: string = Reflect.apply(String.fromCharCode, undefined, bytes.subarray(i, i + 0x2000))
    text += part
  }
  return btoa(text)
}

/** Bytes of standard base64 with padding; `undefined` if it is not. */
export function fromBase64(text: string): Uint8Array | undefined {
  // No pattern over the whole text: one that repeats overflows the stack on texts of some megabytes.
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  if (text.length % 4 !== 0 || /[^A-Za-z0-9+/]/.test(text.slice(0, text.length - padding))) return undefined
  const raw = atob(text)
  const out = new Uint8Array(raw.length)
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i)
  return out
}

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Text of UTF-8 bytes; `undefined` if they are not valid UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Whether both hold the same bytes. Not constant time: for public values only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Order of byte strings: negative, zero or positive, shorter first when one is a prefix of the other. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** One new array holding all parts in order. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/** Eight bytes, big endian, of a safe non-negative integer. */
export function uint64BigEndian(value: number): Uint8Array {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, BigInt(value))
  return out
}
