/*
 * Many ed25519 checks in one piece of memory, so that it can change threads without being copied again. Layout, for
 * each: signature (64 bytes), public key (32), length of the message (uint32, little endian), message.
 */

const SIGNATURE = 64
const KEY = 32
const HEAD = SIGNATURE + KEY + 4

/** Checks that are being put together. */
export interface SignatureBatch {
  /** How many are in it. */
  readonly size: number
  /** Adds a check, copying what is given. False, and nothing added, when key or signature have another length than they must. */
  add(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  /** The bytes. The batch must not be used after that. */
  finish(): Uint8Array<ArrayBuffer>
}

/** Makes an empty {@link SignatureBatch} with room for `count` messages of about `messageBytes`; it grows where that is too little. */
export function createSignatureBatch(count: number, messageBytes: number): SignatureBatch {
  let bytes = new Uint8Array(Math.max(1, count) * (HEAD + messageBytes))
  let view = new DataView(bytes.buffer)
  let length = 0
  let size = 0
  return {
    get size() {
      return size
    },
    add(publicKey, message, signature) {
      if (publicKey.length !== KEY || signature.length !== SIGNATURE) return false
      const end = length + HEAD + message.length
      if (end > bytes.length) {
        const larger = new Uint8Array(Math.max(end, bytes.length * 2))
        larger.set(bytes.subarray(0, length))
        bytes = larger
        view = new DataView(bytes.buffer)
      }
      bytes.set(signature, length)
      bytes.set(publicKey, length + SIGNATURE)
      view.setUint32(length + SIGNATURE + KEY, message.length, true)
      bytes.set(message, length + HEAD)
      length = end
      size++
      return true
    },
    finish: () => bytes.subarray(0, length),
  }
}

/** A check as it lies in a batch; views of its memory. */
export interface PackedCheck {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/** The checks of a finished batch, in order. */
export function* packedChecks(bytes: Uint8Array): Generator<PackedCheck, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEAD + view.getUint32(at + SIGNATURE + KEY, true)
    yield {
      signature: bytes.subarray(at, at + SIGNATURE),
      publicKey: bytes.subarray(at + SIGNATURE, at + SIGNATURE + KEY),
      message: bytes.subarray(at + HEAD, end),
    }
    at = end
  }
}
