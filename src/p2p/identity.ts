import { ed25519PublicKey } from '#crypto'
import { base58btc } from 'multiformats/bases/base58'
import type { PeerId } from '../core/network.ts'
import { concatBytes, equalBytes, fromBase64, toBase64 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'

/** Head of an identity multihash over a libp2p public key of type ed25519 with 32 bytes. */
const PEER_ID_HEAD = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)

/** What a node signs its network handshakes with: an ed25519 key pair. */
export interface NodeKey {
  /** 32 bytes, secret. */
  readonly seed: Uint8Array
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

function invalid(what: string, cause?: unknown): EvolveError {
  return new EvolveError('INVALID_NODE_KEY', `node key: ${what}`, cause === undefined ? {} : { cause })
}

function field(value: object, name: string, length: number): Uint8Array {
  const text: unknown = Reflect.get(value, name)
  if (typeof text !== 'string') throw invalid(`${name} must be base64 text, found ${typeof text}`)
  const bytes = fromBase64(text)
  if (bytes === undefined) throw invalid(`${name} is not base64`)
  if (bytes.length !== length) throw invalid(`${name} must be ${length} bytes, found ${bytes.length}`)
  return bytes
}

/**
 * Reads the text of a `node_key.json`: an object with `priv_key`, the base64 of seed and public key (64 bytes),
 * and `pub_key`, the base64 of the public key (32 bytes). Throws `INVALID_NODE_KEY` when the text is cut short or
 * its parts do not belong together; the message never holds key material.
 * Source: ev-node v1.2.3 pkg/p2p/key.
 */
export function parseNodeKey(text: string): NodeKey {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text around the mistake, which may be the secret.
    throw invalid('the file is not JSON; it may be cut short')
  }
  if (typeof value !== 'object' || value === null) throw invalid('the file must hold a JSON object')
  const pair = field(value, 'priv_key', 64)
  const publicKey = field(value, 'pub_key', 32)
  const seed = pair.slice(0, 32)
  const derived = ed25519PublicKey(seed)
  if (!equalBytes(derived, pair.subarray(32))) throw invalid('the halves of priv_key do not belong together')
  if (!equalBytes(derived, publicKey)) throw invalid('pub_key is not the public key of priv_key')
  return { seed, publicKey }
}

/** The text of a `node_key.json`, on one line, as {@link parseNodeKey} reads it. */
export function formatNodeKey(key: NodeKey): string {
  return JSON.stringify({
    priv_key: toBase64(concatBytes(key.seed, key.publicKey)),
    pub_key: toBase64(key.publicKey),
  })
}

/** A new node key from a source of secret random bytes. */
export function generateNodeKey(randomBytes: (length: number) => Uint8Array): NodeKey {
  const seed = randomBytes(32)
  return { seed, publicKey: ed25519PublicKey(seed) }
}

/**
 * The peer id of a node key: base58 of the identity multihash of its public key (`12D3KooW…`).
 * Source: libp2p specs, peer-ids.
 */
export function peerIdOf(key: NodeKey): PeerId {
  return base58btc.baseEncode(concatBytes(PEER_ID_HEAD, key.publicKey))
}
