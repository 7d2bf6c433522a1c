import type { ItemKind } from '../core/header.ts'
import type { P2PData } from '../types/data.ts'
import { dataHash } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { headerHash } from '../types/header.ts'
import { decodeP2PData, decodeP2PSignedHeader, encodeP2PData, encodeP2PSignedHeader } from '../types/codec.ts'
import { validateData, validateHeader } from '../types/validate.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'

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

/** Block data as items of header synchronisation: topic and protocol kind `dataSync`. */
export const dataKind: ItemKind<P2PData> = {
  name: 'dataSync',
  chainId: (item) => item.metadata?.chainId ?? '',
  height: (item) => item.metadata?.height ?? 0,
  time: (item) => item.metadata?.time ?? 0n,
  hash: dataHash,
  encode: encodeP2PData,
  decode: decodeP2PData,
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
