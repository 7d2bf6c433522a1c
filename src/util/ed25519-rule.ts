import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes, fromHex, toHex } from './bytes.ts'

const { Point } = ed25519
const ORDER = Point.Fn.ORDER
const POINT_BYTES = 32
const FIELD_ORDER = 2n ** 255n - 19n

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.toReversed())}`)
}

/** The y coordinates of the eight points of low order. */
const LOW_ORDER: ReadonlySet<bigint> = new Set(
  [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ].map((hex) => littleEndian(fromHex(hex) ?? new Uint8Array(1))),
)

/** Whether a point has low order, or is not written in its one canonical way: where libraries begin to differ. */
export function isOddPoint(point: Uint8Array): boolean {
  const y = BigInt.asUintN(255, littleEndian(point))
  return y >= FIELD_ORDER || LOW_ORDER.has(y)
}

/**
 * Whether an ed25519 signature is good, by the equation alone: the point in the signature is, byte for byte, `sB - kA`.
 * No cofactor, a reduced scalar, and any encoding of the key. Slow (1 ms): the rule that the fast ways are held to.
 * Source: RFC 8032 §5.1.7, as Go's crypto/ed25519 reads it.
 */
export function verifyByRule(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== POINT_BYTES || signature.length !== 2 * POINT_BYTES) return false
  const point = signature.subarray(0, POINT_BYTES)
  const scalar = littleEndian(signature.subarray(POINT_BYTES))
  if (scalar >= ORDER) return false
  let key: InstanceType<typeof Point>
  try {
    key = Point.fromBytes(publicKey, true)
  } catch {
    return false
  }
  const challenge = littleEndian(sha512(concatBytes(point, publicKey, message))) % ORDER
  const expected = Point.BASE.multiplyUnsafe(scalar).subtract(key.multiplyUnsafe(challenge))
  return equalBytes(expected.toBytes(), point)
}
