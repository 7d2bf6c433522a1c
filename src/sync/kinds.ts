import type { ItemKind } from '../core/header.ts'
import type { SignatureChecker } from '../core/signatures.ts'
import type { P2PData } from '../types/data.ts'
import { dataHash } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { encodedHeaderView, headerHash } from '../types/header.ts'
import { decodeP2PData, decodeP2PSignedHeader, encodeP2PData, encodeP2PSignedHeader } from '../types/codec.ts'
import { validateData, validateHeader, validateHeaderFields, validateSigner } from '../types/validate.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { createSignatureBatch, type SignatureBatch } from '../util/signature-batch.ts'

/** Signed headers as items of header synchronisation: topic and protocol kind `headerSync`. */
export const headerKind: ItemKind<P2PSignedHeader> = {
  name: 'headerSync',
  chainId: (item) => item.header.chainId,
  height: (item) => item.header.height,
  time: (item) => item.header.time,
  hash: (item) => headerHash(item.header),
  encode: encodeP2PSignedHeader,
  decode: decodeP2PSignedHeader,
  validate: validateHeader,
  verifyAdjacent(trusted, untrusted) {
    const expected = headerHash(trusted.header)
    if (equalBytes(expected, untrusted.header.lastHeaderHash)) return
    throw linkError(
      'LAST_HEADER_HASH_MISMATCH',
      untrusted.header.height,
      expected,
      untrusted.header.lastHeaderHash,
    )
  },
}

/** {@link headerKind} whose many signatures are checked by `signatures`, off this thread. */
export function headerKindWith(signatures: SignatureChecker): ItemKind<P2PSignedHeader> {
  return {
    ...headerKind,
    async validateAll(items) {
      const batch = createSignatureBatch(items.length, MESSAGE_BYTES)
      const packed = packFront(items, batch)
      const results = batch.size === 0 ? NO_RESULTS : await signatures.check(batch)
      for (const [index, item] of items.entries()) {
        if (index < packed && results[index] === 1) continue
        // What the quick check did not find good is decided here, with the reason.
        try {
          validateHeader(item)
        } catch (error) {
          return { good: index, error }
        }
      }
      return { good: items.length }
    },
  }
}

/** About as many bytes as what is signed has. */
const MESSAGE_BYTES = 256
const NO_RESULTS = new Uint8Array(0)

/** Packs signatures until an item is wrong without looking at its signature; how many it packed. */
function packFront(items: readonly P2PSignedHeader[], batch: SignatureBatch): number {
  for (const item of items) {
    try {
      validateHeaderFields(item.header)
      if (!batch.add(validateSigner(item), encodedHeaderView(item.header), item.signature)) break
    } catch {
      break
    }
  }
  return batch.size
}

/** Bytes that an array of bytes takes besides its content. */
const ARRAY_BYTES = 320

/** Block data as items of header synchronisation: topic and protocol kind `dataSync`. */
export const dataKind: ItemKind<P2PData> = {
  name: 'dataSync',
  chainId: (item) => item.metadata?.chainId ?? '',
  height: (item) => item.metadata?.height ?? 0,
  time: (item) => item.metadata?.time ?? 0n,
  hash: dataHash,
  encode: encodeP2PData,
  decode: decodeP2PData,
  memory(item) {
    let bytes = ARRAY_BYTES
    for (const tx of item.txs) bytes += tx.length + ARRAY_BYTES
    return bytes
  },
  validate: validateData,
  verifyAdjacent(trusted, untrusted) {
    const expected = dataHash(trusted)
    const found = untrusted.metadata?.lastDataHash ?? new Uint8Array(0)
    if (equalBytes(expected, found)) return
    throw linkError('LAST_DATA_HASH_MISMATCH', dataKind.height(untrusted), expected, found)
  },
}

function linkError(code: string, height: number, expected: Uint8Array, found: Uint8Array): EvolveError {
  return new EvolveError(
    code,
    `height ${height} does not link to the one below: expected hash ${toHex(expected)}, got ${toHex(found)}`,
    { verdict: 'reject', data: { height, expected: toHex(expected), found: toHex(found) } },
  )
}
